#include "request/window.h"

#include "base/mem.h"
#include "base/pages.h"
#include "cache/disk.h"
#include "request/request_machine.h"

#define WINDOWS_ROWS 256 /* a power of two */
/* While so many are in use, none is read ahead: it would only push out others. */
#define AHEAD_MOST (WINDOWS_MOST / 4)
/* A disk that stands cuts a delivery off, as an origin does. */
#define READ_MOST_MS 10000
/* Longer than a client that is too slow keeps its window: two looks at its speed (request_pace.c). */
#define FREE_MOST_MS 15000

struct window {
    struct link row;  /* in windows->rows */
    struct link idle; /* in windows->idle, when it is idle */
    struct windows *all;
    struct disk_part part;
    struct loop_notice done;
    struct list waiting; /* of views, while it is being read */
    unsigned users;      /* views; those that wait too */
    bool is_read;        /* else it is being read */
    bool is_idle;        /* read, and nobody uses it */
};

struct windows {
    struct cache *cache;
    const struct overload *overload;
    struct list rows[WINDOWS_ROWS];
    char *room;       /* for what is at hand; NULL: none yet */
    struct list idle; /* the oldest first */
    unsigned idle_n, n;
    struct list short_of; /* of views that wait for any window */
    struct loop *loop;
    struct letter next; /* tells one of them */
    bool next_pending;
};

static void tell_next(struct letter *l);

struct windows *windows_new(struct cache *c, struct loop *loop, const struct overload *overload)
{
    struct windows *all = mem_alloc(sizeof(*all));
    all->cache = c;
    all->overload = overload;
    all->loop = loop;
    all->next.open = tell_next;
    for (size_t i = 0; i < WINDOWS_ROWS; i++)
        list_init(&all->rows[i]);
    list_init(&all->idle);
    list_init(&all->short_of);
    return all;
}

static void free_window(struct window *w)
{
    struct windows *all = w->all;
    link_remove(&w->row);
    all->n--;
    atomic_fetch_sub_explicit(&all->cache->memory.passing_bytes, (int64_t)RECORD_PART_BYTES,
                              memory_order_relaxed);
    mem_free_budgeted(w->part.to);
    mem_free(w);
}

void windows_free(struct windows *all)
{
    if (!all)
        return;
    CHECK(list_is_empty(&all->short_of));
    for (size_t i = 0; i < WINDOWS_ROWS; i++)
        LIST_EACH_SAFE(l, &all->rows[i]) {
            struct window *w = CONTAINER_OF(l, struct window, row);
            CHECK(w->users == 0);
            link_remove(&w->idle);
            free_window(w);
        }
    CHECK(all->n == 0);
    if (all->room)
        pages_unmap(all->room, DISK_ROOM_AT_HAND);
    mem_free(all);
}

bool windows_are_short(const struct windows *all)
{
    return !list_is_empty(&all->short_of);
}

static void wake_next(struct windows *all);

void windows_relieve(struct windows *all)
{
    wake_next(all);
}

/* ---- finding, reading ---- */

static struct list *row_of(struct windows *all, const struct body_distance *where, uint32_t part)
{
    return &all->rows[(where->object * 31 + part) & (WINDOWS_ROWS - 1)];
}

static struct window *find(struct windows *all, const struct body_distance *where, uint32_t part)
{
    LIST_EACH(l, row_of(all, where, part)) {
        struct window *w = CONTAINER_OF(l, struct window, row);
        if (w->part.part == part && w->part.where.object == where->object &&
            hash128_eq(w->part.where.key, where->key))
            return w;
    }
    return NULL;
}

/* Nobody uses it now. One that was not read is of no use; the oldest of too many goes. */
static void put_aside(struct window *w)
{
    struct windows *all = w->all;
    if (w->part.bytes == 0) {
        free_window(w);
        return;
    }
    w->is_idle = true;
    list_push_back(&all->idle, &w->idle);
    if (++all->idle_n <= WINDOWS_IDLE)
        return;
    struct window *oldest = CONTAINER_OF(list_pop(&all->idle), struct window, idle);
    all->idle_n--;
    free_window(oldest);
}

static bool may_start(const struct windows *all, unsigned most)
{
    return all->cache->disk && all->n - all->idle_n < most;
}

/* While memory is short nobody gets one more, as long as somebody has one and will give it back. */
static bool has_room(const struct windows *all)
{
    return all->n == all->idle_n || overload_with(all->overload, (int64_t)RECORD_PART_BYTES) < OVERLOAD_CUT;
}

/* One may be had: who waited longest goes on. Posted, since many may end in one turn. */
static void wake_next(struct windows *all)
{
    if (all->next_pending || list_is_empty(&all->short_of) || !may_start(all, WINDOWS_MOST) || !has_room(all))
        return;
    all->next_pending = true;
    loop_post(all->loop, &all->next);
}

/* Takes the first one out of the list that it waits in. */
static struct request *pop(struct list *l)
{
    struct link *first = list_pop(l);
    struct view *v = first ? CONTAINER_OF(first, struct view, link) : NULL;
    if (!v)
        return NULL;
    v->state = VIEW_OPEN;
    return v->request;
}

static void tell_next(struct letter *l)
{
    struct windows *all = CONTAINER_OF(l, struct windows, next);
    all->next_pending = false;
    struct request *r = pop(&all->short_of);
    if (r)
        request_wake(r);
    wake_next(all);
}

static void window_is_read(struct loop_notice *n)
{
    struct window *w = CONTAINER_OF(n, struct window, done);
    struct windows *all = w->all;
    struct request *r;
    w->is_read = true;
    w->users++; /* it stays while they are told */
    while ((r = pop(&w->waiting)) != NULL)
        request_wake(r);
    if (--w->users == 0)
        put_aside(w);
    wake_next(all);
}

