#include "front/shed.h"

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
    struct link *connection;
    size_t holds;
    double burden; /* bytes held, times connections of its address, for each byte a second of progress */
};

struct shedding {
    const struct front_shed *how;
    struct front_shed_done *done;
    int64_t now_ms;
    struct candidate worst[CUTS_MOST];
    unsigned n;
};

/* Begins to watch it, when it waits for something else than at the last look. */
static bool is_watched(const struct shed_look *l, int64_t now_ms)
{
    struct shed_watch *w = l->watch;
    if (w->waits_ms && w->waits_in == l->waits_for)
        return true;
    *w = (struct shed_watch){ now_ms, l->progress, l->waits_for };
    return false;
}

/* Keeps the heaviest, the first one first. */
static void keep(struct shedding *s, struct candidate it)
{
    struct candidate *worst = s->worst;
    unsigned at = s->n < CUTS_MOST ? s->n++ : CUTS_MOST - 1;
    if (at == CUTS_MOST - 1 && worst[at].connection && worst[at].burden >= it.burden)
        return;
    while (at > 0 && worst[at - 1].burden < it.burden) {
        worst[at] = worst[at - 1];
        at--;
    }
    worst[at] = it;
}

static void look_at_slow(struct shedding *s, struct link *connection, const struct shed_look *l)
{
    const struct front_shed *how = s->how;
    struct shed_watch *w = l->watch;
    if (!is_watched(l, s->now_ms)) {
        s->done->slow++;
        return;
    }
    int64_t ms = s->now_ms - w->waits_ms;
    if (ms < rules[how->step].watched_ms) {
        s->done->slow++;
        return;
    }
    uint64_t came = l->progress > w->waits_at ? l->progress - w->waits_at : 0,
             rate = came * 1000 / (uint64_t)ms;
    if (rate >= rules[how->step].rate) {
        w->waits_ms = 0; /* a new chance: it is measured anew */
        return;
    }
    uint32_t connections = how->connections_of ? how->connections_of(how->ctx, l->peer) : 1;
    double burden = (double)l->holds * (connections > 1 ? connections : 1) / (double)(rate + 1);
    keep(s, (struct candidate){ connection, l->holds, burden });
}

static void cut(struct shedding *s, const struct shed_protocol *protocol)
{
    int64_t bytes = 0;
    for (unsigned i = 0; i < s->n && (bytes < s->how->bytes || s->done->cut < s->how->places); i++) {
        bytes += (int64_t)s->worst[i].holds;
        protocol->cut(s->worst[i].connection);
        s->done->cut++;
    }
    s->done->slow += s->n - s->done->cut;
}

void shed_connections(struct front *f, struct list *connections, const struct shed_protocol *protocol,
                      const struct front_shed *how, struct front_shed_done *done)
{
    struct shedding s = { .how = how, .done = done, .now_ms = f->requests->loop->now.mono_ms };
    *done = (struct front_shed_done){ 0 };
    for (size_t looks = how->looks < f->open ? how->looks : f->open; looks > 0; looks--) {
        struct link *connection = list_pop(connections);
        if (!connection)
            break;
        list_push_back(connections, connection);
        struct shed_look l = { .kind = SHED_NOT };
        protocol->look(connection, how->step, &l);
        /* It is idle for as long as nothing came since the last look. */
        if (l.kind == SHED_IDLE && is_watched(&l, s.now_ms) && s.now_ms - l.watch->waits_ms >= how->idle_ms) {
            protocol->end_idle(connection);
            done->idle++;
        } else if (l.kind == SHED_SLOW && rules[how->step].watched_ms < INT64_MAX) {
            look_at_slow(&s, connection, &l);
        } else if (l.kind != SHED_IDLE && l.watch) {
            l.watch->waits_ms = 0;
        }
    }
    cut(&s, protocol);
}
