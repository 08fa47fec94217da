#include "admin/metrics.h"

#include "admin/answer.h"
#include "admin/certificate.h"
#include "cache/disk.h"
#include "cache/room.h"
#include "coding/coder.h"
#include "store/facts.h"

int64_t metrics_sum(const struct admin *a, enum counter which)
{
    int64_t sum = a->others ? counter_read(a->others, which) : 0;
    for (size_t i = 0; i < a->workers; i++)
        sum += counter_read(a->counters[i], which);
    return sum;
}

void metrics_begin(struct buf *b, const char *name, const char *kind, const char *help)
{
    buf_printf(b, "# HELP freshet_%s %s\n# TYPE freshet_%s %s\n", name, help, name, kind);
}

void metrics_add(struct buf *b, const char *name, const char *kind, int64_t value, const char *help)
{
    metrics_begin(b, name, kind, help);
    buf_printf(b, "freshet_%s %lld\n", name, (long long)value);
}

static void add_counters(const struct admin *a, struct buf *b)
{
    static const struct {
        const char *name, *kind, *help;
    } rows[COUNTER_COUNT] = {
#define COUNTER(id, name, kind, help) { name, #kind, help },
#include "tbl/counters.h"
#undef COUNTER
    };
    for (enum counter i = 0; i < COUNTER_COUNT; i++)
        metrics_add(b, rows[i].name, rows[i].kind, metrics_sum(a, i), rows[i].help);
}

/* How evenly the work is spread. */
static void add_workers(const struct admin *a, struct buf *b)
{
    static const struct {
        enum counter counter;
        const char *name, *kind, *help;
    } rows[] = {
        { COUNTER_CONNECTIONS_OPEN, "worker_connections_open", "gauge",
          "Client connections open on this worker" },
        { COUNTER_REQUESTS, "worker_requests_total", "counter", "Requests begun on this worker" },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        metrics_begin(b, rows[i].name, rows[i].kind, rows[i].help);
        for (size_t k = 0; k < a->workers; k++)
            buf_printf(b, "freshet_%s{worker=\"%zu\"} %lld\n", rows[i].name, k,
                       (long long)counter_read(a->counters[k], rows[i].counter));
    }
}

static void add_cache(const struct admin *a, struct buf *b)
{
    struct cache *c = a->cache;
    metrics_add(b, "memory_used_bytes", "gauge", memory_used(&c->memory), "Bytes that the cache holds");
    metrics_add(b, "memory_budget_bytes", "gauge", c->memory.budget_bytes,
                "Bytes that the cache may hold (setting memory)");
    metrics_add(b, "memory_passing_bytes", "gauge",
                atomic_load_explicit(&c->memory.passing_bytes, memory_order_relaxed),
                "Bytes of bodies that pass through and are not kept");
    metrics_add(b, "overhead_used_bytes", "gauge",
                atomic_load_explicit(&a->overload->held_bytes, memory_order_relaxed),
                "Bytes that freshet holds beside the cache");
    metrics_add(b, "overhead_limit_bytes", "gauge", a->overload->most_bytes,
                "Bytes that it may hold beside the cache (setting overhead)");
    metrics_add(
        b, "overload_step", "gauge", overload_step(a->overload),
        "What is done since memory is short; 0: nothing, 1: saving, 2: cutting off slow clients, 3: refusing "
        "misses, 4: pausing accepts");
    metrics_add(b, "memory_pinned_bytes", "gauge", room_pinned(c),
                "Bytes of responses that eviction cannot free: being filled, or held by slow readers");
    metrics_add(b, "objects", "gauge", atomic_load_explicit(&c->objects, memory_order_relaxed),
                "Responses stored");
    metrics_add(b, "resources", "gauge", atomic_load_explicit(&c->families, memory_order_relaxed),
                "URLs known");
    metrics_add(b, "evicted_total", "counter",
                (int64_t)atomic_load_explicit(&c->evicted, memory_order_relaxed),
                "Stored responses that made room for others");
    metrics_add(b, "swept_total", "counter", (int64_t)atomic_load_explicit(&c->swept, memory_order_relaxed),
                "Stored responses that the sweep gave back, purged or long expired");
    metrics_add(b, "purged_names", "gauge", (int64_t)epochs_count(c->epochs),
                "Names whose latest purge is remembered");
    metrics_add(b, "purge_sequence", "gauge", (int64_t)epochs_latest(c->epochs),
                "Number of the latest purge");
}

