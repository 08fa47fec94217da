#include <string.h>

#include "base/check.h"
#include "base/hash.h"
#include "http/directives.h"
#include "http/netlify_vary.h"
#include "site/rules_machine.h"

struct compile {
    struct settings *settings;
    struct site_settings *site;
    struct report *report;
    struct rules *rules;
    size_t problems; /* before this rule */
};

/* ---- checks of one rule ---- */

static void problem(struct compile *c, const struct map_value *v, enum rule_field field, const char *quoted,
                    const char *what)
{
    report_add(c->report, PLACE_LINE(v[field].line), "%.*s: %s %s",
               STR_ARG(shape_table[SHAPE_RULE].fields[field].name), quoted, what);
}

static struct str without_not(struct str s)
{
    return s.n && s.p[0] == '!' ? str_from_index(s, 1) : s;
}

static bool is_status(struct str s)
{
    uint64_t n;
    if (s.n == 3 && str_ends(s, STR("xx")))
        return s.p[0] >= '2' && s.p[0] <= '5';
    return str_to_u64(s, 599, &n) && n >= 200;
}

static bool has_lower_case(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] >= 'a' && s.p[i] <= 'z')
            return true;
    return false;
}

/* NULL: it is good. */
static const char *condition_problem(enum rule_field field, struct str s)
{
    s = without_not(s);
    if (s.n == 0)
        return "is empty behind the !; write what must not match";
    if (field == RULE_path)
        return glob_problem(s, true);
    if (field == RULE_status)
        return is_status(s) ? NULL : "is no status; write 404 or 4xx";
    if (field == RULE_method && has_lower_case(s))
        return "is no method as requests have it; write GET or POST";
    if (field == RULE_header || field == RULE_response_header) {
        struct str value;
        if (!is_token(rules_split(s, ':', &value)))
            return "does not begin with a header's name; write NAME or NAME: VALUE";
        s = value;
    }
    return glob_problem(s, false);
}

static void check_conditions(struct compile *c, const struct map_value *v)
{
    for (enum rule_field field = RULE_path; field <= RULE_response_header; field++)
        for (size_t i = 0; i < v[field].list.n; i++) {
            const char *what = condition_problem(field, v[field].list.v[i]);
            if (what)
                problem(c, v, field, report_quote(c->report, v[field].list.v[i]), what);
        }
}

/* How many captures each of its paths has. */
static size_t captures_of(const struct map_value *v)
{
    size_t least = SIZE_MAX;
    for (size_t i = 0; i < v[RULE_path].list.n; i++) {
        struct str path = v[RULE_path].list.v[i];
        size_t n = glob_stars(path);
        if (path.p[0] != '!' && n < least)
            least = n;
    }
    return least == SIZE_MAX ? 0 : least;
}

static void check_captures(struct compile *c, const struct map_value *v, enum rule_field field, struct str s)
{
    size_t have = captures_of(v);
    for (size_t i = 0; i + 2 < s.n; i++)
        if (s.p[i] == '{' && is_digit(s.p[i + 1]) && s.p[i + 2] == '}' &&
            (s.p[i + 1] == '0' || (size_t)(s.p[i + 1] - '0') > have)) {
            problem(c, v, field, report_quote(c->report, s),
                    "names a capture that not every path of the rule has; {1} is the first * of the path");
            return;
        }
}

static void check_all_captures(struct compile *c, const struct map_value *v)
{
    static const enum rule_field with[] = { RULE_tags, RULE_set_header, RULE_set_response_header };
    for (size_t k = 0; k < COUNT_OF(with); k++)
        for (size_t i = 0; i < v[with[k]].list.n; i++)
            check_captures(c, v, with[k], v[with[k]].list.v[i]);
    check_captures(c, v, RULE_redirect, v[RULE_redirect].text);
}

