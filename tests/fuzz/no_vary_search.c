/* No-Vary-Search: what is read has sorted names, within the limit and in UTF-8; its canonical text reads back
 * as the same; an invalid value says nothing. Input: the limit, then the value. */
#include <string.h>

#include "base/check.h"
#include "http/no_vary_search.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_read(const struct no_vary_search *v, size_t names_max)
{
    CHECK(v->names.n <= names_max);
    for (size_t i = 0; i < v->names.n; i++)
        CHECK(str_is_utf8(v->names.v[i]) && (i == 0 || str_cmp(v->names.v[i - 1], v->names.v[i]) < 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct no_vary_search v, again;
    size_t max = size ? data[0] % 8 : 0;
    struct str value = { (const char *)data + (size > 0), size - (size > 0) };
    arena_init(&a, 4096);
    bool good = no_vary_search_parse(value, max, &a, &v);
    struct str text = no_vary_search_canonical(&v, &a);
    check_read(&v, max);
    CHECK(good || (text.n == 0 && !v.any_order && !v.keeps_listed));
    if (text.n) {
        CHECK(no_vary_search_parse(text, max, &a, &again));
        CHECK(str_eq(no_vary_search_canonical(&again, &a), text));
        CHECK(again.any_order == v.any_order && again.keeps_listed == v.keeps_listed &&
              again.names.n == v.names.n);
        /* It is written into a rule's text, whose parts end with "; ". */
        CHECK(str_index(text, ';') == text.n);
    }
    arena_fini(&a);
    return 0;
}
