#include "admin/deploy.h"

#include "admin/access.h"
#include "admin/answer.h"
#include "admin/body.h"
#include "admin/saved.h"
#include "base/mem.h"
#include "cache/named.h"
#include "conf/form.h"
#include "conf/number.h"
#include "deploy/top.h"
#include "deploy/worklist.h"

#define QUOTED_MAX 100 /* bytes of the input repeated in a message */
#define TEXT_MAX   4096
#define WAIT_MS    ((int64_t)10000)
#define WARM_MS    ((int64_t)60000)

/* ---- the body ---- */

struct parse {
    const struct settings *settings;
    const struct token_rights *rights;
    struct arena *arena;
    struct deploy_plan *out;
    struct purge_error *error;
    struct str site;
};

#define REFUSE(p, ...) purge_refuse((p)->error, (p)->arena, 400, __VA_ARGS__)

static bool take_text(struct parse *p, const char *name, const json_t *v, size_t most, struct str *out)
{
    if (!body_string(name, v, p->arena, out, p->error))
        return false;
    return out->n <= most || REFUSE(p, "%s has more than %zu bytes", name, most);
}

static bool take_origin(struct parse *p, const char *name, const json_t *v)
{
    struct origin_address unused;
    if (!take_text(p, name, v, LEDGER_ORIGIN_MAX, &p->out->origin))
        return false;
    const char *wrong = form_origin(p->out->origin, p->arena, &unused);
    return !wrong || REFUSE(p, "origin \"%.*s\" %s", STR_ARG(str_first(p->out->origin, QUOTED_MAX)), wrong);
}

/* "10s", or a number of seconds. */
static bool take_time(struct parse *p, const char *name, const json_t *v, int64_t most_ms, int64_t *out)
{
    int64_t ms = 0;
    bool good = json_is_integer(v) ? json_integer_value(v) >= 0 && json_integer_value(v) <= most_ms / 1000
                                   : number_parse(TYPE_TIME, body_text(v), &ms) && ms <= most_ms;
    if (!good)
        return REFUSE(p, "%s must be a time like \"30s\" or \"7d\", at most %lld s", name,
                      (long long)(most_ms / 1000));
    *out = json_is_integer(v) ? (int64_t)json_integer_value(v) * 1000 : ms;
    return true;
}

/* A path with its query, or a URL of the site. */
static bool take_target(struct parse *p, const char *name, struct str text, struct str *out)
{
    struct named n;
    enum http_error e = named_parse(text, p->arena, &n);
    if (e != HTTP_ERROR_NONE)
        return REFUSE(p, "%s: \"%.*s\" %s", name, STR_ARG(str_first(text, QUOTED_MAX)),
                      named_problem(text, e, true));
    if (n.has_host && settings_site_of_host(p->settings, n.host.name) != p->out->site)
        return REFUSE(p, "%s: \"%.*s\" is not of site %.*s", name, STR_ARG(str_first(text, QUOTED_MAX)),
                      STR_ARG(p->out->site->name));
    *out = named_url(&n, p->arena);
    return true;
}

static bool take_check(struct parse *p, const char *name, const json_t *v)
{
    struct str text;
    return take_text(p, name, v, TEXT_MAX, &text) && take_target(p, name, text, &p->out->check);
}

static bool take_url(struct parse *p, const char *name, const json_t *v)
{
    struct str text;
    struct named n;
    if (!take_text(p, name, v, TEXT_MAX, &text))
        return false;
    enum http_error e = named_parse(text, p->arena, &n);
    if (e != HTTP_ERROR_NONE || !n.has_host)
        return REFUSE(p, "url must be the beginning of the visitors' URLs, like https://shop.example");
    if (settings_site_of_host(p->settings, n.host.name) != p->out->site)
        return REFUSE(p, "url: %.*s is no host of site %.*s", STR_ARG(n.host.name),
                      STR_ARG(p->out->site->name));
    p->out->https = n.https;
    p->out->host = n.host.authority;
    return true;
}

static bool take_targets(struct parse *p, const char *name, const json_t *v, struct strs *out)
{
    struct strs texts = { 0 };
    if (!body_list(name, v, true, p->arena, &texts, p->error))
        return false;
    out->v = arena_alloc(p->arena, (texts.n + 1) * sizeof(*out->v));
    for (size_t i = 0; i < texts.n; i++)
        if (!take_target(p, name, texts.v[i], &out->v[out->n++]))
            return false;
    return true;
}

/* "top:50" */
static bool take_top(struct parse *p, struct str number)
{
    uint64_t n;
    if (!str_to_u64(number, TOP_MOST, &n) || n == 0)
        return REFUSE(p, "warm: behind top: stands a number of pages, at most %d", TOP_MOST);
    p->out->top = (size_t)n;
    return true;
}

