#include "admin/dialect.h"

#include "admin/pattern.h"

#define QUOTED_MAX 100 /* bytes of the input repeated in a message */

/* ---- the fields ---- */

enum meaning {
    TAG_PATTERN,    /* a regular expression over tags */
    TAG_WORDS,      /* tags, separated by spaces, commas or | */
    TAG_WORDS_SOFT, /* the same, softly */
    TAG_FOS,        /* a pattern with BAN, words with the others */
    TYPO3_PAGE,     /* the number of a page */
    TYPO3_SITE,     /* says that TYPO3 sends it, whose VCL purges softly */
    EVERYTHING,     /* when it is 1 or true */
    SOFT,           /* when it is 1 or true */
    PATH_METHOD,    /* how the path is meant */
    PATH_REGEX,     /* stands behind the path */
    BAN_HOST,
    BAN_URL, /* regular expressions */
    BAN_TYPE,
    SENDER,
    NOT_NEEDED, /* a secret for Varnish; who may purge says purge_from */
};

static const struct {
    struct str name;
    enum meaning meaning;
} known[] = {
    { STR_INIT("X-Magento-Tags-Pattern"), TAG_PATTERN },
    { STR_INIT("X-Cache-Tags-Pattern"), TAG_PATTERN },
    { STR_INIT("ApiPlatform-Ban-Regex"), TAG_PATTERN },
    { STR_INIT("X-Cache-Tags"), TAG_FOS },
    { STR_INIT("Cache-Tags"), TAG_WORDS },
    { STR_INIT("Purge-Cache-Tags"), TAG_WORDS },
    { STR_INIT("xkey"), TAG_WORDS },
    { STR_INIT("xkey-purge"), TAG_WORDS },
    { STR_INIT("xkey-softpurge"), TAG_WORDS_SOFT },
    { STR_INIT("Surrogate-Key"), TAG_WORDS },
    { STR_INIT("Varnish-Ban-TYPO3-Pid"), TYPO3_PAGE },
    { STR_INIT("Varnish-Ban-TYPO3-Sitename"), TYPO3_SITE },
    { STR_INIT("Varnish-Ban-All"), EVERYTHING },
    { STR_INIT("Clear-Cache"), EVERYTHING },
    { STR_INIT("X-Magento-Purge-Soft"), SOFT },
    { STR_INIT("Fastly-Soft-Purge"), SOFT },
    { STR_INIT("X-Purge-Method"), PATH_METHOD },
    { STR_INIT("X-VC-Purge-Method"), PATH_METHOD },
    { STR_INIT("X-Purge-Regex"), PATH_REGEX },
    { STR_INIT("X-Host"), BAN_HOST },
    { STR_INIT("X-Url"), BAN_URL },
    { STR_INIT("X-Content-Type"), BAN_TYPE },
    { STR_INIT("X-VC-Purge-Key"), NOT_NEEDED },
    { STR_INIT("User-Agent"), SENDER },
};

/* A field that begins so says what to purge. One that is not known must not be passed over: the purge would
 * be of something else. */
static const struct str of_purges[] = { STR_INIT("X-Purge-"),       STR_INIT("X-VC-"),
                                        STR_INIT("X-Ban"),          STR_INIT("Varnish-Ban-"),
                                        STR_INIT("X-Magento-Tags"), STR_INIT("X-Pool"),
                                        STR_INIT("xkey-"),          STR_INIT("ApiPlatform-Ban"),
                                        STR_INIT("X-Cache-Tags") };

struct reader {
    const struct dialect_request *r;
    struct arena *arena;
    struct dialect_purge *out;
    struct purge_error *error;
    struct str path, query, method; /* `method`: of X-Purge-Method, empty: none */
    struct str regex, host, url, type;
    struct str page, typo3; /* TYPO3's number of a page and name of a site */
    bool everything, mediawiki, all_tags, has_tags;
    struct str as;
};

#define REFUSE(d, ...) purge_refuse((d)->error, (d)->arena, 400, __VA_ARGS__)

