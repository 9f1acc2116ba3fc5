/* Hello world, whose size is compared. */

#include "common.h"

int main (void)
{
    void *context = zmq_ctx_new ();
    void *server = bound (context, ZMQ_REP, "tcp://127.0.0.1:*");
    char endpoint[256], text[6] = "";
    size_t length = sizeof endpoint;
    check (zmq_getsockopt (server, ZMQ_LAST_ENDPOINT, endpoint, &length) == 0, "zmq_getsockopt");
    void *client = connected (context, ZMQ_REQ, endpoint);
    check (zmq_send (client, "Hello", 5, 0) == 5, "zmq_send");
    check (zmq_recv (server, text, 5, 0) == 5, "zmq_recv");
    puts (text);
    check (zmq_send (server, "World", 5, 0) == 5, "zmq_send");
    check (zmq_recv (client, text, 5, 0) == 5, "zmq_recv");
    puts (text);
    zmq_close (client);
    zmq_close (server);
    zmq_ctx_term (context);
    return 0;
}
