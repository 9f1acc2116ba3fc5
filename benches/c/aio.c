/* aio MODE ENDPOINT SIZE COUNT: one side of a benchmark, with blocking calls.
 * pull and push: COUNT messages one way; req and rep: COUNT round trips; dealers and router: COUNT round trips of each of 1000
 * dealers; inproc: pull and push in two threads; inproc-req: req and rep in two threads; loop: pull and push in one thread, a
 * message at a time; wake: SIZE sockets in one thread, of which one gets a message, COUNT times. pull-many and push-many: 100
 * PUSHes in turn. push-copied, -shared and -owned send copies in messages, one content without a copy, and new memory that is
 * handed over; pull-message receives them as messages; inproc-copied and so on are both in two threads.
 * An endpoint of curve:// is one of tcp:// with CURVE.
 * The receiver of the last message prints the nanoseconds; req those of the trips at 50, 99 and 99.9 % too. A first message or
 * round trip is not timed. */

#define _POSIX_C_SOURCE 200809L
#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <time.h>

#include "common.h"

enum { DEALERS = 1000 };
/* The sockets of push-many. */
enum { PEERS = 100 };
/* The step from a socket to the next one that gets a message: uses are spread, and have the same order in each program. */
enum { STEP = 7919 };

static void *context;
static const char *endpoint;
static size_t size;
static long count;
static char *buffer;
/* The end of the mode's name: how content is sent. */
static const char *path = "";
/* Keeps the shared content alive, as the reference count of an Arc does. */
static atomic_size_t references = 1;

