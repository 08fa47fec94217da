/* What a purge means in this process: the names (cache/epoch.h) that its text stands for. For
 * cache/purge.c alone. */
#ifndef CACHE_PURGE_NAMES_H
#define CACHE_PURGE_NAMES_H

#include "cache/cache.h"
#include "cache/purge.h"

struct purge_names {
    const uint64_t *v; /* in the arena */
    size_t n;          /* 0: the lists are empty */
    const struct site_settings
        *site; /* the one that is purged; NULL: URLs or groups alone, of which no site was named */
};

/* Looks at all of `p` and makes its names. `c` is asked for the rules of URLs with a query, nothing of it
 * changes; NULL: everything is looked at, but no names are made. false: *error is set. Any thread, no
 * lock held. */
bool purge_names(const struct purge *p, const struct settings *settings, struct cache *c, struct arena *a,
                 struct purge_names *out, struct purge_error *error);

#endif
