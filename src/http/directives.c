#include "http/directives.h"

#include "http/sf.h"

/* What a bare stale-while-revalidate means (CACHING.md 2.10). */
#define STALE_WHILE_REVALIDATE_S 31536000

enum directive_kind {
    RESTRICTS, /* a flag; whatever argument it has, it holds */
    PERMITS,   /* a flag that gives leave: holds only as the standard has it, without an argument */
    LIFETIME,  /* seconds; present and not a number is 0 */
    WINDOW,    /* seconds; not a number is absent */
};

/* Sorted by how often they are seen. `at`: the member of struct directives, a bool for flags, else an
 * int64_t. */
static const struct directive {
    struct str name; /* lower case: structured fields know no other */
    enum directive_kind kind;
    size_t at;
    int64_t bare; /* WINDOW without an argument */
} known[] = {
    { STR_INIT("max-age"), LIFETIME, offsetof(struct directives, max_age), 0 },
    { STR_INIT("s-maxage"), LIFETIME, offsetof(struct directives, s_maxage), 0 },
    { STR_INIT("public"), PERMITS, offsetof(struct directives, public_), 0 },
    { STR_INIT("private"), RESTRICTS, offsetof(struct directives, private_), 0 },
    { STR_INIT("no-cache"), RESTRICTS, offsetof(struct directives, no_cache), 0 },
    { STR_INIT("no-store"), RESTRICTS, offsetof(struct directives, no_store), 0 },
    { STR_INIT("must-revalidate"), RESTRICTS, offsetof(struct directives, must_revalidate), 0 },
    { STR_INIT("stale-while-revalidate"), WINDOW, offsetof(struct directives, stale_while_revalidate),
      STALE_WHILE_REVALIDATE_S },
    { STR_INIT("stale-if-error"), WINDOW, offsetof(struct directives, stale_if_error), DELTA_NONE },
    { STR_INIT("proxy-revalidate"), RESTRICTS, offsetof(struct directives, proxy_revalidate), 0 },
    { STR_INIT("no-transform"), RESTRICTS, offsetof(struct directives, no_transform), 0 },
    { STR_INIT("immutable"), PERMITS, offsetof(struct directives, immutable), 0 },
    { STR_INIT("must-understand"), PERMITS, offsetof(struct directives, must_understand), 0 },
    { STR_INIT("only-if-cached"), RESTRICTS, offsetof(struct directives, only_if_cached), 0 },
    { STR_INIT("max-stale"), WINDOW, offsetof(struct directives, max_stale), DELTA_ANY },
    { STR_INIT("min-fresh"), WINDOW, offsetof(struct directives, min_fresh), DELTA_NONE },
};
#define KNOWN_COUNT (sizeof(known) / sizeof(known[0]))

static void directives_init(struct directives *out)
{
    *out = (struct directives){
        .max_age = DELTA_NONE,
        .s_maxage = DELTA_NONE,
        .stale_while_revalidate = DELTA_NONE,
        .stale_if_error = DELTA_NONE,
        .max_stale = DELTA_NONE,
        .min_fresh = DELTA_NONE,
    };
}

static void set_flag(struct directives *out, const struct directive *d)
{
    *(bool *)(void *)((char *)out + d->at) = true;
}

static void set_seconds(struct directives *out, const struct directive *d, int64_t seconds)
{
    *(int64_t *)(void *)((char *)out + d->at) = seconds;
}

bool delta_parse(struct str s, int64_t *out)
{
    int64_t value = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (!is_digit(s.p[i]))
            return false;
        value = value * 10 + (s.p[i] - '0');
        if (value > DELTA_MAX)
            value = DELTA_MAX;
    }
    *out = value;
    return s.n > 0;
}

static const bool word_chars[256] = {
    ['0' ... '9'] = true, ['A' ... 'Z'] = true, ['a' ... 'z'] = true, ['-'] = true, ['_'] = true,
};

