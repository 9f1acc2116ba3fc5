// Peer of psenvpub.rs: psenvsub ENDPOINT COUNT. Subscribes to B and prints COUNT messages, which must have the frame [B] and
// one more.

#define PROGRAM "psenvsub.c"
#include "frames.h"

int main(int argc, char **argv)
{
    check(argc == 3, "arguments");
    void *context = zmq_ctx_new();
    void *subscriber = zmq_socket(context, ZMQ_SUB);
    check(zmq_connect(subscriber, argv[1]) == 0, "connect");
    check(zmq_setsockopt(subscriber, ZMQ_SUBSCRIBE, "B", 1) == 0, "subscribe");
    for (int number = 0; number < atoi(argv[2]); number++) {
        char frame[64];
        check(zmq_recv(subscriber, frame, sizeof frame, 0) == 1 && frame[0] == 'B' && has_more(subscriber), "envelope");
        int size = zmq_recv(subscriber, frame, sizeof frame, 0);
        check(size > 0 && size <= (int) sizeof frame && !has_more(subscriber), "contents");
        printf("[B] %.*s\n", size, frame);
    }
    zmq_close(subscriber);
    zmq_ctx_term(context);
    return 0;
}
