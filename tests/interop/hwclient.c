// Peer of hwserver.rs: hwclient ENDPOINT COUNT. Sends COUNT requests [Hello] and expects [World] for each.
// Any other reply ends it with status 1.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

static void check(int holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "hwclient.c: %s: %s\n", what, zmq_strerror(zmq_errno()));
        exit(1);
    }
}

int main(int argc, char **argv)
{
    check(argc == 3, "arguments");
    int count = atoi(argv[2]);
    void *context = zmq_ctx_new();
    void *client = zmq_socket(context, ZMQ_REQ);
    check(zmq_connect(client, argv[1]) == 0, "connect");

    for (int number = 0; number < count; number++) {
        check(zmq_send(client, "Hello", 5, 0) == 5, "send");
        zmq_msg_t reply;
        zmq_msg_init(&reply);
        check(zmq_msg_recv(&reply, client, 0) == 5, "size of the reply");
        check(memcmp(zmq_msg_data(&reply), "World", 5) == 0, "text of the reply");
        check(!zmq_msg_more(&reply), "number of frames");
        zmq_msg_close(&reply);
        printf("Received World %d\n", number);
    }
    zmq_close(client);
    zmq_ctx_term(context);
    return 0;
}
