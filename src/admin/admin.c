#include "admin/admin.h"

#include <string.h>

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include "admin/answer.h"
#include "admin/deploy.h"
#include "admin/explain.h"
#include "admin/foreign.h"
#include "admin/metrics.h"
#include "admin/purge.h"
#include "admin/purge_method.h"
#include "admin/saved.h"
#include "admin/status.h"
#include "request/route.h"

#define BODY_MAX       ((size_t)1 << 20)
#define PURGE_BODY_MAX ((size_t)64 << 10) /* of PURGE and its like, whose bodies say nothing */

/* ---- health ---- */

static void health(struct admin *a, struct request *r, struct str body)
{
    (void)a;
    (void)body;
    answer_text(r, 200, STR("ok\n"));
}

static void readiness(struct admin *a, struct request *r, struct str body)
{
    (void)body;
    if (atomic_load_explicit(&a->ready, memory_order_acquire))
        answer_text(r, 200, STR("ready\n"));
    else
        answer_text(r, 503, STR("not ready: starting or stopping\n"));
}

static void explain(struct admin *a, struct request *r, struct str body)
{
    (void)body;
    explain_answer(a, r);
}

static void status(struct admin *a, struct request *r, struct str body)
{
    (void)body;
    status_answer(a, r);
}

static void metrics(struct admin *a, struct request *r, struct str body)
{
    (void)body;
    metrics_answer(a, r);
}

/* ---- what there is ---- */

static const struct page {
    struct str path;
    enum method method; /* HEAD comes with GET */
    bool needs_token;
    void (*answer)(struct admin *a, struct request *r, struct str body);
} pages[] = {
    { STR_INIT("/api/v1/purge"), METHOD_POST, true, purge_answer },
    { STR_INIT("/api/v1/deploy"), METHOD_POST, true, NULL }, /* see admin_answer: it may take a while */
    { STR_INIT("/api/v1/explain"), METHOD_GET, true, explain },
    { STR_INIT("/api/v1/status"), METHOD_GET, true, status },
    { STR_INIT("/healthz"), METHOD_GET, false, health },
    { STR_INIT("/readyz"), METHOD_GET, false, readiness },
    { STR_INIT("/metrics"), METHOD_GET, false, metrics },
};

static void digest_of(struct str text, unsigned char out[ADMIN_DIGEST_BYTES])
{
    SHA256((const unsigned char *)(text.p ? text.p : ""), text.n, out);
}

/* Digests are compared, so that neither the token's bytes nor its length can be measured. */
static bool is_our_token(const struct admin *a, struct str text)
{
    unsigned char given[ADMIN_DIGEST_BYTES];
    digest_of(text, given);
    return CRYPTO_memcmp(given, a->digest, sizeof(given)) == 0;
}

/* Clients of Fastly and of Cloudflare have fields of their own for it. */
static bool has_key(const struct admin *a, const struct request *r)
{
    for (size_t i = 0; i < r->fields.n; i++)
        if (str_eq_nocase(r->fields.v[i].name, STR("Fastly-Key")) ||
            str_eq_nocase(r->fields.v[i].name, STR("X-Auth-Key")))
            return is_our_token(a, str_trim(r->fields.v[i].value));
    return false;
}

static bool has_token(const struct admin *a, const struct request *r)
{
    if (fields_count(&r->fields, FIELD_AUTHORIZATION) != 1)
        return false;
    struct str value = fields_value(&r->fields, FIELD_AUTHORIZATION);
    if (!str_starts_nocase(value, STR("Bearer ")))
        return false;
    return is_our_token(a, str_trim(str_from_index(value, 7)));
}

static void refuse_token(struct request *r)
{
    bool given = fields_has(&r->fields, FIELD_AUTHORIZATION);
    answer_error(
        r, 401,
        "%s; send \"Authorization: Bearer TOKEN\" with the token that freshet was started with (the file "
        "\"token\" in its state folder, unless one was given)",
        given ? "this is not the admin token" : "the admin token is missing");
    answer_field(r, STR("WWW-Authenticate"), STR("Bearer"));
}

