#include "request/source_origin.h"

#include "request/deliver.h"
#include "request/request.h"
#include "request/route.h"
#include "request/tunnel.h"

static struct str origin_host(const struct request *r, bool as_came)
{
    if (r->site->host.n)
        return r->site->host;
    if (as_came && r->came_host.n)
        return r->came_host;
    return r->authority.n ? r->authority : r->site->origin_address.authority;
}

static void interim(struct fetch_client *c, int status, const struct fields *fields)
{
    struct request *r = CONTAINER_OF(c, struct request, fetch_client);
    if (!r->head_sent)
        r->front->interim(r, status, fields);
}

static void upgraded(struct fetch_client *c, struct connection *connection, const struct response_head *head,
                     struct str rest)
{
    tunnel_begin(CONTAINER_OF(c, struct request, fetch_client), connection, head, rest);
}

/* Returns why the answer is not stored although it might be. */
static enum reason reason_not_to_store(const struct request *r)
{
    if (r->directives.no_store)
        return REASON_REQUEST_NO_STORE;
    /* A reload came meanwhile: the purge of what the old settings made must not miss this answer. */
    if (r->alone || r->as_came || r->settings != r->w->snapshot->settings)
        return REASON_NOT_SHARED;
    return REASON_NONE;
}

/* The coding that the visitor wants most, as a bit. */
static unsigned wanted_coding(const struct request *r)
{
    enum coding wanted = deliver_wanted_coding(r);
    return wanted == CODING_IDENTITY ? 0 : 1u << wanted;
}

static void start(struct source *s, struct request *r, struct object *o, bool background)
{
    (void)s;
    if (!background) {
        r->cookies_cut = false;
        r->fetch_client = (struct fetch_client){ .interim = interim, .upgraded = upgraded };
    }
    struct fields *fields = (struct fields *)(uintptr_t)request_fields(r);
    struct fields reduced;
    request_reduce_query(r);
    struct key_request key = r->key;
    bool may_store = request_answer_may_be_stored(r),
         as_came = !background && (!may_store || (r->is_signed && r->outcome == OUTCOME_PASS));
    if (background) {
        key_fields_for_refresh(fields, r->rule, &r->arena, &reduced);
        key.fields = &reduced;
    } else if (may_store && !as_came) {
        key.fields = request_cut_cookies(r);
    }
    struct fetch_plan plan = {
        .settings = r->settings,
        .site = r->site,
        .upstream = upstream_of(r->w->origins, r->site, r->w->loop->now.mono_ms),
        .method = may_store && r->head_only ? METHOD_GET : r->method,
        .method_name = may_store && r->head_only ? STR("GET") : r->method_name,
        .key = key,
        .host = origin_host(r, as_came && !may_store),
        .target = r->came,
        .came = as_came ? request_fields_as_came(r) : NULL,
        .as_came = as_came,
        .came_is_key = as_came && request_came_is_key(r),
        .rule = r->rule,
        .place = r->look.place,
        .object = o,
        .stale = background ? r->found.stored : r->stale,
        .request = &r->directives,
        .upload = background ? NULL : r->upload,
        .client = background ? NULL : &r->fetch_client,
        .own = background ? NULL : r->own,
        .empty_body = r->framing.kind == FRAMING_LENGTH && r->framing.length == 0,
        .may_store = may_store,
        .codings = may_store && !background ? wanted_coding(r) : 0,
        .learns = may_store || r->as_came,
        .called_static = r->is_static,
        .low_priority = !background && request_is_prefetch(r),
        .background = background,
        .upgrade = r->upgrade,
        .bypass = r->bypass,
        .cookies_cut = key.fields != fields && !background,
        .not_stored = background || !(may_store || r->as_came) ? REASON_NONE : reason_not_to_store(r),
        .request_id = request_id(r),
    };
    if (may_store && !background && r->site->combine_parts) {
        bool part = r->stale && object_is_partial(r->stale);
        if (r->range.n && !r->head_only)
            plan.range = r->range;
        else if (part && response_part(r->stale->response)->first == 0)
            plan.part = r->stale;
        if (part)
            plan.stale = NULL;
    }
    r->went_as_came |= as_came;
    fetch_start(r->w->fetcher, &plan);
}

static void leave(struct source *s, struct request *r)
{
    (void)s;
    fetch_detach(&r->fetch_client);
}

struct source source_origin = { .name = STR_INIT("origin"),
                                .route = route_to_site,
                                .has_cache_status = true,
                                .start = start,
                                .leave = leave };
