/*
 * The keys of session tickets (RFC 5077; RFC 8446 §4.6.1), shared by all workers, so that a client may come
 * back to any of them. They are in memory alone and change: what was recorded cannot be read with a key that
 * is found later.
 */
#ifndef TLS_TICKETS_H
#define TLS_TICKETS_H

#include <stdbool.h>
#include <stdint.h>

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
/* Lets the handshakes of a context use these keys. */
void tickets_use(struct tickets *t, struct ssl_ctx_st *context);

#endif
