/*
 * Pages of freshet's own: errors, and answers of a source without an origin. Such a page is a value,
 * r->answer, until page_fill makes an object of it; the object is delivered like any other. All functions run
 * on the request's thread.
 */
#ifndef REQUEST_PAGE_H
#define REQUEST_PAGE_H

#include "request/request.h"

/* The field Allow, with the methods that freshet passes on. */
extern const struct field page_allow;

/* Fills `o`, which is NEW and private, with r->answer, and seals it. Adds Cache-Control: no-store. Copies
 * what it takes. Without memory for the body, the object's body is empty. */
void page_fill(struct request *r, struct object *o);
/* Sets r->answer to an error page, as plain text: status r->status (400 to 599), the text of r->refused when
 * that is set, else the sentence of r->reason, and the request's id. Adds Retry-After to a 503, Allow to a
 * 405. */
void page_of_error(struct request *r);

#endif
