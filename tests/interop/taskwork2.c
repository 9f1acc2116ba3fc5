// Peer of taskvent.rs and tasksink2.rs: taskwork2 VENTILATOR SINK CONTROLLER. Takes tasks, waits as many milliseconds
// as each says and sends the sink an empty frame, until the controller sends [KILL]. Any other message of the
// controller's, and a task that is no number, end it with status 1.

#define PROGRAM "taskwork2.c"
#include "frames.h"

#include <poll.h>

int main(int argc, char **argv)
{
    check(argc == 4, "arguments");
    void *context = zmq_ctx_new();
    void *receiver = zmq_socket(context, ZMQ_PULL);
    void *sender = zmq_socket(context, ZMQ_PUSH);
    void *controller = zmq_socket(context, ZMQ_SUB);
    check(zmq_setsockopt(controller, ZMQ_SUBSCRIBE, "", 0) == 0, "subscribe");
    check(zmq_connect(controller, argv[3]) == 0, "connect to the controller");
    check(zmq_connect(sender, argv[2]) == 0, "connect to the sink");
    check(zmq_connect(receiver, argv[1]) == 0, "connect to the ventilator");

    for (;;) {
        zmq_pollitem_t items[] = {{receiver, 0, ZMQ_POLLIN, 0}, {controller, 0, ZMQ_POLLIN, 0}};
        check(zmq_poll(items, 2, -1) > 0, "poll");
        if (items[0].revents & ZMQ_POLLIN) {
            char task[16] = "";
            int size = zmq_recv(receiver, task, sizeof task - 1, 0);
            check(size > 0 && size <= 3, "size of the task");
            check(strspn(task, "0123456789") == (size_t) size, "text of the task");
            check(!has_more(receiver), "number of frames");
            printf("%s.", task);
            poll(NULL, 0, atoi(task));
            check(zmq_send(sender, "", 0, 0) == 0, "result");
        }
        if (items[1].revents & ZMQ_POLLIN) {
            char word[16];
            check(zmq_recv(controller, word, sizeof word, 0) == 4, "size of the end");
            check(memcmp(word, "KILL", 4) == 0, "text of the end");
            check(!has_more(controller), "number of frames");
            break;
        }
    }
    zmq_close(receiver);
    zmq_close(sender);
    zmq_close(controller);
    zmq_ctx_term(context);
    return 0;
}
