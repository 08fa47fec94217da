#include "admin/status.h"

#include <stdio.h>
#include <string.h>

#include "admin/certificate.h"
#include "admin/deploy.h"
#include "admin/metrics.h"
#include "admin/origin_api.h"
#include "cache/disk.h"
#include "cache/room.h"
#include "coding/coder.h"
#include "store/facts.h"

/* The counters are those of threads that go on: a part may be ahead of the whole for a moment. */
static void write_ratio(struct answer_writer *w, const char *name, int64_t part, int64_t all)
{
    if (all <= 0)
        answer_null(w, name);
    else
        answer_ratio(w, name, part < 0 ? 0 : part > all ? 1 : (double)part / (double)all);
}

static void write_requests(const struct admin *a, struct answer_writer *w)
{
    int64_t hits = metrics_sum(a, COUNTER_HITS), stale = metrics_sum(a, COUNTER_STALE_HITS);
    int64_t misses = metrics_sum(a, COUNTER_MISSES), joins = metrics_sum(a, COUNTER_JOINS);
    int64_t passes = metrics_sum(a, COUNTER_PASSES), all = hits + stale + misses + joins + passes;
    int64_t from_disk = metrics_sum(a, COUNTER_DISK_HITS), from_memory = hits + stale - from_disk;
    answer_open(w, "requests", '{');
    answer_int(w, "total", metrics_sum(a, COUNTER_REQUESTS));
    answer_int(w, "open", metrics_sum(a, COUNTER_REQUESTS_OPEN));
    write_ratio(w, "hit_ratio", hits + stale, all);
    /* Of all; and of those that memory could not answer. */
    write_ratio(w, "memory_hit_ratio", from_memory, all);
    if (a->cache->disk)
        write_ratio(w, "disk_hit_ratio", from_disk, all - from_memory);
    answer_int(w, "hits", hits);
    answer_int(w, "disk_hits", from_disk);
    answer_int(w, "stale_hits", stale);
    answer_int(w, "misses", misses);
    answer_int(w, "joins", joins);
    answer_int(w, "passes", passes);
    answer_close(w, '}');
}

static void write_overhead(const struct overload *o, struct answer_writer *w)
{
    static const struct str steps[OVERLOAD_STEPS] = { STR_INIT("none"), STR_INIT("saving"),
                                                      STR_INIT("cutting"), STR_INIT("refusing"),
                                                      STR_INIT("pausing") };
    answer_open(w, "overhead", '{');
    answer_int(w, "used_bytes", atomic_load_explicit(&o->held_bytes, memory_order_relaxed));
    answer_int(w, "limit_bytes", o->most_bytes);
    answer_int(w, "highest_bytes", atomic_load_explicit(&o->high_bytes, memory_order_relaxed));
    answer_str(w, "overload", steps[overload_step(o)]);
    answer_close(w, '}');
}

static void write_coder(struct cache *c, struct answer_writer *w)
{
    struct coder_figures f = { 0 };
    uint64_t made = 0;
    if (c->coder)
        coder_figures(c->coder, &f);
    for (enum coding k = CODING_GZIP; k < CODINGS; k++)
        made += f.made[k];
    answer_open(w, "codings", '{');
    answer_int(w, "stored", atomic_load_explicit(&c->coded, memory_order_relaxed));
    answer_int(w, "bytes", atomic_load_explicit(&c->coded_bytes, memory_order_relaxed));
    answer_int(w, "made", (int64_t)made);
    answer_int(w, "waiting", f.waiting);
    answer_int(w, "useless", (int64_t)f.useless);
    answer_int(w, "bytes_in", (int64_t)f.bytes_in);
    answer_int(w, "bytes_out", (int64_t)f.bytes_out);
    answer_close(w, '}');
}

static void write_cache(struct cache *c, struct answer_writer *w)
{
    answer_open(w, "memory", '{');
    answer_int(w, "used_bytes", memory_used(&c->memory));
    answer_int(w, "budget_bytes", c->memory.budget_bytes);
    answer_int(w, "passing_bytes", atomic_load_explicit(&c->memory.passing_bytes, memory_order_relaxed));
    answer_int(w, "pinned_bytes", room_pinned(c));
    answer_close(w, '}');
    answer_open(w, "cache", '{');
    answer_int(w, "objects", atomic_load_explicit(&c->objects, memory_order_relaxed));
    answer_int(w, "resources", atomic_load_explicit(&c->families, memory_order_relaxed));
    answer_int(w, "evicted", (int64_t)atomic_load_explicit(&c->evicted, memory_order_relaxed));
    answer_int(w, "swept", (int64_t)atomic_load_explicit(&c->swept, memory_order_relaxed));
    answer_int(w, "kept_assets", atomic_load_explicit(&c->kept, memory_order_relaxed));
    answer_int(w, "kept_assets_bytes", atomic_load_explicit(&c->kept_bytes, memory_order_relaxed));
    answer_close(w, '}');
    write_coder(c, w);
}

