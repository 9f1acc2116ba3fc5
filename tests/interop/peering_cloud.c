// Peer of peering2.rs and peering3.rs: peering_cloud NAME PEER ASK SERVE BODY [CAPACITY]. A broker of that name:
//
// - It asks PEER ASK times, one request after the other, each of a client with another binary id. With BODY "OK" a
//   request is "HELLO" and its reply "OK", with "task" it is a task of four digits, which must come back.
// - It answers what PEER asks: [PEER][client][][request]. After SERVE requests it prints "served".
// - With CAPACITY it publishes that as its state every 20 ms, prints the states of PEER, and asks after the first one.
//
// It prints "asked" when it has all replies. It ends when a line arrives on standard input, and prints the number of requests
// that it has answered.

#define PROGRAM "peering_cloud.c"
#include "peering.h"

static const char *peer;
static int tasks;

static const char *request_text(int number)
{
    static char text[16];
    snprintf(text, sizeof text, tasks ? "%04X" : "HELLO", (unsigned) (number * 2654435761u) & 0xffff);
    return text;
}

// Sends the request with that number, and returns whether PEER was connected.
static int ask(void *cloudbe, int number)
{
    struct message request = {0};
    char client[] = {0, (char) 0xff, (char) number, '\1', 0};
    add_text(&request, peer);
    add(&request, client, sizeof client);
    add(&request, "", 0);
    add_text(&request, request_text(number));
    return try_send(cloudbe, &request);
}

static void check_reply(const struct message *reply, int number)
{
    char client[] = {0, (char) 0xff, (char) number, '\1', 0};
    check(reply->count == 4, "a reply of four frames");
    check(is(&reply->frames[0], peer), "the peer's name before a reply");
    check(frame_is(&reply->frames[1], client, sizeof client), "the client's id as it was sent");
    check(reply->frames[2].size == 0, "an empty frame in a reply");
    check(is(&reply->frames[3], tasks ? request_text(number) : "OK"), "the body of a reply");
}

static void serve(void *cloudfe)
{
    struct message request = receive(cloudfe);
    check(request.count == 4, "a request of four frames");
    check(is(&request.frames[0], peer), "the peer's name before a request");
    // The ids that a ROUTER gives begin with 0.
    check(request.frames[1].size == 5 && !request.frames[1].data[0], "the id of a client of the peer's");
    check(request.frames[2].size == 0, "an empty frame in a request");
    if (tasks) {
        const struct frame *task = &request.frames[3];
        check(task->size == 4 && strspn(task->data, "0123456789ABCDEF") == 4, "a task");
    } else {
        check(is(&request.frames[3], "HELLO"), "the body of a request");
        request.count = 3;
        add_text(&request, "OK");
    }
    check(try_send(cloudfe, &request), "the answer");
}

static void say(const char *what)
{
    puts(what);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    alarm(DEADLINE_S);
    check(argc == 6 || argc == 7, "arguments");
    const char *name = argv[1], *capacity = argv[6];
    int to_ask = atoi(argv[3]), to_serve = atoi(argv[4]), yes = 1;
    peer = argv[2];
    tasks = strcmp(argv[5], "OK") != 0;

    void *context = zmq_ctx_new();
    void *cloudfe = open_socket(context, ZMQ_ROUTER, name, strlen(name));
    bind_flow(cloudfe, name, "cloud");
    void *cloudbe = open_socket(context, ZMQ_ROUTER, name, strlen(name));
    check(zmq_setsockopt(cloudbe, ZMQ_ROUTER_MANDATORY, &yes, sizeof yes) == 0, "mandatory");
    connect_flow(cloudbe, peer, "cloud");
    void *statebe = open_socket(context, ZMQ_PUB, NULL, 0);
    void *statefe = open_socket(context, ZMQ_SUB, NULL, 0);
    if (capacity) {
        bind_flow(statebe, name, "state");
        check(zmq_setsockopt(statefe, ZMQ_SUBSCRIBE, "", 0) == 0, "subscribe");
        connect_flow(statefe, peer, "state");
    }

    int asked = 0, served = 0, waiting = 0, heard = 0;
    for (;;) {
        if (asked < to_ask && !waiting && (heard || !capacity))
            waiting = ask(cloudbe, asked);
        if (capacity) {
            struct message news = {0};
            add_text(&news, name);
            add_text(&news, capacity);
            check(try_send(statebe, &news), "publish");
        }
        zmq_pollitem_t items[] = {
            until_told(),
            {.socket = cloudfe, .events = ZMQ_POLLIN},
            {.socket = cloudbe, .events = ZMQ_POLLIN},
            {.socket = statefe, .events = ZMQ_POLLIN},
        };
        check(zmq_poll(items, 4, 20) >= 0, "poll");
        if (items[0].revents)
            break;
        if (items[1].revents) {
            serve(cloudfe);
            if (++served == to_serve)
                say("served");
        }
        if (items[2].revents) {
            struct message reply = receive(cloudbe);
            check(waiting, "a reply to nothing");
            check_reply(&reply, asked);
            waiting = 0;
            if (++asked == to_ask)
                say("asked");
        }
        if (items[3].revents) {
            struct message state = receive(statefe);
            check(state.count == 2 && is(&state.frames[0], peer), "a state of two frames");
            size_t size = state.frames[1].size;
            check(size && strspn(state.frames[1].data, "0123456789") == size, "a number as state");
            printf("state %s\n", state.frames[1].data);
            fflush(stdout);
            heard = 1;
        }
    }
    printf("%d\n", served);
    zmq_close(cloudfe);
    zmq_close(cloudbe);
    zmq_close(statebe);
    zmq_close(statefe);
    zmq_ctx_term(context);
    return asked == to_ask && served >= to_serve ? 0 : 1;
}
