#include "deploy/links.h"

#include "base/check.h"
#include "cache/asset.h"
#include "deploy/reference.h"
#include "http/url.h"

/* ---- which paths are links ---- */

/* The document's folder or a prefix, and the text. */
#define JOINED_MAX (2 * LINKS_STRING_MAX)
/* Many texts may have the same place in the table: then a link is told twice. */
#define PROBES_MAX 16

struct reference {
    struct str path, query; /* query: with its '?'; empty: none */
};

/* Files that pages ask for. A bare or relative text without one of these is a name of something else: of a
 * source file, a member, a host. Not "json", which is data, and not "map", which only debuggers want. */
static const struct str known_extensions[] = {
    STR_INIT("js"),   STR_INIT("mjs"),   STR_INIT("cjs"), STR_INIT("css"),  STR_INIT("wasm"),
    STR_INIT("woff"), STR_INIT("woff2"), STR_INIT("ttf"), STR_INIT("otf"),  STR_INIT("eot"),
    STR_INIT("svg"),  STR_INIT("png"),   STR_INIT("jpg"), STR_INIT("jpeg"), STR_INIT("gif"),
    STR_INIT("webp"), STR_INIT("avif"),  STR_INIT("ico"), STR_INIT("mp3"),  STR_INIT("mp4"),
    STR_INIT("webm"), STR_INIT("ogg"),   STR_INIT("pdf"), STR_INIT("glb"),
};

#define EXTENSION_MAX 12

/* What stands behind the last dot of the last segment; empty: there is none, or nothing before it. */
static struct str extension_of(struct str path)
{
    size_t at = path.n;
    while (at > 0 && path.n - at <= EXTENSION_MAX && path.p[at - 1] != '.' && path.p[at - 1] != '/')
        at--;
    if (at < 2 || path.p[at - 1] != '.' || path.p[at - 2] == '/')
        return STR_NONE;
    struct str e = str_from_index(path, at);
    if (e.n == 0 || !is_alpha(e.p[0]))
        return STR_NONE;
    for (size_t i = 0; i < e.n; i++)
        if (!is_alpha(e.p[i]) && !is_digit(e.p[i]))
            return STR_NONE;
    return e;
}

static bool is_file(struct str path)
{
    struct str e = extension_of(path);
    return e.n && !str_eq(e, STR("map"));
}

static bool is_known_file(struct str path)
{
    struct str e = extension_of(path);
    for (size_t i = 0; e.n && i < COUNT_OF(known_extensions); i++)
        if (str_eq_nocase(e, known_extensions[i]))
            return true;
    return false;
}

/* FNV-1a, folded: two links of one document that are taken for one cost a file that is not fetched early. */
static uint32_t hash_of(struct str s)
{
    uint64_t h = 0xcbf29ce484222325;
    for (size_t i = 0; i < s.n; i++)
        h = (h ^ (unsigned char)s.p[i]) * 0x100000001b3;
    uint32_t folded = (uint32_t)(h >> 32) ^ (uint32_t)h;
    return folded ? folded : 1;
}

static bool is_seen(struct links *l, struct str link)
{
    uint32_t h = hash_of(link);
    for (size_t i = 0; i < PROBES_MAX; i++) {
        uint32_t *place = &l->seen[(h + i) % COUNT_OF(l->seen)];
        if (*place == h)
            return true;
        if (*place == 0) {
            *place = h;
            return false;
        }
    }
    return false;
}

static void tell(struct links *l, struct str link)
{
    if (l->found_n == LINKS_MOST || is_seen(l, link))
        return;
    l->found_n++;
    l->found(l->ctx, link);
}

/* Where in the path the prefix begins; path.n: nowhere. Like asset_is_below_prefix. */
static size_t prefix_at(struct str path, struct str prefix)
{
    if (!str_starts(prefix, STR("/_")))
        return str_starts(path, prefix) ? 0 : path.n;
    const char *at = memmem(path.p, path.n, prefix.p, prefix.n);
    return at ? (size_t)(at - path.p) : path.n;
}

