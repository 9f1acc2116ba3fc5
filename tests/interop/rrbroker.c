// Peer of rrclient.rs and rrworker.rs: rrbroker FRONTEND BACKEND. Binds a ROUTER and a DEALER and passes every frame
// from one to the other, with its MORE flag, until it is killed. A request is [id][][Hello], a reply [id][][World];
// anything else ends it with status 1.

#define PROGRAM "rrbroker.c"
#include "frames.h"

static void pass_on(void *from, void *to, const char *text)
{
    int more = 1;
    for (int number = 0; more; number++) {
        zmq_msg_t frame;
        zmq_msg_init(&frame);
        int size = zmq_msg_recv(&frame, from, 0);
        more = zmq_msg_more(&frame);
        switch (number) {
        case 0:
            check(size == 5 && more, "routing id");
            break;
        case 1:
            check(size == 0 && more, "empty frame");
            break;
        case 2:
            check(size == 5 && !more && memcmp(zmq_msg_data(&frame), text, 5) == 0, text);
            break;
        }
        check(zmq_msg_send(&frame, to, more ? ZMQ_SNDMORE : 0) == size, "send");
    }
}

int main(int argc, char **argv)
{
    check(argc == 3, "arguments");
    void *context = zmq_ctx_new();
    void *frontend = zmq_socket(context, ZMQ_ROUTER);
    void *backend = zmq_socket(context, ZMQ_DEALER);
    check(zmq_bind(frontend, argv[1]) == 0, "bind the frontend");
    check(zmq_bind(backend, argv[2]) == 0, "bind the backend");

    for (;;) {
        zmq_pollitem_t items[] = {{frontend, 0, ZMQ_POLLIN, 0}, {backend, 0, ZMQ_POLLIN, 0}};
        check(zmq_poll(items, 2, -1) > 0, "poll");
        if (items[0].revents & ZMQ_POLLIN)
            pass_on(frontend, backend, "Hello");
        if (items[1].revents & ZMQ_POLLIN)
            pass_on(backend, frontend, "World");
    }
}