static void write_disk(struct cache *c, int64_t now_wall_ms, struct answer_writer *w)
{
    struct disk_figures f;
    if (!c->disk)
        return;
    disk_figures(c->disk, &f);
    answer_open(w, "disk", '{');
    answer_int(w, "responses", (int64_t)f.entries);
    answer_int(w, "file_bytes", (int64_t)f.log.file_bytes);
    answer_int(w, "limit_bytes", (int64_t)f.limit_bytes);
    answer_int(w, "index_bytes", (int64_t)f.shelf_bytes);
    answer_bool(w, "complete", f.is_whole);
    answer_bool(w, "failing", f.log.is_off);
    answer_int(w, "read", (int64_t)f.pages_read);
    answer_int(w, "not_there", (int64_t)f.not_there);
    answer_int(w, "written", (int64_t)f.log.appended);
    answer_int(w, "written_bytes", (int64_t)f.log.written_bytes);
    answer_int(w, "written_bytes_per_s", (int64_t)f.log.bytes_per_s);
    if (f.log.oldest_wall_ms)
        answer_int(w, "oldest_s",
                   f.log.oldest_wall_ms < now_wall_ms ? (now_wall_ms - f.log.oldest_wall_ms) / 1000 : 0);
    else
        answer_null(w, "oldest_s");
    answer_int(w, "dropped", (int64_t)(f.log.busy + f.log.off + f.log.refused + f.unlisted));
    answer_int(w, "parts_read", (int64_t)f.parts_read);
    answer_int(w, "long_waiting", (int64_t)f.long_waiting);
    answer_int(w, "owed", (int64_t)f.owed);
    answer_int(w, "superseded", (int64_t)f.superseded);
    answer_int(w, "carried", (int64_t)f.log.carried);
    answer_int(w, "recovered", (int64_t)f.log.recovered);
    answer_int(w, "damaged", (int64_t)(f.log.damaged + f.log.newer + f.log.foreign));
    answer_int(w, "faults", (int64_t)f.log.faults);
    answer_close(w, '}');
}

/* The latest first. */
static void write_purges(struct admin *a, const struct token_rights *rights, struct answer_writer *w)
{
    answer_open(w, "purges", '{');
    answer_int(w, "sequence", (int64_t)epochs_latest(a->cache->epochs));
    answer_int(w, "names", (int64_t)epochs_count(a->cache->epochs));
    answer_open(w, "latest", '[');
    lock_take(&a->lock);
    for (size_t i = a->purges_n; i > 0 && i + ADMIN_PURGES_KEPT > a->purges_n; i--) {
        const struct admin_purge *p = &a->purges[(i - 1) % ADMIN_PURGES_KEPT];
        if (!token_may_site(rights, str_from(p->site)))
            continue;
        answer_open(w, NULL, '{');
        answer_int(w, "sequence", (int64_t)p->sequence);
        answer_time(w, "time", p->wall_ms);
        answer_str(w, "what", str_from(p->what));
        answer_close(w, '}');
    }
    lock_give(&a->lock);
    answer_close(w, ']');
    answer_close(w, '}');
}

static void write_reload(struct admin *a, const struct token_rights *rights, struct answer_writer *w)
{
    char error[sizeof(a->reload_error)];
    lock_take(&a->lock);
    int64_t at = a->reloaded_wall_ms;
    memcpy(error, a->reload_error, sizeof(error));
    lock_give(&a->lock);
    answer_open(w, "reload", '{');
    if (at)
        answer_time(w, "latest", at);
    answer_bool(w, "failed", error[0] != '\0');
    if (error[0] && rights->every_site) /* it may be of any site */
        answer_str(w, "error", str_from(error));
    answer_close(w, '}');
}

static void write_sites(struct admin *a, const struct settings *s, const struct token_rights *rights,
                        struct answer_writer *w)
{
    answer_open(w, "sites", '[');
    for (size_t i = 0; i < s->sites_n; i++) {
        const struct site_settings *site = &s->sites[i];
        if (!token_may_site(rights, site->name))
            continue;
        answer_open(w, NULL, '{');
        answer_str(w, "name", site->name);
        answer_str(w, "profile", profile_name(site->profile));
        answer_open(w, "hosts", '[');
        for (size_t k = 0; k < site->hosts.n; k++)
            answer_str(w, NULL, site->hosts.v[k]);
        answer_close(w, ']');
        answer_str(w, "origin", site->origin_text);
        origin_api_write(a, site, "origins", w);
        deploy_write(a, site->name, w);
        answer_close(w, '}');
    }
    answer_close(w, ']');
}

static void write_last_failure(struct origin_failure last, struct arena *a, struct answer_writer *w)
{
    struct str text = reason_sentence(last.why);
    if (last.fault != HTTP_ERROR_NONE) {
        answer_str(w, "last_fault", http_error_word(last.fault));
        text = ARENA_JOIN(a, text, STR(": "), http_error_for_people(last.fault, a));
    }
    answer_str(w, "last_reason_text", text);
}

