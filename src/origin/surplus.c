/* Bytes that an origin sends and that belong to no answer. They are dropped with their connection (CACHING.md
 * 7); here the operator is told, since the page that they belong to may be cut. */
#include <stdio.h>

#include "origin/fetch_machine.h"
#include "origin/pool_machine.h"

static bool may_say(struct origin *o, struct counters *counters, int64_t now_mono_ms, char held[LOG_HELD_MAX])
{
    count(counters, COUNTER_ORIGIN_SURPLUS);
    return log_valve_opens(&o->surplus_said, now_mono_ms, held);
}

/* Writes where the answer ended. */
static void describe_end(const struct fetch *f, char *text, size_t bytes)
{
    switch (f->framing.kind) {
    case FRAMING_LENGTH:
        snprintf(text, bytes, "whose Content-Length is %llu (it counts bytes, not characters)",
                 (unsigned long long)f->framing.length);
        break;
    case FRAMING_CHUNKED: snprintf(text, bytes, "which ends with its last chunk"); break;
    default: snprintf(text, bytes, "which has no body (none has an answer to HEAD, a 204, a 304)"); break;
    }
}

void fetch_note_surplus(struct fetch *f, size_t n)
{
    char held[LOG_HELD_MAX] = "", end[128];
    if (n == 0)
        return;
    f->keep_alive = false;
    if (!may_say(f->plan.origin, f->f->counters, f->f->loop->now.mono_ms, held))
        return;
    describe_end(f, end, sizeof(end));
    log_warning(
        f->f->log, "origin",
        "%.*s: bytes came behind the answer to %.*s %.*s%.*s, %s; they are dropped, and the connection is "
        "closed (site %.*s, request %.*s%s)",
        STR_ARG(f->plan.origin->name), STR_ARG(f->plan.method_name), STR_ARG(f->plan.host),
        STR_ARG(f->plan.key.path), end, STR_ARG(f->plan.site->name), STR_ARG(f->plan.request_id), held);
}

/* A server may say so when it ends an idle connection (RFC 9110 §15.5.9). */
static bool is_request_timeout(struct str first)
{
    size_t version = STR("HTTP/1.x").n;
    return str_starts(first, STR("HTTP/")) && str_starts(str_from_index(first, version), STR(" 408"));
}

void pool_note_surplus(const struct pool_entry *e, struct str first)
{
    char held[LOG_HELD_MAX] = "";
    if (is_request_timeout(first))
        return;
    if (may_say(e->origin, e->pool->counters, e->pool->loop->now.mono_ms, held))
        log_warning(
            e->pool->log, "origin",
            "%.*s: bytes came behind the end of an answer, or without a request: they are dropped, and "
            "the connection is closed; a Content-Length may be too small (it counts bytes, not "
            "characters)%s",
            STR_ARG(e->origin->name), held);
}
