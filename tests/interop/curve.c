/* A native peer with CURVE.
 *
 *     curve server SECRET [CLIENT]   binds and prints "bound" and the endpoint, then each message with its user id, which
 *                                    it answers, and each handshake that failed. Its ZAP handler knows CLIENT alone.
 *                                    Without CLIENT there is no handler. Ends at the end of its input.
 *     curve client ENDPOINT SERVER SECRET
 *                                    sends "Hello" and prints the answer, or why the handshake failed.
 *
 * SECRET is this side's own key; CLIENT and SERVER are public ones. All are Z85.
 */
#include <zmq.h>

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DEADLINE_S = 60, ZAP_FRAMES = 8 };

static int check (int rc, const char *call)
{
    if (rc == -1) {
        fprintf (stderr, "curve: %s: %s\n", call, zmq_strerror (errno));
        exit (1);
    }
    return rc;
}

static void *check_handle (void *handle, const char *call)
{
    if (!handle)
        check (-1, call);
    return handle;
}

static void set (void *socket, int option, const void *value, size_t size)
{
    check (zmq_setsockopt (socket, option, value, size), "zmq_setsockopt");
}

static void set_int (void *socket, int option, int value)
{
    set (socket, option, &value, sizeof value);
}

/* Sets the secret key and the public key that belongs to it. */
static void set_own_keys (void *socket, const char *secret)
{
    char public_key[41];
    check (strlen (secret) == 40 ? zmq_curve_public (public_key, secret) : -1, "zmq_curve_public");
    set (socket, ZMQ_CURVE_PUBLICKEY, public_key, 41);
    set (socket, ZMQ_CURVE_SECRETKEY, secret, 41);
}

static void *monitor (void *context, void *socket)
{
    check (zmq_socket_monitor (socket, "inproc://failures",
                               ZMQ_EVENT_HANDSHAKE_FAILED_AUTH | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL
                                 | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL),
           "zmq_socket_monitor");
    void *failures = check_handle (zmq_socket (context, ZMQ_PAIR), "zmq_socket");
    check (zmq_connect (failures, "inproc://failures"), "zmq_connect");
    return failures;
}

static void print_failure (void *failures)
{
    unsigned char event[6];
    char endpoint[256];
    check (zmq_recv (failures, event, sizeof event, 0), "zmq_recv");
    check (zmq_recv (failures, endpoint, sizeof endpoint, 0), "zmq_recv");
    uint16_t number;
    uint32_t value;
    memcpy (&number, event, sizeof number);
    memcpy (&value, event + 2, sizeof value);
    const char *what = number == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH       ? "auth"
                       : number == ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL ? "protocol"
                                                                       : "other";
    printf ("failed %s %u\n", what, (unsigned) value);
}

/* Answers one request of libzmq's: version, id, domain, address, routing id, mechanism, key. */
static void answer_zap (void *handler, const uint8_t *known)
{
    zmq_msg_t frames[ZAP_FRAMES];
    int count = 0;
    do {
        if (count == ZAP_FRAMES) {
            errno = EPROTO;
            check (-1, "ZAP");
        }
        zmq_msg_init (&frames[count]);
        check (zmq_msg_recv (&frames[count], handler, 0), "zmq_msg_recv");
    } while (zmq_msg_more (&frames[count++]));
    int is_known = count == 7 && zmq_msg_size (&frames[6]) == 32 && !memcmp (zmq_msg_data (&frames[6]), known, 32);
    const char *reply[] = {"1.0", NULL, is_known ? "200" : "400", "", is_known ? "known in C" : "", ""};
    for (int i = 0; i < 6; i++) {
        int more = i < 5 ? ZMQ_SNDMORE : 0;
        if (reply[i])
            check (zmq_send (handler, reply[i], strlen (reply[i]), more), "zmq_send");
        else
            check (zmq_msg_send (&frames[1], handler, more), "zmq_msg_send");
    }
    for (int i = 0; i < count; i++)
        zmq_msg_close (&frames[i]);
}