/* Of what is in memory already nobody waits. */
static void read_part(struct windows *all, struct window *w)
{
    struct disk *d = all->cache->disk;
    if (!all->room)
        all->room = pages_map(DISK_ROOM_AT_HAND, false);
    w->is_read = all->room && disk_part_at_hand(d, &w->part, all->room);
    if (!w->is_read)
        disk_part_start(d, &w->part);
}

static struct window *start(struct request *r, const struct body_distance *where, uint32_t part)
{
    struct windows *all = r->w->windows;
    struct window *w = mem_alloc(sizeof(*w));
    w->all = all;
    w->part.where = *where;
    w->part.whole_bytes = body_length(r->body);
    w->part.part = part;
    w->part.to = mem_alloc_budgeted(RECORD_PART_BYTES); /* it is charged as passing */
    list_init(&w->waiting);
    link_init(&w->idle);
    link_init(&w->row);
    loop_notice_init(&w->done, r->w->loop, window_is_read);
    w->part.job.done = &w->done.notice;
    list_push_back(row_of(all, where, part), &w->row);
    all->n++;
    atomic_fetch_add_explicit(&all->cache->memory.passing_bytes, (int64_t)RECORD_PART_BYTES,
                              memory_order_relaxed);
    read_part(all, w);
    return w;
}

/* The next part, while this one is sent. */
static void read_ahead(struct request *r, const struct body_distance *where, uint32_t part)
{
    if (part > record_parts(body_length(r->body)) || (uint64_t)(part - 1) * RECORD_PART_BYTES >= r->end ||
        !may_start(r->w->windows, AHEAD_MOST) || overload_step(r->w->windows->overload) > OVERLOAD_NONE ||
        find(r->w->windows, where, part))
        return;
    struct window *w = start(r, where, part);
    if (w->is_read)
        put_aside(w);
}

/* ---- a request's view ---- */

static void stop_waiting(struct view *v)
{
    if (v->state == VIEW_WAITS) {
        link_remove(&v->link);
        v->state = VIEW_OPEN;
    }
}

static void use(struct view *v, struct window *w)
{
    w->users++;
    if (w->is_idle) {
        link_remove(&w->idle);
        w->is_idle = false;
        w->all->idle_n--;
    }
    v->window = w;
}

/* `w`: NULL is allowed. */
static void let_go(struct window *w)
{
    if (!w || --w->users > 0 || !w->is_read)
        return;
    struct windows *all = w->all;
    put_aside(w);
    wake_next(all);
}

void window_leave(struct request *r)
{
    if (!r->view)
        return;
    stop_waiting(r->view);
    let_go(r->view->window);
    r->view = NULL;
}

static void waits_too_long(struct timer *t)
{
    struct request *r = CONTAINER_OF(t, struct request, timer);
    CHECK(r->tag == REQUEST_TAG && r->step == STEP_SEND && !r->sending && r->view);
    bool has_window = r->view->window;
    stop_waiting(r->view);
    r->view->state = has_window ? VIEW_FAILED : VIEW_LATE;
    request_wake(r);
}

static void wait_in(struct view *v, struct list *l, int64_t most_ms)
{
    struct request *r = v->request;
    link_init(&v->link);
    list_push_back(l, &v->link);
    v->state = VIEW_WAITS;
    timer_start(r->w->loop, &r->timer, most_ms, waits_too_long);
}

/* Makes the window of that part the view's. false: there are too many. */
static bool take(struct view *v, const struct body_distance *where, uint32_t part)
{
    struct windows *all = v->request->w->windows;
    struct window *before = v->window, *w = before;
    if (w && w->part.part == part)
        return true;
    w = find(all, where, part);
    if (!w && may_start(all, WINDOWS_MOST + (before != NULL)) && (before || has_room(all)))
        w = start(v->request, where, part);
    v->window = NULL;
    if (w)
        use(v, w);
    /* Only now: among the idle ones it pushes out the oldest, which may have been this one. */
    let_go(before);
    return w;
}

static struct view *view_of(struct request *r)
{
    if (!r->view) {
        bool is_hit =
            r->outcome == OUTCOME_HIT || r->outcome == OUTCOME_STALE || r->outcome == OUTCOME_STALE_JOIN;
        if (is_hit && !r->reads) /* with a read it is counted already */
            count(r->w->counters, COUNTER_DISK_HITS);
        r->view = arena_alloc(&r->arena, sizeof(*r->view));
        *r->view = (struct view){ .request = r };
    }
    return r->view;
}

bool window_lease(struct request *r, uint64_t to, struct iovec *piece)
{
    const struct body_distance *where = body_distance(r->body);
    uint32_t part = (uint32_t)(r->at / RECORD_PART_BYTES) + 1;
    uint64_t skip = r->at % RECORD_PART_BYTES;
    struct view *v = view_of(r);
    CHECK(r->at < to && !r->sending);
    stop_waiting(v);
    if (v->state != VIEW_OPEN)
        return false;
    if (!take(v, where, part)) {
        if (!r->w->windows->cache->disk)
            v->state = VIEW_FAILED;
        else
            wait_in(v, &r->w->windows->short_of, FREE_MOST_MS);
        return false;
    }
    struct window *w = v->window;
    if (!w->is_read) {
        wait_in(v, &w->waiting, READ_MOST_MS);
        return false;
    }
    if (w->part.bytes <= skip) {
        v->state = VIEW_FAILED;
        return false;
    }
    size_t n = w->part.bytes - (size_t)skip;
    *piece = (struct iovec){ w->part.to + skip, to - r->at < n ? (size_t)(to - r->at) : n };
    read_ahead(r, where, part + 1);
    return true;
}
