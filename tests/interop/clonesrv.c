// Server of the Clone models, for clonecli1.rs to clonecli6.rs: clonesrv MODEL SNAPSHOTS PUBLISHER UPDATES. Serves until it is
// killed. In models 1 and 2 it makes an update each millisecond. In the others clients do, and it prints the number of each. Models
// 1 to 4 have three frames, [key][sequence][body], 5 and 6 have five, [key][sequence][uuid][properties][body]. A request is
// [ICANHAZ?] in models 2 and 3, and [ICANHAZ?][subtree] in the later ones. Model 6 takes updates by a SUB, and sends HUGZ. A
// message of any other form ends it with status 1.

#define PROGRAM "clonesrv.c"
#include "frames.h"

enum { MAX_KEYS = 1000 };

static struct message values[MAX_KEYS];
static int count;

static struct frame *key_of(struct message *message)
{
    return &message->frames[0];
}

static void set_sequence(struct message *message, unsigned long sequence)
{
    message->frames[1].size = 8;
    for (int byte = 0; byte < 8; byte++)
        message->frames[1].data[byte] = (char) (sequence >> (56 - 8 * byte));
}

static void send_frames(void *socket, const struct message *message)
{
    for (int number = 0; number < message->count; number++)
        send_frame(socket, &message->frames[number], number + 1 < message->count ? ZMQ_SNDMORE : 0);
}

// A message of the server itself, with a key and a sequence number.
static struct message notice(const char *key, unsigned long sequence, int frames)
{
    struct message message = {.count = frames};
    strcpy(message.frames[0].data, key);
    message.frames[0].size = strlen(key);
    set_sequence(&message, sequence);
    return message;
}

static void store(const struct message *update)
{
    int place = 0;
    while (place < count && !frame_is(key_of(&values[place]), update->frames[0].data, update->frames[0].size))
        place++;
    check(place < MAX_KEYS, "number of keys");
    if (place == count)
        count++;
    values[place] = *update;
}

int main(int argc, char **argv)
{
    check(argc == 5, "arguments");
    int model = atoi(argv[1]), frames = model < 5 ? 3 : 5;
    void *context = zmq_ctx_new();
    void *snapshots = zmq_socket(context, ZMQ_ROUTER);
    void *publisher = zmq_socket(context, ZMQ_PUB);
    void *updates = zmq_socket(context, model == 6 ? ZMQ_SUB : ZMQ_PULL);
    if (model == 6)
        check(zmq_setsockopt(updates, ZMQ_SUBSCRIBE, "", 0) == 0, "subscription");
    check(zmq_bind(publisher, argv[3]) == 0 && (model < 2 || zmq_bind(snapshots, argv[2]) == 0), "bind");
    check(model < 3 || zmq_bind(updates, argv[4]) == 0, "bind");
    puts("ready");
    fflush(stdout);

    unsigned long sequence = 0;
    zmq_pollitem_t items[] = {{snapshots, 0, ZMQ_POLLIN, 0}, {updates, 0, ZMQ_POLLIN, 0}};
    for (;;) {
        check(zmq_poll(items, 2, model < 3 ? 1 : 100) >= 0, "poll");
        if (model < 3) {
            struct message update = notice("", ++sequence, frames);
            update.frames[0].size = (size_t) sprintf(update.frames[0].data, "%lu", sequence % 100);
            update.frames[2].size = (size_t) sprintf(update.frames[2].data, "value %lu", sequence);
            send_frames(publisher, &update);
            store(&update);
        }
        if (items[0].revents & ZMQ_POLLIN) {
            struct message request = receive(snapshots);
            check(request.count == (model < 4 ? 2 : 3) && is(&request.frames[1], "ICANHAZ?"), "request");
            const struct frame *subtree = &request.frames[2];
            for (int number = 0; number < count; number++) {
                struct frame *key = key_of(&values[number]);
                if (model < 4 || (key->size >= subtree->size && memcmp(key->data, subtree->data, subtree->size) == 0)) {
                    send_frame(snapshots, &request.frames[0], ZMQ_SNDMORE);
                    send_frames(snapshots, &values[number]);
                }
            }
            struct message end = notice("KTHXBAI", sequence, frames);
            send_frame(snapshots, &request.frames[0], ZMQ_SNDMORE);
            send_frames(snapshots, &end);
        }
        if (items[1].revents & ZMQ_POLLIN) {
            struct message update = receive(updates);
            check(update.count == frames, "number of frames of an update");
            check(update.frames[0].size > 0 && update.frames[1].size == 8, "key and sequence number");
            if (frames == 5) {
                check(update.frames[2].size == 16 || (model == 5 && update.frames[2].size == 0), "uuid");
                const struct frame *properties = &update.frames[3];
                int ttl, length = 0;
                check(properties->size == 0
                          || (sscanf(properties->data, "ttl=%d\n%n", &ttl, &length) == 1 && length == (int) properties->size),
                      "properties");
            }
            set_sequence(&update, ++sequence);
            send_frames(publisher, &update);
            store(&update);
            printf("update %lu\n", sequence);
            fflush(stdout);
        }
        if (model == 6) {
            struct message heartbeat = notice("HUGZ", sequence, frames);
            send_frames(publisher, &heartbeat);
        }
    }
}
