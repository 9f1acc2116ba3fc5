/* A bare PUB/SUB loop: clone SUBSCRIBERS UPDATES KEYS publishes updates of five frames over tcp, as a Clone server does, to so
   many subscribers in threads, and prints how many a second the slowest one received. The publisher is never more than WINDOW
   updates ahead of it, so that none is dropped. Without arguments it prints the library. */

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <time.h>
#include "common.h"

#define WINDOW 1000
#define BODY 100

static void *context;
static char endpoint[256];
static long updates;
static atomic_long *received;

static double now (void)
{
    struct timespec time;
    clock_gettime (CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

static void *subscribe (void *argument)
{
    atomic_long *count = argument;
    void *socket = opened (context, ZMQ_SUB);
    int unlimited = 0;
    check (zmq_setsockopt (socket, ZMQ_RCVHWM, &unlimited, sizeof unlimited) == 0, "zmq_setsockopt");
    check (zmq_setsockopt (socket, ZMQ_SUBSCRIBE, "", 0) == 0, "zmq_setsockopt");
    check (zmq_connect (socket, endpoint) == 0, "zmq_connect");
    zmq_msg_t frame;
    zmq_msg_init (&frame);
    while (atomic_load (count) < updates) {
        do
            check (zmq_msg_recv (&frame, socket, 0) >= 0, "zmq_msg_recv");
        while (zmq_msg_more (&frame));
        atomic_fetch_add (count, 1);
    }
    zmq_msg_close (&frame);
    zmq_close (socket);
    return NULL;
}

static long slowest (int subscribers)
{
    long least = updates;
    for (int i = 0; i < subscribers; i++) {
        long count = atomic_load (&received[i]);
        if (count < least)
            least = count;
    }
    return least;
}

static void publish (void *socket, long number, long keys)
{
    char key[32], body[BODY] = {0};
    uint64_t sequence = (uint64_t) number;
    int length = snprintf (key, sizeof key, "/key/%ld", number % keys);
    check (zmq_send (socket, key, length, ZMQ_SNDMORE) >= 0, "zmq_send");
    check (zmq_send (socket, &sequence, 8, ZMQ_SNDMORE) >= 0, "zmq_send");
    check (zmq_send (socket, "", 0, ZMQ_SNDMORE) >= 0, "zmq_send");
    check (zmq_send (socket, "", 0, ZMQ_SNDMORE) >= 0, "zmq_send");
    check (zmq_send (socket, body, BODY, 0) >= 0, "zmq_send");
}

int main (int argc, char **argv)
{
    if (argc == 1) {
        print_library ();
        return 0;
    }
    check (argc == 4, "clone SUBSCRIBERS UPDATES KEYS");
    int subscribers = atoi (argv[1]);
    updates = atol (argv[2]);
    long keys = atol (argv[3]);
    received = calloc (subscribers, sizeof *received);
    context = zmq_ctx_new ();
    void *publisher = opened (context, ZMQ_XPUB);
    int unlimited = 0, verbose = 1;
    check (zmq_setsockopt (publisher, ZMQ_SNDHWM, &unlimited, sizeof unlimited) == 0, "zmq_setsockopt");
    check (zmq_setsockopt (publisher, ZMQ_XPUB_VERBOSE, &verbose, sizeof verbose) == 0, "zmq_setsockopt");
    check (zmq_bind (publisher, "tcp://127.0.0.1:*") == 0, "zmq_bind");
    size_t size = sizeof endpoint;
    check (zmq_getsockopt (publisher, ZMQ_LAST_ENDPOINT, endpoint, &size) == 0, "zmq_getsockopt");

    pthread_t *threads = calloc (subscribers, sizeof *threads);
    for (int i = 0; i < subscribers; i++)
        check (pthread_create (&threads[i], NULL, subscribe, &received[i]) == 0, "pthread_create");
    for (int i = 0; i < subscribers; i++) {
        char subscription[8];
        check (zmq_recv (publisher, subscription, sizeof subscription, 0) > 0, "zmq_recv");
    }
    double start = now ();
    long least = 0;
    for (long number = 0; number < updates; number++) {
        while (number - least >= WINDOW) {
            least = slowest (subscribers);
            if (number - least >= WINDOW)
                sched_yield ();
        }
        publish (publisher, number, keys);
    }
    for (int i = 0; i < subscribers; i++)
        check (pthread_join (threads[i], NULL) == 0, "pthread_join");
    printf ("%f\n", updates / (now () - start));
    zmq_close (publisher);
    zmq_ctx_term (context);
    return 0;
}
