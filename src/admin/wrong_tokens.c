#include "admin/wrong_tokens.h"

#define ONE        1000 /* a wrong token; one is forgiven each second, a thousandth each millisecond */
#define WAIT_MS    250  /* of the first answer that waits; each one after it waits twice as long */
#define DOUBLINGS  4    /* so the longest is four seconds */
#define WRONG_MOST 60   /* that are held against an address: after a minute all is forgiven */

void wrong_tokens_init(struct wrong_tokens *w)
{
    CHECK(TOKEN_LIMIT_SENDERS % WRONG_TOKENS_WAYS == 0);
    lock_init(&w->lock);
}

void wrong_tokens_fini(struct wrong_tokens *w)
{
    lock_fini(&w->lock);
}

/* What is held against it now. */
static int64_t left(const struct wrong_tokens_sender *s, int64_t now_ms)
{
    int64_t n = s->wrong - (now_ms - s->at_ms);
    return s->hash && n > 0 ? n : 0;
}

/* Its own place, or that of the one against whom least is held. */
static struct wrong_tokens_sender *find(struct wrong_tokens *w, uint64_t hash, int64_t now_ms)
{
    struct wrong_tokens_sender *set =
        &w->senders[hash % (TOKEN_LIMIT_SENDERS / WRONG_TOKENS_WAYS) * WRONG_TOKENS_WAYS];
    struct wrong_tokens_sender *least = set;
    for (size_t i = 0; i < WRONG_TOKENS_WAYS; i++) {
        if (set[i].hash == hash)
            return &set[i];
        if (left(&set[i], now_ms) < left(least, now_ms))
            least = &set[i];
    }
    *least = (struct wrong_tokens_sender){ .hash = hash, .at_ms = now_ms };
    return least;
}

int64_t wrong_tokens_count(struct wrong_tokens *w, uint64_t address, int64_t now_mono_ms)
{
    lock_take(&w->lock);
    struct wrong_tokens_sender *s = find(w, address ? address : 1, now_mono_ms);
    int64_t wrong = left(s, now_mono_ms) + ONE;
    s->wrong = wrong < WRONG_MOST * ONE ? wrong : WRONG_MOST * ONE;
    s->at_ms = now_mono_ms;
    lock_give(&w->lock);
    int64_t over = (wrong + ONE - 1) / ONE - TOKEN_LIMIT_FREE;
    return over <= 0 ? 0 : (int64_t)WAIT_MS << (over - 1 < DOUBLINGS ? over - 1 : DOUBLINGS);
}
