#include "origin/upstream.h"

#include "base/mem.h"

#define RAMP_LEAST 100  /* thousandths of its weight, at first */
#define PROBE_MS   1000 /* a sick origin is tried no more often, beside others that are well */

/* ---- the choice ---- */

uint32_t upstream_weight(uint32_t weight, int64_t well_since_ms, int64_t slow_start_ms, int64_t now_mono_ms)
{
    int64_t part = 1000;
    if (well_since_ms != INT64_MIN && slow_start_ms > 0 && now_mono_ms - well_since_ms < slow_start_ms)
        part = (now_mono_ms - well_since_ms) * 1000 / slow_start_ms;
    return weight * (uint32_t)(part < RAMP_LEAST ? RAMP_LEAST : part);
}

/* Does `a` come before `b`, of the same rank? */
static bool is_before(const struct upstream_candidate *a, const struct upstream_candidate *b)
{
    int64_t load_a = a->outstanding * (int64_t)b->weight, load_b = b->outstanding * (int64_t)a->weight;
    return load_a < load_b || (load_a == load_b && a->pass < b->pass);
}

static uint64_t turn_of(const struct upstream_candidate *c)
{
    return UPSTREAM_PASS * 1000 / c->weight;
}

/* Nobody saves up turns: neither while it is not asked at all, nor while it has more to do than others. */
static void lift(struct upstream_candidate *v, size_t n, size_t chosen)
{
    uint64_t before = v[chosen].pass, after = before + turn_of(&v[chosen]);
    for (size_t i = 0; i < n; i++) {
        uint64_t turn = turn_of(&v[i]), one_behind = before > turn ? before - turn : 0;
        uint64_t least = v[i].rank == v[chosen].rank ? one_behind : after;
        if (v[i].pass < least)
            v[i].pass = least;
    }
}

size_t upstream_pick(struct upstream_candidate *v, size_t n)
{
    size_t best = SIZE_MAX;
    for (size_t i = 0; i < n; i++) {
        CHECK(v[i].weight > 0);
        if (v[i].rank != UPSTREAM_NEVER && (best == SIZE_MAX || v[i].rank < v[best].rank ||
                                            (v[i].rank == v[best].rank && is_before(&v[i], &v[best]))))
            best = i;
    }
    if (best == SIZE_MAX)
        return best;
    lift(v, n, best);
    v[best].pass += turn_of(&v[best]);
    return best;
}

/* ---- a site's list ---- */

/* By its origins, not by their texts: what else a site says of them makes others of them. */
static void write_identity(const struct site_settings *site, const struct upstream *u, struct buf *to)
{
    buf_add(to, site->name);
    for (size_t i = 0; i < u->n; i++)
        buf_printf(to, "\n%u %u%s", u->v[i].origin->number, u->v[i].weight,
                   u->v[i].is_backup ? " backup" : "");
}

/* An origin that comes to others begins slowly; at a start all of them are new. */
static void note_new(struct upstream *u, int64_t now_mono_ms)
{
    bool any_known = false;
    for (size_t i = 0; i < u->n; i++)
        any_known |= atomic_load_explicit(&u->v[i].origin->well_since_ms, memory_order_relaxed) != 0;
    for (size_t i = 0; i < u->n; i++) {
        int64_t unknown = 0;
        atomic_compare_exchange_strong_explicit(&u->v[i].origin->well_since_ms, &unknown,
                                                any_known ? now_mono_ms : INT64_MIN, memory_order_relaxed,
                                                memory_order_relaxed);
    }
}

static struct upstream *make(struct origins *all, const struct site_settings *site)
{
    struct upstream *u = mem_alloc(sizeof(*u) + site->origin.n * sizeof(u->v[0]));
    u->all = all;
    u->n = site->origin.n;
    lock_init(&u->lock);
    for (size_t i = 0; i < u->n; i++) {
        const struct site_origin *from = &site->origin_list[i];
        u->v[i].origin = origins_get(all, &from->at);
        u->v[i].weight = from->weight;
        u->v[i].is_backup = from->is_backup;
    }
    write_identity(site, u, &u->identity);
    return u;
}

static void free_upstream(struct upstream *u)
{
    buf_fini(&u->identity);
    lock_fini(&u->lock);
    mem_free(u);
}

