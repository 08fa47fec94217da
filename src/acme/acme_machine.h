/*
 * What the files of acme.h say to each other. Private to acme/.
 *
 *   acme.c          plans, orders, advice, the thread, the interface
 *   acme_hand.c     what is asked for by hand
 *   acme_revoke.c   revocations
 */
#ifndef ACME_ACME_MACHINE_H
#define ACME_ACME_MACHINE_H

#include "acme/acme.h"
#include "acme/order.h"
#include "acme/session.h"
#include "acme/states.h"
#include "acme/store.h"
#include "acme/want.h"

#define ACME_ASKED_MOST 64 /* wishes that wait */

/* Rules, and what came of them. */
struct plan {
    struct arena arena;
    struct acme_rules rules;
    struct want *wants; /* rules.n */
    char ca_file[PATH_MAX];
};

struct acme {
    struct acme_owner *owner;
    struct store store;
    struct session session;
    struct proofs proofs;
    struct background *thread;
    struct lock lock;    /* over the next six */
    struct plan *next;   /* for the thread to take */
    struct pair **pairs; /* pairs_n: references, for acme_each */
    size_t pairs_n;
    struct wish *wishes; /* for the thread to take: ACME_ASKED_MOST, wishes_n */
    size_t wishes_n;
    uint64_t asked; /* the number of the last one */
    struct states states;
    _Atomic int64_t due_mono_ms;    /* of the thread */
    atomic_bool stopping, is_asked; /* the second: there are wishes; acme_look sees it */
    /* The thread's. */
    struct plan *plan;
    struct order *order; /* NULL: none is under way */
    struct want *of;     /* whose */
    int64_t order_mono_ms;
    struct order_host host;
    bool has_heir; /* main's: another process goes on */
    struct acme_totals totals;
};

/* What somebody wants of a set. */
struct wish {
    char id[STORE_ID_MAX];
    enum want_wish wish;
    unsigned reason;
    uint64_t number;
};

/* ---- acme.c, on the thread ---- */

struct now acme_now(const struct acme *a);
/* Returns dice. */
uint32_t acme_chance(void);
/* Finds what is wanted, by its id; NULL: the plan has no such. */
struct want *acme_want_by_id(struct plan *p, const char *id);
/* Gives up the order that is under way, if there is one. */
void acme_end_order(struct acme *a);
/* Writes what is kept of it to the disk; a failure is logged. */
void acme_keep_record(struct acme *a, struct want *w);
/* The same with an error, which others are shown. */
void acme_keep_error(struct acme *a, struct want *w, struct str text);

/* ---- acme_hand.c ---- */

/* Takes all that was asked for by hand. */
void acme_take_wishes(struct acme *a);

/* ---- acme_revoke.c ---- */

/* Returns what is to be revoked now; NULL: nothing. Also while an order waits: a key that others have is no
 * matter of minutes. */
struct want *acme_to_revoke(const struct acme *a);
/* Asks the CA. Waits for its answer. */
void acme_revoke(struct acme *a, struct want *w);

#endif
