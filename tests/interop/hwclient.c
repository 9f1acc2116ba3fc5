// Peer of hwserver.rs: hwclient ENDPOINT COUNT. Sends COUNT requests [Hello] and expects [World] for each.
// Any other reply ends it with status 1.

#define PROGRAM "hwclient.c"
#include "frames.h"

int main(int argc, char **argv)
{
    check(argc == 3, "arguments");
    int count = atoi(argv[2]);
    void *context = zmq_ctx_new();
    void *client = zmq_socket(context, ZMQ_REQ);
    check(zmq_connect(client, argv[1]) == 0, "connect");

    for (int number = 0; number < count; number++) {
        check(zmq_send(client, "Hello", 5, 0) == 5, "send");
        struct message reply = receive(client);
        check(reply.count == 1, "number of frames");
        check(is(&reply.frames[0], "World"), "text of the reply");
        printf("Received World %d\n", number);
    }
    zmq_close(client);
    zmq_ctx_term(context);
    return 0;
}