/*
 * For what is not what the standard has: text that cannot be taken apart for sure still forbids what it seems
 * to forbid. Sets the flags of no-store, private and no-cache for each of these words in it, in quotes or
 * not.
 */
static void scan_words(struct str s, struct directives *out)
{
    for (size_t i = 0, n; i < s.n; i += n + 1) { /* behind a word stands what is none */
        for (n = 0; i + n < s.n && word_chars[(unsigned char)s.p[i + n]]; n++)
            ;
        if (n != sizeof("private") - 1 && n != sizeof("no-store") - 1)
            continue; /* the others are as long */
        struct str word = { s.p + i, n };
        out->no_store |= str_eq_nocase(word, STR("no-store"));
        out->private_ |= str_eq_nocase(word, STR("private"));
        out->no_cache |= str_eq_nocase(word, STR("no-cache"));
    }
}

/* Cache-Control: a list of token [ "=" ( token / quoted-string ) ] (RFC 9111 §5.2). */

struct member {
    struct str name;
    struct str argument; /* without its quotes */
    bool has_argument;
};

/* The content of a quoted string, escapes left as they are: no known directive has any. false: not one
 * whole quoted string. */
static bool unquote(struct str s, struct str *out)
{
    size_t end = 1;
    while (end < s.n && s.p[end] != '"')
        end += s.p[end] == '\\' ? 2 : 1;
    if (s.n < 2 || s.p[0] != '"' || end != s.n - 1)
        return false;
    *out = (struct str){ s.p + 1, s.n - 2 };
    return true;
}

/* Takes a list member apart; false: not what the grammar has, *out is what can be said of it. */
static bool member_parse(struct str s, struct member *out)
{
    struct str rest = s;
    struct str name = str_cut(&rest, '=');
    *out = (struct member){ str_trim(name), rest, rest.p != NULL };
    return is_token(name) && (!out->has_argument || is_token(rest) || unquote(rest, &out->argument));
}

static const struct directive *find_known(struct str name)
{
    for (size_t i = 0; i < KNOWN_COUNT; i++)
        if (str_eq_nocase(name, known[i].name))
            return &known[i];
    return NULL;
}

/* The first of duplicates: `seen` has a bit for each known directive. */
static void apply_member(const struct directive *d, const struct member *m, bool ok, uint32_t *seen,
                         struct directives *out)
{
    int64_t seconds = 0;
    uint32_t bit = UINT32_C(1) << (d - known);
    bool is_delta = ok && m->has_argument && delta_parse(m->argument, &seconds);
    bool first = !(*seen & bit);
    *seen |= bit;
    out->any = true;
    switch (d->kind) {
    case RESTRICTS: set_flag(out, d); break;
    case PERMITS:
        if (!m->has_argument)
            set_flag(out, d);
        break;
    case LIFETIME:
        if (first)
            set_seconds(out, d, is_delta ? seconds : 0);
        break;
    case WINDOW:
        if (first && is_delta)
            set_seconds(out, d, seconds);
        else if (first && !m->has_argument)
            set_seconds(out, d, d->bare);
        break;
    }
}

/* More members than that are read as what is not in the grammar. They may forbid, they allow nothing. One may
 * be a lifetime of 0. must-revalidate would permit storing what Authorization was sent with. */
#define MEMBERS_MAX 64

static void parse_line(struct str rest, unsigned *members, uint32_t *seen, struct directives *out)
{
    struct str item;
    while (rest.n && *members < MEMBERS_MAX && list_next(&rest, &item)) {
        struct member m;
        bool ok = member_parse(item, &m);
        const struct directive *d = find_known(m.name);
        if (d)
            apply_member(d, &m, ok, seen, out);
        if (!ok)
            scan_words(item, out);
        ++*members;
    }
    if (rest.n) {
        scan_words(rest, out);
        out->no_cache = true;
    }
}

