// Peer of durapub.rs: durasub PUBLISHER SYNC NAME. Subscribes to its name, prints each update [NAME][number][update], whose
// numbers must be consecutive, and answers each with [NAME][number]. It ends after the update END.

#define PROGRAM "durasub.c"
#include "frames.h"

int main(int argc, char **argv)
{
    check(argc == 4, "arguments");
    const char *own = argv[3];
    void *context = zmq_ctx_new();
    void *sync = zmq_socket(context, ZMQ_PUSH);
    check(zmq_connect(sync, argv[2]) == 0, "connect for acknowledgements");
    void *subscriber = zmq_socket(context, ZMQ_SUB);
    check(zmq_connect(subscriber, argv[1]) == 0, "connect");
    check(zmq_setsockopt(subscriber, ZMQ_SUBSCRIBE, own, strlen(own)) == 0, "subscribe");

    char name[64], digits[32], update[64] = "";
    unsigned long long last = 0;
    while (strcmp(update, "END") != 0) {
        check(receive_text(subscriber, name, sizeof name) && strcmp(name, own) == 0, "name");
        check(receive_text(subscriber, digits, sizeof digits), "number");
        check(!receive_text(subscriber, update, sizeof update), "update");
        unsigned long long number = strtoull(digits, NULL, 10);
        // An update may arrive twice before the publisher has the first acknowledgement.
        if (last == 0 || number != last) {
            check(number > 0 && (last == 0 || number == last + 1), "consecutive numbers");
            printf("%s\n", update);
            fflush(stdout);
        }
        last = number;
        check(zmq_send(sync, own, strlen(own), ZMQ_SNDMORE) >= 0, "acknowledge");
        check(zmq_send(sync, digits, strlen(digits), 0) >= 0, "acknowledge");
    }
    zmq_close(subscriber);
    zmq_close(sync);
    zmq_ctx_term(context);
    return 0;
}
