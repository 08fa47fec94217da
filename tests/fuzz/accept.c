/* Content negotiation: every normal form is its own normal form, and no cookie is lost or invented. Input:
 * lines; the first byte of each says which field it belongs to. */
#include <string.h>

#include "base/check.h"
#include "http/accept.h"
#include "http/netlify_vary.h"

/* CACHING.md 4.9: of what is longer nothing is taken apart. */
#define ENCODINGS_BYTES_MAX 256
#define LANGUAGES_BYTES_MAX 1024
#define LANGUAGES_MAX       32

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct str field_of(char c)
{
    static const struct str names[] = { STR_INIT("Accept-Encoding"), STR_INIT("Accept-Language"),
                                        STR_INIT("Cookie"), STR_INIT("X-Other"), STR_INIT("Origin") };
    return names[(unsigned char)c % COUNT_OF(names)];
}

static struct fields lines_read(struct str text, struct arena *a)
{
    struct fields f = { 0 };
    while (text.p) {
        struct str line = str_cut(&text, '\n');
        if (line.n == 0)
            continue;
        fields_add(&f, a, field_of(line.p[0]), str_trim((struct str){ line.p + 1, line.n - 1 }));
    }
    return f;
}

static struct fields one(struct arena *a, struct str name, struct str value)
{
    struct fields f = { 0 };
    if (value.p)
        fields_add(&f, a, name, value);
    return f;
}

/* An empty member at the end of each line changes nothing, but nobody sends one: no short cut knows it. */
static struct fields with_commas(const struct fields *f, enum field_id id, struct arena *a)
{
    struct fields out = { 0 };
    for (size_t i = 0; i < f->n; i++) {
        struct str value = f->v[i].value;
        if (f->v[i].id != id)
            continue;
        char *p = arena_alloc(a, value.n + 1);
        if (value.n)
            memcpy(p, value.p, value.n);
        p[value.n] = ',';
        fields_add(&out, a, f->v[i].name, (struct str){ p, value.n + 1 });
    }
    return out;
}

static void check_encoding(const struct fields *f, struct arena *a)
{
    static const struct str forms[] = { STR_INIT(""),           STR_INIT("br"),
                                        STR_INIT("gzip"),       STR_INIT("zstd"),
                                        STR_INIT("br, gzip"),   STR_INIT("br, zstd"),
                                        STR_INIT("gzip, zstd"), STR_INIT("br, gzip, zstd") };
    struct str text = accept_encoding_normalize(f);
    struct fields normal = one(a, STR("Accept-Encoding"), text);
    size_t i = 0;
    while (i < COUNT_OF(forms) && !str_eq(forms[i], text))
        i++;
    CHECK(i < COUNT_OF(forms));
    CHECK(str_eq(accept_encoding_normalize(&normal), text));
    /* Behind a quote that is open at the end of a line a comma ends no member. */
    for (size_t k = 0; k < f->n; k++)
        if (str_index(f->v[k].value, '"') < f->v[k].value.n)
            return;
    struct fields longer = with_commas(f, FIELD_ACCEPT_ENCODING, a);
    bool is_read = fields_bytes(&longer, FIELD_ACCEPT_ENCODING) <= ENCODINGS_BYTES_MAX;
    CHECK(str_eq(accept_encoding_normalize(&longer), is_read ? text : STR("")));
    CHECK(text.n == 0 || fields_bytes(f, FIELD_ACCEPT_ENCODING) <= ENCODINGS_BYTES_MAX);
}

/* A coding is accepted exactly when it is in the normal form; what is chosen is there, and not refused. */
static void check_weights(const struct fields *f)
{
    struct coding_weights w;
    struct str normal = accept_encoding_normalize(f);
    accept_encoding_weights(f, &w);
    for (enum coding c = CODING_GZIP; c < CODINGS; c++) {
        struct str rest = normal, member;
        bool is_in = false;
        while (list_next(&rest, &member))
            is_in |= str_eq(member, accept_codings[c]);
        CHECK((w.of[c] > 0) == is_in && w.of[c] <= 1000);
    }
    for (unsigned there = 0; there < 1u << CODINGS; there++) {
        enum coding chosen = accept_encoding_choose(&w, there);
        CHECK(chosen == CODINGS || (there >> chosen & 1 && w.of[chosen] > 0));
        for (enum coding c = CODING_IDENTITY; c < CODINGS; c++)
            CHECK(!(there >> c & 1) || w.of[c] == 0 || (chosen < CODINGS && w.of[c] <= w.of[chosen]));
    }
}

