// Server of the freelance models, for flclient1.rs, flclient2.rs and flclient3.rs: flserver MODEL BIND CONNECT COUNT PINGS.
// Answers COUNT requests, and in model 3 PINGS pings, and leaves. Model 1 (REP) echoes [Hello world], model 2 (REP) answers
// [sequence][random name] with [sequence][OK]. Model 3 is a ROUTER whose routing id is CONNECT; it answers [PING] with [PONG] and
// [sequence][random name] with [sequence][OK]. A message of any other form ends it with status 1.

#define PROGRAM "flserver.c"
#include "frames.h"

int main(int argc, char **argv)
{
    check(argc == 6, "arguments");
    int model = atoi(argv[1]), count = atoi(argv[4]), pings = atoi(argv[5]);
    void *context = zmq_ctx_new();
    void *server = zmq_socket(context, model == 3 ? ZMQ_ROUTER : ZMQ_REP);
    if (model == 3)
        check(zmq_setsockopt(server, ZMQ_ROUTING_ID, argv[3], strlen(argv[3])) == 0, "routing id");
    check(zmq_bind(server, argv[2]) == 0, "bind");
    puts("ready");
    fflush(stdout);

    while (count > 0 || pings > 0) {
        struct message request = receive(server);
        struct frame *frames = request.frames;
        int left = request.count;
        if (model == 3) {
            check(left >= 2, "number of frames");
            send_frame(server, frames++, ZMQ_SNDMORE);
            left--;
        }
        if (model == 1) {
            check(left == 1 && is(frames, "Hello world"), "request of model 1");
            send_frame(server, frames, 0);
            count--;
        } else if (left == 1) {
            check(model == 3 && is(frames, "PING"), "ping");
            send_text(server, "PONG", 0);
            pings--;
        } else {
            check(left == 2 && atoi(frames[0].data) > 0 && is(&frames[1], "random name"), "request");
            send_frame(server, frames, ZMQ_SNDMORE);
            send_text(server, "OK", 0);
            count--;
        }
    }
    zmq_close(server);
    zmq_ctx_term(context);
    return 0;
}
