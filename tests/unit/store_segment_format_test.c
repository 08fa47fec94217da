/* A record comes back as it was written, in any pieces; cut, damaged, of the past, of a stranger or of a
 * newer freshet it is refused, each for its own reason. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "segment_test.h"
#include "store/segment_format.h"

enum { GENERATION = 77, BYTES = 1 << 20 };

/* A copy of its own size, so that the sanitizer sees what is read behind it. */
static enum segment_result read_copy(const unsigned char *p, size_t n, uint64_t generation, size_t *bytes)
{
    struct segment_record r;
    char *copy = malloc(n ? n : 1);
    memcpy(copy, p, n);
    enum segment_result result = segment_record_read((struct str){ copy, n }, generation, &r, bytes);
    free(copy);
    return result;
}

static unsigned char *written(const struct segment_record *r, size_t *bytes)
{
    *bytes = segment_record_bytes(r);
    assert_true(*bytes > 0);
    unsigned char *out = malloc(*bytes);
    assert_int_equal(segment_record_write(r, GENERATION, out), *bytes);
    return out;
}

static void expect_back(const struct segment_record *r)
{
    size_t bytes, got;
    struct segment_record back;
    unsigned char *out = written(r, &bytes);
    struct str in = { (const char *)out, bytes };
    assert_int_equal(segment_record_read(in, GENERATION, &back, &got), SEGMENT_OK);
    assert_int_equal(got, bytes);
    assert_int_equal(segment_record_peek(in, GENERATION, &got), SEGMENT_OK);
    assert_int_equal(got, bytes);
    expect_same_record(r, &back);
    unsigned char *again = malloc(bytes);
    segment_record_write(&back, GENERATION, again);
    assert_memory_equal(out, again, bytes);
    free(again);
    free(out);
}

/* Sizes around each edge: a unit, the bytes under one sum, the longest. */
static void records_come_back(void **state)
{
    (void)state;
    static const size_t bodies[] = { 0,
                                     1,
                                     63,
                                     64,
                                     65,
                                     4096,
                                     SEGMENT_SUMMED - 1,
                                     SEGMENT_SUMMED,
                                     SEGMENT_SUMMED + 1,
                                     SEGMENT_BODY_MAX - 1,
                                     SEGMENT_BODY_MAX };
    struct sample s;
    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        sample_init(&s, i, bodies[i]);
        expect_back(&s.record);
        sample_fini(&s);
    }
    struct segment_record empty = { .status = 204 };
    expect_back(&empty);
}

static void the_longest_is_as_long_as_promised(void **state)
{
    (void)state;
    static char bytes[SEGMENT_BODY_MAX];
    struct segment_record r = { .body = { bytes, SEGMENT_BODY_MAX },
                                .body_whole = UINT64_MAX,
                                .head = { bytes, SEGMENT_TEXTS_MAX } };
    assert_int_equal(segment_record_bytes(&r), SEGMENT_RECORD_MAX);
    expect_back(&r);
}

/* The pieces in which a body comes do not change its record. */
static void a_body_may_come_in_pieces(void **state)
{
    (void)state;
    struct sample s;
    sample_init(&s, 5, 3 * SEGMENT_SUMMED + 1000);
    size_t bytes;
    unsigned char *whole = written(&s.record, &bytes), *out = malloc(bytes);
    for (size_t step = 40000; step < s.record.body.n + 1000; step = step * 2 + 13) {
        struct str pieces[SEGMENT_MORE_MAX];
        struct segment_record r = s.record;
        struct str rest = str_from_index(s.record.body, step);
        r.body = str_first(s.record.body, step);
        r.more = (struct strs){ pieces, 0 };
        for (; rest.n; rest = str_from_index(rest, step))
            pieces[r.more.n++] = str_first(rest, step);
        pieces[r.more.n++] = STR_NONE;
        assert_int_equal(segment_record_write(&r, GENERATION, out), bytes);
        assert_memory_equal(whole, out, bytes);
    }
    free(out);
    free(whole);
    sample_fini(&s);
}