/* Framing, connections, what freshet writes itself, and what would share a visitor's cookie. */
static bool is_reserved(struct str name, bool in_answer, bool set)
{
    static const struct str ours[] = { STR_INIT("Age"),
                                       STR_INIT("Cache-Status"),
                                       STR_INIT("Date"),
                                       STR_INIT("Via"),
                                       STR_INIT("CDN-Loop"),
                                       STR_INIT("X-Request-Id"),
                                       STR_INIT("Content-Encoding"),
                                       STR_INIT("Content-Range"),
                                       STR_INIT("Range") };
    enum field_id id = field_id_of(name);
    enum field_class class = field_class_of(id);
    if (class == FIELD_CLASS_H || class == FIELD_CLASS_F || (class == FIELD_CLASS_U && !in_answer))
        return true;
    /* A refresh in the background is sent without them. */
    if (set && !in_answer && (id == FIELD_AUTHORIZATION || id == FIELD_COOKIE))
        return true;
    if (set && (id == FIELD_SET_COOKIE || id == FIELD_SET_COOKIE2))
        return true;
    if (str_starts_nocase(name, STR("X-Freshet-")) ||
        (!in_answer && (str_starts_nocase(name, STR("X-Forwarded")) || str_starts_nocase(name, STR("If-")))))
        return true;
    for (size_t i = 0; i < COUNT_OF(ours); i++)
        if (str_eq_nocase(name, ours[i]))
            return true;
    return false;
}

static void check_headers(struct compile *c, const struct map_value *v)
{
    static const struct {
        enum rule_field field;
        bool in_answer, set;
    } t[] = { { RULE_set_header, false, true },
              { RULE_remove_header, false, false },
              { RULE_set_response_header, true, true },
              { RULE_remove_response_header, true, false } };
    for (size_t k = 0; k < COUNT_OF(t); k++)
        for (size_t i = 0; i < v[t[k].field].list.n; i++) {
            struct str value, name = rules_split(v[t[k].field].list.v[i], ':', &value);
            if (is_reserved(name, t[k].in_answer, t[k].set))
                problem(c, v, t[k].field, report_quote(c->report, name),
                        "is not for rules: freshet writes it itself, or it belongs to one visitor or "
                        "connection");
        }
}

/* A path, or a URL whose host is written out: no capture may become a part of the host. */
static const char *redirect_problem(struct str to)
{
    size_t scheme = str_starts(to, STR("https://")) ? 8 : str_starts(to, STR("http://")) ? 7 : 0;
    for (size_t i = 0; i < to.n; i++)
        if ((unsigned char)to.p[i] <= ' ' || (unsigned char)to.p[i] >= 0x7f || to.p[i] == '\\')
            return "holds a character that is percent-encoded in a URL";
    if (!scheme)
        return to.p[0] != '/' || str_starts(to, STR("//"))
                   ? "is neither a path nor a URL; write /PATH, or https://HOST/PATH"
                   : NULL;
    struct str rest = str_from_index(to, scheme), host = str_first(rest, str_index(rest, '/'));
    if (host.n == 0 || host.n == rest.n)
        return "has no host and path; write https://HOST/PATH";
    if (str_index(host, '{') < host.n || str_index(host, '@') < host.n)
        return "takes its host from the request; write the host out";
    return NULL;
}

/* A path that the pattern matches: each wildcard is a letter. */
static struct str sample_of(struct str pattern, struct arena *a)
{
    char *p = arena_alloc(a, pattern.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < pattern.n; i++)
        if (pattern.p[i] != '*')
            p[n++] = pattern.p[i];
        else if (i == 0 || pattern.p[i - 1] != '*')
            p[n++] = 'x';
    return (struct str){ p, n };
}

/* Does a path of the rule's lead to another one of the rule's, and that one to a third? One that leads to
 * itself is passed over (rules_redirect), so only a target that grows is an endless way. */
