#include "admin/foreign.h"

#include "admin/answer.h"
#include "admin/body.h"
#include "admin/pattern.h"
#include "admin/purge.h"

#define QUOTED_MAX  100 /* bytes of the input repeated in a message */
#define FASTLY_MOST 256 /* keys of a request */

static const struct str names[] = { [FOREIGN_NONE] = STR_INIT(""),
                                    [FOREIGN_FASTLY] = STR_INIT("Fastly's API"),
                                    [FOREIGN_CLOUDFLARE] = STR_INIT("Cloudflare's API"),
                                    [FOREIGN_VERCEL] = STR_INIT("Vercel's API") };

enum foreign_api foreign_of(struct str path)
{
    if (str_starts(path, STR("/client/v4/")))
        return FOREIGN_CLOUDFLARE;
    if (str_starts(path, STR("/v1/edge-cache/")))
        return FOREIGN_VERCEL;
    if (str_starts(path, STR("/service/")) || str_starts(path, STR("/purge/")))
        return FOREIGN_FASTLY;
    return FOREIGN_NONE;
}

struct reader {
    const struct foreign_request *r;
    struct arena *arena;
    struct foreign_purge *out;
    struct purge_error *error;
    struct str path, query;
};

#define REFUSE(d, ...) purge_refuse((d)->error, (d)->arena, 400, __VA_ARGS__)

static bool refuse_path(struct reader *d, const char *there)
{
    return purge_refuse(d->error, d->arena, 404, "nothing is here; there are %s", there);
}

/* ---- parts of paths ---- */

/* Clients encode a value that they put into a path. */
static struct str decode(struct str s, struct arena *a)
{
    char *p = arena_alloc(a, s.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        int high = s.p[i] == '%' && i + 2 < s.n ? ascii_hex_value(s.p[i + 1]) : -1;
        int low = high >= 0 ? ascii_hex_value(s.p[i + 2]) : -1;
        p[n++] = low >= 0 ? (char)(high << 4 | low) : s.p[i];
        i += low >= 0 ? 2 : 0;
    }
    return (struct str){ p, n };
}

/* Takes the bytes up to the next '/' from the front of *rest. */
static struct str take_part(struct str *rest, struct arena *a)
{
    return decode(str_cut(rest, '/'), a);
}

/* ---- the site ---- */

/* Their IDs (service, zone, project) name a site, or stand for the only one. URLs find their own. */
static bool find_site(struct reader *d, const char *what)
{
    struct purge *p = &d->out->purge;
    const struct settings *s = d->r->settings;
    const struct site_settings *site = settings_site_by_name(s, d->out->id);
    if (site)
        p->site = site->name;
    else if (s->sites_n > 1 && p->scope & (PURGE_OF_SITE | PURGE_OF_TAGS))
        return purge_refuse(d->error, d->arena, 404,
                            "no site is named \"%.*s\", and there are several: write a site's name as the %s",
                            STR_ARG(str_utf8_first(d->out->id, QUOTED_MAX)), what);
    return true;
}

/* ---- Fastly ---- */

static struct str field_of(const struct fields *f, struct str name)
{
    size_t at = fields_index_of(f, name, 0);
    return at < f->n ? f->v[at].value : STR_NONE;
}

/* /purge/HOST/PATH?QUERY, as a whole encoded by its own client. */
static bool read_fastly_url(struct reader *d, struct str rest)
{
    struct purge *p = &d->out->purge;
    if (str_index(rest, '/') == rest.n)
        rest = decode(rest, d->arena);
    if (str_starts_nocase(rest, STR("http://")))
        rest = str_from_index(rest, 7);
    else if (str_starts_nocase(rest, STR("https://")))
        rest = str_from_index(rest, 8);
    struct str url = ARENA_JOIN(d->arena, STR("https://"), rest);
    if (d->query.p)
        url = ARENA_JOIN(d->arena, url, STR("?"), d->query);
    p->scope = PURGE_OF_URLS;
    arena_add_str(d->arena, &p->urls, url);
    return true;
}

static bool read_fastly_keys(struct reader *d)
{
    struct purge *p = &d->out->purge;
    struct str keys = field_of(d->r->fields, STR("Surrogate-Key"));
    for (struct str key; keys.n;) {
        key = str_cut(&keys, ' ');
        if (key.n)
            arena_add_str(d->arena, &p->tags, key);
    }
    if (p->tags.n == 0) {
        json_t *root;
        if (!body_parse(d->r->body, "{\"surrogate_keys\": [\"key\"]}", d->arena, &root, d->error))
            return false;
        bool good = body_list("surrogate_keys", json_object_get(root, "surrogate_keys"), false, d->arena,
                              &p->tags, d->error);
        json_decref(root);
        if (!good)
            return false;
    }
    if (p->tags.n == 0 || p->tags.n > FASTLY_MOST)
        return REFUSE(d, "1 to %d keys, in the field Surrogate-Key or as {\"surrogate_keys\": [\"key\"]}",
                      FASTLY_MOST);
    p->scope = PURGE_OF_TAGS;
    d->out->each_key = true;
    return true;
}

