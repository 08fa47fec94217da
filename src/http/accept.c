/*
 * Content negotiation as key material. Visitors send these fields in hundreds of spellings; each spelling
 * that is not brought to the common one is another copy of every page.
 */
#include "http/accept.h"

#include <string.h>

#include "base/check.h"
#include "http/netlify_vary.h"

/* A browser sends a handful. Of what is longer nothing is put in order, and no group is found. */
#define LANGUAGES_MAX       32
#define LANGUAGES_BYTES_MAX ((size_t)1024)
#define LANGUAGE_BYTES_MAX  64
#define SUBTAGS_MAX         8
/* A longer list of codings is taken for one that accepts none: identity is always right. */
#define ENCODINGS_BYTES_MAX ((size_t)256)

/* A list member taken apart: "name;q=0.5". Weights are thousandths. */
struct weighted {
    struct str name;
    int weight;
    bool has_others; /* parameters that are no weight, or a second one */
};

/* qvalue (RFC 9110 §12.4.2): "0" [ "." 0*3DIGIT ] or "1" [ "." 0*3"0" ]. -1: malformed. */
static int weight_parse(struct str s)
{
    if (s.n == 0 || s.n > 5 || (s.p[0] != '0' && s.p[0] != '1') || (s.n > 1 && s.p[1] != '.'))
        return -1;
    int weight = (s.p[0] - '0') * 1000;
    for (size_t i = 2, unit = 100; i < s.n; i++, unit /= 10) {
        if (!is_digit(s.p[i]))
            return -1;
        weight += (s.p[i] - '0') * (int)unit;
    }
    return weight > 1000 ? -1 : weight;
}

/* "q=0.5" as everybody writes it, without white space and with nothing behind it. -1: it is written in
 * another way, or malformed. */
static int weight_parse_usual(struct str parameter)
{
    bool usual = parameter.n > 2 && ascii_lower(parameter.p[0]) == 'q' && parameter.p[1] == '=';
    return usual ? weight_parse(str_from_index(parameter, 2)) : -1;
}

/* Of several q the first counts. false: malformed. */
static bool weighted_parse(struct str member, struct weighted *out)
{
    out->name = str_trim(str_cut(&member, ';'));
    out->weight = member.p ? weight_parse_usual(member) : 1000;
    out->has_others = false;
    if (out->weight >= 0)
        return out->name.n > 0;
    out->weight = 1000;
    bool seen = false;
    while (member.p) {
        struct str value = str_cut(&member, ';');
        struct str name = str_trim(str_cut(&value, '='));
        if (seen || !str_eq_nocase(name, STR("q"))) {
            out->has_others = true;
            continue;
        }
        seen = true;
        out->weight = weight_parse(str_trim(value));
        if (out->weight < 0)
            return false;
    }
    return out->name.n > 0;
}

enum { KEY_BR = 1, KEY_GZIP = 2, KEY_ZSTD = 4, KEY_ALL = 7 };

static unsigned coding_of(struct str name)
{
    if (str_eq_nocase(name, STR("gzip")) || str_eq_nocase(name, STR("x-gzip")))
        return KEY_GZIP;
    if (str_eq_nocase(name, STR("br")))
        return KEY_BR;
    return str_eq_nocase(name, STR("zstd")) ? KEY_ZSTD : 0;
}

/* What the browsers send, to the letter: a look instead of a parse on nearly every hit. */
static const struct {
    struct str line;
    unsigned codings, wanted; /* KEY_BR ...; bits by enum coding */
} usual_encodings[] = {
    { STR_INIT("gzip, deflate, br, zstd"), KEY_ALL, 1u << CODING_BR | 1u << CODING_ZSTD | 1u << CODING_GZIP },
    { STR_INIT("gzip, deflate, br"), KEY_BR | KEY_GZIP, 1u << CODING_BR | 1u << CODING_GZIP },
    { STR_INIT("gzip, deflate"), KEY_GZIP, 1u << CODING_GZIP },
};

