/*
 * Finding on disk what facts were saved (src/store/FACTS.md): the newest whole snapshot, then the batches of
 * its log and of the one that follows, up to the first that is not there. For store/facts alone.
 */
#ifndef STORE_FACTS_RECOVER_H
#define STORE_FACTS_RECOVER_H

#include "store/facts_disk.h"

struct facts_recovered {
    enum facts_result result; /* FACTS_OK; FACTS_FOREIGN: there is nothing; FACTS_NEWER; FACTS_DAMAGED: what
                               * was said to be on disk is not, so nothing of it counts */
    enum facts_file whole;    /* with FACTS_OK: the snapshot that counts */
    enum facts_file damaged;  /* with FACTS_DAMAGED: the file that showed it */
    uint64_t generation;      /* the largest that was seen */
    uint64_t batches;         /* of logs, that were read */
};

/* Reads all that is there. The folder is locked. Returns 0, or a negative errno: a file could not be read.
 * What the reader has taken counts with FACTS_OK alone. Leaves the files open. */
int facts_recover(struct facts_disk *d, const struct facts_reader *reader, struct facts_recovered *out);

#endif
