/*
 * What a response can be purged by: the names (cache/epoch) of one object, and the names that a purge of a URL means. Pure but for the
 * index that is asked for a rule.
 */
#ifndef CACHE_NAMES_H
#define CACHE_NAMES_H

#include "cache/index.h"
#include "cache/key.h"

#define NAMES_FIXED 5 /* at most, beside tags and groups */

/* In any order; `is_short` as in struct epoch_names. */
struct name_list {
    const uint64_t *v;
    size_t n;
    bool is_short;
};

/* Site, path (at its host, and anywhere), URL, tags and groups of a response. `rule`: the one that it is stored under; `before`: the one that was
 * known when it came, under which a purge of its URL may have been asked for. The array is in the arena. */
void names_of_response(const struct cache *c, const struct key_request *r, const struct rule *rule,
                       const struct rule *before, const struct verdict *v, struct arena *a,
                       struct name_list *out);

/* Adds those that an object had before a 304 confirmed it: what it was purgeable by when that was asked for. An old one that is
 * none of the new ones may be known in short form only; then all are written so. The array is in the arena. */
void names_keep(struct name_list *names, const struct epoch_names *old, struct arena *a);

uint64_t name_of_site(const struct cache *c, struct str site);
/* `tag` in any case. */
uint64_t name_of_tag(const struct cache *c, struct str site, struct str tag, struct arena *a);
uint64_t name_of_group(const struct cache *c, const struct key_request *r, struct str group, struct arena *a);
/* Everything of the path, whatever its query. */
uint64_t name_of_path(const struct cache *c, const struct key_request *r, struct arena *a);
/* The same at all hosts and ports of the site. */
uint64_t name_of_path_anywhere(const struct cache *c, struct str site, struct str path);

/*
 * What a GET of that URL is answered with, in every variant: the name of the URL under its resource's rule, or of the whole path when
 * a fetch runs whose rule is not known yet (more than asked, never less). false: under a query= rule a query that has none of
 * the listed names: nothing is stored for it that an empty query is not (CACHING.md 5.5).
 */
bool name_of_url(struct cache *c, const struct key_request *r, struct arena *a, uint64_t *name);
/* The same for an answered unsafe request; false also when nothing can be stored for it (index_invalidates). */
bool name_of_unsafe(struct cache *c, const struct key_request *r, struct arena *a, uint64_t *name);

#endif
