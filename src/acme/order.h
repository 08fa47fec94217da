/*
 * An order: from names to a certificate (RFC 8555 §7.4, §7.5, §8). A machine that asks the CA one thing a
 * step and says when the next step is due, so that what waits holds up nobody. What has come so far is in a
 * record (acme/store.h), which the owner keeps on disk: a restart goes on with the order, and asks for no
 * other.
 */
#ifndef ACME_ORDER_H
#define ACME_ORDER_H

#include "acme/session.h"

enum order_way { ORDER_HTTP_01, ORDER_TLS_ALPN_01, ORDER_DNS_01 };
/* Returns its name in ACME: "http-01". */
const char *order_way_name(enum order_way w);

/* What shows that a name is ours. */
struct order_proof {
    enum order_way way;
    struct str name;          /* without "*." */
    struct str token;         /* http-01: the last part of the path */
    struct str authorization; /* http-01: the body; the others are made of it */
};

struct order;

/* Who shows proofs, and keeps the record. Outlives the order; on the order's thread. */
struct order_host {
    /* Shows it, and takes it back. false: it cannot; `why` gets a sentence. `hide` follows each `show`,
     * perhaps that of an order which goes on with the record of another one: see order_leave. */
    bool (*show)(struct order_host *h, const struct order_proof *p, struct buf *why);
    void (*hide)(struct order_host *h, const struct order_proof *p);
    /* The record has changed. false: it cannot be kept; `why` gets a sentence. */
    bool (*keep)(struct order_host *h, struct store_record *r, struct buf *why);
};

struct order_rules {
    struct session *session; /* outlives the order */
    struct order_host *host;
    struct store_record *record; /* outlives the order, which changes order and key */
    struct strs names;           /* sorted; they outlive the order */
    enum order_way way;
    struct str replaces; /* the name in renewalInfo of the certificate that this one replaces; or empty */
    int64_t most_ms;     /* how long it may take, by the wall clock */
};

/* Begins one, or goes on with that of the record, and with what the record says is shown: the caller has
 * shown it again. The caller frees it. */
struct order *order_new(const struct order_rules *rules, int64_t now_ms);
/* Returns what the record says is shown. false: nothing is. Good as long as the record is not changed. */
bool order_shown(const struct store_record *r, enum order_way way, struct order_proof *out);
/* Takes back what is still shown. NULL is allowed. */
void order_free(struct order *o);
/* Like order_free, but what is shown stays, and the record says so: another order goes on. */
void order_leave(struct order *o);

enum order_step { ORDER_WAIT, ORDER_DONE, ORDER_FAILED };
/* Does a step. ORDER_WAIT: *wait_ms says when the next one is due. ORDER_DONE: order_chain has the
 * certificate. ORDER_FAILED: order_trouble says why; the record has no order any more, unless the same one
 * may still succeed. */
enum order_step order_step(struct order *o, int64_t now_ms, int64_t *wait_ms);
/* The certificate with its chain, PEM. Good as long as the order. */
struct str order_chain(const struct order *o);
struct session_trouble *order_trouble(struct order *o);

#endif
