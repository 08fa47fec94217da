/* The shelf finds what was put on it, the newer of two, until it expires or is taken off; what it rounds, it
 * rounds up; an entry takes some 23 bytes at any size, and all memory comes back. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/mem.h"
#include "cache/shelf_table.h"

#define HOUR_MS ((int64_t)3600000)
#define NOW_MS  ((int64_t)1790000000000)

static struct memory memory;
static struct shelf *shelf;
static uint64_t dice_now;

/* ---- memory that ends ---- */

/* What the system refuses: the first piece for bit 0, the next one for bit 1, and so on. */
static _Thread_local uint64_t refused_pieces;

void *__real_memory_take(struct memory *m, size_t bytes);
void *__wrap_memory_take(struct memory *m, size_t bytes);
void *__wrap_memory_take(struct memory *m, size_t bytes)
{
    bool is_refused = refused_pieces & 1;
    refused_pieces = refused_pieces == UINT64_MAX ? UINT64_MAX : refused_pieces >> 1;
    return is_refused ? NULL : __real_memory_take(m, bytes);
}

/* ---- the world ---- */

static uint64_t mix(uint64_t x)
{
    x ^= x >> 30;
    x *= 0xbf58476d1ce4e5b9u;
    x ^= x >> 27;
    x *= 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

static uint32_t dice(uint32_t n)
{
    dice_now = dice_now * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(dice_now >> 33) % n;
}

static void begin_with(size_t entries_max)
{
    alarm(150);
    dice_now = 1;
    memory_init(&memory, (int64_t)1 << 30);
    shelf = shelf_new(&memory, entries_max);
    shelf_complete(shelf);
}

static int begin(void **state)
{
    (void)state;
    begin_with(SIZE_MAX);
    return 0;
}

static int end(void **state)
{
    (void)state;
    refused_pieces = 0;
    shelf_free(shelf);
    assert_int_equal(memory_used(&memory), 0);
    assert_int_equal(memory_pages(&memory), 0);
    memory_fini(&memory);
    return 0;
}

static struct hash128 key_of(uint64_t n)
{
    return (struct hash128){ mix(2 * n + 1), mix(2 * n + 2) };
}

static struct shelf_item item_of(uint64_t n, uint64_t begins, uint32_t segment, uint32_t unit)
{
    return (struct shelf_item){ key_of(n), begins, { segment, unit }, 4608, NOW_MS + HOUR_MS };
}

static bool put(uint64_t n, uint64_t begins, uint32_t segment, uint32_t unit)
{
    struct shelf_item item = item_of(n, begins, segment, unit);
    return shelf_put(shelf, &item, false);
}

static bool put_found(uint64_t n, uint64_t begins, uint32_t segment, uint32_t unit)
{
    struct shelf_item item = item_of(n, begins, segment, unit);
    return shelf_put(shelf, &item, true);
}

static bool find(uint64_t n, struct shelf_item *out)
{
    struct hash128 key = key_of(n);
    return shelf_find(shelf, &key, NOW_MS, out);
}

static bool remove_key(uint64_t n)
{
    struct hash128 key = key_of(n);
    return shelf_remove(shelf, &key, NULL);
}

static void assert_at(uint64_t n, uint64_t begins, uint32_t segment, uint32_t unit)
{
    struct shelf_item out;
    assert_true(find(n, &out));
    assert_true(hash128_eq(out.key, key_of(n)));
    assert_int_equal(out.begin, begins);
    assert_int_equal(out.place.segment, segment);
    assert_int_equal(out.place.unit, unit);
}

static void assert_absent(uint64_t n)
{
    struct shelf_item out;
    assert_false(find(n, &out));
}

/* ---- what is on it ---- */

/* An item is found with all that was put, at the ends of each range too, and others are not. */
static void finds_what_was_put(void **state)
{
    (void)state;
    struct shelf_item out, item = item_of(1, 7, 3, 9);
    assert_absent(1);
    assert_true(shelf_put(shelf, &item, false));
    assert_at(1, 7, 3, 9);
    assert_absent(2);
    assert_true(put(2, ((uint64_t)1 << 48) - 1, SEGMENTS_MOST - 1, SEGMENTS_MOST - 1));
    assert_at(2, ((uint64_t)1 << 48) - 1, SEGMENTS_MOST - 1, SEGMENTS_MOST - 1);
    assert_true(put(3, 0, 0, 0));
    assert_at(3, 0, 0, 0);
    assert_true(find(1, &out));
    assert_in_range(out.bytes, item.bytes, item.bytes + item.bytes / 16);
    assert_in_range(out.expires_wall_ms, item.expires_wall_ms, item.expires_wall_ms + SHELF_EXPIRES_STEP_MS);
    assert_int_equal(shelf_entries(shelf), 3);
    /* One bit of a key is another key. */
    for (unsigned bit = 0; bit < 128; bit++) {
        struct hash128 key = key_of(1);
        *(bit < 64 ? &key.lo : &key.hi) ^= (uint64_t)1 << bit % 64;
        assert_false(shelf_find(shelf, &key, NOW_MS, &out));
    }
}

/* What was written just now is put in place of the other, unless that one's begin is higher. */
static void what_is_written_replaces(void **state)
{
    (void)state;
    assert_true(put(1, 5, 2, 100));
    assert_true(put(1, 5, 1, 50)); /* wherever it is */
    assert_at(1, 5, 1, 50);
    assert_true(put(1, 6, 1, 10));
    assert_false(put(1, 5, 9, 900));
    assert_at(1, 6, 1, 10);
    assert_int_equal(shelf_entries(shelf), 1);
}

/* Of what recovery finds, from the newest segment to the oldest, the one with the highest begin stays; of
 * equal ones the one that was found first, in one segment the last. */
static void what_is_found_gives_way(void **state)
{
    (void)state;
    assert_true(put_found(1, 5, 7, 100));
    assert_false(put_found(1, 5, 6, 200)); /* an older segment */
    assert_false(put_found(1, 5, 9, 1));   /* numbers of segments say nothing of age */
    assert_false(put_found(1, 4, 7, 300));
    assert_at(1, 5, 7, 100);
    assert_true(put_found(1, 5, 7, 101));
    assert_false(put_found(1, 5, 7, 100));
    assert_at(1, 5, 7, 101);
    assert_true(put_found(1, 5, 7, 101)); /* the same record */
    assert_true(put_found(1, 6, 2, 3));
    assert_at(1, 6, 2, 3);
    assert_false(put_found(1, 5, 2, 4)); /* a higher begin stays in the same segment, too */
    assert_at(1, 6, 2, 3);
    assert_int_equal(shelf_entries(shelf), 1);
}

/* An item that has expired is not found and leaves the shelf; until then it is found. */
static void expired_items_leave(void **state)
{
    (void)state;
    struct shelf_item out, item = item_of(1, 5, 1, 1);
    struct hash128 key = key_of(1);
    assert_true(shelf_put(shelf, &item, false));
    assert_true(shelf_find(shelf, &key, item.expires_wall_ms - 1, &out));
    assert_true(shelf_find(shelf, &key, out.expires_wall_ms - 1, &out));
    assert_int_equal(shelf_entries(shelf), 1);
    assert_false(shelf_find(shelf, &key, out.expires_wall_ms, &out));
    assert_int_equal(shelf_entries(shelf), 0);
    assert_absent(1);
}

/* While recovery finds items, an expired one stays, and is not found: an older one of its key may have
 * longer. */
static void expired_items_stay_until_all_is_found(void **state)
{
    (void)state;
    shelf_free(shelf);
    shelf = shelf_new(&memory, SIZE_MAX);
    struct shelf_item out, expired = item_of(1, 5, 7, 1);
    expired.expires_wall_ms = NOW_MS - HOUR_MS;
    assert_true(shelf_put(shelf, &expired, true));
    assert_absent(1);
    assert_false(put_found(1, 4, 6, 1));
    assert_absent(1);
    assert_int_equal(shelf_entries(shelf), 1);
    shelf_complete(shelf);
    assert_false(shelf_find(shelf, &expired.key, NOW_MS, &out));
    assert_int_equal(shelf_entries(shelf), 0);
}

/* An item is taken off only when it is where the caller says. */
static void is_removed_at_its_place(void **state)
{
    (void)state;
    struct hash128 key = key_of(1);
    struct segments_place here = { 3, 4 }, other_unit = { 3, 5 }, other_segment = { 4, 4 };
    assert_false(remove_key(1));
    assert_true(put(1, 5, 3, 4));
    assert_false(shelf_remove(shelf, &key, &other_unit));
    assert_false(shelf_remove(shelf, &key, &other_segment));
    assert_at(1, 5, 3, 4);
    assert_true(shelf_remove(shelf, &key, &here));
    assert_false(shelf_remove(shelf, &key, &here));
    assert_absent(1);
    assert_true(put(1, 5, 3, 4));
    assert_true(remove_key(1));
    assert_int_equal(shelf_entries(shelf), 0);
}

static void assert_used(uint64_t n, struct segments_place place, bool is_used)
{
    struct hash128 key = key_of(n);
    bool used = !is_used;
    assert_true(shelf_has(shelf, &key, &place, &used));
    assert_int_equal(used, is_used);
}

/* That an item was asked for is remembered until it is moved or put anew. */
static void remembers_use(void **state)
{
    (void)state;
    struct hash128 key = key_of(1);
    struct segments_place here = { 3, 4 }, there = { 8, 9 };
    bool used = true;
    shelf_use(shelf, &key);
    assert_false(shelf_has(shelf, &key, &here, &used));
    assert_false(used);
    assert_true(put(1, 5, 3, 4));
    assert_used(1, here, false);
    shelf_use(shelf, &key);
    assert_used(1, here, true);
    assert_at(1, 5, 3, 4);
    assert_used(1, here, true);
    used = true;
    assert_false(shelf_has(shelf, &key, &there, &used));
    assert_false(used);
    assert_true(shelf_move(shelf, &key, &here, &there));
    assert_used(1, there, false);
    shelf_use(shelf, &key);
    assert_true(put(1, 6, 3, 4));
    assert_used(1, here, false);
}

/* A move changes the place of an item that is where the caller says, and nothing else of it. */
static void moves_from_a_place(void **state)
{
    (void)state;
    struct hash128 key = key_of(1);
    struct segments_place a = { 3, 4 }, b = { SEGMENTS_MOST - 1, SEGMENTS_MOST - 2 };
    struct shelf_item before, after;
    assert_false(shelf_move(shelf, &key, &a, &b));
    assert_true(put(1, 5, 3, 4));
    assert_true(find(1, &before));
    assert_false(shelf_move(shelf, &key, &b, &a));
    assert_at(1, 5, 3, 4);
    assert_true(shelf_move(shelf, &key, &a, &b));
    assert_false(shelf_move(shelf, &key, &a, &b));
    assert_at(1, 5, SEGMENTS_MOST - 1, SEGMENTS_MOST - 2);
    assert_true(find(1, &after));
    assert_int_equal(after.bytes, before.bytes);
    assert_int_equal(after.expires_wall_ms, before.expires_wall_ms);
}

/* Two keys that the shelf takes for one share an entry: the newer one's. */
static void the_newer_of_two_alike_stays(void **state)
{
    (void)state;
    struct shelf_item out, a = item_of(1, 5, 1, 1), b = item_of(2, 6, 2, 2);
    a.key = (struct hash128){ 1, 0 };
    b.key = (struct hash128){ 0, (uint64_t)1 << 32 };
    assert_true(shelf_put(shelf, &a, false));
    assert_true(shelf_put(shelf, &b, false));
    assert_int_equal(shelf_entries(shelf), 1);
    assert_true(shelf_find(shelf, &a.key, NOW_MS, &out));
    assert_int_equal(out.begin, 6);
}

/* ---- limits ---- */

/* A full shelf takes nothing new; what is on it can still be replaced, and what leaves makes room. */
static void a_full_shelf_refuses(void **state)
{
    (void)state;
    shelf_free(shelf);
    shelf = shelf_new(&memory, 1000);
    for (uint64_t n = 0; n < 1000; n++)
        assert_true(put(n, 5, 1, (uint32_t)n));
    assert_false(put(1000, 5, 1, 1000));
    assert_false(put_found(1000, 5, 1, 1000));
    assert_absent(1000);
    assert_int_equal(shelf_entries(shelf), 1000);
    assert_true(put(0, 6, 2, 0));
    assert_at(0, 6, 2, 0);
    assert_true(remove_key(1));
    assert_true(put(1000, 5, 1, 1000));
    assert_false(put(1, 5, 1, 1));
    assert_int_equal(shelf_entries(shelf), 1000);
    shelf_free(shelf);
    shelf = shelf_new(&memory, 0);
    assert_false(put(1, 5, 1, 1));
}

/* A begin or a length beyond what an entry has room for is refused, and the older item is gone. */
static void refuses_what_does_not_fit(void **state)
{
    (void)state;
    struct shelf_item item = item_of(1, (uint64_t)1 << 48, 1, 1);
    assert_false(shelf_put(shelf, &item, false));
    assert_true(put(1, 5, 1, 1));
    assert_false(shelf_put(shelf, &item, false));
    assert_absent(1);
    item = item_of(1, 5, 1, 1);
    item.bytes = SEGMENT_RECORD_MAX;
    assert_true(shelf_put(shelf, &item, false));
    item.bytes = SEGMENT_RECORD_MAX + 1;
    item.begin = 4;
    assert_false(shelf_put(shelf, &item, false));
    assert_at(1, 5, 1, 1); /* its begin is higher: the other one would not have been put anyway */
    item.begin = 5;
    assert_false(shelf_put(shelf, &item, false));
    assert_absent(1);
    assert_int_equal(shelf_entries(shelf), 0);
}

/* ---- rounding ---- */

/* Sizes are never too small, exact up to 2 KB in units, then at most a sixteenth too large, and never larger
 * than the largest record. */
static void sizes_round_up(void **state)
{
    (void)state;
    uint32_t last = 0;
    for (uint32_t bytes = 0; bytes <= SEGMENT_RECORD_MAX; bytes++) {
        uint32_t is = shelf_pack_bytes_read(shelf_pack_bytes(bytes));
        uint32_t units = (uint32_t)((bytes + SEGMENT_UNIT - 1) / SEGMENT_UNIT * SEGMENT_UNIT);
        if (is < bytes || is < last || is > units + units / 16 || is > SEGMENT_RECORD_MAX ||
            (bytes <= 2048 && is != units))
            fail_msg("%u bytes became %u", bytes, is);
        last = is;
    }
}

/* Expiries are never too early, and at most a step too late up to 2089; later ones do not come. */
static void expiries_round_up(void **state)
{
    (void)state;
    const int64_t last = ((1 << 23) - 2) * SHELF_EXPIRES_STEP_MS;
    assert_true(last / HOUR_MS / 24 / 365 >= 119);
    for (unsigned i = 0; i < 300000; i++) {
        int64_t ms = (int64_t)(mix(i) % (uint64_t)last);
        if (i % 3 == 0)
            ms = ms / SHELF_EXPIRES_STEP_MS * SHELF_EXPIRES_STEP_MS + (int)(i % 9 / 3) - 1;
        int64_t is = shelf_pack_expires_read(shelf_pack_expires(ms));
        if (is < ms || is >= (ms > 0 ? ms : 0) + SHELF_EXPIRES_STEP_MS)
            fail_msg("%lld ms became %lld", (long long)ms, (long long)is);
    }
    static const int64_t late[] = { 1, 2, HOUR_MS, INT64_MAX };
    assert_int_equal(shelf_pack_expires_read(shelf_pack_expires(last)), last);
    for (size_t i = 0; i < COUNT_OF(late); i++) {
        int64_t ms = late[i] == INT64_MAX ? INT64_MAX : last + late[i];
        assert_true(shelf_pack_expires_read(shelf_pack_expires(ms)) == INT64_MAX);
    }
    static const int64_t early[] = { 0, -1, INT64_MIN };
    for (size_t i = 0; i < COUNT_OF(early); i++)
        assert_int_equal(shelf_pack_expires_read(shelf_pack_expires(early[i])), 0);
}

/* ---- against a model ---- */

struct known {
    bool is_there, is_used;
    struct shelf_item item;
};

#define KEYS 3000
static struct known known[KEYS];
static size_t known_n;
static int64_t now_ms;

static bool model_put(struct known *k, const struct shelf_item *item, bool is_found)
{
    if (k->is_there) {
        const struct shelf_item *old = &k->item;
        if (old->begin > item->begin)
            return false;
        if (is_found && old->begin == item->begin &&
            !(old->place.segment == item->place.segment && old->place.unit <= item->place.unit))
            return false;
    }
    known_n += !k->is_there;
    *k = (struct known){ true, false, *item };
    return true;
}

static struct segments_place place_of_dice(void)
{
    return (struct segments_place){ dice(3) * 524287, dice(4) * 349525 };
}

static void step_put(uint32_t n)
{
    struct shelf_item item = { key_of(n), dice(6), place_of_dice(), dice(SEGMENT_RECORD_MAX), 0 };
    bool is_found = dice(2) == 0;
    item.expires_wall_ms = now_ms + (int64_t)dice(1000) * 60000 - 1000;
    if (dice(8) == 0)
        item.begin = (uint64_t)dice(1 << 30) << 18;
    bool is_put = model_put(&known[n], &item, is_found);
    assert_int_equal(shelf_put(shelf, &item, is_found), is_put);
}

static void step_find(uint32_t n)
{
    struct hash128 key = key_of(n);
    struct shelf_item out;
    struct known *k = &known[n];
    if (!shelf_find(shelf, &key, now_ms, &out)) {
        assert_true(!k->is_there || k->item.expires_wall_ms <= now_ms);
        known_n -= k->is_there;
        k->is_there = false;
        return;
    }
    assert_true(k->is_there);
    assert_true(now_ms < k->item.expires_wall_ms + SHELF_EXPIRES_STEP_MS);
    assert_int_equal(out.begin, k->item.begin);
    assert_int_equal(out.place.segment, k->item.place.segment);
    assert_int_equal(out.place.unit, k->item.place.unit);
    assert_true(out.bytes >= k->item.bytes && out.bytes <= k->item.bytes + k->item.bytes / 16 + 68);
    assert_true(out.expires_wall_ms >= k->item.expires_wall_ms);
}

static bool is_at(const struct known *k, const struct segments_place *place)
{
    return k->is_there && k->item.place.segment == place->segment && k->item.place.unit == place->unit;
}

static void step_remove(uint32_t n)
{
    struct hash128 key = key_of(n);
    struct segments_place place = place_of_dice();
    bool anywhere = dice(3) == 0, is_it = anywhere ? known[n].is_there : is_at(&known[n], &place);
    assert_int_equal(shelf_remove(shelf, &key, anywhere ? NULL : &place), is_it);
    known_n -= is_it;
    known[n].is_there &= !is_it;
}

static void step_move(uint32_t n)
{
    struct hash128 key = key_of(n);
    struct segments_place from = place_of_dice(), to = place_of_dice();
    bool is_it = is_at(&known[n], &from);
    assert_int_equal(shelf_move(shelf, &key, &from, &to), is_it);
    if (is_it) {
        known[n].item.place = to;
        known[n].is_used = false;
    }
}

static void step_use(uint32_t n)
{
    struct hash128 key = key_of(n);
    struct segments_place place = place_of_dice();
    bool is_used = false;
    assert_int_equal(shelf_has(shelf, &key, &place, &is_used), is_at(&known[n], &place));
    assert_int_equal(is_used, is_at(&known[n], &place) && known[n].is_used);
    shelf_use(shelf, &key);
    known[n].is_used = known[n].is_there;
}

/* 300,000 steps of all kinds give what a plain array gives, while the shelf fills and empties in turns. */
static void does_what_the_model_does(void **state)
{
    (void)state;
    memset(known, 0, sizeof(known));
    known_n = 0;
    now_ms = NOW_MS;
    size_t most = 0, least = KEYS;
    for (unsigned i = 0; i < 300000; i++) {
        uint32_t n = dice(KEYS), what = dice(100);
        bool fills = i / 50000 % 2 == 0;
        now_ms += dice(fills ? 100 : 4000);
        if (what < (fills ? 50u : 1u))
            step_put(n);
        else if (what < 75)
            step_find(n);
        else if (what < (fills ? 80u : 90u))
            step_remove(n);
        else if (what < 95)
            step_move(n);
        else
            step_use(n);
        assert_int_equal(shelf_entries(shelf), known_n);
        if (i % 50000 == 49999) {
            most = known_n > most ? known_n : most;
            least = known_n < least ? known_n : least;
        }
    }
    assert_true(most > 2000 && least < 300);
    for (uint32_t n = 0; n < KEYS; n++)
        step_find(n);
}

/* ---- size ---- */

#define MANY 1000000

/* No call moves more than a few leaves, whatever the shelf holds. */
static void assert_small_step(size_t before)
{
    size_t after = shelf_bytes(shelf);
    if ((before < after ? after - before : before - after) > 8192)
        fail_msg("%zu bytes became %zu in one call", before, after);
}

static void fill(uint64_t n, double *worst)
{
    *worst = 0;
    for (uint64_t i = 0; i < n; i++) {
        size_t before = shelf_bytes(shelf);
        if (!put(i, 5, (uint32_t)(i >> 14), (uint32_t)i % 16384))
            fail_msg("item %llu was not put", (unsigned long long)i);
        assert_small_step(before);
        double each = (double)shelf_bytes(shelf) / (double)(i + 1);
        if (i >= 50000 && each > *worst)
            *worst = each;
    }
}

/* A million entries take less than 24 bytes each, and hardly more at any size on the way there. What is
 * charged is what shelf_bytes says. */
static void an_entry_is_small(void **state)
{
    (void)state;
    double worst;
    fill(MANY, &worst);
    double each = (double)shelf_bytes(shelf) / MANY;
    print_message("%.2f bytes an entry; at most %.2f from 50,000 entries on\n", each, worst);
    assert_int_equal(memory_used(&memory), shelf_bytes(shelf));
    assert_true(each >= 20 && each < 24);
    assert_true(worst < 27);
    for (uint64_t i = 0; i < MANY; i += 97)
        assert_at(i, 5, (uint32_t)(i >> 14), (uint32_t)i % 16384);
    for (uint64_t i = MANY; i < MANY + 10000; i++)
        assert_absent(i);
}

/* What leaves gives its memory back, in small steps: an emptied shelf takes what a new one takes. */
static void shrinks_to_nothing(void **state)
{
    (void)state;
    enum { SOME = 200000 };
    size_t empty = shelf_bytes(shelf);
    double worst;
    fill(SOME, &worst);
    size_t full = shelf_bytes(shelf);
    for (uint64_t i = 0; i < SOME; i++) {
        size_t before = shelf_bytes(shelf);
        uint64_t n = i * 7919 % SOME;
        assert_true(remove_key(n));
        assert_small_step(before);
        if (i == SOME / 10 * 9) {
            assert_true(shelf_bytes(shelf) < full / 7);
            for (uint64_t k = i + 1; k < SOME; k++)
                assert_at(k * 7919 % SOME, 5, (uint32_t)(k * 7919 % SOME >> 14),
                          (uint32_t)(k * 7919 % SOME) % 16384);
        }
    }
    assert_int_equal(shelf_entries(shelf), 0);
    assert_int_equal(shelf_bytes(shelf), empty);
    assert_int_equal(memory_used(&memory), empty);
    assert_true(put(1, 5, 1, 1));
    assert_at(1, 5, 1, 1);
}

/* ---- without memory ---- */

/* Whenever the memory ends, an item is there or it is not, and all others stay; what is there can be replaced
 * and removed; nothing is charged that was not taken. */
static void goes_on_without_memory(void **state)
{
    (void)state;
    enum { SOME = 60000 };
    static bool is_there[SOME];
    size_t n = 0, refused = 0;
    for (uint32_t i = 0; i < SOME; i++) {
        refused_pieces = dice(2) * dice(8);
        is_there[i] = put(i, 5, 1, i);
        n += is_there[i];
        refused += !is_there[i];
        assert_int_equal(shelf_entries(shelf), n);
    }
    assert_true(n > SOME / 4 && refused > SOME / 20);
    refused_pieces = UINT64_MAX;
    for (uint32_t i = 0; i < SOME; i++) {
        if (!is_there[i]) {
            assert_absent(i);
            continue;
        }
        assert_at(i, 5, 1, i);
        assert_true(put(i, 6, 2, i));
        assert_at(i, 6, 2, i);
    }
    for (uint32_t i = 0; i < SOME; i++) {
        refused_pieces = dice(8);
        assert_int_equal(remove_key(i), is_there[i]);
    }
    assert_int_equal(shelf_entries(shelf), 0);
    assert_int_equal(memory_used(&memory), shelf_bytes(shelf));
}

/* A leaf that cannot be split, since there is no memory, takes items as long as it is in a page. When there
 * is memory again all fit, in leaves of the usual size, and all are found. */
static void splits_when_it_can(void **state)
{
    (void)state;
    enum { SOME = 4000 };
    struct shelf_room room = { .memory = &memory };
    struct shelf_table table = { 0 };
    uint64_t mask = ((uint64_t)1 << SHELF_TAG_BITS) - 1;
    uint32_t n = 0;
    for (; n < 24; n++)
        assert_true(shelf_table_add(&table, &room, mix(n) & mask, (struct shelf_packed){ .begin = n }));
    assert_int_equal(table.leaves, 1);
    /* A split takes the first piece, the leaf that grows the second. */
    for (bool is_added = true; is_added && n < SOME; n += is_added) {
        refused_pieces = 1;
        is_added = shelf_table_add(&table, &room, mix(n) & mask, (struct shelf_packed){ .begin = n });
    }
    assert_int_equal(table.leaves, 1);
    assert_int_equal(table.n, n);
    assert_in_range(n, 150, HEAP_PAGE / 20);
    refused_pieces = 0;
    for (; n < SOME; n++)
        assert_true(shelf_table_add(&table, &room, mix(n) & mask, (struct shelf_packed){ .begin = n }));
    assert_int_equal(table.n, SOME);
    assert_true(table.leaves >= SOME / 25);
    assert_true(atomic_load(&room.bytes) < SOME * 25);
    for (uint64_t i = 0; i < SOME; i++) {
        struct shelf_packed *p = shelf_table_find(&table, mix(i) & mask);
        assert_non_null(p);
        assert_int_equal(p->begin, i);
    }
    shelf_table_fini(&table, &room);
    assert_int_equal(atomic_load(&room.bytes), 0);
}

/* What a split took before the memory ended is given back: 32 leaves fill a segment, the next needs another
 * one. */
static void gives_back_half_a_split(void **state)
{
    (void)state;
    struct shelf_room room = { .memory = &memory };
    struct shelf_table table = { 0 };
    uint64_t mask = ((uint64_t)1 << SHELF_TAG_BITS) - 1;
    uint32_t n = 0;
    for (; n < 32 * 24; n++)
        assert_true(shelf_table_add(&table, &room, mix(n) & mask, (struct shelf_packed){ .begin = n }));
    assert_int_equal(table.leaves, 32);
    for (; n < 32 * 24 + 20; n++) {
        refused_pieces = 2; /* the segment comes, its first leaf does not */
        assert_true(shelf_table_add(&table, &room, mix(n) & mask, (struct shelf_packed){ .begin = n }));
        assert_int_equal(table.leaves, 32);
    }
    refused_pieces = 0;
    assert_true(shelf_table_add(&table, &room, mix(n) & mask, (struct shelf_packed){ .begin = n }));
    assert_int_equal(table.leaves, 33);
    shelf_table_fini(&table, &room);
    assert_int_equal(atomic_load(&room.bytes), 0);
}

/* Each of a tag's bits tells two items apart. */
static void all_bits_of_a_tag_count(void **state)
{
    (void)state;
    struct shelf_room room = { .memory = &memory };
    struct shelf_table table = { 0 };
    for (unsigned bit = 0; bit < SHELF_TAG_BITS; bit++) {
        assert_null(shelf_table_find(&table, (uint64_t)1 << bit));
        assert_true(
            shelf_table_add(&table, &room, (uint64_t)1 << bit, (struct shelf_packed){ .begin = bit }));
    }
    for (unsigned bit = 0; bit < SHELF_TAG_BITS; bit++)
        assert_int_equal(shelf_table_find(&table, (uint64_t)1 << bit)->begin, bit);
    shelf_table_fini(&table, &room);
}

/* ---- threads ---- */

#define THREADS 2
#define SHARED  512
#define OWN     4000

struct worker {
    pthread_t thread;
    unsigned id;
    size_t torn;
};

/* All of an item that several threads put follows from its begin. */
static struct shelf_item shared_item(uint64_t n, uint64_t begins)
{
    return item_of(n, begins, (uint32_t)(begins % 1021), (uint32_t)(begins % 65521));
}

static void *work(void *arg)
{
    struct worker *w = arg;
    uint64_t roll = w->id + 1;
    for (uint64_t i = 0; i < 40000; i++) {
        roll = mix(roll + i);
        uint64_t n = roll % SHARED, own = SHARED + w->id * OWN + i % OWN;
        struct shelf_item out, item = shared_item(n, 1000 + i);
        struct hash128 key = key_of(n), own_key = key_of(own);
        bool is_used;
        shelf_put(shelf, &item, roll >> 20 & 1);
        if (shelf_find(shelf, &key, NOW_MS, &out)) {
            struct shelf_item is = shared_item(n, out.begin);
            w->torn += out.place.segment != is.place.segment || out.place.unit != is.place.unit;
            shelf_has(shelf, &key, &out.place, &is_used);
            shelf_use(shelf, &key);
        }
        if ((roll >> 24 & 7) == 0)
            shelf_remove(shelf, &key, NULL);
        item = item_of(own, i, 1, 1);
        struct segments_place to = { 2, (uint32_t)i };
        w->torn += !shelf_put(shelf, &item, false) || !shelf_move(shelf, &own_key, &item.place, &to) ||
                   !shelf_find(shelf, &own_key, NOW_MS, &out) || out.place.unit != i || out.begin != i;
        if ((roll >> 28 & 1) == 0)
            w->torn += !shelf_remove(shelf, &own_key, &to);
    }
    return NULL;
}

/* Two threads put, find, move and remove at once: no item is ever half one and half another, each finds its
 * own, and the count is right at the end. */
static void threads_share_it(void **state)
{
    (void)state;
    struct worker workers[THREADS] = { 0 };
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i].id = i;
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(workers[i].thread, NULL);
        assert_int_equal(workers[i].torn, 0);
    }
    size_t there = 0;
    struct shelf_item out;
    for (uint64_t n = 0; n < SHARED + THREADS * OWN; n++)
        there += find(n, &out);
    assert_int_equal(there, shelf_entries(shelf));
    assert_true(there > OWN / 2);
    assert_int_equal(memory_used(&memory), shelf_bytes(shelf));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(finds_what_was_put),
        TEST(what_is_written_replaces),
        TEST(what_is_found_gives_way),
        TEST(expired_items_leave),
        TEST(expired_items_stay_until_all_is_found),
        TEST(is_removed_at_its_place),
        TEST(remembers_use),
        TEST(moves_from_a_place),
        TEST(the_newer_of_two_alike_stays),
        TEST(a_full_shelf_refuses),
        TEST(refuses_what_does_not_fit),
        TEST(sizes_round_up),
        TEST(expiries_round_up),
        TEST(does_what_the_model_does),
        TEST(an_entry_is_small),
        TEST(shrinks_to_nothing),
        TEST(goes_on_without_memory),
        TEST(splits_when_it_can),
        TEST(gives_back_half_a_split),
        TEST(all_bits_of_a_tag_count),
        TEST(threads_share_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
