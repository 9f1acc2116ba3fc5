// Lazy Pirate client for lpserver.rs, spqueue.rs and ppqueue.rs: lpclient ENDPOINT COUNT TIMEOUT TRIES. Sends the numbers from 1
// to COUNT, and expects each back. Without a reply within TIMEOUT milliseconds it sends the number again, over a new REQ, and
// prints "retry"; after TRIES tries it prints "abandoned" and leaves. Any other reply ends it with status 1.

#define PROGRAM "lpclient.c"
#include "frames.h"

static void *context;

static void *connected(const char *endpoint)
{
    void *client = zmq_socket(context, ZMQ_REQ);
    int no_linger = 0;
    check(zmq_setsockopt(client, ZMQ_LINGER, &no_linger, sizeof no_linger) == 0, "linger");
    check(zmq_connect(client, endpoint) == 0, "connect");
    return client;
}

int main(int argc, char **argv)
{
    check(argc == 5, "arguments");
    long timeout = atol(argv[3]);
    context = zmq_ctx_new();
    void *client = connected(argv[1]);
    int tries = 0;
    for (int number = 1; number <= atoi(argv[2]);) {
        char text[16];
        snprintf(text, sizeof text, "%d", number);
        send_text(client, text, 0);
        if (!is_quiet(client, timeout)) {
            struct message reply = receive(client);
            check(reply.count == 1, "number of frames");
            check(is(&reply.frames[0], text), "text of the reply");
            printf("reply %d\n", number++);
            tries = 0;
        } else if (++tries == atoi(argv[4])) {
            puts("abandoned");
            break;
        } else {
            puts("retry");
            zmq_close(client);
            client = connected(argv[1]);
        }
        fflush(stdout);
    }
    zmq_close(client);
    zmq_ctx_term(context);
    return 0;
}
