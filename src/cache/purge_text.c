/* The two texts of a purge: the line that is written down and read back, and the one for people. */
#include "base/check.h"
#include "cache/purge.h"

static const struct str kinds[PURGE_KINDS] = { [PURGE_HARD] = STR_INIT("hard"),
                                               [PURGE_SOFT] = STR_INIT("soft"),
                                               [PURGE_INVALIDATE] = STR_INIT("invalidate") };
static const struct str causes[] = { [PURGE_BY_API] = STR_INIT("api"),
                                     [PURGE_BY_RELOAD] = STR_INIT("reload"),
                                     [PURGE_BY_UNSAFE] = STR_INIT("unsafe-method"),
                                     [PURGE_BY_DIALECT] = STR_INIT("dialect"),
                                     [PURGE_BY_WEBHOOK] = STR_INIT("webhook") };

/* ---- writing ---- */

static void write_string(struct buf *to, const char *before, struct str s)
{
    CHECK(purge_is_text(s));
    buf_add(to, str_from(before));
    buf_add_json(to, s);
}

static void write_list(struct buf *to, const char *before, const struct strs *list)
{
    buf_add(to, str_from(before));
    for (size_t i = 0; i < list->n; i++)
        write_string(to, i ? "," : "", list->v[i]);
    buf_add_char(to, ']');
}

void purge_write(const struct purge *p, struct buf *to)
{
    CHECK(p->scope && (unsigned)p->kind < COUNT_OF(kinds) && (unsigned)p->cause < COUNT_OF(causes));
    write_string(to, "{\"purge\":1,\"kind\":", kinds[p->kind]);
    write_string(to, ",\"cause\":", causes[p->cause]);
    if (p->site.n)
        write_string(to, ",\"site\":", p->site);
    if (p->domain.n)
        write_string(to, ",\"domain\":", p->domain);
    if (p->scope == PURGE_OF_SITE)
        buf_add(to, STR(",\"everything\":true"));
    if (p->scope & PURGE_OF_TAGS)
        write_list(to, ",\"cache_tags\":[", &p->tags);
    if (p->scope & PURGE_OF_URLS)
        write_list(to, ",\"urls\":[", &p->urls);
    if (p->scope & PURGE_OF_PREFIXES)
        write_list(to, ",\"prefixes\":[", &p->prefixes);
    if (p->scope & PURGE_OF_GROUPS) {
        write_string(to, ",\"origin\":", p->origin);
        write_list(to, ",\"groups\":[", &p->groups);
    }
    buf_add_char(to, '}');
}

/* ---- reading ---- */

struct reader {
    struct str line;
    size_t at;
    struct arena *arena;
    struct purge_error *error;
};

static bool wrong(struct reader *r, size_t at, const char *what)
{
    purge_refuse(r->error, r->arena, 400, "byte %zu: %s", at, what);
    r->error->at = at;
    return false;
}

/* Is it what comes next? Then it is passed. */
static bool take(struct reader *r, const char *text)
{
    struct str s = str_from(text);
    if (!str_starts(str_from_index(r->line, r->at), s))
        return false;
    r->at += s.n;
    return true;
}

/* Behind its first quote: the bytes up to the last one, which is passed. *escapes: how many of them are a
 * \. */
static bool take_raw(struct reader *r, struct str *raw, size_t *escapes)
{
    size_t from = r->at;
    *escapes = 0;
    for (; r->at < r->line.n && r->line.p[r->at] != '"'; r->at++) {
        if (r->line.p[r->at] != '\\')
            continue;
        if (r->at + 1 >= r->line.n || (r->line.p[r->at + 1] != '"' && r->line.p[r->at + 1] != '\\'))
            return wrong(r, r->at, "only \" and \\ are escaped");
        r->at++;
        ++*escapes;
    }
    if (r->at >= r->line.n)
        return wrong(r, r->at, "the line ends in a string");
    *raw = (struct str){ r->line.p + from, r->at - from };
    r->at++;
    return purge_is_text(*raw) || wrong(r, from, "a string is not UTF-8, or has a control character in it");
}

static bool take_string(struct reader *r, struct str *out)
{
    struct str raw;
    size_t escapes, n = 0;
    if (!take(r, "\""))
        return wrong(r, r->at, "a string is missing");
    if (!take_raw(r, &raw, &escapes))
        return false;
    *out = raw;
    if (!escapes)
        return true;
    char *p = arena_alloc(r->arena, raw.n);
    for (size_t i = 0; i < raw.n; i++) {
        i += raw.p[i] == '\\';
        p[n++] = raw.p[i];
    }
    CHECK(n == raw.n - escapes);
    *out = (struct str){ p, n };
    return true;
}

/* A string that is not empty. */
static bool take_name(struct reader *r, struct str *out)
{
    size_t at = r->at;
    return take_string(r, out) && (out->n || wrong(r, at, "an empty string names nothing"));
}

