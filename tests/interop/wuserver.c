// Peer of wuclient.rs: wuserver ENDPOINT. Publishes updates "ZZZZZ T H" of one frame until it is killed. The zip code
// counts upwards; the temperature is 42 if it begins with 1, and -80 otherwise.

#define PROGRAM "wuserver.c"
#include "frames.h"

int main(int argc, char **argv)
{
    check(argc == 2, "arguments");
    void *context = zmq_ctx_new();
    void *publisher = zmq_socket(context, ZMQ_PUB);
    check(zmq_bind(publisher, argv[1]) == 0, "bind");

    for (unsigned zipcode = 0;; zipcode = (zipcode + 1) % 100000) {
        char update[32];
        int length = snprintf(update, sizeof update, "%05u %d %u", zipcode, zipcode / 10000 == 1 ? 42 : -80,
                              10 + zipcode % 50);
        check(zmq_send(publisher, update, (size_t) length, 0) == length, "send");
    }
}
