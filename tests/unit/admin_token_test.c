/* A token as a value: its text, its secret and hash, its scopes and sites. */
#include <stdio.h>
#include <string.h>

#include "arena_test.h"

#include "admin/token.h"

static struct token make(const char *name, unsigned scopes, const char *site)
{
    struct token t = { .scopes = scopes, .every_site = site == NULL, .sites_n = site != NULL };
    snprintf(t.name, sizeof(t.name), "%s", name);
    if (site)
        snprintf(t.sites[0], sizeof(t.sites[0]), "%s", site);
    for (size_t i = 0; i < sizeof(t.hash); i++)
        t.hash[i] = (unsigned char)(i * 7);
    return t;
}

static const char head[] = "token\t1\tci\t"
                           "00070e151c232a31383f464d545b626970777e858c939aa1a8afb6bdc4cbd2d9";

static void what_is_written_is_read(void **state)
{
    (void)state;
    struct buf text = BUF_INIT;
    struct token one = make("ci", TOKEN_SCOPE_PURGE | TOKEN_SCOPE_READ, "shop"), two;
    one.created_wall_ms = 5;
    one.expires_wall_ms = 1999;
    snprintf(one.sites[1], sizeof(one.sites[1]), "blog");
    one.sites_n = 2;
    token_write(&one, &text);
    struct str should =
        arena_printf(&arena, "%s\tpurge,read\t5\t1999\tgood\t2\nsite\tshop\nsite\tblog\n", head);
    assert_true(str_eq(buf_str(&text), should));
    assert_true(token_read(buf_str(&text), &two));
    assert_memory_equal(&one, &two, sizeof(one));
    one = make("all-of_it.1", TOKEN_SCOPE_ADMIN, NULL);
    one.expired = true;
    buf_clear(&text);
    token_write(&one, &text);
    assert_true(token_read(buf_str(&text), &two));
    assert_memory_equal(&one, &two, sizeof(one));
    buf_fini(&text);
}

/* Cut at each byte, it is nothing: above all no token for all sites. */
static void a_text_that_was_cut_is_none(void **state)
{
    (void)state;
    struct token out, zero;
    memset(&zero, 0, sizeof(zero));
    struct str text = arena_printf(&arena, "%s\tpurge\t5\t1999\tgood\t2\nsite\tshop\nsite\tblog\n", head);
    for (size_t n = 0; n < text.n; n++) {
        assert_false(token_read(str_first(text, n), &out));
        assert_memory_equal(&out, &zero, sizeof(out));
    }
    assert_true(token_read(text, &out));
}

static void other_texts_are_refused(void **state)
{
    (void)state;
    static const char *const tails[] = {
        "\tpurge\t5\t0\tgood\t0\n",
        "\tpurge\t5\t0\tgood\t1\n",
        "\tpurge\t5\t0\tgood\tall\nsite\tshop\n",
        "\tpurge\t5\t0\tgood\t33\n",
        "\tpurge\t5\t0\tgood\t01\nsite\tshop\n",
        "\tpurge\t5\t0\tgood\t1\nsite\t\n",
        "\tpurge\t5\t0\tgood\t1\nsite\tsh op\n",
        "\tpurge\t5\t0\tgood\t1\nsite\tshop\n\n",
        "\tpurge\t5\t0\tgood\t1\nsites\tshop\n",
        "\t\t5\t0\tgood\tall\n",
        "\tpurge,\t5\t0\tgood\tall\n",
        "\tread,purge\t5\t0\tgood\tall\n",
        "\tpurge,purge\t5\t0\tgood\tall\n",
        "\teverything\t5\t0\tgood\tall\n",
        "\tpurge\t-5\t0\tgood\tall\n",
        "\tpurge\t5\t\tgood\tall\n",
        "\tpurge\t5\t9223372036854775807\tgood\tall\n",
        "\tpurge\t5\t0\tbad\tall\n",
        "\tpurge\t5\t0\tgood\tall\tx\n",
        "00\tpurge\t5\t0\tgood\tall\n",
    };
    struct token out;
    for (size_t i = 0; i < COUNT_OF(tails); i++)
        if (token_read(arena_printf(&arena, "%s%s", head, tails[i]), &out))
            fail_msg("taken: %s", tails[i]);
    assert_true(token_read(arena_printf(&arena, "%s\tpurge\t5\t0\tgood\tall\n", head), &out));
    assert_false(token_read(STR("token\t2\tci\t00\tpurge\t5\t0\tgood\tall\n"), &out));
    assert_false(token_read(STR(""), &out));
    assert_false(token_read(STR_NONE, &out));
}

