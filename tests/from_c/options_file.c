// options_file FILE: as the program in Rust, with a table of the options that it knows.

#include "peer.h"

static const struct {
    const char *name;
    int number;
} OPTIONS[] = {{"linger", ZMQ_LINGER}, {"sndhwm", ZMQ_SNDHWM}, {"rcvhwm", ZMQ_RCVHWM}};

static void apply(void *socket, const char *name, const char *value)
{
    if (!strcmp(name, "bind"))
        bind_and_print(socket, value);
    else if (!strcmp(name, "connect"))
        check(zmq_connect(socket, value), "zmq_connect");
    else {
        size_t i = 0;
        while (strcmp(OPTIONS[i].name, name))
            if (++i == sizeof OPTIONS / sizeof OPTIONS[0]) {
                errno = EINVAL;
                check(-1, name);
            }
        set_int(socket, OPTIONS[i].number, atoi(value));
    }
}

int main(int argc, char **argv)
{
    begin();
    FILE *file = argc == 2 ? fopen(argv[1], "r") : NULL;
    if (!file)
        return 2;
    void *context = check_handle(zmq_ctx_new(), "zmq_ctx_new"), *socket = NULL;
    char line[LINE], name[LINE], value[LINE];
    int sends = 0;
    while (fgets(line, sizeof line, file)) {
        if (sscanf(line, "%255s = %255s", name, value) != 2)
            continue;
        if (strcmp(name, "type"))
            apply(socket, name, value);
        else {
            sends = !strcmp(value, "PUSH");
            socket = check_handle(zmq_socket(context, sends ? ZMQ_PUSH : ZMQ_PULL), "zmq_socket");
        }
    }
    fclose(file);
    if (sends) {
        while (fgets(line, sizeof line, stdin))
            check(zmq_send(socket, line, strlen(line) - 1, 0), "zmq_send");
        send_text(socket, "", 0);
    } else
        while (receive_text(socket, line))
            puts(line);
    zmq_close(socket);
    zmq_ctx_term(context);
    return 0;
}
