// Majordomo broker: mdbroker ENDPOINT HEARTBEAT_MS. Prints "active" when it is bound, and runs until it is killed. Gives each
// request to an idle worker of its service, sends idle workers heartbeats, and forgets those that are silent for 3 intervals.
// Answers mmi.service. A message of an unknown worker except READY gets a DISCONNECT. Any message that is not of MDP 0.1
// ends it with status 1, and so does a reply to a client whose request the worker does not have.

#define PROGRAM "mdbroker.c"
#include "majordomo.h"

enum { MAX_WORKERS = 32 };

struct waiting {
    struct waiting *next;
    // [client][][MDPC01][service][body...]
    struct message request;
};

struct worker {
    int known, busy;
    struct frame id, service, client;
    long heard;
    // The turn in which it became idle.
    long idle_since;
};

static void *router;
static struct worker workers[MAX_WORKERS];
static struct waiting *first, **last = &first;
static long turn;

static int same(const struct frame *one, const struct frame *other)
{
    return frame_is(one, other->data, other->size);
}

static void add_frames_from(struct message *message, const struct message *other, int first_frame)
{
    for (int i = first_frame; i < other->count; i++)
        add_frame(message, &other->frames[i]);
}

static struct worker *find(const struct frame *id)
{
    for (int i = 0; i < MAX_WORKERS; i++)
        if (workers[i].known && same(&workers[i].id, id))
            return &workers[i];
    return NULL;
}

static void send_to_worker(const struct frame *id, int command)
{
    struct message message = {0};
    add_frame(&message, id);
    add_text(&message, "");
    add_command(&message, command);
    try_send(router, &message);
}

// Gives waiting requests to idle workers, the oldest request first.
static void dispatch(void)
{
    struct waiting **place = &first;
    while (*place) {
        struct waiting *waiting = *place;
        const struct frame *frames = waiting->request.frames;
        struct worker *chosen = NULL;
        for (int i = 0; i < MAX_WORKERS; i++) {
            struct worker *worker = &workers[i];
            if (worker->known && !worker->busy && same(&worker->service, &frames[3])
                && (!chosen || worker->idle_since < chosen->idle_since))
                chosen = worker;
        }
        if (!chosen) {
            place = &waiting->next;
            continue;
        }
        struct message message = {0};
        add_frame(&message, &chosen->id);
        add_text(&message, "");
        add_command(&message, REQUEST);
        add_frame(&message, &frames[0]);
        add_text(&message, "");
        add_frames_from(&message, &waiting->request, 4);
        check(try_send(router, &message), "send");
        chosen->busy = 1;
        chosen->client = frames[0];
        *place = waiting->next;
        if (!*place)
            last = place;
        free(waiting);
    }
}

static void answer(const struct message *request)
{
    const struct frame *frames = request->frames;
    const char *code = "501";
    if (is(&frames[3], "mmi.service")) {
        code = "404";
        for (int i = 0; i < MAX_WORKERS; i++)
            if (workers[i].known && same(&workers[i].service, &frames[4]))
                code = "200";
    }
    struct message message = {0};
    for (int i = 0; i < 4; i++)
        add_frame(&message, &frames[i]);
    add_text(&message, code);
    try_send(router, &message);
}

static void from_client(const struct message *request)
{
    check(request->count >= 5, "number of frames of a request");
    check(request->frames[3].size > 0, "name of a service");
    if (strncmp(request->frames[3].data, "mmi.", 4) == 0) {
        answer(request);
        return;
    }
    struct waiting *waiting = calloc(1, sizeof *waiting);
    check(waiting != NULL, "memory");
    waiting->request = *request;
    *last = waiting;
    last = &waiting->next;
}

static void from_worker(const struct message *message)
{
    const struct frame *frames = message->frames;
    int command = command_of(message, 2);
    struct worker *worker = find(&frames[0]);
    if (command == READY && !worker) {
        check(message->count == 5 && frames[4].size > 0, "service of a worker");
        for (worker = workers; worker->known; worker++)
            check(worker + 1 < workers + MAX_WORKERS, "number of workers");
        *worker = (struct worker){.known = 1, .id = frames[0], .service = frames[4], .idle_since = turn++};
    } else if (command == REPLY && worker) {
        check(message->count >= 7 && is(&frames[5], ""), "frames of a reply");
        check(worker->busy && same(&frames[4], &worker->client), "the client of a reply");
        struct message reply = {0};
        add_frame(&reply, &frames[4]);
        add_text(&reply, "");
        add_text(&reply, CLIENT);
        add_frame(&reply, &worker->service);
        add_frames_from(&reply, message, 6);
        try_send(router, &reply);
        worker->busy = 0;
        worker->idle_since = turn++;
    } else if (command == DISCONNECT) {
        check(message->count == 4, "frames of a DISCONNECT");
        if (worker)
            worker->known = 0;
        return;
    } else if (!worker || command == READY) {
        check(command == READY || command == HEARTBEAT || command == REPLY, "command of a worker");
        send_to_worker(&frames[0], DISCONNECT);
        if (worker)
            worker->known = 0;
        return;
    } else {
        check(command == HEARTBEAT && message->count == 4, "command of a worker");
    }
    worker->heard = now_ms();
}

int main(int argc, char **argv)
{
    check(argc == 3, "arguments");
    long interval = atol(argv[2]);
    void *context = zmq_ctx_new();
    router = open_socket(context, ZMQ_ROUTER, NULL, 0);
    int room = 0;
    check(zmq_setsockopt(router, ZMQ_SNDHWM, &room, sizeof room) == 0, "room");
    check(zmq_bind(router, argv[1]) == 0, "bind");
    puts("active");
    fflush(stdout);
    long beat = now_ms() + interval;
    for (;;) {
        if (!is_quiet(router, interval)) {
            struct message message = receive(router);
            check(message.count >= 4 && is(&message.frames[1], ""), "empty frame");
            if (is(&message.frames[2], CLIENT))
                from_client(&message);
            else
                from_worker(&message);
        }
        // The messages that have come meanwhile are read first: this process may have been stopped.
        long now = now_ms();
        if (now >= beat && is_quiet(router, 0)) {
            for (int i = 0; i < MAX_WORKERS; i++) {
                struct worker *worker = &workers[i];
                if (!worker->known || worker->busy)
                    continue;
                if (now - worker->heard >= LIVENESS * interval)
                    worker->known = 0;
                else
                    send_to_worker(&worker->id, HEARTBEAT);
            }
            beat = now + interval;
        }
        dispatch();
    }
}
