/*
 * Invalidation by an answered unsafe request (RFC 9111 §4.4, RFC 9875 §3; CACHING.md 5.5): stored responses
 * of its target URI, of same-origin Location and Content-Location, and of the groups that the answer names
 * must be revalidated.
 *
 * Groups are invalidated by a purge as a value (cache/purge.h). URLs are not, for three reasons. Such a URL
 * means one page under one scheme and the site's own spelling, where a purge's URL means both schemes, and
 * without a query all queries. This process' index is asked first whether there is anything to invalidate, so
 * that a flood of such requests costs no purges. And anybody may send such requests: they must never be
 * written down or told to others.
 *
 * Any thread may call these functions, without a lock held.
 */
#ifndef ORIGIN_INVALIDATE_H
#define ORIGIN_INVALIDATE_H

#include "cache/key.h"
#include "cache/names.h"
#include "cache/purge.h"

/* Invalidates what an answer names. Call it for a 2xx or 3xx answer to an unsafe method. `at`: the request;
 * `settings`: those that the request began with; `response`: the end-to-end fields of the answer; `a`: for
 * what it needs meanwhile. Of Cache-Group-Invalidation, the first 64 groups count. */
void invalidate_by_answer(struct cache *c, const struct settings *settings, const struct key_request *at,
                          const struct fields *response, struct arena *a, int64_t now_mono_ms);

/* Resolves a reference against the request's URI (RFC 3986 §5). *out is `at` with another path and query; its
 * strings are in the arena or in an argument. false: malformed, or another scheme, host or port; *out is
 * unspecified. */
bool same_origin_reference(const struct key_request *at, struct str reference, struct arena *a,
                           struct key_request *out);

#endif
