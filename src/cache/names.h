/*
 * What a response can be purged by: the names (cache/epoch) of one object, and the names that a purge of a
 * URL means. Pure, except that some ask the index for a rule. Any thread.
 */
#ifndef CACHE_NAMES_H
#define CACHE_NAMES_H

#include "cache/index.h"
#include "cache/key.h"

#define NAMES_FIXED 5 /* at most, beside tags and groups */

/* Names in any order; `is_short` as in struct epoch_names. */
struct name_list {
    const uint64_t *v;
    size_t n;
    bool is_short;
};

/* Makes the names of a response: site, path (at its host, and anywhere), URL, tags and groups. `rule`: the
 * rule that it is stored under. `before`: the rule that was known when the fetch began; a purge of the URL
 * may have used it. The array is in the arena. */
void names_of_response(const struct cache *c, const struct key_request *r, const struct rule *rule,
                       const struct rule *before, const struct verdict *v, struct arena *a,
                       struct name_list *out);

/* Adds the names that an object had before a 304 confirmed it: purges asked for by then used those. An old
 * name may be known in short form only; if it is not among the new ones, all names are written short. The
 * array is in the arena. */
void names_keep(struct name_list *names, const struct epoch_names *old, struct arena *a);

/* Return the name of a site, a tag of a site, a cache group of the request's origin. */
uint64_t name_of_site(const struct cache *c, struct str site);
/* `tag` in any case. */
uint64_t name_of_tag(const struct cache *c, struct str site, struct str tag, struct arena *a);
uint64_t name_of_group(const struct cache *c, const struct key_request *r, struct str group, struct arena *a);
/* Returns the name of everything of the path at the request's host, with any query. */
uint64_t name_of_path(const struct cache *c, const struct key_request *r, struct arena *a);
/* Returns the name of the path at all hosts and ports of the site. */
uint64_t name_of_path_anywhere(const struct cache *c, struct str site, struct str path);

/*
 * Prefixes of paths. A prefix ends at a '/': "/blog/" and "/blog" are the same one, and the page /blog has
 * it too. "/" is level 0, "/blog/" level 1. One of a deeper level than NAMES_LEVELS counts as its own
 * beginning of that level: more is purged than was asked.
 *
 * No object holds these names: they are made of its primary key when there was a purge by prefix since it was
 * looked at (docs/decisions/050).
 */
#define NAMES_LEVELS      16
#define NAMES_OF_PREFIXES ((size_t)2 * (NAMES_LEVELS + 1))
/* Writes the names of all prefixes of the key's path, at its host and anywhere at its site. Returns how
 * many. */
size_t names_of_prefixes(const struct cache *c, struct str primary, uint64_t out[NAMES_OF_PREFIXES]);
/* Return the name of the prefix `r->path` at the request's host, and of `prefix` at all hosts and ports of
 * the site; with EPOCH_IS_MADE, for epochs_purge. */
uint64_t name_of_prefix(const struct cache *c, const struct key_request *r, struct arena *a);
uint64_t name_of_prefix_anywhere(const struct cache *c, struct str site, struct str prefix, struct arena *a);

/*
 * Finds the name for purging all answers to a GET of that URL, in every variant: the URL's name under its
 * family's rule; or the name of the whole path when a fetch runs whose rule is not known yet (more than
 * asked, never less). false: the rule lists query parameters and the query has none of them; the URL has no
 * stored response that the URL without query does not have (CACHING.md 5.5).
 */
bool name_of_url(struct cache *c, const struct key_request *r, struct arena *a, uint64_t *name);
/* Finds the name for an answered unsafe request. false also when nothing can be stored for the URL
 * (index_invalidates). */
bool name_of_unsafe(struct cache *c, const struct key_request *r, struct arena *a, uint64_t *name);

#endif