/* A path below a prefix says which of the prefixes the site uses, and in which folder it is. */
static void learn(struct links *l, struct str path)
{
    const struct site_settings *site = l->document->site;
    for (size_t i = 0; i < site->asset_prefixes.n; i++) {
        size_t at = prefix_at(path, site->asset_prefixes.v[i]);
        if (at == path.n)
            continue;
        l->prefixes_met |= i < 64 ? (uint64_t)1 << i : 0;
        if (!l->has_base && at <= sizeof(l->base)) {
            l->has_base = true;
            l->base_n = at;
            memcpy(l->base, path.p, at);
        }
    }
}

/* Joins, normalises, and tells the link when it is a file below a prefix. Returns whether it is one. */
static bool land(struct links *l, struct str base, struct str folder, const struct reference *r)
{
    char joined[JOINED_MAX];
    _Alignas(16) char memory[JOINED_MAX + 64];
    struct arena a;
    struct str path = { joined, base.n + folder.n + r->path.n };
    if (path.n + r->query.n > sizeof(joined))
        return false;
    str_put(str_put(str_put(joined, base), folder), r->path);
    arena_init_in(&a, memory, sizeof(memory), JOINED_MAX);
    bool is_link = path_normalize(path, &a, &path) == HTTP_ERROR_NONE && is_file(path) &&
                   asset_is_below_prefix(l->document->site, path);
    is_link = is_link && !str_starts(path, STR("//")); /* elsewhere that names a host */
    if (is_link) {
        memmove(joined, path.p, path.n);
        str_put(joined + path.n, r->query);
        path.p = joined;
    }
    arena_fini(&a);
    if (!is_link)
        return false;
    if (folder.n == 0)
        learn(l, path);
    tell(l, (struct str){ joined, path.n + r->query.n });
    return true;
}

/* ---- resolving ---- */

static void resolve_absolute(struct links *l, const struct reference *r)
{
    land(l, STR_NONE, STR_NONE, r);
}

static void resolve_relative(struct links *l, const struct reference *r)
{
    struct str path = l->document->path;
    const char *slash = path.n ? memrchr(path.p, '/', path.n) : NULL;
    if (slash && is_known_file(r->path))
        land(l, STR_NONE, (struct str){ path.p, (size_t)(slash - path.p) + 1 }, r);
}

/* `rest`: behind the "//". The document's scheme is not asked: behind a proxy it is often another one. */
static void resolve_authority(struct links *l, struct reference *r, struct str rest)
{
    static const struct str ports[] = { STR_INIT(""), STR_INIT(":80"), STR_INIT(":443") };
    size_t at = str_index(rest, '/');
    struct str authority = str_first(rest, at);
    bool is_own = false;
    r->path = str_from_index(rest, at);
    for (size_t i = 0; i < COUNT_OF(ports); i++)
        is_own |= str_ends(authority, ports[i]) &&
                  str_eq_nocase(str_first(authority, authority.n - ports[i].n), l->document->authority);
    if (is_own && r->path.n)
        resolve_absolute(l, r);
}

/* Tries a bare name as one that begins with the end of a prefix. With a part of the prefix only, the prefix
 * must be one that this document or its links are below: "static/x.js" is said by others than Next too. */
static bool resolve_by_prefix(struct links *l, const struct reference *r, size_t i)
{
    struct str prefix = l->document->site->asset_prefixes.v[i];
    bool is_met = i < 64 && (l->prefixes_met >> i & 1);
    struct str base = str_starts(prefix, STR("/_")) ? (struct str){ l->base, l->base_n } : STR_NONE;
    for (size_t at = 1; at < prefix.n; at++) {
        if (prefix.p[at - 1] != '/' || (at > 1 && !is_met))
            continue;
        if (str_starts(r->path, str_from_index(prefix, at)))
            return land(l, base, str_first(prefix, at), r);
    }
    return false;
}

