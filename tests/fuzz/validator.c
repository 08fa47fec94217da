/* A 304 needs a reason that is in the request: its tag, a star, or a date no older than the stored one. */
#include <string.h>

#include "base/check.h"
#include "http/date.h"
#include "http/validator.h"

#define NOW_S      INT64_C(1792324800)
#define MODIFIED_S INT64_C(784111777)

static bool contains(struct str s, struct str part)
{
    return part.n > 0 && s.n >= part.n && memmem(s.p, s.n, part.p, part.n) != NULL;
}

static void check_etag(struct str s)
{
    struct etag e = etag_parse(s), strong = { e.opaque, false };
    if (e.opaque.n == 0) {
        CHECK(!etag_match_weak(e, e));
        return;
    }
    CHECK(e.opaque.n + (e.weak ? 2 : 0) == s.n && str_ends(s, e.opaque));
    CHECK(e.opaque.n >= 2 && e.opaque.p[0] == '"' &&
          str_index(str_from_index(e.opaque, 1), '"') == e.opaque.n - 2);
    CHECK(etag_match_weak(e, strong) && etag_match_strong(e, strong) == !e.weak);
}

/* The first line is the stored tag, the others are the field's. */
static size_t add_lines(struct fields *f, struct arena *a, enum field_id id, struct str rest)
{
    size_t n = 0;
    for (; rest.p && n < 64; n++)
        fields_add_id(f, a, id, str_trim(str_cut(&rest, '\n')));
    return n;
}

static void check_none_match(struct arena *a, struct str tag, struct str lines)
{
    struct fields f = { 0 };
    struct validators v = { etag_parse(tag), MODIFIED_S, NOW_S };
    bool reason = false;
    size_t n = add_lines(&f, a, FIELD_IF_NONE_MATCH, lines);
    enum condition c = condition_of_request(&f, &v, NOW_S);
    for (size_t i = 0; i < n; i++)
        reason |= contains(f.v[i].value, v.etag.opaque) || str_eq(f.v[i].value, STR("*"));
    CHECK(c == (n ? CONDITION_TRUE : CONDITION_NONE) || (c == CONDITION_NOT_MODIFIED && reason));
    /* One's own tag matches in a line of its own, whatever stands in the others. */
    if (v.etag.opaque.n) {
        fields_add_id(&f, a, FIELD_IF_NONE_MATCH, tag);
        CHECK(condition_of_request(&f, &v, NOW_S) == CONDITION_NOT_MODIFIED);
    }
}

/* Tags of codings are taken back, and nothing else in a list changes. */
static void check_codings(struct arena *a, struct str tag, struct str list)
{
    struct etag plain = etag_parse(tag);
    struct str out = etag_list_plain(list, a), found;
    CHECK(out.n <= list.n && (out.p == list.p || contains(list, STR("~"))));
    if (!plain.opaque.n)
        return;
    struct str coded = etag_of_coding(plain, CODING_BR, 5, a);
    CHECK(etag_is_of_coding(etag_parse(coded), plain) && !etag_is_of_coding(plain, plain));
    CHECK(str_eq(etag_list_plain(coded, a), tag));
    struct fields f = { 0 };
    fields_add_id(&f, a, FIELD_IF_NONE_MATCH, coded);
    CHECK(etag_find_of_coding(&f, plain, 1u << CODING_BR, &found) && str_eq(found, coded));
    CHECK(!etag_find_of_coding(&f, plain, ~(1u << CODING_BR), &found));
    CHECK(etag_is_named(&f, etag_parse(coded)) && !etag_is_named(&f, plain));
}

static void check_modified_since(struct arena *a, struct str line)
{
    struct fields f = { 0 };
    struct validators v = { { STR_NONE, false }, MODIFIED_S, NOW_S };
    int64_t since;
    bool is_date = http_date_parse(line, NOW_S, &since) && since <= NOW_S;
    fields_add_id(&f, a, FIELD_IF_MODIFIED_SINCE, line);
    enum condition c = condition_of_request(&f, &v, NOW_S);
    if (!is_date)
        CHECK(c == CONDITION_NONE);
    else
        CHECK(c == (since >= MODIFIED_S ? CONDITION_NOT_MODIFIED : CONDITION_TRUE));
}

static void check_if_range(struct arena *a, struct str tag, struct str line)
{
    struct fields f = { 0 };
    struct validators v = { etag_parse(tag), MODIFIED_S, NOW_S };
    int64_t date;
    fields_add_id(&f, a, FIELD_IF_RANGE, line);
    bool is_date = http_date_parse(line, NOW_S, &date) && date == MODIFIED_S;
    bool is_tag = v.etag.opaque.n && !v.etag.weak && str_eq(line, v.etag.opaque);
    CHECK(if_range_holds(&f, &v, NOW_S) == (is_date || is_tag));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct str rest = { (const char *)data, size };
    struct str tag = str_trim(str_cut(&rest, '\n'));
    arena_init(&a, 16384);
    check_etag(tag);
    check_none_match(&a, tag, rest);
    check_modified_since(&a, tag);
    check_codings(&a, tag, rest.p ? rest : STR(""));
    check_if_range(&a, tag, rest);
    check_if_range(&a, tag, tag);
    arena_fini(&a);
    return 0;
}
