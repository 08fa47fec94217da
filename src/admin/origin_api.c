#include "admin/origin_api.h"

#include <string.h>

#include "admin/body.h"
#include "admin/saved.h"
#include "origin/upstream.h"
#include "store/facts.h"

#define QUOTED_MAX  200             /* bytes of the input repeated in a message */
#define KNOWN_MAX   32              /* origins that a message lists */
#define DRAINED_MAX ((size_t)32768) /* bytes of their URLs, which are one fact */

static struct upstream *upstream(struct admin *a, const struct site_settings *site)
{
    return upstream_of(a->origins, site, clock_now(a->clock).mono_ms);
}

/* ---- which there are ---- */

static struct str url_of(const struct origin *o, struct arena *a)
{
    struct buf b = BUF_INIT;
    origin_write_url(o, &b);
    struct str url = arena_dup(a, buf_str(&b));
    buf_fini(&b);
    return url;
}

/* One word for people; the first that holds. */
static struct str state_of(const struct upstream_member *m, const struct site_settings *site, int64_t now_ms)
{
    const struct origin *o = m->origin;
    int64_t since = atomic_load_explicit(&o->well_since_ms, memory_order_relaxed);
    if (origin_is_drained(o))
        return STR("drained");
    if (atomic_load_explicit(&m->is_down, memory_order_relaxed))
        return STR("down");
    if (origin_is_sick(o))
        return STR("sick");
    if (now_ms < atomic_load_explicit(&o->rests_until_ms, memory_order_relaxed))
        return STR("resting");
    if (upstream_weight(1, since, site->slow_start, now_ms) < 1000)
        return STR("starting");
    return STR("well");
}

static void write_checks(const struct upstream_member *m, struct answer_writer *w)
{
    const struct upstream_checks *c = &m->checks;
    int64_t at = atomic_load_explicit(&c->last_wall_ms, memory_order_relaxed);
    int status = atomic_load_explicit(&c->status, memory_order_relaxed);
    enum reason why = (enum reason)atomic_load_explicit(&c->why, memory_order_relaxed);
    answer_open(w, "checks", '{');
    answer_int(w, "good", atomic_load_explicit(&c->good, memory_order_relaxed));
    answer_int(w, "bad", atomic_load_explicit(&c->bad, memory_order_relaxed));
    if (at) {
        answer_time(w, "last", at);
        if (status)
            answer_int(w, "last_status", status);
        else
            answer_str(w, "last_reason", reason_detail(why));
    }
    answer_close(w, '}');
}

static void write_members(const struct upstream_member *m, const struct site_settings *site, int64_t now_ms,
                          struct answer_writer *w)
{
    struct buf url = BUF_INIT;
    origin_write_url(m->origin, &url);
    answer_str(w, "url", buf_str(&url));
    buf_fini(&url);
    answer_str(w, "state", state_of(m, site, now_ms));
    answer_int(w, "weight", m->weight);
    answer_bool(w, "backup", m->is_backup);
    answer_int(w, "outstanding", atomic_load_explicit(&m->origin->outstanding, memory_order_relaxed));
    answer_int(w, "http2_connections", atomic_load_explicit(&m->origin->http2_open, memory_order_relaxed));
    answer_int(w, "answered", (int64_t)atomic_load_explicit(&m->origin->answered, memory_order_relaxed));
    answer_int(w, "failed", (int64_t)atomic_load_explicit(&m->origin->failed, memory_order_relaxed));
    if (site->checks)
        write_checks(m, w);
}

void origin_api_write(struct admin *a, const struct site_settings *site, const char *key,
                      struct answer_writer *w)
{
    int64_t now_ms = clock_now(a->clock).mono_ms;
    const struct upstream *u = upstream(a, site);
    answer_open(w, key, '[');
    for (size_t i = 0; i < u->n; i++) {
        answer_open(w, NULL, '{');
        write_members(&u->v[i], site, now_ms, w);
        answer_close(w, '}');
    }
    answer_close(w, ']');
}

void origin_api_list(struct admin *a, struct request *r, const struct token_rights *rights)
{
    struct answer_writer w = { .depth = 0 };
    answer_open(&w, NULL, '{');
    answer_open(&w, "sites", '[');
    for (size_t i = 0; i < r->settings->sites_n; i++) {
        const struct site_settings *site = &r->settings->sites[i];
        if (!token_may_site(rights, site->name))
            continue;
        answer_open(&w, NULL, '{');
        answer_str(&w, "name", site->name);
        origin_api_write(a, site, "origins", &w);
        answer_close(&w, '}');
    }
    answer_close(&w, ']');
    answer_close(&w, '}');
    answer_json(r, 200, answer_finish(&w, &r->arena));
}

/* ---- one is drained ---- */

struct parse {
    struct str url;
    bool force;
};

static bool take_member(const char *name, const json_t *v, struct arena *a, struct parse *p,
                        struct purge_error *error)
{
    static const struct str known[] = { STR_INIT("origin"), STR_INIT("force") };
    struct str key = str_from(name);
    if (json_is_null(v))
        return true;
    if (str_eq(key, known[0]))
        return body_string(name, v, a, &p->url, error);
    if (!str_eq(key, known[1]))
        return body_refuse_member(name, known, COUNT_OF(known), a, error);
    p->force = json_is_true(v);
    return json_is_boolean(v) || purge_refuse(error, a, 400, "force must be true or false");
}

