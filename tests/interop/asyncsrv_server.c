// Peer of asyncsrv.rs: asyncsrv_server ENDPOINT CLIENTS COUNT. A ROUTER takes requests until each of CLIENTS clients has
// sent COUNT of them: the client's printable id and "request #N", without a delimiter and numbered from 1 on. Each is
// answered twice. Prints the ids.

#define PROGRAM "asyncsrv_server.c"
#include "peering.h"

enum { MAX_CLIENTS = 16 };

static int is_id(const struct frame *frame)
{
    unsigned first, second;
    char again[16];
    if (frame->size != 9 || sscanf(frame->data, "%4X-%4X", &first, &second) != 2)
        return 0;
    snprintf(again, sizeof again, "%04X-%04X", first, second);
    return is(frame, again);
}

int main(int argc, char **argv)
{
    alarm(DEADLINE_S);
    check(argc == 4, "arguments");
    int clients = atoi(argv[2]), count = atoi(argv[3]);
    void *context = zmq_ctx_new();
    void *server = open_socket(context, ZMQ_ROUTER, NULL, 0);
    check(zmq_bind(server, argv[1]) == 0, "bind");

    struct frame ids[MAX_CLIENTS];
    int known = 0, done = 0, requests[MAX_CLIENTS] = {0};
    while (done < clients) {
        struct message request = receive(server);
        check(request.count == 2, "an id and a text");
        check(is_id(&request.frames[0]), "an id that can be printed");
        int client = 0;
        while (client < known && !frame_is(&ids[client], request.frames[0].data, request.frames[0].size))
            client++;
        if (client == known) {
            check(known < clients, "number of clients");
            ids[known++] = request.frames[0];
            printf("%s\n", request.frames[0].data);
            fflush(stdout);
        }
        char text[32];
        snprintf(text, sizeof text, "request #%d", ++requests[client]);
        check(is(&request.frames[1], text), "requests numbered in turn");
        check(try_send(server, &request) && try_send(server, &request), "two replies");
        done += requests[client] == count;
    }
    // Messages that are under way arrive before this ends.
    check(zmq_setsockopt(server, ZMQ_LINGER, &(int){10000}, sizeof(int)) == 0, "linger");
    zmq_close(server);
    zmq_ctx_term(context);
    return 0;
}