static void what_has_no_place_is_not_written(void **state)
{
    (void)state;
    static char bytes[SEGMENT_BODY_MAX + 1];
    static struct str pieces[SEGMENT_MORE_MAX + 1];
    const struct segment_record bad[] = {
        { .body = { bytes, SEGMENT_BODY_MAX + 1 }, .body_whole = UINT64_MAX },
        { .url = { bytes, SEGMENT_TEXTS_MAX }, .rule = { bytes, 1 } },
        { .head = { bytes, SEGMENT_TEXTS_MAX + 1 } },
        { .body = { bytes, 10 }, .body_whole = 9 },
        { .body = { bytes, 10 }, .body_whole = UINT64_MAX, .body_from = UINT64_MAX - 9 },
        { .age_ms = -1 },
        { .lifetime_ms = -1 },
        { .stale_while_ms = -1 },
        { .stale_error_ms = -1 },
        { .status = 1000 },
        { .flags = SEGMENT_FLAGS + 1 },
        { .more = { pieces, SEGMENT_MORE_MAX + 1 } },
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(segment_record_bytes(&bad[i]), 0);
}

static void a_cut_at_each_byte_is_told(void **state)
{
    (void)state;
    struct sample s;
    sample_init(&s, 1, 300);
    size_t bytes, got;
    unsigned char *out = written(&s.record, &bytes);
    for (size_t n = 0; n < bytes; n++) {
        assert_int_equal(read_copy(out, n, GENERATION, &got), SEGMENT_CUT);
        assert_int_equal(got, n < SEGMENT_RECORD_HEAD ? 0 : bytes);
    }
    assert_int_equal(read_copy(out, bytes, GENERATION, &got), SEGMENT_OK);
    free(out);
    sample_fini(&s);
}

/* Each single bit, also of what only aligns. */
static void a_flipped_bit_is_told(void **state)
{
    (void)state;
    struct sample s;
    sample_init(&s, 2, 301);
    size_t bytes, got;
    unsigned char *out = written(&s.record, &bytes);
    for (size_t i = 0; i < bytes * 8; i++) {
        out[i / 8] ^= (unsigned char)(1 << i % 8);
        enum segment_result result = read_copy(out, bytes, GENERATION, &got);
        if (i / 8 < 4)
            assert_int_equal(result, SEGMENT_FOREIGN);
        else if (i / 8 < 6)
            assert_true(result == SEGMENT_NEWER || result == SEGMENT_DAMAGED);
        else
            assert_int_equal(result, SEGMENT_DAMAGED);
        assert_int_equal(got, i / 8 < SEGMENT_RECORD_HEAD ? 0 : bytes);
        out[i / 8] ^= (unsigned char)(1 << i % 8);
    }
    free(out);
    sample_fini(&s);
}

static void the_past_and_the_newer_are_told(void **state)
{
    (void)state;
    struct sample s;
    sample_init(&s, 3, 100);
    size_t bytes, got;
    unsigned char *out = written(&s.record, &bytes);
    assert_int_equal(read_copy(out, bytes, GENERATION + 1, &got), SEGMENT_PAST);
    assert_int_equal(got, 0);
    out[4] = SEGMENT_VERSION + 1;
    assert_int_equal(read_copy(out, bytes, GENERATION, &got), SEGMENT_NEWER);
    assert_int_equal(read_copy(out, 8, GENERATION, &got), SEGMENT_NEWER);
    out[4] = 0;
    assert_int_equal(read_copy(out, bytes, GENERATION, &got), SEGMENT_DAMAGED);
    memset(out, 0, bytes);
    assert_int_equal(read_copy(out, bytes, GENERATION, &got), SEGMENT_FOREIGN);
    free(out);
    sample_fini(&s);
}

/* ---- heads and ends ---- */

static struct str sector(const unsigned char *p)
{
    return (struct str){ (const char *)p, SEGMENT_SECTOR };
}

static void heads_come_back(void **state)
{
    (void)state;
    unsigned char out[SEGMENT_SECTOR];
    struct segment_head back,
        head = { .generation = 5, .bytes = 1 << 20, .made_wall_ms = -7, .secret = "secret" };
    segment_head_write(&head, out);
    assert_int_equal(segment_head_read(sector(out), &back), SEGMENT_OK);
    assert_int_equal(back.generation, 5);
    assert_int_equal(back.bytes, 1 << 20);
    assert_int_equal(back.made_wall_ms, -7);
    assert_memory_equal(back.secret, head.secret, SEGMENT_SECRET);
    assert_int_equal(segment_head_read(str_first(sector(out), SEGMENT_SECTOR - 1), &back), SEGMENT_CUT);
    for (size_t i = 0; i < SEGMENT_SECTOR * 8; i++) {
        out[i / 8] ^= (unsigned char)(1 << i % 8);
        enum segment_result result = segment_head_read(sector(out), &back);
        assert_true(i / 8 < 8    ? result == SEGMENT_FOREIGN
                    : i / 8 < 16 ? result == SEGMENT_NEWER || i == 64
                                 : result == SEGMENT_DAMAGED);
        out[i / 8] ^= (unsigned char)(1 << i % 8);
    }
}

enum { ENTRIES = 5 };

/* An index of records that stand one behind the other. */
static struct segment_end make_index(unsigned char index[ENTRIES * SEGMENT_ENTRY])
{
    uint32_t at = SEGMENT_BLOCK / SEGMENT_UNIT;
    for (uint32_t i = 0; i < ENTRIES; i++) {
        struct segment_entry e = { .key = { i, ~i },
                                   .begin = 10 + i,
                                   .unit = at,
                                   .units = 3 + i,
                                   .status = 200,
                                   .flags = 1,
                                   .part = i,
                                   .expires_wall_ms = -1 };
        segment_entry_write(&e, index + i * SEGMENT_ENTRY);
        at += e.units;
    }
    return (struct segment_end){ .generation = GENERATION,
                                 .begin_min = 10,
                                 .begin_max = 14,
                                 .count = ENTRIES,
                                 .records_unit = at,
                                 .index_unit = (at + 63) / 64 * 64,
                                 .index_sum =
                                     hash_sum((struct str){ (const char *)index, ENTRIES * SEGMENT_ENTRY }) };
}

static void ends_come_back(void **state)
{
    (void)state;
    unsigned char out[SEGMENT_SECTOR], index[ENTRIES * SEGMENT_ENTRY];
    struct segment_end back, end = make_index(index);
    segment_end_write(&end, out);
    assert_int_equal(segment_end_read(sector(out), GENERATION, BYTES, &back), SEGMENT_OK);
    unsigned char again[SEGMENT_SECTOR];
    segment_end_write(&back, again);
    assert_memory_equal(out, again, SEGMENT_SECTOR);
    assert_int_equal(back.count, ENTRIES);
    assert_int_equal(segment_end_read(sector(out), GENERATION + 1, BYTES, &back), SEGMENT_PAST);
    assert_int_equal(segment_end_read(str_first(sector(out), 511), GENERATION, BYTES, &back), SEGMENT_CUT);
    /* As large as it must be, and a byte less. */
    uint64_t most = end.records_unit * SEGMENT_UNIT + segment_end_room(end.records_unit, end.count);
    assert_int_equal(segment_end_read(sector(out), GENERATION, most, &back), SEGMENT_OK);
    assert_int_equal(segment_end_read(sector(out), GENERATION, most - 1, &back), SEGMENT_DAMAGED);
    for (size_t i = 16 * 8; i < SEGMENT_SECTOR * 8; i++) {
        out[i / 8] ^= (unsigned char)(1 << i % 8);
        assert_int_equal(segment_end_read(sector(out), GENERATION, BYTES, &back), SEGMENT_DAMAGED);
        out[i / 8] ^= (unsigned char)(1 << i % 8);
    }
}

/* Sums that hold do not help numbers that contradict each other. */
static void an_end_that_lies_is_told(void **state)
{
    (void)state;
    unsigned char out[SEGMENT_SECTOR], index[ENTRIES * SEGMENT_ENTRY];
    struct segment_end back, good = make_index(index), bad[5];
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        bad[i] = good;
    bad[0].count = UINT32_MAX;
    bad[1].index_unit++;
    bad[2].records_unit = UINT32_MAX;
    bad[3].records_unit = 1;
    bad[4].begin_min = 15;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        segment_end_write(&bad[i], out);
        assert_int_equal(segment_end_read(sector(out), GENERATION, BYTES, &back), SEGMENT_DAMAGED);
    }
}