/* One of these words: its place among them. */
static bool take_word(struct reader *r, const struct str *words, size_t n, unsigned *out)
{
    size_t at = r->at;
    struct str word;
    if (!take_string(r, &word))
        return false;
    for (*out = 0; *out < n && !str_eq(word, words[*out]);)
        ++*out;
    return *out < n || wrong(r, at, "there is no such kind or cause of a purge");
}

/* Behind its bracket. */
static bool take_list(struct reader *r, bool may_be_empty, struct strs *out)
{
    struct str s;
    for (bool more = !take(r, "]"); more; more = take(r, ",")) {
        if (out->n == PURGE_LIST_MAX)
            return wrong(r, r->at, "the list has more than 10000 members");
        if (!(may_be_empty ? take_string : take_name)(r, &s))
            return false;
        arena_add_str(r->arena, out, s);
    }
    return r->line.p[r->at - 1] == ']' || take(r, "]") || wrong(r, r->at, "the list does not end here");
}

/* What is purged: everything, or lists. */
static bool take_scope(struct reader *r, struct purge *out)
{
    if (take(r, ",\"everything\":true")) {
        out->scope = PURGE_OF_SITE;
        return true;
    }
    if (take(r, ",\"cache_tags\":[")) {
        out->scope |= PURGE_OF_TAGS;
        if (!take_list(r, false, &out->tags))
            return false;
    }
    if (take(r, ",\"urls\":[")) {
        out->scope |= PURGE_OF_URLS;
        if (!take_list(r, false, &out->urls))
            return false;
    }
    if (take(r, ",\"prefixes\":[")) {
        out->scope |= PURGE_OF_PREFIXES;
        if (!take_list(r, false, &out->prefixes))
            return false;
    }
    if (take(r, ",\"origin\":")) {
        out->scope |= PURGE_OF_GROUPS;
        if (!take_name(r, &out->origin))
            return false;
        if (!take(r, ",\"groups\":["))
            return wrong(r, r->at, "the groups of the origin are missing");
        if (!take_list(r, true, &out->groups))
            return false;
    }
    return out->scope || wrong(r, r->at, "it is not said what is purged: everything, or a list");
}

bool purge_read(struct str line, struct arena *a, struct purge *out, struct purge_error *error)
{
    struct reader r = { .line = line, .arena = a, .error = error };
    unsigned kind, cause;
    *out = (struct purge){ 0 };
    if (line.n > PURGE_TEXT_MAX)
        return wrong(&r, PURGE_TEXT_MAX, "the line is too long");
    if (!take(&r, "{\"purge\":1,\"kind\":"))
        return wrong(&r, r.at, "it does not begin as a purge of version 1 does");
    if (!take_word(&r, kinds, COUNT_OF(kinds), &kind))
        return false;
    if (!take(&r, ",\"cause\":"))
        return wrong(&r, r.at, "the cause is missing");
    if (!take_word(&r, causes, COUNT_OF(causes), &cause))
        return false;
    out->kind = kind;
    out->cause = cause;
    if ((take(&r, ",\"site\":") && !take_name(&r, &out->site)) ||
        (take(&r, ",\"domain\":") && !take_name(&r, &out->domain)) || !take_scope(&r, out))
        return false;
    if (!take(&r, "}") || r.at != line.n)
        return wrong(&r, r.at, "the purge ends here, or a member is unknown or in the wrong place");
    return true;
}

/* ---- for people ---- */

static void say_list(struct buf *b, const char *one, const char *many, const struct strs *list)
{
    if (list->n == 0)
        return;
    buf_printf(b, "%s%s", b->n && b->p[b->n - 1] != ' ' ? "; " : "", list->n == 1 ? one : many);
    for (size_t i = 0; i < list->n && b->n <= PURGE_SAID_MAX; i++) {
        buf_add(b, i ? STR(", ") : STR(" "));
        buf_add(b, list->v[i]);
    }
}

/* With dots to show that it was cut. */
static struct str say_cut(struct str s, size_t most, struct arena *a)
{
    if (s.n <= most)
        return arena_dup(a, s);
    return ARENA_JOIN(a, str_utf8_first(s, most - 3), STR("..."));
}

struct str purge_say(const struct purge *p, struct arena *a)
{
    struct buf b = BUF_INIT;
    if (p->site.n)
        buf_printf(&b, "site %.*s: ", STR_ARG(p->site));
    if (p->scope == PURGE_OF_SITE)
        buf_add(&b, STR("everything"));
    else if (purge_is_empty(p))
        buf_add(&b, STR("nothing, the list is empty"));
    say_list(&b, "tag", "tags", &p->tags);
    say_list(&b, "URL", "URLs", &p->urls);
    say_list(&b, "everything below", "everything below", &p->prefixes);
    say_list(&b, "group", "groups", &p->groups);
    struct str soft = p->kind == PURGE_SOFT ? STR(" (soft)") : STR_NONE,
               said = say_cut(buf_str(&b), PURGE_SAID_MAX - soft.n, a);
    said = ARENA_JOIN(a, said, soft);
    buf_fini(&b);
    return said;
}
