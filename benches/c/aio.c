/* aio MODE ENDPOINT SIZE COUNT: one side of a benchmark, with blocking calls.
 * pull and push: COUNT messages one way; req and rep: COUNT round trips; dealers and router: COUNT round trips of each of 1000
 * dealers; inproc: pull and push in two threads; wake: SIZE sockets in one thread, of which one gets a message, COUNT times.
 * The receiver of the last message prints the nanoseconds. A first message or round trip is not timed. */

#define _POSIX_C_SOURCE 200809L
#include <pthread.h>
#include <sys/resource.h>
#include <time.h>

#include "common.h"

enum { DEALERS = 1000 };
/* The step from a socket to the next one that gets a message: uses are spread, and have the same order in each program. */
enum { STEP = 7919 };

static void *context;
static const char *endpoint;
static size_t size;
static long count;
static char *buffer;

static long long now (void)
{
    struct timespec time;
    clock_gettime (CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void put (void *socket, const char *content, size_t bytes, int flags)
{
    check (zmq_send (socket, content, bytes, flags) >= 0, "zmq_send");
}

static void take (void *socket)
{
    check (zmq_recv (socket, buffer, size, 0) == (int) size, "zmq_recv");
}

static void *push (void *unused)
{
    void *socket = connected (context, ZMQ_PUSH, endpoint);
    char *content = calloc (1, size);
    for (long i = 0; i <= count; i++)
        put (socket, content, size, 0);
    free (content);
    zmq_close (socket);
    return unused;
}

static void pull (void *socket)
{
    long long start = 0;
    for (long i = 0; i <= count; i++) {
        take (socket);
        if (i == 0)
            start = now ();
    }
    printf ("%lld\n", now () - start);
    zmq_close (socket);
}

static void req (void)
{
    void *socket = connected (context, ZMQ_REQ, endpoint);
    long long start = 0;
    for (long i = 0; i <= count; i++) {
        put (socket, buffer, size, 0);
        take (socket);
        if (i == 0)
            start = now ();
    }
    printf ("%lld\n", now () - start);
    zmq_close (socket);
}

static void rep (void)
{
    void *socket = bound (context, ZMQ_REP, endpoint);
    for (long i = 0; i <= count; i++) {
        take (socket);
        put (socket, buffer, size, 0);
    }
    zmq_close (socket);
}

static void router (void)
{
    void *socket = opened (context, ZMQ_ROUTER);
    int backlog = 2 * DEALERS;
    zmq_setsockopt (socket, ZMQ_BACKLOG, &backlog, sizeof backlog);
    check (zmq_bind (socket, endpoint) == 0, "zmq_bind");
    char id[256];
    for (long i = 0; i < (count + 1) * DEALERS; i++) {
        int length = zmq_recv (socket, id, sizeof id, 0);
        check (length > 0, "zmq_recv");
        take (socket);
        put (socket, id, (size_t) length, ZMQ_SNDMORE);
        put (socket, buffer, size, 0);
    }
    zmq_close (socket);
}

static void trips (zmq_pollitem_t *items, long each)
{
    long left[DEALERS];
    for (int i = 0; i < DEALERS; i++) {
        left[i] = each;
        put (items[i].socket, buffer, size, 0);
    }
    for (long replies = 0; replies < each * DEALERS;) {
        check (zmq_poll (items, DEALERS, -1) > 0, "zmq_poll");
        for (int i = 0; i < DEALERS; i++) {
            if (!(items[i].revents & ZMQ_POLLIN))
                continue;
            take (items[i].socket);
            replies++;
            if (--left[i] > 0)
                put (items[i].socket, buffer, size, 0);
        }
    }
}

static void dealers (void)
{
    static zmq_pollitem_t items[DEALERS];
    for (int i = 0; i < DEALERS; i++) {
        items[i].socket = connected (context, ZMQ_DEALER, endpoint);
        items[i].events = ZMQ_POLLIN;
    }
    trips (items, 1);
    const long long start = now ();
    trips (items, count);
    printf ("%lld\n", now () - start);
    for (int i = 0; i < DEALERS; i++)
        zmq_close (items[i].socket);
}

static void wake (void)
{
    const size_t sockets = size;
    void **peers = calloc (sockets, sizeof *peers);
    zmq_pollitem_t *items = calloc (sockets, sizeof *items);
    check (peers && items, "calloc");
    for (size_t i = 0; i < sockets; i++) {
        char name[32];
        snprintf (name, sizeof name, "inproc://%zu", i);
        items[i].socket = bound (context, ZMQ_PULL, name);
        items[i].events = ZMQ_POLLIN;
        peers[i] = connected (context, ZMQ_PUSH, name);
    }
    size = 1;
    long long start = 0;
    for (long i = 0; i < count + count / 10; i++) {
        if (i == count / 10)
            start = now ();
        put (peers[(size_t) i * STEP % sockets], "x", 1, 0);
        check (zmq_poll (items, (int) sockets, -1) == 1, "zmq_poll");
        for (size_t item = 0; item < sockets; item++) {
            if (items[item].revents & ZMQ_POLLIN) {
                take (items[item].socket);
                break;
            }
        }
    }
    printf ("%lld\n", now () - start);
    for (size_t i = 0; i < sockets; i++) {
        zmq_close (items[i].socket);
        zmq_close (peers[i]);
    }
    free (peers);
    free (items);
}

int main (int argc, char **argv)
{
    if (argc != 5) {
        print_library ();
        return 0;
    }
    const char *mode = argv[1];
    endpoint = argv[2];
    size = strtoul (argv[3], NULL, 10);
    count = strtol (argv[4], NULL, 10);
    buffer = calloc (1, size);
    struct rlimit files;
    getrlimit (RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit (RLIMIT_NOFILE, &files);
    context = zmq_ctx_new ();
    check (zmq_ctx_set (context, ZMQ_MAX_SOCKETS, 2 * DEALERS + 1) == 0, "zmq_ctx_set");

    if (strcmp (mode, "push") == 0) {
        push (NULL);
    } else if (strcmp (mode, "pull") == 0) {
        pull (bound (context, ZMQ_PULL, endpoint));
    } else if (strcmp (mode, "req") == 0) {
        req ();
    } else if (strcmp (mode, "rep") == 0) {
        rep ();
    } else if (strcmp (mode, "router") == 0) {
        router ();
    } else if (strcmp (mode, "dealers") == 0) {
        dealers ();
    } else if (strcmp (mode, "wake") == 0) {
        wake ();
    } else if (strcmp (mode, "inproc") == 0) {
        void *socket = bound (context, ZMQ_PULL, endpoint);
        pthread_t peer;
        check (pthread_create (&peer, NULL, push, NULL) == 0, "pthread_create");
        pull (socket);
        pthread_join (peer, NULL);
    } else {
        fprintf (stderr, "%s: no such mode\n", mode);
        return 1;
    }
    zmq_ctx_term (context);
    free (buffer);
    return 0;
}
