/*
 * GET /api/v1/status: how this freshet is doing, as JSON.
 */
#ifndef ADMIN_STATUS_H
#define ADMIN_STATUS_H

#include "admin/admin.h"
#include "admin/answer.h"

/* Makes r->answer the status, as JSON: of the process, and of the sites of the token that asks. Called on the
 * request's worker, without a lock held. */
void status_answer(struct admin *a, struct request *r, const struct token_rights *rights);

/* Writes the members of an object that describe an origin; the caller has opened the object and closes it.
 * Any thread. Takes no lock, since status_answer calls it under the lock of the list of origins. `a`: for
 * strings that are needed during the call. */
void status_origin(struct origin *o, struct arena *a, struct answer_writer *w);

#endif
