/*
 * Pages of freshet's own: errors, and answers of a source without an origin. They are values until an object
 * is made of them; the object is delivered like any other.
 */
#ifndef REQUEST_PAGE_H
#define REQUEST_PAGE_H

#include "request/request.h"

/* The methods that freshet passes on, as a field. */
extern const struct field page_allow;

/* Fills `o`, which is NEW and private, with r->answer, and seals it. Cache-Control: no-store. Without
 * memory its body is empty. */
void page_fill(struct request *r, struct object *o);
/* Makes r->answer the page of the error r->reason or r->refused, with r->status. */
void page_of_error(struct request *r);

#endif