static bool may_purge(const struct admin *a, const struct request *r)
{
    return has_token(a, r) || has_key(a, r);
}

static const struct page *page_of(const struct request *r)
{
    for (size_t i = 0; i < COUNT_OF(pages); i++)
        if (str_eq(r->key.path, pages[i].path))
            return &pages[i];
    return NULL;
}

/* false: it was refused. */
static bool may_have_page(const struct admin *a, struct request *r, const struct page *page)
{
    if (r->method != page->method && !(r->head_only && page->method == METHOD_GET)) {
        bool post = page->method == METHOD_POST;
        answer_error(r, 405, "%.*s takes %s only", STR_ARG(page->path), post ? "POST" : "GET");
        answer_field(r, STR("Allow"), post ? STR("POST") : STR("GET, HEAD"));
        return false;
    }
    if (page->needs_token && !has_token(a, r)) {
        refuse_token(r);
        return false;
    }
    return true;
}

static void answer_nothing(struct request *r)
{
    answer_error(r, 404,
                 "nothing is here; there are POST /api/v1/purge, POST /api/v1/deploy, GET "
                 "/api/v1/explain?url=URL, GET "
                 "/api/v1/status, GET /healthz, GET /readyz and GET /metrics");
}

bool admin_answer(struct admin *a, struct request *r, struct object *o, struct str body)
{
    r->head_only = r->method == METHOD_HEAD;
    const struct page *page = page_of(r);
    enum foreign_api api = foreign_of(r->key.path);
    if (page) {
        if (!may_have_page(a, r, page))
            return true;
        if (!page->answer)
            return !deploy_answer(a, r, o, body);
        page->answer(a, r, body);
    } else if (route_is_purge(r) && may_purge(a, r)) {
        purge_method_answer(a, r, true);
    } else if (route_is_purge(r)) {
        refuse_token(r);
    } else if (api != FOREIGN_NONE) {
        foreign_answer(a, r, api, body, may_purge(a, r));
    } else {
        answer_nothing(r);
    }
    return true;
}

/* Does the answer depend on the body? */
static bool wants_body(const struct admin *a, const struct request *r)
{
    const struct page *page = page_of(r);
    if (page)
        return page->method == METHOD_POST && r->method == METHOD_POST && has_token(a, r);
    return (route_is_purge(r) || foreign_of(r->key.path) != FOREIGN_NONE) && may_purge(a, r);
}

static bool decide(struct source *s, struct request *r)
{
    struct admin *a = CONTAINER_OF(s, struct admin, source);
    if (wants_body(a, r))
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
    deploy_leave(CONTAINER_OF(s, struct admin, source), r);
}

static void start_purge(struct source *s, struct request *r, struct object *o, bool background)
{
    CHECK(!background);
    purge_method_answer(CONTAINER_OF(s, struct admin, by_method), r, false);
    saved_fill(r, o);
}

static void leave_purge(struct source *s, struct request *r)
{
    (void)s;
    saved_leave(r);
}

static void start_webhook(struct source *s, struct request *r, struct object *o, bool background)
{
    CHECK(!background);
    webhook_answer(CONTAINER_OF(s, struct admin, by_webhook), r, buf_str(&r->collected));
    saved_fill(r, o);
}

void admin_init(struct admin *a)
{
    CHECK(a->token.n > 0);
    digest_of(a->token, a->digest);
    lock_init(&a->lock);
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
    OPENSSL_cleanse(a->digest, sizeof(a->digest));
    lock_fini(&a->lock);
    webhook_fini(&a->webhooks);
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

void admin_purged(struct admin *a, uint64_t sequence, struct str what, int64_t now_wall_ms)
{
    lock_take(&a->lock);
    struct admin_purge *p = &a->purges[a->purges_n++ % ADMIN_PURGES_KEPT];
    size_t n = what.n < sizeof(p->what) ? what.n : sizeof(p->what) - 1;
    p->sequence = sequence;
    p->wall_ms = now_wall_ms;
    for (size_t i = 0; i < n; i++)
        p->what[i] = what.p[i];
    p->what[n] = '\0';
    lock_give(&a->lock);
}
