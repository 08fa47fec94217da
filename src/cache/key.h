/*
 * Keys (CACHING.md §4): which stored response a request means. The primary key selects the family; the
 * variant key is what the family's rule takes from the request. Both are length-prefixed: equal exactly when
 * every part is equal, whatever bytes the parts hold. Also decides which parameters and fields may go to the
 * origin, since the origin must not see what is not in the key. Pure; results live in the arena or point into
 * the input.
 */
#ifndef CACHE_KEY_H
#define CACHE_KEY_H

#include "cache/rule.h"
#include "conf/settings.h"
#include "http/field.h"

/* What keys are computed from: the request as freshet will send it to the origin (CACHING.md 4.2). */
struct key_request {
    struct str site;
    bool https;
    struct str host; /* normalised; port 0: the default (http/url) */
    uint16_t port;
    struct str path;     /* normalised: for families, rules and purges */
    struct str spelling; /* the path as the origin gets it, without dot segments; empty: `path` */
    struct str query;    /* after query_strip_ignored */
    bool has_query;
    const struct fields *fields;
    /* Accept-Language of `fields`, when somebody has read it. NULL: a key reads it when it needs it. */
    const struct languages *languages;
    struct str data_request; /* x-nextjs-data, part of every key (CACHING.md 4.8); empty: none */
    struct str rules;   /* which of the site's rules the request meets (site/rules.h), part of every key */
    struct str country; /* upper case; empty: unknown */
    enum query_order order;
};

/* Returns the primary key, in the arena. */
struct str key_primary(const struct key_request *r, struct arena *a);
/* Reads a primary key back: site, https, host, port and path of *out are set and point into it. The rest is
 * zeroed. */
void key_read_primary(struct str primary, struct key_request *out);
/* Are these bytes a primary key, which key_read_primary may read? For those from disk. */
bool key_is_primary(struct str bytes);
/* Returns its host and port as a Host field has them: "name", "name:port". In the arena. */
struct str key_authority(const struct key_request *r, struct arena *a);
/* Returns the variant key under `rule`; NULL: the default rule. Empty, and no allocation, for a request
 * without query, in the usual spelling, under the default rule; no other request has that key. */
struct str key_variant(const struct key_request *r, const struct rule *rule, struct arena *a);
/* Returns the parts of both keys for people: "query: sort=asc; cookie theme: dark; language: group 1
 * (de+nl)". Values as the client sent them. */
struct str key_describe(const struct key_request *r, const struct rule *rule, struct arena *a);

/* Removes the parameters whose names are in `ignored` (decoded, sorted by bytes). Here and below names are
 * compared decoded (CACHING.md 4.3), and the rest keeps its spelling. Clears *has_query when none is left.
 * Nothing to remove: `query` itself, no copy. Here and below, never removes parameters that select another
 * body in frameworks (_rsc, x-sveltekit-invalidated, _routes, __nextDataReq; CACHING.md 4.7). */
struct str query_strip_ignored(struct str query, const struct strs *ignored, struct arena *a,
                               bool *has_query);
/* Returns the parameters that query_strip_ignored removes, in order and spelling of the request, except those
 * whose names are in the query `known`. Empty: none. */
struct str query_ignored(struct str query, const struct strs *ignored, struct str known, struct arena *a);
/* Does the query have more than KEY_PARAMS_MAX parameters? Such a query is compared byte for byte and nothing
 * is removed from it. Under a rule that lists parameters its answer is not stored (CACHING.md 4.3). */
#define KEY_PARAMS_MAX 64
bool key_query_is_long(struct str query);
/* With more cookies, a rule that names some compares the Cookie lines whole. */
#define KEY_COOKIES_MAX 128
/* Does the request have more, counted by its semicolons? */
bool key_has_many_cookies(const struct fields *f);
/* Returns only the parameters that are in the key under `rule`, in the request's order (CACHING.md 4.5).
 * *dropped: there were others. An empty result with *dropped is sent without "?". */
struct str query_keep_listed(struct str query, const struct rule *rule, struct arena *a, bool *dropped);

/* Are the parameters in the key in the order of their names, whatever order they came in? */
bool key_sorts_query(const struct key_request *r, const struct rule *rule);

/* Does the request have cookies that the key under `rule` does not hold (CACHING.md 4.5)? */
bool key_has_unkeyed_cookies(const struct fields *request, const struct rule *rule);
/* Makes the fields of a fetch whose answer may be stored: those of the request, with only the cookies that
 * the key under `rule` holds. Call it only when key_has_unkeyed_cookies is true. Names and values point into
 * `in` or the arena. Overwrites `out`. */
void key_fields_for_fetch(const struct fields *in, const struct rule *rule, struct arena *a,
                          struct fields *out);
/* Makes the fields of a background refresh from those of the request that started it (CACHING.md 3.7). Leaves
 * out what identifies the visitor or selects a part; the key under `rule` stays the same. Keeps cookies only
 * as the rule names them (`name:presence`: "name=1"). No Authorization and no Expect unless named;
 * Accept-Encoding in its normal form; no Range, If-*, Host and other framing, or hop-by-hop fields. Names and
 * values point into `in` or the arena. Overwrites `out`. */
void key_fields_for_refresh(const struct fields *in, const struct rule *rule, struct arena *a,
                            struct fields *out);

#endif
