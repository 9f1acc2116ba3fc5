// Peer of wuserver.rs: wuclient ENDPOINT FILTER COUNT. Receives COUNT updates and prints the mean of their
// temperatures. An update that is not of the form "ZZZZZ T H", in its ranges and with the filter in front, ends it with
// status 1.

#define PROGRAM "wuclient.c"
#include "frames.h"

int main(int argc, char **argv)
{
    check(argc == 4, "arguments");
    const char *filter = argv[2];
    int count = atoi(argv[3]);
    void *context = zmq_ctx_new();
    void *subscriber = zmq_socket(context, ZMQ_SUB);
    check(zmq_connect(subscriber, argv[1]) == 0, "connect");
    check(zmq_setsockopt(subscriber, ZMQ_SUBSCRIBE, filter, strlen(filter)) == 0, "subscribe");

    long total = 0;
    for (int number = 0; number < count; number++) {
        char update[32] = "";
        int size = zmq_recv(subscriber, update, sizeof update - 1, 0);
        check(size > 0 && size < (int) sizeof update, "size of the update");
        check(!has_more(subscriber), "number of frames");

        int zipcode, temperature, humidity;
        check(sscanf(update, "%d %d %d", &zipcode, &temperature, &humidity) == 3, "three numbers");
        check(zipcode >= 0 && zipcode <= 99999, "zip code");
        check(temperature >= -80 && temperature <= 134, "temperature");
        check(humidity >= 10 && humidity <= 59, "humidity");
        char again[64];
        snprintf(again, sizeof again, "%05d %d %d", zipcode, temperature, humidity);
        check(strcmp(update, again) == 0, "form of the update");
        check(strncmp(update, filter, strlen(filter)) == 0, "filter");
        total += temperature;
    }
    printf("Average temperature for zipcode '%s' was %ldF\n", filter, total / count);
    zmq_close(subscriber);
    zmq_ctx_term(context);
    return 0;
}
