#include "base/mem.h"
#include "request/request_machine.h"

static void leave_snapshot(struct snapshot *s)
{
    CHECK(s->users > 0);
    if (--s->users)
        return;
    settings_unref(s->settings);
    mem_free(s->trusted);
    mem_free(s);
}

/* Parsed once, since a head may name thousands of addresses. */
static void find_trusted(struct snapshot *s)
{
    const struct strs *texts = &s->settings->process.trusted_proxies;
    s->trusted = texts->n ? mem_resize(NULL, texts->n * sizeof(*s->trusted)) : NULL;
    for (size_t i = 0; i < texts->n; i++)
        s->trusted_n += network_parse(texts->v[i], &s->trusted[s->trusted_n]);
}

void requests_set_settings(struct requests *w, struct settings *s)
{
    if (w->snapshot)
        leave_snapshot(w->snapshot);
    w->snapshot = mem_alloc(sizeof(*w->snapshot));
    *w->snapshot = (struct snapshot){ .settings = s, .users = 1 };
    find_trusted(w->snapshot);
}

void requests_init_like(struct requests *w, const struct requests *like, struct settings *s)
{
    *w = (struct requests){
        .loop = like->loop,
        .log = like->log,
        .cache = like->cache,
        .fetcher = like->fetcher,
        .origins = like->origins,
        .counters = like->counters,
        .country = like->country,
        .source = like->source,
        .self = like->self,
        .next_id = like->next_id,
        .tunnels = like->tunnels,
        .tunnels_said = like->tunnels_said,
        .readings = like->readings,
        .windows = like->windows,
    };
    list_init(&w->open);
    requests_set_settings(w, s);
}

void requests_fini(struct requests *w)
{
    CHECK(w->snapshot->users == 1);
    leave_snapshot(w->snapshot);
    w->snapshot = NULL;
    request_budgets_fini(w);
}

void request_take_settings(struct request *r)
{
    CHECK(!r->snapshot && r->w->snapshot->users > 0);
    r->snapshot = r->w->snapshot;
    r->snapshot->users++;
    r->settings = r->snapshot->settings;
}

void request_give_settings(struct request *r)
{
    leave_snapshot(r->snapshot);
}
