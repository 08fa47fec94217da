/*
 * How epochs are kept in memory. For cache/epoch.c, which purges and looks, and cache/epoch_saved.c, which
 * gives them to the disk and takes them back.
 */
#ifndef CACHE_EPOCH_MACHINE_H
#define CACHE_EPOCH_MACHINE_H

#include <stdatomic.h>

#include "base/list.h"
#include "cache/epoch.h"
#include "cache/table.h"
#include "store/facts.h"

/* When a name was softly purged, in order. An object's windows count from the first purge after it began. */
struct softs {
    uint32_t n, room;
    struct {
        uint64_t number;
        int64_t at_ms;
    } v[];
};
#define SOFTS_MOST 8

/* A purged name. */
struct epoch {
    struct table_node node;     /* its hash: the upper half of the name; own: the lower half */
    struct link link;           /* by age: the name whose latest purge is oldest comes first */
    uint64_t last[PURGE_KINDS]; /* latest number of each kind, 0: none */
    struct softs *softs;        /* owned; NULL: never softly purged */
    struct link disk;           /* in epochs->saved or epochs->unsaved */
    bool is_unsaved;
};

/*
 * The journal: for each of the latest numbers, the name that it purged. If an object was last looked at a few
 * purges ago, its hit compares these few with its own names, instead of looking all its names up. So hits
 * stay cheap for a site that purges all the time: eight entries are one cache line. `written` says up to
 * which number slots are being written, and is raised before the writing. A reader that was overtaken by a
 * whole round sees that afterwards, and falls back to the table.
 */
#define JOURNAL 1024

struct epochs {
    const struct hash_secret *secret;
    _Atomic uint64_t latest;
    _Atomic uint64_t floor; /* objects that began before this number count as purged, of one kind or
                             * another */
    _Atomic uint64_t written;
    _Atomic uint64_t made; /* the latest number of a name that is made (EPOCH_IS_MADE) */
    uint64_t journal_from; /* it has no purge up to this number: they were of an earlier process */
    _Alignas(64) _Atomic uint32_t
        journal[JOURNAL]; /* upper halves of names; a match must be confirmed in the table */

    /* Both grow and are emptied name by name: no purge and no look-up waits for all of them. */
    struct lock lock;
    struct table table;
    struct list by_age;
    struct memory memory; /* counts what the names take */
    size_t names_max;
    uint64_t floors[PURGE_KINDS]; /* the latest number of each kind that was forgotten over the cap */
    _Atomic(struct epochs_listener *) listener;
    /* What of it is on disk: private to cache/epoch_saved.c, which epoch.c tells of changes. */
    struct facts *facts; /* NULL: nothing is saved */
    struct list saved, unsaved;
    size_t unsaved_n;
    size_t due;       /* of the commit under way: names that it still has to take */
    bool head_is_due; /* it has taken nothing yet */
    bool head_unsaved, is_over;
    /* A walk over all names, the one that was purged longest ago first. */
    struct link *walk;  /* the next one; NULL: none is left */
    uint64_t walk_upto; /* those with later purges are given to a commit anyway */
    bool walk_saves;
    unsigned walk_heads;           /* that are still to be given: 2, 1, 0 */
    uint64_t ceiling;              /* on disk or on its way: no number above it is given */
    int64_t head_wall_ms;          /* the latest wall time that is on disk */
    struct epoch_loading *loading; /* at the start */
    unsigned tag;                  /* EPOCHS_TAG while it lives; behind all that a hit reads */
};
#define EPOCHS_TAG 0x65706f63u

/* ---- epoch.c, under the lock ---- */

/* Adds a name that is not there: neither purged nor saved. */
struct epoch *epoch_add(struct epochs *e, uint64_t name);
/* Forgets a name. */
void epoch_drop(struct epochs *e, struct epoch *s);
/* Finds a name; NULL: it is not there. */
struct epoch *epoch_find(const struct epochs *e, uint64_t name);
/* Forgets its soft purges. */
void epoch_drop_softs(struct epochs *e, struct epoch *s);
/* Adds a soft purge, later than the others of the name. */
void epoch_add_soft(struct epochs *e, struct epoch *to, uint64_t number, int64_t at_ms);
/* Returns the number of the latest purge of the name. */
uint64_t epoch_latest(const struct epoch *s);
/* Forgets the name whose latest purge is oldest, and raises the floor above it. */
void epoch_raise_floor(struct epochs *e);
uint64_t epoch_name(const struct epoch *s);

/* ---- epoch_saved.c, under the lock ---- */

/* Tell of a name that is new, and not purged yet; that was purged, and counts as changed; that is forgotten,
 * or moves to the end of by_age. A forgotten name leaves nothing on disk that would be wrong: read again, it
 * purges what was purged, and no more. */
void epoch_unsave_new(struct epochs *e, struct epoch *s);
void epoch_unsave(struct epochs *e, struct epoch *s);
void epoch_unsave_dropped(struct epochs *e, struct epoch *s);
void epoch_step_over(struct epochs *e, struct epoch *s);
/* Tells that a floor was raised. */
void epoch_unsave_head(struct epochs *e);

#endif
