// Worker of rtreq.rs, rtdealer.rs and rtmama.rs: rtworker req|dealer ENDPOINT ID TASKS [ASK WORK END]. Asks for work and
// does it until it is fired, and expects nothing more then. If TASKS is not 0, it leaves after so many tasks instead, without
// a message. The texts are those of rtreq if there are none. Any other answer ends it with status 1.

#define PROGRAM "rtworker.c"
#include "frames.h"

int main(int argc, char **argv)
{
    check(argc == 5 || argc == 8, "arguments");
    const char *ask = argc == 8 ? argv[5] : "Hi Boss";
    const char *work = argc == 8 ? argv[6] : "Work harder";
    const char *end = argc == 8 ? argv[7] : "Fired!";
    int is_req = strcmp(argv[1], "req") == 0;
    int tasks = atoi(argv[4]);
    void *context = zmq_ctx_new();
    void *worker = zmq_socket(context, is_req ? ZMQ_REQ : ZMQ_DEALER);
    check(zmq_setsockopt(worker, ZMQ_ROUTING_ID, argv[3], strlen(argv[3])) == 0, "routing id");
    check(zmq_connect(worker, argv[2]) == 0, "connect");

    int total = 0;
    for (;;) {
        if (!is_req)
            send_text(worker, "", ZMQ_SNDMORE);
        send_text(worker, ask, 0);

        struct message answer = receive(worker);
        check(answer.count == (is_req ? 1 : 2), "number of frames");
        check(is_req || is(&answer.frames[0], ""), "empty frame");
        struct frame *workload = &answer.frames[answer.count - 1];
        if (is(workload, end))
            break;
        check(is(workload, work), "text of the work");
        if (++total == 1) {
            puts("Working");
            fflush(stdout);
        }
        if (total == tasks)
            return 0;
        zmq_poll(NULL, 0, 5);
    }
    check(is_quiet(worker, 100), "nothing after the end");
    check(tasks == 0, "left before it was fired");
    printf("Completed: %d tasks\n", total);
    zmq_close(worker);
    zmq_ctx_term(context);
    return 0;
}
