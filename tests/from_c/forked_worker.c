// forked_worker hire WORKERS JOBS [PROGRAM] | work JOBS RESULTS: a worker is a fork, with a context of its own, or a PROGRAM.

#include "peer.h"
#include <sys/wait.h>

static int work(const char *jobs_endpoint, const char *results_endpoint)
{
    char text[LINE];
    void *context = check_handle(zmq_ctx_new(), "zmq_ctx_new");
    void *jobs = check_handle(zmq_socket(context, ZMQ_PULL), "zmq_socket");
    void *results = check_handle(zmq_socket(context, ZMQ_PUSH), "zmq_socket");
    check(zmq_connect(jobs, jobs_endpoint), "zmq_connect");
    check(zmq_connect(results, results_endpoint), "zmq_connect");
    send_text(results, "ready", 0);
    while (receive_text(jobs, text)) {
        long number = atol(text);
        snprintf(text, sizeof text, "%ld", number * number);
        send_text(results, text, 0);
    }
    zmq_close(jobs);
    zmq_close(results);
    zmq_ctx_term(context);
    return 0;
}

static void endpoint_of(void *socket, char endpoint[LINE])
{
    size_t size = LINE;
    check(zmq_bind(socket, "tcp://127.0.0.1:*"), "zmq_bind");
    check(zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, endpoint, &size), "zmq_getsockopt");
}

static int hire(int workers, long count, const char *program)
{
    char text[LINE], jobs_endpoint[LINE], results_endpoint[LINE];
    void *context = check_handle(zmq_ctx_new(), "zmq_ctx_new");
    void *jobs = check_handle(zmq_socket(context, ZMQ_PUSH), "zmq_socket");
    void *results = check_handle(zmq_socket(context, ZMQ_PULL), "zmq_socket");
    endpoint_of(jobs, jobs_endpoint);
    endpoint_of(results, results_endpoint);
    for (int i = 0; i < workers; i++) {
        if (check(fork(), "fork"))
            continue;
        if (program) {
            execl(program, program, "work", jobs_endpoint, results_endpoint, (char *) NULL);
            check(-1, "execl");
        }
        // The child does not touch the parent's context and sockets, and runs no atexit handler of the parent.
        _exit(work(jobs_endpoint, results_endpoint));
    }
    long sum = 0;
    for (int i = 0; i < workers; i++)
        receive_text(results, text);
    for (long job = 1; job <= count; job++) {
        snprintf(text, sizeof text, "%ld", job);
        send_text(jobs, text, 0);
    }
    for (long job = 1; job <= count; job++) {
        receive_text(results, text);
        sum += atol(text);
    }
    for (int i = 0; i < workers; i++)
        send_text(jobs, "", 0);
    for (int i = 0; i < workers; i++) {
        int status;
        if (wait(&status) == -1 || status)
            return 1;
    }
    printf("the squares of 1 to %ld add up to %ld\n", count, sum);
    zmq_close(jobs);
    zmq_close(results);
    zmq_ctx_term(context);
    return 0;
}

int main(int argc, char **argv)
{
    begin();
    if (argc == 4 && !strcmp(argv[1], "work"))
        return work(argv[2], argv[3]);
    if ((argc == 4 || argc == 5) && !strcmp(argv[1], "hire"))
        return hire(atoi(argv[2]), atol(argv[3]), argc == 5 ? argv[4] : NULL);
    return 2;
}
