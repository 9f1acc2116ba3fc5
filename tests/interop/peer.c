/* A native peer: opens one socket and takes the steps that its arguments name.
 *
 *     peer buffer|msg KIND STEP...
 *
 *     id:FRAME         sets ZMQ_ROUTING_ID
 *     subscribe:FRAME  subscribes to a prefix
 *     bind:ENDPOINT    prints "bound" and the resolved endpoint
 *     connect:ENDPOINT
 *     send:MESSAGE
 *     recv             prints the message
 *     echo             sends the message received last back unchanged
 *     publish:MESSAGE  sends it again and again until a line arrives on standard input
 *     await:MESSAGE    receives and prints that message, and leaves its repetitions out from then on
 *     greet            a STREAM's notice of a connection: receives and prints it, without the address
 *     write:FRAME      a STREAM sends the frame to the address that it received last
 *     read:SIZE        a STREAM receives and prints so many bytes, however they are cut
 *
 * A MESSAGE is its frames with `|` between them. A FRAME is a text, or `#n` for n bytes of the pattern, or `%` and
 * hexadecimal digits. A message is printed as one line: size and content of each frame, `|` between them; of long
 * content, whether it is the pattern. `buffer` uses zmq_send and zmq_recv, `msg` the zmq_msg_ functions.
 */
#include <zmq.h>

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DEADLINE_S = 60, MAX_FRAMES = 16, MAX_SIZE = 2 << 20, SHOWN = 34, REPEAT_MS = 10 };

struct frame {
    size_t size;
    unsigned char *data;
};

struct message {
    size_t count;
    struct frame frames[MAX_FRAMES];
};

static void *sock;
static int use_msg;

static _Noreturn void fail (const char *format, ...)
{
    va_list args;
    va_start (args, format);
    fputs ("peer: ", stderr);
    vfprintf (stderr, format, args);
    fputc ('\n', stderr);
    va_end (args);
    exit (1);
}

static int check (int rc, const char *call)
{
    if (rc == -1)
        fail ("%s: %s", call, zmq_strerror (errno));
    return rc;
}

static void check_size (int rc, size_t size, const char *call)
{
    if ((size_t) check (rc, call) != size)
        fail ("%s: %d instead of %zu bytes", call, rc, size);
}

static struct frame new_frame (size_t size)
{
    struct frame frame = {size, malloc (size + 1)};
    if (!frame.data)
        fail ("no memory for %zu bytes", size);
    return frame;
}

static void clear (struct message *message)
{
    for (size_t i = 0; i < message->count; i++)
        free (message->frames[i].data);
    message->count = 0;
}

static void add (struct message *message, struct frame frame)
{
    if (message->count == MAX_FRAMES)
        fail ("more than %d frames", MAX_FRAMES);
    message->frames[message->count++] = frame;
}

static unsigned char pattern (size_t i)
{
    return (unsigned char) (i * 167 + (i >> 8) * 13);
}

static struct frame parse_frame (const char *text, size_t length)
{
    if (length && *text == '#') {
        struct frame frame = new_frame (strtoul (text + 1, NULL, 10));
        for (size_t i = 0; i < frame.size; i++)
            frame.data[i] = pattern (i);
        return frame;
    }
    if (length && *text == '%') {
        struct frame frame = new_frame ((length - 1) / 2);
        for (size_t i = 0; i < frame.size; i++)
            if (sscanf (text + 1 + 2 * i, "%2hhx", &frame.data[i]) != 1)
                fail ("not hexadecimal: %s", text);
        return frame;
    }
    struct frame frame = new_frame (length);
    memcpy (frame.data, text, length);
    return frame;
}

static struct message parse (const char *text)
{
    struct message message = {0};
    for (;;) {
        size_t length = strcspn (text, "|");
        add (&message, parse_frame (text, length));
        if (!text[length])
            return message;
        text += length + 1;
    }
}

