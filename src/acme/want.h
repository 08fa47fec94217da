/*
 * A set of names for which a certificate is wanted: what is there, what is kept of it, what somebody has
 * asked for by hand, and when what is due. Pure; the owner's thread. Times are wall-clock, in milliseconds.
 */
#ifndef ACME_WANT_H
#define ACME_WANT_H

#include "acme/order.h"
#include "base/arena.h"
#include "tls/pair.h"

/* Between two certificates of one set, whatever clocks and CAs say: CAs count them. */
#define WANT_AGAIN_MS INT64_C(3600000)

/* One certificate that is wanted. */
struct acme_set {
    struct strs names; /* sorted */
    enum order_way way;
};

enum want_wish { WANT_RENEW, WANT_REVOKE };

struct want {
    struct acme_set set;
    char id[STORE_ID_MAX];
    struct store_record record;
    struct buf pem;          /* the certificate's file; empty: none is there */
    struct pair *pair;       /* of it; NULL: none, or it is good no more */
    struct pair *substitute; /* without one: another set's, for some of the names */
    /* What was asked for by hand, by its number; 0: nothing. */
    uint64_t asked, answered;
    enum want_wish wish;
    struct buf outcome; /* of what was answered; empty: it was done */
};

void want_fini(struct want *w);

/* Appends the first names, for people. */
void want_add_names(const struct want *w, struct buf *out);
/* Appends a span of time, for people. */
void want_add_span(int64_t ms, struct buf *out);

/* When a certificate is asked for; the CA is asked for its advice; a certificate is to be revoked. INT64_MAX:
 * never, as things stand. */
int64_t want_order_ms(const struct want *w, int64_t now_ms);
int64_t want_advice_ms(const struct want *w, int64_t now_ms);
int64_t want_revoke_ms(const struct want *w, int64_t now_ms);
/* When the first of these is. */
int64_t want_due_ms(const struct want *w, int64_t now_ms);

/*
 * Somebody wants the certificate to be renewed now, or to be revoked for a reason (acme/revoke.h) and
 * replaced. true: the record says so, and the caller keeps it. false: it may not be; `why` gets a sentence
 * without a full stop. An order that is under way is not ended here.
 */
bool want_renew(struct want *w, int64_t now_ms, struct buf *why);
bool want_revoke(struct want *w, unsigned reason, int64_t now_ms, struct buf *why);
/* Who has asked by hand hears what came of it. `text`: empty: it was done. The first answer counts. */
void want_answer(struct want *w, struct str text);

#endif
