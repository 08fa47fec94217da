#include "coding/pour.h"

#include "base/mem.h"
#include "cache/coded.h"
#include "cache/room.h"
#include "coding/encode.h"
#include "io/background.h"

#define THREADS_MOST 8
/* As in coder.c: what a coding has to save. */
#define SAVES_PART  16
#define SAVES_LEAST 64

/* Whose turn it is, under the lock. */
enum turn {
    TURN_NONE,    /* nothing to do */
    TURN_QUEUED,  /* in the queue */
    TURN_RUNS,    /* a thread has it */
    TURN_RUNS_ON, /* and something came meanwhile */
};

struct pour {
    struct link link;  /* in ps->live */
    struct link queue; /* in ps->queue */
    struct pours *ps;
    enum turn turn;
    struct pour_plan plan; /* with references to `from` and `body` */
    struct object *to;     /* its object, a reference */
    struct body *made;     /* the body of that, a reference */
    struct body_cursor cursor;
    struct watch watch;            /* of `from` */
    struct notice progress, moved; /* more of `from` came; a reader of `to` moved on or left */
    struct encode *encode;         /* NULL until it begins */
    uint64_t at;                   /* plain bytes that were encoded */
    bool is_exact;                 /* the bytes are those that coder.c makes of the body at that level */
    bool flushes, unflushed;
    bool passing;
};

struct pours {
    struct cache *cache;
    struct lock lock;
    struct list live, queue;
    size_t live_n;
    pour_count_fn *count;
    void *ctx;
    unsigned threads_n;
    struct background *threads[THREADS_MOST];
};

/* ---- turns ---- */

static void wake(struct pours *ps)
{
    for (unsigned i = 0; i < ps->threads_n; i++)
        background_wake(ps->threads[i]);
}

/* Also under the lock of an object. */
static void poke(struct pour *p)
{
    struct pours *ps = p->ps;
    lock_take(&ps->lock);
    bool queued = p->turn == TURN_NONE;
    if (queued) {
        p->turn = TURN_QUEUED;
        list_push_back(&ps->queue, &p->queue);
    } else if (p->turn == TURN_RUNS) {
        p->turn = TURN_RUNS_ON;
    }
    lock_give(&ps->lock);
    if (queued)
        wake(ps);
}

static void progress_posted(struct notice *n, const void *sender)
{
    (void)sender;
    poke(CONTAINER_OF(n, struct pour, progress));
}

static void moved_posted(struct notice *n, const void *sender)
{
    (void)sender;
    poke(CONTAINER_OF(n, struct pour, moved));
}

/* ---- bytes ---- */

/* The body is not kept any more: readers who are there get all of it, and nobody joins. */
static void pass(struct pour *p)
{
    p->passing = true;
    object_close(p->to);
    body_pass(p->made);
    object_tell(p->to); /* where its readers are is not known until they were told */
}

/* false: no memory. */
static bool put(struct pour *p, struct str data)
{
    if (!p->passing)
        data = str_from_index(data, room_append(p->ps->cache, p->made, data));
    if (data.n && !p->passing)
        pass(p);
    return body_append(p->made, data) == data.n;
}

static bool encode_piece(struct pour *p, struct str in, bool last)
{
    struct str data;
    for (;;)
        switch (encode_next(p->encode, &in, last, &data)) {
        case ENCODE_DATA:
            if (!put(p, data))
                return false;
            break;
        case ENCODE_MORE:
        case ENCODE_ENDED: return true;
        case ENCODE_NO_MEMORY: return false;
        }
}

static bool flush(struct pour *p)
{
    struct str data;
    p->unflushed = false;
    p->is_exact = false;
    for (;;)
        switch (encode_flush(p->encode, &data)) {
        case ENCODE_DATA:
            if (!put(p, data))
                return false;
            break;
        case ENCODE_MORE: return true;
        default: return false;
        }
}

/* Encodes [p->at, to). `whole`: the body ends at `there`. */
static bool encode_some(struct pour *p, uint64_t to, uint64_t there, bool whole)
{
    uint64_t bytes;
    bool good = true;
    while (p->at < to && good) {
        struct iovec iov;
        body_lease(p->plan.body, &p->cursor, p->at, to, &iov, 1, &bytes);
        p->at += bytes;
        p->unflushed = true;
        bool last = whole && p->at == there; /* said with the last piece, as coder.c does */
        good = encode_piece(p, (struct str){ iov.iov_base, iov.iov_len }, last);
        if (good && last)
            return true;
    }
    if (good && p->at == there && whole)
        return encode_piece(p, STR_NONE, true);
    if (good && p->at == there && p->flushes && p->unflushed)
        return flush(p);
    return good;
}

/* ---- its end ---- */

