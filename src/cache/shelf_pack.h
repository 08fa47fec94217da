/*
 * An item of the shelf (cache/shelf.h) in 20 bytes: 16 here, and 4 of its tag, which stand beside those of
 * other items (cache/shelf_table.h). Size and expiry are rounded up: a record is read as a whole, and nothing
 * expires early. Pure. Any thread.
 */
#ifndef CACHE_SHELF_PACK_H
#define CACHE_SHELF_PACK_H

#include "cache/shelf.h"

#define SHELF_TAG_BITS 40

struct shelf_packed {
    uint64_t begin : 48, bytes : 8, tag_high : 8;
    uint64_t segment : 20, unit : 20, expires : 23, is_used : 1;
};

/* Has an entry room for the item's begin and length? Its place is below SEGMENTS_MOST. */
bool shelf_pack_fits(const struct shelf_item *item);
/* Returns the item, which fits, as one that was not asked for. Its tag is left to shelf_table_add. */
struct shelf_packed shelf_pack(const struct shelf_item *item);
/* Sets all of *out but its key. */
void shelf_pack_read(const struct shelf_packed *p, struct shelf_item *out);

/* Sizes are exact up to 2 KB, then at most a sixteenth too large, and never beyond SEGMENT_RECORD_MAX.
 * `bytes`: at most that. */
uint8_t shelf_pack_bytes(uint32_t bytes);
uint32_t shelf_pack_bytes_read(uint8_t class);

/* Expiries are in steps of seven and a half minutes since 1970, in 23 bits, so until 2089. Later ones are
 * read as INT64_MAX, earlier than 1970 as 1970. */
#define SHELF_EXPIRES_STEP_MS ((int64_t)450000)
uint32_t shelf_pack_expires(int64_t wall_ms);
int64_t shelf_pack_expires_read(uint32_t expires);

#endif