/* May a text be a bare name? What stands between two strings of a script begins with an operator. */
static bool may_be_bare(struct str s)
{
    char c = s.p[0];
    if (!is_alpha(c) && !is_digit(c) && c != '_' && c != '@' && c != '~')
        return false;
    return str_index(s, ':') >= str_index(s, '/') && is_known_file(s);
}

static void resolve_bare(struct links *l, const struct reference *r)
{
    bool is_named = false;
    if (!may_be_bare(r->path))
        return;
    for (size_t i = 0; i < l->document->site->asset_prefixes.n; i++)
        is_named |= resolve_by_prefix(l, r, i);
    /* Relative to a script, everything is below its prefix. */
    if (!is_named || !l->in_assets)
        resolve_relative(l, r);
}

/* ---- what a text is ---- */

static bool is_quote(unsigned char c)
{
    return c == '"' || c == '\'' || c == '`';
}

static bool is_space(unsigned char c)
{
    return c <= ' ';
}

enum attribute { ATTRIBUTE_NONE, ATTRIBUTE_OTHER, ATTRIBUTE_LINK, ATTRIBUTE_LIST };

/* Does the text stand where a bare name is a link? `after`: the byte that ended it. */
static bool stands_alone(const struct links *l, unsigned char after)
{
    if (is_quote(l->before) && l->before == after)
        return true;
    if (l->before == '(')
        return after == ')';
    if (l->before == '=')
        return l->attribute > ATTRIBUTE_OTHER && (is_space(after) || after == '>');
    return l->list_quote != 0;
}

static bool is_relative(struct str s)
{
    return str_starts(s, STR("./")) || str_starts(s, STR("../"));
}

/* Looks whether the text is a link. `after`: the byte that ended it. */
static void judge(struct links *l, unsigned char after)
{
    struct str s = { l->text, l->fragment ? l->fragment - 1 : l->n };
    size_t mark = str_index(s, '?');
    struct reference r = { str_first(s, mark), { s.p + mark, s.n - mark } };
    if (r.path.n == 0 || (r.query.n && query_check(str_from_index(r.query, 1)) != HTTP_ERROR_NONE))
        return;
    if (str_starts(r.path, STR("//")))
        resolve_authority(l, &r, str_from_index(r.path, 2));
    else if (r.path.p[0] == '/')
        resolve_absolute(l, &r);
    else if (is_relative(r.path))
        resolve_relative(l, &r);
    else if (str_starts_nocase(r.path, STR("https://")))
        resolve_authority(l, &r, str_from_index(r.path, 8));
    else if (str_starts_nocase(r.path, STR("http://")))
        resolve_authority(l, &r, str_from_index(r.path, 7));
    else if (stands_alone(l, after))
        resolve_bare(l, &r);
}

/* ---- cutting the document into texts ---- */

/* What a byte is to the text being read. */
enum kind { ENDS, NAME, PLAIN, HIGH, HASH, AND, SEMICOLON, EQUALS, OPENS, CLOSES };

static const uint8_t kinds[256] = {
    ['a' ... 'z'] = NAME, ['A' ... 'Z'] = NAME, ['-'] = NAME,           [':'] = NAME,   ['0' ... '9'] = PLAIN,
    ['.'] = PLAIN,        ['/'] = PLAIN,        ['_'] = PLAIN,          ['~'] = PLAIN,  ['?'] = PLAIN,
    ['@'] = PLAIN,        ['!'] = PLAIN,        ['$'] = PLAIN,          ['+'] = PLAIN,  ['%'] = PLAIN,
    ['['] = PLAIN,        [']'] = PLAIN,        [0x80 ... 0xff] = HIGH, ['#'] = HASH,   ['&'] = AND,
    [';'] = SEMICOLON,    ['='] = EQUALS,       ['('] = OPENS,          [')'] = CLOSES,
};

