/* throughput MODE TRANSPORT SIZE COUNT: measures as libzmq's own performance programs do, in two threads of one process.
 * MODE latency: COUNT round trips; MODE throughput: COUNT messages one way; MODE vec or owner: the same with new memory that is
 * handed over for each message. TRANSPORT inproc, tcp, or curve, which is tcp with CURVE. Prints the nanoseconds of the run. */

#define _POSIX_C_SOURCE 200809L
#include <pthread.h>
#include <time.h>

#include "common.h"

static void *context;
static char endpoint[256];
static char server_public[41], server_secret[41];
static int curve, handed_over;
static size_t size;
static long count;

static long long now (void)
{
    struct timespec time;
    clock_gettime (CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static char *buffer_of (size_t bytes)
{
    char *buffer = calloc (1, bytes);
    check (buffer != NULL, "calloc");
    return buffer;
}

/* Gives a socket its keys if TRANSPORT is curve. The one that binds is the server. */
static void secure (void *socket, int server)
{
    char public[41], secret[41];
    if (!curve)
        return;
    if (server) {
        check (zmq_setsockopt (socket, ZMQ_CURVE_SERVER, &server, sizeof server) == 0, "ZMQ_CURVE_SERVER");
        check (zmq_setsockopt (socket, ZMQ_CURVE_SECRETKEY, server_secret, 40) == 0, "ZMQ_CURVE_SECRETKEY");
    } else {
        check (zmq_curve_keypair (public, secret) == 0, "zmq_curve_keypair");
        check (zmq_setsockopt (socket, ZMQ_CURVE_SERVERKEY, server_public, 40) == 0, "ZMQ_CURVE_SERVERKEY");
        check (zmq_setsockopt (socket, ZMQ_CURVE_PUBLICKEY, public, 40) == 0, "ZMQ_CURVE_PUBLICKEY");
        check (zmq_setsockopt (socket, ZMQ_CURVE_SECRETKEY, secret, 40) == 0, "ZMQ_CURVE_SECRETKEY");
    }
}

static void *client (int type)
{
    void *socket = opened (context, type);
    secure (socket, 0);
    check (zmq_connect (socket, endpoint) == 0, "zmq_connect");
    return socket;
}

static void put (void *socket, const char *content)
{
    check (zmq_send (socket, content, size, 0) >= 0, "zmq_send");
}

static void free_content (void *data, void *hint)
{
    (void) hint;
    free (data);
}

static void hand_over (void *socket)
{
    zmq_msg_t message;
    check (zmq_msg_init_data (&message, buffer_of (size), size, free_content, NULL) == 0, "zmq_msg_init_data");
    check (zmq_msg_send (&message, socket, 0) >= 0, "zmq_msg_send");
}

static void take (void *socket, char *buffer)
{
    check (zmq_recv (socket, buffer, size, 0) == (int) size, "zmq_recv");
}

/* Sends COUNT messages, and a first one with which the receiver waits for the connection before it starts the clock. */
static void *pusher (void *unused)
{
    void *socket = client (ZMQ_PUSH);
    char *content = buffer_of (size);
    for (long i = 0; i <= count; i++) {
        if (handed_over)
            hand_over (socket);
        else
            put (socket, content);
    }
    free (content);
    zmq_close (socket);
    return unused;
}

static void *replier (void *unused)
{
    void *socket = client (ZMQ_REP);
    char *buffer = buffer_of (size);
    for (long i = 0; i <= count; i++) {
        take (socket, buffer);
        put (socket, buffer);
    }
    free (buffer);
    zmq_close (socket);
    return unused;
}

int main (int argc, char **argv)
{
    if (argc != 5) {
        print_library ();
        return 0;
    }
    const int latency = strcmp (argv[1], "latency") == 0;
    handed_over = strcmp (argv[1], "vec") == 0 || strcmp (argv[1], "owner") == 0;
    curve = strcmp (argv[2], "curve") == 0;
    const char *address = strcmp (argv[2], "inproc") == 0 ? "inproc://bench" : "tcp://127.0.0.1:*";
    size = strtoul (argv[3], NULL, 10);
    count = strtol (argv[4], NULL, 10);

    context = zmq_ctx_new ();
    void *socket = opened (context, latency ? ZMQ_REQ : ZMQ_PULL);
    if (curve)
        check (zmq_curve_keypair (server_public, server_secret) == 0, "zmq_curve_keypair");
    secure (socket, 1);
    check (zmq_bind (socket, address) == 0, "zmq_bind");
    size_t length = sizeof endpoint;
    check (zmq_getsockopt (socket, ZMQ_LAST_ENDPOINT, endpoint, &length) == 0, "zmq_getsockopt");
    char *buffer = buffer_of (size);

    pthread_t peer;
    check (pthread_create (&peer, NULL, latency ? replier : pusher, NULL) == 0, "pthread_create");
    long long start = 0;
    for (long i = 0; i <= count; i++) {
        if (latency)
            put (socket, buffer);
        take (socket, buffer);
        if (i == 0)
            start = now ();
    }
    printf ("%lld\n", now () - start);

    pthread_join (peer, NULL);
    free (buffer);
    zmq_close (socket);
    zmq_ctx_term (context);
    return 0;
}
