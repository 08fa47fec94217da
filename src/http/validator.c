#include "http/validator.h"

#include <string.h>

#include "base/check.h"
#include "http/date.h"

/* %x21 / %x23-7E / obs-text (RFC 9110 §8.8.3). A backslash is a character like others. */
static bool is_etag_char(char c)
{
    unsigned char u = (unsigned char)c;
    return u == 0x21 || (u >= 0x23 && u <= 0x7e) || u >= 0x80;
}

/* The entity tag at the front of *rest, which moves on behind it; false: there is none. */
static bool etag_take(struct str *rest, struct etag *out)
{
    struct str s = *rest;
    bool weak = str_starts(s, STR("W/"));
    size_t from = weak ? 2 : 0, to = from + 1;
    if (s.n <= from || s.p[from] != '"')
        return false;
    while (to < s.n && is_etag_char(s.p[to]))
        to++;
    if (to >= s.n || s.p[to] != '"')
        return false;
    *out = (struct etag){ { s.p + from, to + 1 - from }, weak };
    *rest = (struct str){ s.p + to + 1, s.n - to - 1 };
    return true;
}

struct etag etag_parse(struct str s)
{
    struct etag tag;
    return etag_take(&s, &tag) && s.n == 0 ? tag : (struct etag){ STR_NONE, false };
}

bool etag_match_strong(struct etag a, struct etag b)
{
    return !a.weak && !b.weak && etag_match_weak(a, b);
}

bool etag_match_weak(struct etag a, struct etag b)
{
    return a.opaque.n > 0 && str_eq(a.opaque, b.opaque);
}

/* ---- those of codings ---- */

#define CODED_SIGN '~'

struct str etag_of_coding(struct etag plain, enum coding coding, int level, struct arena *a)
{
    CHECK(plain.opaque.n >= 2 && coding > CODING_IDENTITY && coding < CODINGS && level >= 0 && level <= 99);
    return arena_printf(a, "%s%.*s%c%.*s%d\"", plain.weak ? "W/" : "",
                        STR_ARG(str_first(plain.opaque, plain.opaque.n - 1)), CODED_SIGN,
                        STR_ARG(accept_codings[coding]), level);
}

/* Returns how many bytes the plain tag has of this one, without its last quote. 0: it is of no coding. */
static size_t plain_bytes(struct str opaque, enum coding *coding)
{
    size_t at = opaque.n, digits = 0;
    if (opaque.n < 2)
        return 0;
    at--; /* the quote */
    while (at > 0 && is_digit(opaque.p[at - 1]) && digits < 2) {
        at--;
        digits++;
    }
    for (enum coding c = CODING_GZIP; digits && c < CODINGS; c++) {
        struct str name = accept_codings[c], before = str_first(opaque, at);
        if (str_ends(before, name) && before.n > name.n + 1 &&
            before.p[before.n - name.n - 1] == CODED_SIGN) {
            *coding = c;
            return before.n - name.n - 1;
        }
    }
    return 0;
}

static bool is_of_coding(struct etag tag, struct etag plain, enum coding *coding)
{
    size_t n = plain_bytes(tag.opaque, coding);
    return n && n + 1 == plain.opaque.n && memcmp(tag.opaque.p, plain.opaque.p, n) == 0;
}

bool etag_is_of_coding(struct etag tag, struct etag plain)
{
    enum coding any;
    return is_of_coding(tag, plain, &any);
}

/* The next tag of a list, and all bytes in front of it. false: none is left, and *before is the rest. */
static bool list_take(struct str *rest, struct str *before, struct etag *tag)
{
    struct str whole = *rest;
    while (rest->n) {
        const char *at = rest->p;
        struct str member = *rest;
        if (etag_take(&member, tag)) {
            *before = (struct str){ whole.p, (size_t)(at - whole.p) };
            *rest = member;
            return true;
        }
        *rest = str_from_index(*rest, 1);
    }
    *before = whole;
    return false;
}

bool etag_find_of_coding(const struct fields *request, struct etag plain, unsigned codings, struct str *out)
{
    struct str before;
    struct etag tag;
    enum coding coding;
    for (size_t i = 0; i < request->n; i++) {
        struct str rest = request->v[i].value;
        while (request->v[i].id == FIELD_IF_NONE_MATCH && list_take(&rest, &before, &tag))
            if (is_of_coding(tag, plain, &coding) && codings >> coding & 1) {
                size_t sign = tag.weak ? 2 : 0;
                *out = (struct str){ tag.opaque.p - sign, tag.opaque.n + sign };
                return true;
            }
    }
    return false;
}

bool etag_is_named(const struct fields *request, struct etag tag)
{
    struct str before;
    struct etag named;
    for (size_t i = 0; i < request->n; i++) {
        struct str rest = request->v[i].value;
        while (request->v[i].id == FIELD_IF_NONE_MATCH && list_take(&rest, &before, &named))
            if (named.weak == tag.weak && etag_match_weak(named, tag))
                return true;
    }
    return false;
}

