/* A native peer of a draft kind: opens one socket and takes the steps that its arguments name.
 *
 *     draft_peer KIND STEP...
 *
 *     bind:ENDPOINT     prints "bound" and the resolved endpoint
 *     connect:ENDPOINT  PEER connects by zmq_connect_peer, and sends to that peer
 *     join:GROUP
 *     group:GROUP       the group of all messages sent from now on
 *     to:ADDRESS        the address that datagrams go to from now on
 *     sync              sends "sync" again and again until a line arrives on standard input
 *     await             receives until it is "sync", says so, and leaves its repetitions out from then on
 *     send              sends one message of each size
 *     take              receives as many, prints the size of each, and fails if the content is wrong
 *     echo              receives as many and sends each back to where it came from
 *
 * Byte i of a message of n bytes is n + 7 i.
 */
#include <zmq.h>

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DEADLINE_S = 60, REPEAT_MS = 10, MAX_SIZE = 65536 };

static const size_t sizes[] = {0, 1, 29, 33, 34, 255, 256, 7000, MAX_SIZE};
/* The sizes that fit a datagram with the longest group. */
static const size_t datagram_sizes[] = {0, 1, 29, 33, 34, 255, 256, 7000};

static void *sock;
static int kind;
static const char *group;
static const char *address;
static uint32_t peer;
static int awaited;
static int datagrams;

static _Noreturn void fail (const char *format, ...)
{
    va_list args;
    va_start (args, format);
    fputs ("draft_peer: ", stderr);
    vfprintf (stderr, format, args);
    fputc ('\n', stderr);
    va_end (args);
    exit (1);
}

static int check (int rc, const char *call)
{
    if (rc == -1)
        fail ("%s: %s", call, zmq_strerror (errno));
    return rc;
}

static unsigned char byte_of (size_t size, size_t i)
{
    return (unsigned char) (size + 7 * i);
}

static void new_message (zmq_msg_t *msg, size_t size)
{
    check (zmq_msg_init_size (msg, size), "zmq_msg_init_size");
    unsigned char *data = zmq_msg_data (msg);
    for (size_t i = 0; i < size; i++)
        data[i] = byte_of (size, i);
}

/* Sends a message to the peer, group or address that the steps before have named. */
static void send_message (zmq_msg_t *msg)
{
    if (kind == ZMQ_RADIO)
        check (zmq_msg_set_group (msg, group), "zmq_msg_set_group");
    if (kind == ZMQ_SERVER || kind == ZMQ_PEER)
        check (zmq_msg_set_routing_id (msg, peer), "zmq_msg_set_routing_id");
    if (kind == ZMQ_DGRAM && zmq_send (sock, address, strlen (address), ZMQ_SNDMORE) == -1)
        fail ("zmq_send: %s", zmq_strerror (errno));
    check (zmq_msg_send (msg, sock, 0), "zmq_msg_send");
}

static int is_sync (zmq_msg_t *msg)
{
    return zmq_msg_size (msg) == 4 && memcmp (zmq_msg_data (msg), "sync", 4) == 0;
}

/* Receives a message, and keeps where it came from. */
static void receive (zmq_msg_t *msg)
{
    static char from[64];
    do {
        check (zmq_msg_recv (msg, sock, 0), "zmq_msg_recv");
        if (kind == ZMQ_DGRAM) {
            if (!zmq_msg_more (msg) || zmq_msg_size (msg) >= sizeof from)
                fail ("no address");
            memcpy (from, zmq_msg_data (msg), zmq_msg_size (msg));
            from[zmq_msg_size (msg)] = 0;
            address = from;
            check (zmq_msg_recv (msg, sock, 0), "zmq_msg_recv");
        }
        if (zmq_msg_more (msg))
            fail ("a message of several parts");
    } while (awaited && is_sync (msg));
    if (kind == ZMQ_DISH && strcmp (zmq_msg_group (msg), group) != 0)
        fail ("group %s", zmq_msg_group (msg));
    if (kind == ZMQ_SERVER || kind == ZMQ_PEER) {
        peer = zmq_msg_routing_id (msg);
        if (peer == 0)
            fail ("no routing id");
    }
}

static void print_size (zmq_msg_t *msg, size_t expected)
{
    size_t size = zmq_msg_size (msg);
    unsigned char *data = zmq_msg_data (msg);
    if (size != expected)
        fail ("%zu instead of %zu bytes", size, expected);
    for (size_t i = 0; i < size; i++)
        if (data[i] != byte_of (size, i))
            fail ("byte %zu of %zu is wrong", i, size);
    printf ("%zu\n", size);
}

