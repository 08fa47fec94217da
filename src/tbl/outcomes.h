/*
 * What index_look answers to a request's look-up.
 * Columns: id, name, step.
 *   name  in the access log (`cache`) and in explain
 *   step  of the request that follows (tbl/steps.h), for readers of this list: request/request branches by
 *         itself, and a stored part that does not have the range asked for is a PASS
 * Users: cache/index (enum outcome, names).
 */
/* clang-format off */
OUTCOME(HIT,        "hit",        DELIVER) /* fresh: serve it */
OUTCOME(STALE,      "stale",      DELIVER) /* serve it and start a refresh */
OUTCOME(STALE_JOIN, "stale-join", DELIVER) /* serve it and start none: a refresh runs, or may not run yet */
OUTCOME(EXPIRED,    "expired",    FETCH)   /* must be revalidated: start a fetch and wait */
OUTCOME(MISS,       "miss",       FETCH)   /* nothing stored: start a fetch that others may join */
OUTCOME(JOIN,       "join",       AWAIT)   /* a fetch is running: wait for it */
OUTCOME(RULE,       "rule",       LOOKUP)  /* the family has another rule: compute the key again */
OUTCOME(DISK,       "disk",       LOOKUP)  /* not in memory, but perhaps on disk: read it, then look again */
OUTCOME(PASS,       "pass",       FETCH)   /* go to the origin alone */
/* clang-format on */
