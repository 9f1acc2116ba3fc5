/* majordomo broker: a loop over a ROUTER, without heartbeats, checks and retries. Prints its endpoint. Services are numbers.
 * majordomo workers ENDPOINT COUNT: a worker for each of COUNT services, all on one ROUTER with a connection for each worker.
 * majordomo client ENDPOINT MODE SERVICES COUNT: MODE calls: one request after the other; MODE pipelined: all requests, then
 * all replies. Asks each service once, prints a line, waits for a line, and prints the nanoseconds of COUNT requests. */

#define _POSIX_C_SOURCE 200809L
#include <time.h>

#include "common.h"

#define SERVICES 1024
#define PEERS 4096
#define FRAMES 8
#define BODY 100

struct request
{
    zmq_msg_t client, body;
    struct request *next;
};

/* A service, with its worker and the requests that wait for it. */
struct service
{
    zmq_msg_t name, worker;
    int is_idle;
    struct request *first, *last;
};

static void *context;
static struct service services[SERVICES];
/* The service of each worker, by the number in its routing id. libzmq counts them up. */
static struct service *of_peer[PEERS];

static long long now (void)
{
    struct timespec time;
    clock_gettime (CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static int receive (void *socket, zmq_msg_t *frames)
{
    int count = 0;
    do {
        check (count < FRAMES, "too many frames");
        zmq_msg_init (&frames[count]);
        check (zmq_msg_recv (&frames[count], socket, 0) >= 0, "zmq_msg_recv");
    } while (zmq_msg_more (&frames[count++]));
    return count;
}

static void release (zmq_msg_t *frames, int count)
{
    for (int i = 0; i < count; i++)
        zmq_msg_close (&frames[i]);
}

static void put (void *socket, const void *frame, size_t size, int flags)
{
    check (zmq_send (socket, frame, size, flags) >= 0, "zmq_send");
}

/* Sends a frame, and leaves an empty one. */
static void put_frame (void *socket, zmq_msg_t *frame, int flags)
{
    check (zmq_msg_send (frame, socket, flags) >= 0, "zmq_msg_send");
}

/* Sends a copy of a frame that is kept. The content is shared. */
static void put_copy (void *socket, zmq_msg_t *frame, int flags)
{
    zmq_msg_t copy;
    zmq_msg_init (&copy);
    zmq_msg_copy (&copy, frame);
    put_frame (socket, &copy, flags);
}

static struct service *service_of (zmq_msg_t *name)
{
    char text[16] = {0};
    memcpy (text, zmq_msg_data (name), zmq_msg_size (name) < 15 ? zmq_msg_size (name) : 15);
    return &services[strtoul (text, NULL, 10) % SERVICES];
}

static struct service **peer (zmq_msg_t *id)
{
    /* A zero byte, and the number with its lowest byte last. */
    const unsigned char *bytes = zmq_msg_data (id);
    return &of_peer[(bytes[3] << 8 | bytes[4]) % PEERS];
}

static void give (void *router, struct service *service, zmq_msg_t *client, zmq_msg_t *body)
{
    service->is_idle = 0;
    put_copy (router, &service->worker, ZMQ_SNDMORE);
    put (router, "", 0, ZMQ_SNDMORE);
    put (router, "MDPW01", 6, ZMQ_SNDMORE);
    put (router, "\x02", 1, ZMQ_SNDMORE);
    put_frame (router, client, ZMQ_SNDMORE);
    put (router, "", 0, ZMQ_SNDMORE);
    put_frame (router, body, 0);
}

/* The worker of a service is idle. */
static void employ (void *router, struct service *service)
{
    struct request *request = service->first;
    service->is_idle = 1;
    if (!request)
        return;
    service->first = request->next;
    give (router, service, &request->client, &request->body);
    free (request);
}

static void on_request (void *router, zmq_msg_t *frames)
{
    struct service *service = service_of (&frames[3]);
    if (service->is_idle) {
        give (router, service, &frames[0], &frames[4]);
        return;
    }
    struct request *request = malloc (sizeof *request);
    check (request != NULL, "malloc");
    zmq_msg_init (&request->client);
    zmq_msg_init (&request->body);
    zmq_msg_move (&request->client, &frames[0]);
    zmq_msg_move (&request->body, &frames[4]);
    request->next = NULL;
    if (service->first)
        service->last->next = request;
    else
        service->first = request;
    service->last = request;
}

static void on_worker (void *router, zmq_msg_t *frames)
{
    if (*(char *) zmq_msg_data (&frames[3]) == 1) {
        struct service *service = service_of (&frames[4]);
        *peer (&frames[0]) = service;
        zmq_msg_init (&service->name);
        zmq_msg_init (&service->worker);
        zmq_msg_move (&service->name, &frames[4]);
        zmq_msg_move (&service->worker, &frames[0]);
        employ (router, service);
    } else if (*(char *) zmq_msg_data (&frames[3]) == 3) {
        struct service *service = *peer (&frames[0]);
        put_frame (router, &frames[4], ZMQ_SNDMORE);
        put (router, "", 0, ZMQ_SNDMORE);
        put (router, "MDPC01", 6, ZMQ_SNDMORE);
        put_copy (router, &service->name, ZMQ_SNDMORE);
        put_frame (router, &frames[6], 0);
        employ (router, service);
    }
}

static void broker (void)
{
    void *router = opened (context, ZMQ_ROUTER);
    int mark = 100000;
    char endpoint[256];
    size_t length = sizeof endpoint;
    check (zmq_setsockopt (router, ZMQ_SNDHWM, &mark, sizeof mark) == 0, "ZMQ_SNDHWM");
    check (zmq_bind (router, "tcp://127.0.0.1:*") == 0, "zmq_bind");
    check (zmq_getsockopt (router, ZMQ_LAST_ENDPOINT, endpoint, &length) == 0, "ZMQ_LAST_ENDPOINT");
    puts (endpoint);
    fflush (stdout);
    for (;;) {
        zmq_msg_t frames[FRAMES];
        const int count = receive (router, frames);
        if (memcmp (zmq_msg_data (&frames[2]), "MDPC01", 6) == 0)
            on_request (router, frames);
        else
            on_worker (router, frames);
        release (frames, count);
    }
}

static void workers (const char *endpoint, int count)
{
    void *router = opened (context, ZMQ_ROUTER);
    for (int i = 0; i < count; i++) {
        char id[16], name[16];
        snprintf (id, sizeof id, "worker %d", i);
        snprintf (name, sizeof name, "%d", i);
        check (zmq_setsockopt (router, ZMQ_CONNECT_ROUTING_ID, id, strlen (id)) == 0, "ZMQ_CONNECT_ROUTING_ID");
        check (zmq_connect (router, endpoint) == 0, "zmq_connect");
        put (router, id, strlen (id), ZMQ_SNDMORE);
        put (router, "", 0, ZMQ_SNDMORE);
        put (router, "MDPW01", 6, ZMQ_SNDMORE);
        put (router, "\x01", 1, ZMQ_SNDMORE);
        put (router, name, strlen (name), 0);
    }
    for (;;) {
        zmq_msg_t frames[FRAMES];
        const int received = receive (router, frames);
        char *command = zmq_msg_data (&frames[3]);
        if (*command == 2) {
            *command = 3;
            for (int i = 0; i < received; i++)
                put_frame (router, &frames[i], i + 1 < received ? ZMQ_SNDMORE : 0);
        }
        release (frames, received);
    }
}

static void ask (void *socket, long service)
{
    char name[16], body[BODY] = {0};
    snprintf (name, sizeof name, "%ld", service);
    put (socket, "", 0, ZMQ_SNDMORE);
    put (socket, "MDPC01", 6, ZMQ_SNDMORE);
    put (socket, name, strlen (name), ZMQ_SNDMORE);
    put (socket, body, BODY, 0);
}

static void take (void *socket)
{
    zmq_msg_t frames[FRAMES];
    const int count = receive (socket, frames);
    check (count == 4 && zmq_msg_size (&frames[3]) == BODY, "the reply");
    release (frames, count);
}

static void client (const char *endpoint, int is_pipelined, long of_services, long count)
{
    void *socket = opened (context, ZMQ_DEALER);
    int mark = 0;
    check (zmq_setsockopt (socket, ZMQ_RCVHWM, &mark, sizeof mark) == 0, "ZMQ_RCVHWM");
    check (zmq_connect (socket, endpoint) == 0, "zmq_connect");
    for (long service = 0; service < of_services; service++) {
        ask (socket, service);
        take (socket);
    }
    puts ("ready");
    fflush (stdout);
    check (getchar () == '\n', "getchar");
    const long long start = now ();
    for (long i = 0; i < count; i++) {
        ask (socket, i % of_services);
        if (!is_pipelined)
            take (socket);
    }
    for (long i = 0; is_pipelined && i < count; i++)
        take (socket);
    printf ("%lld\n", now () - start);
    zmq_close (socket);
    zmq_ctx_term (context);
}

int main (int argc, char **argv)
{
    context = zmq_ctx_new ();
    if (argc == 2 && strcmp (argv[1], "broker") == 0)
        broker ();
    else if (argc == 4)
        workers (argv[2], atoi (argv[3]));
    else if (argc == 6)
        client (argv[2], strcmp (argv[3], "pipelined") == 0, atol (argv[4]), atol (argv[5]));
    else
        print_library ();
    return 0;
}