static bool goes_on_and_on(const struct map_value *v, struct arena *a)
{
    struct str to = v[RULE_redirect].text;
    for (size_t i = 0; i < v[RULE_path].list.n; i++) {
        struct glob_captures c = { .n = 0 };
        struct str path = v[RULE_path].list.v[i];
        if (path.p[0] == '!')
            continue;
        path = sample_of(path, a);
        unsigned hops = 0;
        for (; hops < 3 && rules_path_matches(&v[RULE_path].list, path, &c); hops++) {
            struct str next = rules_expand(to, &c, false, a);
            next = str_first(next, str_index(next, '?'));
            if (str_eq(next, path) && hops > 0)
                break;
            path = next;
        }
        if (hops == 3)
            return true;
    }
    return false;
}

/* Are all its paths literal, and the target one of them; or is what it puts together what it took apart? */
static bool is_to_itself(const struct map_value *v, struct arena *a)
{
    struct str to = v[RULE_redirect].text;
    if (v[RULE_path].list.n != 1 || v[RULE_path].list.v[0].p[0] == '!')
        return false;
    struct glob_captures c = { .n = 0 };
    struct str path = sample_of(v[RULE_path].list.v[0], a);
    return (str_index(to, '{') < to.n || glob_stars(v[RULE_path].list.v[0]) == 0) &&
           rules_path_matches(&v[RULE_path].list, path, &c) && str_eq(rules_expand(to, &c, false, a), path);
}

/* What can be seen when nothing but the path is asked for, and the target is a path. */
static const char *loop_problem(const struct map_value *v, struct arena *a)
{
    if (!v[RULE_redirect].line || v[RULE_redirect].text.n == 0 || v[RULE_redirect].text.p[0] != '/')
        return NULL;
    if (is_to_itself(v, a))
        return "leads to the URL that was asked for";
    for (enum rule_field f = RULE_host; f <= RULE_query; f++)
        if (v[f].line && f != RULE_method)
            return NULL;
    return goes_on_and_on(v, a) ? "leads to a path that the rule matches again, and on without an end" : NULL;
}

static void check_redirect(struct compile *c, const struct map *m)
{
    if (!m->v[RULE_redirect].line)
        return;
    const char *what = redirect_problem(m->v[RULE_redirect].text);
    if (!what && !m->has_mistake && c->report->n == c->problems)
        what = loop_problem(m->v, c->report->arena);
    if (what)
        problem(c, m->v, RULE_redirect, report_quote(c->report, m->v[RULE_redirect].text), what);
}

static void check_actions(struct compile *c, const struct map_value *v)
{
    const struct strs *targeted = &c->site->cdn_cache_control;
    if ((v[RULE_cdn_cache_control].line || v[RULE_default_cdn_cache_control].line) && !targeted->n)
        report_add(c->report, PLACE_LINE(v[RULE_path].line),
                   "cache control needs a targeted field; the site's cdn_cache_control is empty");
    if (v[RULE_redirect_status].line && !v[RULE_redirect].line)
        problem(c, v, RULE_redirect_status, "", "says nothing without redirect");
}

static bool asks_answer(const struct map_value *v)
{
    return v[RULE_status].line || v[RULE_content_type].line || v[RULE_response_header].line;
}

static bool asks_visitor(const struct map_value *v)
{
    return v[RULE_header].line || v[RULE_cookie].line || v[RULE_query].line;
}

/* The page's variants would not find each other: what it varies on is one thing for all. */
static void check_vary(struct compile *c, const struct map_value *v)
{
    if (!v[RULE_vary].line)
        return;
    if (asks_visitor(v))
        problem(c, v, RULE_vary, report_quote(c->report, v[RULE_vary].text),
                "would be another one for each visitor; leave header, cookie and query out of the rule");
    struct netlify_vary parsed;
    if (!netlify_vary_parse(v[RULE_vary].text, 64, c->report->arena, &parsed))
        problem(c, v, RULE_vary, report_quote(c->report, v[RULE_vary].text),
                "does not parse; see CACHING.md 4");
}

