// Peers of pathopub.rs, pathosub.rs and lvcache.rs: lvcache pub ENDPOINT, lvcache sub ENDPOINT TOPIC, or lvcache cache FRONTEND
// BACKEND.
//
// The publisher binds an XPUB, waits for a subscription, sends [000][Save Roger] to [009][Save Roger], and runs until it is
// killed. The subscriber prints one update of its topic and ends. The cache connects a SUB to the publisher and binds an XPUB; it
// passes updates on, and answers the subscription of a topic with the last value. Messages of any other form end each of them
// with status 1.

#define PROGRAM "lvcache.c"
#include "frames.h"

enum { TOPICS = 1000 };

static void publish(void *context, const char *endpoint)
{
    void *publisher = zmq_socket(context, ZMQ_XPUB);
    check(zmq_bind(publisher, endpoint) == 0, "bind");
    struct message subscription = receive(publisher);
    check(subscription.count == 1 && subscription.frames[0].data[0] == 1, "subscription");
    for (int topic = 0; topic < 10; topic++) {
        char text[16];
        snprintf(text, sizeof text, "%03d", topic);
        send_text(publisher, text, ZMQ_SNDMORE);
        send_text(publisher, "Save Roger", 0);
    }
    puts("sent");
    fflush(stdout);
    for (;;)
        receive(publisher);
}

static struct message update(void *subscriber)
{
    struct message message = receive(subscriber);
    check(message.count == 2 && message.frames[0].size == 3, "update");
    check(is(&message.frames[1], "Save Roger") || is(&message.frames[1], "Off with his head!"), "value");
    return message;
}

static void subscribe(void *context, const char *endpoint, const char *topic)
{
    void *subscriber = zmq_socket(context, ZMQ_SUB);
    check(zmq_setsockopt(subscriber, ZMQ_SUBSCRIBE, topic, strlen(topic)) == 0, "subscribe");
    check(zmq_connect(subscriber, endpoint) == 0, "connect");
    struct message message = update(subscriber);
    check(is(&message.frames[0], topic), "topic");
    puts(message.frames[1].data);
    zmq_close(subscriber);
}

static void cache(void *context, const char *from, const char *to)
{
    static struct message values[TOPICS];
    void *frontend = zmq_socket(context, ZMQ_SUB), *backend = zmq_socket(context, ZMQ_XPUB);
    int on = 1;
    check(zmq_setsockopt(backend, ZMQ_XPUB_VERBOSE, &on, sizeof on) == 0, "verbose");
    check(zmq_setsockopt(frontend, ZMQ_SUBSCRIBE, "", 0) == 0, "subscribe");
    check(zmq_bind(backend, to) == 0, "bind");
    check(zmq_connect(frontend, from) == 0, "connect");
    puts("ready");
    fflush(stdout);
    for (;;) {
        zmq_pollitem_t items[] = {{frontend, 0, ZMQ_POLLIN, 0}, {backend, 0, ZMQ_POLLIN, 0}};
        check(zmq_poll(items, 2, -1) > 0, "poll");
        struct message message = {0};
        if (items[0].revents & ZMQ_POLLIN) {
            message = update(frontend);
            values[atoi(message.frames[0].data) % TOPICS] = message;
        } else {
            struct message subscription = receive(backend);
            check(subscription.count == 1 && subscription.frames[0].size == 4, "subscription of a topic");
            if (subscription.frames[0].data[0] == 1)
                message = values[atoi(subscription.frames[0].data + 1) % TOPICS];
        }
        for (int frame = 0; frame < message.count; frame++)
            send_frame(backend, &message.frames[frame], frame + 1 < message.count ? ZMQ_SNDMORE : 0);
    }
}

int main(int argc, char **argv)
{
    check(argc >= 3, "arguments");
    void *context = zmq_ctx_new();
    if (strcmp(argv[1], "pub") == 0)
        publish(context, argv[2]);
    else if (strcmp(argv[1], "sub") == 0)
        subscribe(context, argv[2], argv[3]);
    else
        cache(context, argv[2], argv[3]);
    zmq_ctx_term(context);
    return 0;
}
