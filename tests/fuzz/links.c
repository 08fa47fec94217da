/* Links are the same however the document is cut; each is a normalised path of a file below a prefix, told
 * once, and is found again where it stands alone. Input: a byte that chooses the document's path, the
 * document. */
#include "base/buf.h"
#include "cache/asset.h"
#include "deploy/links.h"
#include "http/url.h"
#include "pieces.h"

static struct str prefixes[] = { STR_INIT("/_next/static/"), STR_INIT("/_nuxt/"), STR_INIT("/assets/"),
                                 STR_INIT("/a/b/") };
static struct site_settings site = { .asset_prefixes = { prefixes, COUNT_OF(prefixes) } };

struct links_of {
    struct buf text; /* one link a line */
    unsigned n;
};

static void check_link(struct str link)
{
    struct arena a;
    struct str rest = link, path = str_cut(&rest, '?'), normal;
    arena_init(&a, 4096);
    CHECK(path_normalize(path, &a, &normal) == HTTP_ERROR_NONE && str_eq(normal, path));
    CHECK(!rest.p || query_check(rest) == HTTP_ERROR_NONE);
    CHECK(str_index(link, '#') == link.n && asset_is_below_prefix(&site, path));
    CHECK(memrchr(path.p, '.', path.n) > memrchr(path.p, '/', path.n));
    arena_fini(&a);
}

static void found(void *ctx, struct str link)
{
    struct links_of *r = ctx;
    check_link(link);
    r->n++;
    buf_add(&r->text, link);
    buf_add_char(&r->text, '\n');
}

static struct links_of scan(const struct links_document *d, struct str in, struct dice *dice)
{
    struct links_of r = { .text = BUF_INIT };
    struct links *l = malloc(sizeof(*l));
    CHECK(l);
    links_init(l, d, found, &r);
    size_t step = dice ? 1 + dice_roll(dice, in.n / 4 + 1) : in.n;
    for (size_t at = 0; at < in.n;) {
        size_t n = dice ? 1 + dice_roll(dice, step) : step;
        struct str piece = piece_copy(str_first(str_from_index(in, at), n));
        links_feed(l, piece);
        at += piece.n;
        piece_free(piece);
    }
    links_end(l);
    free(l);
    CHECK(r.n <= LINKS_MOST);
    return r;
}

/* Each link, in quotes and alone in a document. */
static void check_again(struct str links)
{
    struct links_document d = { &site, STR("x.example"), STR("/") };
    for (int i = 0; i < 20 && links.n; i++) {
        struct buf text = BUF_INIT;
        struct str link = str_cut(&links, '\n');
        buf_printf(&text, "\"%.*s\"", STR_ARG(link));
        struct links_of r = scan(&d, buf_str(&text), NULL);
        /* Not where '&' would begin a reference or "url(" another text, and a path may be as long as two. */
        if (str_index(link, '&') == link.n && str_index(link, '(') == link.n && link.n <= LINKS_STRING_MAX)
            CHECK(r.n == 1 && str_eq(str_first(buf_str(&r.text), link.n), link));
        buf_fini(&r.text);
        buf_fini(&text);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct str paths[] = { STR_INIT("/"), STR_INIT("/x/y"), STR_INIT("/_nuxt/e.js"),
                                        STR_INIT("/f/_next/static/c/e.js"), STR_INIT("/a/b/e.css") };
    if (size == 0)
        return 0;
    struct links_document d = { &site, STR("x.example"), paths[data[0] % COUNT_OF(paths)] };
    struct str in = { (const char *)data + 1, size - 1 };
    struct dice dice = dice_of(in);
    struct links_of whole = scan(&d, in, NULL), pieces = scan(&d, in, &dice);
    CHECK(whole.n == pieces.n && str_eq(buf_str(&whole.text), buf_str(&pieces.text)));
    check_again(buf_str(&whole.text));
    buf_fini(&whole.text);
    buf_fini(&pieces.text);
    return 0;
}
