#include "cache/names.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "cache/disk.h"
#include "http/url.h"

/* Groups are of an origin (RFC 9875 §2): scheme, host and port. */
static struct str origin_text(const struct key_request *r, struct arena *a)
{
    return ARENA_JOIN(a, r->https ? STR("https://") : STR("http://"), r->host, STR(":"),
                      arena_decimal(a, r->port));
}

uint64_t name_of_site(const struct cache *c, struct str site)
{
    return epoch_hash(c->epochs, EPOCH_SITE, site, STR_NONE);
}

uint64_t name_of_path_anywhere(const struct cache *c, struct str site, struct str path)
{
    return epoch_hash(c->epochs, EPOCH_PATH_ANYWHERE, site, path);
}

uint64_t name_of_tag(const struct cache *c, struct str site, struct str tag, struct arena *a)
{
    return epoch_hash(c->epochs, EPOCH_TAG, site, arena_dup_lower(a, tag));
}

uint64_t name_of_group(const struct cache *c, const struct key_request *r, struct str group, struct arena *a)
{
    return epoch_hash(c->epochs, EPOCH_GROUP, origin_text(r, a), group);
}

/* Without the scheme: a purge of http://a/ is meant for https://a/ too. */
static struct str path_text(const struct key_request *r, struct arena *a)
{
    return ARENA_JOIN(a, r->host, STR(":"), arena_decimal(a, r->port), r->path);
}

uint64_t name_of_path(const struct cache *c, const struct key_request *r, struct arena *a)
{
    return epoch_hash(c->epochs, EPOCH_PATH, r->site, path_text(r, a));
}

/* ---- prefixes of paths ---- */

/* Returns the bytes of the prefix of a path that ends with a '/' and begins at `from`: up to and with the
 * next '/' of it. 0: there is none. */
static size_t level_end(struct str path, size_t from)
{
    for (size_t i = from; i < path.n; i++)
        if (path.p[i] == '/')
            return i + 1;
    return 0;
}

/* With a '/' at its end, and not deeper than the names go. */
static struct str prefix_text(struct str prefix, struct arena *a)
{
    if (!str_ends(prefix, STR("/")))
        prefix = ARENA_JOIN(a, prefix, STR("/"));
    size_t end = level_end(prefix, 0);
    for (unsigned level = 0; level < NAMES_LEVELS && end < prefix.n; level++)
        end = level_end(prefix, end);
    return str_first(prefix, end);
}

uint64_t name_of_prefix(const struct cache *c, const struct key_request *r, struct arena *a)
{
    struct key_request key = *r;
    key.path = prefix_text(r->path, a);
    return epoch_hash(c->epochs, EPOCH_PREFIX, r->site, path_text(&key, a)) | EPOCH_IS_MADE;
}

uint64_t name_of_prefix_anywhere(const struct cache *c, struct str site, struct str prefix, struct arena *a)
{
    return epoch_hash(c->epochs, EPOCH_PREFIX_ANYWHERE, site, prefix_text(prefix, a)) | EPOCH_IS_MADE;
}

size_t names_of_prefixes(const struct cache *c, struct str primary, uint64_t out[NAMES_OF_PREFIXES])
{
    struct arena a;
    char room[1024];
    struct key_request key;
    size_t n = 0;
    key_read_primary(primary, &key);
    arena_init_in(&a, room, sizeof(room), sizeof(room));
    key.path = prefix_text(key.path, &a);
    struct str text = path_text(&key, &a); /* "HOST:PORT/blog/" */
    size_t before = text.n - key.path.n;
    for (size_t end = level_end(key.path, 0); end; end = level_end(key.path, end)) {
        CHECK(n + 2 <= NAMES_OF_PREFIXES);
        out[n++] = epoch_hash(c->epochs, EPOCH_PREFIX, key.site, str_first(text, before + end));
        out[n++] = epoch_hash(c->epochs, EPOCH_PREFIX_ANYWHERE, key.site, str_first(key.path, end));
    }
    arena_fini(&a);
    return n;
}

static int by_bytes(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

/* The part of the query that counts under the rule, in an order and a spelling that do not depend on how it
 * was written: what is taken for one here is purged together. */
static struct str query_text(const struct key_request *r, const struct rule *rule, struct arena *a)
{
    bool dropped;
    struct str query = query_keep_listed(r->query, rule, a, &dropped);
    if (query.n == 0 || !key_sorts_query(r, rule))
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
        if (pieces[i].n)
            memcpy(at, pieces[i].p, pieces[i].n);
        at += pieces[i].n;
        *at++ = '&';
    }
    return (struct str){ text, (size_t)(at - text) };
}

