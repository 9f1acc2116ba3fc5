// Client of the Clone models, for clonesrv1.rs to clonesrv6.rs: clonecli MODEL SNAPSHOTS PUBLISHER UPDATES SUBTREE COUNT. Prints
// the number of keys in the snapshot, which model 1 lacks. Receives COUNT updates in models 1 and 2. Makes COUNT updates in the
// others, each of which must come back before the next one. The numbers of updates must grow. Models 1 to 4 have three frames,
// 5 and 6 five. A message of any other form ends it with status 1.

#define PROGRAM "clonecli.c"
#include "frames.h"
#include <unistd.h>

static unsigned long sequence_of(const struct message *message)
{
    unsigned long sequence = 0;
    for (int byte = 0; byte < 8; byte++)
        sequence = sequence << 8 | (unsigned char) message->frames[1].data[byte];
    return sequence;
}

static struct message receive_value(void *socket, int frames)
{
    struct message message = receive(socket);
    check(message.count == frames && message.frames[0].size > 0 && message.frames[1].size == 8, "frames");
    check(frames == 3 || message.frames[2].size == 16 || message.frames[2].size == 0, "uuid");
    return message;
}

int main(int argc, char **argv)
{
    check(argc == 7, "arguments");
    int model = atoi(argv[1]), frames = model < 5 ? 3 : 5, count = atoi(argv[6]);
    const char *subtree = argv[5];
    void *context = zmq_ctx_new();
    void *snapshots = zmq_socket(context, ZMQ_DEALER);
    void *subscriber = zmq_socket(context, ZMQ_SUB);
    void *updates = zmq_socket(context, model == 6 ? ZMQ_PUB : ZMQ_PUSH);
    check(zmq_setsockopt(subscriber, ZMQ_SUBSCRIBE, subtree, strlen(subtree)) == 0, "subscription");
    check(zmq_setsockopt(subscriber, ZMQ_SUBSCRIBE, "HUGZ", 4) == 0, "subscription");
    check(zmq_connect(subscriber, argv[3]) == 0, "connect");
    check(model < 2 || zmq_connect(snapshots, argv[2]) == 0, "connect");
    check(model < 3 || zmq_connect(updates, argv[4]) == 0, "connect");

    unsigned long sequence = 0;
    int keys = 0;
    zmq_pollitem_t answered = {snapshots, 0, ZMQ_POLLIN, 0};
    while (model > 1 && !answered.revents) {
        // A passive server does not answer.
        send_text(snapshots, "ICANHAZ?", model < 4 ? 0 : ZMQ_SNDMORE);
        if (model > 3)
            send_text(snapshots, subtree, 0);
        check(zmq_poll(&answered, 1, 1000) >= 0, "poll");
    }
    while (model > 1) {
        struct message value = receive_value(snapshots, frames);
        if (is(&value.frames[0], "KTHXBAI")) {
            check(value.frames[frames - 1].size == 0, "body of the end");
            sequence = sequence_of(&value);
            break;
        }
        check(strncmp(value.frames[0].data, subtree, strlen(subtree)) == 0, "key in the subtree");
        keys++;
    }
    if (model > 1)
        printf("snapshot %d\n", keys);
    fflush(stdout);

    zmq_pollitem_t published = {subscriber, 0, ZMQ_POLLIN, 0};
    for (int number = 1; number <= count; number++) {
        char key[100], uuid[32];
        snprintf(key, sizeof key, "%sc%d", subtree, number);
        // A server drops an update whose id it knows.
        snprintf(uuid, sizeof uuid, "%08x%08d", (unsigned) getpid(), number);
        int is_there = 0;
        long sent_at = 0;
        while (!is_there) {
            // The subscriptions may come late.
            if (model > 2 && (sent_at == 0 || now_ms() - sent_at > 500)) {
                send_text(updates, key, ZMQ_SNDMORE);
                check(zmq_send(updates, "\0\0\0\0\0\0\0\0", 8, ZMQ_SNDMORE) == 8, "send");
                if (frames == 5) {
                    check(zmq_send(updates, uuid, model == 6 ? 16 : 0, ZMQ_SNDMORE) >= 0, "send");
                    send_text(updates, "ttl=60\n", ZMQ_SNDMORE);
                }
                send_text(updates, "value", 0);
                sent_at = now_ms();
            }
            check(zmq_poll(&published, 1, 200) >= 0, "poll");
            if (!published.revents)
                continue;
            struct message value = receive_value(subscriber, frames);
            // What the snapshot had has no new number.
            if (is(&value.frames[0], "HUGZ") || sequence_of(&value) <= sequence)
                continue;
            check(strncmp(value.frames[0].data, subtree, strlen(subtree)) == 0, "key in the subtree");
            sequence = sequence_of(&value);
            is_there = model < 3 || is(&value.frames[0], key);
            if (is_there && frames == 5)
                check(is(&value.frames[3], "ttl=60\n"), "properties");
        }
    }
    puts("done");
    zmq_close(snapshots);
    zmq_close(subscriber);
    zmq_close(updates);
    zmq_ctx_term(context);
    return 0;
}