/* Read as an answer's targeted field will be: what does not parse there is ignored, and nothing is stored. */
static void check_control(struct compile *c, const struct map_value *v, enum rule_field field)
{
    struct fields one = { 0 };
    struct directives d;
    struct field_spot bad;
    if (!v[field].line)
        return;
    fields_add(&one, c->report->arena, STR("CDN-Cache-Control"), v[field].text);
    directives_parse_targeted(&one, STR("CDN-Cache-Control"), c->report->arena, &d, &bad);
    if (bad.byte)
        problem(c, v, field, report_quote(c->report, v[field].text),
                "does not parse; write it like max-age=60, stale-while-revalidate=600");
    else if (!d.any)
        problem(c, v, field, report_quote(c->report, v[field].text),
                "says nothing that freshet knows; write it like max-age=60, stale-while-revalidate=600");
}

static bool is_about_request(const struct map_value *v)
{
    return v[RULE_bypass].line || v[RULE_static].line || v[RULE_redirect].line || v[RULE_set_header].line ||
           v[RULE_remove_header].line || v[RULE_drop_cookie].line;
}

/* Does it do what may make another page? */
static bool changes_page(const struct map_value *v)
{
    static const enum rule_field these[] = { RULE_cdn_cache_control,
                                             RULE_default_cdn_cache_control,
                                             RULE_tags,
                                             RULE_vary,
                                             RULE_set_header,
                                             RULE_remove_header,
                                             RULE_drop_cookie,
                                             RULE_set_response_header,
                                             RULE_remove_response_header };
    for (size_t i = 0; i < COUNT_OF(these); i++)
        if (v[these[i]].line)
            return true;
    return false;
}

/* What its parts have to do with each other. */
static void check_whole(struct compile *c, const struct map *m)
{
    check_actions(c, m->v);
    check_all_captures(c, m->v);
    if (!is_about_request(m->v) && !changes_page(m->v))
        report_add(c->report, PLACE_LINE(m->line), "does nothing; add an action, like bypass: true");
    else if (is_about_request(m->v) && asks_answer(m->v))
        report_add(c->report, PLACE_LINE(m->line),
                   "asks for something of the answer, and does something before there is one; make two "
                   "rules");
}

static void check_rule(struct compile *c, const struct map *m, struct str subject)
{
    c->report->subject = subject;
    c->problems = c->report->n;
    check_conditions(c, m->v);
    check_headers(c, m->v);
    check_redirect(c, m);
    check_vary(c, m->v);
    check_control(c, m->v, RULE_cdn_cache_control);
    check_control(c, m->v, RULE_default_cdn_cache_control);
    if (!m->has_mistake)
        check_whole(c, m);
    c->report->subject = STR_NONE;
}

/* ---- the filter by path ---- */

#define PROBE_FROM 1
#define PROBE_TO   64

/* The byte that the pattern has at that place of the path; -1: any. 0: the path has ended. */
static int byte_at(struct str pattern, size_t at)
{
    size_t star = str_index(pattern, '*'), fixed = star;
    if (star < pattern.n && str_ends(pattern, STR("/**")) && star + 2 == pattern.n)
        fixed = star - 1; /* it is also the path without the slash */
    if (at < fixed)
        return (unsigned char)pattern.p[at];
    return star == pattern.n ? 0 : -1;
}

/* Has each path that matches the rule one of a few bytes at the place? */
static bool has_fixed_bytes(const struct strs *paths, size_t at)
{
    bool any = true;
    for (size_t i = 0; i < paths->n; i++) {
        if (paths->v[i].p[0] == '!')
            continue;
        if (byte_at(paths->v[i], at) < 0)
            return false;
        any = false;
    }
    return !any;
}

