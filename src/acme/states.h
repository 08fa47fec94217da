/*
 * What others may know of the certificates that come by themselves: values, which ACME's thread puts here and
 * anybody copies.
 */
#ifndef ACME_STATES_H
#define ACME_STATES_H

#include "base/arena.h"
#include "base/lock.h"

/* Of one set of names. Times are wall-clock, in milliseconds; 0: none. */
struct acme_state {
    struct str id;        /* of its files, and for people */
    struct str directory; /* of its CA */
    struct strs names;
    const void *pair; /* which one is there, to compare: it may be gone; NULL: none */
    int64_t until_ms; /* of the certificate that is there; 0: none is */
    int64_t issued_ms, renew_ms;
    bool orders;      /* an order is under way */
    bool revokes;     /* one is to be revoked */
    struct str error; /* of the last tries; empty: none */
    unsigned failures;
    int64_t try_ms; /* when the next one is, after an error */
    /* What was asked for by hand: its number, that of the last one whose outcome is known, and this; empty:
     * it was done. */
    uint64_t asked, answered;
    struct str outcome;
};

/* Since the start. */
struct acme_totals {
    uint64_t orders;   /* that were begun, or gone on with */
    uint64_t failures; /* of orders and revocations */
    uint64_t issued;   /* certificates, renewed ones too */
    uint64_t renewed, revoked;
};

struct states {
    struct lock lock; /* over the rest */
    struct arena arena;
    struct acme_state *v; /* n */
    size_t n;
    struct acme_totals totals;
};

void states_init(struct states *s);
void states_fini(struct states *s);

/* Puts copies in the place of what was there. */
void states_put(struct states *s, const struct acme_state *v, size_t n, const struct acme_totals *totals);
/* Returns copies, *n of them, in the arena. Any thread. `totals` may be NULL. */
struct acme_state *states_copy(struct states *s, struct arena *to, size_t *n, struct acme_totals *totals);

#endif