/* What one field line says. A coding that is refused anywhere is refused: identity is always right. */
static void codings_read(struct str line, unsigned *accepted, unsigned *refused, bool *star)
{
    struct str member;
    struct weighted w;
    for (size_t i = 0; i < COUNT_OF(usual_encodings); i++)
        if (str_eq(line, usual_encodings[i].line)) {
            *accepted |= usual_encodings[i].codings;
            return;
        }
    while (list_next(&line, &member)) {
        if (!weighted_parse(member, &w))
            continue;
        if (str_eq(w.name, STR("*")))
            *star = w.weight > 0;
        else if (w.weight > 0)
            *accepted |= coding_of(w.name);
        else
            *refused |= coding_of(w.name);
    }
}

const struct str accept_encodings[ACCEPT_ENCODINGS] = {
    [0] = STR_INIT(""),
    [KEY_BR] = STR_INIT("br"),
    [KEY_GZIP] = STR_INIT("gzip"),
    [KEY_BR | KEY_GZIP] = STR_INIT("br, gzip"),
    [KEY_ZSTD] = STR_INIT("zstd"),
    [KEY_BR | KEY_ZSTD] = STR_INIT("br, zstd"),
    [KEY_GZIP | KEY_ZSTD] = STR_INIT("gzip, zstd"),
    [KEY_ALL] = STR_INIT("br, gzip, zstd"),
};

struct str accept_encoding_normalize(const struct fields *request)
{
    unsigned accepted = 0, refused = 0;
    bool star = false;
    if (!fields_has(request, FIELD_ACCEPT_ENCODING) ||
        fields_bytes(request, FIELD_ACCEPT_ENCODING) > ENCODINGS_BYTES_MAX)
        return accept_encodings[0];
    for (size_t i = 0; i < request->n; i++)
        if (request->v[i].id == FIELD_ACCEPT_ENCODING)
            codings_read(request->v[i].value, &accepted, &refused, &star);
    if (star)
        accepted = KEY_ALL;
    return accept_encodings[accepted & ~refused];
}

/* ---- which of several codings is sent ---- */

const struct str accept_codings[CODINGS] = {
    [CODING_IDENTITY] = STR_INIT("identity"),
    [CODING_GZIP] = STR_INIT("gzip"),
    [CODING_ZSTD] = STR_INIT("zstd"),
    [CODING_BR] = STR_INIT("br"),
};

bool accept_coding_from(struct str content_encoding, enum coding *out)
{
    struct str s = str_trim(content_encoding);
    *out = CODING_IDENTITY;
    if (s.n == 0)
        return true;
    if (str_eq_nocase(s, STR("x-gzip"))) { /* RFC 9110 §8.4.1.3 */
        *out = CODING_GZIP;
        return true;
    }
    for (enum coding c = CODING_IDENTITY; c < CODINGS; c++)
        if (str_eq_nocase(s, accept_codings[c])) {
            *out = c;
            return true;
        }
    return false;
}

/* Not named, identity is acceptable, and wanted less than all that is named. */
#define WEIGHT_UNNAMED 1

/* What the lines say: the best weight of each coding that is named; what is refused anywhere. */
struct read_weights {
    int of[CODINGS]; /* -1: not named */
    int star;
    bool refused[CODINGS];
};

static void weights_read(struct str line, struct read_weights *to)
{
    struct str member;
    struct weighted w;
    enum coding c;
    while (list_next(&line, &member)) {
        if (!weighted_parse(member, &w))
            continue;
        if (str_eq(w.name, STR("*"))) {
            to->star = w.weight;
        } else if (accept_coding_from(w.name, &c)) {
            to->refused[c] |= w.weight == 0;
            if (w.weight > to->of[c])
                to->of[c] = w.weight;
        }
    }
}

unsigned accept_encoding_usual(const struct fields *request)
{
    const struct field *found = NULL;
    for (size_t i = 0; i < request->n; i++)
        if (request->v[i].id == FIELD_ACCEPT_ENCODING) {
            if (found)
                return 0;
            found = &request->v[i];
        }
    for (size_t i = 0; found && i < COUNT_OF(usual_encodings); i++)
        if (found->value.n == usual_encodings[i].line.n && str_eq(found->value, usual_encodings[i].line))
            return usual_encodings[i].wanted;
    return 0;
}

