/*
 * GET /api/v1/explain: what a request for a URL would be answered with, and why. Takes the way of a real
 * request (request/route) up to the look-up, then asks the index without changing anything.
 */
#ifndef ADMIN_EXPLAIN_H
#define ADMIN_EXPLAIN_H

#include "admin/admin.h"

/* Answers the request. `rights`: of the token that asks; a URL of another site is refused. On its worker's
 * thread. */
void explain_answer(struct admin *a, struct request *r, const struct token_rights *rights);

#endif
