#include "origin/origin.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "io/system.h"
#include "origin/upstream.h"

void origins_init(struct origins *o)
{
    lock_init(&o->lock);
    list_init(&o->all);
    list_init(&o->upstreams);
}

static struct str own(struct str s)
{
    if (s.n == 0)
        return STR_NONE;
    char *copy = mem_alloc(s.n + 1);
    memcpy(copy, s.p, s.n);
    return (struct str){ copy, s.n };
}

static void disown(struct str s)
{
    mem_free((char *)(uintptr_t)s.p);
}

void origins_fini(struct origins *o)
{
    struct link *l;
    while ((l = list_pop(&o->all)) != NULL) {
        struct origin *origin = CONTAINER_OF(l, struct origin, link);
        CHECK(list_is_empty(&origin->pools));
        CHECK(atomic_load(&origin->places) == 0 && origin_waiting(origin) == 0);
        disown(origin->at.host_name);
        disown(origin->at.local_path);
        disown(origin->at.authority);
        disown(origin->at.tls.server_name);
        disown(origin->at.tls.ca);
        disown(origin->at.tls.cert);
        disown(origin->at.tls.key);
        disown(origin->name);
        lock_fini(&origin->lock);
        mem_free(origin);
    }
    upstreams_fini(o);
    buf_fini(&o->drained);
    mem_free(o->buckets);
    lock_fini(&o->lock);
}

/* FNV-1a. The addresses come from the configuration: nobody chooses them to collide. */
static uint32_t hash_more(uint32_t h, struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        h = (h ^ (unsigned char)s.p[i]) * 16777619u;
    return (h ^ 0xff) * 16777619u;
}

static uint32_t hash_of(const struct origin_address *at)
{
    uint32_t h = hash_more(hash_more(2166136261u, at->host_name), at->local_path);
    h = hash_more(hash_more(h, at->tls.server_name), at->tls.ca);
    return (h ^ at->port) * 16777619u;
}

static bool is_same_tls(const struct origin_tls *a, const struct origin_tls *b)
{
    return a->is_on == b->is_on && a->insecure == b->insecure && str_eq(a->server_name, b->server_name) &&
           str_eq(a->ca, b->ca) && str_eq(a->cert, b->cert) && str_eq(a->key, b->key);
}

bool origin_is_at(const struct origin *o, const struct origin_address *at)
{
    return o->at.port == at->port && str_eq(o->at.host_name, at->host_name) &&
           str_eq(o->at.local_path, at->local_path) && is_same_tls(&o->at.tls, &at->tls);
}

static void add_part(struct buf *b, const char *what, struct str value)
{
    if (value.n)
        buf_printf(b, "%s%.*s", what, STR_ARG(value));
}

/* Two that differ only in what they believe are two origins, and people see which is which. */
static struct str name_with_tls(const struct origin_address *at)
{
    struct buf b = BUF_INIT;
    const struct origin_tls *tls = &at->tls;
    buf_printf(&b, "https://%.*s", STR_ARG(at->authority));
    if (!str_eq(tls->server_name, at->host_name))
        add_part(&b, " as ", tls->server_name);
    add_part(&b, " ca ", tls->ca);
    add_part(&b, " cert ", tls->cert);
    if (!str_eq(tls->key, tls->cert))
        add_part(&b, " key ", tls->key);
    if (tls->insecure)
        buf_add(&b, STR(" insecure"));
    struct str name = own(buf_str(&b));
    buf_fini(&b);
    return name;
}

static struct str name_of(const struct origin_address *at)
{
    if (at->tls.is_on)
        return name_with_tls(at);
    if (at->local_path.n == 0)
        return own(at->authority);
    static const struct str prefix = STR_INIT("unix:");
    char *p = mem_alloc(prefix.n + at->local_path.n);
    memcpy(p, prefix.p, prefix.n);
    memcpy(p + prefix.n, at->local_path.p, at->local_path.n);
    return (struct str){ p, prefix.n + at->local_path.n };
}

static struct origin *make(struct origins *all, const struct origin_address *at, uint32_t hash)
{
    struct origin *origin = mem_alloc(sizeof(*origin));
    origin->all = all;
    origin->hash = hash;
    origin->number = all->n;
    origin->name = name_of(at);
    origin->at = (struct origin_address){ .host_name = own(at->host_name),
                                          .port = at->port,
                                          .local_path = own(at->local_path),
                                          .authority = own(at->authority) };
    origin->at.tls = (struct origin_tls){ .is_on = at->tls.is_on,
                                          .insecure = at->tls.insecure,
                                          .server_name = own(at->tls.server_name),
                                          .ca = own(at->tls.ca),
                                          .cert = own(at->tls.cert),
                                          .key = own(at->tls.key) };
    lock_init(&origin->lock);
    list_init(&origin->pools);
    return origin;
}

