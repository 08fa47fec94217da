/*
 * A purge as a value: what somebody wants gone, in the words in which it was asked for. It holds no names
 * and no hashes, so it can be written down as one line of text, read back, and applied later or by another
 * process, which makes the names by its own secret, settings and rules.
 *
 * Who wants to purge fills a struct purge, lets purge_check look at it when it came from outside, and calls
 * purge_apply. The API's JSON becomes a struct purge in admin/purge.h. What an unsafe method invalidates by
 * URL is no purge of this kind: origin/invalidate.h says why.
 *
 * All functions may be called on any thread, without a lock held. Strings of a purge belong to whoever
 * filled it.
 */
#ifndef CACHE_PURGE_H
#define CACHE_PURGE_H

#include "base/buf.h"
#include "cache/epoch.h"
#include "conf/settings.h"

struct cache;

#define PURGE_LIST_MAX 10000 /* members of each list */
#define PURGE_TEXT_MAX                                                                                       \
    ((size_t)2 << 20)      /* bytes of a line of purge_write; what the API takes is at most half as long */
#define PURGE_SAID_MAX 199 /* bytes of purge_say */

/* What a purge names: the site alone, or any of the lists. A list that is named may be empty: then it
 * purges nothing. */
enum purge_scope {
    PURGE_OF_SITE = 1, /* everything of the site; no list is named */
    PURGE_OF_TAGS = 2,
    PURGE_OF_URLS = 4,
    PURGE_OF_GROUPS = 8,
    PURGE_OF_PREFIXES = 16,
};

/* Who asked for it. */
enum purge_cause {
    PURGE_BY_API,    /* POST /api/v1/purge */
    PURGE_BY_RELOAD, /* the site's settings of key or store have changed */
    PURGE_BY_UNSAFE, /* an unsafe method was answered */
};

struct purge {
    unsigned scope; /* bits of enum purge_scope: PURGE_OF_SITE alone, or others */
    enum purge_kind kind;
    enum purge_cause cause;
    struct str site;   /* its name; empty: not named */
    struct str domain; /* a host of the site, to which URLs without a host belong; empty: not named */
    struct str origin; /* of the groups: "https://HOST", "http://HOST:PORT" */
    struct strs tags;
    struct strs urls;     /* absolute, or paths of the site */
    struct strs prefixes; /* the same, without a query: what is at them and below */
    struct strs groups;   /* cache groups (RFC 9875) */
};

/* Why a purge was refused. */
struct purge_error {
    int status;      /* for the answer: 400 malformed, 404 no such site or host, 413 too long */
    struct str text; /* a sentence that names the member and says what to do; in the arena */
    size_t at;       /* purge_read: the byte of the line at which it is wrong; else 0 */
};

/* What purge_apply did. */
struct purge_result {
    uint64_t sequence; /* number of the purge; of one that purges nothing: of the latest purge */
    size_t names;      /* how many names were purged; 0: the lists are empty */
};

/* Finds the site and looks at each tag, URL and prefix. Touches no cache. Call it for a purge from outside
 * before it is written down or applied. true: purge_apply takes it under the same settings, and p->site
 * names its site, unless URLs and prefixes alone are purged and each has a host. false: *error is set. */
bool purge_check(struct purge *p, const struct settings *settings, struct arena *a,
                 struct purge_error *error);

/* Does the purge name nothing, since its lists are empty? */
bool purge_is_empty(const struct purge *p);

/*
 * Purges what `p` names, in one step: its names are made from its text now, under the rules that are known
 * now. In force for every look-up that begins after the return, and for each response on its way.
 *
 * `settings`: those of the machine that applies it, not of the one that wrote it. `now_mono_ms`: a soft
 * purge's windows count from it. true: *out is set. false: *error is set, nothing was purged: these settings
 * have no such site or host, or refuse a tag.
 */
bool purge_apply(struct cache *c, const struct settings *settings, const struct purge *p, int64_t now_mono_ms,
                 struct arena *a, struct purge_result *out, struct purge_error *error);

/*
 * The text of a purge, one line of JSON (RFC 8259) without a line break:
 *
 *   {"purge":1,"kind":"hard","cause":"api","site":"shop","everything":true}
 *   {"purge":1,"kind":"soft","cause":"api","site":"shop","cache_tags":["book-1"],"urls":["/a?b=1"]}
 *   {"purge":1,"kind":"invalidate","cause":"unsafe-method","origin":"https://a.example","groups":["news"]}
 *
 * Members stand in this order, without white space. `purge` is the version of the form. `kind`: hard, soft,
 * invalidate; `cause`: api, reload, unsafe-method. `site` and `domain` are left out when they are not named.
 * Then comes `everything`, or one or more of `cache_tags`, `urls`, `prefixes`, and `origin` with `groups`.
 * Strings are UTF-8 without control characters; only " and \ are escaped, by a \.
 *
 * purge_write appends it to `to`. Each purge has one text, and purge_read takes nothing else: what it
 * accepts is written again byte by byte.
 */
void purge_write(const struct purge *p, struct buf *to);

/* Reads such a line. true: *out is set; its strings are in the arena or in `line`; purge_apply looks at
 * what it means. false: *error is set: `at`, and a sentence that begins with it. */
bool purge_read(struct str line, struct arena *a, struct purge *out, struct purge_error *error);

/* Returns the purge for people, like "site shop: tags book-1, books (soft)", in the arena. Cuts it to
 * PURGE_SAID_MAX bytes between characters. Call it after purge_check. */
struct str purge_say(const struct purge *p, struct arena *a);

/* ---- for those who fill a struct purge ---- */

/* May `s` stand in a purge: is it UTF-8 without control characters? */
bool purge_is_text(struct str s);

/* Sets *error, its text in the arena, cut at 799 bytes. Returns false, so that a caller may return it. */
__attribute__((format(printf, 4, 5))) bool purge_refuse(struct purge_error *error, struct arena *a,
                                                        int status, const char *fmt, ...);

#endif
