// Broker of the workers of rtreq.rs and rtdealer.rs: rtbroker ENDPOINT WORKERS TASKS. Gives each worker so many tasks
// and fires it then, prints how many each has had, and expects that nobody asks again. Any message but
// [XXXX-XXXX][][Hi Boss] ends it with status 1.

#define PROGRAM "rtbroker.c"
#include "frames.h"

#include <ctype.h>

enum { MAX_WORKERS = 32 };

int main(int argc, char **argv)
{
    check(argc == 4, "arguments");
    int workers = atoi(argv[2]), tasks = atoi(argv[3]);
    check(workers <= MAX_WORKERS, "number of workers");
    void *context = zmq_ctx_new();
    void *broker = zmq_socket(context, ZMQ_ROUTER);
    check(zmq_bind(broker, argv[1]) == 0, "bind");

    struct frame known[MAX_WORKERS];
    int done[MAX_WORKERS] = {0};
    int count = 0, fired = 0;
    while (fired < workers) {
        struct message message = receive(broker);
        check(message.count == 3, "number of frames");
        check(is(&message.frames[1], ""), "empty frame");
        check(is(&message.frames[2], "Hi Boss"), "text of the request");
        struct frame *id = &message.frames[0];
        check(id->size == 9 && id->data[4] == '-', "form of the address");
        for (int place = 0; place < 9; place++)
            check(place == 4 || (isxdigit(id->data[place]) && !islower(id->data[place])), "digits of the address");

        int worker = 0;
        while (worker < count && (known[worker].size != id->size || memcmp(known[worker].data, id->data, 9) != 0))
            worker++;
        if (worker == count) {
            check(count < workers, "number of workers");
            known[count++] = *id;
        }
        check(done[worker] <= tasks, "asks again after it was fired");
        send_frame(broker, id, ZMQ_SNDMORE);
        send_text(broker, "", ZMQ_SNDMORE);
        send_text(broker, done[worker] == tasks ? "Fired!" : "Work harder", 0);
        if (done[worker]++ == tasks)
            fired++;
    }
    check(is_quiet(broker, 100), "nothing after the end");
    printf("Fired: %d workers after %d tasks\n", fired, tasks);
    zmq_close(broker);
    zmq_ctx_term(context);
    return 0;
}