/* Begins the next text behind `c`. */
static void begin(struct links *l, unsigned char c)
{
    bool follows = l->n == 0; /* nothing stands between `c` and the byte that ended the last text */
    if (follows && l->before == '=' && is_quote(c))
        l->list_quote = l->attribute == ATTRIBUTE_LIST ? c : 0;
    else if (c == l->list_quote)
        l->list_quote = 0;
    l->opener = follows ? l->before : 0;
    l->before = c;
    l->n = l->fragment = l->reference = 0;
    l->is_name = true;
    l->is_too_long = false;
    l->attribute = ATTRIBUTE_NONE;
}

/* Ends the text. Maps of modules have keys that look like links ({"./af.js":12}), which no browser asks for:
 * such a text waits for the next byte. */
static void end(struct links *l, unsigned char c)
{
    bool is_text = l->n && !l->is_too_long;
    bool may_be_key = is_quote(c) && l->before == c && (l->opener == '{' || l->opener == ',');
    if (is_text && may_be_key && l->text[0] != '/') {
        l->is_held = true;
        return;
    }
    if (is_text)
        judge(l, c);
    begin(l, c);
}

static void release(struct links *l, unsigned char c)
{
    l->is_held = false;
    if (c != ':')
        judge(l, l->before);
    begin(l, l->before);
}

static void append(struct links *l, char c)
{
    if (l->n == sizeof(l->text)) {
        /* What follows is still looked at, since "&quot;" may end it. */
        l->n = l->fragment = l->reference = 0;
        l->is_too_long = true;
    }
    l->text[l->n++] = c;
}

static void append_encoded(struct links *l, unsigned char c)
{
    static const char digits[] = "0123456789ABCDEF";
    append(l, '%');
    append(l, digits[c >> 4]);
    append(l, digits[c & 15]);
}

/* The text so far is an attribute's name, or it is not: then '=' is a byte of it. */
static void take_equals(struct links *l)
{
    static const struct str links[] = { STR_INIT("src"), STR_INIT("href"), STR_INIT("poster") };
    static const struct str lists[] = { STR_INIT("srcset"), STR_INIT("imagesrcset") };
    struct str name = { l->text, l->n };
    if (!l->is_name || l->n == 0 || l->is_too_long) {
        append(l, '=');
        return;
    }
    enum attribute kind = ATTRIBUTE_OTHER;
    for (size_t i = 0; i < COUNT_OF(links); i++)
        kind = str_eq_nocase(name, links[i]) ? ATTRIBUTE_LINK : kind;
    for (size_t i = 0; i < COUNT_OF(lists); i++)
        kind = str_eq_nocase(name, lists[i]) ? ATTRIBUTE_LIST : kind;
    begin(l, '=');
    l->attribute = kind;
}

static void take_open(struct links *l)
{
    if (l->n >= 3 && str_eq_nocase((struct str){ l->text + l->n - 3, 3 }, STR("url")))
        begin(l, '(');
    else
        append(l, '(');
}

static void take(struct links *l, unsigned char c);

/* A character that was written as an escape. It ends the text where its own byte would. */
static void take_code(struct links *l, unsigned code)
{
    if (l->is_held)
        release(l, (unsigned char)(code < 0x80 ? code : 0));
    if (code == '&') {
        append(l, '&'); /* begins no reference */
        l->is_name = false;
        return;
    }
    char utf8[4];
    bool is_character = code && (code < 0xd800 || code > 0xdfff); /* not half of a pair */
    size_t n = is_character ? reference_utf8(code, utf8) : 0;
    if (n == 0)
        take(l, '\0');
    for (size_t i = 0; i < n; i++)
        take(l, (unsigned char)utf8[i]);
}

