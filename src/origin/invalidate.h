/*
 * Invalidation by an answered unsafe request (RFC 9111 §4.4, RFC 9875 §3; CACHING.md 5.5): stored responses
 * of its target URI, of same-origin Location and Content-Location, and of the groups that the answer names
 * must be revalidated.
 */
#ifndef ORIGIN_INVALIDATE_H
#define ORIGIN_INVALIDATE_H

#include "cache/key.h"
#include "cache/names.h"

/* Invalidates. `at`: the request. Call it for a 2xx or 3xx answer to an unsafe method, on any thread. */
void invalidate_by_answer(struct cache *c, const struct key_request *at, const struct fields *response,
                          struct arena *a, int64_t now_mono_ms);

/* Resolves a reference against the request's URI (RFC 3986 §5). *out is `at` with another path and query; its
 * strings are in the arena or in `reference`. false: malformed, or another scheme, host or port. */
bool same_origin_reference(const struct key_request *at, struct str reference, struct arena *a,
                           struct key_request *out);

#endif
