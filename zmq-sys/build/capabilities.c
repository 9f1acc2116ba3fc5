/* Prints the version of the linked libzmq and, one per line, the capabilities that it reports. */

#include <stdio.h>
#include <zmq.h>

int main (void)
{
    static const char *const names[] = {"ipc",  "pgm",    "tipc", "norm",  "curve",
                                        "vmci", "gssapi", "WS",   "WSS",   "draft"};
    int major, minor, patch;
    size_t i;

#ifdef ZMQ_BUILD_DRAFT_API
    /* Without drafts the library has no such symbol. */
    void *poller = zmq_poller_new ();
    zmq_poller_destroy (&poller);
#endif
    zmq_version (&major, &minor, &patch);
    printf ("%d.%d.%d\n", major, minor, patch);
    for (i = 0; i < sizeof names / sizeof names[0]; i++)
        if (zmq_has (names[i]))
            printf ("%s\n", names[i]);
    return 0;
}
