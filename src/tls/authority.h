/*
 * A certificate authority of this machine's own, for addresses that only this machine reaches: it signs for
 * localhost and the hosts of the settings, so that a site can be developed over TLS. Nobody believes it
 * before the user says so (the verb trust). Its certificate is in the state folder, in authority.pem, its key
 * in authority.key, which only its owner reads. Main's thread.
 */
#ifndef TLS_AUTHORITY_H
#define TLS_AUTHORITY_H

#include <limits.h>

#include "tls/pair.h"

struct authority;

/* How long what it signs is good, and when a new one is wanted: browsers that have cached something are not
 * cut off by a renewal. */
#define AUTHORITY_SIGNS_MS INT64_C(5184000000)
#define AUTHORITY_RENEW_MS INT64_C(2592000000)
/* The most names in one certificate. */
#define AUTHORITY_NAMES_MOST 500

/*
 * Opens the authority in the folder; makes one there when there is none, or when the one that is there ends
 * within 90 days: *made is set then. now_ms: wall-clock. Returns it; NULL: it can neither be read nor made;
 * `why` gets a sentence without a full stop. Waits for the disk. The caller frees it.
 */
struct authority *authority_open(const char *folder, int64_t now_ms, bool *made, struct buf *why);
void authority_free(struct authority *a); /* NULL is allowed */

/* Makes a certificate for these hosts: names, "*.example.com", addresses of IPv4 and IPv6, these with
 * brackets or without. At least one; at most AUTHORITY_NAMES_MOST count. Its key is in memory alone. Returns
 * the pair, with one reference; NULL: `why` says why not. */
struct pair *authority_sign(const struct authority *a, const struct strs *hosts, int64_t now_ms,
                            struct buf *why);

/* What others need to believe it. */
struct authority_facts {
    char path[PATH_MAX]; /* of its certificate, PEM */
    char id[17];         /* tells it from others: of the SHA-256 of its certificate, in hex */
};
/* Reads the certificate of the authority in the folder. Returns 0; or a negative errno: -ENOENT: there is
 * none; -EBADMSG: that is no certificate. */
int authority_read(const char *folder, struct authority_facts *out);

#endif
