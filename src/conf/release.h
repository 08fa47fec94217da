/*
 * A release: one state of a site between two deploys, as the site's settings hold it (docs/DEPLOYS.md). A
 * deploy makes settings with another release (settings_with_releases), so a request keeps the release and the
 * origin that it began with. A page's key has the number of its release. Immutable: any thread.
 */
#ifndef CONF_RELEASE_H
#define CONF_RELEASE_H

#include "base/str.h"

/* A change of a site's live release. `keep_ms`: how long assets from before it are kept. */
struct release_switch {
    int64_t at_ms; /* monotonic */
    int64_t keep_ms;
};

struct release {
    uint32_t number; /* 1: that of the start. No process gives a number twice, and none is 0 */
    struct str id;   /* the deploy's name, for people; empty: there was no deploy */
    /* Monotonic: since when it is live. INT64_MIN: since the start. INT64_MAX: it is not live yet. */
    int64_t live_since_ms;
    int64_t prepared_since_ms; /* monotonic: since when it was warmed; INT64_MIN: since the start */
    const struct release_switch *switches; /* the site's latest, the oldest first */
    size_t switches_n;
    /* The releases whose pages stay stored: this one, and those that a rollback may bring back. */
    const uint32_t *stored;
    size_t stored_n;
};

/* The release of the start. */
extern const struct release release_first;

/* Returns until when (monotonic milliseconds) an asset is kept that was received or confirmed at
 * `received_ms`, before the release went live. */
int64_t release_keeps_until(const struct release *r, int64_t received_ms);
/* Is it not live yet? */
static inline bool release_is_ahead(const struct release *r)
{
    return r->live_since_ms == INT64_MAX;
}
/* Do the pages of the release with this number stay stored? */
bool release_stores(const struct release *r, uint32_t number);

#endif
