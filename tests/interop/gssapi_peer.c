/* A GSSAPI peer that finishes the handshake except for one token, which libzmq does not make.
 *
 *     gssapi_peer client PORT WHEN WRAP
 *     gssapi_peer server WHEN WRAP
 *
 * WHEN is "ready" or "message": the token is that of the READY command, or of the first message. WRAP is "empty" or "plain":
 * the token wraps no bytes, or wraps what libzmq does, without encryption. A server prints "bound" and its port. Either prints
 * "dropped" after the other peer has closed the connection.
 */
#include <arpa/inet.h>
#include <gssapi/gssapi.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { DEADLINE_S = 60, GREETING = 64, COMMAND = 4, LONG = 2, LARGEST = 1 << 16 };

static const char service[] = "zmq@localhost";
static const char ready[] = "\0\5READY\13Socket-Type\0\0\0\6DEALER";

static gss_ctx_id_t context = GSS_C_NO_CONTEXT;
static int peer;

static void check (int good, const char *what)
{
    if (!good) {
        perror (what);
        exit (1);
    }
}

static void read_all (void *buffer, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t count = read (peer, (char *) buffer + done, size - done);
        check (count > 0, "read");
        done += (size_t) count;
    }
}

static void write_all (const void *buffer, size_t size)
{
    check (write (peer, buffer, size) == (ssize_t) size, "write");
}

/* Reads a frame of ZMTP, and returns its size. */
static size_t receive (uint8_t *body)
{
    uint8_t flags, length[8] = {0};
    read_all (&flags, 1);
    if (flags & LONG)
        read_all (length, 8);
    else
        read_all (length + 7, 1);
    size_t size = 0;
    for (int i = 0; i < 8; ++i)
        size = size << 8 | length[i];
    check (size <= LARGEST, "size");
    read_all (body, size);
    return size;
}

static void send_frame (uint8_t flags, const uint8_t *body, size_t size)
{
    uint8_t head[9] = {(uint8_t) (flags | LONG)};
    for (int i = 0; i < 8; ++i)
        head[8 - i] = (uint8_t) (size >> 8 * i);
    write_all (head, sizeof head);
    write_all (body, size);
}

/* Sends NAME, which begins with its length, the length of the token, and the token. */
static void send_token (uint8_t flags, const char *name, const gss_buffer_desc *token)
{
    uint8_t body[LARGEST];
    size_t name_size = strlen (name);
    uint32_t length = htonl ((uint32_t) token->length);
    check (name_size + sizeof length + token->length <= sizeof body, "token");
    memcpy (body, name, name_size);
    memcpy (body + name_size, &length, sizeof length);
    memcpy (body + name_size + sizeof length, token->value, token->length);
    send_frame (flags, body, name_size + sizeof length + token->length);
}

/* Reads a command with a token; the token is in BODY. */
static gss_buffer_desc receive_token (uint8_t *body, const char *name)
{
    size_t size = receive (body), name_size = strlen (name);
    check (size >= name_size + 4 && memcmp (body, name, name_size) == 0, name);
    return (gss_buffer_desc){size - name_size - 4, body + name_size + 4};
}

static void wrap (uint8_t flags, const void *text, size_t size, int encrypt)
{
    OM_uint32 minor;
    int encrypted;
    gss_buffer_desc plain = {size, (void *) text}, wrapped;
    check (gss_wrap (&minor, context, encrypt, GSS_C_QOP_DEFAULT, &plain, &encrypted, &wrapped) == GSS_S_COMPLETE, "wrap");
    check (encrypted == encrypt, "encrypted");
    send_token (flags, "\7MESSAGE", &wrapped);
    gss_release_buffer (&minor, &wrapped);
}

static void greet (int as_server)
{
    uint8_t greeting[GREETING] = {0xff, [9] = 0x7f, 3, 0, 'G', 'S', 'S', 'A', 'P', 'I'};
    greeting[32] = (uint8_t) as_server;
    write_all (greeting, sizeof greeting);
    read_all (greeting, sizeof greeting);
}

static void initiate (uint8_t *body)
{
    OM_uint32 major, minor;
    gss_buffer_desc name = {strlen (service), (void *) service}, none = GSS_C_EMPTY_BUFFER, input = none, output;
    gss_name_t target;
    check (gss_import_name (&minor, &name, GSS_C_NT_HOSTBASED_SERVICE, &target) == GSS_S_COMPLETE, "name");
    for (;;) {
        major = gss_init_sec_context (&minor, GSS_C_NO_CREDENTIAL, &context, target, GSS_C_NO_OID,
                                      GSS_C_MUTUAL_FLAG | GSS_C_REPLAY_FLAG, 0, GSS_C_NO_CHANNEL_BINDINGS, &input, NULL,
                                      &output, NULL, NULL);
        check (!GSS_ERROR (major), "gss_init_sec_context");
        if (major == GSS_S_COMPLETE)
            break;
        send_token (COMMAND, "\10INITIATE", &output);
        input = receive_token (body, "\10INITIATE");
    }
    /* libzmq's client sends a command of no bytes when it has no further token. */
    send_frame (COMMAND, NULL, 0);
    receive_token (body, "\7MESSAGE");
}

static void await_initiator (uint8_t *body)
{
    OM_uint32 minor;
    gss_buffer_desc input = receive_token (body, "\10INITIATE"), output;
    check (gss_accept_sec_context (&minor, &context, GSS_C_NO_CREDENTIAL, &input, GSS_C_NO_CHANNEL_BINDINGS, NULL, NULL,
                                   &output, NULL, NULL, NULL)
             == GSS_S_COMPLETE,
           "gss_accept_sec_context");
    send_token (COMMAND, "\10INITIATE", &output);
    check (receive (body) == 0, "the command of no bytes");
}

int main (int argc, char **argv)
{
    alarm (DEADLINE_S);
    check (argc >= 4, "arguments");
    int as_server = strcmp (argv[1], "server") == 0;
    const char *when = argv[argc - 2], *how = argv[argc - 1];
    int fd = socket (AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl (INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    if (as_server) {
        check (bind (fd, (struct sockaddr *) &address, length) == 0, "bind");
        check (listen (fd, 1) == 0, "listen");
        check (getsockname (fd, (struct sockaddr *) &address, &length) == 0, "getsockname");
        printf ("bound %d\n", ntohs (address.sin_port));
        fflush (stdout);
        peer = accept (fd, NULL, NULL);
        check (peer != -1, "accept");
    } else {
        address.sin_port = htons ((uint16_t) atoi (argv[2]));
        check (connect (fd, (struct sockaddr *) &address, length) == 0, "connect");
        peer = fd;
    }

    uint8_t body[LARGEST];
    greet (as_server);
    if (as_server)
        await_initiator (body);
    else
        initiate (body);
    uint8_t flags = COMMAND;
    if (strcmp (when, "message") == 0) {
        wrap (flags, ready, sizeof ready - 1, 1);
        if (as_server)
            receive_token (body, "\7MESSAGE");
        flags = 0;
    }
    if (strcmp (how, "empty") == 0)
        wrap (flags, "", 0, 1);
    else
        wrap (flags, flags ? ready : "\0Hello", flags ? sizeof ready - 1 : 6, 0);
    while (read (peer, body, sizeof body) > 0)
        ;
    puts ("dropped");
    return 0;
}
