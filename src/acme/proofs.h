/*
 * What is shown to a CA at this moment, so that it sees whose names they are: answers of http-01 (RFC 8555
 * §8.3) and certificates of tls-alpn-01 (RFC 8737). Any thread.
 */
#ifndef ACME_PROOFS_H
#define ACME_PROOFS_H

#include <stdatomic.h>

#include "base/buf.h"
#include "base/lock.h"

#define PROOFS_MOST 8 /* at once */
#define PROOFS_PATH "/.well-known/acme-challenge/"

struct ssl_ctx_st;
struct proof;

struct proofs {
    struct lock lock;
    struct proof *all[PROOFS_MOST];
    atomic_uint n;
};

void proofs_init(struct proofs *p);
void proofs_fini(struct proofs *p);

/* Show an answer, in the place of one that is shown for the token, or the name. false: there are too many. */
bool proofs_show_http(struct proofs *p, struct str token, struct str body);
/* Takes over the reference to the context. */
bool proofs_show_tls(struct proofs *p, struct str name, struct ssl_ctx_st *context);
void proofs_hide(struct proofs *p, struct str key);

/* Is anything shown? Costs a load. */
static inline bool proofs_any(const struct proofs *p)
{
    return atomic_load_explicit(&p->n, memory_order_relaxed) > 0;
}
/* Appends the body for a path. false: there is none. `out` NULL: only the question. */
bool proofs_http(struct proofs *p, struct str path, struct buf *out);
/* Returns the context for a name, with a reference; NULL: there is none. */
struct ssl_ctx_st *proofs_tls(struct proofs *p, struct str name);

#endif
