/* Link: each link begins with its target, lies in the field in order, and no comma that ends one is lost; a
 * relation type that a link has is somewhere in it. Input: the field's value. */
#include "base/check.h"
#include "http/link.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool has_text(struct str in, struct str text)
{
    for (size_t i = 0; i + text.n <= in.n; i++)
        if (str_eq_nocase(str_first(str_from_index(in, i), text.n), text))
            return true;
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str value = { (const char *)data, size }, rest = value, link, again, inner;
    const char *at = value.p;
    while (link_next(&rest, &link)) {
        CHECK(link.n > 0 && link.p[0] == '<' && link.p >= at && link.p + link.n <= value.p + value.n);
        CHECK(rest.n == 0 || (rest.p + rest.n == value.p + value.n && rest.p >= link.p + link.n));
        at = link.p + link.n;
        inner = link;
        CHECK(link_next(&inner, &again) && str_eq(again, link) && !link_next(&inner, &again));
        CHECK(!link_has_rel(link, STR("preload")) ||
              (has_text(link, STR("rel")) && has_text(link, STR("preload"))));
    }
    CHECK(rest.n == 0);
    return 0;
}
