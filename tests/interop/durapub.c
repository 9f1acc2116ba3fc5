// Peer of durasub.rs: durapub PUBLISHER SYNC NAME UPDATES. Waits for the subscription to NAME, sends it the updates and END
// as [NAME][number][update], each when the one before is acknowledged by [NAME][number], and the first one twice. Any other
// frame ends it with status 1.

#define PROGRAM "durapub.c"
#include "frames.h"

int main(int argc, char **argv)
{
    check(argc == 5, "arguments");
    const char *name = argv[3];
    int updates = atoi(argv[4]);
    void *context = zmq_ctx_new();
    void *sync = zmq_socket(context, ZMQ_PULL);
    check(zmq_bind(sync, argv[2]) == 0, "bind for acknowledgements");
    void *publisher = zmq_socket(context, ZMQ_XPUB);
    check(zmq_bind(publisher, argv[1]) == 0, "bind");

    char frame[64];
    check(!receive_text(publisher, frame, sizeof frame) && frame[0] == 1 && strcmp(frame + 1, name) == 0, "subscription");
    for (int number = 0; number <= updates; number++) {
        char update[32] = "END", digits[16];
        if (number < updates)
            snprintf(update, sizeof update, "Update %d", number);
        snprintf(digits, sizeof digits, "%d", 1000 + number);
        for (int times = number == 0 ? 2 : 1; times > 0; times--) {
            check(zmq_send(publisher, name, strlen(name), ZMQ_SNDMORE) >= 0, "send");
            check(zmq_send(publisher, digits, strlen(digits), ZMQ_SNDMORE) >= 0, "send");
            check(zmq_send(publisher, update, strlen(update), 0) >= 0, "send");
            int acknowledged;
            do {
                check(receive_text(sync, frame, sizeof frame) && strcmp(frame, name) == 0, "name of an acknowledgement");
                check(!receive_text(sync, frame, sizeof frame), "number of an acknowledgement");
                acknowledged = atoi(frame) - 1000;
                // The subscriber may repeat an earlier acknowledgement.
                check(acknowledged == number || acknowledged == number - 1, "acknowledged number");
            } while (acknowledged != number);
        }
    }
    printf("%d updates acknowledged\n", updates);
    zmq_close(publisher);
    zmq_close(sync);
    zmq_ctx_term(context);
    return 0;
}