struct str etag_list_plain(struct str list, struct arena *a)
{
    struct str rest = list, before;
    struct etag tag;
    enum coding any;
    size_t n = 0;
    if (str_index(list, CODED_SIGN) == list.n)
        return list;
    char *to = arena_alloc(a, list.n);
    while (list_take(&rest, &before, &tag)) {
        size_t plain = plain_bytes(tag.opaque, &any);
        n = (size_t)(str_put(to + n, before) - to);
        n = (size_t)(str_put(to + n, tag.weak ? STR("W/") : STR_NONE) - to);
        n = (size_t)(str_put(to + n, plain ? str_first(tag.opaque, plain) : tag.opaque) - to);
        if (plain)
            to[n++] = '"';
    }
    n = (size_t)(str_put(to + n, before) - to);
    return (struct str){ to, n };
}

/*
 * Is one of the list's tags the stored one? Not http/field's list_next: there a backslash escapes a quote, in
 * an entity tag it does not. What is no tag is skipped up to the next comma.
 */
static bool line_matches(struct str rest, struct etag stored)
{
    while (rest.n) {
        struct etag tag;
        rest = str_trim(rest);
        bool ok = etag_take(&rest, &tag);
        struct str behind = str_trim(str_cut(&rest, ','));
        if (ok && behind.n == 0 && etag_match_weak(tag, stored))
            return true;
    }
    return false;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

/* Only white space between the place and a comma or the line's begin or end. */
static bool begins_member(const char *begin, const char *at)
{
    while (at > begin && is_space(at[-1]))
        at--;
    return at == begin || at[-1] == ',';
}

static bool ends_member(const char *at, const char *end)
{
    while (at < end && is_space(*at))
        at++;
    return at == end || *at == ',';
}

/*
 * The same, in as many steps as the line has bytes: each place where the tag's bytes stand is looked at from
 * outside. Before its quote comes the line's begin or a comma (or W/ behind that), after it the same. A comma
 * inside the tag could stand between two others: then the line is taken apart.
 */
static bool line_has(struct str line, struct etag stored)
{
    struct str tag = stored.opaque;
    if (tag.n == 0)
        return false;
    if (str_eq(line, tag))
        return true; /* one tag, which browsers send */
    if (str_index(tag, ',') < tag.n)
        return line_matches(line, stored);
    const char *end = line.p + line.n;
    for (const char *from = line.p, *at;
         from < end && (at = memmem(from, (size_t)(end - from), tag.p, tag.n)) != NULL; from = at + 1) {
        const char *before = at - line.p >= 2 && at[-1] == '/' && at[-2] == 'W' ? at - 2 : at;
        const char *behind = at + tag.n;
        if (begins_member(line.p, before) && ends_member(behind, end))
            return true;
    }
    return false;
}

static enum condition if_none_match(const struct fields *request, const struct validators *stored)
{
    if (fields_count(request, FIELD_IF_NONE_MATCH) == 1 &&
        str_eq(fields_value(request, FIELD_IF_NONE_MATCH), STR("*")))
        return CONDITION_NOT_MODIFIED;
    for (size_t i = 0; i < request->n; i++)
        if (request->v[i].id == FIELD_IF_NONE_MATCH && line_has(request->v[i].value, stored->etag))
            return CONDITION_NOT_MODIFIED;
    return CONDITION_TRUE;
}

static enum condition if_modified_since(const struct fields *request, const struct validators *stored,
                                        int64_t now_s)
{
    int64_t since, modified = stored->last_modified_s != INT64_MIN ? stored->last_modified_s : stored->date_s;
    if (fields_count(request, FIELD_IF_MODIFIED_SINCE) != 1 || modified == INT64_MIN)
        return CONDITION_NONE;
    if (!http_date_parse(fields_value(request, FIELD_IF_MODIFIED_SINCE), now_s, &since) || since > now_s)
        return CONDITION_NONE;
    return modified <= since ? CONDITION_NOT_MODIFIED : CONDITION_TRUE;
}

enum condition condition_of_request(const struct fields *request, const struct validators *stored,
                                    int64_t now_s)
{
    if (fields_has(request, FIELD_IF_NONE_MATCH))
        return if_none_match(request, stored);
    return if_modified_since(request, stored, now_s);
}

bool if_range_holds(const struct fields *request, const struct validators *stored, int64_t now_s)
{
    int64_t date;
    size_t lines = fields_count(request, FIELD_IF_RANGE);
    struct str value = fields_value(request, FIELD_IF_RANGE);
    if (lines != 1)
        return lines == 0;
    struct etag tag = etag_parse(value);
    if (tag.opaque.n)
        return etag_match_strong(tag, stored->etag);
    return http_date_parse(value, now_s, &date) && date == stored->last_modified_s && stored->date_s > date;
}
