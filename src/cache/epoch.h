/*
 * Epochs: a purge is a number. Everything that can be purged (a site, a path, a URL, a tag, a cache ID, a cache group)
 * is a name, here its keyed hash, with the numbers of its latest purges. An object holds the number at which its fetch
 * began and the hashes of its names; it is usable while it is younger than all of them. A purge therefore costs the same
 * for one object or a million, holds from the next look-up on, and cannot miss a response in flight.
 *
 * Two names whose hashes are equal are purged together: more than asked, never less (CACHING.md 5.3). So many bits are kept of each
 * that this happens to less than one object in a million, with EPOCH_NAMES_MOST purged names (docs/decisions/046).
 * Any thread.
 */
#ifndef CACHE_EPOCH_H
#define CACHE_EPOCH_H

#include "base/hash.h"
#include "base/lock.h"

enum purge_kind {
    PURGE_HARD,       /* gone: the next request misses */
    PURGE_SOFT,       /* stale from now on; its stale windows count from the purge */
    PURGE_INVALIDATE, /* must be revalidated before reuse: an unsafe method was answered (RFC 9111 §4.4) */
};
#define PURGE_KINDS 3

enum epoch_kind { EPOCH_SITE, EPOCH_PATH, EPOCH_PATH_ANYWHERE, EPOCH_URL, EPOCH_TAG, EPOCH_GROUP };

/* A name: 56 bits of a hash, the lower ones are 0. A name with EPOCH_PAIR is a partner of the one without: an object that has it has both. */
#define EPOCH_NAME_BITS  ((uint64_t)0xffffffffffffff00)
#define EPOCH_PAIR       ((uint64_t)1 << 20)
#define EPOCH_NAMES_MOST ((size_t)1 << 20)
/* So many names of an object are few: 44 bits of each are enough. */
#define EPOCH_NAMES_FEW 15

struct epochs;

/* `names_max`: how many purged names are remembered; over it the one that was purged longest ago is forgotten and a floor
 * rises to that purge: all that began before it counts as purged, hard if hard purges are among the forgotten ones, else as
 * invalidated. */
struct epochs *epochs_new(const struct hash_secret *secret, size_t names_max);
void epochs_free(struct epochs *e);

/* The hash of a name, without EPOCH_PAIR. `scope` is the site for sites, paths, URLs and tags, the origin for groups; tags are
 * compared without ASCII case: pass them in lower case. */
uint64_t epoch_hash(const struct epochs *e, enum epoch_kind kind, struct str scope, struct str name);

/* The number of the latest purge that is in force. A fetch takes it when it begins; a request when it arrives. */
uint64_t epochs_published(const struct epochs *e);

/* Purges n names at once. In force for every look-up that begins after it returns. Returns the sequence. */
uint64_t epochs_purge(struct epochs *e, enum purge_kind kind, const uint64_t *names, size_t n,
                      int64_t now_mono_ms);

/*
 * The names of an object, packed: `is_short`: only the upper 44 bits of each. They stand in order; what helps to look for one stands
 * behind them.
 */
struct epoch_names {
    const void *at; /* aligned as an uint32_t */
    size_t n;
    bool is_short;
};
size_t epoch_names_bytes(size_t n, bool is_short);
/* `names` in any order, also twice. `at`: room for epoch_names_bytes. */
void epoch_names_write(void *at, const uint64_t *names, size_t n, bool is_short);
/* The i-th, in rising order, as far as it is kept; and which bits are. */
uint64_t epoch_names_at(const struct epoch_names *of, size_t i);
uint64_t epoch_names_bits(bool is_short);

/* What the purges say of an object: a number of each kind after `begin`, or 0. Of several purges of one name only the
 * latest is known, so nothing may be concluded from how large a number is, only that it is there. */
struct purged {
    uint64_t hard, soft, invalidated;
    int64_t
        soft_at_ms; /* monotonic time of the first soft purge after `begin`; of very many, maybe of one before */
};

/*
 * `since`: the object was found untouched at that number (at first: `begin`); `upto`: a number
 * read by epochs_published before this call. false: nothing of it was purged in (since, upto], *out is not set; the caller may
 * remember `upto` as the new `since`. true: *out says what was purged after `begin`.
 */
bool epochs_touched(struct epochs *e, struct epoch_names names, uint64_t begin, uint64_t since, uint64_t upto,
                    struct purged *out);

/* All objects and fetches that live are at least as young as `oldest`: names purged before may be forgotten. */
void epochs_forget(struct epochs *e, uint64_t oldest);

/* For status and metrics. */
size_t epochs_count(struct epochs *e);
size_t epochs_bytes(struct epochs *e);
uint64_t epochs_floor(struct epochs *e);

#endif
