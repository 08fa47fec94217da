#include "front/body_pace.h"

static const struct process_settings *settings_of(const struct request *r)
{
    return &r->settings->process;
}

static bool has_rate(const struct request *r)
{
    return settings_of(r)->body_rate_min > 0 && r->collects != COLLECT_MUST;
}

void body_pace_init(struct body_pace *p)
{
    p->credit_ms = INT64_MAX;
}

int64_t body_pace_begin(struct body_pace *p, const struct request *r, uint64_t got, int64_t now_ms)
{
    int64_t pause_ms = settings_of(r)->body_timeout;
    if (!has_rate(r) || p->credit_ms == INT64_MAX)
        p->credit_ms = pause_ms;
    p->since_ms = now_ms;
    p->got = got;
    return p->credit_ms < pause_ms ? p->credit_ms : pause_ms;
}

void body_pace_end(struct body_pace *p, const struct request *r, uint64_t got, int64_t now_ms)
{
    const struct process_settings *s = settings_of(r);
    int64_t most = 2 * s->body_timeout, came = (int64_t)(got - p->got);
    if (!has_rate(r))
        return;
    int64_t earned = came < INT64_MAX / 1000 ? came * 1000 / s->body_rate_min : most;
    p->credit_ms += earned - (now_ms - p->since_ms);
    if (p->credit_ms > most)
        p->credit_ms = most;
    if (p->credit_ms < 1)
        p->credit_ms = 1; /* the timer's next tick */
}

bool body_pace_is_slow(const struct body_pace *p, const struct request *r, int64_t now_ms)
{
    return now_ms - p->since_ms < settings_of(r)->body_timeout;
}