static void take_semicolon(struct links *l)
{
    unsigned code = 0;
    size_t at = l->reference;
    if (at)
        code = reference_code((struct str){ l->text + at, l->n - at });
    if (!code) {
        end(l, ';');
        return;
    }
    l->n = at - 1;
    l->reference = 0;
    take_code(l, code);
}

static void take(struct links *l, unsigned char c)
{
    if (l->is_held)
        release(l, c);
    switch ((enum kind)kinds[c]) {
    case NAME: append(l, (char)c); return;
    case ENDS: end(l, c); return;
    case SEMICOLON: take_semicolon(l); return;
    case EQUALS: take_equals(l); break;
    case OPENS: take_open(l); break;
    case CLOSES:
        if (l->before == '(') {
            end(l, c);
            return;
        }
        append(l, ')');
        break;
    case HIGH: append_encoded(l, c); break;
    case PLAIN: append(l, (char)c); break;
    case AND:
        append(l, '&');
        l->reference = l->n;
        break;
    case HASH:
        append(l, '#');
        if (!l->fragment && (!l->reference || l->reference != l->n - 1)) /* not the "&#" of a reference */
            l->fragment = l->n;
        break;
    }
    l->is_name = l->n == 0;
}

/* ---- backslashes ---- */

enum escape { ESCAPE_NONE, ESCAPE_BEGUN, ESCAPE_DIGITS };

/* The byte behind one or more backslashes. */
static void escape_begun(struct links *l, unsigned char c)
{
    if (c == '\\')
        return;
    l->escape = ESCAPE_NONE;
    if (c == 'u' || c == 'x') {
        l->escape = ESCAPE_DIGITS;
        l->digits = c == 'u' ? 4 : 2;
        l->code = 0;
        return;
    }
    if (c != '/' && !is_quote(c))
        take(l, '\0'); /* a line's end, a class of a pattern */
    if (c == '/' || kinds[c] == ENDS)
        take(l, c);
}

/* Returns false: `c` is no part of the escape. */
static bool escape_digit(struct links *l, unsigned char c)
{
    int v = ascii_hex_value((char)c);
    if (v < 0) {
        l->escape = ESCAPE_NONE;
        take(l, '\0');
        return false;
    }
    l->code = l->code * 16 + (unsigned)v;
    if (--l->digits == 0) {
        l->escape = ESCAPE_NONE;
        take_code(l, l->code);
    }
    return true;
}

static bool take_escaped(struct links *l, unsigned char c)
{
    if (l->escape == ESCAPE_DIGITS)
        return escape_digit(l, c);
    escape_begun(l, c);
    return true;
}

/* ---- the scan ---- */

bool links_may_have(struct str content_type)
{
    static const struct str types[] = {
        STR_INIT("text/html"),       STR_INIT("application/xhtml+xml"),  STR_INIT("text/css"),
        STR_INIT("text/javascript"), STR_INIT("application/javascript"), STR_INIT("application/x-javascript"),
        STR_INIT("text/x-component")
    };
    struct str type = str_trim(str_first(content_type, str_index(content_type, ';')));
    for (size_t i = 0; i < COUNT_OF(types); i++)
        if (str_eq_nocase(type, types[i]))
            return true;
    return false;
}

void links_init(struct links *l, const struct links_document *document, links_found_fn *found, void *ctx)
{
    *l = (struct links){ .document = document, .found = found, .ctx = ctx, .is_name = true };
    l->in_assets = asset_is_below_prefix(document->site, document->path);
    if (l->in_assets)
        learn(l, document->path);
}

void links_feed(struct links *l, struct str piece)
{
    for (size_t i = 0; i < piece.n && l->found_n < LINKS_MOST; i++) {
        unsigned char c = (unsigned char)piece.p[i];
        if (l->escape && take_escaped(l, c))
            continue;
        if (c == '\\')
            l->escape = ESCAPE_BEGUN;
        else
            take(l, c);
    }
}

void links_end(struct links *l)
{
    if (l->is_held)
        release(l, '\0');
    end(l, ' ');
}
