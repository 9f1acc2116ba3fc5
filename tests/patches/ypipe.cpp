// Compiles if each field of a queue that its reader, its writer or both of them change for a message is at least a cache line
// away from the fields of the others. The pointer to the spare chunk is changed once in 256 messages, and may be anywhere.

#include <stddef.h>

#include "platform.hpp"
#include "ypipe.hpp"

typedef zmq::ypipe_t<int, 256> pipe_of_int_t;
typedef zmq::yqueue_t<int, 256> queue_of_int_t;

#define IN_PIPE(field) offsetof (pipe_of_int_t, field)
#define IN_QUEUE(field) (IN_PIPE (_queue) + offsetof (queue_of_int_t, field))

constexpr size_t readers[] = {IN_QUEUE (_begin_chunk), IN_QUEUE (_begin_pos), IN_PIPE (_r)};
constexpr size_t writers[] = {IN_QUEUE (_back_chunk), IN_QUEUE (_back_pos), IN_QUEUE (_end_chunk), IN_QUEUE (_end_pos),
                              IN_PIPE (_w), IN_PIPE (_f)};
constexpr size_t shared[] = {IN_PIPE (_c)};
// The pointer to the virtual functions, which both read.
constexpr size_t constant[] = {0};

constexpr bool apart (size_t one, size_t other)
{
    return (one > other ? one - other : other - one) >= ZMQ_CACHELINE_SIZE;
}

template <size_t N> constexpr bool all_apart (size_t one, const size_t (&others)[N], size_t at = 0)
{
    return at == N || (apart (one, others[at]) && all_apart (one, others, at + 1));
}

template <size_t M, size_t N> constexpr bool all_apart (const size_t (&some)[M], const size_t (&others)[N], size_t at = 0)
{
    return at == M || (all_apart (some[at], others) && all_apart (some, others, at + 1));
}

static_assert (all_apart (readers, writers), "the reader's fields are near the writer's");
static_assert (all_apart (readers, shared), "the reader's fields are near the shared pointer");
static_assert (all_apart (writers, shared), "the writer's fields are near the shared pointer");
static_assert (all_apart (constant, readers), "the reader's fields are near the pointer to the functions");
static_assert (all_apart (constant, writers), "the writer's fields are near the pointer to the functions");
static_assert (sizeof (pipe_of_int_t) - IN_PIPE (_c) > ZMQ_CACHELINE_SIZE, "another object is near the shared pointer");
