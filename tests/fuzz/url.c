/* Targets, paths, queries and hosts: what is accepted loses nothing, comes out in one spelling, and that
 * spelling stays as it is. Paths are compared with a plain second implementation. Input: one target or
 * host. */
#include <string.h>

#include "base/check.h"
#include "http/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_plain(unsigned v)
{
    return (v >= '0' && v <= '9') || (v >= 'A' && v <= 'Z') || (v >= 'a' && v <= 'z') ||
           (v && strchr("-._~", (int)v));
}

static int hex(char c)
{
    const char *digits = "0123456789abcdef", *at = c ? strchr(digits, ascii_lower(c)) : NULL;
    return at ? (int)(at - digits) : -1;
}

/* CACHING.md 4.9 */
#define DOT_SEGMENTS_MAX 64

/* The path by its segments, on a stack. false: refused. `out` has room for size + 1 bytes. */
static bool path_reference(struct str path, char *out, size_t *out_n)
{
    char *flat = out;
    size_t n = 0, top = 0, dots = 0;
    for (size_t i = 0; i < path.n; i++) {
        unsigned char c = (unsigned char)path.p[i];
        if (c <= 0x20 || c >= 0x7f || c == '#' || c == '?')
            return false;
        if (c != '%') {
            flat[n++] = (char)c;
            continue;
        }
        if (i + 2 >= path.n || hex(path.p[i + 1]) < 0 || hex(path.p[i + 2]) < 0)
            return false;
        unsigned v = (unsigned)(hex(path.p[i + 1]) * 16 + hex(path.p[i + 2]));
        if (v < 0x20 || v == 0x7f)
            return false;
        if (is_plain(v)) {
            flat[n++] = (char)v;
        } else {
            flat[n++] = '%';
            flat[n++] = "0123456789ABCDEF"[v / 16];
            flat[n++] = "0123456789ABCDEF"[v % 16];
        }
        i += 2;
    }
    struct arena a;
    arena_init(&a, 4096);
    struct str all = arena_dup(&a, (struct str){ flat, n }), rest = str_from_index(all, 1), last = STR_NONE;
    if (!rest.p)
        rest = STR("");
    struct str *stack = arena_alloc(&a, (n + 1) * sizeof(*stack));
    while (rest.p) {
        last = str_cut(&rest, '/');
        bool up = str_eq(last, STR("..")), stay = str_eq(last, STR("."));
        dots += up || stay;
        if (up && top)
            top--;
        if (!up && !stay)
            stack[top++] = last;
        else if (!rest.p)
            stack[top++] = STR(""); /* it names a folder */
    }
    *out_n = 0;
    for (size_t i = 0; i < top; i++) {
        out[(*out_n)++] = '/';
        if (stack[i].n)
            memmove(out + *out_n, stack[i].p, stack[i].n);
        *out_n += stack[i].n;
    }
    arena_fini(&a);
    return dots <= DOT_SEGMENTS_MAX;
}

static void check_path(struct str path, struct arena *a)
{
    struct str once, twice;
    char *expect = arena_alloc(a, path.n + 1);
    size_t n;
    bool good = path_reference(path, expect, &n);
    CHECK((path_normalize(path, a, &once) == HTTP_ERROR_NONE) == good);
    if (!good)
        return;
    CHECK(str_eq(once, (struct str){ expect, n }));
    /* Without dots it is the same path, it has none in any spelling, and what has none is not copied. */
    struct str plain = path_without_dots(path, a), normal;
    CHECK(path_normalize(plain, a, &normal) == HTTP_ERROR_NONE && str_eq(normal, once));
    CHECK(path_without_dots(plain, a).p == plain.p && plain.n <= path.n);
    if (plain.n == path.n)
        CHECK(str_eq(plain, path));
    CHECK(path_normalize(once, a, &twice) == HTTP_ERROR_NONE);
    CHECK(twice.p == once.p && twice.n == once.n);
    if (str_eq(once, path))
        CHECK(once.p == path.p);
}

static void check_query(struct str query, struct arena *a)
{
    char *joined = arena_alloc(a, query.n + 1);
    size_t n = 0, amps = 0, pieces = 0;
    struct str rest = query;
    struct query_param q;
    while (query_next(&rest, &q)) {
        CHECK(q.raw.n > 0 && str_index(q.raw, '&') == q.raw.n && str_index(q.name, '=') == q.name.n);
        CHECK(q.raw.n == q.name.n + q.has_value + q.value.n && str_starts(q.raw, q.name) &&
              str_ends(q.raw, q.value));
        CHECK(q.has_value == (str_index(q.raw, '=') < q.raw.n));
        memcpy(joined + n, q.raw.p, q.raw.n);
        n += q.raw.n;
        pieces++;
    }
    for (size_t i = 0, k = 0; i < query.n; i++) {
        if (query.p[i] == '&') {
            amps++;
            continue;
        }
        CHECK(k < n && joined[k++] == query.p[i]);
    }
    CHECK(n + amps == query.n && pieces <= amps + 1);
    if (query_check(query) == HTTP_ERROR_NONE)
        for (size_t i = 0; i < query.n; i++)
            CHECK(query.p[i] > 0x20 && query.p[i] < 0x7f && query.p[i] != '#');
}

