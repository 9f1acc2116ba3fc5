// Helpers of the C programs in this folder. Each call is checked, and each program has a deadline.

#include <zmq.h>

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DEADLINE_S = 60, LINE = 256 };

static inline int check(int rc, const char *call)
{
    if (rc == -1) {
        fprintf(stderr, "%s: %s\n", call, zmq_strerror(errno));
        exit(1);
    }
    return rc;
}

static inline void *check_handle(void *handle, const char *call)
{
    if (!handle)
        check(-1, call);
    return handle;
}

static inline void begin(void)
{
    alarm(DEADLINE_S);
    setvbuf(stdout, NULL, _IOLBF, 0);
}

static inline void set_int(void *socket, int option, int value)
{
    check(zmq_setsockopt(socket, option, &value, sizeof value), "zmq_setsockopt");
}

// Binds to a port that the system chooses, and prints the endpoint.
static inline void bind_and_print(void *socket, const char *endpoint)
{
    char bound[LINE];
    size_t size = sizeof bound;
    check(zmq_bind(socket, endpoint), "zmq_bind");
    check(zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, bound, &size), "zmq_getsockopt");
    printf("bound %s\n", bound);
}

static inline void send_text(void *socket, const char *text, int flags)
{
    check(zmq_send(socket, text, strlen(text), flags), "zmq_send");
}

// Receives a part as a text with a NUL. Returns its length.
static inline int receive_text(void *socket, char text[LINE])
{
    int size = check(zmq_recv(socket, text, LINE - 1, 0), "zmq_recv");
    if (size >= LINE)
        exit(1);
    text[size] = 0;
    return size;
}
