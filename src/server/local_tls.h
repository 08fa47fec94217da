/*
 * Certificates without any: at addresses of this machine alone (127.0.0.1, ::1), sites without `cert` have
 * one of the local authority (tls/authority.h). Main's thread.
 */
#ifndef SERVER_LOCAL_TLS_H
#define SERVER_LOCAL_TLS_H

#include "conf/settings.h"
#include "tls/authority.h"

/* Initialise with zeros. */
struct local_tls {
    char state[PATH_MAX]; /* the state folder; empty: not known yet, or none */
    struct authority *authority;
    int64_t renew_ms; /* when what it has signed is to be made anew; wall-clock */
};

void local_tls_fini(struct local_tls *l);

/* Has this site a certificate of the authority under these settings? */
bool local_tls_is_for(const struct settings *s, const struct site_settings *site);
/* Is there such a site? */
bool local_tls_is_wanted(const struct settings *s);
/* Opens the authority in l->state, or makes it, unless that was done before. true: it is open. false: a line
 * was added to `errors`. */
bool local_tls_open(struct local_tls *l, int64_t now_ms, struct buf *errors, struct buf *warnings);
/* Returns a new certificate for localhost and the hosts of all sites without `cert`, with one reference, and
 * sets l->renew_ms. NULL: none is wanted, or the authority is not open, or it cannot sign, which is added to
 * `warnings`. */
struct pair *local_tls_sign(struct local_tls *l, const struct settings *s, int64_t now_ms,
                            struct buf *warnings);

#endif
