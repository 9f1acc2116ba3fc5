// Peer of rtdealer_v2.rs, in either role:
//
//   rtscatter worker ENDPOINT ID       a DEALER of that id, which counts tasks until the end is announced
//   rtscatter router ENDPOINT A B      a ROUTER that sends A tasks to the worker A and B to the worker B, and then the end
//
// A task is [This is the workload], the end [END]. Any other message ends a worker with status 1.

#define PROGRAM "rtscatter.c"
#include "frames.h"

#include <errno.h>

enum { PATIENCE_MS = 30000 };

static void work(void *context, const char *endpoint, const char *id)
{
    void *worker = zmq_socket(context, ZMQ_DEALER);
    check(zmq_setsockopt(worker, ZMQ_ROUTING_ID, id, strlen(id)) == 0, "routing id");
    check(zmq_connect(worker, endpoint) == 0, "connect");
    int total = 0;
    for (;;) {
        struct message task = receive(worker);
        check(task.count == 1, "number of frames");
        if (is(&task.frames[0], "END"))
            break;
        check(is(&task.frames[0], "This is the workload"), "text of a task");
        total++;
    }
    check(is_quiet(worker, 100), "nothing after the end");
    printf("%s received: %d\n", id, total);
    zmq_close(worker);
}

// Waits until the worker of that id has connected.
static void scatter(void *router, const char *id, const char *text)
{
    int waited = 0;
    while (zmq_send(router, id, 1, ZMQ_SNDMORE) == -1) {
        check(zmq_errno() == EHOSTUNREACH && waited++ < PATIENCE_MS, "a worker");
        zmq_poll(NULL, 0, 1);
    }
    send_text(router, text, 0);
}

static void hand_out(void *context, const char *endpoint, int for_a, int for_b)
{
    int yes = 1;
    void *router = zmq_socket(context, ZMQ_ROUTER);
    check(zmq_setsockopt(router, ZMQ_ROUTER_MANDATORY, &yes, sizeof yes) == 0, "mandatory");
    check(zmq_bind(router, endpoint) == 0, "bind");
    while (for_a-- > 0)
        scatter(router, "A", "This is the workload");
    while (for_b-- > 0)
        scatter(router, "B", "This is the workload");
    scatter(router, "A", "END");
    scatter(router, "B", "END");
    check(is_quiet(router, 100), "workers that do not reply");
    zmq_close(router);
}

int main(int argc, char **argv)
{
    check(argc >= 4, "arguments");
    void *context = zmq_ctx_new();
    if (strcmp(argv[1], "worker") == 0) {
        work(context, argv[2], argv[3]);
    } else {
        check(argc == 5, "arguments");
        hand_out(context, argv[2], atoi(argv[3]), atoi(argv[4]));
    }
    zmq_ctx_term(context);
    return 0;
}
