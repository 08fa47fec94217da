/*
 * Who is given up when memory or connections are short: of those that wait for their client, the ones that
 * hold most for the least progress, and those first whose address has many connections. A connection is
 * looked at twice before it is given up: how far it came in between is its progress. Nothing is kept for this
 * in quiet times. docs/decisions/062-overload.md. For protocols; on the worker's thread.
 */
#ifndef FRONT_SHED_H
#define FRONT_SHED_H

#include "front/front.h"

/* In each connection; zeroed at first. Since when it waits for its client (0: it was not found so), how far
 * that had come then, and what it waited for. */
struct shed_watch {
    int64_t waits_ms;
    uint64_t waits_at, waits_in;
};

enum shed_kind {
    SHED_NOT,  /* it closes, or waits for somebody else */
    SHED_IDLE, /* between requests */
    SHED_SLOW, /* its client is waited for */
};

/* What a protocol says of one connection. */
struct shed_look {
    enum shed_kind kind;
    struct shed_watch *watch;
    uint64_t waits_for; /* a number that changes with what it waits for */
    uint64_t progress;  /* bytes that the client has sent and taken; only of SHED_SLOW */
    size_t holds;       /* bytes; the same */
    const struct address *peer;
};

struct shed_protocol {
    void (*look)(struct link *connection, enum overload_step step, struct shed_look *out);
    void (*end_idle)(struct link *connection);
    void (*cut)(struct link *connection);
};

/* Looks at `how->looks` of the connections, which turn in their list, and gives up as `how` says. */
void shed_connections(struct front *f, struct list *connections, const struct shed_protocol *protocol,
                      const struct front_shed *how, struct front_shed_done *done);

#endif
