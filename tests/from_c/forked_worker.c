// forked_worker hire WORKERS JOBS [PROGRAM] | work ENDPOINT: a worker is a fork, with a context of its own, or a PROGRAM.

#include "peer.h"
#include <sys/wait.h>

static int work(const char *endpoint)
{
    char text[LINE];
    void *context = check_handle(zmq_ctx_new(), "zmq_ctx_new");
    void *boss = check_handle(zmq_socket(context, ZMQ_REQ), "zmq_socket");
    check(zmq_connect(boss, endpoint), "zmq_connect");
    send_text(boss, "ready", 0);
    while (receive_text(boss, text)) {
        long number = atol(text);
        snprintf(text, sizeof text, "%ld", number * number);
        send_text(boss, text, 0);
    }
    zmq_close(boss);
    zmq_ctx_term(context);
    return 0;
}

static int hire(int workers, long count, const char *program)
{
    char text[LINE], endpoint[LINE];
    size_t size = sizeof endpoint;
    void *context = check_handle(zmq_ctx_new(), "zmq_ctx_new");
    void *boss = check_handle(zmq_socket(context, ZMQ_REP), "zmq_socket");
    check(zmq_bind(boss, "tcp://127.0.0.1:*"), "zmq_bind");
    check(zmq_getsockopt(boss, ZMQ_LAST_ENDPOINT, endpoint, &size), "zmq_getsockopt");
    for (int i = 0; i < workers; i++) {
        if (check(fork(), "fork"))
            continue;
        if (program) {
            execl(program, program, "work", endpoint, (char *) NULL);
            check(-1, "execl");
        }
        // The child does not touch the parent's context and sockets, and runs no atexit handler of the parent.
        _exit(work(endpoint));
    }
    long sum = 0, given = 0;
    for (int working = workers; working > 0;) {
        receive_text(boss, text);
        // "ready" is 0.
        sum += atol(text);
        text[0] = 0;
        if (given < count)
            snprintf(text, sizeof text, "%ld", ++given);
        else
            working--;
        send_text(boss, text, 0);
    }
    for (int i = 0; i < workers; i++) {
        int status;
        if (wait(&status) == -1 || status)
            return 1;
    }
    printf("the squares of 1 to %ld add up to %ld\n", count, sum);
    zmq_close(boss);
    zmq_ctx_term(context);
    return 0;
}

int main(int argc, char **argv)
{
    begin();
    if (argc == 3 && !strcmp(argv[1], "work"))
        return work(argv[2]);
    if ((argc == 4 || argc == 5) && !strcmp(argv[1], "hire"))
        return hire(atoi(argv[2]), atol(argv[3]), argc == 5 ? argv[4] : NULL);
    return 2;
}
