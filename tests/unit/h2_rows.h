/*
 * The rows of tests/conformance/h2.txt, which says what they mean: a client's bytes from a row's steps, lines
 * from what a server sent, and whether these are as expected. For whoever has a server:
 * http_h2_conformance_test.c has one in memory.
 */
#ifndef H2_ROWS_H
#define H2_ROWS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <nghttp2/nghttp2.h>

#include "base/check.h"
#include "http/h2_frame.h"

#define STREAMS 256

/* ---- the language of the rows: h2.txt says what it means ---- */

struct script {
    struct buf out; /* the client's bytes */
    uint32_t next;  /* stream */
};

static struct str word(struct str *rest)
{
    *rest = str_trim(*rest);
    struct str w = str_first(*rest, str_index(*rest, ' '));
    *rest = str_trim(str_from_index(*rest, w.n));
    return w;
}

static uint64_t number(struct str s)
{
    uint64_t value = 0;
    if (str_starts(s, STR("0x")))
        for (size_t i = 2; i < s.n; i++) {
            assert_true(ascii_hex_value(s.p[i]) >= 0);
            value = value << 4 | (uint64_t)ascii_hex_value(s.p[i]);
        }
    else if (!str_to_u64(s, UINT64_MAX, &value)) {
        print_message("no number: %.*s\n", STR_ARG(s));
        fail();
    }
    return value;
}

static void add_hex(struct buf *to, struct str s)
{
    assert_true(s.n % 2 == 0);
    for (size_t i = 0; i < s.n; i += 2)
        buf_add_char(to, (char)(ascii_hex_value(s.p[i]) << 4 | ascii_hex_value(s.p[i + 1])));
}

static void add_number(struct buf *to, uint64_t value, unsigned bytes)
{
    while (bytes--)
        buf_add_char(to, (char)(value >> 8 * bytes & 0xff));
}

/* A literal without indexing, with a new name. */
static void add_text(struct buf *to, struct str s)
{
    if (s.n < 127) {
        buf_add_char(to, (char)s.n);
    } else {
        size_t left = s.n - 127;
        buf_add_char(to, 127);
        for (; left >= 128; left >>= 7)
            buf_add_char(to, (char)(0x80 | (left & 0x7f)));
        buf_add_char(to, (char)left);
    }
    buf_add(to, s);
}

static void add_unescaped(struct buf *to, struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '%' && i + 2 < s.n) {
            buf_add_char(to, (char)(ascii_hex_value(s.p[i + 1]) << 4 | ascii_hex_value(s.p[i + 2])));
            i += 2;
        } else if (s.p[i] == '*' && i + 1 < s.n && is_digit(s.p[i + 1])) { /* *100: a hundred times "a" */
            uint64_t n = number(str_from_index(s, i + 1));
            while (n--)
                buf_add_char(to, 'a');
            return;
        } else {
            buf_add_char(to, s.p[i]);
        }
    }
}

static void add_fields(struct buf *to, struct str list)
{
    while (list.p && list.n) {
        struct str field = str_cut(&list, '&'), name;
        uint64_t times = 1;
        size_t colon = str_index(field, '~'); /* 200~x=y: two hundred lines */
        if (colon < field.n) {
            times = number(str_first(field, colon));
            field = str_from_index(field, colon + 1);
        }
        name = str_first(field, str_index(field, '='));
        struct buf n = BUF_INIT, v = BUF_INIT;
        add_unescaped(&n, name);
        add_unescaped(&v, str_from_index(field, name.n + 1));
        while (times--) {
            buf_add_char(to, 0);
            add_text(to, buf_str(&n));
            add_text(to, buf_str(&v));
        }
        buf_fini(&n);
        buf_fini(&v);
    }
}

#define BASE(method) STR(":method=" method "&:scheme=https&:path=/10&:authority=a.example")

/* An entry of the dynamic table with 3900 bytes, then two hundred times its index. */
static void add_bomb(struct buf *to)
{
    char value[3900];
    memset(value, 'a', sizeof(value));
    add_fields(to, BASE("GET"));
    add_hex(to, STR("400178"));
    add_text(to, (struct str){ value, sizeof(value) });
    for (int i = 0; i < 200; i++)
        buf_add_char(to, (char)0xbe);
}

