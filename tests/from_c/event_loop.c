// event_loop bind COUNT | connect ENDPOINT COUNT: ZMQ_FD in an edge-triggered epoll.

#include "peer.h"
#include <sys/epoll.h>

static int events_of(void *socket)
{
    int events;
    size_t size = sizeof events;
    check(zmq_getsockopt(socket, ZMQ_EVENTS, &events, &size), "zmq_getsockopt");
    return events;
}

int main(int argc, char **argv)
{
    begin();
    if (argc != 3 && argc != 4)
        return 2;
    int count = atoi(argv[argc - 1]);
    void *context = check_handle(zmq_ctx_new(), "zmq_ctx_new");
    void *socket = check_handle(zmq_socket(context, ZMQ_PAIR), "zmq_socket");
    set_int(socket, ZMQ_LINGER, 5000);
    set_int(socket, ZMQ_SNDHWM, 10);
    set_int(socket, ZMQ_RCVHWM, 10);
    if (argc == 3)
        bind_and_print(socket, "tcp://127.0.0.1:*");
    else
        check(zmq_connect(socket, argv[2]), "zmq_connect");

    int fd, loop = check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
    size_t size = sizeof fd;
    check(zmq_getsockopt(socket, ZMQ_FD, &fd, &size), "zmq_getsockopt");
    struct epoll_event event = {.events = EPOLLIN | EPOLLET};
    check(epoll_ctl(loop, EPOLL_CTL_ADD, fd, &event), "epoll_ctl");

    int sent = 0, received = 0;
    for (;;) {
        for (;;) {
            char text[LINE], expected[LINE];
            int events = events_of(socket);
            if (events & ZMQ_POLLIN) {
                receive_text(socket, text);
                snprintf(expected, sizeof expected, "%d", received++);
                if (strcmp(text, expected))
                    return 1;
            } else if ((events & ZMQ_POLLOUT) && sent < count) {
                snprintf(text, sizeof text, "%d", sent++);
                send_text(socket, text, ZMQ_DONTWAIT);
            } else
                break;
        }
        if (sent == count && received == count)
            break;
        check(epoll_wait(loop, &event, 1, -1), "epoll_wait");
    }
    printf("sent %d, received %d\n", sent, received);
    close(loop);
    zmq_close(socket);
    zmq_ctx_term(context);
    return 0;
}
