/*
 * How https:// origins are believed, for all origins of the process: one tls/outgoing.h for each set of
 * files. Read at the start and at each reload; what is wrong changes nothing. Any thread, except where a line
 * says otherwise.
 */
#ifndef ORIGIN_TRUST_H
#define ORIGIN_TRUST_H

#include "base/clock.h"
#include "conf/settings.h"
#include "tls/outgoing.h"

struct trusts;

struct trusts *trusts_new(const struct clock *clock);
void trusts_free(struct trusts *t); /* NULL is allowed. When no connection is left */

/* Reads the files of sites that have an https:// origin, or name files for one; trusts_take puts them in
 * force. false: something is wrong. Adds a line to `errors` for each mistake, and to `warnings` for each
 * site that believes whoever answers. Waits for the disk. Main's thread. */
bool trusts_try(struct trusts *t, const struct settings *s, struct buf *errors, struct buf *warnings);
/* What the latest trusts_try has read is in force from now on. Main's thread. Returns true. */
bool trusts_take(struct trusts *t);
/* Returns a number that changes with each trusts_take. */
uint64_t trusts_version(const struct trusts *t);
/* Returns how an origin with TLS is believed, with a reference. That of a deploy's origin may be new: then it
 * is read now, which waits for the disk. NULL: it cannot be read, and `why` gets a sentence. */
struct outgoing *trusts_get(struct trusts *t, const struct origin_tls *tls, struct buf *why);

#endif
