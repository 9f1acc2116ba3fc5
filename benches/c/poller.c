/* poller MODE SOCKETS COUNT: sends to one of SOCKETS sockets, waits on all, and receives, COUNT times, in one thread over
 * PAIRs on inproc. MODE poll: zmq_poll; MODE poller: zmq_poller_wait, which is draft. Prints the nanoseconds of the run. */

#define _POSIX_C_SOURCE 200809L
#include <sys/resource.h>
#include <time.h>

#include "common.h"

/* The step from a socket to the next one that gets a message: uses are spread, and have the same order in each program. */
enum { STEP = 7919 };

static long long now (void)
{
    struct timespec time;
    clock_gettime (CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void take (void *socket)
{
    char buffer[8];
    check (zmq_recv (socket, buffer, sizeof buffer, 0) == 1, "zmq_recv");
}

int main (int argc, char **argv)
{
    if (argc != 4) {
        print_library ();
        return 0;
    }
    const size_t sockets = strtoul (argv[2], NULL, 10);
    const long count = strtol (argv[3], NULL, 10);
    struct rlimit files;
    getrlimit (RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit (RLIMIT_NOFILE, &files);

    void *context = zmq_ctx_new ();
    check (zmq_ctx_set (context, ZMQ_MAX_SOCKETS, (int) sockets * 2 + 1) == 0, "zmq_ctx_set");
    void **peers = calloc (sockets, sizeof *peers);
    zmq_pollitem_t *items = calloc (sockets, sizeof *items);
    check (peers && items, "calloc");
    for (size_t i = 0; i < sockets; i++) {
        char endpoint[32];
        snprintf (endpoint, sizeof endpoint, "inproc://%zu", i);
        items[i].socket = bound (context, ZMQ_PAIR, endpoint);
        items[i].events = ZMQ_POLLIN;
        peers[i] = connected (context, ZMQ_PAIR, endpoint);
    }

    long long start = 0;
    if (strcmp (argv[1], "poll") == 0) {
        for (long i = -count / 10; i < count; i++) {
            if (i == 0)
                start = now ();
            check (zmq_send (peers[(size_t) (i + count) * STEP % sockets], "x", 1, 0) == 1, "zmq_send");
            check (zmq_poll (items, (int) sockets, -1) == 1, "zmq_poll");
            for (size_t item = 0; item < sockets; item++) {
                if (items[item].revents & ZMQ_POLLIN) {
                    take (items[item].socket);
                    break;
                }
            }
        }
    } else {
#ifdef ZMQ_BUILD_DRAFT_API
        void *poller = zmq_poller_new ();
        for (size_t i = 0; i < sockets; i++)
            check (zmq_poller_add (poller, items[i].socket, NULL, ZMQ_POLLIN) == 0, "zmq_poller_add");
        for (long i = -count / 10; i < count; i++) {
            if (i == 0)
                start = now ();
            check (zmq_send (peers[(size_t) (i + count) * STEP % sockets], "x", 1, 0) == 1, "zmq_send");
            zmq_poller_event_t event;
            check (zmq_poller_wait (poller, &event, -1) == 0, "zmq_poller_wait");
            take (event.socket);
        }
        const long long taken = now () - start;
        zmq_poller_destroy (&poller);
        start = now () - taken;
#else
        fprintf (stderr, "zmq_poller is draft\n");
        return 1;
#endif
    }
    printf ("%lld\n", now () - start);

    for (size_t i = 0; i < sockets; i++) {
        zmq_close (items[i].socket);
        zmq_close (peers[i]);
    }
    zmq_ctx_term (context);
    free (peers);
    free (items);
    return 0;
}