/* Decoding is one pass over the bytes, and of what has nothing to decode it makes no copy. */
static void check_decoding(struct str s, struct arena *a)
{
    struct str out = query_decode(s, a);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++, n++) {
        bool encoded = s.p[i] == '%' && i + 2 < s.n && hex(s.p[i + 1]) >= 0 && hex(s.p[i + 2]) >= 0;
        int byte = encoded ? hex(s.p[i + 1]) * 16 + hex(s.p[i + 2]) : s.p[i] == '+' ? ' ' : s.p[i];
        CHECK(n < out.n && out.p[n] == (char)byte);
        i += encoded ? 2 : 0;
    }
    CHECK(n == out.n);
    if (str_index(s, '%') == s.n && str_index(s, '+') == s.n)
        CHECK(out.p == s.p);
}

/* What is encoded is ASCII, and is the input again when it is decoded; twice is as once. */
static void check_encoding(struct str raw, struct arena *a)
{
    struct str out, again;
    if (!target_encode(raw, a, &out)) {
        CHECK(!str_is_utf8(raw));
        return;
    }
    size_t k = 0;
    for (size_t i = 0; i < raw.n; i++) {
        unsigned char c = (unsigned char)raw.p[i];
        if (c < 0x80) {
            CHECK(k < out.n && out.p[k++] == raw.p[i]);
            continue;
        }
        CHECK(k + 3 <= out.n && out.p[k] == '%' && out.p[k + 1] == "0123456789ABCDEF"[c >> 4] &&
              out.p[k + 2] == "0123456789ABCDEF"[c & 15]);
        k += 3;
    }
    CHECK(k == out.n);
    CHECK(target_encode(out, a, &again) && again.p == out.p && again.n == out.n);
}

static void check_host(struct str raw, bool https, struct arena *a)
{
    struct host h, again;
    if (host_parse(raw, https, a, &h) != HTTP_ERROR_NONE)
        return;
    CHECK(h.name.n > 0 && h.name.n <= 255 && h.port != (https ? 443 : 80) && !str_ends(h.name, STR(".")));
    for (size_t i = 0; i < h.name.n; i++) {
        char c = h.name.p[i];
        CHECK((c >= 'a' && c <= 'z') || is_digit(c) || (c && strchr("[]:-_.", c)));
    }
    if (h.name.p[0] != '[')
        CHECK(str_index(h.name, ':') == h.name.n && str_index(h.name, '[') == h.name.n);
    struct str spelled = h.port ? arena_printf(a, "%.*s:%u", STR_ARG(h.name), h.port) : h.name;
    CHECK(str_eq(h.authority, spelled));
    CHECK(host_parse(spelled, https, a, &again) == HTTP_ERROR_NONE);
    CHECK(str_eq(again.name, h.name) && again.port == h.port);
    CHECK(again.name.p == spelled.p && again.authority.p == spelled.p && str_eq(again.authority, spelled));
}

static void check_target(struct str raw, struct arena *a)
{
    struct target t;
    if (target_parse(raw, &t) != HTTP_ERROR_NONE)
        return;
    struct str back =
        arena_printf(a, "%.*s%s%.*s%.*s%s%.*s", STR_ARG(t.scheme), t.scheme.n ? "://" : "",
                     STR_ARG(t.authority), STR_ARG(t.path), t.has_query ? "?" : "", STR_ARG(t.query));
    switch (t.form) {
    case TARGET_ORIGIN: CHECK(str_eq(back, raw) && raw.p[0] == '/'); break;
    case TARGET_ASTERISK: CHECK(str_eq(raw, STR("*")) && str_eq(back, raw)); return;
    case TARGET_ABSOLUTE:
        CHECK(t.scheme.n && t.authority.n && str_starts_nocase(raw, t.scheme));
        /* a path may have been added */
        CHECK(back.n == raw.n || (back.n == raw.n + 1 && str_eq(t.path, STR("/"))));
        check_host(t.authority, str_eq(t.scheme, STR("https")), a);
        break;
    }
    CHECK(t.has_query || t.query.n == 0);
    CHECK(t.path.n && t.path.p[0] == '/');
    if (t.is_normal) {
        struct str path;
        CHECK(path_normalize(t.path, a, &path) == HTTP_ERROR_NONE && path.p == t.path.p &&
              path.n == t.path.n);
        CHECK(query_check(t.query) == HTTP_ERROR_NONE);
    }
    check_path(t.path, a);
    check_query(t.query, a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct str s = { (const char *)data, size };
    arena_init(&a, 4096);
    check_target(s, &a);
    check_host(s, false, &a);
    check_host(s, true, &a);
    check_query(s, &a);
    check_decoding(s, &a);
    check_encoding(s, &a);
    if (target_encode(s, &a, &s))
        check_target(s, &a);
    if (size && data[0] == '/')
        check_path(s, &a);
    arena_fini(&a);
    return 0;
}
