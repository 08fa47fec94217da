/*
 * Policy: may a response be stored, for how long, under which rule, and may a stored response answer a request. Pure
 * functions of heads, times and settings (CACHING.md §1 to §4; RFC 9111): no I/O, no clock, no allocation outside the
 * arena given.
 */
#ifndef CACHE_POLICY_H
#define CACHE_POLICY_H

#include "cache/reason.h"
#include "cache/rule.h"
#include "conf/settings.h"
#include "http/directives.h"
#include "http/head.h"

/* All times in milliseconds. */
struct judge {
    const struct site_settings *site;
    enum method method;
    const struct fields *request; /* as sent to the origin */
    struct str query;             /* as sent to the origin, without '?' */
    bool post_names_itself;       /* a POST whose Content-Location is its own URL */
    int status;
    const struct fields *response; /* end-to-end fields as received */
    const struct rule *known;      /* the resource's rule before this answer; NULL: the default */
    bool provisional; /* no 2xx brought it: it is an error's or a redirect's, or nothing is known */
    int64_t delay_ms; /* from sending the request to the head */
    int64_t received_wall_ms;
};

/* How a stored response ages and what may be done with it when it is stale. */
struct freshness {
    int64_t lifetime_ms;
    int64_t age_ms;         /* when it was received (RFC 9111 §4.2.3) */
    int64_t stale_while_ms; /* windows after the lifetime; 0: none */
    int64_t stale_error_ms;
    bool always_revalidate; /* no-cache: never reused without asking */
    bool never_stale;       /* must-revalidate and the like: not even when the client asks for it */
    bool foreground;        /* was made for a request with Authorization: no background refresh */
};

/* What a mistake in a targeted field is told by (CACHING.md 1.2). */
struct broken_field {
    size_t which;         /* of the site's cdn_cache_control */
    struct field_spot at; /* byte 0: there is none */
};

struct verdict {
    bool store;
    enum reason reason;         /* why not; with REASON_DEV: it would have been */
    struct broken_field broken; /* the first one, whatever came of it */
    struct str ruled_by;        /* the name of the ruling field; empty: none */
    struct freshness fresh;
    struct rule *
        rule; /* a reference of the caller's: the rule that the resource has after this answer; NULL: default */
    bool rule_changed; /* `rule` is to be remembered, stored or not, or that a 2xx brought it */
    struct strs
        tags; /* lower case, cache tags and cache IDs; both only when it may be stored: see policy_tags */
    struct strs groups; /* Cache-Groups, as sent */
    bool strip_cookies;
    unsigned vary_ignored; /* names in Netlify-Vary: header= that are not varied on */
};

void policy_judge(const struct judge *in, struct arena *a, struct verdict *out);
/* Tags and groups alone, whatever the rest of the verdict. A reason when there are too many. */
enum reason policy_tags(const struct judge *in, struct arena *a, struct verdict *out);

/* "CDN-Cache-Control, byte 9", or with the line when the field has several; empty: nothing is wrong. In the arena. */
struct str policy_broken_text(const struct site_settings *site, const struct broken_field *b,
                              struct arena *a);
/* In 32 bits, for what is remembered of a page; 0: nothing is wrong. What is beyond the room for it ends there: a line of 255, a byte of
 * 2^20 - 1; of the fields the first 16 are told. */
uint32_t policy_broken_pack(const struct broken_field *b);
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

/* `resident_ms`: since it was received. `soft_ms`: since the earliest soft purge, -1: none. */
struct age policy_age(const struct freshness *f, int64_t resident_ms, int64_t soft_ms);

/* The request's directives, all absent when the site does not honour them (CACHING.md 6.6). Pragma: no-cache counts when
 * there is no Cache-Control (RFC 9111 §5.4). */
void policy_request_directives(const struct site_settings *site, const struct fields *request,
                               struct directives *out);

/* `invalidated`: by an unsafe method. */
enum reuse policy_reuse(const struct freshness *f, struct age age, bool invalidated,
                        const struct directives *request);

/* May it be served although the origin failed (RFC 5861 §4; CACHING.md 3.5)? */
bool policy_stale_on_error(const struct freshness *f, struct age age, bool invalidated,
                           const struct directives *request);

/* Statuses that count as an origin's failure for stale-if-error. */
bool policy_status_is_failure(int status);

/* Does a status allow heuristic freshness (RFC 9110 §15.1)? */
bool policy_status_is_heuristic(int status);

#endif
