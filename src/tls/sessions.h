/*
 * Sessions that a server gave, for later handshakes with it that go on with one (RFC 8446 §2.2; RFC 5077).
 * They are for one server as it was believed when they were made: who believes it otherwise clears them. One
 * thread.
 */
#ifndef TLS_SESSIONS_H
#define TLS_SESSIONS_H

#include <stddef.h>
#include <stdint.h>

struct ssl_session_st;

#define SESSIONS_MOST 8

/* Zero it before its first use. */
struct sessions {
    struct ssl_session_st *v[SESSIONS_MOST]; /* references, the oldest first */
    size_t n;
};

/* Takes over a reference. The oldest makes room. */
void sessions_put(struct sessions *all, struct ssl_session_st *s);
/* Returns the newest that can still be used, with a reference that the caller drops by sessions_drop. One of
 * TLS 1.3 is given once (RFC 8446 §C.4). Wall-clock. NULL: there is none. */
struct ssl_session_st *sessions_take(struct sessions *all, int64_t now_ms);
void sessions_drop(struct ssl_session_st *s); /* NULL is allowed */
void sessions_clear(struct sessions *all);

#endif
