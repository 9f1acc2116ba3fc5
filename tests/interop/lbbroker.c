// Broker between the clients and workers of lbbroker.rs, lbbroker2.rs and lbbroker3.rs: lbbroker FRONTEND BACKEND READY
// ANSWERS. Ends after so many answers. Any message of a client except [address][][HELLO], and any message of a worker except
// [address][][READY] (or the byte 1, if READY is 1) and [address][][client][][OK], ends it with status 1. So does a worker that
// says more than once that it is ready.

#define PROGRAM "lbbroker.c"
#include "frames.h"

enum { MAX_WORKERS = 32 };

static int same(const struct frame *one, const struct frame *other)
{
    return frame_is(one, other->data, other->size);
}

int main(int argc, char **argv)
{
    check(argc == 5, "arguments");
    const char *sign = ready_sign(argv[3]);
    int answers = atoi(argv[4]);
    void *context = zmq_ctx_new();
    void *frontend = zmq_socket(context, ZMQ_ROUTER);
    void *backend = zmq_socket(context, ZMQ_ROUTER);
    check(zmq_bind(frontend, argv[1]) == 0 && zmq_bind(backend, argv[2]) == 0, "bind");

    // The address of each worker, its client and whether it works; then the ready workers in their order.
    struct frame known[MAX_WORKERS], client_of[MAX_WORKERS];
    int working[MAX_WORKERS] = {0}, ready[MAX_WORKERS];
    int count = 0, idle = 0;
    while (answers > 0) {
        zmq_pollitem_t items[] = {{backend, 0, ZMQ_POLLIN, 0}, {frontend, 0, ZMQ_POLLIN, 0}};
        check(zmq_poll(items, idle ? 2 : 1, -1) >= 0, "poll");
        struct message message;
        if (items[0].revents) {
            message = receive(backend);
            check(message.count >= 3 && is(&message.frames[1], ""), "empty frame of a worker");
            int worker = 0;
            while (worker < count && !same(&known[worker], &message.frames[0]))
                worker++;
            if (worker == count) {
                check(count < MAX_WORKERS, "number of workers");
                check(message.count == 3 && is(&message.frames[2], sign), "sign of a worker");
                known[count++] = message.frames[0];
            } else {
                check(message.count == 5, "number of frames of an answer");
                check(working[worker] && same(&message.frames[2], &client_of[worker]), "client of an answer");
                check(is(&message.frames[3], ""), "empty frame of an answer");
                check(is(&message.frames[4], "OK"), "text of an answer");
                working[worker] = 0;
                send_frame(frontend, &message.frames[2], ZMQ_SNDMORE);
                send_text(frontend, "", ZMQ_SNDMORE);
                send_text(frontend, "OK", 0);
                answers--;
            }
            ready[idle++] = worker;
        } else if (items[1].revents) {
            message = receive(frontend);
            check(message.count == 3, "number of frames of a request");
            check(is(&message.frames[1], ""), "empty frame of a request");
            check(is(&message.frames[2], "HELLO"), "text of a request");
            int worker = ready[0];
            memmove(ready, ready + 1, (size_t) --idle * sizeof *ready);
            working[worker] = 1;
            client_of[worker] = message.frames[0];
            send_frame(backend, &known[worker], ZMQ_SNDMORE);
            send_text(backend, "", ZMQ_SNDMORE);
            send_frame(backend, &message.frames[0], ZMQ_SNDMORE);
            send_text(backend, "", ZMQ_SNDMORE);
            send_frame(backend, &message.frames[2], 0);
        }
    }
    printf("%d workers\n", count);
    zmq_close(frontend);
    zmq_close(backend);
    zmq_ctx_term(context);
    return 0;
}