#define BUCKETS_LEAST 16

static void put_in_bucket(struct origins *o, struct origin *origin)
{
    struct origin **bucket = &o->buckets[origin->hash & (o->buckets_n - 1)];
    origin->next = *bucket;
    *bucket = origin;
}

static void add(struct origins *o, struct origin *origin)
{
    list_push_back(&o->all, &origin->link);
    if (++o->n <= o->buckets_n) {
        put_in_bucket(o, origin);
        return;
    }
    o->buckets_n = o->buckets_n ? 2 * o->buckets_n : BUCKETS_LEAST;
    mem_free(o->buckets);
    o->buckets = mem_alloc(o->buckets_n * sizeof(*o->buckets));
    LIST_EACH(l, &o->all)
        put_in_bucket(o, CONTAINER_OF(l, struct origin, link));
}

/* ---- marks ---- */

/* Sets or clears a mark. false: it was so before. */
static bool set_mark(struct origin *o, enum origin_mark mark, bool on)
{
    unsigned before = on ? atomic_fetch_or_explicit(&o->marks, mark, memory_order_relaxed)
                         : atomic_fetch_and_explicit(&o->marks, ~(unsigned)mark, memory_order_relaxed);
    unsigned after = on ? before | mark : before & ~(unsigned)mark;
    if ((before == 0) != (after == 0))
        atomic_fetch_add_explicit(&o->all->marked, after ? 1 : -1, memory_order_relaxed);
    return before != after;
}

static bool has_mark(const struct origin *o, enum origin_mark mark)
{
    return atomic_load_explicit(&o->marks, memory_order_relaxed) & mark;
}

void origin_write_url(const struct origin *o, struct buf *to)
{
    if (!origin_is_named_whole(o))
        buf_add(to, STR("http://"));
    buf_add(to, o->name);
}

/* The place of its line among those that are drained. Under the lock. */
static size_t line_of(const struct origins *all, const struct origin *o, size_t *bytes)
{
    struct buf url = BUF_INIT;
    origin_write_url(o, &url);
    *bytes = url.n + 1;
    size_t at = 0;
    for (struct str rest = buf_str(&all->drained); rest.n;
         at += *bytes, rest = str_from_index(rest, *bytes)) {
        struct str line = str_first(rest, str_index(rest, '\n'));
        *bytes = line.n + 1;
        if (str_eq(line, buf_str(&url)))
            break;
    }
    if (at >= all->drained.n)
        *bytes = url.n + 1;
    buf_fini(&url);
    return at;
}

static bool is_listed(const struct origins *all, const struct origin *o)
{
    size_t bytes;
    return all->drained.n && line_of(all, o, &bytes) < all->drained.n;
}

bool origin_drain(struct origin *o, bool drained)
{
    struct origins *all = o->all;
    size_t bytes;
    lock_take(&all->lock);
    bool changed = set_mark(o, ORIGIN_DRAINED, drained);
    size_t at = line_of(all, o, &bytes);
    if (drained && at >= all->drained.n) {
        origin_write_url(o, &all->drained);
        buf_add_char(&all->drained, '\n');
    } else if (!drained && at < all->drained.n) {
        memmove(all->drained.p + at, all->drained.p + at + bytes, all->drained.n - at - bytes);
        all->drained.n -= bytes;
    }
    lock_give(&all->lock);
    return changed;
}

bool origin_is_drained(const struct origin *o)
{
    return has_mark(o, ORIGIN_DRAINED);
}

void origins_set_drained(struct origins *o, struct str lines)
{
    buf_clear(&o->drained);
    buf_add(&o->drained, lines);
}

void origins_write_drained(struct origins *o, struct buf *to)
{
    lock_take(&o->lock);
    buf_add(to, buf_str(&o->drained));
    lock_give(&o->lock);
}

/* ---- all of them ---- */

struct origin *origins_get(struct origins *o, const struct origin_address *at)
{
    uint32_t hash = hash_of(at);
    lock_take(&o->lock);
    struct origin *found = o->n ? o->buckets[hash & (o->buckets_n - 1)] : NULL;
    while (found && !(found->hash == hash && origin_is_at(found, at)))
        found = found->next;
    if (!found) {
        found = make(o, at, hash);
        add(o, found);
        if (is_listed(o, found))
            set_mark(found, ORIGIN_DRAINED, true);
    }
    lock_give(&o->lock);
    return found;
}

