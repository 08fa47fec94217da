#include "conf/value.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/little.h"
#include "conf/nearest.h"
#include "conf/number.h"
#include "conf/offer.h"

void value_problem(const struct setting *s, struct report *r, struct place at, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (at.flag.n)
        report_add(r, at, "%s", text);
    else
        report_add(r, at, "%.*s: %s", STR_ARG(s->name), text);
}

/* ---- numbers ---- */

static const char *number_advice(enum setting_type type)
{
    switch (type) {
    case TYPE_BYTES: return "is not a size; write bytes, or a number with K, M, G or T, like 512M";
    case TYPE_TIME: return "is not a time; write seconds, or a number with ms, s, m, h or d, like 10s";
    default: return "is not a whole number; write digits only";
    }
}

/* A whole value that can be copied says more than how such values are written. */
static const char *advice_with_offer(struct report *r, const char *advice, struct str offer)
{
    if (offer.n == 0)
        return advice;
    struct str what = str_from(advice);
    what = str_first(what, str_index(what, ';'));
    return arena_printf(r->arena, "%.*s; did you mean \"%.*s\"?", STR_ARG(what), STR_ARG(offer)).p;
}

static bool parse_in_range(const struct setting *s, struct str text, union value *out, struct report *r,
                           struct place at)
{
    if (!number_parse(s->type, text, &out->number)) {
        value_problem(s, r, at, "%s %s", report_quote(r, text),
                      advice_with_offer(r, number_advice(s->type), offer_number(s, text, r->arena)));
        return false;
    }
    if (out->number >= s->least && out->number <= s->most)
        return true;
    struct str offer = offer_number(s, text, r->arena);
    struct buf range = BUF_INIT;
    setting_write_number(s->type, s->least, &range);
    buf_add(&range, STR(" to "));
    setting_write_number(s->type, s->most, &range);
    if (offer.n)
        buf_printf(&range, "; did you mean \"%.*s\"?", STR_ARG(offer));
    value_problem(s, r, at, "%s is out of range; allowed is %.*s", report_quote(r, text),
                  STR_ARG(buf_str(&range)));
    buf_fini(&range);
    return false;
}

/* ---- words ---- */

static bool parse_bool(const struct setting *s, struct str text, union value *out, struct report *r,
                       struct place at)
{
    out->yes = str_eq(text, STR("true"));
    if (out->yes || str_eq(text, STR("false")))
        return true;
    value_problem(s, r, at, "%s is neither true nor false; write one of them", report_quote(r, text));
    return false;
}

static bool parse_choice(const struct setting *s, struct str text, union value *out, struct report *r,
                         struct place at)
{
    struct nearest near = nearest_to(text);
    int place = 0;
    for (struct str rest = s->words; rest.p; place++) {
        struct str word = str_cut(&rest, '|');
        if (str_eq(word, text)) {
            out->choice = place;
            return true;
        }
        nearest_offer(&near, word);
    }
    char *words = arena_alloc(r->arena, s->words.n);
    for (size_t i = 0; i < s->words.n; i++)
        words[i] = s->words.p[i] == '|' ? '/' : s->words.p[i];
    const char *quoted = report_quote(r, text);
    struct str all = { words, s->words.n };
    if (near.name.n)
        value_problem(s, r, at, "%s is none of %.*s; did you mean \"%.*s\"?", quoted, STR_ARG(all),
                      STR_ARG(near.name));
    else
        value_problem(s, r, at, "%s is none of %.*s; write one of them", quoted, STR_ARG(all));
    return false;
}

/* ---- strings ---- */

static bool has_control(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
            return true;
    return false;
}

/* Of one string that is not empty; NULL: it is good. */
static const char *string_problem(const struct setting *s, struct str text)
{
    if (text.n > VALUE_BYTES_MAX)
        return "is too long; 4096 bytes at most";
    if (has_control(text))
        return "holds a control character; write one line of text";
    return form_check(s->form, text);
}

static struct str flag_name(const struct setting *s, struct arena *a)
{
    char *p = arena_alloc(a, s->name.n);
    for (size_t i = 0; i < s->name.n; i++)
        p[i] = s->name.p[i] == '_' ? '-' : s->name.p[i];
    return (struct str){ p, s->name.n };
}

