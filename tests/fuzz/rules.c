/* Globs, files of headers and what rules do to requests and answers: a glob of a path matches what it was
 * written of, captures are views into the path in order, a file's rules are good ones or it is refused, doing
 * what rules say of a request or an answer twice changes nothing more, what they changed of an answer can be
 * undone, and a redirect never leaves the host, nor leads to the path that was asked for.
 * Input: lines: a glob, a path, a query, a Cookie; then a file of headers. */
#include <string.h>

#include "base/check.h"
#include "http/accept.h"
#include "site/glob.h"
#include "site/rules.h"
#include "site/rules_machine.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_line(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < 0x20 || (unsigned char)s.p[i] > 0x7e)
            return false;
    return true;
}

static void check_glob(struct str pattern, struct str path)
{
    struct glob_captures c;
    if (glob_problem(pattern, true) || !glob_match_path(pattern, path, &c))
        return;
    const char *at = path.p;
    CHECK(c.n == glob_stars(pattern));
    for (size_t i = 0; i < c.n; i++) {
        CHECK(c.v[i].p >= at && c.v[i].p + c.v[i].n <= path.p + path.n);
        at = c.v[i].p + c.v[i].n;
    }
}

static struct fields copy_of(const struct fields *f, struct arena *a)
{
    struct fields copy = { 0 };
    for (size_t i = 0; i < f->n; i++)
        fields_add_line(&copy, a, f->v[i]);
    return copy;
}

/* The same lines of each name; names in any order. */
static bool same_fields(const struct fields *a, const struct fields *b)
{
    bool same = a->n == b->n;
    for (size_t i = 0; same && i < a->n; i++) {
        size_t nth = 0, at = fields_index_of(b, a->v[i].name, 0);
        for (size_t k = fields_index_of(a, a->v[i].name, 0); k < i;
             k = fields_index_of(a, a->v[i].name, k + 1))
            nth++;
        for (; nth && at < b->n; nth--)
            at = fields_index_of(b, a->v[i].name, at + 1);
        same = at < b->n && str_eq(a->v[i].value, b->v[at].value);
    }
    return same;
}

static void ask_of_answer(const struct rules *rules, const struct rules_request *q, struct str key,
                          struct str type, struct arena *a)
{
    struct fields answer = { 0 };
    struct str undo, again;
    fields_add_id(&answer, a, FIELD_CONTENT_TYPE, type);
    fields_add(&answer, a, STR("X-Gone"), STR("one"));
    fields_add(&answer, a, STR("X-Gone"), STR("two"));
    struct fields came = copy_of(&answer, a);
    rules_change_answer(rules, q, key, 200, &answer, &undo, a);
    struct fields once = copy_of(&answer, a);
    rules_change_answer(rules, q, key, 200, &answer, &again, a);
    CHECK(same_fields(&once, &answer));
    rules_undo(undo, &once, a);
    CHECK(rules->may_end ? same_fields(&came, &once) : undo.n == 0);
}

static void ask(const struct rules *rules, const struct rules_request *q, struct fields *fields,
                struct arena *a)
{
    struct rules_said said;
    rules_ask(rules, q, a, &said);
    if (said.redirect != RULES_NONE) {
        int status;
        struct str to = rules_redirect(rules, q, said.redirect, &status, a);
        CHECK(!to.n || (to.p[0] == '/' && (to.n == 1 || (to.p[1] != '/' && to.p[1] != '\\'))));
        CHECK(!str_eq(to, q->path) || q->query.n);
    }
    ask_of_answer(rules, q, said.key, STR("text/html"), a);
    ask_of_answer(rules, q, said.key, STR("image/png"), a);
    rules_change_request(rules, q, &said, fields, a);
    struct fields once = copy_of(fields, a);
    rules_change_request(rules, q, &said, fields, a);
    CHECK(same_fields(&once, fields));
    CHECK(fields_index_of(fields, STR("X-Set"), 0) < fields->n);
    struct cookies all = cookie_list(fields);
    struct cookie c;
    while (cookie_next(&all, &c))
        CHECK(!str_eq(c.name, STR("dropped")));
}

static void with_rules(struct str pattern, struct str path, struct str query, struct str cookie,
                       struct str file, struct arena *a)
{
    struct buf yaml = BUF_INIT, errors = BUF_INIT;
    struct fields fields = { 0 };
    buf_add(&yaml, STR("origin: http://a\npreset: wordpress\nrules:\n  - path: "));
    buf_add_json(&yaml, pattern);
    buf_add(&yaml, STR("\n    redirect: \"/{1}\"\n  - cookie: \"a*\"\n    tags: x\n"
                       "  - {set_header: \"X-Set: 1\", remove_header: X-Gone, drop_cookie: dropped}\n"
                       "  - {content_type: \"text/*\", set_response_header: [\"X-Set: 1\", \"X-Set: 2\"], "
                       "remove_response_header: X-Gone, tags: t}\n"));
    struct settings *s = settings_parse(buf_str(&yaml), STR("t"), NULL, 0, &errors);
    if (s) {
        s->sites[0].headers_file = STR("f");
        s->sites[0].headers_text = file;
        fields_add_id(&fields, a, FIELD_COOKIE, cookie);
        fields_add(&fields, a, STR("X-Gone"), STR("x"));
        struct rules_request q = { rules_path(path, a), STR("h"), query, STR("GET"), &fields };
        if (rules_prepare(s, &errors))
            ask(s->sites[0].ruled, &q, &fields, a);
        else
            CHECK(errors.n);
        settings_unref(s);
    }
    buf_fini(&yaml);
    buf_fini(&errors);
}

/* http/url lets no other path through. */
static bool may_come(struct str path)
{
    return path.n && path.p[0] == '/' && str_index(path, '#') == path.n && str_index(path, '?') == path.n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct str rest = { (const char *)data, size };
    struct str pattern = str_cut(&rest, '\n'), path = str_cut(&rest, '\n'), query = str_cut(&rest, '\n'),
               cookie = str_cut(&rest, '\n');
    if (!is_line(pattern) || !is_line(path) || !is_line(query) || !is_line(cookie) || !path.n)
        return 0;
    arena_init(&a, 4096);
    check_glob(pattern, path);
    if (may_come(path))
        with_rules(pattern, path, query, cookie, rest.p ? rest : STR(""), &a);
    arena_fini(&a);
    return 0;
}
