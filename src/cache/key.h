/*
 * Keys (CACHING.md §4): which stored response a request means. The primary key is the resource; the variant
 * key is what the resource's rule makes of the request. Both are length-prefixed material: equal exactly when
 * every part is, whatever bytes the parts hold. Also the other side of the same coin: which parameters and
 * fields may be sent to the origin, since what is not in the key must not reach it. Pure; results live in the
 * arena or point into the input.
 */
#ifndef CACHE_KEY_H
#define CACHE_KEY_H

#include "cache/rule.h"
#include "conf/settings.h"
#include "http/field.h"

/* What keys are computed from: the request as it will be sent to the origin (CACHING.md 4.2). */
struct key_request {
    struct str site;
    bool https;
    struct str host; /* normalised; port 0: the default one (http/url) */
    uint16_t port;
    struct str path;     /* normalised: what resources, rules and purges go by */
    struct str spelling; /* the path as it is sent, without dot segments; empty: `path` is */
    struct str query;    /* after query_strip_ignored */
    bool has_query;
    const struct fields *fields;
    struct str data_request; /* x-nextjs-data, part of every key (CACHING.md 4.8); empty: none */
    struct str country;      /* upper case; empty: unknown */
    enum query_order order;
};

struct str key_primary(const struct key_request *r, struct arena *a);
/* Under `rule`; NULL: the default one. The empty string for a request without query, in the usual spelling, under the default
 * rule: nothing is allocated then, and no other request has it. */
struct str key_variant(const struct key_request *r, const struct rule *rule, struct arena *a);
/* The parts of both keys for people: "query: sort=asc; cookie theme: dark; language: group 1 (de+nl)". Values
 * as sent. */
struct str key_describe(const struct key_request *r, const struct rule *rule, struct arena *a);

/* Without the parameters whose names are in `ignored` (decoded, sorted by bytes); the names of the query are decoded for comparing,
 * here and below (CACHING.md 4.3), and their spelling stays. *has_query is cleared when none is
 * left; nothing dropped: `query` itself, nothing is copied. Parameters that frameworks answer other bodies
 * for (_rsc, x-sveltekit-invalidated, _routes, __nextDataReq) are never dropped, here and below (CACHING.md
 * 4.7). */
struct str query_strip_ignored(struct str query, const struct strs *ignored, struct arena *a,
                               bool *has_query);
/* The parameters that query_strip_ignored drops, in the order and spelling sent, but for those whose name `known` has, another
 * query. Empty: none. */
struct str query_ignored(struct str query, const struct strs *ignored, struct str known, struct arena *a);
/* More parameters than are taken apart: such a query is compared byte for byte, nothing is removed from it, and under a rule that
 * lists parameters its answer is not stored (CACHING.md 4.3). */
#define KEY_PARAMS_MAX 64
bool key_query_is_long(struct str query);
/* More cookies than are taken apart: under a rule that names some, the lines count as they are. */
#define KEY_COOKIES_MAX 128
/* Only the parameters that are in the key under `rule`, in the order sent (CACHING.md 4.5). *dropped: there
 * were others. An empty result with *dropped set is sent without "?". */
struct str query_keep_listed(struct str query, const struct rule *rule, struct arena *a, bool *dropped);

/* The fields of a background refresh, from those of the request that started it (CACHING.md 3.7): the
 * same, but for what tells who the visitor is or which part he wants; the key under `rule` stays what it was. Cookies only as the
 * rule names them (`name:presence`: "name=1"); no Authorization and no Expect unless named; Accept-Encoding
 * in its normal form; no Range, If-*, Host and other framing, or hop-by-hop fields. Names and values point
 * into `in` or the arena; `out` is overwritten. */
void key_fields_for_refresh(const struct fields *in, const struct rule *rule, struct arena *a,
                            struct fields *out);

#endif
