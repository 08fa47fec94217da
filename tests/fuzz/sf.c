/* What parses can be written in its canonical form (RFC 9651 §4.1) and then parses to the same value. */
#include <string.h>

#include "base/buf.h"
#include "base/check.h"
#include "http/sf.h"

enum kind { ITEM, LIST, DICTIONARY };

struct parsed {
    struct sf_members members; /* ITEM: one */
    struct sf_member item;
};

static bool parse(enum kind kind, struct str s, struct arena *a, struct parsed *out)
{
    *out = (struct parsed){ 0 };
    if (kind == LIST)
        return sf_parse_list(s, a, &out->members);
    if (kind == DICTIONARY)
        return sf_parse_dictionary(s, a, &out->members);
    if (!sf_parse_item(s, a, &out->item))
        return false;
    out->members = (struct sf_members){ &out->item, 1 };
    return true;
}

/* The writer: this side only, freshet itself writes no more than strings. */

static void write_base64(struct buf *b, struct str s)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    buf_add_char(b, ':');
    for (size_t i = 0; i < s.n; i += 3) {
        uint32_t v = 0;
        for (size_t k = 0; k < 3; k++)
            v = v << 8 | (i + k < s.n ? (unsigned char)s.p[i + k] : 0);
        buf_add_char(b, digits[v >> 18]);
        buf_add_char(b, digits[v >> 12 & 63]);
        buf_add_char(b, i + 1 < s.n ? digits[v >> 6 & 63] : '=');
        buf_add_char(b, i + 2 < s.n ? digits[v & 63] : '=');
    }
    buf_add_char(b, ':');
}

static void write_display(struct buf *b, struct str s)
{
    buf_add(b, STR("%\""));
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == '%' || c == '"' || c < 0x20 || c > 0x7e)
            buf_printf(b, "%%%02x", c);
        else
            buf_add_char(b, (char)c);
    }
    buf_add_char(b, '"');
}

static void write_value(struct buf *b, const struct sf_value *v)
{
    int64_t i = v->integer, size = i < 0 ? -i : i;
    switch (v->type) {
    case SF_INTEGER: buf_printf(b, "%lld", (long long)i); break;
    case SF_DATE: buf_printf(b, "@%lld", (long long)i); break;
    case SF_DECIMAL:
        buf_printf(b, "%s%lld.%03d", i < 0 ? "-" : "", (long long)(size / 1000), (int)(size % 1000));
        break;
    case SF_STRING: sf_write_string(b, v->text); break;
    case SF_TOKEN: buf_add(b, v->text); break;
    case SF_BYTES: write_base64(b, v->text); break;
    case SF_BOOLEAN: buf_add(b, v->boolean ? STR("?1") : STR("?0")); break;
    case SF_DISPLAY: write_display(b, v->text); break;
    case SF_INNER_LIST: UNREACHABLE();
    }
}

static void write_params(struct buf *b, const struct sf_member *m)
{
    for (size_t i = 0; i < m->params_n; i++) {
        buf_add_char(b, ';');
        buf_add(b, m->params[i].key);
        buf_add_char(b, '=');
        write_value(b, &m->params[i].value);
    }
}

static void write_member(struct buf *b, const struct sf_member *m)
{
    if (m->value.type == SF_INNER_LIST) {
        buf_add_char(b, '(');
        for (size_t i = 0; i < m->items_n; i++) {
            if (i)
                buf_add_char(b, ' ');
            write_value(b, &m->items[i].value);
            write_params(b, &m->items[i]);
        }
        buf_add_char(b, ')');
    } else {
        write_value(b, &m->value);
    }
    write_params(b, m);
}

static void write_members(struct buf *b, enum kind kind, const struct sf_members *d)
{
    for (size_t i = 0; i < d->n; i++) {
        if (i)
            buf_add(b, STR(", "));
        if (kind == DICTIONARY) {
            buf_add(b, d->v[i].key);
            buf_add_char(b, '=');
        }
        write_member(b, &d->v[i]);
    }
}

/* What must hold of a result. */

static void check_value(const struct sf_value *v)
{
    const int64_t most = INT64_C(999999999999999);
    if (v->type == SF_INTEGER || v->type == SF_DECIMAL || v->type == SF_DATE)
        CHECK(v->integer >= -most && v->integer <= most);
    else
        CHECK(v->integer == 0);
    if (v->type == SF_TOKEN)
        CHECK(v->text.n > 0);
}

static void check_member(const struct sf_member *m, bool in_list)
{
    CHECK(m->params_n <= 256 && m->items_n <= 256);
    CHECK(m->value.type == SF_INNER_LIST ? !in_list : m->items_n == 0);
    check_value(&m->value);
    for (size_t i = 0; i < m->params_n; i++) {
        CHECK(m->params[i].key.n > 0 && m->params[i].value.type != SF_INNER_LIST);
        check_value(&m->params[i].value);
        for (size_t k = 0; k < i; k++)
            CHECK(!str_eq(m->params[i].key, m->params[k].key));
    }
    for (size_t i = 0; i < m->items_n; i++)
        check_member(&m->items[i], true);
}

static void check_members(enum kind kind, const struct sf_members *d, size_t bytes)
{
    CHECK(d->n <= 1024 && d->n <= bytes);
    for (size_t i = 0; i < d->n; i++) {
        check_member(&d->v[i], false);
        CHECK((d->v[i].key.n > 0) == (kind == DICTIONARY));
        if (kind == DICTIONARY)
            CHECK(sf_get(d, d->v[i].key) == &d->v[i]); /* each key once */
    }
}

static bool same_value(const struct sf_value *a, const struct sf_value *b)
{
    return a->type == b->type && a->integer == b->integer && a->boolean == b->boolean &&
           str_eq(a->text, b->text);
}

static void check_same(const struct sf_member *a, const struct sf_member *b)
{
    CHECK(str_eq(a->key, b->key) && same_value(&a->value, &b->value));
    CHECK(a->params_n == b->params_n && a->items_n == b->items_n);
    for (size_t i = 0; i < a->params_n; i++)
        CHECK(str_eq(a->params[i].key, b->params[i].key) &&
              same_value(&a->params[i].value, &b->params[i].value));
    for (size_t i = 0; i < a->items_n; i++)
        check_same(&a->items[i], &b->items[i]);
}

static void check_kind(enum kind kind, struct str s, struct arena *a)
{
    struct parsed first, again;
    struct buf b = BUF_INIT;
    if (!parse(kind, s, a, &first))
        return;
    check_members(kind, &first.members, s.n);
    write_members(&b, kind, &first.members);
    CHECK(parse(kind, buf_str(&b), a, &again) && again.members.n == first.members.n);
    for (size_t i = 0; i < again.members.n; i++)
        check_same(&first.members.v[i], &again.members.v[i]);
    buf_fini(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct str s = { (const char *)data, size };
    arena_init(&a, 16384);
    check_kind(ITEM, s, &a);
    check_kind(LIST, s, &a);
    check_kind(DICTIONARY, s, &a);
    arena_fini(&a);
    return 0;
}
