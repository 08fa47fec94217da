/*
 * Which response is to come first (Extensible Priorities, RFC 9218): the value of the Priority field and of a
 * PRIORITY_UPDATE frame, and the order of what is to be sent. Pure; one thread at a time.
 */
#ifndef HTTP_PRIORITY_H
#define HTTP_PRIORITY_H

#include "base/arena.h"
#include "base/list.h"

#define PRIORITY_LEVELS 8

struct priority {
    uint8_t urgency;  /* 0, the most urgent, to 7 */
    bool incremental; /* useful in pieces: shares the connection with others like it */
};

/* What a request has that says nothing (RFC 9218 §4). */
#define PRIORITY_DEFAULT ((struct priority){ .urgency = 3 })

/* Reads a field value into *p: `u` and `i`, what is malformed or out of range is as if it were not there
 * (§4). A value that is no dictionary changes nothing. */
void priority_parse(struct str value, struct arena *a, struct priority *p);

/* One response that has something to send. Embedded in its owner. */
struct priority_turn {
    struct link link;
    uint32_t id; /* of the stream: earlier ones first */
    struct priority priority;
};

/* Those that have something to send: by urgency; at one urgency those that want to be whole one after the
 * other, by id, the others in turn. One of either kind alternates, so neither waits for all of the other. */
struct priority_queue {
    struct list whole[PRIORITY_LEVELS], incremental[PRIORITY_LEVELS];
    uint8_t whole_next; /* a bit a level: is it their turn? */
};

void priority_queue_init(struct priority_queue *q);
/* Makes a turn that is in no queue. */
void priority_turn_init(struct priority_turn *t, uint32_t id, struct priority p);
/* Puts it into the queue. Does nothing when it is there. At most as many steps as there are others. */
void priority_queue_add(struct priority_queue *q, struct priority_turn *t);
/* Takes it out. Does nothing when it is in none. */
void priority_queue_remove(struct priority_turn *t);
/* Changes its priority, in the queue or out of it. */
void priority_queue_change(struct priority_queue *q, struct priority_turn *t, struct priority p);
/* Returns whose turn it is; NULL: nobody's. Leaves it in the queue. */
struct priority_turn *priority_queue_next(const struct priority_queue *q);
/* It has sent something: the others of its level have their turn. It is in the queue. */
void priority_queue_served(struct priority_queue *q, struct priority_turn *t);

#endif
