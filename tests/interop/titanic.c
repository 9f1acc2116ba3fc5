// Titanic: titanic ENDPOINT HEARTBEAT_MS. Three workers of a Majordomo broker, titanic.request, titanic.reply and titanic.close,
// and a client of it that delivers one request at a time, when mmi.service says that its service is there. Prints "registered"
// when it has sent each READY, and runs until it is killed. Requests are in the memory. A message that is not of the Titanic
// Service Protocol or of MDP 0.1, and a request for an unknown id, except for one that was closed, end it with status 1.

#define PROGRAM "titanic.c"
#include "majordomo.h"

enum { MAX_REQUESTS = 100, LOOKUP_PAUSE_MS = 20 };

enum state { PENDING, ANSWERED, CLOSED };

struct stored {
    enum state state;
    struct frame service, request, reply;
};

static const char *services[] = {"titanic.request", "titanic.reply", "titanic.close"};
static void *workers[3], *client;
static struct stored requests[MAX_REQUESTS];
static int count;

// The request that is being delivered, or -1; and whether the broker was asked for its service only.
static int delivered = -1, is_lookup;
static long next_lookup;

static void send_command(void *worker, int command, const char *service)
{
    struct message message = {0};
    add_text(&message, "");
    add_command(&message, command);
    if (service)
        add_text(&message, service);
    check(try_send(worker, &message), "send");
}

static void send_request(const char *service, const struct frame *body)
{
    struct message message = {0};
    add_text(&message, "");
    add_text(&message, CLIENT);
    add_text(&message, service);
    add_frame(&message, body);
    check(try_send(client, &message), "send");
}

// Looks up the service of the oldest pending request.
static void deliver(void)
{
    for (int i = 0; i < count && delivered < 0; i++)
        if (requests[i].state == PENDING) {
            delivered = i;
            is_lookup = 1;
            send_request("mmi.service", &requests[i].service);
        }
}

static void on_reply(const struct message *message)
{
    check(message->count == 4 && is(&message->frames[0], "") && is(&message->frames[1], CLIENT), "header of a reply");
    check(delivered >= 0, "a reply without a request");
    struct stored *stored = &requests[delivered];
    const struct frame *body = &message->frames[3];
    if (!is_lookup) {
        check(frame_is(&message->frames[2], stored->service.data, stored->service.size), "service of a reply");
        stored->reply = *body;
        if (stored->state == PENDING)
            stored->state = ANSWERED;
        delivered = -1;
    } else if (is(body, "200")) {
        is_lookup = 0;
        send_request(stored->service.data, &stored->request);
    } else {
        check(is(body, "404"), "status of a lookup");
        delivered = -1;
        next_lookup = now_ms() + LOOKUP_PAUSE_MS;
    }
}

// The id of a request is its number.
static struct stored *find(const struct message *message)
{
    check(message->count == 6 && message->frames[5].size == 32, "an id");
    long number = strtol(message->frames[5].data, NULL, 16);
    check(number >= 0 && number < count, "an id that was given");
    return &requests[number];
}

// Answers the message [][MDPW01][2][client][][body...].
static void on_request(int kind, const struct message *message)
{
    struct message answer = {0};
    add_text(&answer, "");
    add_command(&answer, REPLY);
    add_frame(&answer, &message->frames[3]);
    add_text(&answer, "");
    if (kind == 0) {
        check(message->count == 7 && count < MAX_REQUESTS, "a service and a text");
        requests[count] = (struct stored){.service = message->frames[5], .request = message->frames[6]};
        char id[33];
        snprintf(id, sizeof id, "%032X", count++);
        add_text(&answer, "200");
        add_text(&answer, id);
    } else if (kind == 1) {
        const struct stored *stored = find(message);
        add_text(&answer, stored->state == PENDING ? "300" : stored->state == ANSWERED ? "200" : "400");
        if (stored->state == ANSWERED)
            add_frame(&answer, &stored->reply);
    } else {
        find(message)->state = CLOSED;
        add_text(&answer, "200");
    }
    check(try_send(workers[kind], &answer), "send");
}

int main(int argc, char **argv)
{
    check(argc == 3, "arguments");
    long interval = atol(argv[2]);
    void *context = zmq_ctx_new();
    zmq_pollitem_t items[4] = {0};
    for (int i = 0; i < 4; i++) {
        void *socket = open_socket(context, ZMQ_DEALER, NULL, 0);
        check(zmq_connect(socket, argv[1]) == 0, "connect");
        items[i] = (zmq_pollitem_t){socket, 0, ZMQ_POLLIN, 0};
        if (i < 3)
            send_command(workers[i] = socket, READY, services[i]);
        else
            client = socket;
    }
    puts("registered");
    fflush(stdout);
    long beat = now_ms() + interval;
    for (;;) {
        check(zmq_poll(items, 4, LOOKUP_PAUSE_MS) >= 0, "poll");
        for (int i = 0; i < 3; i++)
            if (items[i].revents) {
                struct message message = receive(workers[i]);
                check(message.count >= 3 && is(&message.frames[0], ""), "empty frame");
                int command = command_of(&message, 1);
                check(command == HEARTBEAT || (command == REQUEST && message.count >= 6), "command");
                if (command == REQUEST)
                    on_request(i, &message);
            }
        if (items[3].revents) {
            struct message reply = receive(client);
            on_reply(&reply);
        }
        if (now_ms() >= next_lookup)
            deliver();
        if (now_ms() >= beat) {
            for (int i = 0; i < 3; i++)
                send_command(workers[i], HEARTBEAT, NULL);
            beat = now_ms() + interval;
        }
    }
}
