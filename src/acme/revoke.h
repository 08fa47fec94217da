/*
 * A certificate is taken back by its CA (RFC 8555 §7.6), signed for by the account. Waits for the CA; the
 * session's thread, but for the pure functions.
 */
#ifndef ACME_REVOKE_H
#define ACME_REVOKE_H

#include "acme/session.h"

/* Reasons that who has a certificate may give (RFC 5280 §5.3.1). */
enum {
    REVOKE_UNSPECIFIED = 0,
    REVOKE_KEY_COMPROMISE = 1,
    REVOKE_AFFILIATION_CHANGED = 3,
    REVOKE_SUPERSEDED = 4,
};

/* Finds the number of a reason by its name there ("keyCompromise"). false: there is none. Pure. */
bool revoke_reason(struct str name, unsigned *reason);
/* Returns all names: "unspecified, keyCompromise, ...". */
struct str revoke_reasons(void);

/* Appends the first certificate of a PEM text as DER in base64url, as the CA wants to have it. false: there
 * is none. Pure. */
bool revoke_add_certificate(struct str pem, struct buf *out);

enum revoke_result {
    REVOKE_DONE,  /* it is revoked, perhaps already before */
    REVOKE_LATER, /* not now; *t says why */
    REVOKE_NEVER, /* the CA does not do it; *t says why */
};
/* Asks the CA. `certificate`: as revoke_add_certificate has it. now_ms: wall-clock. */
enum revoke_result revoke_ask(struct session *s, struct str certificate, unsigned reason, int64_t now_ms,
                              struct session_trouble *t);

#endif
