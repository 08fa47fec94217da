/*
 * The bytes of facts on disk (src/store/FACTS.md): bytes in, values out, and back. Pure: no file, no clock,
 * no memory of its own. Any thread. What is read may be damaged, cut, of the past, of a stranger or of a
 * newer freshet: each has a result of its own, and nothing outside the given bytes is looked at.
 */
#ifndef STORE_FACTS_FORMAT_H
#define STORE_FACTS_FORMAT_H

#include "base/str.h"

#define FACTS_VERSION 1

#define FACTS_UNIT       ((size_t)64)        /* batches of a log begin at multiples of it */
#define FACTS_BLOCK      ((size_t)4096)      /* pieces of a snapshot do, and its head takes one */
#define FACTS_SECTOR     ((size_t)512)       /* a snapshot's head has so many bytes: it is never torn */
#define FACTS_BATCH_HEAD ((size_t)64)        /* bytes */
#define FACTS_BATCH_MOST ((size_t)512 << 10) /* bytes of a batch with its head, a multiple of FACTS_BLOCK */

#define FACTS_ROW_MAX   ((size_t)168)   /* bytes of a row */
#define FACTS_KEY_MAX   ((size_t)1024)  /* bytes of a fact's name */
#define FACTS_VALUE_MAX ((size_t)65536) /* bytes of a fact's value */

struct facts_row {
    uint64_t key;
    size_t n; /* bytes, at least 1 */
    unsigned char bytes[FACTS_ROW_MAX];
};

enum facts_result {
    FACTS_OK,
    FACTS_CUT,     /* the input ends before it */
    FACTS_FOREIGN, /* it does not begin as ours does: empty space, or somebody else's bytes */
    FACTS_NEWER,   /* a newer freshet wrote it */
    FACTS_DAMAGED, /* a sum does not hold, or the values contradict each other */
};

/* A batch: what is written at once, to a log or as a piece of a snapshot. */
struct facts_batch {
    uint64_t generation; /* of its file's use, never 0 */
    uint64_t serial;     /* each batch of a log has that of the one before and one; pieces count from 1 */
    uint64_t after; /* the generation of the log that it goes on with; 0: its log begins behind a snapshot */
    uint64_t durable; /* the latest serial that was on disk before this batch was written */
    uint32_t bytes;   /* with its head and the zeros behind it */
    uint32_t count;   /* entries */
    bool is_piece;    /* of a snapshot */
};

/* Who takes what is read. The strings and the row hold during the call. false: nobody wrote such an entry, so
 * it is damage. */
struct facts_reader {
    void *ctx;
    bool (*fact)(void *ctx, struct str key, struct str value); /* an empty value: it is gone */
    bool (*row)(void *ctx, const struct facts_row *row);
};

/* ---- writing ---- */

/* A batch that is being written. */
struct facts_writer {
    unsigned char *at; /* of the batch */
    size_t room, n;    /* bytes: there are, and are used, with the head */
    uint32_t count;
};
/* Begins a batch at `at`, with so many bytes at most, at least FACTS_BATCH_HEAD. */
void facts_writer_init(struct facts_writer *w, unsigned char *at, size_t room);
/* Add an entry. false: there is no room for it. */
bool facts_writer_row(struct facts_writer *w, const struct facts_row *row);
bool facts_writer_fact(struct facts_writer *w, struct str key, struct str value);
/* Ends the batch: zeros up to a multiple of `unit`, which fits, and the head with *b. Returns its bytes. */
size_t facts_writer_end(struct facts_writer *w, const struct facts_batch *b, size_t unit);

/* ---- reading ---- */

/* Reads the head of a batch, and checks the whole of it. FACTS_CUT: *out has `bytes`, how many are needed. */
enum facts_result facts_batch_read(struct str in, struct facts_batch *out);
/* Gives the entries of a batch that was read to the reader. FACTS_OK or FACTS_DAMAGED. */
enum facts_result facts_batch_each(struct str in, const struct facts_batch *b,
                                   const struct facts_reader *reader);

/* ---- the head of a snapshot ---- */

struct facts_whole_head {
    uint64_t generation; /* of its pieces, and of the log that follows it */
    uint64_t serial;     /* the latest batch of a log that it stands for */
    uint64_t bytes;      /* of its pieces */
    uint64_t pieces;
};
void facts_whole_head_write(const struct facts_whole_head *h, unsigned char out[FACTS_SECTOR]);
enum facts_result facts_whole_head_read(struct str in, struct facts_whole_head *out);

#endif