static void an_index_that_lies_is_told(void **state)
{
    (void)state;
    unsigned char index[ENTRIES * SEGMENT_ENTRY];
    struct str in = { (const char *)index, sizeof(index) };
    struct segment_end end = make_index(index);
    assert_int_equal(segment_index_check(&end, in), SEGMENT_OK);
    assert_int_equal(segment_index_check(&end, str_first(in, in.n - 1)), SEGMENT_CUT);
    for (size_t i = 0; i < sizeof(index) * 8; i++) {
        index[i / 8] ^= (unsigned char)(1 << i % 8);
        assert_int_equal(segment_index_check(&end, in), SEGMENT_DAMAGED);
        index[i / 8] ^= (unsigned char)(1 << i % 8);
    }
    struct segment_entry e, wrong[5];
    segment_entry_read(index + 2 * SEGMENT_ENTRY, &e);
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        wrong[i] = e;
    wrong[0].unit++;
    wrong[1].units--;
    wrong[2].units = 0;
    wrong[3].begin = 9;
    wrong[4].begin = 15;
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        segment_entry_write(&wrong[i], index + 2 * SEGMENT_ENTRY);
        end.index_sum = hash_sum(in);
        assert_int_equal(segment_index_check(&end, in), SEGMENT_DAMAGED);
    }
}