static int equal (const struct message *one, const struct message *other)
{
    if (one->count != other->count)
        return 0;
    for (size_t i = 0; i < one->count; i++)
        if (one->frames[i].size != other->frames[i].size
            || memcmp (one->frames[i].data, other->frames[i].data, one->frames[i].size))
            return 0;
    return 1;
}

static void print (const struct message *message)
{
    for (size_t i = 0; i < message->count; i++) {
        const struct frame *frame = &message->frames[i];
        printf ("%s%zu:", i ? "|" : "", frame->size);
        if (frame->size <= SHOWN) {
            for (size_t j = 0; j < frame->size; j++)
                printf ("%02x", frame->data[j]);
        } else {
            size_t same = 0;
            while (same < frame->size && frame->data[same] == pattern (same))
                same++;
            fputs (same == frame->size ? "pattern" : "unknown", stdout);
        }
    }
    putchar ('\n');
    fflush (stdout);
}

static void send_message (const struct message *message)
{
    for (size_t i = 0; i < message->count; i++) {
        const struct frame *frame = &message->frames[i];
        int flags = i + 1 < message->count ? ZMQ_SNDMORE : 0;
        if (use_msg) {
            zmq_msg_t msg;
            check (zmq_msg_init_size (&msg, frame->size), "zmq_msg_init_size");
            memcpy (zmq_msg_data (&msg), frame->data, frame->size);
            check_size (zmq_msg_send (&msg, sock, flags), frame->size, "zmq_msg_send");
        } else
            check_size (zmq_send (sock, frame->data, frame->size, flags), frame->size, "zmq_send");
    }
}

/* Receives one frame, and returns whether more follow. */
static int recv_frame (struct message *message)
{
    int more;
    if (use_msg) {
        zmq_msg_t msg;
        check (zmq_msg_init (&msg), "zmq_msg_init");
        int size = check (zmq_msg_recv (&msg, sock, 0), "zmq_msg_recv");
        struct frame frame = new_frame (zmq_msg_size (&msg));
        check_size (size, frame.size, "zmq_msg_recv");
        memcpy (frame.data, zmq_msg_data (&msg), frame.size);
        add (message, frame);
        more = zmq_msg_more (&msg);
        check (zmq_msg_close (&msg), "zmq_msg_close");
    } else {
        static unsigned char buffer[MAX_SIZE];
        size_t length = sizeof more;
        int size = check (zmq_recv (sock, buffer, sizeof buffer, 0), "zmq_recv");
        if (size > MAX_SIZE)
            fail ("zmq_recv: %d bytes do not fit", size);
        struct frame frame = new_frame ((size_t) size);
        memcpy (frame.data, buffer, frame.size);
        add (message, frame);
        check (zmq_getsockopt (sock, ZMQ_RCVMORE, &more, &length), "ZMQ_RCVMORE");
    }
    return more;
}

static void recv_message (struct message *message)
{
    clear (message);
    while (recv_frame (message))
        ;
}

static void publish (const struct message *message)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    char line[16];
    do {
        send_message (message);
        if (poll (&input, 1, REPEAT_MS) == -1)
            fail ("poll: %s", strerror (errno));
    } while (!input.revents);
    if (!fgets (line, sizeof line, stdin))
        fail ("standard input ended");
}

/* Receives what a STREAM does: the address, and bytes. */
static void recv_chunk (struct message *message)
{
    recv_message (message);
    if (message->count != 2 || message->frames[0].size != 5)
        fail ("this is not an address and bytes");
}

static void greet (struct message *message)
{
    recv_chunk (message);
    if (message->frames[1].size)
        fail ("this is no notice of a connection");
    puts ("5:address|0:");
    fflush (stdout);
}

static void write_bytes (const struct message *received, const char *text)
{
    struct message message = {2, {received->frames[0], parse_frame (text, strlen (text))}};
    send_message (&message);
    free (message.frames[1].data);
}

