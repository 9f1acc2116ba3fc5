/* A NORM peer that sends a file, data, and then a stream with the message "Hello" as libzmq sends it.
 *
 *     norm_peer PORT NODE
 *
 * It sends to 127.0.0.1 and PORT, as the node NODE, until it is killed.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Declarations of normApi.h, which is C++. */
typedef const void *handle;
extern handle NormCreateInstance (bool priority_boost);
extern handle NormCreateSession (handle instance, const char *address, uint16_t port, uint32_t node);
extern void NormSetTxOnly (handle session, bool only, bool connect);
extern bool NormStartSender (handle session, uint16_t instance, uint32_t buffer, uint16_t segment, uint16_t block,
                             uint16_t parity, uint8_t fec);
extern handle NormFileEnqueue (handle session, const char *name, const char *info, unsigned info_size);
extern handle NormDataEnqueue (handle session, const char *data, uint32_t size, const char *info, unsigned info_size);
extern handle NormStreamOpen (handle session, uint32_t buffer, const char *info, unsigned info_size);
extern unsigned NormStreamWrite (handle stream, const char *data, unsigned size);
extern void NormStreamFlush (handle stream, bool end_of_message, int mode);

enum { BUFFER = 1 << 20, SEGMENT = 1400, BLOCK = 16, PARITY = 4, FLUSH_ACTIVE = 2, DEADLINE_S = 60 };

static void check (bool good, const char *what)
{
    if (!good) {
        fprintf (stderr, "%s failed\n", what);
        exit (1);
    }
}

int main (int argc, char *argv[])
{
    check (argc == 3, "norm_peer PORT NODE");
    alarm (DEADLINE_S);

    handle instance = NormCreateInstance (false);
    check (instance != NULL, "NormCreateInstance");
    uint16_t port = (uint16_t) atoi (argv[1]);
    handle session = NormCreateSession (instance, "127.0.0.1", port, (uint32_t) atoi (argv[2]));
    check (session != NULL, "NormCreateSession");
    /* The receiver has the port of the session. */
    NormSetTxOnly (session, true, false);
    check (NormStartSender (session, 1, BUFFER, SEGMENT, BLOCK, PARITY, 0), "NormStartSender");

    static const char data[100];
    /* A file that exists. */
    check (NormFileEnqueue (session, argv[0], NULL, 0) != NULL, "NormFileEnqueue");
    check (NormDataEnqueue (session, data, sizeof data, NULL, 0) != NULL, "NormDataEnqueue");

    handle stream = NormStreamOpen (session, BUFFER, NULL, 0);
    check (stream != NULL, "NormStreamOpen");
    /* A byte of zero begins a message. Its frame has no flags, and five bytes. */
    static const char message[] = "\0\0\5Hello";
    check (NormStreamWrite (stream, message, sizeof message - 1) == sizeof message - 1, "NormStreamWrite");
    NormStreamFlush (stream, true, FLUSH_ACTIVE);
    pause ();
}