void accept_encoding_weights(const struct fields *request, struct coding_weights *out)
{
    *out = (struct coding_weights){ { [CODING_IDENTITY] = 1000 } };
    if (!fields_has(request, FIELD_ACCEPT_ENCODING))
        return;
    unsigned usual = accept_encoding_usual(request);
    if (usual) {
        out->of[CODING_IDENTITY] = WEIGHT_UNNAMED;
        for (enum coding c = CODING_GZIP; c < CODINGS; c++)
            out->of[c] = usual >> c & 1 ? 1000 : 0;
        return;
    }
    if (fields_bytes(request, FIELD_ACCEPT_ENCODING) > ENCODINGS_BYTES_MAX)
        return;
    struct read_weights read = { .of = { -1, -1, -1, -1 }, .star = -1 };
    for (size_t i = 0; i < request->n; i++)
        if (request->v[i].id == FIELD_ACCEPT_ENCODING)
            weights_read(request->v[i].value, &read);
    for (enum coding c = CODING_IDENTITY; c < CODINGS; c++) {
        int unnamed = read.star >= 0 ? read.star : c == CODING_IDENTITY ? WEIGHT_UNNAMED : 0;
        int weight = read.refused[c] ? 0 : read.of[c] >= 0 ? read.of[c] : unnamed;
        out->of[c] = (uint16_t)weight;
    }
}

enum coding accept_encoding_choose(const struct coding_weights *w, unsigned there)
{
    enum coding best = CODINGS;
    for (enum coding c = CODING_IDENTITY; c < CODINGS; c++)
        if (there >> c & 1 && w->of[c] > 0 && (best == CODINGS || w->of[c] >= w->of[best]))
            best = c;
    return best;
}

/* language-range (RFC 4647 §2.1): "*", or 1 to 8 letters, then "-" and 1 to 8 letters or digits. */
static bool is_language_range(struct str s)
{
    size_t subtag = 0, subtags = 1;
    bool first = true;
    if (str_eq(s, STR("*")))
        return true;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '-') {
            if (subtag == 0 || ++subtags > SUBTAGS_MAX)
                return false;
            subtag = 0;
            first = false;
        } else if (++subtag > 8 || !(is_alpha(s.p[i]) || (!first && is_digit(s.p[i])))) {
            return false;
        }
    }
    return subtag > 0 && s.n <= LANGUAGE_BYTES_MAX;
}

/* By falling quality; equal ones by name: their order says nothing (RFC 9110 §12.5.4), so it must not make
 * another page. */
static bool language_is_behind(const struct language *a, const struct language *b)
{
    if (a->weight != b->weight)
        return a->weight < b->weight;
    size_t n = a->name.n < b->name.n ? a->name.n : b->name.n;
    for (size_t i = 0; i < n; i++) {
        char x = ascii_lower(a->name.p[i]), y = ascii_lower(b->name.p[i]);
        if (x != y)
            return x > y;
    }
    return a->name.n > b->name.n;
}

/* Languages as they come, and their order. */
struct collected {
    struct language v[LANGUAGES_MAX];
    uint8_t order[LANGUAGES_MAX]; /* places in `v`, best first */
    size_t n;
};

/* Behind all that are as good or better. Most lists come in order: one look is enough for them. */
static void language_insert(struct collected *c, const struct language *l)
{
    size_t low = 0, high = c->n;
    if (c->n > 0 && !language_is_behind(&c->v[c->order[c->n - 1]], l))
        low = c->n;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (language_is_behind(&c->v[c->order[mid]], l))
            high = mid;
        else
            low = mid + 1;
    }
    memmove(c->order + low + 1, c->order + low, c->n - low);
    c->order[low] = (uint8_t)c->n;
    c->v[c->n++] = *l;
}

/* false: something was malformed, and what was good is in *out all the same; or there were too many, of which
 * none is. */
static bool languages_collect(const struct fields *request, struct collected *out)
{
    bool good = true;
    size_t members = 0;
    out->n = 0;
    if (fields_bytes(request, FIELD_ACCEPT_LANGUAGE) > LANGUAGES_BYTES_MAX)
        return false;
    for (size_t i = 0; i < request->n; i++) {
        if (request->v[i].id != FIELD_ACCEPT_LANGUAGE)
            continue;
        struct str line = request->v[i].value, member;
        while (list_next(&line, &member)) {
            struct weighted w;
            if (members++ == LANGUAGES_MAX) {
                out->n = 0;
                return false;
            }
            /* The grammar has nothing but a weight (RFC 9110 §12.5.4). The origin is sent the whole member;
             * one that cannot read it might answer in another language than the key says. */
            if (!weighted_parse(member, &w) || !is_language_range(w.name) || w.has_others) {
                good = false;
                continue;
            }
            language_insert(out, &(struct language){ w.name, member, w.weight });
        }
    }
    return good;
}

