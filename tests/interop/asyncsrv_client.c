// Peer of asyncsrv.rs: asyncsrv_client ENDPOINT COUNT. A DEALER, whose routing id is its process id and a byte that is no
// text, sends requests without a delimiter until it has COUNT replies. Each reply must be one frame, the text of one of its
// requests. A request has four replies at most.

#define PROGRAM "asyncsrv_client.c"
#include "peering.h"

enum { MAX_REQUESTS = 2000 };

int main(int argc, char **argv)
{
    alarm(DEADLINE_S);
    check(argc == 3, "arguments");
    int wanted = atoi(argv[2]);
    unsigned char id[] = {(unsigned char) getpid(), (unsigned char) (getpid() >> 8), 0xff, 0, 0x80};
    // The first byte of an id is not 0: ids that begin with 0 are made by the other side.
    id[0] |= 1;
    void *context = zmq_ctx_new();
    void *client = open_socket(context, ZMQ_DEALER, id, sizeof id);
    check(zmq_connect(client, argv[1]) == 0, "connect");

    static int replies[MAX_REQUESTS + 1];
    int requests = 0;
    for (int received = 0; received < wanted;) {
        check(requests < MAX_REQUESTS, "no replies");
        struct message request = {0};
        char text[32];
        snprintf(text, sizeof text, "request #%d", ++requests);
        add_text(&request, text);
        check(try_send(client, &request), "send");

        zmq_pollitem_t item = {.socket = client, .events = ZMQ_POLLIN};
        while (received < wanted && zmq_poll(&item, 1, 10) == 1) {
            struct message reply = receive(client);
            int number;
            check(reply.count == 1 && sscanf(reply.frames[0].data, "request #%d", &number) == 1, "a text alone");
            check(number >= 1 && number <= requests, "a request of its own");
            snprintf(text, sizeof text, "request #%d", number);
            check(is(&reply.frames[0], text), "the text of the request");
            check(++replies[number] <= 4, "four replies at most");
            received++;
        }
    }
    printf("%d replies\n", wanted);
    zmq_close(client);
    zmq_ctx_term(context);
    return 0;
}
