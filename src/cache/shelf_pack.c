#include "cache/shelf_pack.h"

#include "base/check.h"

#define BEGINS  ((uint64_t)1 << 48)
#define EXPIRES (((uint32_t)1 << 23) - 1) /* the last step means never */

/* A class is a small floating number of units: an exponent, and four bits behind the leading one. Classes
 * below 32 are exact: there the leading one is written out. */
#define MANTISSA ((uint32_t)16)

_Static_assert(sizeof(struct shelf_packed) == 16, "two words, without padding");
_Static_assert(SEGMENTS_MOST == (uint32_t)1 << 20, "a place fits into 20 bits and 20 bits");
/* The largest class is 31 << 14 units. */
_Static_assert(SEGMENT_RECORD_MAX <= (uint64_t)31 << 14 << 6 && SEGMENT_UNIT == 64,
               "each record has a class");

uint8_t shelf_pack_bytes(uint32_t bytes)
{
    CHECK(bytes <= SEGMENT_RECORD_MAX);
    uint32_t units = (uint32_t)((bytes + SEGMENT_UNIT - 1) / SEGMENT_UNIT), exponent = 0;
    while (units >= 2 * MANTISSA) {
        units = (units + 1) / 2;
        exponent++;
    }
    return (uint8_t)(exponent * MANTISSA + units);
}

uint32_t shelf_pack_bytes_read(uint8_t class)
{
    uint32_t exponent = class < 2 * MANTISSA ? 0 : class / MANTISSA - 1;
    uint64_t bytes = ((uint64_t)(class - exponent * MANTISSA) << exponent) * SEGMENT_UNIT;
    return (uint32_t)(bytes < SEGMENT_RECORD_MAX ? bytes : SEGMENT_RECORD_MAX);
}

uint32_t shelf_pack_expires(int64_t wall_ms)
{
    if (wall_ms <= 0)
        return 0;
    int64_t steps = wall_ms / SHELF_EXPIRES_STEP_MS + (wall_ms % SHELF_EXPIRES_STEP_MS != 0);
    return steps < EXPIRES ? (uint32_t)steps : EXPIRES;
}

int64_t shelf_pack_expires_read(uint32_t expires)
{
    return expires == EXPIRES ? INT64_MAX : expires * SHELF_EXPIRES_STEP_MS;
}

bool shelf_pack_fits(const struct shelf_item *item)
{
    CHECK(item->place.segment < SEGMENTS_MOST && item->place.unit < SEGMENTS_MOST);
    return item->begin < BEGINS && item->bytes <= SEGMENT_RECORD_MAX;
}

struct shelf_packed shelf_pack(const struct shelf_item *item)
{
    CHECK(shelf_pack_fits(item));
    return (struct shelf_packed){
        .begin = item->begin,
        .bytes = shelf_pack_bytes(item->bytes),
        .segment = item->place.segment,
        .unit = item->place.unit,
        .expires = shelf_pack_expires(item->expires_wall_ms),
    };
}

void shelf_pack_read(const struct shelf_packed *p, struct shelf_item *out)
{
    out->begin = p->begin;
    out->place = (struct segments_place){ p->segment, p->unit };
    out->bytes = shelf_pack_bytes_read(p->bytes);
    out->expires_wall_ms = shelf_pack_expires_read(p->expires);
}
