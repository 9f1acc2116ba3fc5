// Peers of fileio1.rs to fileio3.rs: fileio server ENDPOINT FILE, or fileio client ENDPOINT CREDIT COPY.
//
// The server binds a ROUTER and answers [fetch][offset][size] with a chunk, and [fetch] with chunks of 250,000 bytes and an empty
// one. Its marks are off, so that it drops no chunk. It runs until it is killed; a message of any other form ends it with status 1.
//
// The client connects a DEALER, fetches the file with CREDIT requests of 250,000 bytes under way, or with a single request if
// CREDIT is 0, writes it to COPY, and prints the numbers of chunks and bytes.

#define PROGRAM "fileio.c"
#include "frames.h"

enum { CHUNK = 250000 };

static char *chunk;

static size_t send_chunk(void *router, const struct frame *client, FILE *file, long offset, size_t size)
{
    check(fseek(file, offset, SEEK_SET) == 0, "seek");
    size = fread(chunk, 1, size, file);
    check(!ferror(file), "read");
    send_frame(router, client, ZMQ_SNDMORE);
    check(zmq_send(router, chunk, size, 0) == (int) size, "send a chunk");
    return size;
}

static void serve(void *context, const char *endpoint, const char *name)
{
    FILE *file = fopen(name, "rb");
    check(file != NULL, "open");
    void *router = zmq_socket(context, ZMQ_ROUTER);
    int off = 0;
    check(zmq_setsockopt(router, ZMQ_SNDHWM, &off, sizeof off) == 0, "mark");
    check(zmq_bind(router, endpoint) == 0, "bind");
    puts("ready");
    fflush(stdout);
    for (;;) {
        struct message request = receive(router);
        check((request.count == 2 || request.count == 4) && is(&request.frames[1], "fetch"), "request");
        if (request.count == 4) {
            size_t size = (size_t) atol(request.frames[3].data);
            check(size > 0 && size <= CHUNK, "chunk size");
            send_chunk(router, request.frames, file, atol(request.frames[2].data), size);
        } else {
            long offset = 0;
            size_t size;
            while ((size = send_chunk(router, request.frames, file, offset, CHUNK)) > 0)
                offset += (long) size;
        }
    }
}

static void ask(void *dealer, long offset)
{
    char text[32];
    send_text(dealer, "fetch", ZMQ_SNDMORE);
    snprintf(text, sizeof text, "%ld", offset);
    send_text(dealer, text, ZMQ_SNDMORE);
    send_text(dealer, "250000", 0);
}

static void fetch(void *context, const char *endpoint, int credit, const char *name)
{
    FILE *copy = fopen(name, "wb");
    check(copy != NULL, "open the copy");
    void *dealer = zmq_socket(context, ZMQ_DEALER);
    int linger = 0;
    check(zmq_setsockopt(dealer, ZMQ_LINGER, &linger, sizeof linger) == 0, "linger");
    check(zmq_connect(dealer, endpoint) == 0, "connect");
    long offset = 0, chunks = 0, bytes = 0;
    if (credit == 0)
        send_text(dealer, "fetch", 0);
    for (; offset < (long) credit * CHUNK; offset += CHUNK)
        ask(dealer, offset);
    size_t size;
    do {
        int received = zmq_recv(dealer, chunk, CHUNK, 0);
        check(received >= 0 && received <= CHUNK && !has_more(dealer), "chunk");
        size = (size_t) received;
        check(fwrite(chunk, 1, size, copy) == size, "write");
        chunks++;
        bytes += (long) size;
        if (credit > 0) {
            ask(dealer, offset);
            offset += CHUNK;
        }
    } while (credit == 0 ? size > 0 : size == CHUNK);
    check(fclose(copy) == 0, "close the copy");
    printf("%ld chunks, %ld bytes\n", chunks, bytes);
    zmq_close(dealer);
}

int main(int argc, char **argv)
{
    check(argc >= 4, "arguments");
    chunk = malloc(CHUNK);
    void *context = zmq_ctx_new();
    if (strcmp(argv[1], "server") == 0) {
        serve(context, argv[2], argv[3]);
    } else {
        check(argc == 5, "arguments of the client");
        fetch(context, argv[2], atoi(argv[3]), argv[4]);
    }
    zmq_ctx_term(context);
    return 0;
}