/* "sitemap", "sitemap:/sitemap_index.xml", "top:N", or pages. */
static bool take_warm(struct parse *p, const char *name, const json_t *v)
{
    struct strs texts = { 0 };
    struct deploy_plan *out = p->out;
    if (!body_list(name, v, true, p->arena, &texts, p->error))
        return false;
    out->pages.v = arena_alloc(p->arena, (texts.n + 1) * sizeof(*out->pages.v));
    for (size_t i = 0; i < texts.n; i++) {
        struct str text = texts.v[i];
        bool good = true;
        if (str_eq(text, STR("sitemap")))
            out->sitemap = STR("/sitemap.xml");
        else if (str_starts(text, STR("sitemap:")))
            good = take_target(p, name, str_from_index(text, 8), &out->sitemap);
        else if (str_starts(text, STR("top:")))
            good = take_top(p, str_from_index(text, 4));
        else
            good = take_target(p, name, text, &out->pages.v[out->pages.n++]);
        if (!good)
            return false;
    }
    return true;
}

static bool refuse_member(struct parse *p, const char *name)
{
    static const struct str known[] = { STR_INIT("site"),   STR_INIT("id"),        STR_INIT("origin"),
                                        STR_INIT("check"),  STR_INIT("wait"),      STR_INIT("warm"),
                                        STR_INIT("assets"), STR_INIT("warm_time"), STR_INIT("keep"),
                                        STR_INIT("url"),    STR_INIT("rollback") };
    return body_refuse_member(name, known, COUNT_OF(known), p->arena, p->error);
}

static bool take_member(struct parse *p, const char *name, const json_t *v)
{
    struct deploy_plan *out = p->out;
    struct str key = str_from(name);
    if (json_is_null(v) || str_eq(key, STR("site")))
        return true;
    if (str_eq(key, STR("id")))
        return take_text(p, name, v, LEDGER_ID_MAX, &out->id);
    if (str_eq(key, STR("origin")))
        return take_origin(p, name, v);
    if (str_eq(key, STR("check")))
        return take_check(p, name, v);
    if (str_eq(key, STR("wait")))
        return take_time(p, name, v, DEPLOY_WAIT_MOST, &out->wait_ms);
    if (str_eq(key, STR("warm_time")))
        return take_time(p, name, v, DEPLOY_WARM_MOST, &out->warm_ms);
    if (str_eq(key, STR("keep")))
        return take_time(p, name, v, DEPLOY_KEEP_MOST, &out->keep_ms);
    if (str_eq(key, STR("warm")))
        return take_warm(p, name, v);
    if (str_eq(key, STR("assets")))
        return take_targets(p, name, v, &out->assets);
    if (str_eq(key, STR("url")))
        return take_url(p, name, v);
    if (!str_eq(key, STR("rollback")))
        return refuse_member(p, name);
    out->rollback = json_is_true(v);
    return json_is_boolean(v) || REFUSE(p, "rollback must be true or false");
}

/* The other members depend on it. */
static bool find_site(struct parse *p, json_t *root)
{
    const json_t *v = json_object_get(root, "site");
    if (v && !json_is_null(v) && !take_text(p, "site", v, TEXT_MAX, &p->site))
        return false;
    if (!p->site.n && !access_own_site(p->rights, p->settings, &p->site, p->arena, p->error))
        return false;
    p->out->site = p->site.n                   ? settings_site_by_name(p->settings, p->site)
                   : p->settings->sites_n == 1 ? &p->settings->sites[0]
                                               : NULL;
    if (p->out->site)
        return true;
    if (p->site.n)
        return purge_refuse(p->error, p->arena, 404, "no site has the name \"%.*s\"",
                            STR_ARG(str_first(p->site, QUOTED_MAX)));
    return REFUSE(p, "there are %zu sites; name one with site (freshet deploy: --site)",
                  p->settings->sites_n);
}

static bool take_members(struct parse *p, json_t *root)
{
    const char *name;
    json_t *value;
    if (!find_site(p, root))
        return false;
    p->out->keep_ms = p->out->site->keep_assets;
    json_object_foreach(root, name, value) if (!take_member(p, name, value)) return false;
    if (p->out->rollback && (p->out->id.n || p->out->origin.n))
        return REFUSE(p, "rollback goes back to the release before, with its id and origin; leave out id and "
                         "origin");
    return true;
}

bool deploy_parse(struct str body, const struct settings *settings, const struct token_rights *rights,
                  struct arena *a, struct deploy_plan *out, struct purge_error *error)
{
    struct parse p = { .settings = settings, .rights = rights, .arena = a, .out = out, .error = error };
    json_t *root;
    *out = (struct deploy_plan){ .wait_ms = WAIT_MS, .warm_ms = WARM_MS };
    if (!body_parse(body, "{\"id\": \"v42\"}, or {} for a deploy without a name", a, &root, error))
        return false;
    bool good = take_members(&p, root);
    json_decref(root);
    return good;
}

