#include "conf/node.h"

#include "base/check.h"
#include "conf/nearest.h"

/* ---- blocks ---- */

static size_t field_by_name(const struct shape *shape, struct str name)
{
    size_t i = 0;
    while (i < shape->n && !str_eq(name, shape->fields[i].name))
        i++;
    return i;
}

static void report_unknown(const struct node_reader *r, const struct shape *shape, const struct tree *t)
{
    struct nearest near = nearest_to(t->key);
    for (size_t i = 0; i < shape->n; i++)
        nearest_offer(&near, shape->fields[i].name);
    const char *quoted = report_quote(r->report, t->key);
    if (near.name.n)
        report_add(r->report, PLACE_LINE(t->line), "unknown field %s; did you mean \"%.*s\"?", quoted,
                   STR_ARG(near.name));
    else
        report_add(r->report, PLACE_LINE(t->line),
                   "unknown field %s; the known ones are in docs/CONFIGURATION.md", quoted);
}

static void set_value(enum setting_type type, const union value *v, unsigned line, struct map_value *to)
{
    to->line = line;
    switch (type) {
    case TYPE_BOOL: to->yes = v->yes; return;
    case TYPE_COUNT:
    case TYPE_BYTES:
    case TYPE_TIME: to->number = v->number; return;
    case TYPE_CHOICE: to->choice = v->choice; return;
    case TYPE_TEXT: to->text = v->text; return;
    case TYPE_LIST: to->list = v->list; return;
    case TYPE_MAPS: break;
    }
    UNREACHABLE();
}

static bool is_empty(const struct setting *s, const union value *v)
{
    return (s->type == TYPE_TEXT && v->text.n == 0) || (s->type == TYPE_LIST && v->list.n == 0);
}

#define FIELDS_MAX 64 /* of a shape */

/* Sets a bit of *broken when the field is known. */
static bool read_field(const struct node_reader *r, const struct shape *shape, const struct tree *t,
                       struct map_value *values, uint64_t *broken)
{
    size_t i = field_by_name(shape, t->key);
    union value v;
    if (i == shape->n) {
        report_unknown(r, shape, t);
        return false;
    }
    const struct setting *field = &shape->fields[i];
    *broken |= (uint64_t)1 << i;
    if (values[i].line) {
        value_problem(field, r->report, PLACE_LINE(t->line), "is set twice, first in line %u; remove one",
                      values[i].line);
        return false;
    }
    values[i].line = t->line;
    if (!node_read(r, field, t, &v))
        return false;
    if (is_empty(field, &v)) {
        value_problem(field, r->report, PLACE_LINE(t->line), "is empty; write a value or remove the line");
        return false;
    }
    set_value(field->type, &v, t->line, &values[i]);
    *broken &= ~((uint64_t)1 << i);
    return true;
}

static bool has_needed(const struct node_reader *r, const struct shape *shape, const struct tree *t,
                       const struct map_value *values)
{
    bool good = true;
    for (size_t i = 0; i < shape->n; i++)
        if (shape->fields[i].needed && !values[i].line) {
            value_problem(&shape->fields[i], r->report, PLACE_LINE(t->line), "is missing");
            good = false;
        }
    return good;
}

static bool read_entry(const struct node_reader *r, const struct shape *shape, const struct tree *t,
                       struct map *to)
{
    struct map_value *values = arena_zero(r->arena, shape->n * sizeof(*values));
    uint64_t broken = 0;
    CHECK(shape->n <= FIELDS_MAX);
    *to = (struct map){ t->line, true, values };
    if (t->kind != TREE_MAP) {
        report_add(r->report, PLACE_LINE(t->line),
                   "is not a block; write NAME: VALUE lines behind the \"-\"");
        return false;
    }
    bool good = true;
    for (const struct tree *field = t->first; field; field = field->next)
        good &= read_field(r, shape, field, values, &broken);
    good &= has_needed(r, shape, t, values);
    for (size_t i = 0; i < shape->n; i++)
        if (broken >> i & 1)
            values[i] = (struct map_value){ 0 };
    to->has_mistake = !good;
    return good;
}

/* ---- lists of texts ---- */

/* An origin as a block is one text, as a flag has it. */
static bool read_origin(const struct node_reader *r, const struct tree *t, size_t i, struct str *out)
{
    struct map entry;
    r->report->subject = arena_printf(r->scratch, "origin %zu%s%.*s", i + 1, r->site.n ? " of " : "",
                                      STR_ARG(str_first(r->site, 128)));
    bool good = read_entry(r, &shape_table[SHAPE_ORIGIN], t, &entry);
    r->report->subject = STR_NONE;
    const struct map_value *v = entry.v;
    int64_t weight = v[ORIGIN_FIELD_weight].line ? v[ORIGIN_FIELD_weight].number : 1;
    *out = v[ORIGIN_FIELD_url].text;
    if (weight != 1)
        *out = arena_printf(r->scratch, "%.*s weight=%lld", STR_ARG(*out), (long long)weight);
    if (v[ORIGIN_FIELD_backup].yes)
        *out = ARENA_JOIN(r->scratch, *out, STR(" backup"));
    return good;
}

