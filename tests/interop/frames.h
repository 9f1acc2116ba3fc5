// What the peers of chapter 3's programs share: messages of which every frame and the number of frames can be checked.
// PROGRAM is the peer's name, defined before this is included.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

enum { MAX_FRAMES = 8, MAX_SIZE = 64 };

struct frame {
    size_t size;
    char bytes[MAX_SIZE];
};

struct message {
    int count;
    struct frame frames[MAX_FRAMES];
};

static inline void check(int holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "%s: %s: %s\n", PROGRAM, what, zmq_strerror(zmq_errno()));
        exit(1);
    }
}

static inline void receive(void *socket, struct message *message)
{
    int more = 1;
    for (message->count = 0; more; message->count++) {
        check(message->count < MAX_FRAMES, "number of frames");
        zmq_msg_t part;
        zmq_msg_init(&part);
        check(zmq_msg_recv(&part, socket, 0) >= 0, "receive");
        struct frame *frame = &message->frames[message->count];
        frame->size = zmq_msg_size(&part);
        check(frame->size <= MAX_SIZE, "size of a frame");
        memcpy(frame->bytes, zmq_msg_data(&part), frame->size);
        more = zmq_msg_more(&part);
        zmq_msg_close(&part);
    }
}

static inline int is(const struct frame *frame, const char *text)
{
    return frame->size == strlen(text) && memcmp(frame->bytes, text, frame->size) == 0;
}

static inline void send_frame(void *socket, const struct frame *frame, int flags)
{
    check(zmq_send(socket, frame->bytes, frame->size, flags) == (int) frame->size, "send");
}

static inline void send_text(void *socket, const char *text, int flags)
{
    check(zmq_send(socket, text, strlen(text), flags) == (int) strlen(text), "send");
}

// Whether nothing comes for so many milliseconds.
static inline int is_quiet(void *socket, long milliseconds)
{
    zmq_pollitem_t item = {socket, 0, ZMQ_POLLIN, 0};
    return zmq_poll(&item, 1, milliseconds) == 0;
}

// The sign by which a worker says that it is ready, as an argument names it.
static inline const char *ready_sign(const char *argument)
{
    return strcmp(argument, "1") == 0 ? "\001" : argument;
}
