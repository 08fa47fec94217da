/*
 * Why something was not stored or not served: a value of tbl/reasons.h.
 */
#ifndef CACHE_REASON_H
#define CACHE_REASON_H

#include "base/str.h"

enum reason {
#define REASON(id, detail, sentence) REASON_##id,
#include "tbl/reasons.h"
#undef REASON
    REASON_COUNT
};

/* The token for Cache-Status and the log; empty for REASON_NONE. */
struct str reason_detail(enum reason r);
/* For people: what happened and what would change it. */
struct str reason_sentence(enum reason r);

#endif
