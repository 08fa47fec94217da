/* When freshet asks a CA again: after failures, by what the CA asks for, and for renewal (RFC 9773). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "acme/ari.h"
#include "acme/backoff.h"

#define MINUTE INT64_C(60000)
#define DAY    INT64_C(86400000)

static void waits_grow_to_half_a_day(void **state)
{
    (void)state;
    int64_t before = 0;
    for (unsigned n = 1; n < 50; n++) {
        int64_t least = backoff_ms(n, -1, 0), most = backoff_ms(n, -1, UINT32_MAX);
        assert_true(least >= before && least >= MINUTE && least <= DAY / 2);
        assert_true(most > least && most <= least + least / 4);
        before = least;
    }
    assert_int_equal(backoff_ms(1, -1, 0), MINUTE);
    assert_int_equal(backoff_ms(49, -1, 0), DAY / 2);
    int64_t hour = 0;
    unsigned tries = 1;
    for (unsigned n = 1; (hour += backoff_ms(n, -1, 0)) < 60 * MINUTE; n++)
        tries++;
    assert_true(tries <= 4);
}

static void what_the_ca_asks_for_is_the_least(void **state)
{
    (void)state;
    assert_int_equal(backoff_ms(1, 90 * MINUTE, 0), 90 * MINUTE);
    assert_int_equal(backoff_ms(1, 1, 0), MINUTE);
    assert_int_equal(backoff_ms(1, INT64_MAX / 4, 0), BACKOFF_MOST_MS);
}

static void retry_after_is_seconds_or_a_date(void **state)
{
    (void)state;
    const int64_t now = INT64_C(784111777000); /* Sun, 06 Nov 1994 08:49:37 GMT */
    assert_int_equal(backoff_retry_after(STR("120"), now), 120000);
    assert_int_equal(backoff_retry_after(STR(" 0 "), now), 0);
    assert_int_equal(backoff_retry_after(STR("Sun, 06 Nov 1994 08:50:37 GMT"), now), 60000);
    assert_int_equal(backoff_retry_after(STR("Sun, 06 Nov 1994 08:48:37 GMT"), now), 0);
    assert_int_equal(backoff_retry_after(STR("2147483647"), now), BACKOFF_MOST_MS);
    static const char *const none[] = { "", "soon", "-1", "1.5", "99999999999999999999" };
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
        assert_int_equal(backoff_retry_after(str_from(none[i]), now), -1);
}

static void times_are_those_of_rfc_3339(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = { { "1970-01-01T00:00:00Z", 0 },
                 { "2021-01-03T00:00:00Z", INT64_C(1609632000000) },
                 { "2021-01-03t00:00:00.999999z", INT64_C(1609632000000) },
                 { "2021-01-03T02:00:00+02:00", INT64_C(1609632000000) },
                 { "2021-01-02T19:30:00-04:30", INT64_C(1609632000000) } };
    static const char *const bad[] = { "",
                                       "2021-01-03",
                                       "2021-13-03T00:00:00Z",
                                       "2021-01-03T25:00:00Z",
                                       "2021-01-03T00:00:00",
                                       "2021-01-03T00:00:00+0200",
                                       "2021-01-03 00:00:00Z",
                                       "21-01-03T00:00:00Z",
                                       "2021-01-03T00:00:00Zz",
                                       "2021-00-03T00:00:00Z" };
    int64_t ms;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(ari_read_time(str_from(good[i].text), &ms));
        assert_int_equal(ms, good[i].ms);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(ari_read_time(str_from(bad[i]), &ms));
}

