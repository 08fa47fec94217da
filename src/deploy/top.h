/*
 * The most used of a site's stored pages: found by a walk over the index, in steps. One thread at a time uses
 * a search.
 */
#ifndef DEPLOY_TOP_H
#define DEPLOY_TOP_H

#include "cache/index.h"

#define TOP_MOST 1000

struct top_page {
    uint64_t hits;
    char *primary; /* the primary key; owned */
    size_t primary_n;
};

struct top {
    struct cache *cache;
    struct str site;
    struct index_walk walk;
    struct top_page *v; /* the most used first */
    size_t n, most;
};

/* Begins a search for the `most` (1 to TOP_MOST) most used pages. `site` lives as long as the search. */
void top_init(struct top *t, struct cache *c, struct str site, size_t most);
/* Searches on, for a millisecond or less. true: there is more to do. */
bool top_search(struct top *t, const struct clock *clock);
/* Frees what was found. */
void top_fini(struct top *t);

#endif