/* Nobody finds it any more, and nobody tells it anything. */
static void detach(struct pour *p)
{
    object_set_pour(p->plan.from, p->plan.coding, NULL);
    object_unwatch(p->plan.from, &p->watch);
}

static void fail(struct pour *p, enum reason why, int status)
{
    detach(p);
    object_fail(p->to, why, status);
}

static bool is_in_size(const struct pour_plan *plan, uint64_t length)
{
    return length >= plan->least && length <= plan->most;
}

static bool saves(uint64_t plain, uint64_t coded)
{
    return coded + plain / SAVES_PART + SAVES_LEAST <= plain;
}

/* Makes a stored coding of what it made. */
static void keep(struct pour *p)
{
    struct object *o = p->plan.from;
    enum coding c = p->plan.coding;
    uint64_t made = body_length(p->made);
    if (p->passing || object_is_closed(o) || !is_in_size(&p->plan, p->at) || !coded_claim(o, c, false))
        return;
    bool useless = !saves(p->at, made);
    p->ps->count(p->ps->ctx, c, useless, p->at, made);
    struct body *body = useless ? NULL : body_compact(p->made);
    if (useless)
        coded_give_up(o, c, true);
    else if (p->is_exact)
        coded_attach(o, c, p->plan.level, false, &body);
    else
        coded_attach_poured(o, c, p->plan.level, &body);
}

/* In this order: who sees the end of it finds the stored coding, and no pour. */
static void finish(struct pour *p)
{
    keep(p);
    detach(p);
    object_seal(p->to, false);
}

static void free_pour(struct pour *p)
{
    encode_free(p->encode);
    object_unref(p->to);
    body_unref(p->made);
    body_unref(p->plan.body);
    object_unref(p->plan.from);
    mem_free(p);
}

/* ---- a turn ---- */

/* Frees what the readers of a passing body took. false: none is left. *behind: one is, by a window. */
static bool follow_readers(struct pour *p, bool *behind)
{
    *behind = false;
    if (!p->passing)
        return true;
    uint64_t slowest = object_slowest(p->to), length = body_length(p->made);
    if (slowest == UINT64_MAX)
        return false;
    body_forget(p->made, slowest);
    *behind = length - slowest > p->plan.window_bytes;
    object_set_paused(p->to, *behind);
    /* A reader may have moved on before it could know that it is waited for. */
    if (*behind)
        *behind = length - object_slowest(p->to) > p->plan.window_bytes;
    return true;
}

/* Once there are bytes, or it is known that there are none. */
static bool begin(struct pour *p, uint64_t there, bool whole)
{
    const struct pour_plan *plan = &p->plan;
    bool fits = whole && there <= ENCODE_STREAM_WINDOW;
    p->is_exact = fits && encode_is_exact(plan->coding, plan->level);
    p->flushes = !whole;
    p->encode =
        fits ? encode_new(plan->coding, plan->level, there) : encode_new_stream(plan->coding, plan->level);
    return p->encode != NULL;
}

enum step { STEP_WAITS, STEP_GOES_ON, STEP_IS_OVER };

static enum step step_failed(struct pour *p, enum reason why, int status)
{
    fail(p, why, status);
    return STEP_IS_OVER;
}

static enum step step(struct pour *p)
{
    struct object *o = p->plan.from;
    bool behind;
    notice_received(&p->progress);
    notice_received(&p->moved);
    enum object_state state = object_state(o); /* before the length: then that is final */
    uint64_t there = body_length(p->plan.body);
    bool whole = state == OBJECT_SEALED;
    if (state == OBJECT_FAILED)
        return step_failed(p, (enum reason)o->fail_reason, 500 + o->fail_5xx);
    if (object_is_closed(o) && !p->passing)
        pass(p);
    if (!follow_readers(p, &behind))
        return step_failed(p, REASON_CANCELLED, 502);
    if (behind || (!p->encode && !whole && there == 0))
        return STEP_WAITS;
    /* Nobody has its head yet: its visitors get the plain one. */
    if (!p->encode && whole && !is_in_size(&p->plan, there) && object_readers(p->to) == 0)
        return step_failed(p, REASON_CANCELLED, 502);
    uint64_t to = there - p->at < POUR_TURN_BYTES ? there : p->at + POUR_TURN_BYTES;
    if ((!p->encode && !begin(p, there, whole)) || !encode_some(p, to, there, whole))
        return step_failed(p, REASON_NO_MEMORY, 503);
    atomic_store_explicit(&p->watch.slowest, p->at, memory_order_release);
    atomic_store_explicit(&p->watch.furthest, p->at, memory_order_release);
    if (whole && p->at == there) {
        finish(p);
        return STEP_IS_OVER;
    }
    object_reader_moved(o, p);
    object_tell(p->to);
    return p->at < there ? STEP_GOES_ON : STEP_WAITS;
}