static bool is_on(struct str value)
{
    return str_eq(value, STR("1")) || str_eq_nocase(value, STR("true"));
}

/* ---- tags ---- */

static void take_words(struct reader *d, struct str value)
{
    for (size_t n; value.n; value = str_from_index(value, n + 1)) {
        n = 0;
        while (n < value.n && value.p[n] != ' ' && value.p[n] != '\t' && value.p[n] != ',' &&
               value.p[n] != '|')
            n++;
        if (n)
            arena_add_str(d->arena, &d->out->purge.tags, str_first(value, n));
    }
}

static bool take_tags(struct reader *d, const struct field *f, bool is_pattern)
{
    bool all = false;
    if (!is_pattern)
        take_words(d, f->value);
    else if (!pattern_of_tags(f->value, d->arena, &d->out->purge.tags, &all))
        return REFUSE(
            d,
            "%.*s \"%.*s\" is no pattern that is understood; there are .*, A|B, (^|,)(A|B)(,|$) and "
            "((^|,)A(,|$))|((^|,)B(,|$))",
            STR_ARG(f->name), STR_ARG(str_utf8_first(f->value, QUOTED_MAX)));
    d->has_tags = true;
    d->all_tags |= all;
    d->as = f->name;
    return true;
}

static void add_tag(struct reader *d, struct str tag)
{
    arena_add_str(d->arena, &d->out->purge.tags, tag);
}

/* An answer of TYPO3 has the number of its page as the field TYPO3-Pid, or in xkey, in one of two forms. */
static bool take_typo3_page(struct reader *d)
{
    uint64_t number;
    if (!str_to_u64(d->page, UINT32_MAX, &number))
        return REFUSE(d, "Varnish-Ban-TYPO3-Pid must be the number of a page");
    add_tag(d, ARENA_JOIN(d->arena, STR("pageId_"), d->page));
    add_tag(d, d->page);
    if (d->typo3.n)
        add_tag(d, ARENA_JOIN(d->arena, d->typo3, STR("_"), d->page));
    d->has_tags = true;
    return true;
}

/* ---- all fields ---- */

static bool once(struct reader *d, struct str *to, const struct field *f)
{
    if (to->p)
        return REFUSE(d, "%.*s comes twice, or with another field of its meaning", STR_ARG(f->name));
    *to = f->value;
    d->as = f->name;
    return true;
}

static bool take_known(struct reader *d, const struct field *f, enum meaning meaning)
{
    struct purge *p = &d->out->purge;
    switch (meaning) {
    case TAG_PATTERN: return take_tags(d, f, true);
    case TAG_FOS: return take_tags(d, f, str_eq(d->r->method, STR("BAN")));
    case TAG_WORDS_SOFT: p->kind = PURGE_SOFT; return take_tags(d, f, false);
    case TAG_WORDS: return take_tags(d, f, false);
    case TYPO3_PAGE: return once(d, &d->page, f);
    case TYPO3_SITE: d->typo3 = f->value; return true;
    case EVERYTHING:
        if (!is_on(f->value))
            return REFUSE(d, "%.*s must be 1 or true", STR_ARG(f->name));
        d->everything = true;
        d->as = f->name;
        return true;
    case SOFT:
        if (is_on(f->value))
            p->kind = PURGE_SOFT;
        return true;
    case PATH_METHOD: return once(d, &d->method, f);
    case PATH_REGEX: return once(d, &d->regex, f);
    case BAN_HOST: return once(d, &d->host, f);
    case BAN_URL: return once(d, &d->url, f);
    case BAN_TYPE: return once(d, &d->type, f);
    case SENDER: d->mediawiki = str_starts(f->value, STR("MediaWiki/")); return true;
    case NOT_NEEDED: return true;
    }
    UNREACHABLE();
}

