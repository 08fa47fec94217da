/*
 * Epochs: a purge is a number. Everything that can be purged (a site, a path, a URL, a tag, a cache ID, a
 * cache group) is a name, here its keyed hash, with the numbers of its latest purges. An object holds the
 * number at which its fetch began, and the hashes of its names. It is usable while its number is above
 * theirs. So a purge costs the same for one object or a million, is in force from the next look-up on, and
 * cannot miss a response in flight.
 *
 * Two names with equal hashes are purged together: more than asked, never less (CACHING.md 5.3). Enough bits
 * of each are kept that this happens to less than one object in a million, with EPOCH_NAMES_MOST purged names
 * (docs/decisions/046). Any thread may call these functions, with or without a shard's lock held.
 */
#ifndef CACHE_EPOCH_H
#define CACHE_EPOCH_H

#include "base/hash.h"
#include "base/lock.h"

enum purge_kind {
    PURGE_HARD,       /* gone: the next request misses */
    PURGE_SOFT,       /* stale from now on; its stale windows count from the purge */
    PURGE_INVALIDATE, /* must be revalidated before reuse: an unsafe request was answered (RFC 9111 §4.4) */
};
#define PURGE_KINDS 3

enum epoch_kind {
    EPOCH_SITE,
    EPOCH_PATH,
    EPOCH_PATH_ANYWHERE,
    EPOCH_URL,
    EPOCH_TAG,
    EPOCH_GROUP,
    EPOCH_PREFIX,
    EPOCH_PREFIX_ANYWHERE,
};

/* A name: 56 bits of a hash; the lower ones are 0. A name with EPOCH_PAIR is a partner of the one without: an
 * object that has the partner has both. */
#define EPOCH_NAME_BITS ((uint64_t)0xffffffffffffff00)
#define EPOCH_PAIR      ((uint64_t)1 << 20)
/* Marks a name for epochs_purge that objects do not hold: whoever asks makes it of the object's key. */
#define EPOCH_IS_MADE    ((uint64_t)1)
#define EPOCH_NAMES_MOST ((size_t)1 << 20)
/* An object with at most so many names keeps 44 bits of each, which is enough for them. */
#define EPOCH_NAMES_FEW 15

struct epochs;
struct facts;
struct facts_rows;

/* Makes epochs that remember `names_max` purged names. Beyond that, the name that was purged longest ago is
 * forgotten, and a floor rises to that purge: every object that began before it counts as purged. It counts
 * as hard purged if a forgotten purge was hard, else as invalidated. */
struct epochs *epochs_new(const struct hash_secret *secret, size_t names_max);
/* Frees them. No other thread may use them. */
void epochs_free(struct epochs *e);

/* Returns the hash of a name, without EPOCH_PAIR. `scope`: the site for sites, paths, URLs and tags; the
 * origin for groups. Tags ignore ASCII case: pass them in lower case. */
uint64_t epoch_hash(const struct epochs *e, enum epoch_kind kind, struct str scope, struct str name);

/* Returns the number of the latest purge in force. A fetch takes it when it begins, a request when it
 * arrives. */
uint64_t epochs_latest(const struct epochs *e);

/* Returns the number of the latest purge of a name with EPOCH_IS_MADE; 0: none. Call it after epochs_latest:
 * it knows all of those purges. */
uint64_t epochs_latest_made(const struct epochs *e);

/* Purges n names at once. In force for every look-up that begins after it returns. Returns the number of the
 * purge. */
uint64_t epochs_purge(struct epochs *e, enum purge_kind kind, const uint64_t *names, size_t n,
                      int64_t now_mono_ms);

/*
 * The names of an object, packed and in order. `is_short`: only the upper 44 bits of each. What speeds up the
 * search for a name follows them.
 */
struct epoch_names {
    const void *at; /* aligned for an uint32_t */
    size_t n;
    bool is_short;
    /* Whole names that the object has beside those, made of its key (EPOCH_IS_MADE). Needed when
     * epochs_latest_made is above the number at which the object was last found untouched. */
    const uint64_t *made;
    size_t made_n;
};
/* Returns how many bytes n names take, packed. Pure. */
size_t epoch_names_bytes(size_t n, bool is_short);
/* Writes `names`, in any order and perhaps twice, to `at`, which has room for epoch_names_bytes. */
void epoch_names_write(void *at, const uint64_t *names, size_t n, bool is_short);
/* epoch_names_at returns the i-th name in rising order, as far as it is kept. epoch_names_bits returns the
 * bits of a name that are kept. Pure. */
uint64_t epoch_names_at(const struct epoch_names *of, size_t i);
uint64_t epoch_names_bits(bool is_short);

/* What the purges say about an object: for each kind the number of a purge after `begin`, or 0. Only the
 * latest purge of a name is known, so do not compare these numbers: only whether they are 0 counts. */
struct purged {
    uint64_t hard, soft, invalidated;
    /* Monotonic time of the first soft purge after `begin`. After very many purges it may be that of one
     * before. */
    int64_t soft_at_ms;
};

/*
 * Was an object purged? `since`: the number at which it was last found untouched (at first: `begin`). `upto`:
 * what epochs_latest returned before this call. false: no purge in (since, upto]; *out is not set; the
 * caller may use `upto` as the next `since`. true: *out says what was purged after `begin`.
 */
bool epochs_touched(struct epochs *e, struct epoch_names names, uint64_t begin, uint64_t since, uint64_t upto,
                    struct purged *out);

/* Forgets names whose purges have all the number `oldest` or a smaller one. All living objects and fetches
 * have begun at `oldest` or later. */
void epochs_forget(struct epochs *e, uint64_t oldest);

/* Who wants to know of each purge: called on the thread that purges, without a lock held, when it is in
 * force. It stays as long as the epochs; NULL ends it. Any thread. */
struct epochs_listener {
    void (*purged)(struct epochs_listener *l, enum purge_kind kind, const uint64_t *names, size_t n);
};
void epochs_listen(struct epochs *e, struct epochs_listener *l);

/* ---- on disk (store/facts.h) ---- */

/* Returns the rows that make purges last: for facts_open, which loads what is on disk. On main's thread,
 * before the first purge. */
struct facts_rows epochs_rows(struct epochs *e);
/* From now on `f` saves the purges: each is in force at once, and on disk with the next commit. Numbers go on
 * above all that were ever given. Call it once, on main's thread, after facts_open and before the first
 * purge. `f` outlives the epochs. */
void epochs_save_to(struct epochs *e, struct facts *f);

/* Says that no purge follows: the last commit writes the number given last, and the next start goes on with
 * the next one. On main's thread, when the workers have ended. */
void epochs_end(struct epochs *e);
/* Says that purges follow all the same: the process that was to go on with the numbers did not start. */
void epochs_go_on(struct epochs *e);

/* Figures for status, metrics and tests: how many names are remembered, the bytes that this takes, and the
 * number of the purge to which the floor has risen (0: nothing was forgotten early). */
size_t epochs_count(struct epochs *e);
size_t epochs_bytes(struct epochs *e);
uint64_t epochs_floor(struct epochs *e);

#endif