/* Under the lock. */
static struct upstream *find(struct origins *all, struct str identity)
{
    LIST_EACH(l, &all->upstreams) {
        struct upstream *u = CONTAINER_OF(l, struct upstream, link);
        if (str_eq(buf_str(&u->identity), identity))
            return u;
    }
    return NULL;
}

static struct upstream *find_or_make(struct origins *all, const struct site_settings *site,
                                     int64_t now_mono_ms)
{
    struct upstream *made = make(all, site); /* the lock is origins_get's, too */
    lock_take(&all->lock);
    struct upstream *u = find(all, buf_str(&made->identity));
    if (!u) {
        u = made;
        note_new(u, now_mono_ms);
        list_push_front(&all->upstreams, &u->link);
    }
    lock_give(&all->lock);
    if (u != made)
        free_upstream(made);
    return u;
}

struct upstream *upstream_of(struct origins *all, const struct site_settings *site, int64_t now_mono_ms)
{
    struct upstream *u = atomic_load_explicit(&site->upstream->found, memory_order_acquire);
    if (!u) {
        u = find_or_make(all, site, now_mono_ms);
        atomic_store_explicit(&site->upstream->found, u, memory_order_release);
    }
    CHECK(u->all == all);
    return u;
}

void upstreams_fini(struct origins *all)
{
    struct link *l;
    while ((l = list_pop(&all->upstreams)) != NULL)
        free_upstream(CONTAINER_OF(l, struct upstream, link));
}

/* ---- how its members do ---- */

static bool is_down(const struct upstream_member *m)
{
    return atomic_load_explicit(&m->is_down, memory_order_relaxed);
}

static bool is_usable(const struct upstream_member *m)
{
    return atomic_load_explicit(&m->origin->marks, memory_order_relaxed) == 0 && !is_down(m);
}

static bool rests(const struct upstream_member *m, int64_t now_mono_ms)
{
    return now_mono_ms < atomic_load_explicit(&m->origin->rests_until_ms, memory_order_relaxed);
}

static enum upstream_rank rank_of(const struct upstream_member *m, bool was_tried, int64_t now_mono_ms)
{
    if (was_tried || origin_is_drained(m->origin))
        return UPSTREAM_NEVER;
    if (is_usable(m) && !rests(m, now_mono_ms))
        return m->is_backup ? UPSTREAM_BACKUP : UPSTREAM_WELL;
    return m->is_backup ? UPSTREAM_SICK_BACKUP : UPSTREAM_SICK;
}

bool upstream_is_sick(const struct upstream *u)
{
    for (size_t i = 0; i < u->n; i++)
        if (is_usable(&u->v[i]))
            return false;
    return true;
}

bool upstream_may_try(struct upstream *u, int64_t now_mono_ms, int64_t backoff_ms)
{
    for (size_t i = 0; i < u->n; i++)
        if (!origin_is_drained(u->v[i].origin) && origin_may_try(u->v[i].origin, now_mono_ms, backoff_ms))
            return true;
    return false;
}

bool upstream_is_old(const struct upstream *u)
{
    for (size_t i = 0; i < u->n; i++)
        if (origin_is_old(u->v[i].origin))
            return true;
    return false;
}

bool upstream_has_other(const struct upstream *u, uint32_t tried)
{
    for (size_t i = 0; i < u->n; i++)
        if (!(tried >> i & 1) && !origin_is_drained(u->v[i].origin))
            return true;
    return false;
}

bool upstream_is_last(const struct upstream *u, const struct origin *o)
{
    bool has_it = false;
    for (size_t i = 0; i < u->n; i++) {
        if (u->v[i].origin != o && !origin_is_drained(u->v[i].origin))
            return false;
        has_it |= u->v[i].origin == o;
    }
    return has_it;
}

void upstream_set_down(struct upstream *u, size_t place, bool is_down, int64_t now_mono_ms)
{
    struct upstream_member *m = &u->v[place];
    CHECK(place < u->n);
    if (atomic_exchange_explicit(&m->is_down, is_down, memory_order_relaxed) == is_down)
        return;
    atomic_fetch_add_explicit(&u->all->marked, is_down ? 1 : -1, memory_order_relaxed);
    if (is_down)
        return;
    atomic_store_explicit(&m->origin->well_since_ms, now_mono_ms, memory_order_relaxed);
    origin_recovered(m->origin, now_mono_ms);
}

