// Peer of peering1.rs: peering_state NAME PEER COUNT. A broker of that name, which says every 5 ms that 7 of its workers
// are free. When it has received COUNT states of PEER, name and one digit, it prints "heard". It ends when a line arrives on
// standard input.

#define PROGRAM "peering_state.c"
#include "peering.h"

int main(int argc, char **argv)
{
    alarm(DEADLINE_S);
    check(argc == 4, "arguments");
    const char *name = argv[1], *peer = argv[2];
    int wanted = atoi(argv[3]);
    void *context = zmq_ctx_new();
    void *statebe = open_socket(context, ZMQ_PUB, NULL, 0);
    bind_flow(statebe, name, "state");
    void *statefe = open_socket(context, ZMQ_SUB, NULL, 0);
    check(zmq_setsockopt(statefe, ZMQ_SUBSCRIBE, "", 0) == 0, "subscribe");
    connect_flow(statefe, peer, "state");

    struct message news = {0};
    add_text(&news, name);
    add_text(&news, "7");
    int heard = 0;
    for (;;) {
        check(try_send(statebe, &news), "publish");
        zmq_pollitem_t items[] = {until_told(), {.socket = statefe, .events = ZMQ_POLLIN}};
        check(zmq_poll(items, 2, 5) >= 0, "poll");
        if (items[0].revents)
            break;
        if (items[1].revents) {
            struct message state = receive(statefe);
            check(state.count == 2 && is(&state.frames[0], peer), "the name of the peer, and a number");
            check(state.frames[1].size == 1 && strchr("0123456789", state.frames[1].data[0]), "a digit");
            if (++heard == wanted) {
                puts("heard");
                fflush(stdout);
            }
        }
    }
    zmq_close(statebe);
    zmq_close(statefe);
    zmq_ctx_term(context);
    return heard >= wanted ? 0 : 1;
}
