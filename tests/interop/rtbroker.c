// Broker of the workers of rtreq.rs, rtdealer.rs and rtmama.rs: rtbroker ENDPOINT WORKERS TASKS [ASK WORK END]. Gives each
// worker so many tasks and fires it then, prints how many each has had, and expects no further request. The texts
// are those of rtreq if there are none. Any message except [XXXX-XXXX][][ASK] ends it with status 1.

#define PROGRAM "rtbroker.c"
#include "frames.h"

#include <ctype.h>

enum { MAX_WORKERS = 32 };

int main(int argc, char **argv)
{
    check(argc == 4 || argc == 7, "arguments");
    const char *ask = argc == 7 ? argv[4] : "Hi Boss";
    const char *work = argc == 7 ? argv[5] : "Work harder";
    const char *end = argc == 7 ? argv[6] : "Fired!";
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
        check(is(&message.frames[2], ask), "text of the request");
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
        send_text(broker, done[worker] == tasks ? end : work, 0);
        if (done[worker]++ == tasks)
            fired++;
    }
    check(is_quiet(broker, 100), "nothing after the end");
    printf("Fired: %d workers after %d tasks\n", fired, tasks);
    zmq_close(broker);
    zmq_ctx_term(context);
    return 0;
}