static void each_size (void (*step) (size_t size))
{
    const size_t *all = datagrams ? datagram_sizes : sizes;
    size_t count = datagrams ? sizeof datagram_sizes / sizeof *datagram_sizes : sizeof sizes / sizeof *sizes;
    for (size_t i = 0; i < count; i++)
        step (all[i]);
}

static void send_one (size_t size)
{
    zmq_msg_t msg;
    new_message (&msg, size);
    send_message (&msg);
}

static void take_one (size_t size)
{
    zmq_msg_t msg;
    zmq_msg_init (&msg);
    receive (&msg);
    print_size (&msg, size);
    zmq_msg_close (&msg);
}

static void echo_one (size_t size)
{
    zmq_msg_t msg;
    zmq_msg_init (&msg);
    receive (&msg);
    print_size (&msg, size);
    send_message (&msg);
}

static void sync_until_told (void)
{
    struct pollfd told = {STDIN_FILENO, POLLIN, 0};
    /* EINTR does not end the loop. */
    while (poll (&told, 1, REPEAT_MS) <= 0) {
        zmq_msg_t msg;
        check (zmq_msg_init_buffer (&msg, "sync", 4), "zmq_msg_init_buffer");
        send_message (&msg);
    }
}

static void await_sync (void)
{
    zmq_msg_t msg;
    zmq_msg_init (&msg);
    do
        receive (&msg);
    while (!is_sync (&msg));
    zmq_msg_close (&msg);
    awaited = 1;
    puts ("synced");
}

static void bind_to (const char *endpoint)
{
    char resolved[256] = "";
    size_t size = sizeof resolved;
    check (zmq_bind (sock, endpoint), "zmq_bind");
    check (zmq_getsockopt (sock, ZMQ_LAST_ENDPOINT, resolved, &size), "zmq_getsockopt");
    printf ("bound %s\n", resolved);
}

static void connect_to (const char *endpoint)
{
    if (kind != ZMQ_PEER) {
        check (zmq_connect (sock, endpoint), "zmq_connect");
        return;
    }
    peer = zmq_connect_peer (sock, endpoint);
    if (peer == 0)
        fail ("zmq_connect_peer: %s", zmq_strerror (errno));
}

static int kind_named (const char *name)
{
    static const struct {
        const char *name;
        int kind;
    } kinds[] = {{"SERVER", ZMQ_SERVER},   {"CLIENT", ZMQ_CLIENT}, {"RADIO", ZMQ_RADIO},
                 {"DISH", ZMQ_DISH},       {"GATHER", ZMQ_GATHER}, {"SCATTER", ZMQ_SCATTER},
                 {"DGRAM", ZMQ_DGRAM},     {"PEER", ZMQ_PEER},     {"CHANNEL", ZMQ_CHANNEL}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp (kinds[i].name, name) == 0)
            return kinds[i].kind;
    fail ("no such kind: %s", name);
}

/* The text after the colon of a step of that name. */
static const char *argument (const char *step, const char *name)
{
    size_t length = strlen (name);
    return strncmp (step, name, length) == 0 && step[length] == ':' ? step + length + 1 : NULL;
}

int main (int argc, char **argv)
{
    if (argc < 2)
        fail ("which kind?");
    alarm (DEADLINE_S);
    setvbuf (stdout, NULL, _IOLBF, 0);
    void *context = zmq_ctx_new ();
    kind = kind_named (argv[1]);
    sock = zmq_socket (context, kind);
    if (!sock)
        fail ("zmq_socket: %s", zmq_strerror (errno));
    for (int i = 2; i < argc; i++) {
        const char *text;
        datagrams |= strstr (argv[i], "udp://") != NULL;
        if ((text = argument (argv[i], "bind")))
            bind_to (text);
        else if ((text = argument (argv[i], "connect")))
            connect_to (text);
        else if ((text = argument (argv[i], "join"))) {
            group = text;
            check (zmq_join (sock, text), "zmq_join");
        } else if ((text = argument (argv[i], "group")))
            group = text;
        else if ((text = argument (argv[i], "to")))
            address = text;
        else if (strcmp (argv[i], "sync") == 0)
            sync_until_told ();
        else if (strcmp (argv[i], "await") == 0)
            await_sync ();
        else if (strcmp (argv[i], "send") == 0)
            each_size (send_one);
        else if (strcmp (argv[i], "take") == 0)
            each_size (take_one);
        else if (strcmp (argv[i], "echo") == 0)
            each_size (echo_one);
        else
            fail ("no such step: %s", argv[i]);
    }
    /* Waits until everything is sent. */
    check (zmq_close (sock), "zmq_close");
    check (zmq_ctx_term (context), "zmq_ctx_term");
    puts ("done");
    return 0;
}
