// Peer of taskwork.rs and tasksink.rs: taskvent WORKERS SINK LONGEST. Binds WORKERS, connects to SINK, waits for Enter,
// then sends [0] to the sink and 100 tasks of 1 to LONGEST milliseconds to the workers.

#define PROGRAM "taskvent.c"
#include "frames.h"

int main(int argc, char **argv)
{
    check(argc == 4, "arguments");
    int longest = atoi(argv[3]);
    void *context = zmq_ctx_new();
    void *workers = zmq_socket(context, ZMQ_PUSH);
    void *sink = zmq_socket(context, ZMQ_PUSH);
    check(zmq_bind(workers, argv[1]) == 0, "bind");
    check(zmq_connect(sink, argv[2]) == 0, "connect");

    getchar();
    check(zmq_send(sink, "0", 1, 0) == 1, "start");
    int total = 0;
    for (int number = 0; number < 100; number++) {
        int workload = 1 + number % longest;
        char task[16];
        int length = snprintf(task, sizeof task, "%d", workload);
        check(zmq_send(workers, task, (size_t) length, 0) == length, "task");
        total += workload;
    }
    printf("Total expected cost: %d msec\n", total);
    zmq_close(sink);
    zmq_close(workers);
    zmq_ctx_term(context);
    return 0;
}
