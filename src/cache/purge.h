/*
 * A purge as a value: what somebody wants gone, in the words in which it was asked for. It holds no names
 * and no hashes, so it can be written down as one line of text, read back, and applied later or by another
 * process, which makes the names by its own secret, settings and rules.
 *
 * To purge, fill a struct purge, call purge_check when it came from outside, and then purge_apply.
 * admin/purge.h makes a struct purge of the API's JSON. URLs that an unsafe method invalidates are no purge
 * of this kind: origin/invalidate.h says why.
 *
 * Any thread may call these functions, without a lock held. The caller owns the strings and lists of a purge.
 * Texts of errors are in the arena `a`.
 */
#ifndef CACHE_PURGE_H
#define CACHE_PURGE_H

#include "base/buf.h"
#include "cache/epoch.h"
#include "conf/settings.h"

struct cache;

#define PURGE_LIST_MAX 10000 /* members of each list */
#define PURGE_TEXT_MAX                                                                                       \
    ((size_t)2 << 20)      /* bytes of a line that purge_read takes; a body of the API has at most half */
#define PURGE_SAID_MAX 199 /* bytes that purge_say returns at most */

/* What a purge names: the whole site and no list, or one or more lists. A named list may be empty: it purges
 * nothing. */
enum purge_scope {
    PURGE_OF_SITE = 1, /* everything of the site */
    PURGE_OF_TAGS = 2,
    PURGE_OF_URLS = 4,
    PURGE_OF_GROUPS = 8,
    PURGE_OF_PREFIXES = 16,
};

/* Who asked for it. */
enum purge_cause {
    PURGE_BY_API,     /* POST /api/v1/purge */
    PURGE_BY_RELOAD,  /* the site's settings of key or store have changed */
    PURGE_BY_UNSAFE,  /* an unsafe method was answered */
    PURGE_BY_DIALECT, /* PURGE and its like, or the API of another cache */
    PURGE_BY_WEBHOOK, /* a webhook of the setting `webhooks` */
};

/* A list that `scope` does not name is empty. A purge that breaks this is a mistake of the program:
 * purge_check and purge_apply stop the process. purge_check refuses more than PURGE_LIST_MAX members in a
 * list, whoever made it, and purge_apply takes no such purge. */
struct purge {
    unsigned scope; /* bits of enum purge_scope: PURGE_OF_SITE alone, or others */
    enum purge_kind kind;
    enum purge_cause cause;
    struct str site;   /* its name; empty: not named */
    struct str domain; /* a host of the site, to which URLs without a host belong; empty: not named */
    struct str origin; /* with PURGE_OF_GROUPS only, the groups': "https://HOST", "http://HOST:PORT" */
    struct strs tags;
    struct strs urls;     /* absolute, or paths of the site */
    struct strs prefixes; /* the same, without a query: what is at them and below */
    struct strs groups;   /* cache groups (RFC 9875) */
};

/* Why a purge was refused. */
struct purge_error {
    int status;      /* for the answer: 400 malformed, 404 no such site or host, 413 too long */
    struct str text; /* a sentence that names the member and says what to do */
    size_t at;       /* purge_read: the byte of the line at which it is wrong; else 0 */
};

/* What purge_apply did. */
struct purge_result {
    uint64_t sequence; /* the purge's number; when nothing was purged, that of the latest purge */
    size_t names;      /* how many names were purged; 0: the lists are empty */
};

/* Finds the site and looks at each tag, URL and prefix. Touches no cache. Call it for a purge from outside
 * before it is written down or applied. true: purge_apply takes it under the same settings, and p->site names
 * its site. p->site stays empty when there are several sites and none is named; then all URLs and prefixes
 * have a host, and no tag is purged. false: *error is set. */
bool purge_check(struct purge *p, const struct settings *settings, struct arena *a,
                 struct purge_error *error);

/* Looks at the texts of tags, URLs and prefixes, which answers and the log repeat. false: one is no
 * purge_is_text, and *error says so. */
bool purge_check_texts(const struct purge *p, struct arena *a, struct purge_error *error);
/* Does the purge name nothing, since its lists are empty? */
bool purge_is_empty(const struct purge *p);

/*
 * Purges what `p` names. Makes the names from its text now, under the rules that are known now, and purges
 * them all at once. When a response brings another rule for one of the URLs meanwhile, it purges the names
 * under that rule too. In force for every look-up that begins after the return, and for each response on its
 * way.
 *
 * `settings`: those of the machine that applies it, not of the one that wrote it. `now_mono_ms`: a soft
 * purge's windows count from it. `a`: for what it needs meanwhile. true: *out is set. false: *error is set,
 * and nothing was purged, since under these settings purge_check would refuse it.
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
 * invalidate; `cause`: api, reload, unsafe-method, dialect, webhook. `site` and `domain` are left out when
 * they are not named. Then comes `everything`, or one or more of `cache_tags`, `urls`, `prefixes`, and
 * `origin` with `groups`. Strings are UTF-8 without control characters; only " and \ are escaped, by a \.
 *
 * purge_write appends the line of a purge whose strings all satisfy purge_is_text. Each purge has one text.
 * purge_read takes no other, so purge_write makes the same bytes of what purge_read has accepted.
 */
void purge_write(const struct purge *p, struct buf *to);

/* Reads such a line, which may come from anybody. Looks at its form only: call purge_check for what it means.
 * true: *out is set; its strings are in the arena or in `line`. false: *error is set, with `at` and a
 * sentence that begins with that number. */
bool purge_read(struct str line, struct arena *a, struct purge *out, struct purge_error *error);

/* Returns a text about the purge for people, like "site shop: tags book-1, books (soft)", in the arena. Cuts
 * it to PURGE_SAID_MAX bytes, between characters. Its strings are UTF-8. Call it after purge_check, which
 * names the site. */
struct str purge_say(const struct purge *p, struct arena *a);

/* ---- for callers that fill a struct purge ---- */

/* May `s` stand in a purge: is it UTF-8 without control characters? */
bool purge_is_text(struct str s);

/* Sets *error, with `at` 0 and the formatted text, cut at 799 bytes. Returns false, so that a caller may
 * return that. */
__attribute__((format(printf, 4, 5))) bool purge_refuse(struct purge_error *error, struct arena *a,
                                                        int status, const char *fmt, ...);

#endif
