/*
 * Hints: what the heads of stored pages said that a browser may fetch before the page is there, their links
 * preload, modulepreload and preconnect. A visitor who waits for such a page gets them at once, as 103 (Early
 * Hints, RFC 8297); docs/decisions/080. They are learnt of a key and told to who asks for that key alone.
 *
 * A table of fixed size, made with the first hint: one that is full forgets. It outlives the pages: the links
 * of a page that was purged by a tag or a URL are still told. A purge of a whole site forgets all hints, a
 * restart too, and another release of a site has its own. Any thread may call these functions.
 */
#ifndef CACHE_HINTS_H
#define CACHE_HINTS_H

#include "base/buf.h"
#include "cache/index.h"
#include "http/field.h"

struct hints;

/* Most bytes of links that one page has; the first ones that fit are kept. */
#define HINTS_BYTES ((size_t)1000)

/* Makes an empty table. `memory` outlives it. Never NULL. */
struct hints *hints_new(struct memory *memory);
/* Frees it. No other thread uses it. */
void hints_free(struct hints *h);

/* Notes the links of a page that is stored under `place`, whose hashes are set; without links forgets what
 * was known. `begin`: the purge number at which its fetch began. Does nothing when there is no memory. */
void hints_learn(struct cache *c, const struct place *place, const struct fields *fields, uint64_t begin);
/* Appends the links of that key to `out`, as one value of Link. false: none are known. */
bool hints_find(struct cache *c, const struct place *place, struct buf *out);
/* Forgets what was learnt of answers whose fetch began before the purge `number`. */
void hints_forget(struct cache *c, uint64_t number);

#endif
