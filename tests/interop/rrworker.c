// Peer of rrbroker.rs, msgqueue.rs and rrclient.rs: rrworker ENDPOINT COUNT. Connects, and answers COUNT requests
// [Hello] with [World], then ends. Any other request ends it with status 1.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

static void check(int holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "rrworker.c: %s: %s\n", what, zmq_strerror(zmq_errno()));
        exit(1);
    }
}

int main(int argc, char **argv)
{
    check(argc == 3, "arguments");
    int count = atoi(argv[2]);
    void *context = zmq_ctx_new();
    void *responder = zmq_socket(context, ZMQ_REP);
    check(zmq_connect(responder, argv[1]) == 0, "connect");

    for (int number = 0; number < count; number++) {
        zmq_msg_t request;
        zmq_msg_init(&request);
        check(zmq_msg_recv(&request, responder, 0) == 5, "size of the request");
        check(memcmp(zmq_msg_data(&request), "Hello", 5) == 0, "text of the request");
        check(!zmq_msg_more(&request), "number of frames");
        zmq_msg_close(&request);
        puts("Received request: [Hello]");
        check(zmq_send(responder, "World", 5, 0) == 5, "send");
    }
    zmq_close(responder);
    zmq_ctx_term(context);
    return 0;
}
