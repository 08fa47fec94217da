/* Table hashes depend on every byte and on the secret; the hash of a body does not depend on how it was
 * cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"

static struct hash_secret one, other;
static char data[1025]; /* XXH3 treats lengths up to 16, 128, 240 and above each in its own way */

static int setup(void **state)
{
    (void)state;
    uint64_t x = 1;
    for (size_t i = 0; i < sizeof(one.bytes); i++) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        one.bytes[i] = (unsigned char)(x >> 33);
        other.bytes[i] = (unsigned char)(x >> 41);
    }
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (char)(i * 7 + 1);
    return 0;
}

static const size_t lengths[] = { 1, 3, 4, 8, 9, 16, 17, 128, 129, 240, 241, 1024 };
#define LENGTHS (sizeof(lengths) / sizeof(lengths[0]))

static void depends_on_every_byte(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTHS; i++) {
        struct str s = { data, lengths[i] };
        struct hash128 whole = hash128(&one, s);
        uint64_t short_one = hash64(&one, s);
        assert_true(hash128_eq(whole, hash128(&one, s)));
        assert_int_equal(short_one, hash64(&one, s));
        for (size_t k = 0; k < lengths[i]; k++) {
            data[k] ^= 1;
            assert_false(hash128_eq(whole, hash128(&one, s)));
            assert_true(short_one != hash64(&one, s));
            data[k] ^= 1;
        }
        assert_false(hash128_eq(whole, hash128(&one, (struct str){ data, lengths[i] + 1 })));
    }
}

/* Nobody outside can choose names that collide (hostile h3-21). */
static void depends_on_the_secret(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTHS; i++) {
        struct str s = { data, lengths[i] };
        assert_false(hash128_eq(hash128(&one, s), hash128(&other, s)));
        assert_true(hash64(&one, s) != hash64(&other, s));
    }
}

static void hashes_nothing(void **state)
{
    (void)state;
    assert_true(hash128_eq(hash128(&one, STR_NONE), hash128(&one, STR(""))));
    assert_int_equal(hash64(&one, STR_NONE), hash64(&one, STR("")));
}

static struct hash128 digest(size_t n, size_t piece)
{
    struct hasher *h = hasher_new();
    for (size_t at = 0; at < n; at += piece)
        hasher_add(h, (struct str){ data + at, n - at < piece ? n - at : piece });
    hasher_add(h, STR_NONE);
    struct hash128 d = hasher_finish(&h);
    assert_null(h);
    return d;
}

static void does_not_depend_on_the_pieces(void **state)
{
    (void)state;
    static const size_t pieces[] = { 1, 2, 7, 64, 255, 256, 257, 2000 };
    for (size_t i = 0; i < LENGTHS; i++)
        for (size_t k = 0; k < sizeof(pieces) / sizeof(pieces[0]); k++)
            assert_true(hash128_eq(digest(lengths[i], 2000), digest(lengths[i], pieces[k])));
    assert_false(hash128_eq(digest(1024, 7), digest(1023, 7)));
    /* XXH3-128 of nothing, the same in every process: entity tags outlive a restart. */
    assert_true(hash128_eq(digest(0, 1), (struct hash128){ 0x6001c324468d497f, 0x99aa06d3014798d8 }));
}

/* Sums on disk: known values (they must be the same for ever), any pieces, every byte. */
static void sums_are_the_same_for_ever(void **state)
{
    (void)state;
    assert_true(hash_sum(STR_NONE) == UINT64_C(0x2d06800538d394c2));
    assert_true(hash_sum_of(NULL, 0) == hash_sum(STR_NONE));
    static char longer[5000]; /* pieces of more than a kilobyte are summed in another way */
    for (size_t cut = 0; cut <= sizeof(longer); cut += 250) {
        struct str all = { longer, sizeof(longer) };
        struct str pieces[] = { str_first(all, cut), STR_NONE, str_from_index(all, cut) };
        assert_true(hash_sum_of(pieces, 3) == hash_sum(all));
    }
    for (size_t i = 0; i < LENGTHS; i++) {
        struct str s = { data, lengths[i] };
        uint64_t whole = hash_sum(s);
        assert_true(hash_sum_of(&s, 1) == whole);
        for (size_t cut = 0; cut <= s.n; cut++) {
            struct str pieces[] = { STR_NONE, str_first(s, cut), STR_NONE, str_from_index(s, cut), STR_NONE };
            assert_true(hash_sum_of(pieces, 5) == whole);
        }
        for (size_t k = 0; k < s.n; k++) {
            data[k] ^= 1;
            assert_true(hash_sum(s) != whole);
            data[k] ^= 1;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(depends_on_every_byte),
        cmocka_unit_test(depends_on_the_secret),
        cmocka_unit_test(hashes_nothing),
        cmocka_unit_test(does_not_depend_on_the_pieces),
        cmocka_unit_test(sums_are_the_same_for_ever),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
