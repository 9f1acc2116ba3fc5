// The common part of the C peers of Majordomo: the headers and commands of MDP 0.1.
// PROGRAM is the peer's name, defined before this is included.

#include "peering.h"

#define CLIENT "MDPC01"
#define WORKER "MDPW01"

enum { READY = 1, REQUEST, REPLY, HEARTBEAT, DISCONNECT };

// Missed heartbeats that make the other side silent.
enum { LIVENESS = 3 };

static inline void add_command(struct message *message, int command)
{
    char byte = (char) command;
    add_text(message, WORKER);
    add(message, &byte, 1);
}

static inline void add_frame(struct message *message, const struct frame *frame)
{
    add(message, frame->data, frame->size);
}

// The command of a worker's message, whose header is frame `at`. Another header ends the program.
static inline int command_of(const struct message *message, int at)
{
    check(message->count > at + 1 && is(&message->frames[at], WORKER), "header of a worker's message");
    check(message->frames[at + 1].size == 1, "size of a command");
    return message->frames[at + 1].data[0];
}
