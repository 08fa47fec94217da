/*
 * One file of facts: an SQLite database (WAL, synchronous=FULL: a commit returns when it is on disk). It has
 * two tables: facts, few, of bytes under a text; and rows, up to millions, of a few bytes under a number.
 * store/facts.h says what both are for.
 *
 * A connection is used by one thread at a time. The file may have two: one that writes, and one that copies
 * the write-ahead log into the database (facts_db_tidy), so that no commit waits for it.
 */
#ifndef STORE_FACTS_DB_H
#define STORE_FACTS_DB_H

#include "base/buf.h"

#define FACTS_VERSION 1
#define FACTS_ROW_MAX 168 /* bytes */

struct facts_row {
    uint64_t key; /* below 2^63 */
    size_t n;     /* 0: the row is gone */
    unsigned char bytes[FACTS_ROW_MAX];
};

/* What became of a call. */
enum facts_status {
    FACTS_GOOD,
    FACTS_LATER,   /* no space, no permission, no such folder: the file is as it was; try again later */
    FACTS_LOST,    /* the disk failed: what the file holds is not known, so it must not be written any more */
    FACTS_DAMAGED, /* the file is no database of this kind, or is damaged */
    FACTS_NEWER,   /* a newer freshet made it */
};

struct facts_db;

/* Opens the database at `path`, an existing file; an empty one becomes a database. NULL: *status and `error`
 * (appended) say why. */
struct facts_db *facts_db_open(const char *path, enum facts_status *status, struct buf *error);
/* Closes it. The last connection copies the log into the file and removes it, unless `untouched` is set: then
 * nothing is written any more. NULL does nothing. */
void facts_db_close(struct facts_db *db, bool untouched);

/* What is read from it. The strings and the row hold during the call. */
struct facts_reader {
    void *ctx;
    void (*fact)(void *ctx, struct str key, struct str value);
    bool (*row)(void *ctx, const struct facts_row *row); /* false: nobody wrote such a row, it is damage */
};
/* Reads all facts, then all rows in the order of their keys. A row that is too long counts as damage. */
enum facts_status facts_db_read(struct facts_db *db, const struct facts_reader *reader, struct buf *error);

/* Begin a transaction, write into it, and put it on disk. An empty value removes a fact. When one of them is
 * not FACTS_GOOD, `error` says why, the transaction is undone, and none of it is in the file after a crash,
 * unless the status is FACTS_LOST. */
enum facts_status facts_db_begin(struct facts_db *db, struct buf *error);
enum facts_status facts_db_clear(struct facts_db *db, struct buf *error); /* removes all facts and rows */
enum facts_status facts_db_put(struct facts_db *db, struct str key, struct str value, struct buf *error);
enum facts_status facts_db_put_row(struct facts_db *db, const struct facts_row *row, struct buf *error);
enum facts_status facts_db_commit(struct facts_db *db, struct buf *error);

/* Returns how many pages of 4 KB the log had at the latest commit. */
int facts_db_log_pages(const struct facts_db *db);
/* Copies as much of the log into the database as can be copied without waiting for the other connection. The
 * log begins anew with the next commit when all of it was. */
enum facts_status facts_db_tidy(struct facts_db *db, struct buf *error);

#endif
