// Worker of lbbroker.rs, lbbroker2.rs and lbbroker3.rs: lbworker BACKEND READY COUNT. Sends READY (or the byte 1, if READY
// is 1), answers COUNT requests and leaves. Any request except [address][][HELLO] ends it with status 1.

#define PROGRAM "lbworker.c"
#include "frames.h"

int main(int argc, char **argv)
{
    check(argc == 4, "arguments");
    void *context = zmq_ctx_new();
    void *worker = zmq_socket(context, ZMQ_REQ);
    check(zmq_connect(worker, argv[1]) == 0, "connect");

    send_text(worker, ready_sign(argv[2]), 0);
    for (int number = atoi(argv[3]); number > 0; number--) {
        struct message request = receive(worker);
        check(request.count == 3, "number of frames");
        check(request.frames[0].size > 0, "address of the client");
        check(is(&request.frames[1], ""), "empty frame");
        check(is(&request.frames[2], "HELLO"), "text of the request");
        puts("Worker: HELLO");
        fflush(stdout);
        send_frame(worker, &request.frames[0], ZMQ_SNDMORE);
        send_text(worker, "", ZMQ_SNDMORE);
        send_text(worker, "OK", 0);
    }
    zmq_close(worker);
    zmq_ctx_term(context);
    return 0;
}
