/*
 * Chooses the answer (200, 206, 304, 416, HEAD) and the fields that each answer gets: Age, Cache-Status,
 * ETag. On the request's thread.
 */
#ifndef REQUEST_DELIVER_H
#define REQUEST_DELIVER_H

#include "request/request.h"

/* Empties r->reply. */
void deliver_nothing(struct request *r);
/* Makes r->reply, r->at, r->end and r->parts from r->object, which is in HEAD or SEALED. */
void deliver_object(struct request *r);
/* Makes r->object, which is NULL, of r->answer (request/page.h), and of it r->reply, r->at and r->end. */
void deliver_page(struct request *r);

/* Does the request have a Range or conditions, which a fetch whose answer may be stored leaves out
 * (CACHING.md 3.7)? */
bool deliver_has_conditions(const struct request *r);
/*
 * r->object has a head and was fetched without Range and conditions: must the origin answer them? Only when
 * the response is not stored: then the origin may wait (a long poll) or know more. Not for a range that is at
 * hand: asking again would cost more than the part of the body, at most window_bytes, that comes anyway.
 */
bool deliver_needs_origin(struct request *r);

/* Returns the coding that the request wants most; CODING_IDENTITY: none, or the site does not compress. */
enum coding deliver_wanted_coding(const struct request *r);
/* Returns the coding that the request would have its answer in, of all that there are, when that can be made
 * while the answer comes. CODING_IDENTITY: none, since it asks for a part, or for the head alone. */
enum coding deliver_wished_coding(const struct request *r);

/* Can this stored part (a 206) answer the request? */
bool deliver_part_suffices(const struct request *r, const struct object *o);

/* Returns the current age of the response that is delivered. */
struct age deliver_age(const struct request *r);

/* Returns the `detail` of Cache-Status: why it is not stored, not fresh, or not the origin's. The object, if
 * there is one, has a head. */
enum reason deliver_reason(const struct request *r);
/* Returns what adds to the reason, usually nothing: which byte of which field is wrong; or, for the log
 * alone, what is wrong with the origin's message. */
struct str deliver_detail(struct request *r);

#endif
