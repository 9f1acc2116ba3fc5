// Worker of the simple or the paranoid pirate, for spqueue.rs and ppqueue.rs:
// pirate_worker simple|paranoid BACKEND COUNT BEATS INTERVAL. Says that it is ready, echoes requests, and leaves after COUNT of
// them and BEATS heartbeats of the queue. A paranoid worker sends a heartbeat every INTERVAL milliseconds. It prints each
// request. A message of any other form ends it with status 1.

#define PROGRAM "pirate_worker.c"
#include "frames.h"

int main(int argc, char **argv)
{
    check(argc == 6, "arguments");
    int paranoid = strcmp(argv[1], "paranoid") == 0;
    int count = atoi(argv[3]), beats = atoi(argv[4]);
    void *context = zmq_ctx_new();
    void *worker = zmq_socket(context, paranoid ? ZMQ_DEALER : ZMQ_REQ);
    check(zmq_connect(worker, argv[2]) == 0, "connect");
    send_text(worker, "\001", 0);

    while (count > 0 || beats > 0) {
        if (is_quiet(worker, paranoid ? atol(argv[5]) : -1)) {
            send_text(worker, "\002", 0);
            continue;
        }
        struct message message = receive(worker);
        if (message.count == 1) {
            check(paranoid && is(&message.frames[0], "\002"), "signal of the queue");
            beats--;
            send_text(worker, "\002", 0);
            continue;
        }
        check(message.count == 3 && message.frames[0].size > 0, "address of the client");
        check(message.frames[1].size == 0, "empty frame");
        check(atoi(message.frames[2].data) > 0, "text of the request");
        printf("request %s\n", message.frames[2].data);
        fflush(stdout);
        send_frame(worker, &message.frames[0], ZMQ_SNDMORE);
        send_text(worker, "", ZMQ_SNDMORE);
        send_frame(worker, &message.frames[2], 0);
        count--;
    }
    zmq_close(worker);
    zmq_ctx_term(context);
    return 0;
}
