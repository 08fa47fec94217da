/* Links to assets are found in pages, scripts and style sheets as frameworks write them, wherever the bytes
 * are cut; what is no link costs nothing. */
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
#include "deploy/links.h"

static struct str prefixes[] = { STR_INIT("/_next/static/"), STR_INIT("/_nuxt/"),
                                 STR_INIT("/_app/immutable/"), STR_INIT("/_astro/"), STR_INIT("/assets/") };
static struct site_settings site;

static void collect(void *ctx, struct str link)
{
    struct buf *b = ctx;
    assert_true(link.n > 0 && link.p[0] == '/');
    if (b->n)
        buf_add_char(b, ' ');
    buf_add(b, link);
}

/* One piece, in a block of exactly its size. */
static void feed(struct links *l, struct str s)
{
    char *copy = malloc(s.n ? s.n : 1);
    assert_non_null(copy);
    memcpy(copy, s.p, s.n);
    links_feed(l, (struct str){ copy, s.n });
    free(copy);
}

/* Scans text cut into three. */
static void scan(const struct links_document *d, struct str text, size_t first, size_t second,
                 struct buf *out)
{
    struct links *l = malloc(sizeof(*l));
    assert_non_null(l);
    buf_clear(out);
    links_init(l, d, collect, out);
    feed(l, str_first(text, first));
    feed(l, (struct str){ text.p + first, second - first });
    feed(l, (struct str){ text.p + second, text.n - second });
    links_end(l);
    free(l);
}

static void assert_links_at(const char *path, struct str text, const char *links)
{
    struct links_document d = { &site, STR("www.example:8080"), str_from(path) };
    struct buf out = BUF_INIT;
    site.asset_prefixes.v = prefixes;
    site.asset_prefixes.n = COUNT_OF(prefixes);
    for (size_t cut = 0; cut <= text.n; cut++) {
        scan(&d, text, cut, cut + (text.n - cut) / 2, &out);
        if (!str_eq(buf_str(&out), str_from(links)))
            fail_msg("%.*s\n gives %.*s\n, not %s, cut at %zu", STR_ARG(text), STR_ARG(buf_str(&out)), links,
                     cut);
    }
    buf_fini(&out);
}

static void assert_links(const char *path, const char *text, const char *links)
{
    assert_links_at(path, str_from(text), links);
}

static void in_a_page(void **state)
{
    (void)state;
    assert_links("/", "<script src=\"/_nuxt/a.js\"></script><link href='/_nuxt/b.css'>",
                 "/_nuxt/a.js /_nuxt/b.css");
    assert_links("/", "<script src=/_nuxt/a.js></script><link href=/_nuxt/b.css rel=x>",
                 "/_nuxt/a.js /_nuxt/b.css");
    assert_links("/", "<img srcset=\"/_astro/a.png 1x,/_astro/b.png 2x, /_astro/c.png 3x\">",
                 "/_astro/a.png /_astro/b.png /_astro/c.png");
    assert_links("/", "<link imagesrcset=\"assets/a.png 1x,assets/b.png 2x\" alt='assets/c.png 1x'>",
                 "/assets/a.png /assets/b.png");
    assert_links("/", "<img srcset=assets/a.png><img src=assets/b.png><img alt=assets/c.png >",
                 "/assets/a.png /assets/b.png");
    assert_links("/", "<a href = \"/assets/x.pdf#page=2\">", "/assets/x.pdf");
    assert_links("/", "<p style=\"background:url(/assets/a.png)\">", "/assets/a.png");
    assert_links("/", "<p style=\"background:url(&quot;/assets/a.png&quot;)\">", "/assets/a.png");
    /* An apostrophe is not the begin of a string. */
    assert_links("/", "<p>it's <b>5\" <img src=\"/assets/a.png\">", "/assets/a.png");
    assert_links(
        "/",
        "<astro-island component-url=\"/_astro/a.js\" props=\"{&quot;x&quot;:&quot;/_astro/b.png&quot;}\">",
        "/_astro/a.js /_astro/b.png");
    assert_links("/", "<link href=\"/assets/a.js?a=1&amp;b=2&#38;c=3\">", "/assets/a.js?a=1&b=2&c=3");
    assert_links("/", "<link href=\"/assets/a.js?a=1&b=2&amp;amp;c\">", "/assets/a.js?a=1&b=2&amp");
    assert_links("/", "<link href=\"&#x2F;assets&#47;a.js\">", "/assets/a.js");
    assert_links("/", "<link href=\"/assets/\xc3\xa4.js\"><link href='/assets/&#228;.css'>",
                 "/assets/%C3%A4.js /assets/%C3%A4.css");
}

