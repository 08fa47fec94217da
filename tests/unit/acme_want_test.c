/* When a certificate is asked for, by the dates, by hand and after a restart; and what comes first, a new one
 * or the revocation of the old one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "acme/csr.h"
#include "acme/revoke.h"
#include "acme/want.h"

#define NOW     INT64_C(1790000000000)
#define MINUTE  INT64_C(60000)
#define HOUR    (60 * MINUTE)
#define DAY     (24 * HOUR)
#define NOTHING INT64_MAX

static int thing;
static struct pair *const some_pair =
    (struct pair *)(void *)&thing; /* that there is one is all that counts */

static struct want fresh(void)
{
    return (struct want){ .pair = some_pair,
                          .record = { .issued_ms = NOW - 10 * MINUTE,
                                      .renew_ms = NOW + 60 * DAY,
                                      .advised_until_ms = NOW + 6 * HOUR } };
}

static void end(struct want *w)
{
    w->pair = NULL;
    want_fini(w);
}

static void says(struct buf *why, const char *text)
{
    buf_add_char(why, '\0');
    assert_string_equal(why->p, text);
    buf_fini(why);
}

static void by_the_dates(void **state)
{
    (void)state;
    struct want w = fresh();
    assert_int_equal(want_order_ms(&w, NOW), NOW + 60 * DAY);
    assert_int_equal(want_advice_ms(&w, NOW), NOW + 6 * HOUR);
    assert_int_equal(want_revoke_ms(&w, NOW), NOTHING);
    assert_int_equal(want_due_ms(&w, NOW), NOW + 6 * HOUR);
    w.record.renew_ms = NOW - DAY; /* the CA wants it gone */
    assert_int_equal(want_order_ms(&w, NOW), NOW + 50 * MINUTE);
    w.record.try_ms = NOW + 2 * HOUR;
    assert_int_equal(want_order_ms(&w, NOW), NOW + 2 * HOUR);
    w.record.try_ms = NOW + 100 * DAY; /* a clock that went back */
    assert_int_equal(want_order_ms(&w, NOW), NOW + 50 * MINUTE);
    w.pair = NULL;
    w.record.try_ms = 0;
    assert_int_equal(want_order_ms(&w, NOW), 0);
    assert_int_equal(want_advice_ms(&w, NOW), NOTHING);
    w = fresh(); /* one that was begun goes on */
    buf_add(&w.record.order, STR("https://ca/o"));
    w.record.try_ms = NOW + MINUTE;
    assert_int_equal(want_order_ms(&w, NOW), NOW + MINUTE);
    end(&w);
}

static void renewed_by_hand(void **state)
{
    (void)state;
    struct want w = fresh();
    struct buf why = BUF_INIT;
    assert_false(want_renew(&w, NOW, &why));
    says(&why, "the one that is there came 10 minutes ago, and between two for the same names there is an "
               "hour, since "
               "CAs count them; ask again in 50 minutes");
    why = BUF_INIT;
    assert_false(w.record.wanted);
    w.record.renew_ms = NOW - 1; /* unless the CA wants it */
    assert_true(want_renew(&w, NOW, &why));
    assert_int_equal(want_order_ms(&w, NOW), 0);
    w = fresh();
    w.record.try_ms = NOW + 12 * HOUR; /* our own back-off does not count */
    assert_true(want_renew(&w, NOW + HOUR, &why));
    assert_int_equal(want_order_ms(&w, NOW + HOUR), 0);
    w = fresh();
    w.record.told_ms = NOW + 3 * HOUR; /* the CA's does */
    assert_false(want_renew(&w, NOW + 2 * HOUR, &why));
    assert_true(why.n > 0);
    buf_clear(&why);
    assert_true(want_renew(&w, NOW + 3 * HOUR, &why));
    w = fresh();
    w.pair = NULL;
    assert_true(want_renew(&w, NOW, &why));
    assert_int_equal(why.n, 0);
    buf_fini(&why);
    end(&w);
}

static void revoked_by_hand(void **state)
{
    (void)state;
    struct want w = fresh();
    struct buf why = BUF_INIT, key = BUF_INIT;
    w.pair = NULL;
    assert_false(want_revoke(&w, REVOKE_SUPERSEDED, NOW, &why));
    w = fresh();
    assert_false(want_revoke(&w, REVOKE_SUPERSEDED, NOW, &why)); /* no file */
    csr_make_challenge(STR("a.example"), (const unsigned char[32]){ 0 }, NOW / 1000, &w.pem, &key);
    /* Within the hour, too: the new one first. */
    assert_true(want_revoke(&w, REVOKE_SUPERSEDED, NOW, &why));
    assert_true(w.record.revoke.n > 100);
    assert_int_equal(want_order_ms(&w, NOW), 0);
    assert_int_equal(want_revoke_ms(&w, NOW), NOTHING);
    assert_false(want_revoke(&w, REVOKE_SUPERSEDED, NOW, &why)); /* once */
    w.record.wanted = false;
    assert_int_equal(want_revoke_ms(&w, NOW), 0);
    w.record.revoke_try_ms = NOW + MINUTE;
    assert_int_equal(want_revoke_ms(&w, NOW), NOW + MINUTE);
    /* Others have the key: the revocation first, but once. */
    buf_clear(&w.record.revoke);
    assert_true(want_revoke(&w, REVOKE_KEY_COMPROMISE, NOW, &why));
    assert_int_equal(want_revoke_ms(&w, NOW), 0);
    w.record.revoke_failures = 1;
    assert_int_equal(want_revoke_ms(&w, NOW), NOTHING);
    assert_int_equal(want_order_ms(&w, NOW), 0);
    buf_fini(&why);
    buf_fini(&key);
    end(&w);
}

static void answered_once(void **state)
{
    (void)state;
    struct want w = { .asked = 5 };
    want_answer(&w, STR("no"));
    assert_int_equal(w.answered, 5);
    want_answer(&w, STR_NONE);
    assert_true(str_eq(buf_str(&w.outcome), STR("no")));
    w.asked = 6;
    want_answer(&w, STR_NONE);
    assert_int_equal(w.outcome.n, 0);
    want_fini(&w);
}

static void reasons(void **state)
{
    (void)state;
    unsigned n = 9;
    assert_true(revoke_reason(STR("keyCompromise"), &n) && n == 1);
    assert_true(revoke_reason(STR("superseded"), &n) && n == 4);
    assert_true(revoke_reason(STR("UNSPECIFIED"), &n) && n == 0);
    assert_false(revoke_reason(STR("cACompromise"), &n));
    assert_false(revoke_reason(STR_NONE, &n));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_the_dates),  cmocka_unit_test(renewed_by_hand), cmocka_unit_test(revoked_by_hand),
        cmocka_unit_test(answered_once), cmocka_unit_test(reasons),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
