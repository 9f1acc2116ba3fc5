/* Shared code of the C programs: sockets, checks, and the version of libzmq. */

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

static void check (int ok, const char *call)
{
    if (!ok) {
        fprintf (stderr, "%s: %s\n", call, zmq_strerror (zmq_errno ()));
        exit (1);
    }
}

static inline void *opened (void *context, int type)
{
    void *socket = zmq_socket (context, type);
    check (socket != NULL, "zmq_socket");
    return socket;
}

static inline void *bound (void *context, int type, const char *endpoint)
{
    void *socket = opened (context, type);
    check (zmq_bind (socket, endpoint) == 0, "zmq_bind");
    return socket;
}

static inline void *connected (void *context, int type, const char *endpoint)
{
    void *socket = opened (context, type);
    check (zmq_connect (socket, endpoint) == 0, "zmq_connect");
    return socket;
}

/* Prints libzmq's version and file. The file is the program itself if libzmq is linked statically. */
static inline void print_library (void)
{
    int major, minor, patch;
    Dl_info file;
    zmq_version (&major, &minor, &patch);
    check (dladdr ((void *) zmq_version, &file) != 0, "dladdr");
    printf ("%d.%d.%d %s\n", major, minor, patch, file.dli_fname);
}
