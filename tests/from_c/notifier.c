// notifier listen COUNT | send ENDPOINT: a context in a static, and a socket for each thread.

#include "peer.h"
#include <pthread.h>

static void *context;
static const char *listener;
static __thread void *socket_of_thread;

static void end_context(void)
{
    zmq_ctx_term(context);
}

static void notify(const char *name, const char *what)
{
    char text[LINE];
    if (!socket_of_thread) {
        socket_of_thread = check_handle(zmq_socket(context, ZMQ_PUSH), "zmq_socket");
        check(zmq_connect(socket_of_thread, listener), "zmq_connect");
    }
    snprintf(text, sizeof text, "%s %s", name, what);
    send_text(socket_of_thread, text, 0);
}

static void *work(void *name)
{
    notify(name, "has begun");
    notify(name, "is done");
    // If a thread forgets this, end_context waits for ever.
    zmq_close(socket_of_thread);
    return NULL;
}

int main(int argc, char **argv)
{
    begin();
    context = check_handle(zmq_ctx_new(), "zmq_ctx_new");
    atexit(end_context);
    if (argc == 3 && !strcmp(argv[1], "listen")) {
        void *sink = check_handle(zmq_socket(context, ZMQ_PULL), "zmq_socket");
        bind_and_print(sink, "tcp://127.0.0.1:*");
        for (int left = atoi(argv[2]); left > 0; left--) {
            char text[LINE];
            receive_text(sink, text);
            puts(text);
        }
        zmq_close(sink);
        return 0;
    }
    if (argc != 3 || strcmp(argv[1], "send"))
        return 2;
    listener = argv[2];
    char *names[] = {"alpha", "beta", "gamma"};
    pthread_t threads[3];
    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, work, names[i]);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    return 0;
}
