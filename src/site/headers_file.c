#include "base/check.h"
#include "site/rules_machine.h"

/* A line of a path, with the lines of headers below it. */
struct block {
    struct str path;
    unsigned line;
    struct str *set, *removed;
    size_t set_n, removed_n;
    bool is_bad; /* something of it was reported */
};

struct reader {
    struct arena *arena;
    struct report *report;
    struct map *maps;
    size_t n;
    struct block block;
    unsigned line;
};

#define BLOCK_HEADERS_MAX 64
#define BLOCKS_MAX        200

/* Placeholders and splats become wildcards: ":name" is one segment, "*" any text. */
static struct str path_of(struct reader *r, struct str s)
{
    char *p = arena_alloc(r->arena, 2 * s.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '*') {
            p[n++] = '*';
            p[n++] = '*';
        } else if (s.p[i] == ':' && i && s.p[i - 1] == '/') {
            p[n++] = '*';
            while (i + 1 < s.n && s.p[i + 1] != '/')
                i++;
        } else {
            p[n++] = s.p[i];
        }
    }
    return (struct str){ p, n };
}

static void end_block(struct reader *r)
{
    struct block *b = &r->block;
    if (!b->path.n || b->is_bad)
        return;
    if (!b->set_n && !b->removed_n) {
        report_add(r->report, PLACE_LINE(b->line),
                   "the path has no headers; indent them below it, each as NAME: VALUE");
        return;
    }
    struct map_value *v = arena_zero(r->arena, RULE_FIELD_COUNT * sizeof(*v));
    struct str *path = arena_alloc(r->arena, sizeof(*path));
    *path = b->path;
    v[RULE_path] = (struct map_value){ .line = b->line, .list = { path, 1 } };
    if (b->set_n)
        v[RULE_set_response_header] = (struct map_value){ .line = b->line, .list = { b->set, b->set_n } };
    if (b->removed_n)
        v[RULE_remove_response_header] =
            (struct map_value){ .line = b->line, .list = { b->removed, b->removed_n } };
    r->maps[r->n++] = (struct map){ .line = b->line, .v = v };
}

static void begin_block(struct reader *r, struct str path)
{
    end_block(r);
    r->block = (struct block){ .line = r->line };
    if (r->n == BLOCKS_MAX) {
        report_add(r->report, PLACE_LINE(r->line), "more than %d paths", BLOCKS_MAX);
        return;
    }
    struct str glob = path_of(r, path);
    const char *wrong = glob_problem(glob, true);
    r->block.is_bad = wrong != NULL;
    if (wrong)
        report_add(r->report, PLACE_LINE(r->line), "%s %s", report_quote(r->report, path), wrong);
    r->block.path = glob;
    r->block.set = arena_alloc(r->arena, BLOCK_HEADERS_MAX * sizeof(struct str));
    r->block.removed = arena_alloc(r->arena, BLOCK_HEADERS_MAX * sizeof(struct str));
}

static const char *header_problem(const struct block *b, struct str name, struct str value)
{
    if (!b->path.n)
        return "stands before the first path; write a line like /* above it";
    if (b->set_n == BLOCK_HEADERS_MAX || b->removed_n == BLOCK_HEADERS_MAX)
        return "is one too many; a path has 64 headers at most";
    if (!is_token(name))
        return "is no header; write NAME: VALUE";
    if (str_eq_nocase(name, STR("Basic-Auth")))
        return "asks for a login, which freshet does not do";
    for (size_t i = 0; i < value.n; i++)
        if (!is_field_text(value.p[i]))
            return "holds a control character";
    return NULL;
}

static void add_header(struct reader *r, struct str line)
{
    struct block *b = &r->block;
    bool removes = line.p[0] == '!';
    if (removes)
        line = str_trim(str_from_index(line, 1));
    struct str value, name = rules_split(line, ':', &value);
    const char *wrong = header_problem(b, name, value);
    if (!wrong && !removes && !value.p)
        wrong = "has no value; write NAME: VALUE";
    if (wrong) {
        b->is_bad = true;
        report_add(r->report, PLACE_LINE(r->line), "%s %s", report_quote(r->report, line), wrong);
        return;
    }
    if (removes)
        b->removed[b->removed_n++] = arena_dup(r->arena, name);
    else
        b->set[b->set_n++] = ARENA_JOIN(r->arena, name, STR(": "), value);
}

struct maps rules_of_headers_file(struct str text, struct arena *a, struct report *report)
{
    struct reader r = { .arena = a, .report = report };
    r.maps = arena_alloc(a, BLOCKS_MAX * sizeof(*r.maps));
    for (struct str rest = text; rest.p;) {
        struct str line = str_cut(&rest, '\n');
        r.line++;
        if (line.n && line.p[line.n - 1] == '\r')
            line.n--;
        bool indented = line.n && (line.p[0] == ' ' || line.p[0] == '\t');
        struct str said = str_trim(line);
        if (said.n == 0 || said.p[0] == '#')
            continue;
        if (indented)
            add_header(&r, said);
        else
            begin_block(&r, said);
    }
    end_block(&r);
    return (struct maps){ r.maps, r.n };
}
