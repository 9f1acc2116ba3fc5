// Majordomo worker: mdworker ENDPOINT SERVICE HEARTBEAT_MS COUNT DELAY_MS. Prints "registered" whenever it sends READY, and
// "request" when it gets one, which it returns after DELAY_MS. Registers again over a new socket after DISCONNECT and after 3
// intervals without a message. Leaves with DISCONNECT after COUNT replies, never if COUNT is 0. Any message except
// [][MDPW01][2][client][][text], HEARTBEAT and DISCONNECT ends it with status 1.

#define PROGRAM "mdworker.c"
#include "majordomo.h"

static void *context;
static void *worker;

static void send_command(int command, const char *service)
{
    struct message message = {0};
    add_text(&message, "");
    add_command(&message, command);
    if (service)
        add_text(&message, service);
    check(try_send(worker, &message), "send");
}

static void enrol(const char *endpoint, const char *service)
{
    if (worker)
        zmq_close(worker);
    worker = open_socket(context, ZMQ_DEALER, NULL, 0);
    check(zmq_connect(worker, endpoint) == 0, "connect");
    send_command(READY, service);
    puts("registered");
    fflush(stdout);
}

int main(int argc, char **argv)
{
    check(argc == 6, "arguments");
    const char *endpoint = argv[1], *service = argv[2];
    long interval = atol(argv[3]), delay = atol(argv[5]);
    int count = atoi(argv[4]), replies = 0;
    context = zmq_ctx_new();
    enrol(endpoint, service);
    long heard = now_ms(), beat = heard + interval;
    while (count == 0 || replies < count) {
        if (is_quiet(worker, interval)) {
            if (now_ms() - heard >= LIVENESS * interval) {
                enrol(endpoint, service);
                heard = now_ms();
            }
        } else {
            struct message message = receive(worker);
            check(message.count >= 3 && is(&message.frames[0], ""), "empty frame");
            int command = command_of(&message, 1);
            if (command == REQUEST) {
                check(message.count == 6, "number of frames of a request");
                check(message.frames[3].size > 0 && is(&message.frames[4], ""), "address of the client");
                puts("request");
                fflush(stdout);
                zmq_poll(NULL, 0, delay);
                message.frames[2].data[0] = REPLY;
                check(try_send(worker, &message), "send");
                replies++;
            } else {
                check(message.count == 3, "number of frames of a command");
                check(command == HEARTBEAT || command == DISCONNECT, "command");
                if (command == DISCONNECT)
                    enrol(endpoint, service);
            }
            heard = now_ms();
        }
        if (now_ms() >= beat) {
            send_command(HEARTBEAT, NULL);
            beat = now_ms() + interval;
        }
    }
    send_command(DISCONNECT, NULL);
    printf("%d replies\n", replies);
    int linger = 1000;
    check(zmq_setsockopt(worker, ZMQ_LINGER, &linger, sizeof linger) == 0, "linger");
    zmq_close(worker);
    zmq_ctx_term(context);
    return 0;
}
