/* What tests share in which nghttp2's session is the other side of our HTTP/2. */
#ifndef UNIT_H2_PEER_H
#define UNIT_H2_PEER_H

#include <nghttp2/nghttp2.h>

#include "../fuzz/pieces.h"

#define NV(n, v)                                                                                             \
    {                                                                                                        \
        (uint8_t *)(uintptr_t)(n), (uint8_t *)(uintptr_t)(v), strlen(n), strlen(v), NGHTTP2_NV_FLAG_NONE     \
    }

/* Gives what is left of a body, of one letter. */
static inline ssize_t peer_read(size_t *left, char letter, uint8_t *p, size_t n, uint32_t *flags)
{
    n = n < *left ? n : *left;
    memset(p, letter, n);
    *left -= n;
    if (*left == 0)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)n;
}

static inline int peer_found_fault(nghttp2_session *session, const nghttp2_frame *frame, int code, void *user)
{
    (void)session;
    (void)frame;
    (void)user;
    print_message("nghttp2 found: %s\n", nghttp2_strerror(code));
    fail();
    return 0;
}

/* What the peer has to say goes to us, in pieces; `feed`: false when we have found a fault, which is in
 * `log`. */
static inline void peer_to_us(nghttp2_session *session, bool (*feed)(void *us, struct str piece), void *us,
                              const struct buf *log, struct dice *d)
{
    const uint8_t *p;
    ssize_t n;
    while ((n = nghttp2_session_mem_send(session, &p)) > 0) {
        struct str rest = { (const char *)p, (size_t)n };
        while (rest.n) {
            struct str piece = str_first(rest, 1 + dice_roll(d, 3000));
            bool good = feed(us, piece);
            if (!good)
                print_message("we found:\n%.*s\n", STR_ARG(buf_str(log)));
            assert_true(good);
            rest = str_from_index(rest, piece.n);
        }
    }
    assert_int_equal(n, 0);
}

/* What we have to say goes to the peer, which takes all of it. */
static inline void us_to_peer(struct buf *out, nghttp2_session *session)
{
    ssize_t n = nghttp2_session_mem_recv(session, (const uint8_t *)out->p, out->n);
    assert_int_equal(n, out->n);
    buf_clear(out);
}

#endif