static bool parse(struct str body, struct arena *a, struct parse *p, struct purge_error *error)
{
    json_t *root, *value;
    const char *name;
    bool good = true;
    if (!body_parse(body, "{\"origin\": \"http://127.0.0.1:3000\"}", a, &root, error))
        return false;
    json_object_foreach(root, name, value) good = good && take_member(name, value, a, p, error);
    json_decref(root);
    if (str_ends(p->url, STR("/")) && !str_starts(p->url, STR("unix:")))
        p->url.n--;
    return good &&
           (p->url.n || purge_refuse(error, a, 400, "origin is missing: the URL of the one that is meant"));
}

/* Does the list of those that were seen have it? Else it is added. */
static bool seen(struct origin **list, size_t *n, struct origin *o)
{
    for (size_t i = 0; i < *n; i++)
        if (list[i] == o)
            return true;
    if (*n < KNOWN_MAX)
        list[(*n)++] = o;
    return false;
}

static bool refuse_unknown(struct admin *a, struct request *r, struct str url, struct purge_error *error)
{
    struct origin *list[KNOWN_MAX];
    size_t n = 0;
    struct str said = STR_NONE;
    for (size_t i = 0; i < r->settings->sites_n && n < KNOWN_MAX; i++) {
        const struct upstream *u = upstream(a, &r->settings->sites[i]);
        for (size_t k = 0; k < u->n && n < KNOWN_MAX; k++)
            if (!seen(list, &n, u->v[k].origin))
                said = ARENA_JOIN(&r->arena, said, said.n ? STR(", ") : STR_NONE,
                                  url_of(u->v[k].origin, &r->arena));
    }
    return purge_refuse(error, &r->arena, 404, "no site has the origin \"%.*s\"; there are %.*s%s",
                        STR_ARG(str_utf8_first(url, QUOTED_MAX)), STR_ARG(said),
                        n == KNOWN_MAX ? " and more" : "");
}

/* Finds it among those of the sites. */
static struct origin *find(struct admin *a, const struct settings *s, struct str url, struct arena *arena)
{
    for (size_t i = 0; i < s->sites_n; i++) {
        const struct upstream *u = upstream(a, &s->sites[i]);
        for (size_t k = 0; k < u->n; k++)
            if (str_eq_nocase(url_of(u->v[k].origin, arena), url))
                return u->v[k].origin;
    }
    return NULL;
}

/* Would a site be without an origin? */
static bool refuse_last(struct admin *a, struct request *r, const struct origin *o, struct purge_error *error)
{
    for (size_t i = 0; i < r->settings->sites_n; i++)
        if (upstream_is_last(upstream(a, &r->settings->sites[i]), o))
            return purge_refuse(
                error, &r->arena, 409,
                "site %.*s has no other origin that is not drained: its visitors would get what "
                "is stored, and errors. Undrain another one first, or force it",
                STR_ARG(r->settings->sites[i].name));
    return true;
}

static bool refuse_many(struct admin *a, struct request *r, struct purge_error *error)
{
    struct buf lines = BUF_INIT;
    origins_write_drained(a->origins, &lines);
    size_t bytes = lines.n;
    buf_fini(&lines);
    return bytes < DRAINED_MAX ||
           purge_refuse(error, &r->arena, 409, "too many origins are drained; undrain some");
}

/* Two that come at once must not leave the older state on disk. */
static bool set_drained(struct admin *a, struct origin *o, bool drained)
{
    struct buf lines = BUF_INIT;
    lock_take(&a->drain_lock);
    bool changed = origin_drain(o, drained);
    origins_write_drained(a->origins, &lines);
    if (changed && a->facts)
        facts_put(a->facts, ORIGIN_API_DRAINED, buf_str(&lines));
    lock_give(&a->drain_lock);
    buf_fini(&lines);
    return changed;
}

static struct str said(struct request *r, const struct origin *o, bool drained, bool changed, bool durable)
{
    struct answer_writer w = { .depth = 0 };
    answer_open(&w, NULL, '{');
    answer_str(&w, "origin", url_of(o, &r->arena));
    answer_bool(&w, "drained", drained);
    answer_bool(&w, "changed", changed);
    answer_int(&w, "outstanding", atomic_load_explicit(&o->outstanding, memory_order_relaxed));
    answer_bool(&w, "durable", durable);
    answer_close(&w, '}');
    return answer_finish(&w, &r->arena);
}

void origin_api_drain(struct admin *a, struct request *r, const struct token_rights *by, bool drained,
                      struct str body)
{
    struct parse p = { .force = false };
    struct purge_error error;
    struct origin *o = NULL;
    bool good = parse(body, &r->arena, &p, &error);
    if (good && !(o = find(a, r->settings, p.url, &r->arena)))
        good = refuse_unknown(a, r, p.url, &error);
    if (good && drained && !p.force && !origin_is_drained(o))
        good = refuse_last(a, r, o, &error);
    if (good && drained)
        good = refuse_many(a, r, &error);
    if (!good) {
        answer_error(r, error.status, "%.*s", STR_ARG(error.text));
        return;
    }
    bool changed = set_drained(a, o, drained);
    if (changed)
        log_info(r->w->log, "admin", "%.*s has %s the origin %.*s", STR_ARG(token_called(by, &r->arena)),
                 drained ? "drained" : "undrained", STR_ARG(o->name));
    saved_expect(r);
    answer_json(r, 200, said(r, o, drained, changed, saved_is_expected(r)));
    saved_otherwise(r, said(r, o, drained, changed, false));
}