void directives_parse(const struct fields *f, struct directives *out)
{
    uint32_t seen = 0;
    unsigned members = 0;
    directives_init(out);
    if (!fields_has(f, FIELD_CACHE_CONTROL))
        return;
    for (size_t i = 0; i < f->n; i++)
        if (f->v[i].id == FIELD_CACHE_CONTROL)
            parse_line(f->v[i].value, &members, &seen, out);
    out->any |= out->no_store || out->private_ || out->no_cache;
}

/* Targeted fields: a dictionary (RFC 9213 §2.1). */

/* Seconds that are no integer: a mistake. A negative number may be meant so, and a bare window is one
 * (CACHING.md 2.10). */
static bool has_wrong_seconds(const struct directive *d, const struct sf_value *v)
{
    if (v->type == SF_INTEGER || (v->type == SF_BOOLEAN && !v->boolean))
        return false;
    return d->kind == LIFETIME || (d->kind == WINDOW && v->type != SF_BOOLEAN);
}

static void apply_typed(const struct directive *d, const struct sf_value *v, struct directives *out)
{
    bool bare = v->type == SF_BOOLEAN && v->boolean;
    bool is_delta = v->type == SF_INTEGER && v->integer >= 0;
    int64_t seconds = is_delta && v->integer < DELTA_MAX ? v->integer : DELTA_MAX;
    /* private="Set-Cookie": a list of names, which counts as the whole. */
    bool has_names = v->type == SF_STRING || v->type == SF_TOKEN || v->type == SF_INNER_LIST;
    if (v->type == SF_BOOLEAN && !v->boolean)
        return;
    out->any = true;
    switch (d->kind) {
    case RESTRICTS:
        if (bare || has_names)
            set_flag(out, d);
        break;
    case PERMITS:
        if (bare)
            set_flag(out, d);
        break;
    case LIFETIME: set_seconds(out, d, is_delta ? seconds : 0); break;
    case WINDOW:
        if (is_delta || bare)
            set_seconds(out, d, is_delta ? seconds : d->bare);
        break;
    }
}

/* Of a targeted field no more is taken apart; more does not parse. */
#define TARGETED_BYTES_MAX 512

/* The first byte of a member's value; of a bare key: the byte behind it. */
static const char *value_of(const struct sf_member *m, struct str field)
{
    const char *behind = m->key.p + m->key.n;
    return behind < field.p + field.n && *behind == '=' ? behind + 1 : behind;
}

enum targeted_result directives_parse_targeted(const struct fields *f, struct str name, struct arena *a,
                                               struct directives *out, struct field_spot *bad)
{
    struct str all = fields_joined_by_name(f, name, a), value = str_trim(all);
    struct sf_members d;
    directives_init(out);
    *bad = (struct field_spot){ 0 };
    if (value.n == 0)
        return TARGETED_ABSENT;
    /* Each key is looked for among those before it: a longer value ends behind the limit as if it were cut
     * there. */
    struct str looked_at = str_first(value, TARGETED_BYTES_MAX);
    bool parsed = sf_parse_dictionary(looked_at, a, &d);
    if (parsed && looked_at.n < value.n)
        d.bad_at = looked_at.n;
    if (!parsed || looked_at.n < value.n) {
        struct directives seems = { 0 };
        scan_words(value, &seems);
        out->no_store = seems.no_store || seems.private_ || seems.no_cache;
        *bad = fields_spot(f, name, (size_t)(value.p - all.p) + d.bad_at);
        return TARGETED_INVALID;
    }
    for (size_t i = 0; i < KNOWN_COUNT; i++) {
        const struct sf_member *m = sf_get(&d, known[i].name);
        if (!m)
            continue;
        apply_typed(&known[i], &m->value, out);
        if (!bad->byte && has_wrong_seconds(&known[i], &m->value))
            *bad = fields_spot(f, name, (size_t)(value_of(m, value) - all.p));
    }
    return TARGETED_OK;
}
