/*
 * Finds the links to assets in the bytes of a page, a script or a style sheet, so that a file that nobody has
 * asked for yet can be fetched while its build still runs. It parses none of these languages. It takes each
 * run of bytes between quotes, white space and the like, undoes what may be escaped in it, resolves it, and
 * reports it when it is a file below an asset prefix of the site. So a mistake costs a request that finds
 * nothing, and no trick of quoting hides the rest of a document.
 *
 * Taken are: absolute URLs of the document's host, with and without scheme; absolute paths; relative ones
 * that begin with ./ or ../; and bare names (x.js, dir/x.js) which stand alone in quotes, in url(), in src,
 * href and poster without quotes, or in srcset and imagesrcset. Resolved as RFC 3986 §5, with the document's
 * own path as base. A bare name that says the end of a prefix is relative to what is before it as well, as
 * bundlers write their lists: "_nuxt/x.js" to "/", "static/chunks/x.js" to "/_next/".
 * Undone: \/ \u002F \x2F and quotes behind backslashes, also several, as JSON in JSON has them; &amp; and the
 * numeric and five named references that quotes and slashes have.
 * Not found: names made at run time, names with a space, and what <base href> moves.
 *
 * Pure: no memory of its own, time linear in the document. One thread at a time uses a scan.
 */
#ifndef DEPLOY_LINKS_H
#define DEPLOY_LINKS_H

#include "conf/settings.h"

#define LINKS_MOST       2048 /* links of one document; the rest is not looked at */
#define LINKS_STRING_MAX 2048 /* longer texts are skipped */
#define LINKS_BASE_MAX   256  /* longest folder of a site */

/* Called for each link, once a document, from within links_feed and links_end. The path is normalised
 * (path_normalize) and has the query as it stands in the document, without fragment. It ends with the call.
 */
typedef void links_found_fn(void *ctx, struct str path_and_query);

/* Must live, with its strings, as long as the scan. */
struct links_document {
    const struct site_settings *site; /* for asset_prefixes */
    struct str authority;             /* the document's own: "name" or "name:port" (struct host) */
    struct str path;                  /* its normalised path, without query */
};

/* Some 20 KiB: for the heap. All is private to links.c. */
struct links {
    const struct links_document *document;
    links_found_fn *found;
    void *ctx;
    unsigned found_n;
    bool in_assets; /* the document is itself below a prefix */
    bool has_base;  /* base is known */
    size_t base_n;  /* the folder that the site is in, without slash at its end: mostly empty */
    char base[LINKS_BASE_MAX];
    uint64_t prefixes_met; /* bit i: a path below prefix i was met */
    int escape;            /* where in a backslash's sequence we are */
    unsigned code, digits; /* the character that it names so far, and digits to come */
    /* The text that is being read, and what stood before it. */
    size_t n, fragment, reference; /* place behind the first '#', behind the last '&'; 0: none */
    bool is_name;                  /* nothing but letters, '-' and ':' so far */
    bool is_too_long;
    bool is_held;                 /* it ended in a quote; the next byte says whether it was a key */
    unsigned char before, opener; /* the byte that began it, and the one right before that */
    int attribute;                /* before is the '=' of an attribute: of which kind */
    unsigned char list_quote;     /* within srcset: the quote that ends it */
    char text[LINKS_STRING_MAX];
    uint32_t seen[2 * LINKS_MOST];
};

/* May documents of this Content-Type have links: pages, scripts, style sheets, and server components? */
bool links_may_have(struct str content_type);
/* Begins a scan. The bytes are in no content coding and in a coding that holds ASCII. */
void links_init(struct links *l, const struct links_document *document, links_found_fn *found, void *ctx);
/* Takes the next bytes of the document. Where they are cut does not matter. */
void links_feed(struct links *l, struct str piece);
/* Ends the document: its last bytes may still be a link. */
void links_end(struct links *l);

#endif