/* How well the place tells the rules apart: from other paths, and from each other. */
static size_t worth(const struct rules *rules, size_t at)
{
    bool seen[256] = { false };
    size_t fixed = 0, variety = 0;
    for (size_t i = 0; i < rules->n; i++) {
        const struct strs *paths = &rules->v[i].v[RULE_path].list;
        if (!has_fixed_bytes(paths, at))
            continue;
        fixed++;
        for (size_t k = 0; k < paths->n; k++) {
            int b = paths->v[k].p[0] == '!' ? 0 : byte_at(paths->v[k], at);
            variety += !seen[b];
            seen[b] = true;
        }
    }
    return fixed * variety;
}

static void choose_probes(struct rules *rules)
{
    size_t score[PROBE_TO] = { 0 };
    for (size_t at = PROBE_FROM; at < PROBE_TO; at++)
        score[at] = 1 + worth(rules, at);
    for (size_t i = 0; i < RULES_PROBES; i++) {
        size_t best = PROBE_FROM;
        for (size_t at = PROBE_FROM; at < PROBE_TO; at++)
            if (score[at] > score[best])
                best = at;
        rules->probes[i] = best;
        score[best] = 0;
    }
}

static void let_pass(struct rules *rules, size_t probe, size_t rule)
{
    const struct strs *paths = &rules->v[rule].v[RULE_path].list;
    uint64_t *may = rules->may + probe * 256 * rules->words + rule / 64, bit = (uint64_t)1 << (rule % 64);
    if (!has_fixed_bytes(paths, rules->probes[probe])) {
        for (size_t byte = 0; byte < 256; byte++)
            may[byte * rules->words] |= bit;
        return;
    }
    for (size_t k = 0; k < paths->n; k++)
        if (paths->v[k].p[0] != '!')
            may[(size_t)byte_at(paths->v[k], rules->probes[probe]) * rules->words] |= bit;
}

static void make_filter(struct rules *rules, struct arena *a)
{
    choose_probes(rules);
    rules->may = arena_zero(a, RULES_PROBES * 256 * rules->words * sizeof(*rules->may));
    for (size_t i = 0; i < RULES_PROBES; i++)
        for (size_t rule = 0; rule < rules->n; rule++)
            let_pass(rules, i, rule);
}

/* ---- all rules of a site ---- */

static void lower(struct strs *list, struct arena *a)
{
    struct str *v = arena_alloc(a, (list->n + 1) * sizeof(*v));
    for (size_t i = 0; i < list->n; i++)
        v[i] = arena_dup_lower(a, list->v[i]);
    list->v = v;
}

/* A host and a media type have no case (RFC 9110 §4.2.3, §8.3.1): they are compared in lower case. */
static const struct map_value *lowered(const struct map_value *v, struct arena *a)
{
    if (!v[RULE_host].line && !v[RULE_content_type].line)
        return v;
    struct map_value *copy = arena_alloc(a, RULE_FIELD_COUNT * sizeof(*copy));
    memcpy(copy, v, RULE_FIELD_COUNT * sizeof(*copy));
    lower(&copy[RULE_host].list, a);
    lower(&copy[RULE_content_type].list, a);
    return copy;
}

static void add_rules(struct compile *c, const struct maps *maps, enum rules_source source)
{
    struct arena *scratch = c->report->arena;
    for (size_t i = 0; i < maps->n; i++) {
        const struct map *m = &maps->v[i];
        if (c->rules->n == RULES_MOST) {
            report_add(c->report, PLACE_LINE(m->line), "more than %d rules, with those of files and presets",
                       RULES_MOST);
            return;
        }
        c->rules->v[c->rules->n++] = (struct rules_entry){ .v = lowered(m->v, &c->settings->arena),
                                                           .source = source,
                                                           .number = (unsigned)i + 1,
                                                           .line = m->line,
                                                           .asks_answer = asks_answer(m->v) };
        if (source == RULES_OF_SITE)
            check_rule(c, m, arena_printf(scratch, "rule %zu of %.*s", i + 1, STR_ARG(c->site->name)));
        else
            check_rule(c, m, STR_NONE);
    }
}

/* Does nobody without a cookie meet it? */
static bool needs_cookie(const struct map_value *v)
{
    return v[RULE_cookie].line && v[RULE_cookie].list.v[0].p[0] != '!';
}

