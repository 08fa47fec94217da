/*
 * Who is given up when memory or connections are short: of those that wait for their client, the ones that
 * hold most for the least progress, and those first whose address has many connections. A connection is
 * looked at twice before it is given up: how far it came in between is its progress. Nothing is kept for this
 * in quiet times. docs/decisions/062-overload.md.
 */
#include "front/h1_machine.h"

#define CUTS_MOST 64 /* in one call */
/* So long a client is watched before it is cut off, and so many bytes a second save it, by step. */
static const struct {
    int64_t watched_ms;
    uint64_t rate;
} rules[OVERLOAD_STEPS] = {
    [OVERLOAD_NONE] = { INT64_MAX, 0 }, [OVERLOAD_SAVE] = { INT64_MAX, 0 }, [OVERLOAD_CUT] = { 1000, 4096 },
    [OVERLOAD_REFUSE] = { 500, 8192 },  [OVERLOAD_PAUSE] = { 200, 16384 },
};

struct candidate {
    struct h1 *c;
    double burden; /* bytes held, times connections of its address, for each byte a second of progress */
};

/* Is it the client that something has to come from? A tunnel is silent by right, and has limits of its own.
 * Before accepting pauses, those are given up too whose body waits here for an origin that takes none. */
static bool may_be_cut(const struct h1 *c, enum overload_step step)
{
    switch (c->state) {
    case H1_HEAD:
    case H1_DISCARD:
    case H1_LINGER: return true;
    case H1_IDLE: return c->served == 0;
    case H1_BUSY:
        return !c->tunnel && (c->body_wanted || c->x->request.sending ||
                              (step == OVERLOAD_PAUSE && request_holds(&c->x->request) > 0));
    default: return false;
    }
}

static uint64_t progress(struct h1 *c)
{
    return c->got + c->lingered + (c->state == H1_BUSY ? request_taken(&c->x->request) : 0);
}

static size_t holds(const struct h1 *c)
{
    size_t bytes = sizeof(*c) + sizeof(*c->stream);
    if (!c->x)
        return bytes;
    bytes += sizeof(*c->x) + request_holds(&c->x->request);
    if (c->x->in.p != c->x->first)
        bytes += c->x->in.cap;
    return bytes;
}

/* What does it wait for: the end of which request, or the beginning of the next one? For the first one it
 * waits once: whoever just connects has asked for nothing yet. */
static uint64_t waits_for(const struct h1 *c)
{
    return c->served * 2 + (c->state == H1_IDLE && c->served > 0);
}

/* Begins to watch it, when it waits for something else than at the last look. */
static bool is_watched(struct h1 *c, int64_t now_ms)
{
    if (c->waits_ms && c->waits_in == waits_for(c))
        return true;
    c->waits_ms = now_ms;
    c->waits_in = waits_for(c);
    c->waits_at = progress(c);
    return false;
}

/* Keeps the heaviest, the first one first. */
static void keep(struct candidate *worst, unsigned *n, struct candidate it)
{
    unsigned at = *n < CUTS_MOST ? (*n)++ : CUTS_MOST - 1;
    if (at == CUTS_MOST - 1 && worst[at].c && worst[at].burden >= it.burden)
        return;
    while (at > 0 && worst[at - 1].burden < it.burden) {
        worst[at] = worst[at - 1];
        at--;
    }
    worst[at] = it;
}

static void look_at_slow(struct h1 *c, const struct front_shed *how, int64_t now_ms, struct candidate *worst,
                         unsigned *n, struct front_shed_done *done)
{
    if (!is_watched(c, now_ms)) {
        done->slow++;
        return;
    }
    int64_t ms = now_ms - c->waits_ms;
    if (ms < rules[how->step].watched_ms) {
        done->slow++;
        return;
    }
    uint64_t at = progress(c), rate = (at > c->waits_at ? at - c->waits_at : 0) * 1000 / (uint64_t)ms;
    if (rate >= rules[how->step].rate) {
        c->waits_ms = 0; /* a new chance: it is measured anew */
        return;
    }
    uint32_t connections = how->connections_of ? how->connections_of(how->ctx, &c->peer) : 1;
    double burden = (double)holds(c) * (connections > 1 ? connections : 1) / (double)(rate + 1);
    keep(worst, n, (struct candidate){ c, burden });
}

/* Has it been idle for long? It is as long as nothing came since the last look. */
static bool is_idle_for(struct h1 *c, int64_t ms, int64_t now_ms)
{
    return is_watched(c, now_ms) && now_ms - c->waits_ms >= ms;
}

static void cut(const struct front_shed *how, const struct candidate *worst, unsigned n,
                struct front_shed_done *done)
{
    int64_t bytes = 0;
    for (unsigned i = 0; i < n && (bytes < how->bytes || done->cut < how->places); i++) {
        bytes += (int64_t)holds(worst[i].c);
        h1_cut(worst[i].c, REASON_OVERLOAD);
        done->cut++;
    }
    done->slow += n - done->cut;
}

void h1_shed(struct front *front, const struct front_shed *how, struct front_shed_done *done)
{
    struct h1_front *f = CONTAINER_OF(front, struct h1_front, front);
    struct candidate worst[CUTS_MOST] = { { NULL, 0 } };
    unsigned n = 0;
    int64_t now_ms = front->requests->loop->now.mono_ms;
    *done = (struct front_shed_done){ 0 };
    for (size_t looks = how->looks < front->open ? how->looks : front->open; looks > 0; looks--) {
        struct link *l = list_pop(&f->connections);
        if (!l)
            break;
        list_push_back(&f->connections, l);
        struct h1 *c = CONTAINER_OF(l, struct h1, link);
        CHECK(c->tag == H1_TAG);
        if (c->state == H1_CLOSING)
            continue;
        if (c->state == H1_BUSY)
            request_save(&c->x->request);
        if (c->state == H1_IDLE && c->served > 0) {
            if (is_idle_for(c, how->idle_ms, now_ms)) {
                h1_close(c);
                done->idle++;
            }
        } else if (may_be_cut(c, how->step) && rules[how->step].watched_ms < INT64_MAX) {
            look_at_slow(c, how, now_ms, worst, &n, done);
        } else {
            c->waits_ms = 0;
        }
    }
    cut(how, worst, n, done);
    stock_trim_all(&f->exchanges);
}