/* Said before anything else: as a host, a path or a token it may well have the right form. */
static bool check_variable(const struct setting *s, struct str text, struct report *r, struct place at)
{
    if (!offer_is_variable(s->form, text))
        return true;
    if (s->form == FORM_SECRET)
        value_problem(s, r, at, "the value is the name of a variable, which nothing expands here; %s",
                      str_eq(s->name, STR("token"))
                          ? "leave the setting out and set FRESHET_TOKEN, or name a "
                            "file with token_file"
                          : "write the value itself");
    else
        value_problem(
            s, r, at,
            "%s holds a variable, which nothing expands here; write the value itself, or give it by "
            "the flag --%.*s, where the shell expands it",
            report_quote(r, text), STR_ARG(flag_name(s, r->arena)));
    return false;
}

/* What others call what "" says here, of a listener that there need not be. */
static bool is_meant_as_none(const struct setting *s, struct str text)
{
    static const struct str words[] = { STR_INIT("none"), STR_INIT("off"), STR_INIT("no"), STR_INIT("false"),
                                        STR_INIT("disabled") };
    for (size_t i = 0; s->type == TYPE_TEXT && s->form == FORM_ADDRESS && i < COUNT_OF(words); i++)
        if (str_eq_nocase(text, words[i]))
            return true;
    return false;
}

static bool check_string(const struct setting *s, struct str text, struct report *r, struct place at)
{
    if (!check_variable(s, text, r, at))
        return false;
    if (is_meant_as_none(s, text)) {
        value_problem(s, r, at, "%s is not an address; did you mean \"\"?", report_quote(r, text));
        return false;
    }
    const char *wrong = string_problem(s, text);
    if (!wrong)
        return true;
    if (s->form == FORM_SECRET)
        value_problem(s, r, at, "the value %s", wrong);
    else
        value_problem(s, r, at, "%s %s", report_quote(r, text),
                      advice_with_offer(r, wrong, offer_text(s->form, text, s->initial, r->arena)));
    return false;
}

static bool parse_text(const struct setting *s, struct str text, struct arena *a, union value *out,
                       struct report *r, struct place at)
{
    if (text.n == 0) {
        out->text = STR_NONE;
        return true;
    }
    if (!check_string(s, text, r, at))
        return false;
    out->text = form_normal(s->form, text, a);
    return true;
}

/* Blocks are written in the file. A text can only say that there are none. */
static bool parse_no_maps(const struct setting *s, struct str text, union value *out, struct report *r,
                          struct place at)
{
    out->maps = (struct maps){ NULL, 0 };
    if (text.n == 0)
        return true;
    if (s->most == 1)
        value_problem(s, r, at,
                      "is a block; write it in the file, NAME: VALUE lines below %.*s:", STR_ARG(s->name));
    else
        value_problem(s, r, at, "is a list of blocks; write them in the file, each begun with \"- \"");
    return false;
}

bool value_parse(const struct setting *s, struct str text, struct arena *a, union value *out,
                 struct report *r, struct place at)
{
    switch (s->type) {
    case TYPE_BOOL: return parse_bool(s, text, out, r, at);
    case TYPE_COUNT:
    case TYPE_BYTES:
    case TYPE_TIME: return check_variable(s, text, r, at) && parse_in_range(s, text, out, r, at);
    case TYPE_CHOICE: return parse_choice(s, text, out, r, at);
    case TYPE_TEXT: return parse_text(s, text, a, out, r, at);
    case TYPE_MAPS: return parse_no_maps(s, text, out, r, at);
    case TYPE_LIST: break;
    }
    UNREACHABLE();
}

/* ---- lists ---- */

bool value_parse_list(const struct setting *s, const struct str *texts, const struct place *at, size_t n,
                      struct arena *a, union value *out, struct report *r)
{
    out->list = (struct strs){ NULL, 0 };
    if (n == 0)
        return true;
    if (n > VALUE_ITEMS_MAX) {
        value_problem(s, r, at[0], "%zu entries are too many; at most %d", n, VALUE_ITEMS_MAX);
        return false;
    }
    bool good = true;
    struct str *v = arena_alloc(a, n * sizeof(*v));
    for (size_t i = 0; i < n; i++) {
        if (texts[i].n == 0) {
            value_problem(s, r, at[i], "an empty entry; remove it");
            good = false;
        } else if (!check_string(s, texts[i], r, at[i])) {
            good = false;
        } else {
            v[i] = form_normal(s->form, texts[i], a);
        }
    }
    out->list = (struct strs){ v, n };
    return good;
}

#define DEFAULT_ITEMS_MAX 16

static union value default_list(const struct setting *s, struct str text, struct arena *a, struct report *r)
{
    struct str items[DEFAULT_ITEMS_MAX];
    struct place at[DEFAULT_ITEMS_MAX] = { { 0 } };
    size_t n = 0;
    union value v;
    if (str_starts(text, STR("[")) && str_ends(text, STR("]")))
        text = (struct str){ text.p + 1, text.n - 2 };
    for (struct str rest = text; rest.n;) {
        CHECK(n < DEFAULT_ITEMS_MAX);
        items[n++] = str_trim(str_cut(&rest, ','));
    }
    CHECK(value_parse_list(s, items, at, n, a, &v, r));
    return v;
}

