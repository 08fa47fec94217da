#include "admin/admin.h"

#include <string.h>

#include "admin/access.h"
#include "admin/answer.h"
#include "admin/certificate.h"
#include "admin/deploy.h"
#include "admin/explain.h"
#include "admin/foreign.h"
#include "admin/metrics.h"
#include "admin/origin_api.h"
#include "admin/purge.h"
#include "admin/purge_method.h"
#include "admin/saved.h"
#include "admin/status.h"
#include "admin/token_api.h"
#include "admin/upgrade_api.h"
#include "request/route.h"

#define BODY_MAX       ((size_t)1 << 20)
#define PURGE_BODY_MAX ((size_t)64 << 10) /* of PURGE and its like, whose bodies say nothing */

/* ---- health ---- */

static void health(struct admin *a, struct request *r, const struct access *by, struct str body)
{
    (void)a;
    (void)by;
    (void)body;
    answer_text(r, 200, STR("ok\n"));
}

static void readiness(struct admin *a, struct request *r, const struct access *by, struct str body)
{
    (void)by;
    (void)body;
    if (atomic_load_explicit(&a->ready, memory_order_acquire))
        answer_text(r, 200, STR("ready\n"));
    else
        answer_text(r, 503, STR("not ready: starting or stopping\n"));
}

static void explain(struct admin *a, struct request *r, const struct access *by, struct str body)
{
    (void)body;
    explain_answer(a, r, &by->rights);
}

static void status(struct admin *a, struct request *r, const struct access *by, struct str body)
{
    (void)body;
    status_answer(a, r, &by->rights);
}

static void metrics(struct admin *a, struct request *r, const struct access *by, struct str body)
{
    (void)by;
    (void)body;
    metrics_answer(a, r);
}

static void purge(struct admin *a, struct request *r, const struct access *by, struct str body)
{
    purge_answer(a, r, &by->rights, body);
}

static void purge_by_method(struct admin *a, struct request *r, const struct access *by, struct str body)
{
    (void)body;
    purge_method_answer(a, r, &by->rights);
}

static void foreign(struct admin *a, struct request *r, const struct access *by, struct str body)
{
    foreign_answer(a, r, body, &by->rights);
}

static void list_tokens(struct admin *a, struct request *r, const struct access *by, struct str body)
{
    (void)by;
    (void)body;
    token_api_list(a, r);
}

static void create_token(struct admin *a, struct request *r, const struct access *by, struct str body)
{
    token_api_create(a, r, &by->rights, body);
}

static void revoke_token(struct admin *a, struct request *r, const struct access *by, struct str body)
{
    (void)body;
    token_api_revoke(a, r, &by->rights);
}

static void begin_upgrade(struct admin *a, struct request *r, const struct access *by, struct str body)
{
    (void)by;
    (void)body;
    upgrade_api_begin(a, r);
}

static void show_upgrade(struct admin *a, struct request *r, const struct access *by, struct str body)
{
    (void)by;
    (void)body;
    upgrade_api_show(a, r);
}

static void list_certificates(struct admin *a, struct request *r, const struct access *by, struct str body)
{
    (void)body;
    certificate_list(a, r, &by->rights);
}

static void ask_for_certificate(struct admin *a, struct request *r, const struct access *by, struct str body)
{
    certificate_ask(a, r, &by->rights, body);
}

static void list_origins(struct admin *a, struct request *r, const struct access *by, struct str body)
{
    (void)body;
    origin_api_list(a, r, &by->rights);
}

static void drain_origin(struct admin *a, struct request *r, const struct access *by, struct str body)
{
    origin_api_drain(a, r, &by->rights, true, body);
}

static void undrain_origin(struct admin *a, struct request *r, const struct access *by, struct str body)
{
    origin_api_drain(a, r, &by->rights, false, body);
}

/* ---- what there is ---- */

static void (*const answers[ROUTES])(struct admin *a, struct request *r, const struct access *by,
                                     struct str body) = {
    [ROUTE_PURGE] = purge,
    [ROUTE_PURGE_METHOD] = purge_by_method,
    [ROUTE_FOREIGN] = foreign,
    [ROUTE_EXPLAIN] = explain,
    [ROUTE_STATUS] = status,
    [ROUTE_DEPLOY] = NULL, /* see admin_answer: it may take a while */
    [ROUTE_TOKENS] = list_tokens,
    [ROUTE_CREATE] = create_token,
    [ROUTE_UPGRADE] = begin_upgrade,
    [ROUTE_UPGRADED] = show_upgrade,
    [ROUTE_REVOKE] = revoke_token,
    [ROUTE_HEALTH] = health,
    [ROUTE_CERTIFICATES] = list_certificates,
    [ROUTE_CERTIFY] = ask_for_certificate,
    [ROUTE_READY] = readiness,
    [ROUTE_METRICS] = metrics,
    [ROUTE_ORIGINS] = list_origins,
    [ROUTE_DRAIN] = drain_origin,
    [ROUTE_UNDRAIN] = undrain_origin,
};

