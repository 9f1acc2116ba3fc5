// Peer of syncpub.rs: syncsub PUBLISHER SYNC. Subscribes to everything, sends an empty request, which is to be answered
// with an empty reply, and counts the updates up to [END]. Any frame but [Rhubarb] ends it with status 1.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

static void check(int holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "syncsub.c: %s: %s\n", what, zmq_strerror(zmq_errno()));
        exit(1);
    }
}

static void check_alone(void *socket)
{
    int more;
    size_t size = sizeof more;
    check(zmq_getsockopt(socket, ZMQ_RCVMORE, &more, &size) == 0 && !more, "message of one frame");
}

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
    check_alone(syncclient);

    long updates = 0;
    for (;;) {
        int size = zmq_recv(subscriber, frame, sizeof frame, 0);
        check_alone(subscriber);
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
