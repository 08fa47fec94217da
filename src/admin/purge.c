#include "admin/purge.h"

#include "admin/access.h"
#include "admin/answer.h"
#include "admin/body.h"
#include "admin/saved.h"

/* ---- the body ---- */

struct parse {
    struct arena *arena;
    struct purge *out;
    struct purge_error *error;
};

#define REFUSE(p, ...) purge_refuse((p)->error, (p)->arena, 400, __VA_ARGS__)

static bool take_site(struct parse *p, const char *name, const json_t *v)
{
    struct str site;
    if (!body_string(name, v, p->arena, &site, p->error))
        return false;
    if (p->out->site.n && !str_eq(p->out->site, site))
        return REFUSE(p, "site_id and site_slug name different sites; give one of them");
    p->out->site = site;
    return true;
}

static bool take_soft(struct parse *p, const json_t *v)
{
    if (!json_is_boolean(v))
        return REFUSE(p, "soft must be true or false");
    p->out->kind = json_is_true(v) ? PURGE_SOFT : PURGE_HARD;
    return true;
}

/* Netlify's deploys are not told apart yet: more is purged than asked (CACHING.md 5.3). */
static bool take_deploy(struct parse *p, const json_t *v)
{
    struct str ignored;
    return body_string("deploy_alias", v, p->arena, &ignored, p->error);
}

static bool refuse_member(struct parse *p, const char *name)
{
    static const struct str known[] = { STR_INIT("cache_tags"),   STR_INIT("urls"),      STR_INIT("prefixes"),
                                        STR_INIT("site_id"),      STR_INIT("site_slug"), STR_INIT("domain"),
                                        STR_INIT("deploy_alias"), STR_INIT("soft") };
    return body_refuse_member(name, known, COUNT_OF(known), p->arena, p->error);
}

static bool take_member(struct parse *p, const char *name, const json_t *v)
{
    struct purge *out = p->out;
    struct str key = str_from(name);
    if (json_is_null(v)) /* as if it were not there: what JavaScript's undefined becomes elsewhere */
        return true;
    if (str_eq(key, STR("site_id")) || str_eq(key, STR("site_slug")))
        return take_site(p, name, v);
    if (str_eq(key, STR("domain")))
        return body_string(name, v, p->arena, &out->domain, p->error);
    if (str_eq(key, STR("deploy_alias")))
        return take_deploy(p, v);
    if (str_eq(key, STR("cache_tags"))) {
        out->scope |= PURGE_OF_TAGS;
        return body_list(name, v, false, p->arena, &out->tags, p->error);
    }
    if (str_eq(key, STR("urls"))) {
        out->scope |= PURGE_OF_URLS;
        return body_list(name, v, true, p->arena, &out->urls, p->error);
    }
    if (str_eq(key, STR("prefixes"))) {
        out->scope |= PURGE_OF_PREFIXES;
        return body_list(name, v, true, p->arena, &out->prefixes, p->error);
    }
    if (str_eq(key, STR("soft")))
        return take_soft(p, v);
    return refuse_member(p, name);
}

static bool take_object(struct parse *p, json_t *object)
{
    const char *name;
    json_t *value;
    json_object_foreach(object, name, value) if (!take_member(p, name, value)) return false;
    return true;
}

bool purge_parse(struct str body, struct arena *a, struct purge *out, struct purge_error *error)
{
    struct parse p = { .arena = a, .out = out, .error = error };
    json_t *root;
    *out = (struct purge){ .kind = PURGE_HARD, .cause = PURGE_BY_API };
    if (!body_parse(body, "{\"cache_tags\": [\"book-1\"]}, or {} for the whole site", a, &root, error))
        return false;
    bool good = take_object(&p, root);
    json_decref(root);
    if (!out->scope)
        out->scope = PURGE_OF_SITE;
    return good;
}

bool purge_make(struct admin *a, struct request *r, const struct token_rights *rights, struct purge *purges,
                size_t n, struct str by, struct purge_made *made, struct purge_error *error)
{
    struct now now = clock_now(a->clock);
    int64_t rate = r->settings->process.purge_rate;
    *made = (struct purge_made){ 0 };
    for (size_t i = 0; i < n; i++)
        if ((rights && !access_purge(rights, r->settings, &purges[i], &r->arena, error)) ||
            !purge_check(&purges[i], r->settings, &r->arena, error))
            return false;
    if (!admin_may_purge(a, rate, now.mono_ms))
        return purge_refuse(
            error, &r->arena, 429,
            "more than %lld purges in this second (setting purge_rate); nothing was purged, send it again",
            (long long)rate);
    for (size_t i = 0; i < n; i++) {
        struct purge_result result;
        CHECK(purge_apply(a->cache, r->settings, &purges[i], now.mono_ms, &r->arena, &result, error));
        struct str said = purge_say(&purges[i], &r->arena);
        made->sequence = result.sequence;
        made->said = i ? ARENA_JOIN(&r->arena, made->said, STR("; "), said) : said;
        if (result.names == 0)
            continue;
        made->changed = true;
        saved_expect(r);
        admin_purged(a, result.sequence, purges[i].site, said, now.wall_ms);
        log_info(r->w->log, "purge", "%.*s (sequence %llu%s%.*s)", STR_ARG(said),
                 (unsigned long long)result.sequence, by.n ? ", " : "", STR_ARG(by));
    }
    return true;
}

static struct str text_of(struct request *r, const struct purge_made *made, bool durable)
{
    struct buf b = BUF_INIT;
    buf_printf(&b, "{\"sequence\": %llu, \"durable\": %s, \"purged\": ", (unsigned long long)made->sequence,
               durable ? "true" : "false");
    buf_add_json(&b, made->said);
    buf_add(&b, STR("}\n"));
    struct str text = arena_dup(&r->arena, buf_str(&b));
    buf_fini(&b);
    return text;
}

void purge_answer(struct admin *a, struct request *r, const struct token_rights *rights, struct str body)
{
    struct purge purge;
    struct purge_made made;
    struct purge_error error;
    if (!purge_parse(body, &r->arena, &purge, &error) ||
        !purge_make(a, r, rights, &purge, 1, STR_NONE, &made, &error)) {
        answer_error(r, error.status, "%.*s", STR_ARG(error.text));
        if (error.status == 429)
            answer_field(r, STR("Retry-After"), STR("1"));
        return;
    }
    /* What changed nothing has nothing to lose. */
    answer_json(r, 202, text_of(r, &made, saved_is_expected(r) || !made.changed));
    saved_otherwise(r, text_of(r, &made, false));
}
