/*
 * Answers that wait for the disk: whoever purged or deployed is answered when that is on disk, or when it
 * will not be (store/facts_desk.h). On the request's worker.
 */
#ifndef ADMIN_SAVED_H
#define ADMIN_SAVED_H

#include "request/request.h"

/* Notes that the request has changed what must not be lost: saved_fill waits for all that was changed until
 * it is called. Does nothing where nothing is saved. A second call does no harm. */
void saved_expect(struct request *r);
/* Will saved_fill wait? */
static inline bool saved_is_expected(const struct request *r)
{
    return r->saving != NULL;
}
/* Sets the body of the answer, in the request's arena, for when it is not on disk. Without it the answer is
 * the same. After saved_expect. */
void saved_otherwise(struct request *r, struct str body);
/* Sets what takes the change back, for one that is not asked for when it is not on disk, or when nobody waits
 * for its answer. `undo` is called once at most, instead of taking the other body, and may make r->answer
 * anew. After saved_expect. */
void saved_undo(struct request *r, void (*undo)(struct request *r, void *ctx), void *ctx);
/* Fills `o` with r->answer (page_fill): at once when nothing was changed, or nothing is waited for; else
 * later. saved_leave ends the waiting. */
void saved_fill(struct request *r, struct object *o);
/* The request does not wait any more. Does nothing when it does not wait for the disk. */
void saved_leave(struct request *r);

#endif
