// Peer of syncpub.rs: syncsub PUBLISHER SYNC. Subscribes to everything, sends an empty request, which must have an empty
// reply, and counts the updates up to [END]. Any other frame than [Rhubarb] ends it with status 1.

#define PROGRAM "syncsub.c"
#include "frames.h"

int main(int argc, char **argv)
{
    check(argc == 3, "arguments");
    void *context = zmq_ctx_new();
    void *subscriber = zmq_socket(context, ZMQ_SUB);
    check(zmq_connect(subscriber, argv[1]) == 0, "connect to the publisher");
    check(zmq_setsockopt(subscriber, ZMQ_SUBSCRIBE, "", 0) == 0, "subscribe");
    void *syncclient = zmq_socket(context, ZMQ_REQ);
    check(zmq_connect(syncclient, argv[2]) == 0, "connect to the service");
    check(zmq_send(syncclient, "", 0, 0) == 0, "request");
    char frame[16];
    check(zmq_recv(syncclient, frame, sizeof frame, 0) == 0, "empty reply");
    check(!has_more(syncclient), "message of one frame");

    long updates = 0;
    for (;;) {
        int size = zmq_recv(subscriber, frame, sizeof frame, 0);
        check(!has_more(subscriber), "message of one frame");
        if (size == 3 && memcmp(frame, "END", 3) == 0)
            break;
        check(size == 7 && memcmp(frame, "Rhubarb", 7) == 0, "update");
        updates++;
    }
    printf("Received %ld updates\n", updates);
    zmq_close(subscriber);
    zmq_close(syncclient);
    zmq_ctx_term(context);
    return 0;
}