static void a_secret_has_all_of_its_bits(void **state)
{
    (void)state;
    unsigned char random[TOKEN_RANDOM_BYTES] = { 0 };
    char before[TOKEN_SECRET_MAX], after[TOKEN_SECRET_MAX];
    size_t n = token_secret(random, before);
    assert_int_equal(n, strlen("freshet_") + 43);
    assert_int_equal(strlen(before), n);
    for (size_t bit = 0; bit < 8 * sizeof(random); bit++) {
        random[bit / 8] ^= (unsigned char)(1u << bit % 8);
        assert_int_equal(token_secret(random, after), n);
        assert_string_not_equal(before, after);
        for (size_t i = 0; i < n; i++)
            assert_true(is_alpha(after[i]) || is_digit(after[i]) || after[i] == '-' || after[i] == '_');
        random[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    memset(random, 0xff, sizeof(random));
    token_secret(random, after);
    assert_string_equal(after, "freshet___________________________________________8");
}

static void the_hash_is_that_of_a_text_with_its_prefix(void **state)
{
    (void)state;
    /* printf 'freshet token 1\nsecret' | sha256sum */
    static const unsigned char should[TOKEN_HASH_BYTES] = {
        0xba, 0xf9, 0xc7, 0xdf, 0x9e, 0x6f, 0x0b, 0x4c, 0xb5, 0xf0, 0xf3, 0xce, 0x7b, 0x4f, 0xa8, 0x27,
        0x15, 0x8f, 0x4a, 0x84, 0x51, 0x81, 0xd3, 0x9d, 0xee, 0x94, 0xb7, 0x8a, 0xad, 0x78, 0x99, 0x30,
    };
    unsigned char hash[TOKEN_HASH_BYTES], other[TOKEN_HASH_BYTES];
    token_hash(STR("secret"), hash);
    assert_memory_equal(hash, should, sizeof(hash));
    assert_true(token_hash_is(hash, should));
    for (size_t bit = 0; bit < 8 * sizeof(hash); bit++) {
        memcpy(other, hash, sizeof(other));
        other[bit / 8] ^= (unsigned char)(1u << bit % 8);
        assert_false(token_hash_is(hash, other));
    }
    /* What is far too long is like nothing. */
    char *large = arena_alloc(&arena, 100000);
    memset(large, 'x', 100000);
    token_hash((struct str){ large, 100000 }, hash);
    token_hash(STR_NONE, other);
    assert_memory_equal(hash, other, sizeof(hash));
}

static void admin_has_all_scopes_and_the_others_their_own(void **state)
{
    (void)state;
    static const enum token_scope scopes[] = { TOKEN_SCOPE_PURGE, TOKEN_SCOPE_READ, TOKEN_SCOPE_ADMIN };
    for (size_t i = 0; i < COUNT_OF(scopes); i++)
        for (size_t k = 0; k < COUNT_OF(scopes); k++) {
            struct token_rights r = { .scopes = scopes[i] };
            assert_int_equal(token_may(&r, scopes[k]), i == k || scopes[i] == TOKEN_SCOPE_ADMIN);
        }
    struct token_rights none = { .scopes = 0 };
    assert_false(token_may(&none, TOKEN_SCOPE_READ));
    assert_true(token_may(&none, TOKEN_SCOPE_NONE));
    assert_int_equal(token_scope_of(STR("purge")), TOKEN_SCOPE_PURGE);
    assert_int_equal(token_scope_of(STR("Purge")), TOKEN_SCOPE_NONE);
    assert_int_equal(token_scope_of(STR("")), TOKEN_SCOPE_NONE);
}

static void sites_are_by_their_whole_name(void **state)
{
    (void)state;
    struct token t = make("ci", TOKEN_SCOPE_PURGE, "shop");
    struct token_rights r;
    token_rights_of(&t, &arena, &r);
    assert_true(token_may_site(&r, STR("shop")));
    assert_false(token_may_site(&r, STR("shop2")));
    assert_false(token_may_site(&r, STR("sho")));
    assert_false(token_may_site(&r, STR("Shop")));
    assert_false(token_may_site(&r, STR_NONE));
    assert_true(token_may_site(&token_rights_all, STR("anything")));
    assert_true(str_eq(token_called(&r, &arena), STR("the token \"ci\"")));
    assert_true(str_eq(token_called(&token_rights_all, &arena), STR("the admin token")));
}

static void names_are_words(void **state)
{
    (void)state;
    static const char *const good[] = { "a", "ci", "CI-2_x.y" };
    static const char *const bad[] = { "", "a b", "a/b", "a\tb", "\xc3\xa4", "a\"" };
    for (size_t i = 0; i < COUNT_OF(good); i++)
        assert_null(token_name_check(str_from(good[i])));
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_non_null(token_name_check(str_from(bad[i])));
    assert_non_null(token_name_check(STR("a\0b")));
    char name[TOKEN_LIMIT_NAME_BYTES + 1];
    memset(name, 'a', sizeof(name));
    assert_null(token_name_check((struct str){ name, TOKEN_LIMIT_NAME_BYTES }));
    assert_non_null(token_name_check((struct str){ name, TOKEN_LIMIT_NAME_BYTES + 1 }));
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(what_is_written_is_read),
        T(a_text_that_was_cut_is_none),
        T(other_texts_are_refused),
        T(a_secret_has_all_of_its_bits),
        T(the_hash_is_that_of_a_text_with_its_prefix),
        T(admin_has_all_scopes_and_the_others_their_own),
        T(sites_are_by_their_whole_name),
        T(names_are_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