static void add_block(struct buf *to, struct str what)
{
    size_t at = to->n, part = 1, parts = 1, slash = str_index(what, '@'); /* GET@1/2: the first half */
    if (slash < what.n) {
        struct str fraction = str_from_index(what, slash + 1);
        part = number(str_cut(&fraction, '/'));
        parts = number(fraction);
        what = str_first(what, slash);
    }
    size_t plus = str_index(what, '+');
    struct str more = str_from_index(what, plus + 1), base = str_first(what, plus);
    if (str_starts(what, STR("hex:"))) {
        add_hex(to, str_from_index(what, 4));
    } else if (str_starts(what, STR("["))) {
        add_fields(to, (struct str){ what.p + 1, what.n - 2 });
    } else {
        if (str_eq(base, STR("GET")))
            add_fields(to, BASE("GET"));
        else if (str_eq(base, STR("POST")))
            add_fields(to, BASE("POST"));
        else if (str_eq(base, STR("BOMB")))
            add_bomb(to);
        else
            assert_true(str_eq(base, STR("NONE")));
        add_fields(to, more);
    }
    if (to->n == at)
        return;
    size_t whole = to->n - at, from = whole * (part - 1) / parts, end = whole * part / parts;
    memmove(to->p + at, to->p + at + from, end - from);
    to->n = at + end - from;
}

struct flags {
    uint8_t bits;
    bool padded, prio;
    uint64_t padding, claimed;
    uint32_t dependency;
};

static struct flags read_flags(struct str s, uint32_t stream)
{
    struct flags f = { .bits = 0 };
    while (s.p && s.n) {
        struct str one = str_cut(&s, ',');
        if (str_eq(one, STR("es")) || str_eq(one, STR("ack")))
            f.bits |= H2_END_STREAM;
        else if (str_eq(one, STR("eh")))
            f.bits |= H2_END_HEADERS;
        else if (str_starts(one, STR("pad="))) {
            f.padded = true;
            f.padding = f.claimed = number(str_from_index(one, 4));
        } else if (str_starts(one, STR("badpad="))) {
            f.padded = true;
            f.claimed = number(str_from_index(one, 7));
        } else if (str_eq(one, STR("prio")) || str_eq(one, STR("selfprio"))) {
            f.prio = true;
            f.dependency = one.n > 4 ? stream : 0;
        } else if (str_starts(one, STR("0x")))
            f.bits |= (uint8_t)number(one);
        else
            assert_true(str_eq(one, STR("-")));
    }
    f.bits |= (uint8_t)((f.padded ? H2_PADDED : 0) | (f.prio ? H2_HAS_PRIORITY : 0));
    return f;
}

static void add_frame(struct buf *to, uint64_t type, uint8_t flags, uint32_t stream, struct str payload)
{
    add_number(to, payload.n, 3);
    add_number(to, type, 1);
    add_number(to, flags, 1);
    add_number(to, stream, 4);
    buf_add(to, payload);
}

static uint32_t stream_of(struct script *s, struct str w)
{
    if (str_eq(w, STR("next"))) {
        s->next += 2;
        return s->next - 2;
    }
    uint32_t id = (uint32_t)number(w);
    if (id >= s->next && id % 2)
        s->next = id + 2;
    return id;
}

/* HEADERS, CONTINUATION and DATA. */
static void add_content(struct script *s, enum h2_type type, struct str rest)
{
    uint32_t id = stream_of(s, word(&rest));
    struct flags f = read_flags(word(&rest), id);
    struct buf p = BUF_INIT;
    if (f.padded)
        add_number(&p, f.claimed, 1);
    if (f.prio) {
        add_number(&p, f.dependency, 4);
        add_number(&p, 15, 1);
    }
    if (type == H2_DATA)
        for (uint64_t n = number(rest); n; n--)
            buf_add_char(&p, 'd');
    else
        add_block(&p, rest);
    for (uint64_t i = 0; i < f.padding; i++)
        buf_add_char(&p, 0);
    add_frame(&s->out, type, f.bits, id, buf_str(&p));
    buf_fini(&p);
}

static uint64_t code_of(struct str name)
{
    for (uint32_t code = 0; code < 14; code++)
        if (str_eq(name, str_from(h2_frame_code_name(code))))
            return code;
    return number(name);
}

static void add_settings(struct buf *to, struct str rest)
{
    static const struct {
        struct str name;
        unsigned id;
    } names[] = { { STR_INIT("table"), 1 },   { STR_INIT("push"), 2 },  { STR_INIT("concurrent"), 3 },
                  { STR_INIT("window"), 4 },  { STR_INIT("frame"), 5 }, { STR_INIT("list"), 6 },
                  { STR_INIT("connect"), 8 }, { STR_INIT("no7540"), 9 } };
    struct buf p = BUF_INIT;
    uint8_t flags = 0;
    while (rest.n) {
        struct str value = word(&rest), name = str_cut(&value, '=');
        if (str_eq(name, STR("ack"))) {
            flags = H2_ACK;
            continue;
        }
        uint64_t id = 0;
        for (size_t i = 0; i < COUNT_OF(names); i++)
            if (str_eq(names[i].name, name))
                id = names[i].id;
        add_number(&p, id ? id : number(name), 2);
        add_number(&p, number(value), 4);
    }
    add_frame(to, H2_SETTINGS, flags, 0, buf_str(&p));
    buf_fini(&p);
}