static bool read_fastly(struct reader *d)
{
    static const char there[] = "POST /purge/HOST/PATH, /service/SITE/purge/KEY, /service/SITE/purge and "
                                "/service/SITE/purge_all";
    struct purge *p = &d->out->purge;
    struct str rest = str_from_index(d->path, 1), soft = field_of(d->r->fields, STR("Fastly-Soft-Purge"));
    if (soft.n && !str_eq(soft, STR("0")))
        p->kind = PURGE_SOFT;
    if (str_eq(str_cut(&rest, '/'), STR("purge")))
        return read_fastly_url(d, rest);
    d->out->id = take_part(&rest, d->arena);
    struct str verb = str_cut(&rest, '/');
    if (str_eq(verb, STR("purge_all")) && !rest.n) {
        p->scope = PURGE_OF_SITE;
        p->kind = PURGE_HARD; /* theirs is never soft */
    } else if (str_eq(verb, STR("purge")) && rest.n) {
        struct str key = str_trim(decode(rest, d->arena));
        if (key.n == 0)
            return REFUSE(d, "the key is empty; write /service/SITE/purge/KEY");
        p->scope = PURGE_OF_TAGS;
        arena_add_str(d->arena, &p->tags, key);
    } else if (!str_eq(verb, STR("purge"))) {
        return refuse_path(d, there);
    } else if (!read_fastly_keys(d)) {
        return false;
    }
    return find_site(d, "service");
}

/* ---- Cloudflare ---- */

/* "URL", or {"url": "URL", "headers": {...}}: every variant of it is purged. */
static bool take_files(struct reader *d, const json_t *list)
{
    struct purge *p = &d->out->purge;
    if (!json_is_array(list) || json_array_size(list) > PURGE_LIST_MAX)
        return REFUSE(d, "files must be a list of URLs, at most %d", PURGE_LIST_MAX);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *file = json_array_get(list, i);
        struct str url = body_text(json_is_object(file) ? json_object_get(file, "url") : file);
        if (url.n == 0)
            return REFUSE(d, "files[%zu] is neither a URL nor {\"url\": \"URL\"}", i);
        arena_add_str(d->arena, &p->urls, arena_dup(d->arena, url));
    }
    p->scope |= PURGE_OF_URLS;
    return true;
}

/* Hosts, and prefixes like "www.example.com/blog": both without a scheme. */
static bool take_prefixes(struct reader *d, const char *name, const json_t *list, struct str behind)
{
    struct purge *p = &d->out->purge;
    struct strs texts = { 0 };
    if (!body_list(name, list, true, d->arena, &texts, d->error))
        return false;
    for (size_t i = 0; i < texts.n; i++) {
        bool whole = str_starts(texts.v[i], STR("http://")) || str_starts(texts.v[i], STR("https://"));
        if (texts.v[i].n == 0 || (behind.n && str_index(texts.v[i], '/') < texts.v[i].n))
            return REFUSE(d, "%s[%zu] \"%.*s\" is no host; write it like www.example.com", name, i,
                          STR_ARG(str_utf8_first(texts.v[i], QUOTED_MAX)));
        arena_add_str(d->arena, &p->prefixes,
                      ARENA_JOIN(d->arena, whole ? STR_NONE : STR("https://"), texts.v[i], behind));
    }
    if (p->prefixes.n > PURGE_LIST_MAX)
        return REFUSE(d, "more than %d hosts and prefixes", PURGE_LIST_MAX);
    p->scope |= PURGE_OF_PREFIXES;
    return true;
}

static bool take_cloudflare(struct reader *d, const char *name, const json_t *v, bool *everything)
{
    struct str key = str_from(name);
    if (str_eq(key, STR("purge_everything"))) {
        *everything = json_is_true(v);
        return *everything ||
               REFUSE(d, "purge_everything must be true; name files, tags, hosts or prefixes for less");
    }
    if (str_eq(key, STR("files")))
        return take_files(d, v);
    if (str_eq(key, STR("tags"))) {
        d->out->purge.scope |= PURGE_OF_TAGS;
        return body_list(name, v, false, d->arena, &d->out->purge.tags, d->error);
    }
    if (str_eq(key, STR("hosts")))
        return take_prefixes(d, name, v, STR("/"));
    if (str_eq(key, STR("prefixes")))
        return take_prefixes(d, name, v, STR_NONE);
    return REFUSE(d, "unknown member \"%.*s\"; there are purge_everything, files, tags, hosts and prefixes",
                  QUOTED_MAX, name);
}