static void in_scripts(void **state)
{
    (void)state;
    assert_links("/_nuxt/e.js", "import{a as b}from\"./a.js\";import'./b.js';import(`./c.js`)",
                 "/_nuxt/a.js /_nuxt/b.js /_nuxt/c.js");
    assert_links("/_app/immutable/entry/s.js", "from\"../chunks/a.js\",\"../nodes/0.x.css\"",
                 "/_app/immutable/chunks/a.js /_app/immutable/nodes/0.x.css");
    /* JSON in a script, JSON in JSON, escapes by number. */
    assert_links(
        "/", "{\"a\":\"\\/_nuxt\\/a.js\",\"b\":\"\\u002F_nuxt\\u002fb.js\",\"c\":\"\\x2f_nuxt\\x2fc.js\"}",
        "/_nuxt/a.js /_nuxt/b.js /_nuxt/c.js");
    assert_links("/",
                 "push([1,\"1:[\\\"/_next/static/a.js\\\",\\\\\\\"/_next/static/b.js\\\\\\\"]\\n/_next/"
                 "static/c.js\"])",
                 "/_next/static/a.js /_next/static/b.js /_next/static/c.js");
    assert_links("/", "\"/_next/static/a.js?dpl=x\\u0026y=1\"", "/_next/static/a.js?dpl=x&y=1");
    assert_links("/", "\"/_next/static/\\u00e4.js\" \"/_next/static/\\ud83d\\ude00.js\"",
                 "/_next/static/%C3%A4.js");
    assert_links("/_nuxt/e.js", "new URL(\"w.js\",import.meta.url)", "/_nuxt/w.js");
    assert_links("/", "`/assets/${e}.js`+\"/assets/\"+e+\".js\"", "");
    /* No code between two strings is taken for one. */
    assert_links("/assets/e.js", "\"a\"+e.js+\"b\"[e.css]\"c\"?e.js:\"d\".x.js,'x'.y.js'z'", "");
    assert_links("/assets/e.js", "\"x-y.js\"+e+\"-a.js\",e+\".b.js\"", "/assets/x-y.js");
    /* A name is not an asset because it has a dot; a key of a map is not fetched, an alternative is. */
    assert_links("/assets/e.js",
                 "\"e.target.value\",\"v1.2\",\"./x.vue\",\"./x.js.map\",\"/assets/x.js.map\"", "");
    assert_links("/assets/e.js", "{\"./af.js\":1,\"./ar.js\":2}", "");
    assert_links("/assets/e.js", "{a:\"./a.js\",b:e?\"./b.js\":\"./c.js\",d:[\"./d.js\",\"./e2.js\"]}",
                 "/assets/a.js /assets/b.js /assets/c.js /assets/d.js /assets/e2.js");
    assert_links("/assets/e.js", "{\"/assets/a.js\":1,\"./b.js\"", "/assets/a.js /assets/b.js");
    assert_links("/assets/e.js", ",\"./a.js\"\\u0026", "/assets/a.js");
}

