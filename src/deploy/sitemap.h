/*
 * Reads a sitemap (sitemaps.org 0.9): XML with <urlset> or <sitemapindex>, or plain text with one URL a line.
 * Gives each URL as it stands there. Takes <loc> of <url> and of <sitemap> only; extensions have prefixes and
 * are passed over. Undoes CDATA and references of characters; knows no other entity, so nothing can be blown
 * up. It checks no more of XML than it needs.
 *
 * Pure: no memory of its own, time linear in the document. One thread at a time uses a reader.
 */
#ifndef DEPLOY_SITEMAP_H
#define DEPLOY_SITEMAP_H

#include "base/str.h"

#define SITEMAP_URL_MAX  2048  /* longer ones are no URLs (sitemaps.org: "less than 2,048 characters") */
#define SITEMAP_MOST     50000 /* URLs of one file, as sitemaps.org has it */
#define SITEMAP_NAME_MAX 16

enum sitemap_kind {
    SITEMAP_PAGE, /* a URL of the site */
    SITEMAP_FILE, /* another sitemap: it stands in an index */
};

/* Called for each URL, from within sitemap_feed and sitemap_end: http or https, without white space and
 * control characters; otherwise unchecked, and of any host. It ends with the call. */
typedef void sitemap_found_fn(void *ctx, enum sitemap_kind kind, struct str url);

enum sitemap_result {
    SITEMAP_WHOLE, /* read to its end; lines of text are always whole */
    SITEMAP_CUT,   /* the document ends before <urlset> or <sitemapindex> does */
    SITEMAP_FULL,  /* it has more than SITEMAP_MOST URLs; the rest was not read */
    SITEMAP_OTHER, /* it is no sitemap: its root is another element, or no line is a URL */
};

/* Some 2 KiB. All is private to sitemap.c. */
struct sitemap {
    sitemap_found_fn *found;
    void *ctx;
    unsigned found_n;
    int state, quote;
    unsigned depth; /* square brackets of a DOCTYPE that are open */
    bool is_index, has_root, is_closed, is_full;
    enum { SITEMAP_IN_NONE, SITEMAP_IN_URL, SITEMAP_IN_LOC } in;
    size_t matched;              /* bytes of a mark that have come: of "]]>", "-->", "?>" */
    char name[SITEMAP_NAME_MAX]; /* of the tag; cut */
    size_t name_n;
    bool is_end_tag, is_empty_tag; /* </a>, <a/> */
    size_t reference;              /* where in `url` a reference began, and one more; 0: none is open */
    char url[SITEMAP_URL_MAX];
    size_t url_n;
    bool is_bad; /* too long, or not a URL */
};

/* Begins a file, decoded (coding/decode.h) and in UTF-8. */
void sitemap_init(struct sitemap *s, sitemap_found_fn *found, void *ctx);
/* Takes the next bytes. Where they are cut does not matter. */
void sitemap_feed(struct sitemap *s, struct str piece);
/* Ends the file. Returns what it was. */
enum sitemap_result sitemap_end(struct sitemap *s);

#endif