void origins_each(struct origins *o, void (*each)(struct origin *, void *), void *ctx)
{
    lock_take(&o->lock);
    LIST_EACH(l, &o->all)
        each(CONTAINER_OF(l, struct origin, link), ctx);
    lock_give(&o->lock);
}

void origin_unreachable(struct origin *o, int error)
{
    atomic_store_explicit(&o->last_error, error, memory_order_relaxed);
}

void origin_distrusted(struct origin *o, struct str why)
{
    lock_take(&o->lock);
    snprintf(o->talk_error, sizeof(o->talk_error), "%.*s", STR_ARG(why));
    lock_give(&o->lock);
}

struct str origin_last_error(struct origin *o, enum reason why, char out[ORIGIN_ERROR_MAX])
{
    int error = atomic_load_explicit(&o->last_error, memory_order_relaxed);
    out[0] = '\0';
    if (why == REASON_CONNECT_FAILED && error < 0)
        snprintf(out, ORIGIN_ERROR_MAX, "%s", system_strerror(error));
    if (why == REASON_ORIGIN_TLS || why == REASON_ORIGIN_HTTP2 || why == REASON_CONNECT_TIMEOUT) {
        lock_take(&o->lock);
        memcpy(out, o->talk_error, sizeof(o->talk_error));
        lock_give(&o->lock);
    }
    return str_from(out);
}

/* ---- how it does ---- */

void origin_recovered(struct origin *o, int64_t now_mono_ms)
{
    atomic_store_explicit(&o->failed_in_row, 0, memory_order_relaxed);
    if (set_mark(o, ORIGIN_SICK, false))
        atomic_store_explicit(&o->well_since_ms, now_mono_ms, memory_order_relaxed);
}

void origin_answered(struct origin *o, int64_t now_mono_ms)
{
    atomic_fetch_add_explicit(&o->answered, 1, memory_order_relaxed);
    if (atomic_load_explicit(&o->failed_in_row, memory_order_relaxed) == 0 && !origin_is_sick(o))
        return;
    atomic_store_explicit(&o->rests_until_ms, 0, memory_order_relaxed);
    origin_recovered(o, now_mono_ms);
}

void origin_rest(struct origin *o, int64_t now_mono_ms)
{
    atomic_store_explicit(&o->rests_until_ms, now_mono_ms + ORIGIN_REST_MS, memory_order_relaxed);
}

void origin_spoke(struct origin *o, int minor)
{
    bool old = minor == 0;
    if (origin_is_old(o) != old)
        atomic_store_explicit(&o->is_old, old, memory_order_relaxed);
}

bool origin_is_old(const struct origin *o)
{
    return atomic_load_explicit(&o->is_old, memory_order_relaxed);
}

void origin_failed(struct origin *o, enum reason why, enum http_error fault, struct now now)
{
    atomic_fetch_add_explicit(&o->failed, 1, memory_order_relaxed);
    atomic_store_explicit(&o->last, (uint32_t)fault << 8 | (uint32_t)why, memory_order_relaxed);
    atomic_store_explicit(&o->last_failed_wall_ms, now.wall_ms, memory_order_relaxed);
    uint64_t in_row = atomic_fetch_add_explicit(&o->failed_in_row, 1, memory_order_relaxed) + 1;
    if (in_row == 1)
        atomic_store_explicit(&o->row_began_ms, now.mono_ms, memory_order_relaxed);
    if (in_row >= ORIGIN_SICK_AFTER &&
        now.mono_ms - atomic_load_explicit(&o->row_began_ms, memory_order_relaxed) >= ORIGIN_SICK_MS)
        set_mark(o, ORIGIN_SICK, true);
}

struct origin_failure origin_last_failure(const struct origin *o)
{
    uint32_t last = atomic_load_explicit(&o->last, memory_order_relaxed);
    return (struct origin_failure){ (enum reason)(last & 0xff), (enum http_error)(last >> 8) };
}

bool origin_is_sick(const struct origin *o)
{
    return has_mark(o, ORIGIN_SICK);
}

bool origin_may_try(struct origin *o, int64_t now_mono_ms, int64_t backoff_ms)
{
    int64_t next = atomic_load_explicit(&o->next_try_ms, memory_order_relaxed);
    return next <= now_mono_ms &&
           atomic_compare_exchange_strong_explicit(&o->next_try_ms, &next, now_mono_ms + backoff_ms,
                                                   memory_order_relaxed, memory_order_relaxed);
}
