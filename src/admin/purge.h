/*
 * POST /api/v1/purge: what npm's @netlify/functions sends as purgeCache(), and freshet's own additions. The
 * body's JSON becomes a struct purge here; cache/purge.h checks it and applies it.
 */
#ifndef ADMIN_PURGE_H
#define ADMIN_PURGE_H

#include "admin/admin.h"

/* Reads the JSON body of a purge request. true: *out is set; its strings are in the arena; the caller still
 * has to call purge_check. false: *error is set; its text is in the arena. Limits the nesting to 8 levels and
 * each list to PURGE_LIST_MAX members; the caller limits the bytes of `body`. Refuses duplicate and unknown
 * members, so that a misspelt "cache_tags" does not purge a whole site. Pure. */
bool purge_parse(struct str body, struct arena *a, struct purge *out, struct purge_error *error);

/* What purge_make did. */
struct purge_made {
    uint64_t sequence;
    struct str said; /* what was purged, for people */
    bool changed;    /* something was; else there is nothing to be kept */
};

/* Checks all of these purges, then applies all of them, and tells log and status; the request's answer waits
 * until they are on disk (admin/saved.h). `rights`: of the token that asks; NULL: the caller has seen to it.
 * `by`: how they were asked for, for the log; may be empty. true: *made is set. false: *error is set, nothing
 * was purged; status 429: over the setting purge_rate. The request gives settings and arena. On its
 * worker. */
bool purge_make(struct admin *a, struct request *r, const struct token_rights *rights, struct purge *purges,
                size_t n, struct str by, struct purge_made *made, struct purge_error *error);

/* Makes the purge that `body` asks for, and r->answer: 202, or an error that says why nothing was purged.
 * Called on the request's worker. */
void purge_answer(struct admin *a, struct request *r, const struct token_rights *rights, struct str body);

#endif
