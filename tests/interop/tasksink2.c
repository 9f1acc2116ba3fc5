// Peer of taskvent.rs and taskwork2.rs: tasksink2 ENDPOINT CONTROLLER. Receives one start message [0] and 100 empty
// results, in any order since they come over different connections, then publishes [KILL] at the controller's endpoint
// and ends. Any other frame ends it with status 1.

#include <stdio.h>
#include <stdlib.h>
#include <zmq.h>

static void check(int holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "tasksink2.c: %s: %s\n", what, zmq_strerror(zmq_errno()));
        exit(1);
    }
}

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
        zmq_msg_t message;
        zmq_msg_init(&message);
        check(zmq_msg_recv(&message, receiver, 0) >= 0, "receive");
        check(!zmq_msg_more(&message), "number of frames");
        if (zmq_msg_size(&message) == 0) {
            results++;
        } else {
            check(zmq_msg_size(&message) == 1 && *(char *) zmq_msg_data(&message) == '0', "start message");
            starts++;
        }
        zmq_msg_close(&message);
    }
    check(starts == 1, "number of start messages");
    printf("%d results\n", results);
    check(zmq_send(controller, "KILL", 4, 0) == 4, "end");
    zmq_close(receiver);
    zmq_close(controller);
    zmq_ctx_term(context);
    return 0;
}
