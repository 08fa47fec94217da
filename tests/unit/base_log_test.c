/* A record is one whole line with its time, level and area; a stranger's bytes cannot forge one; times are
 * written in UTC. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/log.h"

static struct clock shared_clock;

struct sink {
    struct log log;
    struct buf line;
    unsigned records;
};

static void write_line(struct log *log, struct str line)
{
    struct sink *s = CONTAINER_OF(log, struct sink, log);
    buf_clear(&s->line);
    buf_add(&s->line, line);
    s->records++;
}

static struct sink sink_of(enum log_level most)
{
    return (struct sink){ .log = { .write = write_line, .clock = &shared_clock, .most = most } };
}

/* What stands behind the time. */
static void says(struct sink *s, const char *text)
{
    struct str line = buf_str(&s->line);
    assert_true(line.n > 24);
    assert_int_equal(line.p[10], 'T');
    assert_memory_equal(line.p + 23, "Z ", 2);
    line = str_from_index(line, 25);
    if (!str_eq(line, str_from(text)))
        fail_msg("\"%.*s\" instead of \"%s\"", STR_ARG(line), text);
}

static void writes_one_line(void **state)
{
    (void)state;
    struct sink s = sink_of(LOG_INFO);
    log_error(&s.log, "origin", "%s is %d", "it", 7);
    says(&s, "error origin: it is 7\n");
    log_warning(&s.log, "purge", "%.*s", STR_ARG(STR("gr\xc3\xbcn")));
    says(&s, "warning purge: gr\xc3\xbcn\n");
    log_info(&s.log, "run", "ready");
    says(&s, "info run: ready\n");
    assert_int_equal(s.records, 3);
    log_error(NULL, "run", "nobody listens");
    buf_fini(&s.line);
}

static void drops_what_is_not_wanted(void **state)
{
    (void)state;
    struct sink s = sink_of(LOG_WARNING);
    log_info(&s.log, "run", "ready");
    assert_int_equal(s.records, 0);
    log_warning(&s.log, "run", "ready");
    s.log.most = LOG_ERROR;
    log_warning(&s.log, "run", "ready");
    assert_int_equal(s.records, 1);
    log_error(&s.log, "run", "ready");
    assert_int_equal(s.records, 2);
    buf_fini(&s.line);
}

static void cannot_be_forged(void **state)
{
    (void)state;
    struct sink s = sink_of(LOG_INFO);
    log_info(&s.log, "run", "%s", "a\r\n2026-11-22T19:06:00.123Z error run: b\t\x1b[2J\x7f\x01");
    says(&s, "info run: a\\x0d\\x0a2026-11-22T19:06:00.123Z error run: b\\x09\\x1b[2J\\x7f\\x01\n");
    buf_fini(&s.line);
}

static void cuts_long_records(void **state)
{
    (void)state;
    struct sink s = sink_of(LOG_INFO);
    char text[5000];
    memset(text, '\n', sizeof(text));
    log_info(&s.log, "run", "%.*s", (int)sizeof(text), text);
    struct str line = buf_str(&s.line), rest = str_from_index(line, 25 + sizeof("info run: ") - 1);
    assert_int_equal(rest.n, 2047 * 4 + 1);
    for (size_t i = 0; i < 2047; i++)
        assert_memory_equal(rest.p + 4 * i, "\\x0a", 4);
    assert_int_equal(rest.p[rest.n - 1], '\n');
    buf_fini(&s.line);
}

static void time_is(int64_t ms, const char *text)
{
    char out[32];
    size_t n = log_time_write(out, ms);
    if (n != strlen(text) || memcmp(out, text, n) != 0)
        fail_msg("%.*s instead of %s", (int)n, out, text);
}

static void writes_times(void **state)
{
    (void)state;
    time_is(0, "1970-01-01T00:00:00.000Z");
    time_is(999, "1970-01-01T00:00:00.999Z");
    time_is(1000, "1970-01-01T00:00:01.000Z");
    time_is(951782399999, "2000-02-28T23:59:59.999Z");
    time_is(951782400000, "2000-02-29T00:00:00.000Z");
    time_is(4102444800007, "2100-01-01T00:00:00.007Z");
    /* A clock that was set before 1970. */
    time_is(-1, "1969-12-31T23:59:59.999Z");
    time_is(-86400000, "1969-12-31T00:00:00.000Z");
}

static void a_crowd_is_told_of_once_in_a_while(void **state)
{
    (void)state;
    struct log_valve v = { 0 };
    char held[LOG_HELD_MAX];
    assert_true(log_valve_opens(&v, 5, held));
    assert_string_equal(held, "");
    for (int64_t ms = 5; ms < 5 + LOG_VALVE_MS; ms += LOG_VALVE_MS / 4)
        assert_false(log_valve_opens(&v, ms, held));
    assert_true(log_valve_opens(&v, 5 + LOG_VALVE_MS, held));
    assert_string_equal(held, "; 4 more since the last such line");
    assert_true(log_valve_opens(&v, 10 * LOG_VALVE_MS, held));
    assert_string_equal(held, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_one_line),  cmocka_unit_test(drops_what_is_not_wanted),
        cmocka_unit_test(cannot_be_forged), cmocka_unit_test(cuts_long_records),
        cmocka_unit_test(writes_times),     cmocka_unit_test(a_crowd_is_told_of_once_in_a_while),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
