// The common part of the C peers of the guide's programs: messages whose frames can be checked and counted, and a clock.
// PROGRAM is the peer's name, defined before this is included.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zmq.h>

enum { MAX_FRAMES = 8, MAX_SIZE = 250 };

struct frame {
    size_t size;
    // A text ends with a NUL, which is not counted.
    char data[MAX_SIZE + 1];
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

static inline int has_more(void *socket)
{
    int more;
    size_t size = sizeof more;
    check(zmq_getsockopt(socket, ZMQ_RCVMORE, &more, &size) == 0, "more");
    return more;
}

static inline struct message receive(void *socket)
{
    struct message message = {0};
    do {
        check(message.count < MAX_FRAMES, "number of frames");
        struct frame *frame = &message.frames[message.count++];
        int size = zmq_recv(socket, frame->data, MAX_SIZE, 0);
        check(size >= 0 && size <= MAX_SIZE, "size of a frame");
        frame->size = (size_t) size;
    } while (has_more(socket));
    return message;
}

// Receives one frame as a text, and whether more follow.
static inline int receive_text(void *socket, char *text, size_t room)
{
    int size = zmq_recv(socket, text, room - 1, 0);
    check(size >= 0 && size < (int) room, "size of a frame");
    text[size] = 0;
    return has_more(socket);
}

static inline int frame_is(const struct frame *frame, const void *data, size_t size)
{
    return frame->size == size && memcmp(frame->data, data, size) == 0;
}

static inline int is(const struct frame *frame, const char *text)
{
    return frame_is(frame, text, strlen(text));
}

static inline void send_frame(void *socket, const struct frame *frame, int flags)
{
    check(zmq_send(socket, frame->data, frame->size, flags) == (int) frame->size, "send");
}

static inline void send_text(void *socket, const char *text, int flags)
{
    check(zmq_send(socket, text, strlen(text), flags) == (int) strlen(text), "send");
}

// Whether no message arrives for so many milliseconds.
static inline int is_quiet(void *socket, long milliseconds)
{
    zmq_pollitem_t item = {socket, 0, ZMQ_POLLIN, 0};
    return zmq_poll(&item, 1, milliseconds) == 0;
}

// The monotonic clock, in milliseconds.
static inline long now_ms(void)
{
    struct timespec now;
    check(clock_gettime(CLOCK_MONOTONIC, &now) == 0, "clock");
    return now.tv_sec * 1000L + now.tv_nsec / 1000000;
}

// The sign by which a worker says that it is ready, as an argument names it.
static inline const char *ready_sign(const char *argument)
{
    return strcmp(argument, "1") == 0 ? "\001" : argument;
}