static void a_window_is_read(void **state)
{
    (void)state;
    struct ari_window w;
    assert_true(ari_read_window(STR("{\"suggestedWindow\":{\"start\":\"2021-01-03T00:00:00Z\",\"end\":"
                                    "\"2021-01-07T00:00:00Z\"},\"explanationURL\":\"https://a\"}"),
                                &w));
    assert_int_equal(w.end_ms - w.start_ms, 4 * DAY);
    assert_int_equal(ari_in_window(&w, 0), w.start_ms);
    assert_int_equal(ari_in_window(&w, UINT32_C(1) << 31), w.start_ms + 2 * DAY);
    assert_true(ari_in_window(&w, UINT32_MAX) < w.end_ms);
    static const char *const bad[] = {
        "",
        "[]",
        "{}",
        "{\"suggestedWindow\":{}}",
        "{\"suggestedWindow\":{\"start\":1,\"end\":2}}",
        "{\"suggestedWindow\":{\"start\":\"2021-01-07T00:00:00Z\",\"end\":\"2021-01-03T00:00:00Z\"}}",
        "{\"suggestedWindow\":{\"start\":\"2021-01-03T00:00:00Z\",\"end\":\"2021-01-03T00:00:00Z\"}}"
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(ari_read_window(str_from(bad[i]), &w));
    const struct ari_window ages = { 0, INT64_MAX };
    assert_true(ari_in_window(&ages, UINT32_MAX) > 0);
}

static void without_advice_two_thirds_count(void **state)
{
    (void)state;
    assert_int_equal(ari_without(0, 90 * DAY, 0), 60 * DAY);
    int64_t early = ari_without(0, 90 * DAY, UINT32_MAX);
    assert_true(early < 60 * DAY && early > 55 * DAY);
    assert_int_equal(ari_without(DAY, 0, 7), DAY);
    assert_int_equal(ari_holds_ms(-1), DAY / 4);
    assert_int_equal(ari_holds_ms(0), MINUTE);
    assert_int_equal(ari_holds_ms(3 * MINUTE), 3 * MINUTE);
    assert_int_equal(ari_holds_ms(400 * DAY), DAY);
}

/* The certificate of RFC 9773, appendix A, and its name of section 4.1. */
static void a_certificate_has_its_name(void **state)
{
    (void)state;
    static const char pem[] = "-----BEGIN CERTIFICATE-----\n"
                              "MIIBQzCB66ADAgECAgUAh2VDITAKBggqhkjOPQQDAjAVMRMwEQYDVQQDEwpFeGFt\n"
                              "cGxlIENBMCIYDzAwMDEwMTAxMDAwMDAwWhgPMDAwMTAxMDEwMDAwMDBaMBYxFDAS\n"
                              "BgNVBAMTC2V4YW1wbGUuY29tMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEeBZu\n"
                              "7cbpAYNXZLbbh8rNIzuOoqOOtmxA1v7cRm//AwyMwWxyHz4zfwmBhcSrf47NUAFf\n"
                              "qzLQ2PPQxdTXREYEnKMjMCEwHwYDVR0jBBgwFoAUaYhba4dGQEHhs3uEe6CuLN4B\n"
                              "yNQwCgYIKoZIzj0EAwIDRwAwRAIge09+S5TZAlw5tgtiVvuERV6cT4mfutXIlwTb\n"
                              "+FYN/8oCIClDsqBklhB9KAelFiYt9+6FDj3z4KGVelYM5MdsO3pK\n"
                              "-----END CERTIFICATE-----\n";
    struct buf out = BUF_INIT;
    assert_true(ari_add_id(STR(pem), &out));
    assert_true(str_eq(buf_str(&out), STR("aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE")));
    assert_false(ari_add_id(STR("no certificate"), &out));
    assert_false(ari_add_id(STR_NONE, &out));
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waits_grow_to_half_a_day),
        cmocka_unit_test(what_the_ca_asks_for_is_the_least),
        cmocka_unit_test(retry_after_is_seconds_or_a_date),
        cmocka_unit_test(times_are_those_of_rfc_3339),
        cmocka_unit_test(a_window_is_read),
        cmocka_unit_test(without_advice_two_thirds_count),
        cmocka_unit_test(a_certificate_has_its_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
