// Majordomo client: mdclient ENDPOINT SERVICE COUNT TIMEOUT_MS. Sends COUNT requests, one after the other, each up to 3 times,
// over a new socket after a try without reply. Any reply except [MDPC01][SERVICE] and the request's text, and a request
// without reply, ends it with status 1.

#define PROGRAM "mdclient.c"
#include "majordomo.h"

int main(int argc, char **argv)
{
    check(argc == 5, "arguments");
    const char *service = argv[2];
    int count = atoi(argv[3]);
    long timeout = atol(argv[4]);
    void *context = zmq_ctx_new();
    void *client = NULL;
    for (int number = 0; number < count; number++) {
        char text[32];
        snprintf(text, sizeof text, "request %d", number);
        struct message request = {0};
        add_text(&request, CLIENT);
        add_text(&request, service);
        add_text(&request, text);
        int tries = 0;
        for (;;) {
            check(tries++ < 3, "no reply");
            if (!client) {
                client = open_socket(context, ZMQ_REQ, NULL, 0);
                check(zmq_connect(client, argv[1]) == 0, "connect");
            }
            check(try_send(client, &request), "send");
            if (!is_quiet(client, timeout))
                break;
            zmq_close(client);
            client = NULL;
        }
        struct message reply = receive(client);
        check(reply.count == 3, "number of frames");
        check(is(&reply.frames[0], CLIENT) && is(&reply.frames[1], service), "header and service of a reply");
        check(is(&reply.frames[2], text), "the text of the request");
    }
    printf("%d replies\n", count);
    if (client)
        zmq_close(client);
    zmq_ctx_term(context);
    return 0;
}
