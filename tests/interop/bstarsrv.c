// Server of a Binary Star pair: bstarsrv ROLE FRONTEND LOCAL REMOTE HEARTBEAT. ROLE is "primary" or "backup", HEARTBEAT
// is in milliseconds. It binds a ROUTER to FRONTEND and a PUB to LOCAL, and connects a SUB to REMOTE. A request is
// [id][][text], and is sent back. It prints "state N" for each state that it takes, and "dual N" before it ends because
// the peer has its state. It ends well when a line arrives on standard input, and fails at a malformed message.

#define PROGRAM "bstarsrv.c"
#include "peering.h"

enum { PRIMARY = 1, BACKUP, ACTIVE, PASSIVE, REQUEST };

// The effect of an event: the next state, or one of these.
enum { STAY = 0, REFUSE = -1, IF_SILENT = -2, DUAL = -3 };

static const int transitions[PASSIVE + 1][REQUEST + 1] = {
    [PRIMARY] = {[BACKUP] = ACTIVE, [ACTIVE] = PASSIVE, [REQUEST] = IF_SILENT},
    [BACKUP] = {[ACTIVE] = PASSIVE, [REQUEST] = REFUSE},
    [ACTIVE] = {[ACTIVE] = DUAL},
    [PASSIVE] = {[PRIMARY] = ACTIVE, [BACKUP] = ACTIVE, [PASSIVE] = DUAL, [REQUEST] = IF_SILENT},
};

static int state;
static long expiry;

static void enter(int next)
{
    state = next;
    printf("state %d\n", state);
    fflush(stdout);
}

// Applies an event, and returns whether it is accepted.
static int apply(int event)
{
    int next = transitions[state][event];
    if (next == IF_SILENT)
        next = now_ms() >= expiry ? ACTIVE : REFUSE;
    if (next == DUAL) {
        printf("dual %d\n", state);
        exit(2);
    }
    if (next > 0)
        enter(next);
    return next != REFUSE;
}

int main(int argc, char **argv)
{
    alarm(DEADLINE_S);
    check(argc == 6, "arguments");
    long heartbeat = atol(argv[5]);
    void *context = zmq_ctx_new();
    void *frontend = open_socket(context, ZMQ_ROUTER, NULL, 0);
    check(zmq_bind(frontend, argv[2]) == 0, argv[2]);
    void *statepub = open_socket(context, ZMQ_PUB, NULL, 0);
    check(zmq_bind(statepub, argv[3]) == 0, argv[3]);
    void *statesub = open_socket(context, ZMQ_SUB, NULL, 0);
    check(zmq_setsockopt(statesub, ZMQ_SUBSCRIBE, "", 0) == 0, "subscribe");
    check(zmq_connect(statesub, argv[4]) == 0, argv[4]);

    enter(strcmp(argv[1], "primary") == 0 ? PRIMARY : BACKUP);
    expiry = now_ms() + 2 * heartbeat;
    long next_state = now_ms() + heartbeat;
    for (;;) {
        zmq_pollitem_t items[] = {
            until_told(), {.socket = statesub, .events = ZMQ_POLLIN}, {.socket = frontend, .events = ZMQ_POLLIN}};
        long left = next_state - now_ms();
        check(zmq_poll(items, 3, left > 0 ? left : 0) >= 0, "poll");
        if (items[0].revents)
            break;
        if (items[1].revents) {
            struct message message = receive(statesub);
            check(message.count == 1 && message.frames[0].size == 1, "a state is one frame of one byte");
            char digit = message.frames[0].data[0];
            check(digit >= '1' && digit <= '4', "the byte is a digit from 1 to 4");
            expiry = now_ms() + 2 * heartbeat;
            apply(digit - '0');
        }
        if (items[2].revents) {
            struct message request = receive(frontend);
            check(request.count == 3 && request.frames[1].size == 0, "a request has an envelope and a body");
            if (apply(REQUEST))
                try_send(frontend, &request);
        }
        if (now_ms() >= next_state) {
            char text[] = {(char) ('0' + state), 0};
            send_text(statepub, text, 0);
            next_state = now_ms() + heartbeat;
        }
    }
    zmq_close(frontend);
    zmq_close(statepub);
    zmq_close(statesub);
    zmq_ctx_term(context);
    return 0;
}
