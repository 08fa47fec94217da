/*
 * What the parts of a delivery (request/deliver*.c) share. Private to them.
 *
 *   deliver.c         chooses the answer: 200, 206, 304, 416, HEAD; age, ETag
 *   deliver_coding.c  which coding of a stored response
 *   deliver_status.c  Cache-Status (RFC 9211; CACHING.md 6.5), and why
 *
 * All functions run on the request's thread.
 */
#ifndef REQUEST_DELIVER_MACHINE_H
#define REQUEST_DELIVER_MACHINE_H

#include "request/deliver.h"

/* Add a field behind those in reply->extra; drop it when there are REPLY_EXTRA_MAX. The strings stay until
 * the head is sent. */
static inline void deliver_add(struct reply *reply, struct str name, struct str value)
{
    if (reply->extra_n < REPLY_EXTRA_MAX)
        reply->extra[reply->extra_n++] = (struct field){ name, value, field_id_of(name) };
}
static inline void deliver_add_id(struct reply *reply, enum field_id id, struct str value)
{
    if (reply->extra_n < REPLY_EXTRA_MAX)
        reply->extra[reply->extra_n++] = (struct field){ field_name(id), value, id };
}

/* Returns the age of the request's object as of now. A hit is delivered in the moment in which it was found,
 * so the look-up knows its age. */
static inline struct age deliver_current_age(const struct request *r)
{
    return r->outcome == OUTCOME_HIT ? r->found.age : deliver_age(r);
}

/* Was the response that is delivered stored before the request came? */
static inline bool deliver_is_from_store(const struct request *r)
{
    return r->outcome == OUTCOME_HIT || r->outcome == OUTCOME_STALE || r->outcome == OUTCOME_STALE_JOIN ||
           r->stale_error;
}

/* ---- deliver_coding.c ---- */

/* Sets r->coded to the coding of r->object that the visitor wants most of those that are there, or to NULL:
 * the plain body. Has those made that would be better. r->object is sealed, with room for codings; the
 * request has Accept-Encoding. */
void deliver_choose_coding(struct request *r);
/* Sets r->poured to the one that it wants most of those that are being made of r->object, which is to be
 * stored, and makes r its reader in place of r->object's. NULL: the plain one is as good, or all there is. */
void deliver_choose_pour(struct request *r);
/* Does the visitor refuse a body without a coding? */
bool deliver_refuses_plain(const struct request *r);
/* Returns the codings that the visitor takes, bits by enum coding; who says nothing takes all (RFC 9110
 * §12.5.3). */
unsigned deliver_taken_codings(const struct request *r);

/* ---- deliver_status.c ---- */

/* Adds the field Cache-Status to the reply, whose status is set, and sets r->cache_status to its value. */
void deliver_add_cache_status(struct request *r);

#endif
