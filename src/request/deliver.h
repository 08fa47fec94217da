/*
 * Choosing the answer: 200, 206, 304, 416, HEAD, and the fields that are written for each answer: Age, Cache-Status, ETag.
 */
#ifndef REQUEST_DELIVER_H
#define REQUEST_DELIVER_H

#include "request/request.h"

/* r->reply says nothing yet. */
void deliver_nothing(struct request *r);
/* From r->object (HEAD or SEALED) makes r->reply, r->at, r->end, r->parts. */
void deliver_object(struct request *r);
/* Makes r->object, which is NULL, of r->answer (request/page.h), and of it r->reply, r->at and r->end. */
void deliver_page(struct request *r);

/* Does the request carry a Range or conditions, which a fetch that may be stored leaves out (CACHING.md 3.7)? */
bool deliver_has_conditions(const struct request *r);
/*
 * r->object has a head and was fetched without them: are they the origin's to answer? Only of what is not stored: there the
 * origin may wait (a long poll) or know more. Not for a range that is at hand: asking again would cost more than the part of the
 * body, window_bytes at most, that comes anyway.
 */
bool deliver_needs_origin(struct request *r);

/* May this stored part (a 206) answer the request? */
bool deliver_part_suffices(const struct request *r, const struct object *o);

/* The current age of what is delivered. */
struct age deliver_age(const struct request *r);

/* Why it is not stored, not fresh, or not the origin's: the `detail` of Cache-Status. The object has a head, if there is one. */
enum reason deliver_reason(const struct request *r);
/* What there is to say beside the reason: which byte of which field; what is wrong with the origin's message, which is for the log
 * alone. Usually empty. */
struct str deliver_detail(struct request *r);

#endif
