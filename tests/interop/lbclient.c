// Client of lbbroker.rs, lbbroker2.rs and lbbroker3.rs: lbclient FRONTEND COUNT [ID]. Asks COUNT times, with the address ID
// or one that the broker makes up. Any answer except [OK] ends it with status 1.

#define PROGRAM "lbclient.c"
#include "frames.h"

int main(int argc, char **argv)
{
    check(argc == 3 || argc == 4, "arguments");
    void *context = zmq_ctx_new();
    void *client = zmq_socket(context, ZMQ_REQ);
    if (argc == 4)
        check(zmq_setsockopt(client, ZMQ_ROUTING_ID, argv[3], strlen(argv[3])) == 0, "routing id");
    check(zmq_connect(client, argv[1]) == 0, "connect");

    for (int number = atoi(argv[2]); number > 0; number--) {
        send_text(client, "HELLO", 0);
        struct message answer = receive(client);
        check(answer.count == 1, "number of frames");
        check(is(&answer.frames[0], "OK"), "text of the answer");
        puts("Client: OK");
    }
    zmq_close(client);
    zmq_ctx_term(context);
    return 0;
}