/* ---- a request that waits for its deploy ---- */

struct waiting {
    struct link link; /* in admin->deploying */
    struct request *request;
    struct object *object; /* a reference */
    struct deploy *deploy;
};

static void forget(struct waiting *w)
{
    link_remove(&w->link);
    object_unref(w->object);
    mem_free(w);
}

static void write_release(struct answer_writer *w, const char *key, const struct ledger_release *r)
{
    answer_open(w, key, '{');
    if (r->id[0])
        answer_str(w, "id", str_from(r->id));
    else
        answer_null(w, "id");
    answer_int(w, "release", r->number);
    if (r->origin[0])
        answer_str(w, "origin", str_from(r->origin));
    answer_close(w, '}');
}

static void write_count(struct answer_writer *w, const char *key, const struct deploy_count *c)
{
    answer_open(w, key, '{');
    answer_int(w, "wanted", (int64_t)c->wanted);
    answer_int(w, "done", (int64_t)c->done);
    answer_int(w, "failed", (int64_t)c->failed);
    answer_close(w, '}');
}

static struct str text_of(const struct deploy_result *result, bool durable, struct arena *a)
{
    struct answer_writer w = { .depth = 0 };
    answer_open(&w, NULL, '{');
    answer_bool(&w, "live", true);
    answer_bool(&w, "was_live", result->was_live);
    answer_bool(&w, "durable", durable);
    write_release(&w, "deploy", &result->release);
    if (!result->was_live)
        write_release(&w, "before", &result->before);
    write_count(&w, "pages", &result->pages);
    write_count(&w, "assets", &result->assets);
    answer_bool(&w, "warm_time_over", result->warm_time_over);
    answer_bool(&w, "lists_cut", result->is_cut);
    answer_bool(&w, "sitemap_failed", result->sitemap_failed);
    answer_close(&w, '}');
    return answer_finish(&w, a);
}

static void done(void *ctx, const struct deploy_result *result)
{
    struct waiting *w = ctx;
    struct request *r = w->request;
    if (result->is_live || result->was_live) {
        saved_expect(r); /* also when it was live: perhaps its commit is under way */
        answer_json(r, 200, text_of(result, saved_is_expected(r), &r->arena));
        saved_otherwise(r, text_of(result, false, &r->arena));
    } else {
        answer_error(r, result->status, "%s", result->text);
    }
    saved_fill(r, w->object);
    forget(w);
}

/* Whether a site is there is not told to a token that is not for it. */
static bool read_plan(struct request *r, const struct token_rights *rights, struct str body,
                      struct deploy_plan *plan, struct purge_error *error)
{
    bool good = deploy_parse(body, r->settings, rights, &r->arena, plan, error);
    bool may = rights->every_site || (plan->site && token_may_site(rights, plan->site->name));
    if (!may && (good || plan->site || error->status == 404))
        return access_refuse_site(rights, STR("the deploy"), &r->arena, error);
    return good;
}

bool deploy_answer(struct admin *a, struct request *r, const struct token_rights *rights, struct object *o,
                   struct str body)
{
    struct deploy_plan plan;
    struct purge_error error;
    if (!read_plan(r, rights, body, &plan, &error)) {
        answer_error(r, error.status, "%.*s", STR_ARG(error.text));
        return false;
    }
    struct waiting *w = mem_alloc(sizeof(*w));
    w->request = r;
    w->deploy = deploy_start(a->deploys, r->w, r->settings, &plan, done, w);
    if (!w->deploy) {
        mem_free(w);
        answer_error(r, 409, "another deploy of site %.*s is under way; wait for its end",
                     STR_ARG(plan.site->name));
        return false;
    }
    link_init(&w->link);
    w->object = object_ref(o);
    list_push_back(&a->deploying, &w->link);
    return true;
}

void deploy_leave(struct admin *a, struct request *r)
{
    LIST_EACH_SAFE(l, &a->deploying) {
        struct waiting *w = CONTAINER_OF(l, struct waiting, link);
        if (w->request != r)
            continue;
        deploy_give_up(w->deploy);
        forget(w);
        return;
    }
}

/* ---- status ---- */

void deploy_write(struct admin *a, struct str site, struct answer_writer *w)
{
    struct ledger_release live, before;
    ledger_live(&a->deploys->ledger, site, &live);
    write_release(w, "deploy", &live);
    if (live.live_since_wall_ms)
        answer_time(w, "deployed", live.live_since_wall_ms);
    answer_int(w, "warmed_pages", live.warm_pages);
    answer_int(w, "warmed_assets", live.warm_assets);
    answer_int(w, "deploys", (int64_t)ledger_deploys(&a->deploys->ledger, site));
    if (ledger_before(&a->deploys->ledger, site, &before))
        write_release(w, "rollback_to", &before);
}
