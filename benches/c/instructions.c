/* instructions PATH SIZE COUNT: sends and receives COUNT messages of SIZE bytes in one thread, over a PAIR on inproc. */

#include <stdatomic.h>

#include "common.h"

enum { BATCH = 100 };
/* The parts of a message in the row of parts. */
enum { PARTS = 4 };

static void *left, *right;
static char *content, *buffer;
static size_t size;
/* Keeps the shared content alive, as the reference count of an Arc does. */
static atomic_size_t references = 1;

static void send_buffer (void)
{
    check (zmq_send (left, content, size, 0) >= 0, "zmq_send");
}

static void recv_buffer (void)
{
    check (zmq_recv (right, buffer, size, 0) >= 0, "zmq_recv");
}

static void send_message (void)
{
    zmq_msg_t message;
    check (zmq_msg_init_size (&message, size) == 0, "zmq_msg_init_size");
    memcpy (zmq_msg_data (&message), content, size);
    check (zmq_msg_send (&message, left, 0) >= 0, "zmq_msg_send");
}

static void recv_message (void)
{
    zmq_msg_t message;
    zmq_msg_init (&message);
    check (zmq_msg_recv (&message, right, 0) >= 0, "zmq_msg_recv");
    zmq_msg_close (&message);
}

static void free_owned (void *data, void *hint)
{
    (void) hint;
    free (data);
}

static void send_owned (void)
{
    zmq_msg_t message;
    void *owned = calloc (1, size);
    check (owned != NULL, "calloc");
    check (zmq_msg_init_data (&message, owned, size, free_owned, NULL) == 0, "zmq_msg_init_data");
    check (zmq_msg_send (&message, left, 0) >= 0, "zmq_msg_send");
}

static void release_shared (void *data, void *hint)
{
    (void) data;
    atomic_fetch_sub_explicit ((atomic_size_t *) hint, 1, memory_order_release);
}

static void send_shared (void)
{
    zmq_msg_t message;
    atomic_fetch_add_explicit (&references, 1, memory_order_relaxed);
    check (zmq_msg_init_data (&message, content, size, release_shared, &references) == 0, "zmq_msg_init_data");
    check (zmq_msg_send (&message, left, 0) >= 0, "zmq_msg_send");
}

/* A message of parts, each a copy in a message of its own. */
static void send_parts (void)
{
    for (int part = 1; part <= PARTS; part++) {
        zmq_msg_t message;
        check (zmq_msg_init_size (&message, size) == 0, "zmq_msg_init_size");
        memcpy (zmq_msg_data (&message), content, size);
        check (zmq_msg_send (&message, left, part < PARTS ? ZMQ_SNDMORE : 0) >= 0, "zmq_msg_send");
    }
}

/* Receives a whole message, as recv_multipart does: all parts are there before the first one is closed. */
static int recv_whole (zmq_msg_t *parts)
{
    int count = 0, more = 1;
    while (more && count < PARTS) {
        zmq_msg_init (&parts[count]);
        check (zmq_msg_recv (&parts[count], right, 0) >= 0, "zmq_msg_recv");
        more = zmq_msg_more (&parts[count++]);
    }
    return count;
}

static void recv_parts (void)
{
    zmq_msg_t parts[PARTS];
    const int count = recv_whole (parts);
    for (int part = 0; part < count; part++)
        zmq_msg_close (&parts[part]);
}

/* Sends the parts of the last message on, and receives them. */
static void send_on (void)
{
    static zmq_msg_t parts[PARTS];
    static int count;
    if (count == 0) {
        send_parts ();
        count = recv_whole (parts);
    }
    for (int part = 0; part < count; part++)
        check (zmq_msg_send (&parts[part], left, part + 1 < count ? ZMQ_SNDMORE : 0) >= 0, "zmq_msg_send");
    count = recv_whole (parts);
}

#define ONE_BY_ONE(send, recv)                      \
    for (long i = 0; i < count; i++) {              \
        send ();                                    \
        recv ();                                    \
    }

#define IN_BATCHES(send, recv)                      \
    for (long i = 0; i < count; i += BATCH) {       \
        for (int sent = 0; sent < BATCH; sent++)    \
            send ();                                \
        for (int got = 0; got < BATCH; got++)       \
            recv ();                                \
    }

int main (int argc, char **argv)
{
    if (argc != 4) {
        print_library ();
        return 0;
    }
    const char *path = argv[1];
    size = strtoul (argv[2], NULL, 10);
    const long count = strtol (argv[3], NULL, 10);
    content = calloc (1, size);
    buffer = malloc (size);
    check (content && buffer, "malloc");

    void *context = zmq_ctx_new ();
    left = bound (context, ZMQ_PAIR, "inproc://pair");
    right = connected (context, ZMQ_PAIR, "inproc://pair");

    if (strcmp (path, "buffer") == 0) {
        ONE_BY_ONE (send_buffer, recv_buffer)
    } else if (strcmp (path, "buffer-batch") == 0) {
        IN_BATCHES (send_buffer, recv_buffer)
    } else if (strcmp (path, "message") == 0) {
        ONE_BY_ONE (send_message, recv_message)
    } else if (strcmp (path, "message-batch") == 0) {
        IN_BATCHES (send_message, recv_message)
    } else if (strcmp (path, "owned") == 0) {
        ONE_BY_ONE (send_owned, recv_message)
    } else if (strcmp (path, "parts") == 0) {
        ONE_BY_ONE (send_parts, recv_parts)
    } else if (strcmp (path, "parts-on") == 0) {
        for (long i = 0; i < count; i++)
            send_on ();
    } else if (strcmp (path, "shared") == 0) {
        ONE_BY_ONE (send_shared, recv_message)
    } else {
        fprintf (stderr, "no such path: %s\n", path);
        return 1;
    }

    zmq_close (left);
    zmq_close (right);
    zmq_ctx_term (context);
    free (content);
    free (buffer);
    return 0;
}