static void an_entry_says_when_its_record_is_over(void **state)
{
    (void)state;
    struct segment_record r = {
        .received.wall_ms = 1000, .age_ms = 10, .lifetime_ms = 100, .stale_while_ms = 7, .stale_error_ms = 9
    };
    assert_int_equal(segment_entry_of(&r, 64).expires_wall_ms, 1099);
    r.stale_while_ms = 20;
    assert_int_equal(segment_entry_of(&r, 64).expires_wall_ms, 1110);
    r.lifetime_ms = r.stale_error_ms = INT64_MAX;
    assert_true(segment_entry_of(&r, 64).expires_wall_ms == INT64_MAX);
    r = (struct segment_record){ .received.wall_ms = INT64_MIN, .age_ms = INT64_MAX };
    assert_true(segment_entry_of(&r, 64).expires_wall_ms == INT64_MIN);
    assert_int_equal(segment_entry_of(&r, 64).units, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_come_back),
        cmocka_unit_test(the_longest_is_as_long_as_promised),
        cmocka_unit_test(a_body_may_come_in_pieces),
        cmocka_unit_test(what_has_no_place_is_not_written),
        cmocka_unit_test(a_cut_at_each_byte_is_told),
        cmocka_unit_test(a_flipped_bit_is_told),
        cmocka_unit_test(the_past_and_the_newer_are_told),
        cmocka_unit_test(heads_come_back),
        cmocka_unit_test(ends_come_back),
        cmocka_unit_test(an_end_that_lies_is_told),
        cmocka_unit_test(an_index_that_lies_is_told),
        cmocka_unit_test(an_entry_says_when_its_record_is_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
