// Peer of the publisher and the subscriber of espresso.rs: espresso FRONTEND BACKEND. A proxy that connects an XSUB to the
// one, binds an XPUB to the other, and prints what it forwards, texts as they are and subscriptions as four digits. It
// ends after the end of two subscriptions; a message of more frames than one ends it with status 1.

#define PROGRAM "espresso.c"
#include "frames.h"

/// Whether it was the end of a subscription.
static int forward(void *from, void *to)
{
    char frame[16];
    int size = zmq_recv(from, frame, sizeof frame, 0);
    check(size > 0 && size <= (int) sizeof frame, "receive");
    check(!has_more(from), "number of frames");
    if (frame[0] <= 1)
        printf("%02X%02X\n", frame[0], size == 2 ? frame[1] : 0);
    else
        printf("%.*s\n", size, frame);
    fflush(stdout);
    check(zmq_send(to, frame, size, 0) == size, "send");
    return frame[0] == 0;
}

int main(int argc, char **argv)
{
    check(argc == 3, "arguments");
    void *context = zmq_ctx_new();
    void *frontend = zmq_socket(context, ZMQ_XSUB);
    check(zmq_connect(frontend, argv[1]) == 0, "connect");
    void *backend = zmq_socket(context, ZMQ_XPUB);
    check(zmq_bind(backend, argv[2]) == 0, "bind");
    int ended = 0;
    while (ended < 2) {
        zmq_pollitem_t items[] = {{frontend, 0, ZMQ_POLLIN, 0}, {backend, 0, ZMQ_POLLIN, 0}};
        check(zmq_poll(items, 2, -1) > 0, "poll");
        if (items[0].revents & ZMQ_POLLIN)
            forward(frontend, backend);
        if (items[1].revents & ZMQ_POLLIN)
            ended += forward(backend, frontend);
    }
    zmq_close(frontend);
    zmq_close(backend);
    zmq_ctx_term(context);
    return 0;
}