/* "frame TYPE FLAGS STREAM len=N" or hexadecimal digits. */
static void add_any(struct buf *to, struct str rest)
{
    uint64_t type = number(word(&rest));
    uint8_t flags = (uint8_t)number(word(&rest));
    uint32_t stream = (uint32_t)number(word(&rest));
    struct buf p = BUF_INIT;
    if (str_starts(rest, STR("len=")))
        for (uint64_t n = number(str_from_index(rest, 4)); n; n--)
            buf_add_char(&p, 0);
    else
        add_hex(&p, rest);
    add_frame(to, type, flags, stream, buf_str(&p));
    buf_fini(&p);
}

static void add_small(struct script *s, struct str verb, struct str rest)
{
    struct buf p = BUF_INIT;
    if (str_eq(verb, STR("rst"))) {
        uint32_t id = (uint32_t)number(word(&rest));
        add_number(&p, code_of(rest), 4);
        add_frame(&s->out, H2_RST_STREAM, 0, id, buf_str(&p));
    } else if (str_eq(verb, STR("window"))) {
        uint32_t id = (uint32_t)number(word(&rest));
        add_number(&p, number(rest), 4);
        add_frame(&s->out, H2_WINDOW_UPDATE, 0, id, buf_str(&p));
    } else if (str_eq(verb, STR("priority"))) {
        uint32_t id = (uint32_t)number(word(&rest));
        add_number(&p, number(rest), 4);
        add_number(&p, 15, 1);
        add_frame(&s->out, H2_PRIORITY, 0, id, buf_str(&p));
    } else if (str_eq(verb, STR("update"))) {
        add_number(&p, number(word(&rest)), 4);
        buf_add(&p, rest);
        add_frame(&s->out, H2_PRIORITY_UPDATE, 0, 0, buf_str(&p));
    } else if (str_eq(verb, STR("ping"))) {
        buf_add(&p, STR("12345678"));
        add_frame(&s->out, H2_PING, rest.n ? H2_ACK : 0, 0, buf_str(&p));
    } else if (str_eq(verb, STR("goaway"))) {
        add_number(&p, 0, 4);
        add_number(&p, code_of(rest), 4);
        add_frame(&s->out, H2_GOAWAY, 0, 0, buf_str(&p));
    } else {
        print_message("no such step: %.*s\n", STR_ARG(verb));
        fail();
    }
    buf_fini(&p);
}

static void add_step(struct script *s, struct str step)
{
    struct str rest = step, verb = word(&rest);
    if (verb.n > 1 && verb.p[verb.n - 1] == 'x' && is_digit(verb.p[0])) {
        for (uint64_t n = number(str_first(verb, verb.n - 1)); n; n--)
            add_step(s, rest);
        return;
    }
    if (str_eq(verb, STR("rapid"))) {
        uint32_t id = s->next;
        char room[32];
        add_content(s, H2_HEADERS, STR("next es,eh [:method=GET&:scheme=https&:path=/wait&:authority=a]"));
        add_small(s, STR("rst"), (struct str){ room, (size_t)snprintf(room, sizeof(room), "%u 8", id) });
    } else if (str_eq(verb, STR("headers")))
        add_content(s, H2_HEADERS, rest);
    else if (str_eq(verb, STR("continuation")))
        add_content(s, H2_CONTINUATION, rest);
    else if (str_eq(verb, STR("data")))
        add_content(s, H2_DATA, rest);
    else if (str_eq(verb, STR("settings")))
        add_settings(&s->out, rest);
    else if (str_eq(verb, STR("frame")))
        add_any(&s->out, rest);
    else if (str_eq(verb, STR("raw")))
        add_hex(&s->out, rest);
    else if (str_eq(verb, STR("text")))
        add_unescaped(&s->out, rest);
    else if (str_eq(verb, STR("preface")))
        buf_add(&s->out, H2_PREFACE);
    else if (!str_eq(verb, STR("bare")))
        add_small(s, verb, rest);
}

