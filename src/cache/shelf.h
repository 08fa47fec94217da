/*
 * The shelf: where on disk the stored responses are, as far as this process knows. A response on disk alone
 * costs one entry here, however many names it has: 22 bytes on average, at most 23.5 from 50,000 entries on,
 * and some 4.5 that lie idle in the heap between pieces. An entry says where a record may be; what is read
 * there says whether it is (store/segments.h). So an entry may be wrong and nothing is: it is a miss.
 *
 * A key is a hash of 128 bits (cache/disk.h says of what). The shelf makes 48 bits of them, so two keys may
 * be taken for one. Among a million entries one look-up in 2^28 finds another key's item, and one put in as
 * many replaces it: the newer one stays.
 *
 * Any thread may call these functions. Each takes the lock of one shard, and under it the heap's, which are
 * the last ones in the order of locks. It looks at no more than two leaves of at most 203 entries
 * (cache/shelf_table.h): a table grows and shrinks by one leaf at a time.
 */
#ifndef CACHE_SHELF_H
#define CACHE_SHELF_H

#include "base/hash.h"
#include "store/memory.h"
#include "store/segments.h"

struct shelf;

struct shelf_item {
    struct hash128 key;
    uint64_t begin; /* of the record; below 2^48 */
    struct segments_place place;
    /* of the record; what shelf_find returns is rounded up by at most a sixteenth, and no more than
     * SEGMENT_RECORD_MAX */
    uint32_t bytes;
    /* the end of its lifetime and windows; shelf_find rounds it up to steps of 7.5 minutes. INT64_MAX: after
     * 2089, or never */
    int64_t expires_wall_ms;
};

/* Makes an empty shelf for at most `entries_max` entries. Its memory is charged to `m` as books, and comes as
 * entries come. Never NULL. */
struct shelf *shelf_new(struct memory *m, size_t entries_max);
/* Frees it. No other thread uses it. NULL is allowed. */
void shelf_free(struct shelf *s);

/* Puts the item on the shelf in place of the one with its key.
 * An item that is there stays when its begin is higher. `is_found`: this one was found on disk, by recovery,
 * which goes from the newest segment to the oldest: one that is there with the same begin stays, too, unless
 * it is in the same segment, not at a higher unit. Else it was written just now and replaces that one.
 * Replacing takes no room and no memory, so it works on a full shelf. The new item was not asked for yet.
 * false: it is not on the shelf: another one stays; or the shelf is full, or there is no memory; or its begin
 * is 2^48 or higher, or it is longer than SEGMENT_RECORD_MAX, and then an older item of the key is gone. */
bool shelf_put(struct shelf *s, const struct shelf_item *item, bool is_found);

/* Recovery has found all that is on disk: no older record of any key comes any more. */
void shelf_complete(struct shelf *s);

/* Finds the item of a key. One that has expired at `now_wall_ms` is not found, and is taken off. Before
 * shelf_complete it stays: it keeps older ones away, which may be of use for longer. */
bool shelf_find(struct shelf *s, const struct hash128 *key, int64_t now_wall_ms, struct shelf_item *out);
/* Takes the item of the key off the shelf. `place`: only when it is there; NULL: wherever it is. true: there
 * was one. */
bool shelf_remove(struct shelf *s, const struct hash128 *key, const struct segments_place *place);
/* The record was read: remembers that it is asked for. */
void shelf_use(struct shelf *s, const struct hash128 *key);
/* Is the item of the key at this place? Sets *is_used: it was asked for since it was put or moved; that is
 * forgotten by a move. */
bool shelf_has(struct shelf *s, const struct hash128 *key, const struct segments_place *place, bool *is_used);
/* Its record was carried over: `to` is its place now. false: it was not at `from` any more. */
bool shelf_move(struct shelf *s, const struct hash128 *key, const struct segments_place *from,
                const struct segments_place *to);

/* Gauges: entries, and the bytes that they take. */
size_t shelf_entries(const struct shelf *s);
size_t shelf_bytes(const struct shelf *s);

#endif