static void in_style_sheets(void **state)
{
    (void)state;
    assert_links("/assets/css/e.css",
                 "@font-face{src:url(../f/a.woff2)format(\"woff2\"),url('b.woff'),URL(c.ttf)}",
                 "/assets/f/a.woff2 /assets/css/b.woff /assets/css/c.ttf");
    assert_links("/assets/e.css",
                 "@import\"./a.css\";@import url(b.css);x{background:url(i.svg#icon)0/cover}",
                 "/assets/a.css /assets/b.css /assets/i.svg");
    assert_links(
        "/assets/e.css",
        "x{background:url(data:image/png;base64,a/b.png)}y{src:url(https://else.example/assets/a.png)}", "");
}

static void bare_lists_of_bundlers(void **state)
{
    (void)state;
    assert_links("/_nuxt/e.js", "m.f=[\"_nuxt/a.js\",\"./_nuxt/b.css\",\"_nuxt/c.css\"]",
                 "/_nuxt/a.js /_nuxt/_nuxt/b.css /_nuxt/c.css");
    assert_links("/assets/e.js", "m.f=[\"assets/a.js\"]", "/assets/a.js");
    assert_links("/_app/immutable/e.js", "[\"_app/immutable/chunks/a.js\",\"immutable/b.js\"]",
                 "/_app/immutable/chunks/a.js /_app/immutable/b.js");
    /* Only where Next is known to be: below its prefix, or behind one of its links. */
    assert_links("/_next/static/chunks/e.js", "[\"static/chunks/a.js\",\"static/chunks/app/[s]/(g)/b.js\"]",
                 "/_next/static/chunks/a.js /_next/static/chunks/app/[s]/(g)/b.js");
    assert_links("/", "\"static/a.js\"", "");
    assert_links("/", "\"/_next/static/e.js\",\"static/a.js\"", "/_next/static/e.js /_next/static/a.js");
    /* A site in a folder. */
    assert_links("/shop/_next/static/chunks/e.js", "[\"static/chunks/a.js\"]",
                 "/shop/_next/static/chunks/a.js");
    assert_links("/shop/_nuxt/e.js", "[\"_nuxt/a.js\"]", "/shop/_nuxt/a.js");
    assert_links("/shop/p", "\"/shop/_nuxt/e.js\",\"_nuxt/a.js\"", "/shop/_nuxt/e.js /shop/_nuxt/a.js");
    /* Of a page that is not below a prefix both are tried. */
    assert_links("/shop/p", "\"_nuxt/a.js\"", "/_nuxt/a.js /shop/_nuxt/a.js");
}

static void resolves(void **state)
{
    (void)state;
    assert_links("/a/b/c", "\"../../_nuxt/a.js\" \"./_nuxt/b.js\" \"../../../_nuxt/c.js\"",
                 "/_nuxt/a.js /a/b/_nuxt/b.js /_nuxt/c.js");
    assert_links("/",
                 "\"https://www.example:8080/_nuxt/a.js\" \"//WWW.example:8080/_nuxt/b.js?x#y\" "
                 "\"HTTP://www.example:8080/_nuxt/c.js\"",
                 "/_nuxt/a.js /_nuxt/b.js?x /_nuxt/c.js");
    assert_links(
        "/", "\"https://www.example/_nuxt/a.js\" \"//x@www.example:8080/_nuxt/b.js\" \"//www.example:8080\"",
        "");
    assert_links(
        "/",
        "\"/_nuxt/x/../a.js\" \"/_nuxt/../a.js\" \"/_nuxt/%61%2f.js\" \"/_nuxt/%zz.js\" \"/_nuxt/%00.js\"",
        "/_nuxt/a.js /_nuxt/a%2F.js");
    assert_links("/", "\"/_nuxt/a.js?\" \"/_nuxt/a.js?%00\" \"/_nuxt/a.js\"", "/_nuxt/a.js? /_nuxt/a.js");
    assert_links("/", "\"..//x/_nuxt/a.js\" \"/..//x/_nuxt/b.js\"", "");
    /* A folder, a name of a dot only, and pages are none; the same link is told once. */
    assert_links("/", "\"/_nuxt/\" \"/_nuxt/a\" \"/_nuxt/.js\" \"/_nuxt/a.\" \"/a.js\" \"/_nuxt/a.js/\"", "");
    assert_links("/", "\"/_nuxt/a.js\",\"/_nuxt/a.js\",\"/_nuxt/./a.js\",\"/_nuxt/a.js?1\"",
                 "/_nuxt/a.js /_nuxt/a.js?1");
}

