// Local peers of peering2.rs and peering3.rs, for the broker of that name:
//
//   peering_local worker BROKER COUNT BODY     a REQ with a binary id, which says READY and answers COUNT requests; it
//                                              prints the number of frames of each, and ends when a line arrives on
//                                              standard input
//   peering_local client BROKER COUNT BODY     a REQ that asks COUNT times
//
// With BODY "OK" a request is "HELLO" and its reply "OK", with "task" it is four digits, which must come back.

#define PROGRAM "peering_local.c"
#include "peering.h"

static int tasks;

static void work(void *context, const char *broker, int count)
{
    char id[] = {'w', 0, (char) 0xfe, (char) getpid(), (char) (getpid() >> 8)};
    void *worker = open_socket(context, ZMQ_REQ, id, sizeof id);
    connect_flow(worker, broker, "localbe");
    check(zmq_send(worker, "\1", 1, 0) == 1, "READY");
    int done = 0;
    for (;;) {
        zmq_pollitem_t items[] = {until_told(), {.socket = worker, .events = ZMQ_POLLIN}};
        check(zmq_poll(items, 2, -1) >= 0, "poll");
        if (items[0].revents)
            break;
        struct message request = receive(worker);
        // [client][][body], with the name of a peer in front if the client is the peer's
        int last = request.count - 1;
        check(request.count == 3 || request.count == 4, "three frames or four");
        check(request.frames[last - 2].size == 5 && !request.frames[last - 2].data[0], "the id of a client");
        check(request.frames[last - 1].size == 0, "an empty frame");
        if (tasks)
            check(request.frames[last].size == 4, "a task");
        else
            check(is(&request.frames[last], "HELLO"), "HELLO");
        printf("%d\n", request.count);
        fflush(stdout);
        if (!tasks) {
            request.count = last;
            add_text(&request, "OK");
        }
        check(try_send(worker, &request), "answer");
        done++;
    }
    zmq_close(worker);
    check(done >= count, "number of requests");
}

static void ask(void *context, const char *broker, int count)
{
    void *client = open_socket(context, ZMQ_REQ, NULL, 0);
    connect_flow(client, broker, "localfe");
    for (int number = 0; number < count; number++) {
        char text[16];
        snprintf(text, sizeof text, tasks ? "%04X" : "HELLO", (unsigned) number);
        check(zmq_send(client, text, strlen(text), 0) == (int) strlen(text), "request");
        struct message reply = receive(client);
        check(reply.count == 1 && is(&reply.frames[0], tasks ? text : "OK"), "one frame, the reply");
    }
    zmq_close(client);
}

int main(int argc, char **argv)
{
    alarm(DEADLINE_S);
    check(argc == 5, "arguments");
    tasks = strcmp(argv[4], "OK") != 0;
    void *context = zmq_ctx_new();
    if (strcmp(argv[1], "worker") == 0)
        work(context, argv[2], atoi(argv[3]));
    else
        ask(context, argv[2], atoi(argv[3]));
    zmq_ctx_term(context);
    puts("done");
    return 0;
}
