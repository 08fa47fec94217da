/*
 * The bytes of the log of segments (src/store/FORMAT.md): bytes in, values out, and back. Pure: no file, no
 * clock, no memory of its own. Any thread. What is read may be damaged, cut, of the past, of a stranger or of
 * a newer freshet: each has a result of its own, and nothing outside the given bytes is looked at. Whatever
 * is accepted is written back to the same bytes.
 */
#ifndef STORE_SEGMENT_FORMAT_H
#define STORE_SEGMENT_FORMAT_H

#include "base/hash.h"

#define SEGMENT_VERSION 1

#define SEGMENT_UNIT   ((size_t)64)   /* records begin at multiples of it */
#define SEGMENT_BLOCK  ((size_t)4096) /* the first one is the segment's head's, the last one its end's */
#define SEGMENT_SECTOR ((size_t)512)  /* a head or an end has so many bytes: one sector is never torn */
#define SEGMENT_SECRET ((size_t)16)   /* bytes of a secret's id */

#define SEGMENT_SUMMED    ((size_t)256 << 10) /* bytes of a body under one sum */
#define SEGMENT_BODY_MAX  ((size_t)1 << 20)   /* of one record; a longer body takes several */
#define SEGMENT_TEXTS_MAX ((size_t)256 << 10) /* key, variant, rule, names and head together */
#define SEGMENT_SUMS_MAX  (SEGMENT_BODY_MAX / SEGMENT_SUMMED)
#define SEGMENT_MORE_MAX  ((size_t)60) /* further pieces of a body */

#define SEGMENT_RECORD_HEAD ((size_t)192)
/* A record's head and the sums of its body, which precede everything else. */
#define SEGMENT_PREFIX_MAX (SEGMENT_RECORD_HEAD + 8 * SEGMENT_SUMS_MAX)
/* No record is longer. */
#define SEGMENT_RECORD_MAX (SEGMENT_PREFIX_MAX + SEGMENT_TEXTS_MAX + SEGMENT_BODY_MAX + SEGMENT_UNIT - 32)
#define SEGMENT_ENTRY      ((size_t)48)

enum segment_result {
    SEGMENT_OK,
    SEGMENT_CUT,     /* the input ends before it */
    SEGMENT_FOREIGN, /* it does not begin as ours does: empty space, or somebody else's bytes */
    SEGMENT_NEWER,   /* a newer freshet wrote it */
    SEGMENT_PAST,    /* whole, and of another generation: the file was reused since */
    SEGMENT_DAMAGED, /* a sum does not hold, or the values contradict each other */
};

/* ---- a segment's head, and its end ---- */

struct segment_head {
    uint64_t generation;                  /* of this use of the file; never 0, never used twice */
    unsigned char secret[SEGMENT_SECRET]; /* names and keys are hashed under the secret with this id */
    uint64_t bytes;                       /* of the whole segment */
    int64_t made_wall_ms;
};
/* Writes a head. */
void segment_head_write(const struct segment_head *h, unsigned char out[SEGMENT_SECTOR]);
/* Reads a head from the first bytes of a file. *out is set when the result is SEGMENT_OK. */
enum segment_result segment_head_read(struct str in, struct segment_head *out);

/* The end says where the index is and what it holds. It is the last sector of a sealed segment. */
struct segment_end {
    uint64_t generation;
    uint64_t begin_min, begin_max; /* of its records; both 0 without any */
    uint32_t count;                /* of entries, and of records */
    uint32_t index_unit;           /* where the entries begin, in units; a multiple of SEGMENT_BLOCK */
    uint32_t records_unit;         /* where the last record ends */
    uint64_t index_sum;            /* of all entries */
};
/* Writes an end. */
void segment_end_write(const struct segment_end *e, unsigned char out[SEGMENT_SECTOR]);
/* Reads the end of a segment of `segment_bytes` from its last sector, and checks that what it says fits in
 * there. `generation`: of the segment's head; another one is SEGMENT_PAST. *out is set when the result is
 * SEGMENT_OK. */
enum segment_result segment_end_read(struct str in, uint64_t generation, uint64_t segment_bytes,
                                     struct segment_end *out);
/* Returns the bytes that a segment needs behind its records, which end at `records_unit`, for an index of
 * `count` entries and the end: with what aligns them. */
