// Peer of dechat.rs: dechat BIND CONNECT NAME. Binds a PUB and connects a SUB to one other peer. Says "NAME: hello" every 20 ms
// until it has heard a message of the other, prints that, says "NAME: bye" for a second, and ends.

#define PROGRAM "dechat.c"
#include "frames.h"

static void say(void *publisher, const char *name, const char *text)
{
    char line[64];
    snprintf(line, sizeof line, "%s: %s\n", name, text);
    send_text(publisher, line, 0);
}

int main(int argc, char **argv)
{
    check(argc == 4, "arguments");
    void *context = zmq_ctx_new();
    void *publisher = zmq_socket(context, ZMQ_PUB), *subscriber = zmq_socket(context, ZMQ_SUB);
    check(zmq_setsockopt(subscriber, ZMQ_SUBSCRIBE, "", 0) == 0, "subscribe");
    check(zmq_bind(publisher, argv[1]) == 0, "bind");
    check(zmq_connect(subscriber, argv[2]) == 0, "connect");
    while (is_quiet(subscriber, 20))
        say(publisher, argv[3], "hello");
    struct message message = receive(subscriber);
    size_t size = message.frames[0].size;
    check(message.count == 1 && size > 0 && message.frames[0].data[size - 1] == '\n', "message");
    fputs(message.frames[0].data, stdout);
    fflush(stdout);
    for (long end = now_ms() + 1000; now_ms() < end;) {
        say(publisher, argv[3], "bye");
        struct timespec pause = {0, 20 * 1000000};
        nanosleep(&pause, NULL);
    }
    zmq_close(publisher);
    zmq_close(subscriber);
    zmq_ctx_term(context);
    return 0;
}