static bool read_cloudflare_body(struct reader *d)
{
    json_t *root, *value;
    const char *name;
    bool everything = false, good = true;
    struct purge *p = &d->out->purge;
    if (!body_parse(d->r->body, "{\"tags\": [\"book-1\"]}", d->arena, &root, d->error))
        return false;
    json_object_foreach(root, name, value) good = good && take_cloudflare(d, name, value, &everything);
    json_decref(root);
    if (!good)
        return false;
    if (everything && p->scope)
        return REFUSE(d, "purge_everything stands alone");
    if (everything)
        p->scope = PURGE_OF_SITE;
    else if (purge_is_empty(p))
        return REFUSE(d, "name something to purge: purge_everything, files, tags, hosts or prefixes");
    return true;
}

static bool read_cloudflare(struct reader *d)
{
    struct str rest = str_from_index(d->path, sizeof("/client/v4/") - 1);
    struct str zones = str_cut(&rest, '/');
    d->out->id = take_part(&rest, d->arena);
    bool soft = str_eq(rest, STR("invalidate_cache"));
    if (!str_eq(zones, STR("zones")) || (!soft && !str_eq(rest, STR("purge_cache"))))
        return refuse_path(d, "POST /client/v4/zones/SITE/purge_cache and invalidate_cache");
    d->out->purge.kind = soft ? PURGE_SOFT : PURGE_HARD;
    return read_cloudflare_body(d) && find_site(d, "zone");
}

/* ---- Vercel ---- */

static bool take_vercel_tags(struct reader *d, const json_t *v)
{
    struct purge *p = &d->out->purge;
    p->scope = PURGE_OF_TAGS;
    if (!json_is_string(v))
        return body_list("tags", v, false, d->arena, &p->tags, d->error);
    struct str rest = arena_dup(d->arena, body_text(v));
    while (rest.n) {
        struct str tag = str_trim(str_cut(&rest, ','));
        if (tag.n)
            arena_add_str(d->arena, &p->tags, tag);
    }
    return true;
}

static bool take_vercel(struct reader *d, const char *name, const json_t *v)
{
    struct str key = str_from(name);
    if (str_eq(key, STR("tags")))
        return take_vercel_tags(d, v);
    /* There is one cache for both: more is purged than was asked. */
    if (str_eq(key, STR("target")) || str_eq(key, STR("revalidationDeadlineSeconds")))
        return true;
    return REFUSE(d, "unknown member \"%.*s\"; there are tags and target", QUOTED_MAX, name);
}

/* The value of projectIdOrName. */
static struct str project_of(struct reader *d)
{
    for (struct str rest = d->query; rest.n;) {
        struct str value = str_cut(&rest, '&'), name = str_cut(&value, '=');
        if (str_eq(name, STR("projectIdOrName")))
            return decode(value, d->arena);
    }
    return STR_NONE;
}

static bool read_vercel(struct reader *d)
{
    struct str verb = str_from_index(d->path, sizeof("/v1/edge-cache/") - 1);
    bool soft = str_eq(verb, STR("invalidate-by-tags")), good = true;
    json_t *root, *value;
    const char *name;
    if (!soft && !str_eq(verb, STR("dangerously-delete-by-tags")))
        return refuse_path(d, "POST /v1/edge-cache/invalidate-by-tags and dangerously-delete-by-tags");
    d->out->purge.kind = soft ? PURGE_SOFT : PURGE_HARD;
    d->out->id = project_of(d);
    if (!body_parse(d->r->body, "{\"tags\": [\"book-1\"]}", d->arena, &root, d->error))
        return false;
    json_object_foreach(root, name, value) good = good && take_vercel(d, name, value);
    json_decref(root);
    if (good && d->out->purge.tags.n == 0)
        return REFUSE(d, "tags is missing, or names none");
    return good && find_site(d, "projectIdOrName");
}