union value value_of_default(const struct setting *s, struct str text, struct arena *a)
{
    struct report none;
    union value v;
    report_init(&none, a, STR_NONE);
    if (s->type == TYPE_LIST)
        return default_list(s, text, a, &none);
    CHECK(value_parse(s, text, a, &v, &none, PLACE_LINE(0)));
    return v;
}

/* ---- in the structs ---- */

void value_store(const struct setting *s, const union value *v, void *base)
{
    void *at = (char *)base + s->offset;
    switch (s->type) {
    case TYPE_BOOL: *(bool *)at = v->yes; return;
    case TYPE_COUNT:
    case TYPE_BYTES:
    case TYPE_TIME: *(int64_t *)at = v->number; return;
    case TYPE_CHOICE: *(int *)at = v->choice; return;
    case TYPE_TEXT: *(struct str *)at = v->text; return;
    case TYPE_LIST: *(struct strs *)at = v->list; return;
    case TYPE_MAPS: *(struct maps *)at = v->maps; return;
    }
    UNREACHABLE();
}

static bool strs_equal(const struct strs *a, const struct strs *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (!str_eq(a->v[i], b->v[i]))
            return false;
    return true;
}

static bool field_equal(const struct map_value *a, const struct map_value *b)
{
    return (a->line == 0) == (b->line == 0) && a->yes == b->yes && a->number == b->number &&
           a->choice == b->choice && str_eq(a->text, b->text) && strs_equal(&a->list, &b->list);
}

/* The order counts; the lines of the file do not. */
static bool maps_equal(const struct shape *shape, const struct maps *a, const struct maps *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++)
        for (size_t k = 0; k < shape->n; k++)
            if (!field_equal(&a->v[i].v[k], &b->v[i].v[k]))
                return false;
    return true;
}

bool value_equal(const struct setting *s, const void *base_a, const void *base_b)
{
    const void *a = (const char *)base_a + s->offset, *b = (const char *)base_b + s->offset;
    switch (s->type) {
    case TYPE_BOOL: return *(const bool *)a == *(const bool *)b;
    case TYPE_COUNT:
    case TYPE_BYTES:
    case TYPE_TIME: return *(const int64_t *)a == *(const int64_t *)b;
    case TYPE_CHOICE: return *(const int *)a == *(const int *)b;
    case TYPE_TEXT: return str_eq(*(const struct str *)a, *(const struct str *)b);
    case TYPE_LIST: return strs_equal(a, b);
    case TYPE_MAPS: return maps_equal(&shape_table[s->shape], a, b);
    }
    UNREACHABLE();
}

/* ---- as bytes ---- */

static void add_number(struct buf *out, int64_t n)
{
    little_add(out, (uint64_t)n, 8);
}

static void add_str(struct buf *out, struct str s)
{
    add_number(out, (int64_t)s.n);
    buf_add(out, s);
}

static void add_strs(struct buf *out, const struct strs *s)
{
    add_number(out, (int64_t)s->n);
    for (size_t i = 0; i < s->n; i++)
        add_str(out, s->v[i]);
}

static void add_field(struct buf *out, const struct map_value *v)
{
    add_number(out, (v->line != 0) | v->yes << 1);
    add_number(out, v->number);
    add_number(out, v->choice);
    add_str(out, v->text);
    add_strs(out, &v->list);
}

static void add_maps(struct buf *out, const struct shape *shape, const struct maps *m)
{
    add_number(out, (int64_t)m->n);
    for (size_t i = 0; i < m->n; i++)
        for (size_t k = 0; k < shape->n; k++)
            add_field(out, &m->v[i].v[k]);
}

void value_bytes(const struct setting *s, const void *base, struct buf *out)
{
    const void *at = (const char *)base + s->offset;
    switch (s->type) {
    case TYPE_BOOL: add_number(out, *(const bool *)at); return;
    case TYPE_COUNT:
    case TYPE_BYTES:
    case TYPE_TIME: add_number(out, *(const int64_t *)at); return;
    case TYPE_CHOICE: add_number(out, *(const int *)at); return;
    case TYPE_TEXT: add_str(out, *(const struct str *)at); return;
    case TYPE_LIST: add_strs(out, at); return;
    case TYPE_MAPS: add_maps(out, &shape_table[s->shape], at); return;
    }
    UNREACHABLE();
}