static void ports_of_schemes(void **state)
{
    (void)state;
    struct links_document d = { &site, STR("www.example"), STR("/") };
    struct buf out = BUF_INIT;
    struct str text = STR("\"https://www.example:443/_nuxt/a.js\",\"http://www.example:80/_nuxt/b.js\",\"//"
                          "www.example:81/_nuxt/c.js\"");
    scan(&d, text, 0, 0, &out);
    assert_true(str_eq(buf_str(&out), STR("/_nuxt/a.js /_nuxt/b.js")));
    buf_fini(&out);
}

/* A text longer than the limit is skipped, wherever it ends; the next one counts. */
static void long_texts(void **state)
{
    (void)state;
    static const char *ends[] = { "\"", "&quot;", "\\u0022" };
    for (size_t n = LINKS_STRING_MAX - 14; n < LINKS_STRING_MAX + 5; n++) {
        for (size_t i = 0; i < COUNT_OF(ends); i++) {
            struct buf text = BUF_INIT, out = BUF_INIT;
            buf_printf(&text, "\"/assets/%0*d.js%s/assets/b.js\"", (int)n, 0, ends[i]);
            struct links_document d = { &site, STR("www.example"), STR("/assets/e.js") };
            scan(&d, buf_str(&text), 0, 0, &out);
            size_t bytes = n + strlen("/assets/.js") + (i == 1 ? strlen("&quot") : 0);
            struct buf expect = BUF_INIT;
            if (bytes <= LINKS_STRING_MAX)
                buf_printf(&expect, "/assets/%0*d.js ", (int)n, 0);
            buf_add(&expect, STR("/assets/b.js"));
            assert_true(str_eq(buf_str(&out), buf_str(&expect)));
            buf_fini(&text);
            buf_fini(&out);
            buf_fini(&expect);
        }
    }
}

static void count(void *ctx, struct str link)
{
    (void)link;
    ++*(unsigned *)ctx;
}

static void has_a_limit(void **state)
{
    (void)state;
    struct links_document d = { &site, STR("www.example"), STR("/") };
    struct links *l = malloc(sizeof(*l));
    unsigned n = 0;
    assert_non_null(l);
    links_init(l, &d, count, &n);
    for (int i = 0; i < 2 * LINKS_MOST; i++) {
        char text[64];
        snprintf(text, sizeof(text), "\"/assets/%d.js\",\"/assets/0.js\",", i % (LINKS_MOST + 100));
        links_feed(l, str_from(text));
        if (i == LINKS_MOST - 2)
            assert_in_range(n, LINKS_MOST - 3, LINKS_MOST - 1); /* each once; two may look like one */
    }
    links_end(l);
    assert_int_equal(n, LINKS_MOST);
    free(l);
}

static void of_which_documents(void **state)
{
    (void)state;
    assert_true(links_may_have(STR("text/html; charset=utf-8")));
    assert_true(links_may_have(STR("Text/JavaScript")));
    assert_true(links_may_have(STR("application/javascript")));
    assert_true(links_may_have(STR("text/css ;charset=utf-8")));
    assert_true(links_may_have(STR("text/x-component")));
    assert_false(links_may_have(STR("application/json")));
    assert_false(links_may_have(STR("image/svg+xml")));
    assert_false(links_may_have(STR("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_a_page),          cmocka_unit_test(in_scripts),
        cmocka_unit_test(in_style_sheets),    cmocka_unit_test(bare_lists_of_bundlers),
        cmocka_unit_test(resolves),           cmocka_unit_test(ports_of_schemes),
        cmocka_unit_test(long_texts),         cmocka_unit_test(has_a_limit),
        cmocka_unit_test(of_which_documents),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
