#include "store/facts_log.h"

#include <string.h>

#include "base/check.h"

void facts_log_begin(struct facts_log *l, enum facts_file file, uint64_t generation, uint64_t after,
                     uint64_t serial)
{
    l->file = file;
    l->generation = generation;
    l->after = after;
    l->serial = l->durable = serial;
    l->at = 0;
}

uint64_t facts_log_left(const struct facts_log *l)
{
    return l->disk->file[l->file].bytes - l->at;
}

void facts_log_open(struct facts_log *l)
{
    uint64_t left = facts_log_left(l);
    CHECK(left >= FACTS_LOG_LEFT);
    facts_writer_init(&l->batch, l->room + l->at % FACTS_BLOCK,
                      left < FACTS_BATCH_MOST ? (size_t)left / FACTS_UNIT * FACTS_UNIT : FACTS_BATCH_MOST);
}

int facts_log_write(struct facts_log *l)
{
    struct facts_batch b = {
        .generation = l->generation, .serial = l->serial + 1, .after = l->after, .durable = l->durable
    };
    size_t before = (size_t)(l->at % FACTS_BLOCK), n = before + facts_writer_end(&l->batch, &b, FACTS_UNIT),
           blocks = (n + FACTS_BLOCK - 1) / FACTS_BLOCK * FACTS_BLOCK;
    memset(l->room + n, 0, blocks - n);
    int status = facts_disk_write(l->disk, l->file, l->room, blocks, l->at - before);
    l->serial++;
    l->at += n - before;
    memmove(l->room, l->room + n / FACTS_BLOCK * FACTS_BLOCK, n % FACTS_BLOCK);
    return status;
}

int facts_log_sync(struct facts_log *l)
{
    int status = facts_disk_sync(l->disk, l->file);
    if (status == 0)
        l->durable = l->serial;
    return status;
}
