/*
 * What an answered unsafe method makes of the cache (RFC 9111 §4.4, RFC 9875 §3; CACHING.md 5.5): what is stored for its target URI, and
 * for same-origin Location and Content-Location, must be revalidated, and so must what is in the groups that it names.
 */
#ifndef ORIGIN_INVALIDATE_H
#define ORIGIN_INVALIDATE_H

#include "cache/key.h"
#include "cache/names.h"

/* `at`: the request. Call for a 2xx or 3xx answer to an unsafe method. */
void invalidate_by_answer(struct cache *c, const struct key_request *at, const struct fields *response,
                          struct arena *a, int64_t now_mono_ms);

/* Resolves a reference against the request's URI (RFC 3986 §5). false: malformed, or not the same scheme, host and port.
 * *out is `at` with another path and query; strings are in the arena or `reference`. */
bool same_origin_reference(const struct key_request *at, struct str reference, struct arena *a,
                           struct key_request *out);

#endif
