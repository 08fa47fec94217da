/* All tokens of a process: found by their secret in constant time, expired by either clock and for ever, kept
 * over a restart. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arena_test.h"

#include "admin/tokens.h"
#include "admin/wrong_tokens.h"
#include "store/facts.h"

/* Counts what is compared: the test is linked with --wrap. */
static _Atomic size_t compared, compared_bytes;
int __real_CRYPTO_memcmp(const void *a, const void *b, size_t n);
int __wrap_CRYPTO_memcmp(const void *a, const void *b, size_t n);

int __wrap_CRYPTO_memcmp(const void *a, const void *b, size_t n)
{
    compared++;
    compared_bytes += n;
    return __real_CRYPTO_memcmp(a, b, n);
}

static struct tokens tokens;

static int begin(void **state)
{
    memset(&tokens, 0, sizeof(tokens));
    tokens_init(&tokens);
    return setup(state);
}

static int finish(void **state)
{
    tokens_fini(&tokens);
    return teardown(state);
}

static const struct now start = { .mono_ms = 1000000, .wall_ms = 1800000000000 };

static struct now at(int64_t mono_later, int64_t wall_later)
{
    return (struct now){ start.mono_ms + mono_later, start.wall_ms + wall_later };
}

static struct token token_of(const char *name, const char *secret, int64_t expires_in_ms)
{
    struct token t = { .scopes = TOKEN_SCOPE_READ, .every_site = true };
    snprintf(t.name, sizeof(t.name), "%s", name);
    token_hash(str_from(secret), t.hash);
    t.created_wall_ms = start.wall_ms;
    if (expires_in_ms)
        t.expires_wall_ms = start.wall_ms + expires_in_ms;
    return t;
}

static enum tokens_made add(const char *name, const char *secret, int64_t expires_in_ms)
{
    size_t expired;
    struct token t = token_of(name, secret, expires_in_ms);
    return tokens_add(&tokens, &t, start, &expired);
}

static enum tokens_found find(const char *secret, struct now now)
{
    struct token_rights rights;
    int64_t when;
    return tokens_find(&tokens, str_from(secret), now, &arena, &rights, &when);
}

static void a_secret_finds_its_token_and_no_other(void **state)
{
    (void)state;
    struct token_rights rights;
    int64_t when;
    assert_int_equal(find("one", start), TOKENS_NONE);
    assert_int_equal(find("", start), TOKENS_NONE);
    assert_int_equal(add("a", "one", 0), TOKENS_MADE);
    assert_int_equal(add("b", "two", 0), TOKENS_MADE);
    assert_int_equal(tokens_find(&tokens, STR("two"), start, &arena, &rights, &when), TOKENS_GOOD);
    assert_true(str_eq(rights.name, STR("b")));
    static const char *const wrong[] = { "", "on", "onee", "One", "one ", "three" };
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        assert_int_equal(find(wrong[i], start), TOKENS_NONE);
    /* Neither its name nor its hash is a secret. */
    assert_int_equal(find("a", start), TOKENS_NONE);
    char hash[TOKEN_HASH_BYTES + 1] = { 0 };
    token_hash(STR("one"), (unsigned char *)hash);
    assert_int_equal(find(hash, start), TOKENS_NONE);
}

/* Wherever it stands, and if it stands nowhere, each token is compared, whole. */
static void all_are_compared_in_constant_time(void **state)
{
    (void)state;
    const size_t n = 7;
    char name[16], secret[16];
    for (size_t i = 0; i < n; i++) {
        snprintf(name, sizeof(name), "n%zu", i);
        snprintf(secret, sizeof(secret), "s%zu", i);
        assert_int_equal(add(name, secret, 0), TOKENS_MADE);
    }
    for (size_t i = 0; i <= n; i++) {
        snprintf(secret, sizeof(secret), "s%zu", i);
        compared = compared_bytes = 0;
        assert_int_equal(find(secret, start), i < n ? TOKENS_GOOD : TOKENS_NONE);
        assert_int_equal(compared, n);
        assert_int_equal(compared_bytes, n * TOKEN_HASH_BYTES);
    }
}

static void it_expires_by_either_clock_and_stays_so(void **state)
{
    (void)state;
    add("wall", "wall", 1000);
    assert_int_equal(find("wall", at(0, 999)), TOKENS_GOOD);
    assert_int_equal(find("wall", at(0, 1000)), TOKENS_EXPIRED);
    assert_int_equal(find("wall", at(0, -100000)), TOKENS_EXPIRED); /* turned back */
    add("mono", "mono", 1000);
    assert_int_equal(find("mono", at(999, -100000)), TOKENS_GOOD);
    assert_int_equal(find("mono", at(1000, -100000)), TOKENS_EXPIRED);
    assert_int_equal(find("mono", at(0, 0)), TOKENS_EXPIRED);
    add("never", "never", 0);
    assert_int_equal(find("never", at(INT64_MAX / 4, INT64_MAX / 4)), TOKENS_GOOD);
    /* One that nobody shows has expired all the same when another is asked for. */
    add("other", "other", 1000);
    assert_int_equal(find("never", at(0, 5000)), TOKENS_GOOD);
    assert_int_equal(find("other", at(0, 0)), TOKENS_EXPIRED);
}