static size_t members_count(const struct fields *f, enum field_id id)
{
    size_t n = 0;
    for (size_t i = 0; i < f->n; i++) {
        struct str line = f->v[i].value, member;
        while (f->v[i].id == id && list_next(&line, &member))
            n++;
    }
    return n;
}

static void check_language(const struct fields *f, struct arena *a)
{
    struct netlify_vary rule;
    struct str text = accept_language_key(accept_language_read(f, a), a);
    struct fields normal = one(a, STR("Accept-Language"), text);
    CHECK((text.p != NULL) == fields_has(f, FIELD_ACCEPT_LANGUAGE));
    for (size_t i = 0; i < text.n; i++)
        CHECK(text.p[i] == ascii_lower(text.p[i]));
    CHECK(netlify_vary_parse(STR("language=a+bb|b|a-b|bb-a"), 64, a, &rule));
    int group = accept_language_best_group(accept_language_read(f, a), &rule.languages);
    CHECK(group >= -1 && group < 4);
    if (fields_bytes(f, FIELD_ACCEPT_LANGUAGE) > LANGUAGES_BYTES_MAX ||
        members_count(f, FIELD_ACCEPT_LANGUAGE) > LANGUAGES_MAX)
        CHECK(group == -1);
    /* a quote that is open at the end of a line goes on in the joined one: then the members are others */
    if (str_index(text, '"') < text.n)
        return;
    /* The qualities are gone from the normal form, so it is not its own normal form; but it has the same
     * languages. */
    CHECK(accept_language_key(accept_language_read(&normal, a), a).n == text.n);
    /* What the origin is sent has the key of what was asked. */
    struct fields sent =
        one(a, STR("Accept-Language"), accept_language_ordered(accept_language_read(f, a), a));
    CHECK(str_eq(accept_language_key(accept_language_read(&sent, a), a), text));
    /* Equals stand in another order there, so another of them may come first; none stays none. */
    CHECK((accept_language_best_group(accept_language_read(&normal, a), &rule.languages) == -1) ==
          (group == -1));
}

static void check_cookies(const struct fields *f)
{
    struct cookies all = cookie_list(f);
    struct cookie c;
    size_t bytes = 0, found = 0, cut = 0;
    for (size_t i = 0; i < f->n; i++)
        if (f->v[i].id == FIELD_COOKIE)
            for (size_t k = 0; k < f->v[i].value.n; k++) {
                char at = f->v[i].value.p[k];
                bytes += at != ';' && at != ' ' && at != '\t';
            }
    while (cookie_next(&all, &c)) {
        CHECK(c.raw.n && str_index(c.raw, ';') == c.raw.n && str_index(c.name, '=') == c.name.n);
        CHECK(str_eq(str_trim(c.name), c.name) && str_eq(str_trim(c.value), c.value));
        CHECK(cookie_values(f, c.name, NULL, NULL) > 0);
        for (size_t k = 0; k < c.raw.n; k++)
            found += c.raw.p[k] != ' ' && c.raw.p[k] != '\t';
        cut++;
    }
    CHECK(found == bytes && cut <= bytes);
}

static void check_other(const struct fields *f, struct str name, struct arena *a)
{
    struct str text = field_value_normalize(f, name, a);
    struct fields normal = one(a, name, text);
    size_t lines = 0, bytes = 0, quotes = 0;
    for (size_t i = 0; i < f->n; i++)
        if (str_eq_nocase(f->v[i].name, name)) {
            lines++;
            bytes += f->v[i].value.n + 1;
        }
    CHECK((text.p != NULL) == (lines > 0) && text.n + (lines > 0) <= bytes);
    for (size_t i = 0; i < text.n; i++)
        quotes += text.p[i] == '"';
    if (quotes == 0)
        for (size_t i = 0; i + 1 < text.n; i++)
            CHECK(!(text.p[i] == ',' && (text.p[i + 1] == ' ' || text.p[i + 1] == '\t')) &&
                  !(text.p[i + 1] == ',' && (text.p[i] == ' ' || text.p[i] == '\t')));
    if (lines == 1 || quotes == 0)
        CHECK(str_eq(field_value_normalize(&normal, name, a), text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    arena_init(&a, 4096);
    struct fields f = lines_read((struct str){ (const char *)data, size }, &a);
    check_encoding(&f, &a);
    check_weights(&f);
    check_language(&f, &a);
    check_cookies(&f);
    check_other(&f, STR("x-other"), &a);
    check_other(&f, STR("Origin"), &a);
    arena_fini(&a);
    return 0;
}
