#include "server/access_log.h"

#include "request/deliver.h"
#include "request/route.h"

/* "2026-11-22T19:06:00.123Z" */
static void add_time(struct buf *b, int64_t wall_ms)
{
    char text[32];
    size_t n = log_time_write(text, wall_ms);
    buf_add(b, (struct str){ text, n });
}

static void add_text(struct buf *b, struct str name, struct str value)
{
    buf_add(b, name);
    buf_add_json(b, value);
}

static void add_number(struct buf *b, struct str name, int64_t value)
{
    buf_add(b, name);
    buf_add_u64(b, value > 0 ? (uint64_t)value : 0);
}

static struct str cache_word(const struct request *r)
{
    if (!r->source->has_cache_status || r->looks + (unsigned)r->pass == 0)
        return STR("none");
    if (r->stale_error)
        return r->found.kept ? outcome_name(OUTCOME_STALE_JOIN) : STR("stale-error");
    return outcome_name(r->outcome);
}

static enum reason reason_of(const struct request *r)
{
    if (r->reason != REASON_NONE || !r->object || object_state(r->object) == OBJECT_NEW)
        return r->reason;
    return r->pass ? r->pass_reason : deliver_reason(r);
}

/* A hit has none, and need not look. */
static struct str detail_of(const struct request *r, enum reason why)
{
    return why == REASON_NONE ? STR_NONE : deliver_detail((struct request *)(uintptr_t)r);
}

void access_log_request(struct requests *w, const struct request *r)
{
    struct logfile *f = w->log_ctx;
    struct buf *b = logfile_line(f);
    int64_t now_us = clock_mono_us(w->loop->clock);
    buf_add(b, STR("{\"time\":\""));
    add_time(b, w->loop->now.wall_ms);
    add_text(b, STR("\",\"client\":"), request_client_ip((struct request *)(uintptr_t)r));
    add_text(b, STR(",\"site\":"), r->site ? r->site->name : STR_NONE);
    if (r->site && r->site->release->id.n)
        add_text(b, STR(",\"deploy\":"), r->site->release->id);
    add_text(b, STR(",\"host\":"), r->authority);
    add_text(b, STR(",\"method\":"), r->method_name);
    add_text(b, STR(",\"url\":"), r->target);
    add_text(b, STR(",\"protocol\":"), r->protocol);
    add_number(b, STR(",\"status\":"), r->status);
    add_number(b, STR(",\"bytes\":"), (int64_t)r->bytes_sent);
    add_number(b, STR(",\"duration_us\":"), now_us - r->started_us);
    add_number(b, STR(",\"first_byte_us\":"), r->first_byte_us ? r->first_byte_us - r->started_us : 0);
    add_number(b, STR(",\"origin_ms\":"), r->fetch_ms);
    if (r->fetch_client.origin)
        add_text(b, STR(",\"origin\":"), r->fetch_client.origin->name);
    add_text(b, STR(",\"cache\":"), cache_word(r));
    enum reason why = reason_of(r);
    add_text(b, STR(",\"reason\":"), reason_detail(why));
    struct str detail = detail_of(r, why);
    if (detail.n)
        add_text(b, STR(",\"detail\":"), detail);
    add_text(b, STR(",\"request_id\":"), request_id((struct request *)(uintptr_t)r));
    buf_add(b, STR("}\n"));
    logfile_added(f);
}
