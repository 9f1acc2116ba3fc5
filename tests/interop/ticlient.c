// Titanic client: ticlient ENDPOINT SERVICE COUNT TIMEOUT_MS. Has COUNT requests stored, fetches each reply until it is there,
// closes the request, and asks once more: the request must be unknown then. Each status and text that is not of the Titanic
// Service Protocol, and a request without answer, ends it with status 1.

#define PROGRAM "ticlient.c"
#include "majordomo.h"

static void *client;
static long timeout;

// Asks a service, and returns what follows the header and the service of its answer.
static struct message ask(const char *service, const char *first, const char *second)
{
    struct message request = {0};
    add_text(&request, CLIENT);
    add_text(&request, service);
    add_text(&request, first);
    if (second)
        add_text(&request, second);
    check(try_send(client, &request), "send");
    check(!is_quiet(client, timeout), "no answer");
    struct message answer = receive(client);
    check(answer.count >= 3, "number of frames");
    check(is(&answer.frames[0], CLIENT) && is(&answer.frames[1], service), "header and service of an answer");
    return answer;
}

int main(int argc, char **argv)
{
    check(argc == 5, "arguments");
    int count = atoi(argv[3]);
    timeout = atol(argv[4]);
    void *context = zmq_ctx_new();
    client = open_socket(context, ZMQ_REQ, NULL, 0);
    check(zmq_connect(client, argv[1]) == 0, "connect");
    for (int number = 0; number < count; number++) {
        char text[32], id[33];
        snprintf(text, sizeof text, "request %d", number);
        struct message stored = ask("titanic.request", argv[2], text);
        check(stored.count == 4 && is(&stored.frames[2], "200"), "status of a request");
        check(stored.frames[3].size == 32, "size of an id");
        memcpy(id, stored.frames[3].data, 32);
        id[32] = 0;
        check(strspn(id, "0123456789ABCDEF") == 32, "digits of an id");
        for (;;) {
            struct message reply = ask("titanic.reply", id, NULL);
            if (is(&reply.frames[2], "200")) {
                check(reply.count == 4 && is(&reply.frames[3], text), "the text of the request");
                break;
            }
            check(reply.count == 3 && is(&reply.frames[2], "300"), "status of a reply");
            zmq_poll(NULL, 0, 20);
        }
        struct message closed = ask("titanic.close", id, NULL);
        check(closed.count == 3 && is(&closed.frames[2], "200"), "status of a close");
        struct message unknown = ask("titanic.reply", id, NULL);
        check(unknown.count == 3 && is(&unknown.frames[2], "400"), "status of an unknown request");
    }
    printf("%d replies\n", count);
    zmq_close(client);
    zmq_ctx_term(context);
    return 0;
}
