// Peer of taskvent.rs and taskwork.rs: tasksink ENDPOINT. Receives one start message [0] and 100 empty results, and
// prints a line when it has them. The two come over different connections, so it takes them in any order; any other
// frame ends it with status 1.

#define PROGRAM "tasksink.c"
#include "frames.h"

int main(int argc, char **argv)
{
    check(argc == 2, "arguments");
    void *context = zmq_ctx_new();
    void *receiver = zmq_socket(context, ZMQ_PULL);
    check(zmq_bind(receiver, argv[1]) == 0, "bind");

    int starts = 0, results = 0;
    while (starts + results < 101) {
        struct message message = receive(receiver);
        check(message.count == 1, "number of frames");
        int is_start = is(&message.frames[0], "0");
        check(is_start || is(&message.frames[0], ""), "start message or result");
        starts += is_start;
        results += !is_start;
    }
    check(starts == 1, "number of start messages");
    printf("%d results\n", results);
    zmq_close(receiver);
    zmq_ctx_term(context);
    return 0;
}
