/*
 * Certificates that come by themselves (ACME, RFC 8555), and are renewed in time: a thread that asks a CA for
 * each site's names, one set after the other. It keeps in the state folder what has come, and what it has
 * asked for, so that neither a restart nor a reload asks twice. Main's thread, except where it says
 * otherwise.
 */
#ifndef ACME_ACME_H
#define ACME_ACME_H

#include "acme/proofs.h"
#include "acme/states.h"
#include "acme/want.h"
#include "base/log.h"

struct acme;

/* What it needs of its owner, who outlives it. Its functions are called on the thread. */
struct acme_owner {
    const struct clock *clock;
    struct log *log;
    /* Certificates have come, or are used no more. */
    void (*changed)(struct acme_owner *o);
    /* Puts the record of dns-01 into DNS, or takes it out. false: it is not there; `why` gets a sentence.
     * NULL: nobody can. */
    bool (*dns)(struct acme_owner *o, bool put, struct str name, struct str value, struct buf *why);
};

struct acme_rules {
    struct session_rules ca;
    const struct acme_set *sets;
    size_t n;
};

/* Makes one that has no rules. `state`: the state folder. NULL: it cannot work here; `why` gets a
 * sentence. */
struct acme *acme_new(struct acme_owner *owner, const char *state, struct buf *why);
/* Gives it rules, of which it takes a copy. Before acme_start it reads at once what is kept of them; waits
 * for the disk. Later the thread does, and tells `changed`. */
void acme_set_rules(struct acme *a, const struct acme_rules *rules);
/* Reads what is kept once more, since another process has gone on meanwhile. Before acme_start; waits for the
 * disk. */
void acme_reread(struct acme *a);
/* Starts the thread. */
void acme_start(struct acme *a);
/* Ends it, within a moment. What is under way goes on after the next start. `has_heir`: another process goes
 * on at once, so what is shown to the CA stays. */
void acme_stop(struct acme *a, bool has_heir);
void acme_free(struct acme *a); /* NULL is allowed */

/* Calls `take` with each certificate that is there. */
void acme_each(struct acme *a, void (*take)(void *ctx, struct pair *p), void *ctx);
/* What others may know of them. Any thread. */
struct states *acme_states(struct acme *a);

/* What somebody wants to be done by hand. */
struct acme_asked {
    struct str name; /* a set's id, or one of its names */
    enum want_wish wish;
    unsigned reason; /* to revoke: acme/revoke.h */
};
/* Asks for it. Returns its number: struct acme_state says what comes of it. 0: it cannot be asked for; `why`
 * gets a sentence without a full stop. Any thread. */
uint64_t acme_ask(struct acme *a, const struct acme_asked *q, struct buf *why);

/* What is shown to the CA now. Any thread. */
struct proofs *acme_proofs(struct acme *a);
/* Wakes the thread when something is due by the clocks, which may have been turned, or was asked for. */
void acme_look(struct acme *a);

#endif