const struct languages *accept_language_read(const struct fields *request, struct arena *a)
{
    struct collected c;
    if (!fields_has(request, FIELD_ACCEPT_LANGUAGE))
        return NULL;
    bool good = languages_collect(request, &c);
    struct languages *l = arena_alloc(a, sizeof(*l));
    struct language *v = arena_alloc(a, c.n * sizeof(*v) + 1);
    for (size_t i = 0; i < c.n; i++)
        v[i] = c.v[c.order[i]];
    *l = (struct languages){ v, c.n, good ? STR_NONE : fields_joined(request, FIELD_ACCEPT_LANGUAGE, a) };
    return l;
}

struct str accept_language_key(const struct languages *l, struct arena *a)
{
    size_t bytes = 0, at = 0;
    if (!l)
        return STR_NONE;
    if (l->malformed.p)
        return arena_dup_lower(a, l->malformed);
    for (size_t i = 0; i < l->n; i++)
        bytes += l->v[i].name.n + sizeof(",;q=0");
    char *p = arena_alloc(a, bytes);
    for (size_t i = 0; i < l->n; i++) {
        if (i)
            p[at++] = ',';
        for (size_t k = 0; k < l->v[i].name.n; k++)
            p[at++] = ascii_lower(l->v[i].name.p[k]);
        if (l->v[i].weight == 0) {
            memcpy(p + at, ";q=0", 4);
            at += 4;
        }
    }
    CHECK(at <= bytes);
    return (struct str){ p, at };
}

struct str accept_language_ordered(const struct languages *l, struct arena *a)
{
    size_t bytes = 0, at = 0;
    if (!l || l->malformed.p)
        return l ? l->malformed : STR_NONE;
    for (size_t i = 0; i < l->n; i++)
        bytes += l->v[i].raw.n + 1;
    char *p = arena_alloc(a, bytes + 1);
    for (size_t i = 0; i < l->n; i++) {
        if (i)
            p[at++] = ',';
        memcpy(p + at, l->v[i].raw.p, l->v[i].raw.n);
        at += l->v[i].raw.n;
    }
    return (struct str){ p, at };
}

static int group_of(const struct vary_groups *groups, struct str language)
{
    for (size_t i = 0; i < groups->n; i++)
        for (size_t k = 0; k < groups->v[i].n; k++)
            if (str_eq_nocase(groups->v[i].codes[k], language))
                return (int)i;
    return -1;
}

static bool is_refused(const struct languages *l, struct str language)
{
    for (size_t i = l->n; i > 0 && l->v[i - 1].weight == 0; i--)
        if (str_eq_nocase(l->v[i - 1].name, language))
            return true;
    return false;
}

/* Without its last subtag (RFC 4647 §3.4); empty when there is no more. */
static struct str language_shorten(struct str s)
{
    while (s.n && s.p[s.n - 1] != '-')
        s.n--;
    if (s.n)
        s.n--;
    return s;
}

int accept_language_best_group(const struct languages *languages, const struct vary_groups *groups)
{
    if (!languages || groups->n == 0)
        return -1;
    for (size_t i = 0; i < languages->n && languages->v[i].weight > 0; i++) {
        if (str_eq(languages->v[i].name, STR("*")))
            continue;
        for (struct str l = languages->v[i].name; l.n; l = language_shorten(l)) {
            int group = is_refused(languages, l) ? -1 : group_of(groups, l);
            if (group >= 0)
                return group;
        }
    }
    return -1;
}

size_t cookie_values(const struct fields *request, struct str name,
                     void (*found)(struct str value, void *ctx), void *ctx)
{
    size_t count = 0;
    struct cookie c;
    struct cookies all = cookie_list(request);
    while (cookie_next(&all, &c)) {
        if (!str_eq(c.name, name))
            continue;
        count++;
        if (found)
            found(c.value, ctx);
    }
    return count;
}

struct cookies cookie_list(const struct fields *request)
{
    return (struct cookies){ .fields = request, .line = fields_has(request, FIELD_COOKIE) ? 0 : request->n };
}

