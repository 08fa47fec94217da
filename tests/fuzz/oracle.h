/*
 * llhttp, Node's parser, as a second opinion in the fuzz targets of the HTTP/1.1 parsers: what ours accepts,
 * llhttp in strict mode must read as the same message. Where that cannot be,
 * docs/decisions/001-strict-parser.md says why.
 */
#ifndef FUZZ_ORACLE_H
#define FUZZ_ORACLE_H

#include <stdlib.h>
#include <string.h>

#include <llhttp.h>

#include "base/buf.h"
#include "base/check.h"
#include "http/framing.h"

struct oracle {
    llhttp_t parser;
    llhttp_settings_t settings;
    struct buf text; /* "METHOD target" or "reason", then a line "name:value" for each field */
    struct buf body;
    size_t value_at; /* where the value that is arriving began in `text` */
    bool has_head, has_end, no_body;
    uint16_t flags; /* at the end of the head */
    uint64_t length;
};

static struct oracle *oracle_of(llhttp_t *p)
{
    return p->data;
}

static int oracle_text(llhttp_t *p, const char *at, size_t n)
{
    if (!oracle_of(p)->has_head)
        buf_add(&oracle_of(p)->text, (struct str){ at, n });
    return 0;
}

static int oracle_body(llhttp_t *p, const char *at, size_t n)
{
    buf_add(&oracle_of(p)->body, (struct str){ at, n });
    return 0;
}

static int oracle_method_end(llhttp_t *p)
{
    buf_add_char(&oracle_of(p)->text, ' ');
    return 0;
}

static int oracle_line_end(llhttp_t *p)
{
    buf_add_char(&oracle_of(p)->text, '\n');
    return 0;
}

static int oracle_name_end(llhttp_t *p)
{
    struct oracle *o = oracle_of(p);
    if (o->has_head)
        return 0;
    buf_add_char(&o->text, ':');
    o->value_at = o->text.n;
    return 0;
}

static int oracle_value_end(llhttp_t *p)
{
    struct oracle *o = oracle_of(p);
    if (o->has_head)
        return 0;
    /* llhttp leaves the white space behind a value to its user. */
    while (o->text.n > o->value_at && (o->text.p[o->text.n - 1] == ' ' || o->text.p[o->text.n - 1] == '\t'))
        o->text.n--;
    buf_add_char(&o->text, '\n');
    return 0;
}

static int oracle_head_end(llhttp_t *p)
{
    struct oracle *o = oracle_of(p);
    o->has_head = true;
    o->flags = p->flags;
    o->length = p->content_length;
    return o->no_body;
}

static int oracle_end(llhttp_t *p)
{
    oracle_of(p)->has_end = true;
    return 0;
}

/* `no_body`: a response to HEAD. */
static inline void oracle_init(struct oracle *o, llhttp_type_t type, bool no_body)
{
    *o = (struct oracle){ .text = BUF_INIT, .body = BUF_INIT, .no_body = no_body };
    llhttp_settings_init(&o->settings);
    o->settings.on_method = o->settings.on_url = o->settings.on_status = oracle_text;
    o->settings.on_header_field = o->settings.on_header_value = oracle_text;
    o->settings.on_method_complete = oracle_method_end;
    o->settings.on_url_complete = o->settings.on_status_complete = oracle_line_end;
    o->settings.on_header_field_complete = oracle_name_end;
    o->settings.on_header_value_complete = oracle_value_end;
    o->settings.on_headers_complete = oracle_head_end;
    o->settings.on_body = oracle_body;
    o->settings.on_message_complete = oracle_end;
    llhttp_init(&o->parser, type, &o->settings);
    o->parser.data = o;
}

static inline void oracle_fini(struct oracle *o)
{
    buf_fini(&o->text);
    buf_fini(&o->body);
}

/* false: it found a fault. */
static inline bool oracle_feed(struct oracle *o, struct str in)
{
    llhttp_errno_t e = llhttp_execute(&o->parser, in.p, in.n);
    return e == HPE_OK || e == HPE_PAUSED_UPGRADE;
}

/* llhttp knows no HTAB behind a length or an encoding: SP instead, in a copy of the head that `f` was read
 * from. The copy may differ in its first line, so places are counted from the end. */
static inline void oracle_blank_tabs(struct buf *copy, struct str head, const struct fields *f)
{
    for (size_t i = 0; i < f->n; i++) {
        struct str value = f->v[i].value;
        size_t from_end = head.n - (size_t)(value.p + value.n - head.p);
        for (char *end = copy->p + copy->n - from_end; *end == ' ' || *end == '\t'; end++)
            *end = ' ';
    }
}

/* Does it see the length that we see? */
static inline void oracle_check_framing(const struct oracle *o, const struct framing *f)
{
    CHECK((f->kind == FRAMING_CHUNKED) == ((o->flags & F_CHUNKED) != 0));
    CHECK((f->kind == FRAMING_LENGTH) == ((o->flags & F_CONTENT_LENGTH) != 0));
    CHECK(f->kind != FRAMING_LENGTH || f->length == o->length);
}

#endif