bool admin_is_first_token(const struct admin *a, struct str text)
{
    return str_eq_secret(text, a->token);
}

/* A request, and whether it may have what it asks for. */
struct asked {
    enum routes_id route; /* ROUTES: there is none */
    bool path_is_known;
    struct str allow;
    struct access by; /* with a route */
};

static void look(struct admin *a, struct request *r, struct asked *out)
{
    bool is_foreign = foreign_of(r->key.path) != FOREIGN_NONE;
    out->route = routes_find(r->method, r->key.path, &r->arena, &out->path_is_known, &out->allow);
    if (out->route == ROUTES && !out->path_is_known)
        out->route = route_is_purge(r) ? ROUTE_PURGE_METHOD : is_foreign ? ROUTE_FOREIGN : ROUTES;
    bool has_path = out->route < ROUTES && routes_rows[out->route].path.n > 0;
    if (out->route < ROUTES)
        access_look(a, r, out->route, !has_path, &out->by);
}

static void answer_nothing(struct request *r, const struct asked *asked)
{
    if (asked->path_is_known) {
        answer_error(r, 405, "%.*s takes %.*s only", STR_ARG(r->key.path), STR_ARG(asked->allow));
        answer_field(r, STR("Allow"), asked->allow);
        return;
    }
    answer_error(r, 404, "nothing is here; there are %.*s", STR_ARG(routes_said(&r->arena)));
}

static void refuse(struct request *r, const struct asked *asked)
{
    int code;
    struct str text = access_problem(&asked->by, r, &code);
    if (asked->route == ROUTE_FOREIGN)
        foreign_refuse(r, code, text);
    else
        answer_error(r, code, "%.*s", STR_ARG(text));
    if (code == 401)
        answer_field(r, STR("WWW-Authenticate"), STR("Bearer"));
}

static bool purges(enum routes_id route)
{
    return route == ROUTE_PURGE || route == ROUTE_PURGE_METHOD || route == ROUTE_FOREIGN;
}

static bool changes_facts(enum routes_id route)
{
    return route == ROUTE_DEPLOY || route == ROUTE_CREATE || route == ROUTE_REVOKE || route == ROUTE_DRAIN ||
           route == ROUTE_UNDRAIN || route == ROUTE_CERTIFY;
}

/* Whatever changes the store would be lost. But what is purged before the worker leaves is passed on, and its
 * answer waits until that is on disk (server/upgrade.c). */
static bool is_frozen(const struct admin *a, const struct request *r, bool is_purge)
{
    return atomic_load_explicit(&a->frozen, memory_order_acquire) && (r->w->leaving || !is_purge);
}

static void answer_frozen(struct request *r, bool is_foreign)
{
    static const struct str text =
        STR_INIT("a new freshet takes over: nothing was changed; ask once more, it answers in a moment");
    if (is_foreign)
        foreign_refuse(r, 503, text);
    else
        answer_error(r, 503, "%.*s", STR_ARG(text));
    answer_field(r, STR("Retry-After"), STR("1"));
}

bool admin_answer(struct admin *a, struct request *r, struct object *o, struct str body)
{
    struct asked asked;
    r->head_only = r->method == METHOD_HEAD;
    look(a, r, &asked);
    if (asked.route == ROUTES) {
        answer_nothing(r, &asked);
    } else if (asked.by.found != ACCESS_GOOD) {
        refuse(r, &asked);
        return !access_refused(a, r, &asked.by, o);
    } else if ((purges(asked.route) || changes_facts(asked.route)) && is_frozen(a, r, purges(asked.route))) {
        answer_frozen(r, asked.route == ROUTE_FOREIGN);
    } else if (asked.route == ROUTE_DEPLOY) {
        return !deploy_answer(a, r, &asked.by.rights, o, body);
    } else {
        answers[asked.route](a, r, &asked.by, body);
    }
    return true;
}

/* Is the answer made of the body? */
static bool wants_body(enum routes_id route)
{
    return route == ROUTE_PURGE || route == ROUTE_DEPLOY || route == ROUTE_CREATE ||
           route == ROUTE_PURGE_METHOD || route == ROUTE_FOREIGN || route == ROUTE_DRAIN ||
           route == ROUTE_UNDRAIN || route == ROUTE_CERTIFY;
}

static bool decide(struct source *s, struct request *r)
{
    struct admin *a = CONTAINER_OF(s, struct admin, source);
    struct asked asked;
    look(a, r, &asked);
    bool is_route = asked.route < ROUTES, may = is_route && asked.by.found == ACCESS_GOOD;
    /* Who may not is answered without it, perhaps later. */
    r->body_unwanted = is_route && !may;
    if (r->body_unwanted || (may && wants_body(asked.route)))
        return false;
    CHECK(admin_answer(a, r, NULL, STR_NONE));
    return true;
}

