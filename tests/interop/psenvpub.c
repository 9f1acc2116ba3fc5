// Peer of psenvsub.rs: psenvpub ENDPOINT. Publishes [A][number 1], [B][number 1], [A][number 2], [B][number 2] and so on, a
// pair each 10 ms, until it is killed.

#define PROGRAM "psenvpub.c"
#include "frames.h"

#include <time.h>

int main(int argc, char **argv)
{
    check(argc == 2, "arguments");
    void *context = zmq_ctx_new();
    void *publisher = zmq_socket(context, ZMQ_PUB);
    check(zmq_bind(publisher, argv[1]) == 0, "bind");
    for (int number = 1;; number++) {
        for (const char *envelope = "AB"; *envelope; envelope++) {
            char contents[32];
            int size = snprintf(contents, sizeof contents, "number %d", number);
            check(zmq_send(publisher, envelope, 1, ZMQ_SNDMORE) == 1, "envelope");
            check(zmq_send(publisher, contents, size, 0) == size, "contents");
        }
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
}
