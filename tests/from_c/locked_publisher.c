// locked_publisher publish THREADS COUNT | subscribe ENDPOINT: a global publisher and its mutex.

#include "peer.h"
#include <pthread.h>

enum { MOST_THREADS = 16 };

static void *publisher;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int count;

static void *publish(void *thread)
{
    for (int number = 0; number < count; number++) {
        char text[LINE];
        pthread_mutex_lock(&lock);
        send_text(publisher, "news", ZMQ_SNDMORE);
        snprintf(text, sizeof text, "%d", (int) (intptr_t) thread);
        send_text(publisher, text, ZMQ_SNDMORE);
        snprintf(text, sizeof text, "%d", number);
        send_text(publisher, text, 0);
        pthread_mutex_unlock(&lock);
    }
    return NULL;
}

static void publish_all(int threads)
{
    pthread_t publishing[MOST_THREADS];
    char subscription[LINE];
    set_int(publisher, ZMQ_SNDHWM, 0);
    bind_and_print(publisher, "tcp://127.0.0.1:*");
    receive_text(publisher, subscription);
    printf("subscribed %s\n", subscription + 1);
    for (int i = 0; i < threads; i++)
        pthread_create(&publishing[i], NULL, publish, (void *) (intptr_t) i);
    for (int i = 0; i < threads; i++)
        pthread_join(publishing[i], NULL);
    send_text(publisher, "news", 0);
}

static int more(void *socket)
{
    int more;
    size_t size = sizeof more;
    check(zmq_getsockopt(socket, ZMQ_RCVMORE, &more, &size), "zmq_getsockopt");
    return more;
}

static void subscribe(void *subscriber, const char *endpoint)
{
    int next[MOST_THREADS] = {0}, threads = 0, all = 0;
    char text[LINE];
    set_int(subscriber, ZMQ_RCVHWM, 0);
    check(zmq_setsockopt(subscriber, ZMQ_SUBSCRIBE, "news", 4), "zmq_setsockopt");
    check(zmq_connect(subscriber, endpoint), "zmq_connect");
    for (;;) {
        receive_text(subscriber, text);
        if (strcmp(text, "news"))
            exit(1);
        if (!more(subscriber))
            break;
        receive_text(subscriber, text);
        int thread = atoi(text);
        if (thread < 0 || thread >= MOST_THREADS || !more(subscriber))
            exit(1);
        receive_text(subscriber, text);
        if (atoi(text) != next[thread]++ || more(subscriber))
            exit(1);
        threads = thread >= threads ? thread + 1 : threads;
        all++;
    }
    printf("%d whole messages of %d threads\n", all, threads);
}

int main(int argc, char **argv)
{
    begin();
    void *context = check_handle(zmq_ctx_new(), "zmq_ctx_new");
    void *socket;
    if (argc == 4 && !strcmp(argv[1], "publish") && atoi(argv[2]) <= MOST_THREADS) {
        count = atoi(argv[3]);
        socket = publisher = check_handle(zmq_socket(context, ZMQ_XPUB), "zmq_socket");
        publish_all(atoi(argv[2]));
    } else if (argc == 3 && !strcmp(argv[1], "subscribe")) {
        socket = check_handle(zmq_socket(context, ZMQ_SUB), "zmq_socket");
        subscribe(socket, argv[2]);
    } else
        return 2;
    zmq_close(socket);
    zmq_ctx_term(context);
    return 0;
}