static void note_bits(struct rules *rules)
{
    for (size_t i = 0; i < rules->n; i++) {
        const struct map_value *v = rules->v[i].v;
        uint64_t bit = (uint64_t)1 << (i % 64);
        if (asks_visitor(v) && changes_page(v))
            rules->keyed[i / 64] |= bit;
        if (is_about_request(v))
            rules->asked[i / 64] |= bit;
        rules->asked[i / 64] |= rules->keyed[i / 64];
        if (needs_cookie(v))
            rules->by_cookie[i / 64] |= bit;
        for (enum rule_field f = RULE_path; f <= RULE_response_header; f++)
            rules->v[i].parts |= v[f].line ? 1u << f : 0;
        if (changes_page(v))
            rules->changes[i / 64] |= bit;
        rules->may_end |= (asks_answer(v) && changes_page(v)) || v[RULE_default_cdn_cache_control].line;
    }
}

static void hash_str(struct hasher *h, struct str s)
{
    hasher_add(h, (struct str){ (const char *)&s.n, sizeof(s.n) });
    hasher_add(h, s);
}

/* Of all fields of all rules, in their order. */
static uint64_t hash_of(const struct rules *rules)
{
    struct hasher *h = hasher_new();
    for (size_t i = 0; i < rules->n; i++)
        for (enum rule_field f = 0; f < RULE_FIELD_COUNT; f++) {
            const struct map_value *v = &rules->v[i].v[f];
            const int64_t numbers[] = { v->line > 0, v->yes, v->choice, v->number, (int64_t)v->list.n };
            hasher_add(h, (struct str){ (const char *)numbers, sizeof(numbers) });
            hash_str(h, v->text);
            for (size_t k = 0; k < v->list.n; k++)
                hash_str(h, v->list.v[k]);
        }
    return hasher_finish(&h).lo;
}

static void read_headers_file(struct compile *c, struct buf *errors)
{
    struct report *r = c->report;
    struct report other; /* with the file's own name */
    report_init(&other, r->arena, c->site->headers_file);
    struct maps maps = rules_of_headers_file(c->site->headers_text, &c->settings->arena, &other);
    c->report = &other;
    add_rules(c, &maps, RULES_OF_FILE);
    c->report = r;
    report_write(&other, errors);
    r->n += other.n ? 1 : 0;
}

static bool prepare_site(struct settings *s, struct site_settings *site, struct arena *scratch,
                         struct buf *errors)
{
    struct maps preset = rules_of_preset(site->preset, &s->arena);
    if (!site->rules.n && !site->headers_text.n && !preset.n)
        return true;
    struct report report;
    report_init(&report, scratch, s->path);
    struct rules *rules = arena_zero(&s->arena, sizeof(*rules));
    rules->site = site;
    rules->v = arena_alloc(scratch, RULES_MOST * sizeof(*rules->v));
    struct compile c = { s, site, &report, rules };
    add_rules(&c, &site->rules, RULES_OF_SITE);
    size_t before = report.n;
    if (site->headers_text.n)
        read_headers_file(&c, errors);
    bool file_is_good = report.n == before;
    report.n = before;
    add_rules(&c, &preset, RULES_OF_PRESET);
    report_write(&report, errors);
    if (report.n || !file_is_good)
        return false;
    if (s->is_broken)
        return true; /* nobody asks them, and some may be left out */
    struct rules_entry *v = arena_alloc(&s->arena, (rules->n + 1) * sizeof(*v));
    memcpy(v, rules->v, rules->n * sizeof(*v));
    rules->v = v;
    rules->words = (rules->n + 63) / 64;
    note_bits(rules);
    rules->hash = hash_of(rules);
    make_filter(rules, &s->arena);
    site->ruled = rules->n ? rules : NULL;
    return true;
}

