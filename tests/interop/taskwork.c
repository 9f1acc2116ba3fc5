// Peer of taskvent.rs and tasksink.rs: taskwork VENTILATOR SINK. Takes tasks, waits as many milliseconds as each says
// and sends the sink an empty frame, until it is killed. A task that is no number ends it with status 1.

#define PROGRAM "taskwork.c"
#include "frames.h"

#include <poll.h>

int main(int argc, char **argv)
{
    check(argc == 3, "arguments");
    void *context = zmq_ctx_new();
    void *receiver = zmq_socket(context, ZMQ_PULL);
    void *sender = zmq_socket(context, ZMQ_PUSH);
    check(zmq_connect(receiver, argv[1]) == 0, "connect to the ventilator");
    check(zmq_connect(sender, argv[2]) == 0, "connect to the sink");

    for (;;) {
        char task[16] = "";
        int size = zmq_recv(receiver, task, sizeof task - 1, 0);
        check(size > 0 && size <= 3, "size of the task");
        check(strspn(task, "0123456789") == (size_t) size, "text of the task");
        check(!has_more(receiver), "number of frames");
        printf("%s.", task);
        fflush(stdout);
        poll(NULL, 0, atoi(task));
        check(zmq_send(sender, "", 0, 0) == 0, "result");
    }
}