static void write_script(struct script *s, struct str steps)
{
    *s = (struct script){ .out = BUF_INIT, .next = 1 };
    if (!str_starts(steps, STR("bare"))) {
        add_step(s, STR("preface"));
        add_step(s, STR("settings"));
    }
    while (steps.p) {
        struct str step = str_trim(str_cut(&steps, ';'));
        if (step.n)
            add_step(s, step);
    }
}

/* ---- what the server sent, as lines ---- */

static uint32_t number_at(const char *p)
{
    const uint8_t *u = (const uint8_t *)p;
    return (uint32_t)u[0] << 24 | (uint32_t)u[1] << 16 | (uint32_t)u[2] << 8 | u[3];
}

static void say_block(nghttp2_hd_inflater *inflater, struct str block, uint32_t stream, struct buf *to)
{
    for (;;) {
        nghttp2_nv nv;
        int flags = 0;
        ssize_t n = nghttp2_hd_inflate_hd2(inflater, &nv, &flags, (const uint8_t *)block.p, block.n, 1);
        assert_true(n >= 0);
        block = str_from_index(block, (size_t)n);
        if (flags & NGHTTP2_HD_INFLATE_EMIT && nv.namelen == 7)
            buf_printf(to, "answer %u %.*s\n", stream, (int)nv.valuelen, (const char *)nv.value);
        if (flags & NGHTTP2_HD_INFLATE_FINAL)
            break;
    }
    nghttp2_hd_inflate_end_headers(inflater);
}

static void say_frame(nghttp2_hd_inflater *inflater, struct str frame, size_t *data, struct buf *to)
{
    uint8_t type = (uint8_t)frame.p[3], flags = (uint8_t)frame.p[4];
    uint32_t stream = number_at(frame.p + 5);
    struct str p = str_from_index(frame, 9);
    if (type == H2_HEADERS)
        say_block(inflater, p, stream, to);
    if (type == H2_DATA && stream / 2 < STREAMS)
        data[stream / 2] += p.n;
    if ((type == H2_DATA || type == H2_HEADERS) && flags & H2_END_STREAM)
        buf_printf(to, "end %u %zu\n", stream, data[stream / 2 % STREAMS]);
    if (type == H2_RST_STREAM)
        buf_printf(to, "rst %u %s\n", stream, h2_frame_code_name(number_at(p.p)));
    if (type == H2_SETTINGS && flags & H2_ACK)
        buf_add(to, STR("ack\n"));
    if (type == H2_PING && flags & H2_ACK)
        buf_add(to, STR("pong\n"));
    if (type == H2_WINDOW_UPDATE)
        buf_printf(to, "window %u\n", stream);
    if (type == H2_GOAWAY)
        buf_printf(to, "goaway %s\n", h2_frame_code_name(number_at(p.p + 4)));
}

static void say_all(struct str out, struct buf *to)
{
    static size_t data[STREAMS];
    nghttp2_hd_inflater *inflater;
    memset(data, 0, sizeof(data));
    assert_int_equal(nghttp2_hd_inflate_new(&inflater), 0);
    while (out.n) {
        assert_true(out.n >= 9);
        size_t bytes = 9 + (number_at(out.p) >> 8);
        assert_true(bytes <= out.n);
        say_frame(inflater, str_first(out, bytes), data, to);
        out = str_from_index(out, bytes);
    }
    for (size_t i = 0; i < STREAMS; i++)
        if (data[i])
            buf_printf(to, "data %zu %zu\n", 2 * i + 1, data[i]);
    nghttp2_hd_inflate_del(inflater);
}

static size_t count_lines(struct str text, struct str line)
{
    size_t n = 0;
    while (text.p && text.n) {
        struct str one = str_cut(&text, '\n');
        n += str_starts(one, line) && (one.n == line.n || one.p[line.n] == ' ');
    }
    return n;
}

/* Everything that the row expects was said, no stream was reset and no connection ended that it does not
 * name, and "no X" was not said. */
static bool is_as_expected(struct str said, struct str expected)
{
    bool goaway = false;
    size_t resets = 0;
    while (expected.p) {
        struct str one = str_trim(str_cut(&expected, ';'));
        bool no = str_starts(one, STR("no "));
        if (one.n == 0 || str_eq(one, STR("alive")))
            continue;
        size_t n = count_lines(said, no ? str_from_index(one, 3) : one);
        if ((n > 0) == no)
            return false;
        goaway |= str_starts(one, STR("goaway")) && !no;
        if (str_starts(one, STR("rst")) && !no)
            resets += n;
    }
    if (!goaway && count_lines(said, STR("pong")) == 0)
        return false;
    return (count_lines(said, STR("goaway")) > 0) == goaway &&
           (goaway || count_lines(said, STR("rst")) == resets);
}

#endif
