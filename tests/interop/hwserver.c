// Peer of hwclient.rs: hwserver ENDPOINT COUNT. Answers COUNT requests [Hello] with [World], then ends.
// Any other request ends it with status 1.

#define PROGRAM "hwserver.c"
#include "frames.h"

int main(int argc, char **argv)
{
    check(argc == 3, "arguments");
    int count = atoi(argv[2]);
    void *context = zmq_ctx_new();
    void *server = zmq_socket(context, ZMQ_REP);
    check(zmq_bind(server, argv[1]) == 0, "bind");

    for (int number = 0; number < count; number++) {
        struct message request = receive(server);
        check(request.count == 1, "number of frames");
        check(is(&request.frames[0], "Hello"), "text of the request");
        puts("Received Hello");
        check(zmq_send(server, "World", 5, 0) == 5, "send");
    }
    zmq_close(server);
    zmq_ctx_term(context);
    return 0;
}