bool rules_prepare(struct settings *s, struct buf *errors)
{
    struct arena scratch;
    bool good = true;
    arena_init(&scratch, 16384);
    for (size_t i = 0; i < s->sites_n; i++)
        good &= prepare_site(s, &s->sites[i], &scratch, errors);
    arena_fini(&scratch);
    return good;
}

/* ---- what can never happen ---- */

static void warn(const struct rules *rules, size_t rule, struct arena *a, struct buf *out, const char *what)
{
    buf_add(out, rules_name(rules, rule, a));
    buf_printf(out, " can never match: %s\n", what);
}

/* Does the pattern match every path that the other one matches? What is certain counts. */
static bool covers(struct str pattern, struct str other)
{
    if (str_eq(pattern, other) || str_eq(pattern, STR("/**")) || str_eq(pattern, STR("**")))
        return true;
    if (!str_ends(pattern, STR("/**")) || glob_stars(pattern) > 1)
        return glob_stars(other) == 0 && glob_match_path(pattern, other, NULL);
    struct str folder = str_first(pattern, pattern.n - 3);
    return str_starts(other, folder) && (other.n == folder.n || other.p[folder.n] == '/');
}

static bool covers_paths(const struct strs *all, const struct strs *others)
{
    for (size_t i = 0; i < all->n; i++)
        if (all->v[i].p[0] == '!')
            return false;
    for (size_t i = 0; i < others->n; i++) {
        bool found = others->v[i].p[0] == '!';
        for (size_t k = 0; !found && k < all->n; k++)
            found = covers(all->v[k], others->v[i]);
        if (!found)
            return false;
    }
    return all->n == 0 || others->n > 0;
}

/* Are all actions of `later` ones that `earlier` takes whenever `later` matches? Only actions of which the
 * first counts. */
static bool takes_all(const struct rules_entry *earlier, const struct rules_entry *later)
{
    for (enum rule_field f = RULE_host; f <= RULE_response_header; f++)
        if (earlier->v[f].line)
            return false;
    if (!covers_paths(&earlier->v[RULE_path].list, &later->v[RULE_path].list))
        return false;
    for (enum rule_field f = RULE_bypass; f < RULE_redirect_status; f++) {
        bool is_once = rules_action_is_once(shape_table[SHAPE_RULE].fields[f].name);
        if (later->v[f].line && (!is_once || !earlier->v[f].line))
            return false;
    }
    return true;
}

static bool has_a_host(const struct site_settings *site, const struct strs *patterns)
{
    bool positive = false;
    for (size_t i = 0; i < patterns->n; i++) {
        if (patterns->v[i].p[0] == '!')
            continue;
        positive = true;
        for (size_t k = 0; k < site->hosts.n; k++) {
            struct str host = site->hosts.v[k];
            /* Of two patterns nobody can say quickly whether one host has both. */
            if (host.p[0] == '*' || glob_match_text(patterns->v[i], host))
                return true;
        }
    }
    return !positive || site->hosts.n == 0;
}

size_t rules_warn(const struct settings *s, struct buf *out)
{
    struct arena a;
    size_t n = 0;
    arena_init(&a, 4096);
    for (size_t i = 0; i < s->sites_n; i++) {
        const struct rules *rules = s->sites[i].ruled;
        for (size_t rule = 0; rules && rule < rules->n && rules->v[rule].source == RULES_OF_SITE; rule++) {
            size_t before = 0;
            while (before < rule && !takes_all(&rules->v[before], &rules->v[rule]))
                before++;
            if (before < rule)
                warn(rules, rule, &a, out,
                     arena_printf(&a, "%.*s comes first and takes all that it could",
                                  STR_ARG(rules_name(rules, before, &a)))
                         .p);
            else if (!has_a_host(&s->sites[i], &rules->v[rule].v[RULE_host].list))
                warn(rules, rule, &a, out, "the site has no such host; see its setting hosts");
            else
                continue;
            n++;
        }
    }
    arena_fini(&a);
    return n;
}
