// Peer of rrbroker.rs, msgqueue.rs and rrclient.rs: rrworker ENDPOINT COUNT. Connects, and answers COUNT requests
// [Hello] with [World], then ends. Any other request ends it with status 1.

#define PROGRAM "rrworker.c"
#include "frames.h"

int main(int argc, char **argv)
{
    check(argc == 3, "arguments");
    int count = atoi(argv[2]);
    void *context = zmq_ctx_new();
    void *responder = zmq_socket(context, ZMQ_REP);
    check(zmq_connect(responder, argv[1]) == 0, "connect");

    for (int number = 0; number < count; number++) {
        struct message request = receive(responder);
        check(request.count == 1, "number of frames");
        check(is(&request.frames[0], "Hello"), "text of the request");
        puts("Received request: [Hello]");
        check(zmq_send(responder, "World", 5, 0) == 5, "send");
    }
    zmq_close(responder);
    zmq_ctx_term(context);
    return 0;
}
