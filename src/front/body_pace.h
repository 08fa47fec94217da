/*
 * How fast a request's body comes, whatever the protocol. A client that is waited for begins with the time
 * for one pause (body_timeout). Each byte earns it the time that the slowest rate allows (body_rate_min), up
 * to two pauses together; waiting uses that up. A body that has to be collected has a time for the whole
 * of it instead, and no rate (request/request_body.c). On the request's thread. docs/FLOODS.md.
 */
#ifndef FRONT_BODY_PACE_H
#define FRONT_BODY_PACE_H

#include "request/request.h"

/* Embedded in its owner; private but for the functions. Times are monotonic milliseconds. */
struct body_pace {
    int64_t credit_ms, since_ms;
    uint64_t got; /* bytes, when the waiting began */
};

/* Before the first byte. */
void body_pace_init(struct body_pace *p);
/* The client is waited for; `got`: bytes that have come until now. Returns for how many milliseconds at
 * most. */
int64_t body_pace_begin(struct body_pace *p, const struct request *r, uint64_t got, int64_t now_ms);
/* Something came, or the client is not waited for any more. After a begin. */
void body_pace_end(struct body_pace *p, const struct request *r, uint64_t got, int64_t now_ms);
/* The time is over: was the client too slow? Else it has paused for too long. */
bool body_pace_is_slow(const struct body_pace *p, const struct request *r, int64_t now_ms);

#endif
