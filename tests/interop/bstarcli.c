// Client of a Binary Star pair: bstarcli PRIMARY BACKUP TIMEOUT SETTLE PAUSE, in milliseconds. It asks a server by a
// number as text, which must come back as it is. After TIMEOUT without a reply it prints "failover", waits for SETTLE and
// asks the other server. It prints "reply N" for each reply, and waits for PAUSE. It ends well when a line arrives on
// standard input.

#define PROGRAM "bstarcli.c"
#include "peering.h"

// Waits for a message or the time-out, and returns whether a message is there. A line on standard input ends the program.
static int wait_for(void *socket, long timeout)
{
    zmq_pollitem_t items[] = {until_told(), {.socket = socket, .events = ZMQ_POLLIN}};
    check(zmq_poll(items, socket ? 2 : 1, timeout) >= 0, "poll");
    if (items[0].revents)
        exit(0);
    return socket && items[1].revents;
}

int main(int argc, char **argv)
{
    alarm(DEADLINE_S);
    check(argc == 6, "arguments");
    long timeout = atol(argv[3]), settle = atol(argv[4]), pause = atol(argv[5]);
    void *context = zmq_ctx_new();
    int server = 1;
    void *client = open_socket(context, ZMQ_REQ, NULL, 0);
    check(zmq_connect(client, argv[server]) == 0, argv[server]);
    for (int number = 1;; number++) {
        char request[20], reply[20];
        snprintf(request, sizeof request, "%d", number);
        send_text(client, request, 0);
        while (!wait_for(client, timeout)) {
            puts("failover");
            fflush(stdout);
            zmq_close(client);
            wait_for(NULL, settle);
            server = 3 - server;
            client = open_socket(context, ZMQ_REQ, NULL, 0);
            check(zmq_connect(client, argv[server]) == 0, argv[server]);
            send_text(client, request, 0);
        }
        check(!receive_text(client, reply, sizeof reply), "a reply has one frame");
        check(strcmp(request, reply) == 0, "the reply is the request");
        printf("reply %d\n", number);
        fflush(stdout);
        wait_for(NULL, pause);
    }
}