uint64_t segment_end_room(uint32_t records_unit, uint32_t count);

/* ---- a record: one response, or one piece of a long one ---- */

enum segment_flag {
    SEGMENT_ALWAYS_REVALIDATE = 1, /* struct freshness of cache/policy.h */
    SEGMENT_NEVER_STALE = 2,
    SEGMENT_FOREGROUND = 4,
};
#define SEGMENT_FLAGS 7 /* all of them */

struct segment_time {
    unsigned char boot[16]; /* the id of the boot that boot_ms belongs to */
    int64_t boot_ms;        /* CLOCK_BOOTTIME */
    int64_t wall_ms;
};

struct segment_record {
    struct hash128 key; /* of key, variant and release, under the secret: what the owner looks up */
    uint64_t begin;     /* the purge number at which its fetch began */
    uint64_t object;    /* the same in all records of one response, another one in each response of a key */
    uint32_t part;      /* 0: the first, which has the head; or a further piece of the body */
    uint64_t body_from; /* where its bytes stand in the whole body */
    uint64_t body_whole;
    struct segment_time received;
    /* milliseconds, none negative */
    int64_t age_ms, lifetime_ms, stale_while_ms, stale_error_ms;
    uint16_t status; /* below 1000 */
    uint16_t flags;  /* enum segment_flag */
    uint32_t form;   /* the owner's: how it packed `names` and `head` */
    uint64_t release;
    struct str url;     /* the full primary key */
    struct str variant; /* the full variant key */
    struct str rule;    /* the family's rule, as text */
    struct str names;   /* what it can be purged by, as the owner packs it */
    struct str head;    /* the response without its body, as the owner packs it */
    struct str body;    /* its bytes, or the first piece of them */
    struct strs more;   /* to be written: further pieces; read: none */
};

/* Returns the bytes of the body in this record. */
size_t segment_record_body(const struct segment_record *r);
/* Returns how many bytes the record takes in a segment, a multiple of SEGMENT_UNIT. 0: a length is beyond its
 * limit, or a number out of its range: it cannot be written. */
size_t segment_record_bytes(const struct segment_record *r);

/* Writes the prefix of a record that segment_record_bytes accepts, with all sums. Returns its length. Behind
 * it belong url, variant, rule, names, head, body, more, and zeros up to segment_record_bytes. */
size_t segment_record_prefix(const struct segment_record *r, uint64_t generation,
                             unsigned char out[SEGMENT_PREFIX_MAX]);
/* Writes the whole record. `out` has room for segment_record_bytes. Returns that number. */
size_t segment_record_write(const struct segment_record *r, uint64_t generation, unsigned char *out);

/* Reads the head of the record at the start of `in` alone. SEGMENT_OK: *bytes is the length of the record,
 * which may be longer than `in`. */
enum segment_result segment_record_peek(struct str in, uint64_t generation, size_t *bytes);
/* Reads the record at the start of `in` and checks all sums. SEGMENT_OK: *out is set, its strings point into
 * `in`; *bytes is its length. SEGMENT_CUT, SEGMENT_DAMAGED: *bytes is its length when its head is whole, else
 * 0. `generation`: of the segment. */
enum segment_result segment_record_read(struct str in, uint64_t generation, struct segment_record *out,
                                        size_t *bytes);

/* ---- the index: an entry for each record, in their order ---- */

struct segment_entry {
    struct hash128 key;
    uint64_t begin;
    uint32_t unit, units;    /* where the record begins, and its length, in units */
    int64_t expires_wall_ms; /* the end of its lifetime and of its longest stale window */
    uint32_t part;
    uint16_t status, flags;
};
/* Returns the entry of a record that begins at `unit`. */
struct segment_entry segment_entry_of(const struct segment_record *r, uint32_t unit);
/* Writes an entry. */
void segment_entry_write(const struct segment_entry *e, unsigned char out[SEGMENT_ENTRY]);
/* Reads one of the entries that segment_index_check has accepted. */
void segment_entry_read(const unsigned char in[SEGMENT_ENTRY], struct segment_entry *out);
/* Checks all entries of an index, `in`, which begins at the end's index_unit: their number, their sum, and
 * that their records stand one behind the other. */
enum segment_result segment_index_check(const struct segment_end *e, struct str in);

#endif
