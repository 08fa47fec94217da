/*
 * GET /api/v1/status: how this freshet is doing, as JSON.
 */
#ifndef ADMIN_STATUS_H
#define ADMIN_STATUS_H

#include "admin/admin.h"
#include "admin/answer.h"

/* Answers the request. On its worker's thread. */
void status_answer(struct admin *a, struct request *r);

/* Writes the members of an object that describe an origin. */
void status_origin(struct origin *o, struct arena *a, struct answer_writer *w);

#endif