/* Without a query that counts it is the partner of the path's name, so that such a page keeps one name
 * instead of two. */
static uint64_t url_name(const struct cache *c, const struct key_request *r, const struct rule *rule,
                         struct arena *a)
{
    struct str path = path_text(r, a), query = query_text(r, rule, a);
    if (query.n == 0)
        return name_of_path(c, r, a) | EPOCH_PAIR;
    /* The path ends at the '?': it cannot hold one itself. */
    return epoch_hash(c->epochs, EPOCH_URL, r->site, ARENA_JOIN(a, path, STR("?"), query));
}

bool name_of_url(struct cache *c, const struct key_request *r, struct arena *a, uint64_t *name)
{
    struct place place = { .primary = key_primary(r, a) };
    bool dropped;
    place_hash(c, &place);
    struct known_rule known = index_known_rule(c, &place);
    struct rule *rule = known.rule;
    bool touches = true;
    /* A rule that only the disk has is not known here; and who takes the disk over knows only what it has. */
    bool is_unsure =
        c->disk && (disk_is_paused(c->disk) || (!known.of_2xx && disk_may_know(c->disk, &place.hash)));
    if (known.busy || is_unsure)
        *name = name_of_path(c, r, a);
    else if (r->query.n && rule_lists_query(rule) && query_keep_listed(r->query, rule, a, &dropped).n == 0 &&
             dropped)
        touches = false;
    else
        *name = url_name(c, r, rule, a);
    rule_unref(rule);
    return touches;
}

bool name_of_unsafe(struct cache *c, const struct key_request *r, struct arena *a, uint64_t *name)
{
    struct place place = { .primary = key_primary(r, a) };
    place_hash(c, &place);
    return index_invalidates(c, &place) && name_of_url(c, r, a, name);
}

void names_of_response(const struct cache *c, const struct key_request *r, const struct rule *rule,
                       const struct rule *before, const struct verdict *v, struct arena *a,
                       struct name_list *out)
{
    uint64_t *all = arena_alloc(a, (NAMES_FIXED + v->tags.n + v->groups.n) * sizeof(*all));
    size_t k = 0;
    all[k++] = name_of_site(c, r->site);
    all[k++] = name_of_path_anywhere(c, r->site, r->path);
    uint64_t url = url_name(c, r, rule, a), path = name_of_path(c, r, a);
    all[k++] = url;
    if (url != (path | EPOCH_PAIR))
        all[k++] = path;
    if (!rule_equal(rule, before))
        all[k++] = url_name(c, r, before, a);
    for (size_t i = 0; i < v->tags.n; i++)
        all[k++] = name_of_tag(c, r->site, v->tags.v[i], a);
    for (size_t i = 0; i < v->groups.n; i++)
        all[k++] = name_of_group(c, r, v->groups.v[i], a);
    *out = (struct name_list){ .v = all, .n = k, .is_short = k <= EPOCH_NAMES_FEW };
}

/* ---- a 304 ---- */

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Is what is kept of an old name the same of one of the new ones, which are sorted? */
static bool is_among(uint64_t kept, uint64_t bits, const uint64_t *sorted, size_t n)
{
    size_t low = 0, high = n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (sorted[mid] < kept)
            low = mid + 1;
        else
            high = mid;
    }
    return low < n && (sorted[low] & bits) == kept;
}

void names_keep(struct name_list *names, const struct epoch_names *old, struct arena *a)
{
    size_t n = names->n;
    uint64_t *all = arena_alloc(a, (n + old->n) * sizeof(*all)), bits = epoch_names_bits(old->is_short);
    if (n) {
        memcpy(all, names->v, n * sizeof(*all));
        qsort(all, n, sizeof(*all), by_value);
    }
    names->v = all;
    for (size_t i = 0; i < old->n; i++) {
        uint64_t kept = epoch_names_at(old, i);
        if (!is_among(kept, bits, all, n))
            all[names->n++] = kept;
    }
    names->is_short = names->n <= EPOCH_NAMES_FEW || (old->is_short && names->n > n);
}
