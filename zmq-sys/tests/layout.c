/* Prints how the C compiler lays out the types of zmq.h: a type's size and alignment, a field's offset and size. */

#include <stddef.h>
#include <stdio.h>
#include <zmq.h>

#ifndef _WIN32
#include <sys/uio.h>
#endif

#define NUMBERS(NAME, ONE, TWO) printf ("%s %u %u\n", NAME, (unsigned) (ONE), (unsigned) (TWO))
#define TYPE(T) NUMBERS (#T, sizeof (T), offsetof (struct { char before; T type; }, type))
#define FIELD(T, F) NUMBERS (#T "." #F, offsetof (T, F), sizeof (((T *) 0)->F))

int main (void)
{
    TYPE (zmq_fd_t);
    TYPE (zmq_msg_t);
    TYPE (zmq_pollitem_t);
    FIELD (zmq_pollitem_t, socket);
    FIELD (zmq_pollitem_t, fd);
    FIELD (zmq_pollitem_t, events);
    FIELD (zmq_pollitem_t, revents);
#ifndef _WIN32
    typedef struct iovec iovec;
    TYPE (iovec);
    FIELD (iovec, iov_base);
    FIELD (iovec, iov_len);
    TYPE (sigset_t);
#endif
#ifdef ZMQ_BUILD_DRAFT_API
    TYPE (zmq_poller_event_t);
    FIELD (zmq_poller_event_t, socket);
    FIELD (zmq_poller_event_t, fd);
    FIELD (zmq_poller_event_t, user_data);
    FIELD (zmq_poller_event_t, events);
#endif
    return 0;
}
