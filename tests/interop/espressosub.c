// Peer of the proxy of espresso.rs: espressosub ENDPOINT. Subscribes to A and B, prints five messages, which must have the form
// X-NNNNN with one of these letters, and leaves.

#define PROGRAM "espressosub.c"
#include "frames.h"

#include <ctype.h>

int main(int argc, char **argv)
{
    check(argc == 2, "arguments");
    void *context = zmq_ctx_new();
    void *subscriber = zmq_socket(context, ZMQ_SUB);
    check(zmq_connect(subscriber, argv[1]) == 0, "connect");
    check(zmq_setsockopt(subscriber, ZMQ_SUBSCRIBE, "A", 1) == 0, "subscribe to A");
    check(zmq_setsockopt(subscriber, ZMQ_SUBSCRIBE, "B", 1) == 0, "subscribe to B");
    for (int number = 0; number < 5; number++) {
        char frame[8];
        check(zmq_recv(subscriber, frame, sizeof frame, 0) == 7, "size of the message");
        check(!has_more(subscriber), "number of frames");
        check((frame[0] == 'A' || frame[0] == 'B') && frame[1] == '-', "letter");
        for (int digit = 2; digit < 7; digit++)
            check(isdigit((unsigned char) frame[digit]), "digits");
        printf("%.7s\n", frame);
    }
    zmq_close(subscriber);
    zmq_ctx_term(context);
    return 0;
}