static void serve (void *context, void *socket, const char *secret, const char *client)
{
    void *handler = NULL;
    uint8_t known[32];
    if (client) {
        check (strlen (client) == 40 && zmq_z85_decode (known, client) ? 0 : -1, "zmq_z85_decode");
        handler = check_handle (zmq_socket (context, ZMQ_REP), "zmq_socket");
        check (zmq_bind (handler, "inproc://zeromq.zap.01"), "zmq_bind");
    }
    set_own_keys (socket, secret);
    set_int (socket, ZMQ_CURVE_SERVER, 1);
    void *failures = monitor (context, socket);
    check (zmq_bind (socket, "tcp://127.0.0.1:*"), "zmq_bind");
    char endpoint[256];
    size_t size = sizeof endpoint;
    check (zmq_getsockopt (socket, ZMQ_LAST_ENDPOINT, endpoint, &size), "zmq_getsockopt");
    printf ("bound %s\n", endpoint);

    zmq_pollitem_t items[] = {
      {NULL, STDIN_FILENO, ZMQ_POLLIN, 0},
      {socket, 0, ZMQ_POLLIN, 0},
      {failures, 0, ZMQ_POLLIN, 0},
      {handler, 0, ZMQ_POLLIN, 0},
    };
    while (!(items[0].revents)) {
        check (zmq_poll (items, handler ? 4 : 3, -1), "zmq_poll");
        if (handler && items[3].revents)
            answer_zap (handler, known);
        if (items[2].revents)
            print_failure (failures);
        if (items[1].revents) {
            zmq_msg_t message;
            zmq_msg_init (&message);
            check (zmq_msg_recv (&message, socket, 0), "zmq_msg_recv");
            const char *user = zmq_msg_gets (&message, "User-Id");
            printf ("%.*s from %s\n", (int) zmq_msg_size (&message), (char *) zmq_msg_data (&message),
                    user ? user : "nobody");
            zmq_msg_close (&message);
            check (zmq_send (socket, "World", 5, 0), "zmq_send");
        }
    }
    if (handler)
        zmq_close (handler);
    zmq_socket_monitor (socket, NULL, 0);
    zmq_close (failures);
}

static void ask (void *context, void *socket, const char *endpoint, const char *server, const char *secret)
{
    set_own_keys (socket, secret);
    set (socket, ZMQ_CURVE_SERVERKEY, server, strlen (server));
    set_int (socket, ZMQ_RECONNECT_IVL, -1);
    void *failures = monitor (context, socket);
    check (zmq_connect (socket, endpoint), "zmq_connect");
    check (zmq_send (socket, "Hello", 5, 0), "zmq_send");
    zmq_pollitem_t items[] = {{socket, 0, ZMQ_POLLIN, 0}, {failures, 0, ZMQ_POLLIN, 0}};
    check (zmq_poll (items, 2, -1), "zmq_poll");
    if (items[0].revents) {
        char answer[16];
        int size = check (zmq_recv (socket, answer, sizeof answer, 0), "zmq_recv");
        printf ("%.*s\n", size, answer);
    } else
        print_failure (failures);
    zmq_socket_monitor (socket, NULL, 0);
    zmq_close (failures);
}

int main (int argc, char **argv)
{
    alarm (DEADLINE_S);
    setvbuf (stdout, NULL, _IOLBF, 0);
    void *context = check_handle (zmq_ctx_new (), "zmq_ctx_new");
    void *socket = check_handle (zmq_socket (context, ZMQ_DEALER), "zmq_socket");
    set_int (socket, ZMQ_LINGER, 0);
    if (argc >= 3 && !strcmp (argv[1], "server"))
        serve (context, socket, argv[2], argc > 3 ? argv[3] : NULL);
    else if (argc == 5 && !strcmp (argv[1], "client"))
        ask (context, socket, argv[2], argv[3], argv[4]);
    else
        return 2;
    zmq_close (socket);
    zmq_ctx_term (context);
    return 0;
}
