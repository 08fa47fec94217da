/*
 * Writing a snapshot: all facts and rows, in pieces, into the file that is not the newest one. It counts from
 * facts_whole_end on; before, and after any failure, the older one does. For store/facts alone.
 */
#ifndef STORE_FACTS_WHOLE_H
#define STORE_FACTS_WHOLE_H

#include "store/facts_disk.h"

struct facts_whole {
    struct facts_disk *disk;
    enum facts_file file;
    struct facts_whole_head head;
    unsigned char *room; /* of FACTS_BATCH_MOST bytes; the caller's */
    struct facts_writer piece;
};

/* Begins a snapshot that stands for all batches up to `serial`, for a log of that generation. Functions
 * return 0 or a negative errno; then facts_whole_abort follows. */
int facts_whole_begin(struct facts_whole *w, struct facts_disk *d, enum facts_file file, uint64_t generation,
                      uint64_t serial, void *room);
/* Writes w->piece, if it has entries, and begins the next one. */
int facts_whole_flush(struct facts_whole *w);
/* Writes the rest, waits for the disk, and makes it count. Closes the file. */
int facts_whole_end(struct facts_whole *w);
/* Removes the file: what it holds is not known. */
void facts_whole_abort(struct facts_whole *w);

#endif
