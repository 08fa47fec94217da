/*
 * What a look-up answers.
 * Columns: id, name (trace, access log), step that follows.
 * Users: cache/index (answers), request/request (branches), the access log (`cache`).
 */
/* clang-format off */
OUTCOME(HIT,        "hit",        DELIVER) /* fresh: serve it */
OUTCOME(STALE,      "stale",      DELIVER) /* serve it and start a refresh */
OUTCOME(STALE_JOIN, "stale-join", DELIVER) /* serve it; a refresh runs, or backs off */
OUTCOME(EXPIRED,    "expired",    FETCH)   /* must be revalidated: start a fetch and wait */
OUTCOME(MISS,       "miss",       FETCH)   /* nothing stored: start a fetch that others may join */
OUTCOME(JOIN,       "join",       AWAIT)   /* a fetch is running: wait for it */
OUTCOME(RULE,       "rule",       LOOKUP)  /* the family has another vary rule: compute the key again */
OUTCOME(PASS,       "pass",       FETCH)   /* go to the origin alone */
/* clang-format on */