void status_origin(struct origin *o, struct arena *a, struct answer_writer *w)
{
    uint64_t in_row = atomic_load_explicit(&o->failed_in_row, memory_order_relaxed);
    struct origin_failure last = origin_last_failure(o);
    int64_t failed_at = atomic_load_explicit(&o->last_failed_wall_ms, memory_order_relaxed);
    char error[ORIGIN_ERROR_MAX];
    answer_str(w, "address", ARENA_JOIN(a, origin_is_named_whole(o) ? STR_NONE : STR("http://"), o->name));
    answer_str(w, "health", origin_is_sick(o) ? STR("sick") : in_row ? STR("failing") : STR("good"));
    answer_int(w, "in_use", origin_in_use(o));
    answer_int(w, "http2_connections", atomic_load_explicit(&o->http2_open, memory_order_relaxed));
    answer_int(w, "waiting", origin_waiting(o));
    answer_int(w, "outstanding", atomic_load_explicit(&o->outstanding, memory_order_relaxed));
    answer_bool(w, "drained", origin_is_drained(o));
    answer_int(w, "answered", (int64_t)atomic_load_explicit(&o->answered, memory_order_relaxed));
    answer_int(w, "failed", (int64_t)atomic_load_explicit(&o->failed, memory_order_relaxed));
    answer_int(w, "failed_in_row", (int64_t)in_row);
    if (failed_at) {
        answer_time(w, "last_failed", failed_at);
        answer_str(w, "last_reason", reason_detail(last.why));
        write_last_failure(last, a, w);
        if (origin_last_error(o, last.why, error).n)
            answer_str(w, "last_error", str_from(error));
    }
}

struct origins_writer {
    struct answer_writer *to;
    struct arena *arena;
    const struct settings *settings;
    const struct token_rights *rights;
};

static bool has_origin(const struct site_settings *site, const struct origin *o)
{
    for (size_t i = 0; i < site->origin.n; i++)
        if (origin_is_at(o, &site->origin_list[i].at))
            return true;
    return false;
}

/* Is it an origin of a site of the token? Those that no site has any more are for tokens of all sites. */
static bool may_origin(const struct origin *o, const struct origins_writer *w)
{
    for (size_t i = 0; i < w->settings->sites_n && !w->rights->every_site; i++)
        if (token_may_site(w->rights, w->settings->sites[i].name) && has_origin(&w->settings->sites[i], o))
            return true;
    return w->rights->every_site;
}

static void write_origin(struct origin *o, void *ctx)
{
    struct origins_writer *w = ctx;
    if (!may_origin(o, w))
        return;
    answer_open(w->to, NULL, '{');
    status_origin(o, w->arena, w->to);
    answer_close(w->to, '}');
}

static void write_counters(const struct admin *a, struct answer_writer *w)
{
    static const char *const names[COUNTER_COUNT] = {
#define COUNTER(id, name, kind, help) name,
#include "tbl/counters.h"
#undef COUNTER
    };
    answer_open(w, "counters", '{');
    for (enum counter i = 0; i < COUNTER_COUNT; i++)
        answer_int(w, names[i], metrics_sum(a, i));
    answer_close(w, '}');
}

static void write_facts(struct admin *a, struct answer_writer *w)
{
    struct facts_state state = { .is_failing = true };
    if (a->facts)
        facts_state(a->facts, &state);
    answer_open(w, "facts", '{');
    answer_bool(w, "durable", !state.is_failing);
    if (state.why[0])
        answer_str(w, "why", str_from(state.why));
    answer_int(w, "commits", (int64_t)state.commits);
    answer_int(w, "failures", (int64_t)state.failures);
    answer_int(w, "saved", (int64_t)state.saved);
    answer_close(w, '}');
}

void status_answer(struct admin *a, struct request *r, const struct token_rights *rights)
{
    struct answer_writer w = { .depth = 0 };
    struct now now = clock_now(a->clock);
    answer_open(&w, NULL, '{');
    answer_str(&w, "version", STR(FRESHET_VERSION));
    answer_bool(&w, "ready", atomic_load_explicit(&a->ready, memory_order_acquire));
    answer_time(&w, "started", a->started_wall_ms);
    answer_int(&w, "uptime_s", (now.mono_ms - a->started_mono_ms) / 1000);
    answer_int(&w, "workers", (int64_t)a->workers);
    write_requests(a, &w);
    write_cache(a->cache, &w);
    write_overhead(a->overload, &w);
    write_disk(a->cache, now.wall_ms, &w);
    write_purges(a, rights, &w);
    write_facts(a, &w);
    webhook_write(&a->webhooks, rights, &w);
    write_reload(a, rights, &w);
    write_sites(a, r->settings, rights, &w);
    certificate_write(a->certificates, r->settings, rights, &r->arena, &w);
    answer_open(&w, "origins", '[');
    origins_each(a->origins, write_origin, &(struct origins_writer){ &w, &r->arena, r->settings, rights });
    answer_close(&w, ']');
    write_counters(a, &w);
    answer_close(&w, '}');
    answer_json(r, 200, answer_finish(&w, &r->arena));
}
