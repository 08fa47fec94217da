/* The URLs of sitemaps are read as sitemaps.org has them, in XML and in text, wherever the bytes are cut;
 * what is no sitemap is told so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/check.h"
#include "deploy/sitemap.h"

static void collect(void *ctx, enum sitemap_kind kind, struct str url)
{
    struct buf *b = ctx;
    buf_printf(b, "%s%s%.*s", b->n ? " " : "", kind == SITEMAP_FILE ? "+" : "", STR_ARG(url));
}

static void feed(struct sitemap *s, struct str piece)
{
    char *copy = malloc(piece.n ? piece.n : 1);
    assert_non_null(copy);
    if (piece.n)
        memcpy(copy, piece.p, piece.n);
    sitemap_feed(s, (struct str){ copy, piece.n });
    free(copy);
}

static void assert_reads(struct str text, enum sitemap_result result, const char *urls)
{
    struct buf out = BUF_INIT;
    struct sitemap s;
    for (size_t cut = 0; cut <= text.n; cut++) {
        buf_clear(&out);
        sitemap_init(&s, collect, &out);
        feed(&s, str_first(text, cut));
        feed(&s, (struct str){ text.p + cut, text.n - cut });
        assert_int_equal(sitemap_end(&s), result);
        if (!str_eq(buf_str(&out), str_from(urls)))
            fail_msg("%.*s\n gives %.*s\n, not %s", STR_ARG(text), STR_ARG(buf_str(&out)), urls);
    }
    buf_fini(&out);
}

#define SET(inside)                                                                                          \
    STR("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<urlset "                                               \
        "xmlns=\"http://www.sitemaps.org/schemas/sitemap/0.9\">" inside "</urlset>\n")
#define URL(loc) "<url><loc>" loc "</loc></url>"

static void reads_a_set(void **state)
{
    (void)state;
    assert_reads(SET(""), SITEMAP_WHOLE, "");
    assert_reads(
        SET("\n <url>\n  <loc>\n   https://a.example/x \n  </loc>\n  <lastmod>2026-01-01</lastmod>\n </url>"),
        SITEMAP_WHOLE, "https://a.example/x");
    assert_reads(SET(URL("http://a/1") "<!-- <url><loc>http://a/no</loc></url> -- > -->" URL("HTTPS://a/2")),
                 SITEMAP_WHOLE, "http://a/1 HTTPS://a/2");
    assert_reads(
        SET("<url><image:image><image:loc>http://a/i.png</image:loc></image:image><loc>http://a/1</loc>"
            "<xhtml:link rel=\"alternate\" hreflang='de' href=\"http://a/de>\"/></url>"),
        SITEMAP_WHOLE, "http://a/1");
    assert_reads(
        SET("<loc>http://a/stray</loc><url><LOC>http://a/case</LOC></url><urlx><loc>http://a/x</loc></urlx>"),
        SITEMAP_WHOLE, "");
    assert_reads(STR("\xef\xbb\xbf \r\n<!DOCTYPE urlset [ <!ENTITY x \"]>\"> ]>\n<urlset ><url ><loc "
                     ">http://a/1</loc ></url ></urlset >rest<url>"),
                 SITEMAP_WHOLE, "http://a/1");
    assert_reads(STR("<urlset/>"), SITEMAP_WHOLE, "");
}

static void reads_an_index(void **state)
{
    (void)state;
    assert_reads(
        STR("<sitemapindex xmlns='x'><sitemap><loc>http://a/1.xml</loc><lastmod>x</lastmod></sitemap>"
            "<url><loc>http://a/page</loc></url><sitemap><loc>http://a/2.xml.gz</loc></sitemap></"
            "sitemapindex>"),
        SITEMAP_WHOLE, "+http://a/1.xml +http://a/2.xml.gz");
}

static void undoes_references(void **state)
{
    (void)state;
    assert_reads(SET(URL("http://a/?a=1&amp;b=2&#38;c&#x3D;&apos;&quot;")), SITEMAP_WHOLE,
                 "http://a/?a=1&b=2&c='\"");
    assert_reads(SET(URL("http://a/&#228;&#x20AC;&#x1F600;")), SITEMAP_WHOLE,
                 "http://a/\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80");
    /* What is none stands for itself. */
    assert_reads(SET(URL("http://a/?a&b=2;&x;&#xd800;&#0;&#x110000;&amp;amp;")), SITEMAP_WHOLE,
                 "http://a/?a&b=2;&x;&#xd800;&#0;&#x110000;&amp;");
    assert_reads(SET(URL("<![CDATA[http://a/?a&amp;b]]]x]]>&amp;c")), SITEMAP_WHOLE,
                 "http://a/?a&amp;b]]]x&c");
    assert_reads(SET(URL("<![CDATA[http://a/b]]]>")), SITEMAP_WHOLE, "http://a/b]");
    assert_reads(SET("<![CDATA[" URL("http://a/no") "]]>" URL("http://a/1")), SITEMAP_WHOLE, "http://a/1");
    /* An entity of its own is not known. */
    assert_reads(
        STR("<!DOCTYPE urlset [<!ENTITY a \"http://a/\">]><urlset>" URL("&a;") URL("http://&a;") "</urlset>"),
        SITEMAP_WHOLE, "http://&a;");
}

