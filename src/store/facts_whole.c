#include "store/facts_whole.h"

#include <string.h>

int facts_whole_begin(struct facts_whole *w, struct facts_disk *d, enum facts_file file, uint64_t generation,
                      uint64_t serial, void *room)
{
    *w = (struct facts_whole){
        .disk = d, .file = file, .head = { .generation = generation, .serial = serial }, .room = room
    };
    facts_writer_init(&w->piece, w->room, FACTS_BATCH_MOST);
    facts_disk_close(d, file);
    return facts_disk_open(d, file, true);
}

static int write_piece(struct facts_whole *w)
{
    struct facts_batch b = { .generation = w->head.generation,
                             .serial = w->head.pieces + 1,
                             .is_piece = true };
    size_t n = facts_writer_end(&w->piece, &b, FACTS_BLOCK);
    int status = facts_disk_write(w->disk, w->file, w->room, n, FACTS_BLOCK + w->head.bytes);
    w->head.pieces++;
    w->head.bytes += n;
    facts_writer_init(&w->piece, w->room, FACTS_BATCH_MOST);
    return status;
}

int facts_whole_flush(struct facts_whole *w)
{
    return w->piece.count ? write_piece(w) : 0;
}

/* The head comes last, in one sector, when all else is on disk: so it is there only with what it tells of. */
int facts_whole_end(struct facts_whole *w)
{
    int status = w->piece.count || !w->head.pieces ? write_piece(w) : 0;
    if (status == 0)
        status = facts_disk_sync(w->disk, w->file);
    if (status < 0)
        return status;
    memset(w->room, 0, FACTS_BLOCK);
    facts_whole_head_write(&w->head, w->room);
    status = facts_disk_write(w->disk, w->file, w->room, FACTS_BLOCK, 0);
    if (status == 0)
        status = facts_disk_sync(w->disk, w->file);
    if (status == 0)
        status = facts_disk_sync_names(w->disk);
    if (status == 0)
        facts_disk_close(w->disk, w->file);
    return status;
}

void facts_whole_abort(struct facts_whole *w)
{
    facts_disk_remove(w->disk, w->file);
}
