// Lazy Pirate server for lpclient.rs: lpserver ENDPOINT MUTE COUNT. Does not answer the first MUTE requests, echoes COUNT
// requests and leaves. It prints each request. A request that is no number in one frame, that is repeated over the same
// socket, or that follows an answered one and is not the next number, ends it with status 1.

#define PROGRAM "lpserver.c"
#include "frames.h"

int main(int argc, char **argv)
{
    check(argc == 4, "arguments");
    int mute = atoi(argv[2]), count = atoi(argv[3]), answered = 0;
    void *context = zmq_ctx_new();
    void *server = zmq_socket(context, ZMQ_ROUTER);
    check(zmq_bind(server, argv[1]) == 0, "bind");

    struct frame last = {0};
    while (answered < count) {
        struct message request = receive(server);
        check(request.count == 3, "number of frames");
        check(is(&request.frames[1], ""), "empty frame");
        check(atoi(request.frames[2].data) == answered + 1, "sequence number");
        printf("request %s\n", request.frames[2].data);
        fflush(stdout);
        struct frame *client = &request.frames[0];
        if (mute > 0) {
            mute--;
            check(!frame_is(client, last.data, last.size), "a new socket for each try");
            last = *client;
            continue;
        }
        send_frame(server, client, ZMQ_SNDMORE);
        send_text(server, "", ZMQ_SNDMORE);
        send_frame(server, &request.frames[2], 0);
        answered++;
    }
    zmq_close(server);
    zmq_ctx_term(context);
    return 0;
}
