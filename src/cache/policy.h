/*
 * Policy: may a response be stored, for how long, under which rule, and may a stored response answer a
 * request. Pure functions of heads, times and settings (CACHING.md §1 to §4; RFC 9111): no I/O, no clock, no
 * allocation outside the given arena, except for a new rule. Any thread.
 */
#ifndef CACHE_POLICY_H
#define CACHE_POLICY_H

#include "cache/reason.h"
#include "cache/rule.h"
#include "conf/settings.h"
#include "http/accept.h"
#include "http/directives.h"
#include "http/head.h"

/* What a response is judged by. All times in milliseconds. */
struct judge {
    const struct site_settings *site;
    enum method method;
    const struct fields *request; /* as sent to the origin */
    struct str path;              /* normalised */
    struct str query;             /* as sent to the origin, without '?' */
    bool called_static;           /* a rule of the site calls the path an asset's */
    bool bypass;                  /* it has a cookie of bypass_cookies: only an asset is stored */
    bool post_names_itself;       /* a POST whose Content-Location is its own URL */
    int status;
    const struct fields *response; /* end-to-end fields as received */
    const struct rule *known;      /* the family's rule before this answer; NULL: the default */
    bool provisional;              /* an error or a redirect brought that rule, or none is known */
    int64_t delay_ms;              /* from sending the request to receiving the head */
    int64_t received_wall_ms;
};

/* How a stored response ages, and what may be done with it when it is stale. */
struct freshness {
    int64_t lifetime_ms;
    int64_t age_ms;         /* when it was received (RFC 9111 §4.2.3) */
    int64_t stale_while_ms; /* windows after the lifetime; 0: none */
    int64_t stale_error_ms;
    bool always_revalidate; /* no-cache: never reused without asking */
    bool never_stale;       /* must-revalidate and the like: not even when the client asks for it */
    bool foreground;        /* was made for a request with Authorization: no background refresh */
};

/* Where a targeted field has a mistake (CACHING.md 1.2). */
struct broken_field {
    size_t which;         /* its place in the site's cdn_cache_control */
    struct field_spot at; /* byte 0: there is none */
};

struct verdict {
    bool store;
    enum reason reason;         /* why not; with REASON_DEV: it would have been stored */
    struct broken_field broken; /* the first mistake, whatever the verdict */
    struct str ruled_by;        /* the name of the field that rules; empty: none */
    struct freshness fresh;
    /* A reference of the caller's: the family's rule after this answer. NULL: the default. */
    struct rule *rule;
    bool rule_changed; /* remember `rule`, whether the response is stored or not, or that a 2xx brought it */
    /* Cache tags and cache IDs, in lower case. Tags and groups are set only when the response may be
     * stored: see policy_tags. */
    struct strs tags;
    struct strs groups; /* Cache-Groups, as sent */
    bool strip_cookies;
    bool is_asset;         /* cache/asset.h */
    bool is_codable;       /* codings may be made of its body, once that has none (setting compress) */
    bool stays_coded;      /* it has a coding that may not or cannot be undone, though none was asked for */
    enum coding coded_in;  /* one that is to be undone before the body is stored; else CODING_IDENTITY */
    bool has_cache_id;     /* it has an ID in Netlify-Cache-ID, so a deploy leaves it */
    bool overrules;        /* a targeted field rules, and Cache-Control beside it says private or no-store */
    bool search_invalid;   /* it has a No-Vary-Search that counts for nothing, since it is invalid */
    unsigned vary_ignored; /* names in Netlify-Vary: header= that are not varied on */
};

/* Judges a response; *out has its verdict. Strings are in the arena or the arguments. The caller drops
 * out->rule. */
void policy_judge(const struct judge *in, struct arena *a, struct verdict *out);
/* Sets the members tags and groups of *out alone, whatever the rest of the verdict. Returns REASON_NONE, or
 * REASON_TAGS_LIMIT when there are too many or one is too long: then they are not all there. */
enum reason policy_tags(const struct judge *in, struct arena *a, struct verdict *out);

/* Returns the place of a mistake for people, "CDN-Cache-Control, byte 9", with the line when the field has
 * several. Empty: nothing is wrong. In the arena. */
struct str policy_broken_text(const struct site_settings *site, const struct broken_field *b,
                              struct arena *a);
/* Packs the place of a mistake into 32 bits; 0: nothing is wrong. Larger values saturate: line 255, byte 2^20
 * - 1. Only the first 16 fields are told apart. */
uint32_t policy_broken_pack(const struct broken_field *b);
/* Returns what policy_broken_pack has packed. */
struct broken_field policy_broken_unpack(uint32_t packed);

/* ---- reuse ---- */

enum reuse {
    REUSE_FRESH,
    REUSE_STALE,      /* inside stale-while-revalidate: serve it, refresh in the background */
    REUSE_REVALIDATE, /* ask the origin first */
};

struct age {
    int64_t age_ms;   /* current_age of RFC 9111 §4.2.3 */
    int64_t stale_ms; /* time since it became stale; negative: time left */
};

/* Returns the age of a stored response. `resident_ms`: time since the response was received. `soft_ms`: time
 * since its earliest soft purge; -1: none. */
struct age policy_age(const struct freshness *f, int64_t resident_ms, int64_t soft_ms);

/* Sets *out to the request's directives; all are absent when the site does not honour them (CACHING.md 6.6).
 * Pragma: no-cache counts without Cache-Control (RFC 9111 §5.4). */
void policy_request_directives(const struct site_settings *site, const struct fields *request,
                               struct directives *out);

/* Returns how a stored response of that age may answer the request with these directives. `invalidated`: an
 * unsafe request has invalidated the response. */
enum reuse policy_reuse(const struct freshness *f, struct age age, bool invalidated,
                        const struct directives *request);
/* Is a response of that age of no use without its origin, whatever a request says: beyond its lifetime and
 * its window of stale-while-revalidate, or no-cache? */
bool policy_is_over(const struct freshness *f, struct age age);

/* May a stored response of that age be served although the origin failed (RFC 5861 §4; CACHING.md 3.5)? */
bool policy_stale_on_error(const struct freshness *f, struct age age, bool invalidated,
                           const struct directives *request);

/* Does the status count as a failure of the origin for stale-if-error? */
bool policy_status_is_failure(int status);

/* Does a status allow heuristic freshness (RFC 9110 §15.1)? */
bool policy_status_is_heuristic(int status);

#endif
