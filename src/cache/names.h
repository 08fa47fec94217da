/*
 * What a response can be purged by: the names (cache/epoch) of one object, and the names that a purge of a URL means. Pure but for the
 * index that is asked for a rule.
 */
#ifndef CACHE_NAMES_H
#define CACHE_NAMES_H

#include "cache/index.h"
#include "cache/key.h"

/* Site, path (at its host, and anywhere), URL, tags and groups of a response. `rule`: the one that it is stored under; `before`: the one that was
 * known when it came, under which a purge of its URL may have been asked for. The array is in the arena. */
void names_of_response(const struct cache *c, const struct key_request *r, const struct rule *rule,
                       const struct rule *before, const struct verdict *v, struct arena *a,
                       const uint32_t **names, size_t *n);

uint32_t name_of_site(const struct cache *c, struct str site);
/* `tag` in any case. */
uint32_t name_of_tag(const struct cache *c, struct str site, struct str tag, struct arena *a);
uint32_t name_of_group(const struct cache *c, const struct key_request *r, struct str group, struct arena *a);
/* Everything of the path, whatever its query. */
uint32_t name_of_path(const struct cache *c, const struct key_request *r, struct arena *a);
/* The same at all hosts and ports of the site. */
uint32_t name_of_path_anywhere(const struct cache *c, struct str site, struct str path);

/*
 * What a GET of that URL is answered with, in every variant: the name of the URL under its resource's rule, or of the whole path when
 * a fetch runs whose rule is not known yet (more than asked, never less). false: under a query= rule a query that has none of
 * the listed names: nothing is stored for it that an empty query is not (CACHING.md 5.5).
 */
bool name_of_url(struct cache *c, const struct key_request *r, struct arena *a, uint32_t *name);
/* The same for an answered unsafe request; false also when nothing can be stored for it (index_invalidates). */
bool name_of_unsafe(struct cache *c, const struct key_request *r, struct arena *a, uint32_t *name);

#endif
