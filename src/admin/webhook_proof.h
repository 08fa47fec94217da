/*
 * Does a request come from the sender of a webhook? Looks at its signature, its time and its secret, in the
 * form of each sender (tbl/senders.h). Pure; any thread. All comparisons with what a stranger must not learn
 * take the same time whatever he sent.
 */
#ifndef ADMIN_WEBHOOK_PROOF_H
#define ADMIN_WEBHOOK_PROOF_H

#include "conf/webhook.h"
#include "http/field.h"

struct json_t;

/* A request to a webhook. */
struct webhook_message {
    struct str method;
    struct str target; /* as it came: path and query */
    const struct fields *fields;
    struct str body;             /* raw */
    const struct json_t *parsed; /* the body's JSON; only for senders with WEBHOOK_MEMBER, else NULL */
    int64_t now_wall_ms;
};

/* What became of a proof. WEBHOOK_PROOF_LATE: the signed time is too far from ours. */
enum webhook_proof_verdict {
    WEBHOOK_PROOF_GOOD,
    WEBHOOK_PROOF_MISSING,
    WEBHOOK_PROOF_MALFORMED,
    WEBHOOK_PROOF_WRONG,
    WEBHOOK_PROOF_LATE,
    WEBHOOK_PROOF_FAILED, /* this machine cannot compute the digest */
};

struct webhook_proof {
    enum webhook_proof_verdict verdict;
    struct str
        said; /* not GOOD: a sentence for the sender. Has no byte of the request, nor of what is right */
    struct str delivery; /* GOOD: equal for copies of one delivery; empty: copies cannot be told */
};

/* Checks the proof of a request. Strings of *out are in the arena or in the message. */
void webhook_proof_check(const struct webhook *w, const struct webhook_message *m, struct arena *a,
                         struct webhook_proof *out);

/* Returns what is wrong with the secret for that scheme: the end of a sentence, a literal. NULL: nothing. */
const char *webhook_proof_secret(const struct webhook_scheme *s, struct str secret, struct arena *a);

#endif