static void add_coder(const struct admin *a, struct buf *b)
{
    struct coder_figures f = { 0 };
    struct cache *c = a->cache;
    if (c->coder)
        coder_figures(c->coder, &f);
    metrics_add(b, "codings", "gauge", atomic_load_explicit(&c->coded, memory_order_relaxed),
                "Codings (br, zstd, gzip) of stored responses");
    metrics_add(b, "coding_bytes", "gauge", atomic_load_explicit(&c->coded_bytes, memory_order_relaxed),
                "Bytes of memory that they take");
    metrics_begin(b, "codings_made_total", "counter", "Codings made");
    for (enum coding k = CODING_GZIP; k < CODINGS; k++)
        buf_printf(b, "freshet_codings_made_total{coding=\"%.*s\"} %llu\n", STR_ARG(accept_codings[k]),
                   (unsigned long long)f.made[k]);
    metrics_add(b, "codings_useless_total", "counter", (int64_t)f.useless,
                "Codings that were tried and not kept, since they were hardly shorter");
    metrics_add(b, "codings_failed_total", "counter", (int64_t)f.failed,
                "Codings not made since memory was short");
    metrics_add(b, "codings_forgotten_total", "counter", (int64_t)f.forgotten,
                "Codings wanted while too many others waited to be made");
    metrics_add(b, "codings_waiting", "gauge", f.waiting, "Codings that are made or wait for it");
    metrics_add(b, "coding_bytes_in_total", "counter", (int64_t)f.bytes_in,
                "Bytes of bodies that were compressed");
    metrics_add(b, "coding_bytes_out_total", "counter", (int64_t)f.bytes_out, "Bytes that they became");
    metrics_add(b, "codings_dropped_total", "counter",
                (int64_t)atomic_load_explicit(&c->coded_dropped, memory_order_relaxed),
                "Stored responses whose codings made room for others");
}

static void add_disk(const struct admin *a, struct buf *b)
{
    struct disk_figures f = { 0 };
    if (!a->cache->disk)
        return;
    disk_figures(a->cache->disk, &f);
    metrics_add(b, "disk_responses", "gauge", (int64_t)f.entries,
                "Responses that are on disk, as far as is known");
    metrics_add(b, "disk_file_bytes", "gauge", (int64_t)f.log.file_bytes,
                "Bytes that the files of pages take");
    metrics_add(b, "disk_limit_bytes", "gauge", (int64_t)f.limit_bytes,
                "Bytes that they may take (setting disk)");
    metrics_add(b, "disk_index_bytes", "gauge", (int64_t)f.shelf_bytes,
                "Bytes of memory for knowing what is on disk");
    metrics_add(b, "disk_failing", "gauge", f.log.is_off, "1 while the disk fails and nothing is written");
    metrics_add(b, "disk_read_total", "counter", (int64_t)f.pages_read,
                "Responses read from disk into memory");
    metrics_add(b, "disk_parts_read_total", "counter", (int64_t)f.parts_read,
                "Parts of long bodies read from disk and sent");
    metrics_add(b, "disk_long_waiting", "gauge", (int64_t)f.long_waiting,
                "Responses with a long body that are being written, or wait for it");
    metrics_add(b, "disk_not_there_total", "counter", (int64_t)f.not_there,
                "Reads that found nothing that may be used any more");
    metrics_add(b, "disk_written_total", "counter", (int64_t)f.log.appended, "Responses written to disk");
    metrics_add(b, "disk_written_bytes_total", "counter", (int64_t)f.log.written_bytes,
                "Bytes written to disk, with what is carried over");
    metrics_add(b, "disk_write_rate_bytes", "gauge", (int64_t)f.log.bytes_per_s,
                "Bytes a second written to disk, over the last ten seconds");
    metrics_add(b, "disk_oldest_timestamp_seconds", "gauge", f.log.oldest_wall_ms / 1000,
                "When the oldest segment of pages was begun; 0: there is none");
    metrics_add(b, "disk_dropped_total", "counter",
                (int64_t)(f.log.busy + f.log.off + f.log.refused + f.unlisted),
                "Tries to write a response that were put off, since the disk was behind or failing, or its "
                "index full; it stays in memory meanwhile");
    metrics_add(b, "disk_carried_total", "counter", (int64_t)f.log.carried,
                "Responses written once more, since their place was used again");
    metrics_add(b, "disk_damaged_total", "counter", (int64_t)(f.log.damaged + f.log.newer + f.log.foreign),
                "Records and segments that could not be used");
    metrics_add(b, "disk_faults_total", "counter", (int64_t)f.log.faults,
                "Segments given up since the disk failed");
}

static void add_facts(const struct admin *a, struct buf *b)
{
    struct facts_state state = { .is_failing = true };
    if (a->facts)
        facts_state(a->facts, &state);
    metrics_add(b, "facts_failing", "gauge", state.is_failing,
                "1 while what is purged and deployed is kept in memory alone");
    metrics_add(b, "facts_commits_total", "counter", (int64_t)state.commits,
                "Commits of purges and deploys to the disk");
    metrics_add(b, "facts_failures_total", "counter", (int64_t)state.failures, "Commits that failed");
    metrics_add(b, "facts_saved_total", "counter", (int64_t)state.saved,
                "Purged names and other facts written to the disk");
}

/* ---- origins: one sample each, metric by metric ---- */

