// Peer of taskvent.rs and taskwork.rs: tasksink ENDPOINT. Receives one start message [0] and 100 empty results, and
// prints a line when it has them. The two come over different connections, so it takes them in any order; any other
// frame ends it with status 1.

#include <stdio.h>
#include <stdlib.h>
#include <zmq.h>

static void check(int holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "tasksink.c: %s: %s\n", what, zmq_strerror(zmq_errno()));
        exit(1);
    }
}

int main(int argc, char **argv)
{
    check(argc == 2, "arguments");
    void *context = zmq_ctx_new();
    void *receiver = zmq_socket(context, ZMQ_PULL);
    check(zmq_bind(receiver, argv[1]) == 0, "bind");

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
    zmq_close(receiver);
    zmq_ctx_term(context);
    return 0;
}