/* ---- for a fetch ---- */

static void draw(const struct upstream *u, const struct upstream_wish *wish, int64_t now_mono_ms,
                 struct upstream_candidate *v)
{
    for (size_t i = 0; i < u->n; i++) {
        const struct upstream_member *m = &u->v[i];
        int64_t since = atomic_load_explicit(&m->origin->well_since_ms, memory_order_relaxed);
        v[i] = (struct upstream_candidate){
            .rank = rank_of(m, wish->tried >> i & 1, now_mono_ms),
            .outstanding = atomic_load_explicit(&m->origin->outstanding, memory_order_relaxed),
            .weight = upstream_weight(m->weight, since, wish->site->slow_start, now_mono_ms),
            .pass = m->pass,
        };
    }
}

static size_t place_of_own(const struct upstream *u, const struct upstream_wish *wish)
{
    for (size_t i = 0; wish->own && i < u->n; i++)
        if (u->v[i].origin == wish->own && !(wish->tried >> i & 1))
            return i;
    return SIZE_MAX;
}

/* One that is sick beside others that are well gets a request now and then: its answer makes it well. */
static size_t place_to_probe(struct upstream *u, const struct upstream_wish *wish,
                             const struct upstream_candidate *v, int64_t now_mono_ms)
{
    int64_t pause = wish->site->refresh_backoff > PROBE_MS ? wish->site->refresh_backoff : PROBE_MS;
    bool any_well = false;
    for (size_t i = 0; i < u->n; i++)
        any_well |= v[i].rank <= UPSTREAM_BACKUP;
    if (!any_well || !wish->may_probe || !retries_may(&u->retries, now_mono_ms))
        return SIZE_MAX;
    for (size_t i = 0; i < u->n; i++)
        if (v[i].rank != UPSTREAM_NEVER && origin_is_sick(u->v[i].origin) && !is_down(&u->v[i]) &&
            origin_may_try(u->v[i].origin, now_mono_ms, pause))
            return i;
    return SIZE_MAX;
}

static void choose_of_several(struct upstream *u, const struct upstream_wish *wish, int64_t now_mono_ms,
                              struct upstream_chosen *out)
{
    struct upstream_candidate v[SITE_ORIGINS_MAX];
    CHECK(u->n <= SITE_ORIGINS_MAX);
    draw(u, wish, now_mono_ms, v);
    out->place = place_of_own(u, wish);
    if (out->place < u->n)
        return;
    out->place = place_to_probe(u, wish, v, now_mono_ms);
    out->is_probe = out->place < u->n;
    if (out->is_probe)
        return;
    out->place = upstream_pick(v, u->n);
    for (size_t i = 0; i < u->n; i++)
        if (!(wish->tried >> i & 1))
            u->v[i].pass = v[i].pass;
}

void upstream_choose(struct upstream *u, const struct upstream_wish *wish, int64_t now_mono_ms,
                     struct upstream_chosen *out)
{
    *out = (struct upstream_chosen){ .place = SIZE_MAX };
    if (u->n == 1) {
        if (wish->tried || origin_is_drained(u->v[0].origin))
            return;
        out->place = 0;
    } else if (wish->again && !upstream_has_other(u, wish->tried)) {
        return;
    } else {
        lock_take(&u->lock);
        if (!wish->again)
            retries_request(&u->retries, now_mono_ms);
        out->is_refused = wish->again && !retries_take(&u->retries, now_mono_ms);
        if (!out->is_refused)
            choose_of_several(u, wish, now_mono_ms, out);
        lock_give(&u->lock);
    }
    if (out->place >= u->n)
        return;
    out->origin = u->v[out->place].origin;
    atomic_fetch_add_explicit(&out->origin->outstanding, 1, memory_order_relaxed);
}

void upstream_done(struct origin *o)
{
    int64_t before = atomic_fetch_sub_explicit(&o->outstanding, 1, memory_order_relaxed);
    CHECK(before > 0);
}

size_t upstream_next(struct upstream *u, const struct site_settings *site, int64_t now_mono_ms)
{
    struct upstream_candidate v[SITE_ORIGINS_MAX];
    lock_take(&u->lock);
    draw(u, &(struct upstream_wish){ .site = site }, now_mono_ms, v);
    lock_give(&u->lock);
    return upstream_pick(v, u->n);
}