static void there_is_a_most(void **state)
{
    (void)state;
    char name[16], secret[16];
    size_t expired;
    for (int i = 0; i < TOKEN_LIMIT_TOKENS; i++) {
        snprintf(name, sizeof(name), "n%d", i);
        snprintf(secret, sizeof(secret), "s%d", i);
        assert_int_equal(add(name, secret, i < 3 ? 1000 : 0), TOKENS_MADE);
    }
    assert_int_equal(add("n5", "new", 0), TOKENS_HAS_NAME);
    struct token t = token_of("new", "new", 0);
    assert_int_equal(tokens_add(&tokens, &t, at(2000, 2000), &expired), TOKENS_FULL);
    assert_int_equal(expired, 3);
    assert_true(tokens_revoke(&tokens, STR("n7"), NULL));
    assert_false(tokens_revoke(&tokens, STR("n7"), NULL));
    assert_int_equal(find("s7", start), TOKENS_NONE);
    assert_int_equal(find("s8", start), TOKENS_GOOD);
    assert_int_equal(add("new", "new", 0), TOKENS_MADE);
    assert_int_equal(find("new", start), TOKENS_GOOD);
    /* By its secret: not another one that has its name by now. */
    unsigned char hash[TOKEN_HASH_BYTES];
    token_hash(STR("s8"), hash);
    assert_false(tokens_revoke(&tokens, STR("n9"), hash));
    assert_true(tokens_revoke(&tokens, STR("n8"), hash));
}

/* ---- on disk ---- */

static bool load_row(void *owner, const struct facts_row *row, struct now now)
{
    (void)owner;
    (void)row;
    (void)now;
    return true;
}

static void nothing(void *owner)
{
    (void)owner;
}

static void begin_walk(void *owner, bool saves)
{
    (void)owner;
    (void)saves;
}

static size_t take_rows(void *owner, struct facts_row *out, size_t most, struct now now)
{
    (void)owner;
    (void)out;
    (void)most;
    (void)now;
    return 0;
}

static struct clock wall;

static struct facts *open_facts(const char *folder)
{
    static const struct facts_rows rows = {
        NULL, load_row, nothing, nothing, take_rows, begin_walk, take_rows
    };
    struct buf said = BUF_INIT;
    enum facts_found found;
    struct facts *f = facts_open(str_from(folder), &wall, &rows, &found, &said);
    assert_int_equal(found, *folder ? FACTS_USABLE : FACTS_IN_MEMORY);
    buf_fini(&said);
    return f;
}

/* As after a restart. */
static struct facts *load_again(struct facts *f, const char *folder, struct now now, struct buf *said)
{
    if (f) {
        facts_stop(f);
        facts_free(f);
    }
    tokens_fini(&tokens);
    memset(&tokens, 0, sizeof(tokens));
    tokens_init(&tokens);
    f = open_facts(folder);
    tokens_load(&tokens, f, now, said);
    facts_start(f);
    return f;
}

static void they_outlive_a_restart(void **state)
{
    (void)state;
    char folder[] = "/tmp/freshet-tokens-XXXXXX", line[128], why[256];
    struct buf said = BUF_INIT;
    struct tokens_kept *all;
    assert_non_null(mkdtemp(folder));
    struct facts *f = load_again(NULL, folder, start, &said);
    assert_true(tokens_are_kept(&tokens, why));
    add("a", "one", 0);
    add("b", "two", 1000);
    add("c", "three", 5000);
    assert_true(tokens_revoke(&tokens, STR("a"), NULL));
    add("d", "four", 0);
    f = load_again(f, folder, at(0, 500), &said);
    assert_int_equal(tokens_list(&tokens, at(0, 500), &arena, &all), 3);
    assert_string_equal(all[0].token.name, "b");
    assert_string_equal(all[2].token.name, "d");
    assert_int_equal(find("one", at(0, 500)), TOKENS_NONE);
    assert_int_equal(find("two", at(0, 500)), TOKENS_GOOD);
    assert_int_equal(find("four", at(0, 500)), TOKENS_GOOD);
    /* One that was seen to expire stays expired, also when it is started with a clock of before. */
    assert_int_equal(find("two", at(0, 1500)), TOKENS_EXPIRED);
    f = load_again(f, folder, at(0, -500), &said);
    assert_int_equal(find("two", at(0, -500)), TOKENS_EXPIRED);
    assert_int_equal(find("three", at(0, -500)), TOKENS_GOOD);
    /* By the monotonic clock one expires after the time that it had left at the start. */
    assert_int_equal(find("three", at(5500, -500)), TOKENS_EXPIRED);
    assert_int_equal(said.n, 0);
    /* What cannot be read is no token any more, and its place is free. */
    facts_put(f, STR("token 0"), STR("token\t1\tx"));
    f = load_again(f, folder, start, &said);
    buf_add_char(&said, '\0');
    assert_non_null(strstr(said.p, "1 token cannot be read in the state folder"));
    assert_int_equal(find("four", start), TOKENS_NONE);
    assert_int_equal(tokens_list(&tokens, start, &arena, &all), 2);
    assert_int_equal(add("d", "five", 0), TOKENS_MADE);
    facts_stop(f);
    facts_free(f);
    tokens.facts = NULL;
    buf_fini(&said);
    snprintf(line, sizeof(line), "rm -r %s", folder);
    assert_int_equal(system(line), 0);
}

