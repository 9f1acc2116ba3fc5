// Majordomo client: mdclient2 ENDPOINT SERVICE COUNT. A DEALER sends COUNT requests, and then receives the replies in any
// order. Any reply except [][MDPC01][SERVICE] and the text of a request that has no reply yet ends it with status 1.

#define PROGRAM "mdclient2.c"
#include "majordomo.h"

enum { MAX_REQUESTS = 10000 };

int main(int argc, char **argv)
{
    alarm(DEADLINE_S);
    check(argc == 4, "arguments");
    const char *service = argv[2];
    int count = atoi(argv[3]);
    check(count <= MAX_REQUESTS, "number of requests");
    void *context = zmq_ctx_new();
    void *client = open_socket(context, ZMQ_DEALER, NULL, 0);
    check(zmq_connect(client, argv[1]) == 0, "connect");

    for (int number = 0; number < count; number++) {
        char text[32];
        snprintf(text, sizeof text, "request %d", number);
        struct message request = {0};
        add_text(&request, "");
        add_text(&request, CLIENT);
        add_text(&request, service);
        add_text(&request, text);
        check(try_send(client, &request), "send");
    }
    static int replied[MAX_REQUESTS];
    for (int left = count; left > 0; left--) {
        struct message reply = receive(client);
        int number;
        check(reply.count == 4 && is(&reply.frames[0], ""), "number of frames, and the empty one");
        check(is(&reply.frames[1], CLIENT) && is(&reply.frames[2], service), "header and service of a reply");
        check(sscanf(reply.frames[3].data, "request %d", &number) == 1, "the text of a request");
        check(number >= 0 && number < count && !replied[number]++, "one reply for each request");
    }
    printf("%d replies\n", count);
    zmq_close(client);
    zmq_ctx_term(context);
    return 0;
}