static void read_bytes (struct message *received, size_t size)
{
    struct message whole = {0};
    add (&whole, new_frame (size));
    for (size_t done = 0; done < size;) {
        recv_chunk (received);
        struct frame chunk = received->frames[1];
        if (!chunk.size || chunk.size > size - done)
            fail ("%zu bytes where %zu were to come", chunk.size, size - done);
        memcpy (whole.frames[0].data + done, chunk.data, chunk.size);
        done += chunk.size;
    }
    print (&whole);
    clear (&whole);
}

static void set (int option, const char *text, const char *name)
{
    struct frame frame = parse_frame (text, strlen (text));
    check (zmq_setsockopt (sock, option, frame.data, frame.size), name);
    free (frame.data);
}

static void take_step (const char *step)
{
    static struct message received, awaited;
    size_t length = strcspn (step, ":");
    const char *value = step[length] ? step + length + 1 : "";
#define STEP(name) (length == sizeof name - 1 && !memcmp (step, name, length))

    if (STEP ("id"))
        set (ZMQ_ROUTING_ID, value, "ZMQ_ROUTING_ID");
    else if (STEP ("subscribe"))
        set (ZMQ_SUBSCRIBE, value, "ZMQ_SUBSCRIBE");
    else if (STEP ("bind")) {
        char endpoint[256];
        size_t size = sizeof endpoint;
        check (zmq_bind (sock, value), value);
        check (zmq_getsockopt (sock, ZMQ_LAST_ENDPOINT, endpoint, &size), "ZMQ_LAST_ENDPOINT");
        printf ("bound %s\n", endpoint);
        fflush (stdout);
    } else if (STEP ("connect"))
        check (zmq_connect (sock, value), value);
    else if (STEP ("send")) {
        struct message message = parse (value);
        send_message (&message);
        clear (&message);
    } else if (STEP ("recv")) {
        do
            recv_message (&received);
        while (awaited.count && equal (&received, &awaited));
        print (&received);
    } else if (STEP ("echo"))
        send_message (&received);
    else if (STEP ("publish")) {
        struct message message = parse (value);
        publish (&message);
        clear (&message);
    } else if (STEP ("await")) {
        clear (&awaited);
        awaited = parse (value);
        recv_message (&received);
        print (&received);
        if (!equal (&received, &awaited))
            fail ("this is not %s", value);
    } else if (STEP ("greet"))
        greet (&received);
    else if (STEP ("write"))
        write_bytes (&received, value);
    else if (STEP ("read"))
        read_bytes (&received, strtoul (value, NULL, 10));
    else
        fail ("unknown step: %s", step);
}

static int kind_of (const char *name)
{
    static const struct {
        const char *name;
        int kind;
    } kinds[] = {
        {"REQ", ZMQ_REQ},       {"REP", ZMQ_REP},       {"PUB", ZMQ_PUB},   {"SUB", ZMQ_SUB},
        {"XPUB", ZMQ_XPUB},     {"XSUB", ZMQ_XSUB},     {"PUSH", ZMQ_PUSH}, {"PULL", ZMQ_PULL},
        {"DEALER", ZMQ_DEALER}, {"ROUTER", ZMQ_ROUTER}, {"PAIR", ZMQ_PAIR}, {"STREAM", ZMQ_STREAM},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (!strcmp (kinds[i].name, name))
            return kinds[i].kind;
    fail ("unknown kind: %s", name);
}

int main (int argc, char **argv)
{
    alarm (DEADLINE_S);
    if (argc < 3 || (strcmp (argv[1], "buffer") && strcmp (argv[1], "msg")))
        fail ("usage: peer buffer|msg KIND STEP...");
    use_msg = !strcmp (argv[1], "msg");

    void *context = zmq_ctx_new ();
    if (!context)
        fail ("zmq_ctx_new: %s", zmq_strerror (errno));
    sock = zmq_socket (context, kind_of (argv[2]));
    if (!sock)
        fail ("zmq_socket: %s", zmq_strerror (errno));
    for (int i = 3; i < argc; i++)
        take_step (argv[i]);
    check (zmq_close (sock), "zmq_close");
    check (zmq_ctx_term (context), "zmq_ctx_term");
    puts ("done");
    return fflush (stdout) ? 1 : 0;
}
