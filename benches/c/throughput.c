/* throughput MODE TRANSPORT SIZE COUNT: what libzmq's own performance programs measure, in two threads of one process.
 * MODE latency: COUNT round trips; MODE throughput: COUNT messages one way. Prints the nanoseconds it took. */

#define _POSIX_C_SOURCE 200809L
#include <pthread.h>
#include <time.h>

#include "common.h"

static void *context;
static char endpoint[256];
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

static void put (void *socket, const char *content)
{
    check (zmq_send (socket, content, size, 0) >= 0, "zmq_send");
}

static void take (void *socket, char *buffer)
{
    check (zmq_recv (socket, buffer, size, 0) == (int) size, "zmq_recv");
}

/* The first message says that the connection stands; the clock runs from there. */
static void *pusher (void *unused)
{
    void *socket = connected (context, ZMQ_PUSH, endpoint);
    char *content = buffer_of (size);
    for (long i = 0; i <= count; i++)
        put (socket, content);
    free (content);
    zmq_close (socket);
    return unused;
}

static void *replier (void *unused)
{
    void *socket = connected (context, ZMQ_REP, endpoint);
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
    const char *address = strcmp (argv[2], "inproc") == 0 ? "inproc://bench" : "tcp://127.0.0.1:*";
    size = strtoul (argv[3], NULL, 10);
    count = strtol (argv[4], NULL, 10);

    context = zmq_ctx_new ();
    void *socket = bound (context, latency ? ZMQ_REQ : ZMQ_PULL, address);
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
