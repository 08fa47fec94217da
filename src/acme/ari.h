/*
 * When a certificate is renewed: in the window that its CA suggests (ACME Renewal Information, RFC 9773),
 * else when two thirds of its life are over. Pure; any thread. Times are wall-clock, in milliseconds.
 */
#ifndef ACME_ARI_H
#define ACME_ARI_H

#include "base/buf.h"

/* Appends the certificate's name in renewalInfo (RFC 9773 §4.1): its authority's key identifier and its
 * serial number. `pem`: the certificate first. false: it has no such identifier, or is none. */
bool ari_add_id(struct str pem, struct buf *out);

struct ari_window {
    int64_t start_ms, end_ms;
};
/* Reads an answer of renewalInfo (§4.2). false: it has no window, or one that ends before it starts. */
bool ari_read_window(struct str json, struct ari_window *out);
/* Returns a time in the window, by `chance`, which is random. */
int64_t ari_in_window(const struct ari_window *w, uint32_t chance);
/* Returns when it is renewed without the CA's advice: at two thirds, less up to a twentieth of its life. */
int64_t ari_without(int64_t from_ms, int64_t until_ms, uint32_t chance);
/* Returns how long the CA's advice holds (§4.3.2): its Retry-After, at least a minute and at most a day; -1,
 * none: six hours. */
int64_t ari_holds_ms(int64_t retry_after_ms);
/* Reads a time of RFC 3339, "2026-11-22T19:06:00Z". false: it is none. */
bool ari_read_time(struct str text, int64_t *ms);

#endif
