// Peers of suisnail.rs: suisnail pub ENDPOINT AGE, or suisnail sub ENDPOINT.
//
// The publisher binds an XPUB, waits for the subscription, sends the time in milliseconds since 1970, three times, and then a
// time that is AGE milliseconds old. It ends when the subscription ends. The subscriber takes five times, and ends with status 1
// if one is no number, smaller than the one before, or an hour off.

#define PROGRAM "suisnail.c"
#include "frames.h"

static long long since_1970(void)
{
    struct timespec now;
    check(clock_gettime(CLOCK_REALTIME, &now) == 0, "clock");
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static void publish(void *context, const char *endpoint, long long age)
{
    void *publisher = zmq_socket(context, ZMQ_XPUB);
    check(zmq_bind(publisher, endpoint) == 0, "bind");
    struct message subscription = receive(publisher);
    check(subscription.count == 1 && frame_is(subscription.frames, "\001", 1), "subscription to everything");
    for (int number = 0; number < 4; number++) {
        char text[32];
        snprintf(text, sizeof text, "%lld", since_1970() - (number == 3 ? age : 0));
        send_text(publisher, text, 0);
    }
    struct message end = receive(publisher);
    check(end.count == 1 && frame_is(end.frames, "\000", 1), "end of the subscription");
    puts("left");
    zmq_close(publisher);
}

static void subscribe(void *context, const char *endpoint)
{
    void *subscriber = zmq_socket(context, ZMQ_SUB);
    check(zmq_setsockopt(subscriber, ZMQ_SUBSCRIBE, "", 0) == 0, "subscribe");
    check(zmq_connect(subscriber, endpoint) == 0, "connect");
    long long before = 0;
    for (int number = 0; number < 5; number++) {
        struct message message = receive(subscriber);
        char *end;
        long long time = strtoll(message.frames[0].data, &end, 10);
        check(message.count == 1 && *end == 0 && time >= before, "time");
        check(llabs(since_1970() - time) < 3600 * 1000, "clock of the publisher");
        before = time;
    }
    puts("5 times");
    zmq_close(subscriber);
}

int main(int argc, char **argv)
{
    check(argc >= 3, "arguments");
    void *context = zmq_ctx_new();
    if (strcmp(argv[1], "pub") == 0)
        publish(context, argv[2], argc > 3 ? atoll(argv[3]) : 0);
    else
        subscribe(context, argv[2]);
    zmq_ctx_term(context);
    return 0;
}