static bool take_field(struct reader *d, const struct field *f)
{
    for (size_t i = 0; i < COUNT_OF(known); i++)
        if (str_eq_nocase(f->name, known[i].name))
            return take_known(d, f, known[i].meaning);
    for (size_t i = 0; i < COUNT_OF(of_purges); i++)
        if (str_starts_nocase(f->name, of_purges[i]))
            return REFUSE(d, "the field %.*s is not understood here; see docs/PURGING.md for those that are",
                          STR_ARG(str_first(f->name, QUOTED_MAX)));
    return true;
}

/* ---- what is purged ---- */

static bool purge_everything(struct reader *d)
{
    d->out->purge.scope = PURGE_OF_SITE;
    d->out->purge.tags = (struct strs){ 0 };
    return true;
}

/* `before`: "http://HOST", or empty. */
static bool purge_pattern(struct reader *d, struct pattern pattern, struct str before)
{
    struct purge *p = &d->out->purge;
    struct str url = ARENA_JOIN(d->arena, before, pattern.path);
    CHECK(pattern.kind != PATTERN_UNKNOWN);
    if (pattern.kind == PATTERN_ALL && before.n == 0)
        return purge_everything(d);
    bool one = pattern.kind == PATTERN_ONE;
    p->scope |= one ? PURGE_OF_URLS : PURGE_OF_PREFIXES;
    arena_add_str(d->arena, one ? &p->urls : &p->prefixes, url);
    return true;
}

static bool purge_tags(struct reader *d)
{
    struct purge *p = &d->out->purge;
    bool wider = d->host.p && !str_eq(d->host, STR(".*"));
    wider |= d->url.p && !str_eq(d->url, STR(".*"));
    if (wider)
        return REFUSE(d, "tags together with X-Host or X-Url other than .* are not understood");
    d->out->any_host = true;
    if (d->all_tags)
        return purge_everything(d);
    if (p->tags.n == 0)
        return REFUSE(d, "%.*s names no tag", STR_ARG(d->as));
    if (p->tags.n > PURGE_LIST_MAX)
        return purge_refuse(d->error, d->arena, 413, "more than %d tags; send them in several requests",
                            PURGE_LIST_MAX);
    p->scope = PURGE_OF_TAGS;
    return true;
}

/* FOSHttpCache: regular expressions over host and URL. */
static bool purge_banned(struct reader *d)
{
    struct strs hosts = { 0 };
    bool all = true;
    struct str url = d->url.p ? d->url : STR(".*");
    if (d->type.p && !str_eq(d->type, STR(".*")))
        return REFUSE(d, "X-Content-Type \"%.*s\" is not understood: pages are not purged by their type",
                      STR_ARG(str_utf8_first(d->type, QUOTED_MAX)));
    if (d->host.p && !pattern_of_tags(d->host, d->arena, &hosts, &all))
        return REFUSE(
            d,
            "X-Host \"%.*s\" is no pattern that is understood; there are .* and ^(a\\.example|b\\.example)$",
            STR_ARG(str_utf8_first(d->host, QUOTED_MAX)));
    struct pattern pattern = pattern_of_regex(url, d->arena);
    if (pattern.kind == PATTERN_UNKNOWN)
        return REFUSE(d,
                      "X-Url \"%.*s\" is no pattern that is understood; there are .*, /below/.* and ^/one$",
                      STR_ARG(str_utf8_first(url, QUOTED_MAX)));
    d->out->any_host = hosts.n == 0;
    d->as = d->url.p ? STR("X-Url") : STR("X-Host");
    if (hosts.n == 0)
        return purge_pattern(d, pattern, STR_NONE);
    for (size_t i = 0; i < hosts.n; i++)
        purge_pattern(d, pattern, ARENA_JOIN(d->arena, STR("http://"), hosts.v[i]));
    return true;
}

static bool is_word_of_path(struct str method)
{
    return !method.n || str_eq_nocase(method, STR("default")) || str_eq_nocase(method, STR("exact"));
}

/* Squid's dialect, which MediaWiki speaks, has no patterns: it sends whole URLs, and paths where PHP has no
 * curl. */
static bool is_literal(const struct reader *d)
{
    return d->r->is_absolute || d->mediawiki;
}