static bool read_list(const struct node_reader *r, const struct setting *s, const struct tree *t,
                      union value *out)
{
    size_t n = 0, most = t->n ? t->n : 1;
    struct str *texts = arena_alloc(r->scratch, most * sizeof(*texts));
    struct place *at = arena_alloc(r->scratch, most * sizeof(*at));
    if (t->kind == TREE_TEXT && t->text.n) {
        texts[0] = t->text;
        at[0] = PLACE_LINE(t->line);
        n = 1;
    }
    for (const struct tree *item = t->first; item; item = item->next, n++) {
        at[n] = PLACE_LINE(item->line);
        if (item->kind == TREE_MAP && s->form == FORM_ORIGINS) {
            if (!read_origin(r, item, n, &texts[n]))
                return false;
            continue;
        }
        if (item->kind != TREE_TEXT) {
            value_problem(s, r->report, PLACE_LINE(item->line), "an entry is not a text; write it in quotes");
            return false;
        }
        texts[n] = item->text;
    }
    return value_parse_list(s, texts, at, n, r->arena, out, r->report);
}

/* ---- lists of blocks ---- */

/* The one block of a setting that has no more. */
static bool read_map(const struct node_reader *r, const struct setting *s, const struct tree *t,
                     union value *out)
{
    const struct shape *shape = &shape_table[s->shape];
    struct map *v = arena_alloc(r->arena, sizeof(*v));
    r->report->subject = arena_printf(r->scratch, "%.*s%s%.*s", STR_ARG(shape->one), r->site.n ? " of " : "",
                                      STR_ARG(str_first(r->site, 128)));
    bool good = read_entry(r, shape, t, v);
    r->report->subject = STR_NONE;
    out->maps = (struct maps){ v, 1 };
    return good;
}

static bool read_maps(const struct node_reader *r, const struct setting *s, const struct tree *t,
                      union value *out)
{
    const struct shape *shape = &shape_table[s->shape];
    if (t->n > (size_t)s->most) {
        value_problem(s, r->report, PLACE_LINE(t->line), "%zu entries are too many; at most %lld", t->n,
                      (long long)s->most);
        return false;
    }
    struct map *v = arena_alloc(r->arena, (t->n ? t->n : 1) * sizeof(*v));
    size_t n = 0;
    bool good = true;
    for (const struct tree *item = t->first; item; item = item->next, n++) {
        r->report->subject = arena_printf(r->scratch, "%.*s %zu%s%.*s", STR_ARG(shape->one), n + 1,
                                          r->site.n ? " of " : "", STR_ARG(str_first(r->site, 128)));
        good &= read_entry(r, shape, item, &v[n]);
        r->report->subject = STR_NONE;
    }
    out->maps = (struct maps){ v, n };
    return good;
}

/* ---- any ---- */

static const char *list_wanted(const struct setting *s)
{
    return s->type == TYPE_MAPS ? "is a block; write a list of blocks, each begun with \"- \""
                                : "is a block of settings; write a value";
}

bool node_read(const struct node_reader *r, const struct setting *s, const struct tree *t, union value *out)
{
    struct place at = PLACE_LINE(t->line);
    switch (t->kind) {
    case TREE_NULL:
        value_problem(s, r->report, at, "has no value; write one or remove the line");
        return false;
    case TREE_MAP:
        if (s->type == TYPE_MAPS && s->most == 1)
            return read_map(r, s, t, out);
        if (s->type == TYPE_LIST && s->form == FORM_ORIGINS) {
            struct tree only = *t, list = { .kind = TREE_LIST, .line = t->line, .first = &only, .n = 1 };
            only.next = NULL;
            return read_list(r, s, &list, out);
        }
        value_problem(s, r->report, at, "%s", list_wanted(s));
        return false;
    case TREE_LIST:
        if (s->type == TYPE_MAPS)
            return read_maps(r, s, t, out);
        if (s->type == TYPE_LIST)
            return read_list(r, s, t, out);
        value_problem(s, r->report, at, "is a list; write one value");
        return false;
    case TREE_TEXT:
        if (s->type == TYPE_LIST)
            return read_list(r, s, t, out);
        return value_parse(s, t->text, r->arena, out, r->report, at);
    }
    UNREACHABLE();
}
