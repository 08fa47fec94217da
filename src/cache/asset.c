#include "cache/asset.h"

#include <string.h>

#include "base/check.h"

#define LONG_S ((int64_t)30 * 86400)

/* Frameworks ask these for the newest build: kept, they would hide it. */
static bool is_news(struct str path)
{
    static const struct str ends[] = { STR_INIT("/builds/latest.json"), STR_INIT("/version.json"),
                                       STR_INIT("/__manifest"), STR_INIT("/sw.js"),
                                       STR_INIT("/service-worker.js") };
    for (size_t i = 0; i < COUNT_OF(ends); i++)
        if (str_ends(path, ends[i]))
            return true;
    return false;
}

static bool str_holds(struct str s, struct str part)
{
    return memmem(s.p, s.n, part.p, part.n) != NULL;
}

bool asset_is_below_prefix(const struct site_settings *site, struct str path)
{
    for (size_t i = 0; i < site->asset_prefixes.n; i++) {
        struct str prefix = site->asset_prefixes.v[i];
        /* "/_next/static/" is nobody's page, also where the whole site is in a folder. */
        if (str_starts(path, prefix) || (str_starts(prefix, STR("/_")) && str_holds(path, prefix)))
            return true;
    }
    return false;
}

static bool is_gone(int status)
{
    return status == 404 || status == 410;
}

bool asset_is_missing(const struct site_settings *site, struct str path, int status)
{
    return is_gone(status) && asset_is_below_prefix(site, path);
}

/* The media type, without parameters. */
static struct str type_of(const struct fields *response)
{
    struct str type = fields_value(response, FIELD_CONTENT_TYPE);
    return str_trim(str_first(type, str_index(type, ';')));
}

static bool is_page(struct str type)
{
    return str_eq_nocase(type, STR("text/html")) || str_eq_nocase(type, STR("application/xhtml+xml"));
}

bool asset_is_replaced(int status, const struct fields *response)
{
    return is_gone(status) || (status == 200 && is_page(type_of(response)));
}

/* A page, or data that a page is made of. */
static bool is_page_or_data(const struct asset_question *q)
{
    static const struct str types[] = { STR_INIT("text/x-component"), STR_INIT("text/x-script"),
                                        STR_INIT("text/sveltekit-data") };
    struct str type = type_of(q->response);
    if (type.n == 0 || is_page(type))
        return true;
    for (size_t i = 0; i < COUNT_OF(types); i++)
        if (str_eq_nocase(type, types[i]))
            return true;
    bool json = str_eq_nocase(type, STR("application/json")) || str_eq_nocase(type, STR("text/json"));
    return json && !str_holds(q->path, STR("/builds/meta/"));
}

static bool varies(const struct fields *response)
{
    if (fields_has(response, FIELD_NETLIFY_VARY))
        return true;
    for (size_t i = 0; i < response->n; i++) {
        struct str rest = response->v[i].value, name;
        if (response->v[i].id != FIELD_VARY)
            continue;
        while (list_next(&rest, &name))
            if (!str_eq_nocase(name, STR("accept-encoding")) && !str_eq_nocase(name, STR("origin")))
                return true;
    }
    return false;
}

bool asset_is(const struct asset_question *q)
{
    const struct directives *d = q->cache_control;
    if (q->method != METHOD_GET || q->status != 200 || fields_has(q->request, FIELD_AUTHORIZATION) ||
        fields_has(q->response, FIELD_SET_COOKIE) || fields_has(q->response, FIELD_SET_COOKIE2))
        return false;
    if (is_page_or_data(q) || varies(q->response) || is_news(q->path))
        return false;
    if (d->private_ || d->no_store)
        return false; /* also where a targeted field says that it may be stored */
    if (q->called_static || fields_list_has(q->response, FIELD_CACHE_CONTROL, STR("immutable")))
        return true;
    return d->max_age >= LONG_S && asset_is_below_prefix(q->site, q->path);
}
