// Peer of durasub.rs: durapub PUBLISHER SYNC NAME UPDATES. Waits for the subscription to NAME, sends it the updates and END
// as [NAME][number][update], each when the one before is acknowledged by [NAME][number], and the first one twice. Any other
// frame ends it with status 1.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

static void check(int holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "durapub.c: %s: %s\n", what, zmq_strerror(zmq_errno()));
        exit(1);
    }
}

/// Receives a frame as a text, and whether more follow.
static int receive(void *socket, char *text, size_t room)
{
    int size = zmq_recv(socket, text, room - 1, 0);
    check(size >= 0 && size < (int) room, "size of a frame");
    text[size] = 0;
    int more;
    size_t more_size = sizeof more;
    check(zmq_getsockopt(socket, ZMQ_RCVMORE, &more, &more_size) == 0, "more");
    return more;
}

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
    check(!receive(publisher, frame, sizeof frame) && frame[0] == 1 && strcmp(frame + 1, name) == 0, "subscription");
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
                check(receive(sync, frame, sizeof frame) && strcmp(frame, name) == 0, "name of an acknowledgement");
                check(!receive(sync, frame, sizeof frame), "number of an acknowledgement");
                acknowledged = atoi(frame) - 1000;
                // It may say again what it has said before.
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