static struct pour *take(struct pours *ps)
{
    lock_take(&ps->lock);
    struct link *l = list_pop(&ps->queue);
    struct pour *p = l ? CONTAINER_OF(l, struct pour, queue) : NULL;
    if (p)
        p->turn = TURN_RUNS;
    lock_give(&ps->lock);
    return p;
}

static void give(struct pour *p, enum step step)
{
    struct pours *ps = p->ps;
    lock_take(&ps->lock);
    if (step == STEP_IS_OVER) {
        link_remove(&p->link);
        ps->live_n--;
    } else if (step == STEP_GOES_ON || p->turn == TURN_RUNS_ON) {
        p->turn = TURN_QUEUED;
        list_push_back(&ps->queue, &p->queue);
    } else {
        p->turn = TURN_NONE;
    }
    lock_give(&ps->lock);
    if (step == STEP_IS_OVER)
        free_pour(p);
}

static int64_t run_turn(void *ctx)
{
    struct pour *p = take(ctx);
    if (!p)
        return BACKGROUND_IDLE;
    give(p, step(p));
    return 0;
}

/* ---- beginning ---- */

static bool add(struct pours *ps, struct pour *p)
{
    lock_take(&ps->lock);
    bool has_room = ps->live_n < POURS_MOST;
    if (has_room) {
        ps->live_n++;
        list_push_back(&ps->live, &p->link);
    }
    lock_give(&ps->lock);
    return has_room;
}

static void set_head(struct pour *p)
{
    struct object *o = p->plan.from;
    struct verdict v = { .fresh = object_freshness(o) };
    struct response *r = coded_head(o, p->plan.coding, p->plan.level, true);
    struct body *body = body_ref(p->made);
    object_set_head(p->to, &(struct object_head){ .response = &r,
                                                  .body = &body,
                                                  .verdict = &v,
                                                  .received_mono_ms = object_received_ms(o),
                                                  .fetched_status = o->response->status });
}

bool pour_begin(struct pours *ps, const struct pour_plan *plan)
{
    struct pour *p;
    if (!ps || (p = mem_try(sizeof(*p))) == NULL)
        return false;
    *p = (struct pour){ .ps = ps, .plan = *plan };
    link_init(&p->link);
    link_init(&p->queue);
    link_init(&p->watch.link);
    if (!add(ps, p)) {
        mem_free(p);
        return false;
    }
    p->plan.level = encode_level(plan->coding, plan->level);
    object_ref(plan->from);
    body_ref(plan->body);
    p->progress.post = progress_posted;
    p->moved.post = moved_posted;
    p->watch.owner = p;
    p->watch.notice = &p->progress;
    p->watch.is_pour = true;
    p->to = object_new(ps->cache, plan->from->begin);
    p->made = body_new(&ps->cache->memory, BODY_LENGTH_UNKNOWN);
    object_set_fetch(p->to, &p->moved, p);
    set_head(p);
    object_set_pour(plan->from, plan->coding, p->to);
    CHECK(object_watch(plan->from, &p->watch, true) == OBJECT_WATCHED);
    return true;
}

/* ---- its life ---- */

struct pours *pours_start(struct cache *c, unsigned threads, pour_count_fn *count, void *ctx)
{
    struct pours *ps = mem_alloc(sizeof(*ps));
    ps->cache = c;
    ps->count = count;
    ps->ctx = ctx;
    lock_init(&ps->lock);
    list_init(&ps->live);
    list_init(&ps->queue);
    threads = threads < 1 ? 1 : threads > THREADS_MOST ? THREADS_MOST : threads;
    while (ps->threads_n < threads) {
        struct background *b = background_start_equal("pour", run_turn, ps);
        if (!b)
            break;
        ps->threads[ps->threads_n++] = b;
    }
    if (ps->threads_n > 0)
        return ps;
    lock_fini(&ps->lock);
    mem_free(ps);
    return NULL;
}

void pours_stop(struct pours *ps)
{
    if (!ps)
        return;
    for (unsigned i = 0; i < ps->threads_n; i++)
        background_stop(&ps->threads[i]);
    LIST_EACH_SAFE(l, &ps->live) {
        struct pour *p = CONTAINER_OF(l, struct pour, link);
        link_remove(&p->queue);
        fail(p, REASON_DRAINING, 503);
        give(p, STEP_IS_OVER);
    }
    lock_fini(&ps->lock);
    mem_free(ps);
}

size_t pours_now(struct pours *ps)
{
    if (!ps)
        return 0;
    lock_take(&ps->lock);
    size_t n = ps->live_n;
    lock_give(&ps->lock);
    return n;
}
