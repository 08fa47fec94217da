/*
 * What holds for heads of both kinds: a head reads the same however it was cut, and its limits are exact.
 */
#ifndef FUZZ_HEAD_H
#define FUZZ_HEAD_H

#include "base/buf.h"
#include "http/head.h"
#include "pieces.h"

#define TABLE 64

static const struct head_limits wide = { .line_bytes = 8192, .fields_bytes = 16384, .fields_count = TABLE };

struct reading {
    enum head_result result;
    enum http_error error;
    struct request_head request;   /* this or */
    struct response_head response; /* this */
    struct field table[TABLE];
    size_t bytes;
    int minor, status;
    struct fields fields;
    struct buf text; /* "METHOD target" or the reason, then a line "name:value" for each field */
};

/* Fills result, error and the head of one kind; the rest when there is one: bytes, minor, fields, the first
 * line of text. */
typedef void read_fn(struct reading *r, struct str in, struct head_scan *scan,
                     const struct head_limits *limits);

static inline void reading_make(struct reading *r, read_fn *read, struct str in, struct head_scan *scan,
                                const struct head_limits *limits)
{
    struct fields none = { .v = r->table, .cap = TABLE };
    r->request = (struct request_head){ .fields = none };
    r->response = (struct response_head){ .fields = none };
    r->error = HTTP_ERROR_NONE;
    r->status = 0;
    r->text = BUF_INIT;
    read(r, in, scan, limits);
    CHECK((r->result == HEAD_BAD) == (r->error != HTTP_ERROR_NONE));
    if (r->result != HEAD_DONE)
        return;
    CHECK(r->bytes <= in.n && in.p[r->bytes - 1] == '\n' && r->fields.n <= limits->fields_count);
    for (size_t i = 0; i < r->fields.n; i++) {
        const struct field *line = &r->fields.v[i];
        CHECK(is_token(line->name) && line->id == field_id_of(line->name));
        CHECK(line->value.p && str_eq(str_trim(line->value), line->value));
        buf_add(&r->text, line->name);
        buf_add_char(&r->text, ':');
        buf_add(&r->text, line->value);
        buf_add_char(&r->text, '\n');
    }
}

/* In pieces: the same message, or the same fault, or none so far where the whole has no end or a fault. */
static inline void check_pieces(read_fn *read, struct str in, const struct reading *whole,
                                const struct head_limits *limits, struct dice *d)
{
    struct head_scan scan = { 0 };
    struct reading r;
    size_t n = 0, step = 1 + dice_roll(d, in.n / 4 + 1);
    do {
        n += 1 + dice_roll(d, step);
        n = n < in.n ? n : in.n;
        struct str piece = piece_copy(str_first(in, n));
        reading_make(&r, read, piece, &scan, limits);
        if (r.result == HEAD_DONE) {
            CHECK(whole->result == HEAD_DONE && str_eq(buf_str(&r.text), buf_str(&whole->text)));
            CHECK(r.bytes == whole->bytes && r.minor == whole->minor && r.status == whole->status);
        }
        buf_fini(&r.text);
        piece_free(piece);
    } while (r.result == HEAD_MORE && n < in.n);
    if (r.result == HEAD_BAD)
        CHECK(whole->result == HEAD_BAD && whole->error == r.error);
    if (r.result == HEAD_MORE)
        CHECK(whole->result != HEAD_DONE);
}

static inline bool is_within(const struct head_limits *limits, struct str head, size_t fields_n)
{
    size_t empty = 0;
    while (head.p[empty] == '\r' || head.p[empty] == '\n')
        empty++;
    struct str rest = str_from_index(head, empty);
    size_t line = str_index(rest, '\n') - 1;
    return line <= limits->line_bytes && rest.n - line - 4 <= limits->fields_bytes &&
           fields_n <= limits->fields_count;
}

/* What is within the limits is accepted, what is not is refused. */
static inline void check_limits(read_fn *read, struct str in, const struct reading *whole, struct dice *d)
{
    struct head_limits tight = { dice_roll(d, 64), dice_roll(d, 256), dice_roll(d, 8) };
    struct head_scan scan = { 0 };
    struct reading r;
    reading_make(&r, read, in, &scan, &tight);
    if (whole->result == HEAD_DONE)
        CHECK((r.result == HEAD_DONE) == is_within(&tight, str_first(in, whole->bytes), whole->fields.n));
    else
        CHECK(r.result == HEAD_BAD || r.result == whole->result);
    check_pieces(read, in, &r, &tight, d);
    buf_fini(&r.text);
}

#endif
