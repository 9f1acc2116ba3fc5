// chat bind ENDPOINT | connect ENDPOINT: a poll of standard input and a PAIR.

#include "peer.h"

int main(int argc, char **argv)
{
    begin();
    if (argc != 3)
        return 2;
    void *context = check_handle(zmq_ctx_new(), "zmq_ctx_new");
    void *other = check_handle(zmq_socket(context, ZMQ_PAIR), "zmq_socket");
    set_int(other, ZMQ_LINGER, 5000);
    if (!strcmp(argv[1], "bind"))
        bind_and_print(other, argv[2]);
    else
        check(zmq_connect(other, argv[2]), "zmq_connect");

    zmq_pollitem_t items[] = {{NULL, STDIN_FILENO, ZMQ_POLLIN, 0}, {other, 0, ZMQ_POLLIN, 0}};
    for (;;) {
        char text[LINE];
        check(zmq_poll(items, 2, -1), "zmq_poll");
        if (items[1].revents) {
            if (!receive_text(other, text)) {
                puts("(the other has left)");
                break;
            }
            printf("> %s\n", text);
        }
        if (items[0].revents) {
            // A line at a time, without the buffer of stdio.
            int size = 0;
            while (size < LINE && read(STDIN_FILENO, text + size, 1) == 1 && text[size] != '\n')
                size++;
            check(zmq_send(other, text, size, 0), "zmq_send");
            if (!size)
                break;
        }
    }
    zmq_close(other);
    zmq_ctx_term(context);
    return 0;
}
