/*
 * The ledger as facts (store/facts.h): for each site the text of its page, under "deploys SITE", and the
 * number given last, under "releases". So deploys outlive the process.
 *
 * The text of a page is lines of fields with a tab between them, each line ends with a line feed:
 *
 *   ledger  1  DEPLOYS
 *   configured  ORIGIN                           the origin that the file named
 *   release  NUMBER  WALL_MS  PAGES  ASSETS  ID  ORIGIN     the oldest first; the last one is live
 *   switch  WALL_MS  KEEP_MS                     the oldest first
 *
 * WALL_MS: milliseconds since 1970. ID and ORIGIN may be empty; none of them has a control character.
 */
#ifndef DEPLOY_LEDGER_SAVED_H
#define DEPLOY_LEDGER_SAVED_H

#include "deploy/ledger.h"

struct facts;

/* Reads the pages of these settings' sites, and the number given last. From now on the ledger puts its
 * changes into `f`: whoever wants to know that they are on disk asks for a commit. On main's thread, after
 * facts_open, before facts_start and before the ledger is used. Appends to `said` what cannot be read, and
 * goes on without it. */
void ledger_load(struct ledger *l, struct facts *f, const struct settings *settings, struct now now,
                 struct buf *said);

/* Puts a site's page. Under the ledger's lock. For deploy/ledger.c. */
void ledger_save(const struct ledger *l, const struct ledger_site *site, struct now now);

/* Writes the text of a page, and reads it. `now`: for times of the monotonic clock, which a text has as times
 * of the wall clock. false: it is no such text, and *site is as it was. `site` is new. Pure. */
void ledger_write(const struct ledger_site *site, struct now now, struct buf *to);
bool ledger_read(struct str text, struct now now, struct ledger_site *site);

#endif