static long long now (void)
{
    struct timespec time;
    clock_gettime (CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

/* Makes the socket a server or a client of CURVE if the endpoint is one of it. Returns the address. */
static const char *secure (void *socket, int server, char *address)
{
    const char *curve = "curve://";
    if (strncmp (endpoint, curve, strlen (curve)) != 0)
        return endpoint;
    if (server) {
        const char *secret = "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6";
        check (zmq_setsockopt (socket, ZMQ_CURVE_SERVER, &server, sizeof server) == 0, "ZMQ_CURVE_SERVER");
        check (zmq_setsockopt (socket, ZMQ_CURVE_SECRETKEY, secret, 40) == 0, "ZMQ_CURVE_SECRETKEY");
    } else {
        const char *server_key = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7";
        const char *public = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID";
        const char *secret = "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs";
        check (zmq_setsockopt (socket, ZMQ_CURVE_SERVERKEY, server_key, 40) == 0, "ZMQ_CURVE_SERVERKEY");
        check (zmq_setsockopt (socket, ZMQ_CURVE_PUBLICKEY, public, 40) == 0, "ZMQ_CURVE_PUBLICKEY");
        check (zmq_setsockopt (socket, ZMQ_CURVE_SECRETKEY, secret, 40) == 0, "ZMQ_CURVE_SECRETKEY");
    }
    snprintf (address, 256, "tcp://%s", endpoint + strlen (curve));
    return address;
}

static void *server (int type)
{
    char address[256];
    void *socket = opened (context, type);
    check (zmq_bind (socket, secure (socket, 1, address)) == 0, "zmq_bind");
    return socket;
}

static void *client (int type)
{
    char address[256];
    void *socket = opened (context, type);
    check (zmq_connect (socket, secure (socket, 0, address)) == 0, "zmq_connect");
    return socket;
}

static void put (void *socket, const char *content, size_t bytes, int flags)
{
    check (zmq_send (socket, content, bytes, flags) >= 0, "zmq_send");
}

static void take (void *socket)
{
    check (zmq_recv (socket, buffer, size, 0) == (int) size, "zmq_recv");
}

static void take_message (void *socket)
{
    zmq_msg_t message;
    zmq_msg_init (&message);
    check (zmq_msg_recv (&message, socket, 0) == (int) size, "zmq_msg_recv");
    zmq_msg_close (&message);
}

static void free_owned (void *data, void *hint)
{
    (void) hint;
    free (data);
}

static void release_shared (void *data, void *hint)
{
    (void) data;
    atomic_fetch_sub_explicit ((atomic_size_t *) hint, 1, memory_order_release);
}

static void put_message (void *socket, char *content)
{
    zmq_msg_t message;
    if (strcmp (path, "-copied") == 0) {
        check (zmq_msg_init_size (&message, size) == 0, "zmq_msg_init_size");
        memcpy (zmq_msg_data (&message), content, size);
    } else if (strcmp (path, "-shared") == 0) {
        atomic_fetch_add_explicit (&references, 1, memory_order_relaxed);
        check (zmq_msg_init_data (&message, content, size, release_shared, &references) == 0, "zmq_msg_init_data");
    } else {
        void *owned = calloc (1, size);
        check (owned != NULL, "calloc");
        check (zmq_msg_init_data (&message, owned, size, free_owned, NULL) == 0, "zmq_msg_init_data");
    }
    check (zmq_msg_send (&message, socket, 0) >= 0, "zmq_msg_send");
}

/* Sends by the sockets in turn: to each a first message, and COUNT in all. */
static void *push (void *unused)
{
    const int many = strcmp (path, "-many") == 0;
    const int peers = many ? PEERS : 1;
    void *sockets[PEERS];
    for (int i = 0; i < peers; i++)
        sockets[i] = client (ZMQ_PUSH);
    char *content = calloc (1, size);
    check (content != NULL, "calloc");
    for (long i = 0; i < peers + count; i++) {
        if (*path == '\0' || many)
            put (sockets[i % peers], content, size, 0);
        else
            put_message (sockets[i % peers], content);
    }
    for (int i = 0; i < peers; i++)
        zmq_close (sockets[i]);
    /* The content is freed when no message has it any more. */
    while (atomic_load (&references) > 1)
        sched_yield ();
    free (content);
    return unused;
}

static void pull (void *socket)
{
    const int peers = strcmp (path, "-many") == 0 ? PEERS : 1;
    const int messages = *path != '\0' && peers == 1;
    long long start = 0;
    for (long i = 0; i < peers + count; i++) {
        if (messages)
            take_message (socket);
        else
            take (socket);
        if (i == peers - 1)
            start = now ();
    }
    printf ("%lld\n", now () - start);
    zmq_close (socket);
}

/* Sends and receives each message in one thread. */
static void to_itself (void)
{
    void *socket = server (ZMQ_PULL);
    void *peer = client (ZMQ_PUSH);
    long long start = 0;
    for (long i = 0; i <= count; i++) {
        put (peer, buffer, size, 0);
        take (socket);
        if (i == 0)
            start = now ();
    }
    printf ("%lld\n", now () - start);
    zmq_close (peer);
    zmq_close (socket);
}

static int compare (const void *left, const void *right)
{
    const long long a = *(const long long *) left, b = *(const long long *) right;
    return (a > b) - (a < b);
}

static void req (void)
{
    void *socket = client (ZMQ_REQ);
    long long *trips = calloc ((size_t) count, sizeof *trips);
    check (trips != NULL, "calloc");
    long long start = 0, before = 0;
    for (long i = 0; i <= count; i++) {
        put (socket, buffer, size, 0);
        take (socket);
        const long long after = now ();
        if (i == 0)
            start = after;
        else
            trips[i - 1] = after - before;
        before = after;
    }
    qsort (trips, (size_t) count, sizeof *trips, compare);
    printf ("%lld %lld %lld %lld\n", before - start, trips[count / 2], trips[count * 99 / 100],
            trips[count * 999 / 1000]);
    free (trips);
    zmq_close (socket);
}

static void *rep (void *unused)
{
    void *socket = server (ZMQ_REP);
    char *content = calloc (1, size);
    check (content != NULL, "calloc");
    for (long i = 0; i <= count; i++) {
        check (zmq_recv (socket, content, size, 0) == (int) size, "zmq_recv");
        put (socket, content, size, 0);
    }
    free (content);
    zmq_close (socket);
    return unused;
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

    if (strchr (mode, '-') != NULL)
        path = strchr (mode, '-');
    if (strncmp (mode, "push", 4) == 0) {
        push (NULL);
    } else if (strncmp (mode, "pull", 4) == 0) {
        pull (server (ZMQ_PULL));
    } else if (strcmp (mode, "loop") == 0) {
        to_itself ();
    } else if (strcmp (mode, "req") == 0) {
        req ();
    } else if (strcmp (mode, "rep") == 0) {
        rep (NULL);
    } else if (strcmp (mode, "inproc-req") == 0) {
        pthread_t peer;
        check (pthread_create (&peer, NULL, rep, NULL) == 0, "pthread_create");
        req ();
        pthread_join (peer, NULL);
    } else if (strcmp (mode, "router") == 0) {
        router ();
    } else if (strcmp (mode, "dealers") == 0) {
        dealers ();
    } else if (strcmp (mode, "wake") == 0) {
        wake ();
    } else if (strncmp (mode, "inproc", 6) == 0) {
        void *socket = server (ZMQ_PULL);
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
