#include "conf/tree.h"

#include <string.h>
#include <yaml.h>

#include "base/check.h"

static const char no_anchors[] =
    "anchors (&), aliases (*) and tags (!) are not used here; write the value out, in "
    "quotes if it starts with such a sign";

struct reader {
    yaml_parser_t parser;
    struct arena *arena;
    struct report *report;
    struct str yaml;
    struct tree *root;
    struct tree *open[TREE_DEPTH_MAX]; /* lists and maps that are not closed yet, outermost first */
    size_t depth;
    size_t nodes;
    bool awaits_value; /* the innermost map has read `key` and not its value */
    struct str key;
    unsigned key_line;
    unsigned documents;
};

static unsigned line_of(const yaml_event_t *e)
{
    return (unsigned)e->start_mark.line + 1;
}

static bool refuse(struct reader *r, unsigned line, const char *text)
{
    report_add(r->report, PLACE_LINE(line), "%s", text);
    return false;
}

static bool is_indented_by_tab(struct str yaml, unsigned line)
{
    for (unsigned i = 1; i < line; i++)
        str_cut(&yaml, '\n');
    for (size_t i = 0; i < yaml.n && (yaml.p[i] == ' ' || yaml.p[i] == '\t'); i++)
        if (yaml.p[i] == '\t')
            return true;
    return false;
}

/* libyaml gives a line for what it cannot parse and a byte offset for what is not even text. */
static bool refuse_syntax(struct reader *r)
{
    const yaml_parser_t *p = &r->parser;
    unsigned line = (unsigned)p->problem_mark.line + 1;
    if (p->error == YAML_READER_ERROR) {
        line = 1;
        for (size_t i = 0; i < p->problem_offset && i < r->yaml.n; i++)
            line += r->yaml.p[i] == '\n';
        report_add(r->report, PLACE_LINE(line), "the file is not UTF-8 text");
        return false;
    }
    if (is_indented_by_tab(r->yaml, line))
        return refuse(r, line, "indented with a tab; YAML wants spaces");
    if (p->context && (strstr(p->context, "alias") || strstr(p->context, "anchor")))
        return refuse(r, line, no_anchors); /* "*.example" without quotes, mostly */
    report_add(r->report, PLACE_LINE(line), "not valid YAML: %s; values with special characters go in quotes",
               p->problem ? p->problem : "out of memory");
    return false;
}

static bool is_plain_null(const yaml_event_t *e, struct str text)
{
    return e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           (text.n == 0 || str_eq(text, STR("~")) || str_eq(text, STR("null")));
}

/* Hangs a new node where the reader stands. */
static struct tree *add_node(struct reader *r, enum tree_kind kind, unsigned line)
{
    struct tree *t = arena_zero(r->arena, sizeof(*t));
    t->kind = kind;
    t->line = line;
    if (r->depth == 0) {
        CHECK(!r->root);
        r->root = t;
        return t;
    }
    struct tree *parent = r->open[r->depth - 1];
    if (parent->kind == TREE_MAP) {
        CHECK(r->awaits_value);
        t->key = r->key;
        t->line = r->key_line;
        r->awaits_value = false;
    }
    if (parent->last)
        parent->last->next = t;
    else
        parent->first = t;
    parent->last = t;
    parent->n++;
    return t;
}

static bool stands_at_key(const struct reader *r)
{
    return r->depth && r->open[r->depth - 1]->kind == TREE_MAP && !r->awaits_value;
}

static bool read_scalar(struct reader *r, const yaml_event_t *e)
{
    struct str text = { (const char *)e->data.scalar.value, e->data.scalar.length };
    unsigned line = line_of(e);
    text = arena_dup(r->arena, text);
    if (stands_at_key(r)) {
        r->key = text;
        r->key_line = line;
        r->awaits_value = true;
        return true;
    }
    bool none = is_plain_null(e, text);
    struct tree *t = add_node(r, none ? TREE_NULL : TREE_TEXT, line);
    t->text = none ? STR_NONE : text;
    return true;
}

static bool open_node(struct reader *r, const yaml_event_t *e, enum tree_kind kind)
{
    if (stands_at_key(r))
        return refuse(r, line_of(e), "a list or block stands where a name is expected; start with NAME:");
    if (r->depth == TREE_DEPTH_MAX)
        return refuse(r, line_of(e), "nested too deeply");
    struct tree *t = add_node(r, kind, line_of(e));
    r->open[r->depth++] = t;
    return true;
}

static bool close_node(struct reader *r)
{
    CHECK(r->depth && !r->awaits_value);
    r->depth--;
    return true;
}

static bool has_anchor_or_tag(const yaml_event_t *e)
{
    switch (e->type) {
    case YAML_ALIAS_EVENT: return true;
    case YAML_SCALAR_EVENT: return e->data.scalar.anchor || e->data.scalar.tag;
    case YAML_SEQUENCE_START_EVENT: return e->data.sequence_start.anchor || e->data.sequence_start.tag;
    case YAML_MAPPING_START_EVENT: return e->data.mapping_start.anchor || e->data.mapping_start.tag;
    default: return false;
    }
}

static bool read_event(struct reader *r, const yaml_event_t *e)
{
    if (has_anchor_or_tag(e))
        return refuse(r, line_of(e),
                      "anchors (&), aliases (*) and tags (!) are not used here; write the value out, "
                      "in quotes if it starts with such a sign");
    switch (e->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (++r->documents > 1)
            return refuse(r, line_of(e), "a second document (---); a configuration is one");
        return true;
    case YAML_SCALAR_EVENT:
    case YAML_SEQUENCE_START_EVENT:
    case YAML_MAPPING_START_EVENT:
        if (++r->nodes > TREE_NODES_MAX)
            return refuse(r, line_of(e),
                          "the file has more than " TREE_NODES_TEXT
                          " values; one of freshet has so many at most");
        if (e->type == YAML_SCALAR_EVENT)
            return read_scalar(r, e);
        return open_node(r, e, e->type == YAML_MAPPING_START_EVENT ? TREE_MAP : TREE_LIST);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT: return close_node(r);
    default: return true;
    }
}

static bool read_events(struct reader *r)
{
    for (bool at_end = false; !at_end;) {
        yaml_event_t e;
        if (!yaml_parser_parse(&r->parser, &e))
            return refuse_syntax(r);
        at_end = e.type == YAML_STREAM_END_EVENT;
        bool good = read_event(r, &e);
        yaml_event_delete(&e);
        if (!good)
            return false;
    }
    return true;
}

/* libyaml, told the encoding, takes a byte-order mark for a part of the first name. */
static struct str without_mark(struct str yaml)
{
    static const struct str mark = STR_INIT("\xef\xbb\xbf");
    return str_starts(yaml, mark) ? str_from_index(yaml, mark.n) : yaml;
}

struct tree *tree_read(struct str yaml, struct arena *a, struct report *report)
{
    yaml = without_mark(yaml);
    struct reader r = { .arena = a, .report = report, .yaml = yaml };
    if (yaml.n > TREE_BYTES_MAX) {
        report_add(report, PLACE_LINE(0), "larger than %zu bytes; this is not a configuration",
                   TREE_BYTES_MAX);
        return NULL;
    }
    CHECK(yaml_parser_initialize(&r.parser));
    yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)(yaml.p ? yaml.p : ""), yaml.n);
    bool good = read_events(&r);
    yaml_parser_delete(&r.parser);
    if (!good)
        return NULL;
    if (!r.root) {
        r.root = arena_zero(a, sizeof(*r.root));
        *r.root = (struct tree){ .kind = TREE_NULL, .line = 1 };
    }
    return r.root;
}
