/* Netlify-Vary: the canonical text of a rule parses to the same rule, saying things twice changes nothing,
 * the limit holds, and every name is one that its list may hold. Input: the value. */
#include <string.h>

#include "base/check.h"
#include "http/field.h"
#include "http/netlify_vary.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t groups_codes(const struct vary_groups *g)
{
    size_t n = 0;
    for (size_t i = 0; i < g->n; i++) {
        CHECK(g->v[i].n > 0);
        for (size_t k = 1; k < g->v[i].n; k++)
            CHECK(str_cmp(g->v[i].codes[k - 1], g->v[i].codes[k]) < 0);
        n += g->v[i].n;
    }
    return n;
}

static void check_sets(const struct netlify_vary *v, size_t names_max)
{
    for (size_t i = 0; i < v->query.n; i++) {
        CHECK(v->query.v[i].n > 0 && (i == 0 || str_cmp(v->query.v[i - 1], v->query.v[i]) < 0));
    }
    for (size_t i = 0; i < v->headers.n; i++) {
        struct str name = v->headers.v[i].name;
        CHECK(is_token(name) && !v->headers.v[i].presence && !str_eq(name, STR("cookie")));
        CHECK(i == 0 || str_cmp(v->headers.v[i - 1].name, name) < 0);
        for (size_t k = 0; k < name.n; k++)
            CHECK(name.p[k] == ascii_lower(name.p[k]));
    }
    for (size_t i = 0; i < v->cookies.n; i++)
        CHECK(v->cookies.v[i].name.n &&
              (i == 0 || str_cmp(v->cookies.v[i - 1].name, v->cookies.v[i].name) < 0));
    CHECK(v->query.n + v->headers.n + v->cookies.n + v->headers_ignored + groups_codes(&v->languages) +
              groups_codes(&v->countries) <=
          names_max);
    CHECK(v->query_some || v->query.n == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct str value = { (const char *)data, size };
    struct netlify_vary v, again;
    size_t max = size ? data[0] % 40 : 0;
    arena_init(&a, 4096);
    if (netlify_vary_parse(value, max, &a, &v)) {
        check_sets(&v, max);
        CHECK(netlify_vary_parse(value, max + 1, &a, &again));
        struct str text = netlify_vary_canonical(&v, &a);
        CHECK(str_index(text, ';') == text.n && str_index(text, ' ') == text.n);
        /* Names of fields and cookies are tokens, which may hold it. */
        CHECK(v.headers.n + v.cookies.n > 0 || str_index(text, '&') == text.n);
        CHECK(str_eq(text, netlify_vary_canonical(&again, &a)));
        if (text.n) {
            CHECK(netlify_vary_parse(text, max, &a, &again));
            CHECK(str_eq(netlify_vary_canonical(&again, &a), text));
            CHECK(again.headers_ignored == 0);
        }
        struct str twice = arena_printf(&a, "%.*s,%.*s", STR_ARG(value), STR_ARG(value));
        CHECK(netlify_vary_parse(twice, 2 * max, &a, &again));
        CHECK(str_eq(netlify_vary_canonical(&again, &a), text));
    }
    arena_fini(&a);
    return 0;
}
