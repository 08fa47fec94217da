/* What the tests of segments share: records of any size, each with bytes of its own. */
#ifndef SEGMENT_TEST_H
#define SEGMENT_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/check.h"
#include "store/segment_format.h"

/* A record, and what its strings point to. */
struct sample {
    struct segment_record record;
    struct buf text;
};

static inline struct str sample_text(struct sample *s, size_t from)
{
    return str_from_index(buf_str(&s->text), from);
}

/* Record number n, the same each time, with a body of so many bytes. */
static inline void sample_init(struct sample *s, uint64_t n, size_t body)
{
    s->text = BUF_INIT;
    buf_room(&s->text, 200 + body); /* so that it never moves */
    struct segment_record *r = &s->record;
    *r = (struct segment_record){ .key = { n * UINT64_C(0x9e3779b97f4a7c15), ~n },
                                  .begin = 1000 + n,
                                  .object = n << 8,
                                  .part = n % 3,
                                  .body_from = n % 3 * SEGMENT_BODY_MAX,
                                  .body_whole = n % 3 * SEGMENT_BODY_MAX + body,
                                  .received = { "boot", (int64_t)n * 1000, 1700000000000 + (int64_t)n },
                                  .age_ms = 5,
                                  .lifetime_ms = 60000,
                                  .stale_while_ms = 1000,
                                  .stale_error_ms = 2000,
                                  .status = 200,
                                  .flags = n % 8,
                                  .form = 3,
                                  .release = n + 1 };
    struct str *texts[] = { &r->url, &r->variant, &r->rule, &r->names, &r->head };
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        size_t from = s->text.n;
        buf_printf(&s->text, "%c%llu.", "uvrnh"[i], (unsigned long long)n);
        *texts[i] = sample_text(s, from);
    }
    size_t from = s->text.n;
    char *p = buf_room(&s->text, body);
    for (size_t i = 0; i < body; i++)
        p[i] = (char)(i * 31 + n * 7 + i / 256);
    s->text.n += body;
    r->body = sample_text(s, from);
}

static inline void sample_fini(struct sample *s)
{
    buf_fini(&s->text);
}

static inline void expect_same_text(struct str a, struct str b)
{
    assert_true(str_eq(a, b));
}

static inline void expect_same_record(const struct segment_record *a, const struct segment_record *b)
{
    assert_true(hash128_eq(a->key, b->key));
    assert_true(a->begin == b->begin && a->object == b->object && a->part == b->part);
    assert_true(a->body_from == b->body_from && a->body_whole == b->body_whole);
    assert_memory_equal(&a->received, &b->received, sizeof(a->received));
    assert_true(a->age_ms == b->age_ms && a->lifetime_ms == b->lifetime_ms);
    assert_true(a->stale_while_ms == b->stale_while_ms && a->stale_error_ms == b->stale_error_ms);
    assert_true(a->status == b->status && a->flags == b->flags && a->form == b->form);
    assert_true(a->release == b->release);
    expect_same_text(a->url, b->url);
    expect_same_text(a->variant, b->variant);
    expect_same_text(a->rule, b->rule);
    expect_same_text(a->names, b->names);
    expect_same_text(a->head, b->head);
    expect_same_text(a->body, b->body);
    assert_int_equal(b->more.n, 0);
}

#endif
