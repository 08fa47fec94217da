/*
 * Why something was not stored or not served: a value of tbl/reasons.h.
 */
#ifndef CACHE_REASON_H
#define CACHE_REASON_H

#include "base/str.h"

enum reason {
#define REASON(id, detail, waiters, mark, sentence) REASON_##id,
#include "tbl/reasons.h"
#undef REASON
    REASON_COUNT
};

/* What requests do that wait for a fetch with this end, and what becomes of its key's mark: see
 * tbl/reasons.h. */
enum waiters { WAITERS_GO, WAITERS_LOOK, WAITERS_SAME };
enum mark_effect { MARK_SETS, MARK_CLEARS, MARK_KEEPS };
/* Return the reason's columns of tbl/reasons.h. Any thread; pure, here and below. */
enum waiters reason_waiters(enum reason r);
enum mark_effect reason_mark(enum reason r);

/* Returns the token for Cache-Status and the log. Empty for REASON_NONE. */
struct str reason_detail(enum reason r);
/* Returns a sentence for people: what happened, and what would change it. */
struct str reason_sentence(enum reason r);

#endif
