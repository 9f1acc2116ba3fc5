// Peer of the proxy of espresso.rs: espressopub ENDPOINT. Waits for the subscriptions to A and B, which the proxy must
// forward, publishes messages that match and messages that do not, and waits for the end of both subscriptions. Any other
// frame ends it with status 1.

#define PROGRAM "espressopub.c"
#include "frames.h"

static void expect(void *publisher, char first, char topic)
{
    char frame[8];
    check(zmq_recv(publisher, frame, sizeof frame, 0) == 2, "size of the subscription");
    check(!has_more(publisher), "number of frames");
    check(frame[0] == first && frame[1] == topic, "subscription");
    printf("%02X%02X\n", frame[0], frame[1]);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    check(argc == 2, "arguments");
    void *context = zmq_ctx_new();
    void *publisher = zmq_socket(context, ZMQ_XPUB);
    check(zmq_bind(publisher, argv[1]) == 0, "bind");
    expect(publisher, 1, 'A');
    expect(publisher, 1, 'B');
    const char *messages[] = {"A-00001", "C-00002", "B-00003", "A-00004", "J-00005", "A-00006", "B-99999"};
    for (size_t number = 0; number < sizeof messages / sizeof *messages; number++)
        check(zmq_send(publisher, messages[number], 7, 0) == 7, "message");
    expect(publisher, 0, 'A');
    expect(publisher, 0, 'B');
    zmq_close(publisher);
    zmq_ctx_term(context);
    return 0;
}
