/* patches KIND TRANSPORT PEERS COUNT: sends COUNT messages by a PUB, XPUB, ROUTER or PUSH. Prints the nanoseconds of a send
 * and the percentage of messages that the reading peer has received. The benchmark counts the instructions of `send_batch`, and
 * its system calls, which are those between two of `getppid`. */

#include <time.h>
#include <unistd.h>

#include "common.h"

enum { SIZE = 100, BATCH = 100, FILL = 2000, BUFFER = 4096 };

/* A peer that never reads, and one that reads after each batch. NULL if there is none. */
static void *socket, *stuck, *reading;
static int is_router, is_alternating;
static const char content[SIZE];

static void set (void *of, int option, int value)
{
    check (zmq_setsockopt (of, option, &value, sizeof value) == 0, "zmq_setsockopt");
}

static const char *id_of (void *peer)
{
    return peer == stuck ? "stuck" : "reading";
}

static void send_to (void *peer)
{
    if (is_router) {
        const char *id = id_of (peer);
        check (zmq_send (socket, id, strlen (id), ZMQ_SNDMORE) >= 0, "zmq_send");
    }
    const int sent = zmq_send (socket, content, SIZE, ZMQ_DONTWAIT);
    check (sent >= 0 || zmq_errno () == EAGAIN, "zmq_send");
}

__attribute__ ((noinline)) void send_batch (void)
{
    for (long i = 0; i < BATCH; i++)
        send_to (is_alternating && i % 2 ? stuck : reading ? reading : stuck);
}

static int receives (void *peer, int wait)
{
    char buffer[SIZE];
    zmq_pollitem_t item = {peer, 0, ZMQ_POLLIN, 0};
    return zmq_poll (&item, 1, wait) > 0 && zmq_recv (peer, buffer, SIZE, ZMQ_DONTWAIT) == SIZE;
}

/* Connects a peer and waits until messages arrive. */
static void *new_peer (void *context, int type, const char *endpoint, const char *id)
{
    void *peer = opened (context, type);
    set (peer, ZMQ_RCVHWM, BATCH);
    set (peer, ZMQ_RCVBUF, BUFFER);
    if (type == ZMQ_SUB)
        check (zmq_setsockopt (peer, ZMQ_SUBSCRIBE, "", 0) == 0, "ZMQ_SUBSCRIBE");
    if (type == ZMQ_DEALER)
        check (zmq_setsockopt (peer, ZMQ_ROUTING_ID, id, strlen (id)) == 0, "ZMQ_ROUTING_ID");
    check (zmq_connect (peer, endpoint) == 0, "zmq_connect");
    return peer;
}

static double now (void)
{
    struct timespec time;
    clock_gettime (CLOCK_THREAD_CPUTIME_ID, &time);
    return time.tv_sec * 1e9 + time.tv_nsec;
}

int main (int argc, char **argv)
{
    if (argc != 5) {
        print_library ();
        return 0;
    }
    const char *kinds[] = {"PUB", "XPUB", "ROUTER", "PUSH"};
    const int types[] = {ZMQ_PUB, ZMQ_XPUB, ZMQ_ROUTER, ZMQ_PUSH};
    const int peers[] = {ZMQ_SUB, ZMQ_SUB, ZMQ_DEALER, ZMQ_PULL};
    int kind = 0;
    while (strcmp (kinds[kind], argv[1]) != 0)
        kind++;
    is_router = types[kind] == ZMQ_ROUTER;
    const long count = strtol (argv[4], NULL, 10);

    void *context = zmq_ctx_new ();
    socket = opened (context, types[kind]);
    set (socket, ZMQ_LINGER, 0);
    set (socket, ZMQ_SNDHWM, BATCH);
    set (socket, ZMQ_SNDBUF, BUFFER);
    check (zmq_bind (socket, strcmp (argv[2], "tcp") == 0 ? "tcp://127.0.0.1:*" : "inproc://name") == 0, "zmq_bind");
    char endpoint[64];
    size_t size = sizeof endpoint;
    check (zmq_getsockopt (socket, ZMQ_LAST_ENDPOINT, endpoint, &size) == 0, "ZMQ_LAST_ENDPOINT");

    if (strcmp (argv[3], "none") != 0) {
        stuck = new_peer (context, peers[kind], endpoint, "stuck");
        do
            send_to (stuck);
        while (!receives (stuck, 10));
        /* Messages wait in the socket, in the kernel and in the peer. */
        for (long i = 0; i < FILL; i++) {
            send_to (stuck);
            if (i % BATCH == 0)
                usleep (10000);
        }
    }
    if (strcmp (argv[3], "full and reading") == 0) {
        reading = new_peer (context, peers[kind], endpoint, "reading");
        do
            send_to (reading);
        while (!receives (reading, 10));
        while (receives (reading, 10))
            ;
    }

    is_alternating = is_router && reading;
    long received = 0;
    double time = 0;
    for (long sent = 0; sent < count; sent += BATCH) {
        const double start = now ();
        getppid ();
        send_batch ();
        getppid ();
        time += now () - start;
        /* If all messages arrive, the next batch follows at once. */
        const long expected = is_alternating ? BATCH / 2 : BATCH;
        for (long i = 0; reading && i < expected && receives (reading, 2); i++)
            received++;
    }
    printf ("%.1f %.1f\n", time / count, 100.0 * received / (is_alternating ? count / 2 : count));

    if (stuck)
        zmq_close (stuck);
    if (reading)
        zmq_close (reading);
    zmq_close (socket);
    zmq_ctx_term (context);
    return 0;
}