void metrics_add_label(struct buf *b, struct str value)
{
    for (size_t i = 0; i < value.n; i++) {
        char c = value.p[i];
        if (c == '\n')
            buf_add(b, STR("\\n"));
        else if (c == '"' || c == '\\')
            buf_printf(b, "\\%c", c);
        else
            buf_add_char(b, c);
    }
}

struct origin_metric {
    const char *name, *kind, *help;
    int64_t (*value)(struct origin *o);
    struct buf *to;
};

static int64_t in_use(struct origin *o)
{
    return origin_in_use(o);
}

static int64_t uploads(struct origin *o)
{
    return origin_uploads(o);
}

static int64_t http2_open(struct origin *o)
{
    return atomic_load_explicit(&o->http2_open, memory_order_relaxed);
}

static int64_t waiting(struct origin *o)
{
    return origin_waiting(o);
}

static int64_t answered(struct origin *o)
{
    return (int64_t)atomic_load_explicit(&o->answered, memory_order_relaxed);
}

static int64_t failed(struct origin *o)
{
    return (int64_t)atomic_load_explicit(&o->failed, memory_order_relaxed);
}

static int64_t failed_in_row(struct origin *o)
{
    return (int64_t)atomic_load_explicit(&o->failed_in_row, memory_order_relaxed);
}

static int64_t outstanding(struct origin *o)
{
    return atomic_load_explicit(&o->outstanding, memory_order_relaxed);
}

static int64_t sick(struct origin *o)
{
    return origin_is_sick(o);
}

static int64_t drained(struct origin *o)
{
    return origin_is_drained(o);
}

static void add_origin(struct origin *o, void *ctx)
{
    const struct origin_metric *m = ctx;
    buf_printf(m->to, "freshet_%s{origin=\"%s", m->name, origin_is_named_whole(o) ? "" : "http://");
    metrics_add_label(m->to, o->name);
    buf_printf(m->to, "\"} %lld\n", (long long)m->value(o));
}

static void add_origins(const struct admin *a, struct buf *b)
{
    struct origin_metric metrics[] = {
        { "origin_in_use", "gauge",
          "Connections to this origin in use or being made; of HTTP/2, its requests under way", in_use, b },
        { "origin_uploads", "gauge", "Of those in use: the request's body still comes from its client",
          uploads, b },
        { "origin_http2_connections", "gauge", "Connections to this origin that speak HTTP/2", http2_open,
          b },
        { "origin_waiting", "gauge", "Fetches that wait for a connection to this origin", waiting, b },
        { "origin_answered_total", "counter", "Answers of this origin", answered, b },
        { "origin_failed_total", "counter", "Failures of this origin", failed, b },
        { "origin_failed_in_row", "gauge", "Failures of this origin since its last answer", failed_in_row,
          b },
        { "origin_outstanding", "gauge", "Requests that this origin has to answer, and tunnels to it",
          outstanding, b },
        { "origin_sick", "gauge", "1 while this origin has failed too often in a row", sick, b },
        { "origin_drained", "gauge", "1 while this origin is to get nothing new", drained, b },
    };
    for (size_t i = 0; i < COUNT_OF(metrics); i++) {
        metrics_begin(b, metrics[i].name, metrics[i].kind, metrics[i].help);
        origins_each(a->origins, add_origin, &metrics[i]);
    }
}

void metrics_answer(struct admin *a, struct request *r)
{
    struct buf b = BUF_INIT;
    add_counters(a, &b);
    add_workers(a, &b);
    add_cache(a, &b);
    add_coder(a, &b);
    add_disk(a, &b);
    add_facts(a, &b);
    add_origins(a, &b);
    certificate_metrics(a->certificates, r->settings, &r->arena, &b);
    metrics_add(&b, "reload_failed", "gauge", atomic_load_explicit(&a->reload_failed, memory_order_relaxed),
                "1 while the old configuration is used because the new one has errors");
    metrics_add(&b, "reloads_failed_total", "counter",
                (int64_t)atomic_load_explicit(&a->reloads_failed, memory_order_relaxed),
                "Reloads whose configuration had errors");
    metrics_add(&b, "tokens_refused_total", "counter",
                (int64_t)atomic_load_explicit(&a->tokens->refused, memory_order_relaxed),
                "Requests to the admin listener that came with a wrong token");
    metrics_add(&b, "workers", "gauge", (int64_t)a->workers, "Worker threads");
    metrics_add(&b, "uptime_seconds", "gauge", (clock_now(a->clock).mono_ms - a->started_mono_ms) / 1000,
                "Since the start");
    metrics_add(&b, "ready", "gauge", atomic_load_explicit(&a->ready, memory_order_acquire),
                "1 while it serves");
    metrics_begin(&b, "build_info", "gauge", "What runs");
    buf_add(&b, STR("freshet_build_info{version=\"" FRESHET_VERSION "\"} 1\n"));
    answer_text(r, 200, arena_dup(&r->arena, buf_str(&b)));
    r->answer.content_type = STR("text/plain; version=0.0.4; charset=utf-8");
    buf_fini(&b);
}
