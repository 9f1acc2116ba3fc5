// Peer of syncsub.rs: syncpub PUBLISHER SYNC SUBSCRIBERS UPDATES. Takes so many subscriptions to everything and so many
// empty requests, each of which it answers with an empty reply; then sends UPDATES times [Rhubarb] and [END]. Any other
// frame ends it with status 1.

#define PROGRAM "syncpub.c"
#include "frames.h"

int main(int argc, char **argv)
{
    check(argc == 5, "arguments");
    int subscribers = atoi(argv[3]);
    long updates = atol(argv[4]);
    void *context = zmq_ctx_new();
    // An XPUB receives the subscriptions, which a PUB does not.
    void *publisher = zmq_socket(context, ZMQ_XPUB);
    int hwm = 1100000, yes = 1;
    check(zmq_setsockopt(publisher, ZMQ_SNDHWM, &hwm, sizeof hwm) == 0, "mark");
    check(zmq_setsockopt(publisher, ZMQ_XPUB_VERBOSE, &yes, sizeof yes) == 0, "verbose");
    check(zmq_bind(publisher, argv[1]) == 0, "bind the publisher");
    void *syncservice = zmq_socket(context, ZMQ_REP);
    check(zmq_bind(syncservice, argv[2]) == 0, "bind the service");

    char frame[16];
    for (int number = 0; number < subscribers; number++) {
        check(zmq_recv(syncservice, frame, sizeof frame, 0) == 0, "empty request");
        check(!has_more(syncservice), "request of one frame");
        check(zmq_send(syncservice, "", 0, 0) == 0, "reply");
    }
    for (int number = 0; number < subscribers; number++) {
        check(zmq_recv(publisher, frame, sizeof frame, 0) == 1 && frame[0] == 1, "subscription to everything");
    }

    for (long update = 0; update < updates; update++) {
        check(zmq_send(publisher, "Rhubarb", 7, 0) == 7, "update");
    }
    check(zmq_send(publisher, "END", 3, 0) == 3, "end");
    printf("Sent %ld updates\n", updates);
    zmq_close(publisher);
    zmq_close(syncservice);
    zmq_ctx_term(context);
    return 0;
}
