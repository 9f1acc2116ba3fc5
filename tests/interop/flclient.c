// Client of the freelance models, for flserver1.rs, flserver2.rs and flserver3.rs: flclient MODEL COUNT ENDPOINT...
// Sends COUNT requests, one after the other: in model 1 (REQ) [Hello world] to the first server, in model 2 (DEALER)
// [][sequence][random name] once for each server, in model 3 (ROUTER) [PING] and [sequence][random name] to each server in turn,
// by its endpoint. A reply that is not the one of the model ends it with status 1. It prints "OK" at the end.

#define PROGRAM "flclient.c"
#include "frames.h"

static int count, servers;
static char **endpoints;

static void model_1(void *client)
{
    for (int number = 0; number < count; number++) {
        send_text(client, "Hello world", 0);
        struct message reply = receive(client);
        check(reply.count == 1 && is(&reply.frames[0], "Hello world"), "reply");
    }
}

static void model_2(void *client)
{
    for (int number = 1; number <= count; number++) {
        char sequence[16];
        snprintf(sequence, sizeof sequence, "%d", number);
        for (int server = 0; server < servers; server++) {
            send_text(client, "", ZMQ_SNDMORE);
            send_text(client, sequence, ZMQ_SNDMORE);
            send_text(client, "random name", 0);
        }
        for (;;) {
            struct message reply = receive(client);
            check(reply.count == 3 && reply.frames[0].size == 0 && is(&reply.frames[2], "OK"), "reply");
            if (is(&reply.frames[1], sequence))
                break;
            // The reply of the other server to an earlier request.
            check(atoi(reply.frames[1].data) < number, "sequence number");
        }
    }
}

// Sends to a server until the ROUTER knows it.
static void send_when_there(void *client, const char *server)
{
    while (zmq_send(client, server, strlen(server), ZMQ_SNDMORE) < 0) {
        check(zmq_errno() == EHOSTUNREACH, "send to a server");
        zmq_poll(NULL, 0, 5);
    }
}

static void model_3(void *client)
{
    for (int number = 1; number <= count; number++) {
        const char *server = endpoints[number % servers];
        send_when_there(client, server);
        send_text(client, "PING", 0);
        struct message pong = receive(client);
        check(pong.count == 2 && is(&pong.frames[0], server) && is(&pong.frames[1], "PONG"), "pong");

        char sequence[16];
        snprintf(sequence, sizeof sequence, "%d", number);
        send_when_there(client, server);
        send_text(client, sequence, ZMQ_SNDMORE);
        send_text(client, "random name", 0);
        struct message reply = receive(client);
        check(reply.count == 3 && is(&reply.frames[0], server), "server of a reply");
        check(is(&reply.frames[1], sequence) && is(&reply.frames[2], "OK"), "reply");
    }
}

int main(int argc, char **argv)
{
    check(argc >= 4, "arguments");
    int model = atoi(argv[1]);
    count = atoi(argv[2]);
    servers = argc - 3;
    endpoints = argv + 3;
    void *context = zmq_ctx_new();
    void *client = zmq_socket(context, model == 1 ? ZMQ_REQ : model == 2 ? ZMQ_DEALER : ZMQ_ROUTER);
    int no_linger = 0, mandatory = 1;
    check(zmq_setsockopt(client, ZMQ_LINGER, &no_linger, sizeof no_linger) == 0, "linger");
    if (model == 3)
        check(zmq_setsockopt(client, ZMQ_ROUTER_MANDATORY, &mandatory, sizeof mandatory) == 0, "mandatory");
    for (int server = 0; server < (model == 1 ? 1 : servers); server++)
        check(zmq_connect(client, endpoints[server]) == 0, "connect");

    if (model == 1)
        model_1(client);
    else if (model == 2)
        model_2(client);
    else
        model_3(client);
    puts("OK");
    zmq_close(client);
    zmq_ctx_term(context);
    return 0;
}
