/*
 * For which names a certificate is asked for. Pure; any thread.
 */
#ifndef ACME_NAMES_H
#define ACME_NAMES_H

#include "conf/settings.h"

/* Let's Encrypt, and where its certificates are tried out, which no browser believes. */
#define NAMES_LETS_ENCRYPT "https://acme-v02.api.letsencrypt.org/directory"
#define NAMES_STAGING      "https://acme-staging-v02.api.letsencrypt.org/directory"
#define NAMES_MOST         100 /* of one certificate, as Let's Encrypt has it */

/* Returns the URL of the CA's directory that the settings name. */
struct str names_directory(const struct process_settings *p);
/* Would a CA be asked for this site: is ACME on, has it hosts and no certificate of its own, and does
 * https listen where others can reach it, or is a CA named? And for any site? */
bool names_wants(const struct settings *s, const struct site_settings *site);
bool names_any(const struct settings *s);
/* And for this host of it? */
bool names_has(const struct settings *s, const struct site_settings *site, struct str host);
/*
 * Sets *out to the names that a certificate is wanted for, sorted, each once; in `a`. n 0: none is wanted,
 * since ACME is off for the site, it has a certificate of its own, or no name for which a CA gives one. Adds
 * a line to `warnings`, which may be NULL, for each of its hosts that has to go without.
 */
void names_of_site(const struct settings *s, const struct site_settings *site, struct arena *a,
                   struct strs *out, struct buf *warnings);

#endif
