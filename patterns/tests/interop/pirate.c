/* pirate ENDPOINT: a REP server in C that a client cannot rely on. It prints the endpoint that it is bound to, then each
 * request. A request that begins with "die" ends it without a reply; one that begins with "slow" is answered after 300 ms.
 * The reply is the request itself. */

#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zmq.h>

static void check (int ok, const char *what)
{
    if (!ok) {
        fprintf (stderr, "%s: %s\n", what, zmq_strerror (zmq_errno ()));
        exit (1);
    }
}

int main (int argc, char **argv)
{
    check (argc == 2, "one argument");
    void *context = zmq_ctx_new ();
    void *server = zmq_socket (context, ZMQ_REP);
    check (server != NULL, "zmq_socket");
    /* An earlier server may still have the port. */
    int bound = -1;
    for (int tries = 0; tries < 1000 && bound != 0; tries++) {
        bound = zmq_bind (server, argv[1]);
        struct timespec moment = {0, 10000000};
        if (bound != 0)
            nanosleep (&moment, NULL);
    }
    check (bound == 0, "zmq_bind");
    char text[256];
    size_t size = sizeof text;
    check (zmq_getsockopt (server, ZMQ_LAST_ENDPOINT, text, &size) == 0, "zmq_getsockopt");
    printf ("%s\n", text);
    fflush (stdout);
    for (;;) {
        int received = zmq_recv (server, text, sizeof text - 1, 0);
        check (received >= 0 && received < (int) sizeof text, "zmq_recv");
        text[received] = 0;
        printf ("%s\n", text);
        fflush (stdout);
        if (strncmp (text, "die", 3) == 0)
            _Exit (0);
        if (strncmp (text, "slow", 4) == 0) {
            struct timespec nap = {0, 300000000};
            nanosleep (&nap, NULL);
        }
        check (zmq_send (server, text, (size_t) received, 0) == received, "zmq_send");
    }
}
