// Peer of taskvent.rs and taskwork2.rs: tasksink2 ENDPOINT CONTROLLER. Receives one start message [0] and 100 empty
// results, in any order since they come over different connections, then publishes [KILL] at the controller's endpoint
// and ends. Any other frame ends it with status 1.

#define PROGRAM "tasksink2.c"
#include "frames.h"

int main(int argc, char **argv)
{
    check(argc == 3, "arguments");
    void *context = zmq_ctx_new();
    void *receiver = zmq_socket(context, ZMQ_PULL);
    void *controller = zmq_socket(context, ZMQ_PUB);
    check(zmq_bind(receiver, argv[1]) == 0, "bind");
    check(zmq_bind(controller, argv[2]) == 0, "bind the controller");

    int starts = 0, results = 0;
    while (starts + results < 101) {
        struct message message = receive(receiver);
        check(message.count == 1, "number of frames");
        int is_start = is(&message.frames[0], "0");
        check(is_start || is(&message.frames[0], ""), "start message or result");
        starts += is_start;
        results += !is_start;
    }
    check(starts == 1, "number of start messages");
    printf("%d results\n", results);
    check(zmq_send(controller, "KILL", 4, 0) == 4, "end");
    zmq_close(receiver);
    zmq_close(controller);
    zmq_ctx_term(context);
    return 0;
}