/* Every hit under a rule with cookies comes here. */
bool cookie_next(struct cookies *c, struct cookie *out)
{
    for (;;) {
        const char *p = c->rest.p, *end = c->rest.n ? p + c->rest.n : p; /* the start has no text yet */
        while (p < end) {
            const char *semicolon = memchr(p, ';', (size_t)(end - p)),
                       *piece_end = semicolon ? semicolon : end;
            struct str piece = str_trim((struct str){ p, (size_t)(piece_end - p) });
            p = semicolon ? semicolon + 1 : end;
            if (piece.n == 0)
                continue;
            const char *equals = memchr(piece.p, '=', piece.n);
            const char *value = equals ? equals + 1 : piece.p;
            out->raw = piece;
            out->name = equals ? str_trim((struct str){ piece.p, (size_t)(equals - piece.p) }) : STR_NONE;
            out->value = str_trim((struct str){ value, (size_t)(piece.p + piece.n - value) });
            c->rest = (struct str){ p, (size_t)(end - p) };
            return true;
        }
        while (c->line < c->fields->n && c->fields->v[c->line].id != FIELD_COOKIE)
            c->line++;
        if (c->line == c->fields->n)
            return false;
        c->rest = c->fields->v[c->line++].value;
    }
}

/* How long the quoted string is that begins at s.p[at]; one without an end goes on to the end. */
static size_t quoted_bytes(struct str s, size_t at)
{
    size_t end = at + 1;
    while (end < s.n && s.p[end] != '"')
        end += s.p[end] == '\\' ? 2 : 1; /* what is escaped means nothing here */
    return (end < s.n ? end + 1 : s.n) - at;
}

/* One line without white space around its commas, written to `to`, which has room for all of it. Returns its
 * length. */
static size_t value_squeeze(struct str s, char *to)
{
    bool after_comma = true;
    size_t n = 0;
    for (size_t at = 0, i = 0; i < s.n; at = i) { /* at: where the white space in front of this byte begins */
        while (i < s.n && (s.p[i] == ' ' || s.p[i] == '\t'))
            i++;
        if (i == s.n)
            break;
        if (s.p[i] == ',') {
            to[n++] = s.p[i++];
            after_comma = true;
            continue;
        }
        size_t from = after_comma ? i : at;
        i += s.p[i] == '"' ? quoted_bytes(s, i) : 1;
        while (i < s.n && s.p[i] != ' ' && s.p[i] != '\t' && s.p[i] != ',' && s.p[i] != '"')
            i++;
        memcpy(to + n, s.p + from, i - from);
        n += i - from;
        after_comma = false;
    }
    return n;
}

struct str field_value_normalize_lines(const struct fields *request, const size_t *line, size_t n,
                                       struct arena *a)
{
    size_t bytes = 0, at = 0;
    if (n == 0)
        return STR_NONE;
    struct str value = request->v[line[0]].value;
    if (n == 1 && value.n == 0)
        return STR("");
    if (n == 1 && !memchr(value.p, ' ', value.n) && !memchr(value.p, '\t', value.n))
        return value; /* nothing to be removed: the most of them */
    for (size_t i = 0; i < n; i++)
        bytes += request->v[line[i]].value.n + 1;
    char *p = arena_alloc(a, bytes);
    for (size_t i = 0; i < n; i++) {
        if (i)
            p[at++] = ',';
        at += value_squeeze(request->v[line[i]].value, p + at);
    }
    CHECK(at < bytes);
    return (struct str){ p, at };
}

struct str field_value_normalize(const struct fields *request, struct str name, struct arena *a)
{
    enum field_id id = field_id_of(name);
    if (id != FIELD_OTHER && !fields_has(request, id))
        return STR_NONE;
    size_t n = 0, first = fields_index_of(request, name, 0);
    for (size_t i = first; i < request->n; i = fields_index_of(request, name, i + 1))
        n++;
    if (n <= 1)
        return field_value_normalize_lines(request, &first, n, a);
    size_t *line = arena_alloc(a, n * sizeof(*line));
    n = 0;
    for (size_t i = first; i < request->n; i = fields_index_of(request, name, i + 1))
        line[n++] = i;
    return field_value_normalize_lines(request, line, n, a);
}
