#include "cache/names.h"

#include <stdlib.h>

#include "base/buf.h"
#include "http/url.h"

/* Groups are of an origin (RFC 9875 §2): scheme, host and port. */
static struct str origin_text(const struct key_request *r, struct arena *a)
{
    return ARENA_JOIN(a, r->https ? STR("https://") : STR("http://"), r->host, STR(":"),
                      arena_decimal(a, r->port));
}

uint32_t name_of_site(const struct cache *c, struct str site)
{
    return epoch_hash(c->epochs, EPOCH_SITE, site, STR_NONE);
}

uint32_t name_of_path_anywhere(const struct cache *c, struct str site, struct str path)
{
    return epoch_hash(c->epochs, EPOCH_PATH_ANYWHERE, site, path);
}

uint32_t name_of_tag(const struct cache *c, struct str site, struct str tag, struct arena *a)
{
    return epoch_hash(c->epochs, EPOCH_TAG, site, arena_dup_lower(a, tag));
}

uint32_t name_of_group(const struct cache *c, const struct key_request *r, struct str group, struct arena *a)
{
    return epoch_hash(c->epochs, EPOCH_GROUP, origin_text(r, a), group);
}

/* Without the scheme: a purge of http://a/ is meant for https://a/ too. */
static struct str path_text(const struct key_request *r, struct arena *a)
{
    return ARENA_JOIN(a, r->host, STR(":"), arena_decimal(a, r->port), r->path);
}

uint32_t name_of_path(const struct cache *c, const struct key_request *r, struct arena *a)
{
    return epoch_hash(c->epochs, EPOCH_PATH, r->site, path_text(r, a));
}

static int by_bytes(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

/* The part of the query that counts under the rule, in an order and a spelling that do not depend on how it was written: what is
 * taken for one here is purged together. */
static struct str query_text(const struct key_request *r, const struct rule *rule, struct arena *a)
{
    bool dropped;
    struct str query = query_keep_listed(r->query, rule, a, &dropped);
    if (query.n == 0 || r->order == QUERY_RAW)
        return query_decode(query, a);
    size_t n = 1;
    for (size_t i = 0; i < query.n; i++)
        n += query.p[i] == '&';
    struct str *pieces = arena_alloc(a, n * sizeof(*pieces));
    struct query_param p;
    n = 0;
    for (struct str rest = query; query_next(&rest, &p);)
        pieces[n++] = query_decode(p.raw, a);
    qsort(pieces, n, sizeof(*pieces), by_bytes);
    char *text = arena_alloc(a, query.n + 1), *at = text;
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < pieces[i].n; k++)
            *at++ = pieces[i].p[k];
        *at++ = '&';
    }
    return (struct str){ text, (size_t)(at - text) };
}

static uint32_t url_name(const struct cache *c, const struct key_request *r, const struct rule *rule,
                         struct arena *a)
{
    struct str path = path_text(r, a), query = query_text(r, rule, a);
    /* The path ends at the '?': it cannot hold one itself. */
    return epoch_hash(c->epochs, EPOCH_URL, r->site, ARENA_JOIN(a, path, STR("?"), query));
}

bool name_of_url(struct cache *c, const struct key_request *r, struct arena *a, uint32_t *name)
{
    struct place place = { .primary = key_primary(r, a) };
    bool known, busy, dropped;
    place_hash(c, &place);
    struct rule *rule = index_rule(c, &place, &known, &busy);
    bool touches = true;
    if (busy)
        *name = name_of_path(c, r, a);
    else if (r->query.n && query_keep_listed(r->query, rule, a, &dropped).n == 0 && dropped)
        touches = false;
    else
        *name = url_name(c, r, rule, a);
    rule_unref(rule);
    return touches;
}

bool name_of_unsafe(struct cache *c, const struct key_request *r, struct arena *a, uint32_t *name)
{
    struct place place = { .primary = key_primary(r, a) };
    place_hash(c, &place);
    return index_invalidates(c, &place) && name_of_url(c, r, a, name);
}

#define FIXED_NAMES 5

void names_of_response(const struct cache *c, const struct key_request *r, const struct rule *rule,
                       const struct rule *before, const struct verdict *v, struct arena *a,
                       const uint32_t **names, size_t *n)
{
    uint32_t *all = arena_alloc(a, (FIXED_NAMES + v->tags.n + v->groups.n) * sizeof(*all));
    size_t k = 0;
    all[k++] = name_of_site(c, r->site);
    all[k++] = name_of_path_anywhere(c, r->site, r->path);
    all[k++] = name_of_path(c, r, a);
    all[k++] = url_name(c, r, rule, a);
    if (!rule_equal(rule, before))
        all[k++] = url_name(c, r, before, a);
    for (size_t i = 0; i < v->tags.n; i++)
        all[k++] = name_of_tag(c, r->site, v->tags.v[i], a);
    for (size_t i = 0; i < v->groups.n; i++)
        all[k++] = name_of_group(c, r, v->groups.v[i], a);
    *names = all;
    *n = k;
}
