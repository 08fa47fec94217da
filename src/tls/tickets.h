/*
 * The keys of session tickets (RFC 5077; RFC 8446 §4.6.1), shared by all workers, so that a client may come
 * back to any of them. They are in memory alone and change: what was recorded cannot be read with a key that
 * is found later. A process that takes this one's place gets them (tickets_write), so that nobody has to
 * shake hands in full for an upgrade.
 */
#ifndef TLS_TICKETS_H
#define TLS_TICKETS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct tickets;
struct ssl_ctx_st;

/* Returns keys of their own. `now_ms` is monotonic, here and below. The caller frees them after the last
 * context that uses them. */
struct tickets *tickets_new(int64_t now_ms);
void tickets_free(struct tickets *t);
/* Makes a new key when the newest one is TICKETS_ROTATE_MS old, and forgets the oldest: a ticket can be read
 * for twice that time at least. true: there is a new one. Any thread. */
#define TICKETS_ROTATE_MS INT64_C(28800000)
bool tickets_rotate(struct tickets *t, int64_t now_ms);
/* Appends the keys and the newest one's age, for tickets_read in a process of this machine: TICKETS_BYTES,
 * which are secret. Wipe them. Any thread. */
#define TICKETS_BYTES ((size_t)249)
void tickets_write(struct tickets *t, int64_t now_ms, struct buf *out);
/* Takes them in place of its own. false: they are none, and its own stay. Any thread. */
bool tickets_read(struct tickets *t, struct str bytes, int64_t now_ms);
/* Lets the handshakes of a context use these keys. */
void tickets_use(struct tickets *t, struct ssl_ctx_st *context);

#endif