static void without_a_folder_nothing_is_kept(void **state)
{
    (void)state;
    char why[256];
    struct buf said = BUF_INIT;
    assert_false(tokens_are_kept(&tokens, why));
    struct facts *f = load_again(NULL, "", start, &said);
    assert_false(tokens_are_kept(&tokens, why));
    assert_true(why[0] != '\0');
    facts_stop(f);
    facts_free(f);
    buf_fini(&said);
}

/* ---- from several threads ---- */

static void *ask_again_and_again(void *arg)
{
    const char *secret = arg;
    struct arena mine;
    struct token_rights rights;
    int64_t when;
    arena_init(&mine, 4096);
    for (int i = 0; i < 3000; i++) {
        tokens_find(&tokens, str_from(secret), start, &mine, &rights, &when);
        arena_rewind(&mine);
    }
    arena_fini(&mine);
    return NULL;
}

static void a_revoked_one_is_gone_for_every_thread(void **state)
{
    (void)state;
    pthread_t threads[3];
    add("a", "one", 0);
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask_again_and_again, (void *)(uintptr_t) "one"),
                         0);
    for (int i = 0; i < 300; i++) {
        assert_true(tokens_revoke(&tokens, STR("a"), NULL));
        assert_int_equal(find("one", start), TOKENS_NONE);
        assert_int_equal(add("a", "one", 0), TOKENS_MADE);
        assert_int_equal(find("one", start), TOKENS_GOOD);
    }
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
}

/* ---- wrong ones ---- */

static void the_first_few_wrong_ones_are_answered_at_once(void **state)
{
    (void)state;
    struct wrong_tokens *w = calloc(1, sizeof(*w));
    wrong_tokens_init(w);
    for (int i = 0; i < TOKEN_LIMIT_FREE; i++)
        assert_int_equal(wrong_tokens_count(w, 7, 1000), 0);
    static const int64_t waits[] = { 250, 500, 1000, 2000, 4000, 4000, 4000 };
    for (size_t i = 0; i < COUNT_OF(waits); i++)
        assert_int_equal(wrong_tokens_count(w, 7, 1000), waits[i]);
    /* Others are not concerned. */
    assert_int_equal(wrong_tokens_count(w, 8, 1000), 0);
    /* One is forgiven each second. */
    assert_int_equal(wrong_tokens_count(w, 7, 1000 + 7000), 250);
    assert_int_equal(wrong_tokens_count(w, 7, 1000 + 7000 + 3600000), 0);
    /* Whatever was done, after a minute all is forgiven. */
    for (int i = 0; i < 100000; i++)
        wrong_tokens_count(w, 9, 1000);
    assert_int_equal(wrong_tokens_count(w, 9, 1000 + 60000), 0);
    wrong_tokens_fini(w);
    free(w);
}

/* Many other addresses do not make it forget one that is wrong often. */
static void a_crowd_of_addresses_is_bounded(void **state)
{
    (void)state;
    struct wrong_tokens *w = calloc(1, sizeof(*w));
    wrong_tokens_init(w);
    for (int i = 0; i < 20; i++)
        wrong_tokens_count(w, 7, 1000);
    for (uint64_t other = 1000; other < 100000; other++)
        wrong_tokens_count(w, other * 0x9e3779b97f4a7c15u, 1000);
    assert_int_equal(wrong_tokens_count(w, 7, 1000), 4000);
    wrong_tokens_fini(w);
    free(w);
}

#define T(test) cmocka_unit_test_setup_teardown(test, begin, finish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_secret_finds_its_token_and_no_other),
        T(all_are_compared_in_constant_time),
        T(it_expires_by_either_clock_and_stays_so),
        T(there_is_a_most),
        T(they_outlive_a_restart),
        T(without_a_folder_nothing_is_kept),
        T(a_revoked_one_is_gone_for_every_thread),
        T(the_first_few_wrong_ones_are_answered_at_once),
        T(a_crowd_of_addresses_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