bool foreign_read(enum foreign_api api, const struct foreign_request *r, struct arena *a,
                  struct foreign_purge *out, struct purge_error *error)
{
    struct reader d = { .r = r, .arena = a, .out = out, .error = error };
    size_t mark = str_index(r->target, '?');
    *out = (struct foreign_purge){ .purge = { .kind = PURGE_HARD, .cause = PURGE_BY_DIALECT } };
    d.path = str_first(r->target, mark);
    if (mark < r->target.n)
        d.query = str_from_index(r->target, mark + 1);
    /* The target as it came: its beginning may be spelled in another way than the path that was looked at. */
    if (api == FOREIGN_NONE || foreign_of(d.path) != api)
        return REFUSE(&d, "the path is spelled in an unusual way");
    bool good = api == FOREIGN_FASTLY       ? read_fastly(&d)
                : api == FOREIGN_CLOUDFLARE ? read_cloudflare(&d)
                                            : read_vercel(&d);
    return good && purge_check_texts(&out->purge, a, error);
}

/* ---- answers ---- */

static struct str json_text(struct request *r, struct str s)
{
    struct buf b = BUF_INIT;
    buf_add_json(&b, s);
    struct str text = arena_dup(&r->arena, buf_str(&b));
    buf_fini(&b);
    return text;
}

void foreign_refuse(struct request *r, int status, struct str text)
{
    enum foreign_api api = foreign_of(r->key.path);
    struct str said = json_text(r, text), body;
    if (api == FOREIGN_FASTLY)
        body = ARENA_JOIN(&r->arena, STR("{\"msg\":"), said, STR(",\"detail\":"), said, STR("}\n"));
    else if (api == FOREIGN_CLOUDFLARE)
        body = ARENA_JOIN(&r->arena, STR("{\"success\":false,\"errors\":[{\"code\":"),
                          status == 401 ? STR("10000") : arena_decimal(&r->arena, (uint64_t)status),
                          STR(",\"message\":"), said, STR("}],\"messages\":[],\"result\":null}\n"));
    else
        body = ARENA_JOIN(&r->arena, STR("{\"error\":{\"code\":"),
                          status == 401   ? STR("\"not_authorized\"")
                          : status == 403 ? STR("\"forbidden\"")
                          : status == 404 ? STR("\"not_found\"")
                                          : STR("\"bad_request\""),
                          STR(",\"message\":"), said, STR("}}\n"));
    answer_json(r, status, body);
    if (status == 429)
        answer_field(r, STR("Retry-After"), STR("1"));
}

/* {"key": "id", ...} */
static struct str body_of_keys(struct request *r, const struct strs *keys, struct str id)
{
    struct buf b = BUF_INIT;
    for (size_t i = 0; i < keys->n; i++) {
        buf_add_char(&b, i ? ',' : '{');
        buf_add_json(&b, keys->v[i]);
        buf_printf(&b, ":\"%.*s\"", STR_ARG(id));
    }
    buf_add(&b, STR("}\n"));
    struct str body = arena_dup(&r->arena, buf_str(&b));
    buf_fini(&b);
    return body;
}

static void say(struct request *r, enum foreign_api api, const struct foreign_purge *f,
                const struct purge_made *made)
{
    struct str id = arena_decimal(&r->arena, made->sequence), said = json_text(r, made->said), body;
    if (api == FOREIGN_FASTLY && f->each_key)
        body = body_of_keys(r, &f->purge.tags, id);
    else if (api == FOREIGN_FASTLY)
        body = ARENA_JOIN(&r->arena, STR("{\"status\":\"ok\",\"id\":\""), id, STR("\",\"purged\":"), said,
                          STR("}\n"));
    else if (api == FOREIGN_CLOUDFLARE)
        body = ARENA_JOIN(&r->arena,
                          STR("{\"success\":true,\"errors\":[],\"messages\":[{\"code\":200,\"message\":"),
                          said, STR("}],\"result\":{\"id\":"), json_text(r, f->id), STR("}}\n"));
    else
        body = ARENA_JOIN(&r->arena, STR("{\"purged\":"), said, STR("}\n"));
    answer_json(r, 200, body);
}

void foreign_answer(struct admin *a, struct request *r, struct str body, const struct token_rights *rights)
{
    struct foreign_request asked = { r->came, &r->fields, body, r->settings };
    enum foreign_api api = foreign_of(r->key.path);
    struct foreign_purge f;
    struct purge_made made;
    struct purge_error error;
    if (r->method != METHOD_POST)
        foreign_refuse(r, 405, STR("purges come by POST"));
    else if (!foreign_read(api, &asked, &r->arena, &f, &error) ||
             !purge_make(a, r, rights, &f.purge, 1, names[api], &made, &error))
        foreign_refuse(r, error.status, error.text);
    else
        say(r, api, &f, &made);
    if (r->answer.status == 405)
        answer_field(r, STR("Allow"), STR("POST"));
}
