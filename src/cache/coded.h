/*
 * The codings of a stored response: beside its body, which has none, at most one body for each of gzip, br
 * and zstd, with a head of its own (docs/decisions/076). They are made off the loops (coding/coder.h),
 * attached while others read the object, and go with it. A reader needs nothing but its reference to the
 * object: what was attached stays as long as anybody but the index has one.
 *
 * Only of an object in SEALED whose response has room for them (has_codings). They are charged against the
 * budget, and weigh with their object in the eviction queues.
 */
#ifndef CACHE_CODED_H
#define CACHE_CODED_H

#include <stdatomic.h>

#include "cache/object.h"
#include "http/accept.h"

struct coded {
    struct response *response;
    struct body *body;
    struct coded *older; /* what it took the place of: somebody may read it still */
    uint8_t coding;      /* enum coding */
    uint8_t level;       /* CODED_OWN: the origin's, with its ETag */
    /* of the level for pages that are asked for often, or no such level makes it shorter */
    _Atomic bool is_best;
};

#define CODED_OWN 255

struct codings;

/* Returns that coding of the object, or NULL: there is none now. Any thread; lives as long as the caller's
 * reference to the object. */
const struct coded *coded_find(const struct object *o, enum coding coding);
/* Returns the coding of the set `of` (bits by enum coding) that comes last in enum coding and that the object
 * has now; NULL: it has none of them. *better: one behind it that may yet be made; CODING_IDENTITY: none. Any
 * thread, as above. */
const struct coded *coded_last(const struct object *o, unsigned of, enum coding *better);
/* Is it known that the coding is not worth it, or cannot be made? Any thread. */
bool coded_is_useless(const struct object *o, enum coding coding);

/* Returns the level that the site's settings say. */
int coded_level(const struct site_settings *site, enum coding coding, bool best);

/* Whoever wants to make that coding (`best`: anew, of the better level) asks here. true: the caller, and
 * nobody else, makes it now, and ends that by one of the next two. Any thread. */
bool coded_claim(struct object *o, enum coding coding, bool best);
/* Adds it. Takes over *body, whole, and clears it. */
void coded_attach(struct object *o, enum coding coding, int level, bool best, struct body **body);
/* Does the same with a body that nobody could make once more, byte for byte: its ETag is a weak one. */
void coded_attach_poured(struct object *o, enum coding coding, int level, struct body **body);
/* The origin sent the body in that coding, with that ETag (empty: none), and it was decoded: adds it, without
 * a claim, just before object_seal, on the fetch's thread. It stays as it is. Takes over *body, whole,
 * and clears it. */
void coded_keep_own(struct object *o, enum coding coding, struct str etag, struct body **body);
/* Makes the head of that coding of an object from HEAD on. `weak`: its ETag is. The caller owns it. */
struct response *coded_head(const struct object *o, enum coding coding, int level, bool weak);
/* It was not made. `useless`: nor will it ever be, since it is hardly shorter. */
void coded_give_up(struct object *o, enum coding coding, bool useless);

/* Gives `o`, which a 304 has made of `from`, the codings of that: it has the same body. Before it is
 * published. */
void coded_inherit(struct object *o, const struct object *from);

/* Returns the bytes charged for its codings. Any thread that has a reference. */
size_t coded_charged(const struct object *o);
/* Returns the bit of each coding (1 << enum coding) that it has or that is being made. Any thread. */
unsigned coded_all(const struct object *o);

/* ---- for cache/object.c, cache/room.c and cache/index.c ---- */

/* Takes its codings away. Nobody but the caller and the index has a reference, and the caller holds the lock
 * under which others would take one. NULL: it has none. The caller frees them by coded_free. */
struct codings *coded_take(struct object *o);
void coded_free(struct cache *c, struct codings *codings);

#endif
