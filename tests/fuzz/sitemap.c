/* A sitemap reads the same however it is cut; each URL is one of http or https without white space, and is
 * read again from a line of text and from XML of its own. Input: the file. */
#include "base/buf.h"
#include "deploy/sitemap.h"
#include "pieces.h"

struct urls {
    struct buf text; /* kind and URL, one a line */
    unsigned n;
    enum sitemap_result end;
};

static void found(void *ctx, enum sitemap_kind kind, struct str url)
{
    struct urls *r = ctx;
    CHECK(url.n <= SITEMAP_URL_MAX);
    CHECK(str_starts_nocase(url, STR("http://")) || str_starts_nocase(url, STR("https://")));
    for (size_t i = 0; i < url.n; i++)
        CHECK((unsigned char)url.p[i] > ' ' && url.p[i] != 0x7f);
    r->n++;
    buf_printf(&r->text, "%d ", kind);
    buf_add(&r->text, url);
    buf_add_char(&r->text, '\n');
}

static struct urls read_file(struct str in, struct dice *dice)
{
    struct urls r = { .text = BUF_INIT };
    struct sitemap s;
    sitemap_init(&s, found, &r);
    size_t step = dice ? 1 + dice_roll(dice, in.n / 4 + 1) : in.n;
    for (size_t at = 0; at < in.n;) {
        size_t n = dice ? 1 + dice_roll(dice, step) : step;
        struct str piece = piece_copy(str_first(str_from_index(in, at), n));
        sitemap_feed(&s, piece);
        at += piece.n;
        piece_free(piece);
    }
    r.end = sitemap_end(&s);
    CHECK(r.n <= SITEMAP_MOST && (r.end != SITEMAP_OTHER || r.n == 0));
    return r;
}

static void add_escaped(struct buf *b, struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '&' || s.p[i] == '<')
            buf_printf(b, "&#%d;", s.p[i]);
        else
            buf_add_char(b, s.p[i]);
    }
}

static void check_again(struct str lines)
{
    for (int i = 0; i < 20 && lines.n; i++) {
        struct str line = str_cut(&lines, '\n'), url = str_from_index(line, 2);
        struct buf xml = BUF_INIT;
        struct urls r = read_file(url, NULL);
        CHECK(r.n == 1 && r.end == SITEMAP_WHOLE &&
              str_eq(str_first(str_from_index(buf_str(&r.text), 2), url.n), url));
        buf_fini(&r.text);
        bool is_index = line.p[0] == '0' + SITEMAP_FILE;
        buf_printf(&xml, is_index ? "<sitemapindex><sitemap><loc>" : "<urlset><url><loc>");
        add_escaped(&xml, url);
        buf_printf(&xml, is_index ? "</loc></sitemap></sitemapindex>" : "</loc></url></urlset>");
        r = read_file(buf_str(&xml), NULL);
        CHECK(r.n == 1 && r.end == SITEMAP_WHOLE && str_eq(str_first(buf_str(&r.text), line.n), line));
        buf_fini(&r.text);
        buf_fini(&xml);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str in = { (const char *)data, size };
    struct dice dice = dice_of(in);
    struct urls whole = read_file(in, NULL), pieces = read_file(in, &dice);
    CHECK(whole.n == pieces.n && whole.end == pieces.end);
    CHECK(str_eq(buf_str(&whole.text), buf_str(&pieces.text)));
    check_again(buf_str(&whole.text));
    buf_fini(&whole.text);
    buf_fini(&pieces.text);
    return 0;
}
