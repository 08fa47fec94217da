/*
 * The ledger of deploys: which releases each site has had, and which one is live. A release
 * is a number, a name and an origin. The main thread changes the ledger (server/run), since it also gives
 * the workers the settings that are made of it; any thread may read it. It has a lock of its own, under
 * which nothing waits.
 */
#ifndef DEPLOY_LEDGER_H
#define DEPLOY_LEDGER_H

#include "base/clock.h"
#include "base/lock.h"
#include "conf/settings.h"

#define LEDGER_RELEASES_MAX 8   /* of a site that stay stored: the live one, and what rollbacks return to */
#define LEDGER_SWITCHES_MAX 64  /* of a site that are remembered, for what is kept */
#define LEDGER_ID_MAX       128 /* bytes of a deploy's name */
#define LEDGER_ORIGIN_MAX   300 /* bytes of an origin */

struct ledger_release {
    uint32_t number;
    char id[LEDGER_ID_MAX + 1];         /* empty: that of the start */
    char origin[LEDGER_ORIGIN_MAX + 1]; /* in the form of the setting origin; empty: the setting's */
    int64_t live_since_wall_ms;         /* 0: since the start */
    uint32_t warm_pages, warm_assets;   /* fetched before it went live */
};

/* A site's page of the ledger. */
struct ledger_site {
    struct ledger_site *next;
    char *name;       /* owned, with a NUL */
    char *configured; /* the origin that the file names, as last seen; owned, with a NUL */
    struct ledger_release releases[LEDGER_RELEASES_MAX]; /* the oldest first; the last one is live */
    size_t releases_n;                                   /* at least 1 */
    struct release_switch switches[LEDGER_SWITCHES_MAX]; /* the oldest first */
    size_t switches_n;
    int64_t live_since_ms;     /* monotonic; INT64_MIN: since the start */
    int64_t prepared_since_ms; /* the same */
    uint64_t deploys;          /* ever */
};

struct facts;

struct ledger {
    struct lock lock;
    struct ledger_site *sites;
    uint32_t last;       /* the number given last */
    struct facts *facts; /* where changes go (deploy/ledger_saved.h); NULL: they end with the process */
};

/* Initialises a zeroed ledger, and frees what it owns. On main's thread, before the workers start and after
 * they ended. */
void ledger_init(struct ledger *l);
void ledger_fini(struct ledger *l);

/* Returns the site's page, a new one when there is none. For deploy/ledger_saved.c, on main's thread, before
 * the workers start. */
struct ledger_site *ledger_site_for(struct ledger *l, struct str name);

/* Returns a number that no release has. Any thread. 0: four billion were given, which is all there are. */
uint32_t ledger_number(struct ledger *l);

/* Sets *out to the live release of a site. Any thread. `name`, here and below: the site's. */
void ledger_live(struct ledger *l, struct str name, struct ledger_release *out);
/* Sets *out to the release that a rollback returns to. false: there is none. Any thread. */
bool ledger_before(struct ledger *l, struct str name, struct ledger_release *out);
/* Returns how often a release of the site went live, by deploys and rollbacks. Any thread. */
uint64_t ledger_deploys(struct ledger *l, struct str name);

/* Makes `to` live. It is a new release, or that of ledger_before: then the one that was live is forgotten.
 * `keep_ms`: how long assets from before are kept. `prepared_since_ms`: monotonic, when it began to be
 * warmed. Main's thread. */
void ledger_switch(struct ledger *l, struct str name, const struct ledger_release *to, int64_t keep_ms,
                   int64_t prepared_since_ms, struct now now);

/* Makes the settings of all sites' live releases, from those that were read from the file. The caller owns
 * the first reference; it may be `read` itself when there was no deploy. When the file names another origin
 * for a site than before, that one counts: *changed is set to the site's name; else it is left as it is.
 * Main's thread. */
struct settings *ledger_settings(struct ledger *l, struct settings *read, struct now now,
                                 struct str *changed);
/* The same, as if `to` were live at that site; from the settings in force. For work on a release that is not
 * live yet. Any thread. */
struct settings *ledger_settings_with(struct ledger *l, struct settings *in_force, struct str name,
                                      const struct ledger_release *to);

#endif
