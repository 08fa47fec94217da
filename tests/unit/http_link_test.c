/* RFC 8288 §3: where a link of a Link field ends, and which relation types it has. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"

#include "http/link.h"

static void takes_links_one_by_one(void **state)
{
    static const struct {
        struct str value;
        const char *links[4];
    } rows[] = {
        { STR_INIT("</a.css>; rel=preload"), { "</a.css>; rel=preload" } },
        { STR_INIT("</a>;rel=a, </b>;rel=b ,</c>"), { "</a>;rel=a", "</b>;rel=b", "</c>" } },
        { STR_INIT("</a,b>; rel=x, </c>"), { "</a,b>; rel=x", "</c>" } },
        { STR_INIT("</a>; title=\"x, \\\" </y>\"; rel=z, </c>"),
          { "</a>; title=\"x, \\\" </y>\"; rel=z", "</c>" } },
        { STR_INIT(" , ,</a>,"), { "</a>" } },
        { STR_INIT("junk, </a>"), { "</a>" } },
        { STR_INIT("</never closed, </a>"), { "</never closed, </a>" } },
        { STR_INIT("</a>; t=\"open, </b>"), { "</a>; t=\"open, </b>" } },
        { STR_INIT("</a>; t=\"ends in \\"), { "</a>; t=\"ends in \\" } },
        { STR_INIT(""), { NULL } },
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct str rest = rows[i].value, link;
        for (size_t k = 0; k < 4; k++) {
            bool is = link_next(&rest, &link);
            assert_int_equal(is, rows[i].links[k] != NULL);
            if (!is)
                break;
            assert_true(str_eq(link, str_from(rows[i].links[k])));
        }
    }
}

static void finds_relation_types(void **state)
{
    static const struct {
        struct str link;
        bool has;
    } rows[] = {
        { STR_INIT("</a>; rel=preload"), true },
        { STR_INIT("</a>;REL=PreLoad"), true },
        { STR_INIT("</a>; as=style; rel=\"stylesheet preload\""), true },
        { STR_INIT("</a>; rel = \"preload\""), true },
        { STR_INIT("</a>; rel=\"preloaded\""), false },
        { STR_INIT("</a>; rel=stylesheet; rel=preload"), false }, /* the first counts */
        { STR_INIT("</rel=preload>; rel=next"), false },
        { STR_INIT("</a>; title=\"; rel=preload\""), false },
        { STR_INIT("</a>; rel=\"\""), false },
        { STR_INIT("</a>; rel"), false },
        { STR_INIT("</a>"), false },
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_int_equal(link_has_rel(rows[i].link, STR("preload")), rows[i].has);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_links_one_by_one),
        cmocka_unit_test(finds_relation_types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