static bool decide_purge(struct source *s, struct request *r)
{
    return purge_method_refuse_head(CONTAINER_OF(s, struct admin, by_method), r);
}

static bool decide_webhook(struct source *s, struct request *r)
{
    return webhook_refuse_head(CONTAINER_OF(s, struct admin, by_webhook), r);
}

static void start(struct source *s, struct request *r, struct object *o, bool background)
{
    CHECK(!background);
    if (admin_answer(CONTAINER_OF(s, struct admin, source), r, o, buf_str(&r->collected)))
        saved_fill(r, o);
}

static void leave(struct source *s, struct request *r)
{
    saved_leave(r);
    access_leave(CONTAINER_OF(s, struct admin, source), r);
    deploy_leave(CONTAINER_OF(s, struct admin, source), r);
}

static void start_purge(struct source *s, struct request *r, struct object *o, bool background)
{
    struct admin *a = CONTAINER_OF(s, struct admin, by_method);
    CHECK(!background);
    if (is_frozen(a, r, true))
        answer_frozen(r, false);
    else
        purge_method_answer(a, r, NULL);
    saved_fill(r, o);
}

static void leave_purge(struct source *s, struct request *r)
{
    (void)s;
    saved_leave(r);
}

static void start_webhook(struct source *s, struct request *r, struct object *o, bool background)
{
    struct admin *a = CONTAINER_OF(s, struct admin, by_webhook);
    CHECK(!background);
    if (is_frozen(a, r, true))
        answer_frozen(r, false);
    else
        webhook_answer(a, r, buf_str(&r->collected));
    saved_fill(r, o);
}

void admin_init(struct admin *a)
{
    CHECK(a->token.n > 0 && a->tokens);
    lock_init(&a->lock);
    lock_init(&a->drain_lock);
    a->purges_n = 0;
    a->rate_second = a->rate_used = 0;
    a->source = (struct source){ .name = STR("admin"),
                                 .route = route_alone,
                                 .body_max = BODY_MAX,
                                 .budget = BUDGET_PURGES,
                                 .from_head = decide,
                                 .start = start,
                                 .leave = leave };
    list_init(&a->deploying);
    list_init(&a->held);
    wrong_tokens_init(&a->wrong_tokens);
    a->by_method = (struct source){ .name = STR("purges"),
                                    .body_max = PURGE_BODY_MAX,
                                    .budget = BUDGET_PURGES,
                                    .from_head = decide_purge,
                                    .start = start_purge,
                                    .leave = leave_purge };
    a->by_webhook = (struct source){ .name = STR("webhooks"),
                                     .body_max = WEBHOOK_BODY_MAX,
                                     .budget = BUDGET_WEBHOOKS,
                                     .from_head = decide_webhook,
                                     .start = start_webhook,
                                     .leave = leave_purge };
    webhook_init(&a->webhooks);
}

void admin_fini(struct admin *a)
{
    lock_fini(&a->lock);
    lock_fini(&a->drain_lock);
    wrong_tokens_fini(&a->wrong_tokens);
    webhook_fini(&a->webhooks);
    upgrade_api_fini(a);
}

bool admin_may_purge(struct admin *a, int64_t most, int64_t now_mono_ms)
{
    if (most == 0)
        return true;
    lock_take(&a->lock);
    if (a->rate_second != now_mono_ms / 1000) {
        a->rate_second = now_mono_ms / 1000;
        a->rate_used = 0;
    }
    bool may = a->rate_used < most;
    a->rate_used += may;
    lock_give(&a->lock);
    return may;
}

void admin_reloaded(struct admin *a, struct str error, int64_t now_wall_ms)
{
    size_t n = error.n < sizeof(a->reload_error) ? error.n : sizeof(a->reload_error) - 1;
    lock_take(&a->lock);
    a->reloaded_wall_ms = now_wall_ms;
    if (n)
        memcpy(a->reload_error, error.p, n);
    a->reload_error[n] = '\0';
    lock_give(&a->lock);
    atomic_store_explicit(&a->reload_failed, n > 0, memory_order_relaxed);
    if (n)
        atomic_fetch_add_explicit(&a->reloads_failed, 1, memory_order_relaxed);
}

void admin_purged(struct admin *a, uint64_t sequence, struct str site, struct str what, int64_t now_wall_ms)
{
    lock_take(&a->lock);
    struct admin_purge *p = &a->purges[a->purges_n++ % ADMIN_PURGES_KEPT];
    size_t n = what.n < sizeof(p->what) ? what.n : sizeof(p->what) - 1;
    p->sequence = sequence;
    p->wall_ms = now_wall_ms;
    *str_put(p->site, str_first(site, TOKEN_SITE_MAX)) = '\0';
    for (size_t i = 0; i < n; i++)
        p->what[i] = what.p[i];
    p->what[n] = '\0';
    lock_give(&a->lock);
}