static void gives_urls_only(void **state)
{
    (void)state;
    assert_reads(SET(URL("") URL("/x") URL("ftp://a/") URL("http://a/x y") URL("http://a/\x01")
                         URL("http://a/&#10;b") URL("http://a/<b/>c") "<url><loc/></url>" URL("http://a/ok")),
                 SITEMAP_WHOLE, "http://a/ok");
}

static void reads_lines(void **state)
{
    (void)state;
    assert_reads(STR("http://a/1\r\n\n  https://a/2 \nnothing\n/x\nhttp://a/3&amp;4"), SITEMAP_WHOLE,
                 "http://a/1 https://a/2 http://a/3&amp;4");
    assert_reads(STR("\xef\xbb\xbfhttp://a/1"), SITEMAP_WHOLE, "http://a/1");
}

static void tells_what_is_none(void **state)
{
    (void)state;
    assert_reads(STR(""), SITEMAP_OTHER, "");
    assert_reads(STR("not found\n"), SITEMAP_OTHER, "");
    assert_reads(STR("<!doctype html><html><url><loc>http://a/1</loc></url></html>"), SITEMAP_OTHER, "");
    assert_reads(STR("<urlsets>" URL("http://a/1")), SITEMAP_OTHER, "");
    assert_reads(STR("<urlset>" URL("http://a/1") "<url><loc>http://a/2"), SITEMAP_CUT, "http://a/1");
    assert_reads(STR("<urlset>" URL("http://a/1") "</sitemapindex>"), SITEMAP_CUT, "http://a/1");
    assert_reads(STR("<urlset"), SITEMAP_OTHER, "");
}

static void skips_what_is_too_long(void **state)
{
    (void)state;
    for (int n = SITEMAP_URL_MAX - 2; n <= SITEMAP_URL_MAX + 2; n++) {
        struct buf text = BUF_INIT, out = BUF_INIT, expect = BUF_INIT;
        buf_printf(&text, "<urlset><url><loc>http://a/%0*d \n </loc></url>" URL("http://a/2") "</urlset>",
                   n - 9, 0);
        if (n <= SITEMAP_URL_MAX)
            buf_printf(&expect, "http://a/%0*d ", n - 9, 0);
        buf_add(&expect, STR("http://a/2"));
        struct sitemap s;
        sitemap_init(&s, collect, &out);
        feed(&s, buf_str(&text));
        assert_int_equal(sitemap_end(&s), SITEMAP_WHOLE);
        assert_true(str_eq(buf_str(&out), buf_str(&expect)));
        buf_fini(&text);
        buf_fini(&out);
        buf_fini(&expect);
    }
}

static void count(void *ctx, enum sitemap_kind kind, struct str url)
{
    assert_int_equal(kind, SITEMAP_PAGE);
    assert_true(url.n > 0);
    ++*(unsigned *)ctx;
}

static void has_a_limit(void **state)
{
    (void)state;
    static const char *lines[] = { "http://a/\n", URL("http://a/") };
    for (size_t k = 0; k < COUNT_OF(lines); k++) {
        for (unsigned more = 0; more < 2; more++) {
            struct sitemap s;
            unsigned n = 0;
            sitemap_init(&s, count, &n);
            feed(&s, k ? STR("<urlset>") : STR(""));
            for (unsigned i = 0; i < SITEMAP_MOST + more; i++)
                sitemap_feed(&s, str_from(lines[k]));
            feed(&s, k ? STR("</urlset>") : STR(""));
            assert_int_equal(sitemap_end(&s), more ? SITEMAP_FULL : SITEMAP_WHOLE);
            assert_int_equal(n, SITEMAP_MOST);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_a_set),
        cmocka_unit_test(reads_an_index),
        cmocka_unit_test(undoes_references),
        cmocka_unit_test(gives_urls_only),
        cmocka_unit_test(reads_lines),
        cmocka_unit_test(tells_what_is_none),
        cmocka_unit_test(skips_what_is_too_long),
        cmocka_unit_test(has_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
