/*
 * Appending to a log: batches, one behind the other, in a file that was really written before. What was
 * appended is on disk when facts_log_sync says so. A block that is not full is written again with what
 * follows, with the same bytes in front. After a failure the file is not written or synced any more: the
 * kernel may drop what it could not write, and say later that all is well. For store/facts alone.
 */
#ifndef STORE_FACTS_LOG_H
#define STORE_FACTS_LOG_H

#include "store/facts_disk.h"

/* A batch is begun only where so many bytes are left. */
#define FACTS_LOG_LEFT ((size_t)128 << 10)
/* No log is smaller. */
#define FACTS_LOG_LEAST ((uint64_t)256 << 10)

struct facts_log {
    struct facts_disk *disk;
    enum facts_file file;
    uint64_t generation, after;
    uint64_t serial, durable; /* of the latest batch that was written; that is on disk */
    uint64_t at;              /* where the next one begins */
    unsigned char
        *room; /* FACTS_BLOCK and FACTS_BATCH_MOST bytes; the block at `at`, so far as it is written */
    struct facts_writer batch;
};

/* Takes an open file as the log of that generation, which goes on behind `serial` of the log `after`; 0:
 * behind a snapshot. */
void facts_log_begin(struct facts_log *l, enum facts_file file, uint64_t generation, uint64_t after,
                     uint64_t serial);
/* How many bytes are left? */
uint64_t facts_log_left(const struct facts_log *l);
/* Begins l->batch. There are FACTS_LOG_LEFT bytes. */
void facts_log_open(struct facts_log *l);
/* Writes l->batch. Returns 0 or a negative errno. */
int facts_log_write(struct facts_log *l);
/* Waits until all is on disk. Returns 0 or a negative errno. */
int facts_log_sync(struct facts_log *l);

#endif