/* By the path alone. */
static bool purge_path(struct reader *d)
{
    struct str path = ARENA_JOIN(d->arena, d->path, d->regex.p ? d->regex : STR_NONE);
    bool is_regex = d->regex.n || str_eq_nocase(d->method, STR("regex"));
    bool is_ban = str_eq(d->r->method, STR("BAN"));
    if (!is_regex && !is_word_of_path(d->method))
        return REFUSE(d,
                      "the purge method \"%.*s\" is not understood here; there are default, exact and regex",
                      STR_ARG(str_utf8_first(d->method, QUOTED_MAX)));
    /* Nginx Helper's word for everything. */
    if (str_eq(path, STR("/purgeall")) && !d->query.p) {
        d->as = STR("purgeall");
        return purge_everything(d);
    }
    struct pattern pattern =
        is_regex ? pattern_of_regex(path, d->arena) : pattern_of_path(path, is_literal(d), d->arena);
    /* What a plain BAN names is the beginning of paths. */
    if (is_ban && !is_regex && pattern.kind == PATTERN_ONE)
        pattern.kind = str_eq(path, STR("/")) ? PATTERN_ALL : PATTERN_BELOW;
    if (pattern.kind == PATTERN_UNKNOWN)
        return REFUSE(d, "\"%.*s\" is no pattern that is understood; there are /.*, /below/.* and ^/one$",
                      STR_ARG(str_utf8_first(path, QUOTED_MAX)));
    if (pattern.kind != PATTERN_ONE && d->query.n)
        return REFUSE(d, "a pattern has no query: it is of the path, and takes every query with it");
    if (d->r->purge_path.n == 0)
        d->as = pattern.kind == PATTERN_ONE ? STR("a URL") : STR("a pattern of the path");
    if (pattern.kind == PATTERN_ONE && d->query.n)
        pattern.path = ARENA_JOIN(d->arena, pattern.path, STR("?"), d->query);
    return purge_pattern(d, pattern, STR_NONE);
}

static bool choose(struct reader *d)
{
    if (d->everything) {
        d->out->any_host = true;
        return purge_everything(d);
    }
    if (d->page.p && !take_typo3_page(d))
        return false;
    if (d->has_tags)
        return purge_tags(d);
    if (str_eq(d->r->method, STR("PURGEKEYS")) || str_eq(d->r->method, STR("PURGETAGS")))
        return REFUSE(d, "%.*s needs the tags, in xkey-softpurge, xkey-purge or X-Cache-Tags",
                      STR_ARG(d->r->method));
    if (d->typo3.p)
        return REFUSE(d,
                      "Varnish-Ban-TYPO3-Sitename needs Varnish-Ban-All, Varnish-Ban-TYPO3-Pid or xkey-purge "
                      "beside it");
    if (d->host.p || d->url.p || d->type.p)
        return purge_banned(d);
    return purge_path(d);
}

bool dialect_read(const struct dialect_request *r, struct arena *a, struct dialect_purge *out,
                  struct purge_error *error)
{
    struct reader d = { .r = r, .arena = a, .out = out, .error = error };
    size_t mark = str_index(r->target, '?');
    *out = (struct dialect_purge){ .purge = { .kind = PURGE_HARD, .cause = PURGE_BY_DIALECT } };
    d.path = str_first(r->target, mark);
    if (mark < r->target.n)
        d.query = str_from_index(r->target, mark + 1);
    if (r->purge_path.n) {
        CHECK(str_starts(d.path, r->purge_path));
        d.path = str_from_index(d.path, r->purge_path.n);
        d.as = STR("purge_path");
    }
    for (size_t i = 0; i < r->fields->n && !r->purge_path.n; i++)
        if (!take_field(&d, &r->fields->v[i]))
            return false;
    if (d.typo3.p)
        out->purge.kind = PURGE_SOFT;
    if (!choose(&d) || !purge_check_texts(&out->purge, a, error))
        return false;
    if (!out->any_host)
        out->purge.domain = r->host;
    out->as = d.as;
    return true;
}
