/*
 * Patience with one HTTP/2 client: of each thing that costs us more than the client, a connection may do a
 * number at once and a number a second (tbl/h2_glitches.h). It is a bucket a kind, which leaks. Pure; one
 * thread at a time.
 */
#ifndef HTTP_H2_CALM_H
#define HTTP_H2_CALM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum h2_glitch {
#define H2_GLITCH(id, burst, per_s, text) H2_GLITCH_##id,
#include "tbl/h2_glitches.h"
#undef H2_GLITCH
    H2_GLITCH_COUNT
};

/* Zeroed: nothing was done yet. */
struct h2_calm {
    int64_t at_ms;                   /* when the buckets leaked last */
    uint32_t level[H2_GLITCH_COUNT]; /* thousandths */
    bool has_some;                   /* one of them may be above 0 */
};

/* Counts one. `now_ms` is monotonic and does not go back. false: that was one too many, and the connection is
 * to end with ENHANCE_YOUR_CALM. */
bool h2_calm_count(struct h2_calm *c, enum h2_glitch what, int64_t now_ms);
/* A request has begun: it explains some frames. */
void h2_calm_request(struct h2_calm *c);
/* A DATA frame of so many bytes is sent, which explains as many WINDOW_UPDATE frames. `by_window`: it was not
 * longer because of a window of the client's. */
void h2_calm_sent(struct h2_calm *c, size_t bytes, bool by_window);
/* Is an increment of a window so small that it counts as H2_GLITCH_TINY_WINDOW? 0 is a fault. */
bool h2_calm_is_tiny(uint32_t increment);
/* Returns the text of tbl/h2_glitches.h. */
const char *h2_calm_text(enum h2_glitch what);
/* Returns how many at once are allowed, for tests. */
unsigned h2_calm_burst(enum h2_glitch what);

#endif
