/*
 * POST /api/v1/purge: what npm's @netlify/functions sends as purgeCache(), and freshet's own additions. The
 * body's JSON becomes a struct purge here; cache/purge.h checks it and applies it.
 */
#ifndef ADMIN_PURGE_H
#define ADMIN_PURGE_H

#include "admin/admin.h"

/* Reads the body of a purge request. true: *out is set, its strings are in the arena, and purge_check has
 * yet to look at it. false: *error is set. Bounds depth and size. Refuses duplicate and unknown members,
 * so that a misspelt "cache_tags" does not purge a whole site. Pure. */
bool purge_parse(struct str body, struct arena *a, struct purge *out, struct purge_error *error);

/* Answers the request with the purge that its body asks for. */
void purge_answer(struct admin *a, struct request *r, struct str body);

#endif
