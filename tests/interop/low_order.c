/* A CURVE server that knows its secret and answers with a key of small order, for which there is no shared secret.
 *
 *     low_order SECRET
 *
 * Prints "bound" and the endpoint, and "dropped" when the client has closed the connection after the WELCOME. SECRET is in Z85.
 */
#include <zmq.h>

#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* From libsodium, with NaCl's interface: 32 bytes of zeros before the text, and 16 before the box. */
int crypto_box (unsigned char *box, const unsigned char *text, unsigned long long size, const unsigned char *nonce,
                const unsigned char *public_key, const unsigned char *secret_key);

enum { DEADLINE_S = 60, GREETING = 64, HELLO = 200, WELCOME = 168, KEY = 32, TEXT = 32 + KEY + 96 };

static void check (int good, const char *what)
{
    if (!good) {
        perror (what);
        exit (1);
    }
}

static void read_all (int fd, unsigned char *buffer, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t count = read (fd, buffer + done, size - done);
        check (count > 0, "read");
        done += (size_t) count;
    }
}

static void write_all (int fd, const unsigned char *buffer, size_t size)
{
    check (write (fd, buffer, size) == (ssize_t) size, "write");
}

int main (int argc, char **argv)
{
    alarm (DEADLINE_S);
    uint8_t secret[KEY];
    check (argc == 2 && zmq_z85_decode (secret, argv[1]), "SECRET");

    int listener = socket (AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl (INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    check (bind (listener, (struct sockaddr *) &address, length) == 0, "bind");
    check (listen (listener, 1) == 0, "listen");
    check (getsockname (listener, (struct sockaddr *) &address, &length) == 0, "getsockname");
    printf ("bound tcp://127.0.0.1:%d\n", ntohs (address.sin_port));
    fflush (stdout);
    int peer = accept (listener, NULL, NULL);
    check (peer != -1, "accept");

    unsigned char greeting[GREETING] = "\xff\0\0\0\0\0\0\0\x01\x7f\x03\0CURVE";
    greeting[32] = 1;
    write_all (peer, greeting, GREETING);
    read_all (peer, greeting, GREETING);
    unsigned char hello[2 + HELLO];
    read_all (peer, hello, sizeof hello);
    const unsigned char *client = hello + 2 + 80;

    unsigned char nonce[24] = "WELCOME-a nonce of 16 b.";
    unsigned char text[TEXT] = {0}, box[TEXT];
    check (crypto_box (box, text, TEXT, nonce, client, secret) == 0, "crypto_box");
    unsigned char welcome[2 + WELCOME] = {4, WELCOME, 7, 'W', 'E', 'L', 'C', 'O', 'M', 'E'};
    memcpy (welcome + 10, nonce + 8, 16);
    memcpy (welcome + 26, box + 16, TEXT - 16);
    write_all (peer, welcome, sizeof welcome);

    unsigned char rest;
    check (read (peer, &rest, 1) <= 0, "the client went on");
    puts ("dropped");
    return 0;
}
