// Queue of the simple or the paranoid pirate, for lpclient.rs, spworker.rs and ppworker.rs:
// pirate_queue simple|paranoid FRONTEND BACKEND COUNT BEATS INTERVAL. Hands each request [client][][number] to the worker that
// was ready first, and leaves after COUNT replies and BEATS heartbeats of workers. A paranoid queue sends heartbeats to its
// ready workers every INTERVAL milliseconds. It prints "ready" for each worker that says so. A message of any other form ends it
// with status 1.

#define PROGRAM "pirate_queue.c"
#include "frames.h"

enum { MOST_WORKERS = 16 };

static struct frame ready[MOST_WORKERS];
static int ready_count;

// Puts a worker at the end of the list, if it is not there.
static void add(const struct frame *worker)
{
    for (int place = 0; place < ready_count; place++)
        if (frame_is(worker, ready[place].data, ready[place].size))
            return;
    check(ready_count < MOST_WORKERS, "number of workers");
    ready[ready_count++] = *worker;
}

int main(int argc, char **argv)
{
    check(argc == 7, "arguments");
    int paranoid = strcmp(argv[1], "paranoid") == 0, delimiter = !paranoid;
    int replies = atoi(argv[4]), beats = atoi(argv[5]);
    long interval = atol(argv[6]), next_beat = now_ms() + interval;
    void *context = zmq_ctx_new();
    void *frontend = zmq_socket(context, ZMQ_ROUTER), *backend = zmq_socket(context, ZMQ_ROUTER);
    check(zmq_bind(frontend, argv[2]) == 0, "bind the frontend");
    check(zmq_bind(backend, argv[3]) == 0, "bind the backend");

    while (replies > 0 || beats > 0) {
        zmq_pollitem_t items[] = {{backend, 0, ZMQ_POLLIN, 0}, {frontend, 0, ZMQ_POLLIN, 0}};
        long left = next_beat - now_ms();
        check(zmq_poll(items, ready_count > 0 ? 2 : 1, paranoid ? (left > 0 ? left : 0) : -1) >= 0, "poll");
        if (items[0].revents & ZMQ_POLLIN) {
            struct message message = receive(backend);
            struct frame *frames = message.frames + 1 + delimiter;
            int count = message.count - 1 - delimiter;
            check(count >= 1 && (!delimiter || message.frames[1].size == 0), "empty frame of a REQ");
            if (count == 1 && is(frames, "\001")) {
                puts("ready");
                fflush(stdout);
            } else if (count == 1) {
                check(paranoid && is(frames, "\002"), "signal of a worker");
                beats--;
            } else {
                check(count == 3 && frames[1].size == 0 && atoi(frames[2].data) > 0, "reply of a worker");
                send_frame(frontend, &frames[0], ZMQ_SNDMORE);
                send_text(frontend, "", ZMQ_SNDMORE);
                send_frame(frontend, &frames[2], 0);
                replies--;
            }
            add(&message.frames[0]);
        }
        if (items[1].revents & ZMQ_POLLIN) {
            struct message request = receive(frontend);
            check(request.count == 3 && request.frames[1].size == 0, "frames of a request");
            check(atoi(request.frames[2].data) > 0, "text of a request");
            send_frame(backend, &ready[0], ZMQ_SNDMORE);
            if (delimiter)
                send_text(backend, "", ZMQ_SNDMORE);
            send_frame(backend, &request.frames[0], ZMQ_SNDMORE);
            send_text(backend, "", ZMQ_SNDMORE);
            send_frame(backend, &request.frames[2], 0);
            memmove(ready, ready + 1, --ready_count * sizeof *ready);
        }
        if (paranoid && now_ms() >= next_beat) {
            for (int place = 0; place < ready_count; place++) {
                send_frame(backend, &ready[place], ZMQ_SNDMORE);
                send_text(backend, "\002", 0);
            }
            next_beat = now_ms() + interval;
        }
    }
    zmq_close(frontend);
    zmq_close(backend);
    zmq_ctx_term(context);
    return 0;
}
