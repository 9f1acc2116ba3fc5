// The common part of the C peers of the peering examples, of asyncsrv and of Binary Star: whole messages out, over named
// endpoints.
// PROGRAM is the peer's name, defined before this is included.

#include "frames.h"

#include <errno.h>
#include <unistd.h>

enum { DEADLINE_S = 60 };

// A socket that discards unsent messages when it is closed; `id` may be NULL.
static inline void *open_socket(void *context, int kind, const void *id, size_t id_size)
{
    int none = 0;
    void *socket = zmq_socket(context, kind);
    check(socket != NULL, "socket");
    check(zmq_setsockopt(socket, ZMQ_LINGER, &none, sizeof none) == 0, "linger");
    if (id)
        check(zmq_setsockopt(socket, ZMQ_ROUTING_ID, id, id_size) == 0, "routing id");
    return socket;
}

static inline void bind_flow(void *socket, const char *broker, const char *flow)
{
    char endpoint[100];
    snprintf(endpoint, sizeof endpoint, "ipc://%s-%s.ipc", broker, flow);
    check(zmq_bind(socket, endpoint) == 0, endpoint);
}

static inline void connect_flow(void *socket, const char *broker, const char *flow)
{
    char endpoint[100];
    snprintf(endpoint, sizeof endpoint, "ipc://%s-%s.ipc", broker, flow);
    check(zmq_connect(socket, endpoint) == 0, endpoint);
}

static inline void add(struct message *message, const void *data, size_t size)
{
    check(message->count < MAX_FRAMES && size <= MAX_SIZE, "message");
    struct frame *frame = &message->frames[message->count++];
    frame->size = size;
    memcpy(frame->data, data, size);
    frame->data[size] = 0;
}

static inline void add_text(struct message *message, const char *text)
{
    add(message, text, strlen(text));
}

// Sends a message, and returns whether it was sent. A ROUTER does not send it to an unknown peer.
static inline int try_send(void *socket, const struct message *message)
{
    for (int i = 0; i < message->count; i++) {
        const struct frame *frame = &message->frames[i];
        int rc = zmq_send(socket, frame->data, frame->size, i + 1 < message->count ? ZMQ_SNDMORE : 0);
        if (rc == -1 && i == 0 && zmq_errno() == EHOSTUNREACH)
            return 0;
        check(rc == (int) frame->size, "send");
    }
    return 1;
}

// The poll item of standard input, which is readable when this program must end.
static inline zmq_pollitem_t until_told(void)
{
    return (zmq_pollitem_t){.fd = STDIN_FILENO, .events = ZMQ_POLLIN};
}
