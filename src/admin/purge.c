#include "admin/purge.h"

#include <jansson.h>
#include <stdarg.h>
#include <string.h>

#include "admin/answer.h"
#include "cache/named.h"
#include "cache/names.h"
#include "conf/nearest.h"

#define DEPTH_MAX    8  /* the deepest good body has 2 levels */
#define SITES_LISTED 10 /* in the message for an unknown one */
#define WHAT_MAX     (sizeof(((struct admin_purge *)0)->what) - 1)
#define PORTS_MAX    16
#define HOSTS_MAX    256 /* of one site, for a path alone */
#define QUOTED_MAX   100 /* bytes of the input repeated in a message */

__attribute__((format(printf, 4, 5))) static bool refuse(struct purge_error *error, struct arena *a,
                                                         int status, const char *fmt, ...)
{
    struct buf b = BUF_INIT;
    char text[800];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    buf_add(&b, (struct str){ text, n < 0 ? 0 : (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1 });
    *error = (struct purge_error){ status, arena_dup(a, buf_str(&b)) };
    buf_fini(&b);
    return false;
}

/* ---- the body ---- */

/* The nesting of brackets outside strings: jansson would follow them one call each. */
static bool is_too_deep(struct str json)
{
    size_t depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < json.n; i++) {
        char c = json.p[i];
        if (c == '"')
            quoted = !quoted;
        else if (c == '\\' && quoted)
            i++;
        else if (!quoted && (c == '[' || c == '{') && ++depth > DEPTH_MAX)
            return true;
        else if (!quoted && (c == ']' || c == '}') && depth > 0)
            depth--;
    }
    return false;
}

struct parse {
    struct arena *arena;
    struct purge_ask *out;
    struct purge_error *error;
};

#define REFUSE(p, ...) refuse((p)->error, (p)->arena, 400, __VA_ARGS__)

static struct str string_of(const json_t *v)
{
    return (struct str){ json_string_value(v), json_string_length(v) };
}

static bool has_control(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
            return true;
    return false;
}

/* A string that is not empty. */
static bool take_text(struct parse *p, const char *name, const json_t *v, struct str *out)
{
    struct str s = json_is_string(v) ? str_trim(string_of(v)) : STR_NONE;
    if (s.n == 0 || has_control(s))
        return REFUSE(p, "%s must be a string that is not empty; leave it out when there is nothing to say",
                      name);
    *out = arena_dup(p->arena, s);
    return true;
}

/* `keep_empty`: what is empty is kept, for others to refuse. */
static bool take_list(struct parse *p, const char *name, const json_t *v, bool keep_empty, bool *has,
                      struct strs *out)
{
    size_t n = json_array_size(v); /* 0 when it is no array */
    if (!json_is_array(v))
        return REFUSE(p, "%s must be a list of strings, like [\"one\", \"two\"]", name);
    if (n > PURGE_LIST_MAX)
        return refuse(p->error, p->arena, 413, "%s has more than %d members; send them in several requests",
                      name, PURGE_LIST_MAX);
    *has = true;
    out->v = arena_alloc(p->arena, (n + 1) * sizeof(*out->v));
    for (size_t i = 0; i < n; i++) {
        const json_t *member = json_array_get(v, i);
        struct str s = json_is_string(member) ? str_trim(string_of(member)) : STR_NONE;
        if (!json_is_string(member))
            return REFUSE(p, "%s[%zu] is no string; write each in quotes", name, i);
        if (has_control(s))
            return REFUSE(p, "%s[%zu] has a control character (a line break?); take it out", name, i);
        if (s.n || keep_empty)
            out->v[out->n++] = arena_dup(p->arena, s);
    }
    if (n > 0 && out->n == 0)
        return REFUSE(
            p, "%s has nothing but empty strings; name something, or leave it out to purge the site", name);
    return true;
}

static bool take_site(struct parse *p, const char *name, const json_t *v)
{
    struct str site;
    if (!take_text(p, name, v, &site))
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
    p->out->soft = json_is_true(v);
    return true;
}

/* Netlify's deploys are not told apart yet: more is purged than asked (CACHING.md 5.3). */
static bool take_deploy(struct parse *p, const json_t *v)
{
    struct str ignored;
    return take_text(p, "deploy_alias", v, &ignored);
}

static bool refuse_member(struct parse *p, const char *name)
{
    static const struct str known[] = { STR_INIT("cache_tags"), STR_INIT("urls"),   STR_INIT("site_id"),
                                        STR_INIT("site_slug"),  STR_INIT("domain"), STR_INIT("deploy_alias"),
                                        STR_INIT("soft") };
    struct nearest near = nearest_to(str_from(name));
    for (size_t i = 0; i < COUNT_OF(known); i++)
        nearest_offer(&near, known[i]);
    if (near.name.n)
        return REFUSE(p, "unknown member \"%.*s\"; did you mean \"%.*s\"?", QUOTED_MAX, name,
                      STR_ARG(near.name));
    return REFUSE(
        p,
        "unknown member \"%.*s\"; there are cache_tags, urls, site_id, site_slug, domain, deploy_alias and "
        "soft",
        QUOTED_MAX, name);
}

static bool take_member(struct parse *p, const char *name, const json_t *v)
{
    struct purge_ask *out = p->out;
    struct str key = str_from(name);
    if (json_is_null(v)) /* as if it were not there: what JavaScript's undefined becomes elsewhere */
        return true;
    if (str_eq(key, STR("site_id")) || str_eq(key, STR("site_slug")))
        return take_site(p, name, v);
    if (str_eq(key, STR("domain")))
        return take_text(p, name, v, &out->domain);
    if (str_eq(key, STR("deploy_alias")))
        return take_deploy(p, v);
    if (str_eq(key, STR("cache_tags")))
        return take_list(p, name, v, false, &out->has_tags, &out->tags);
    if (str_eq(key, STR("urls")))
        return take_list(p, name, v, true, &out->has_urls, &out->urls);
    if (str_eq(key, STR("soft")))
        return take_soft(p, v);
    return refuse_member(p, name);
}

static bool take_object(struct parse *p, json_t *object)
{
    const char *name;
    json_t *value;
    if (!json_is_object(object))
        return REFUSE(p, "the body must be a JSON object, like {\"cache_tags\": [\"book-1\"]}");
    json_object_foreach(object, name, value) if (!take_member(p, name, value)) return false;
    return true;
}

bool purge_parse(struct str body, struct arena *a, struct purge_ask *out, struct purge_error *error)
{
    struct parse p = { .arena = a, .out = out, .error = error };
    json_error_t why;
    *out = (struct purge_ask){ 0 };
    if (str_trim(body).n == 0)
        return REFUSE(
            &p, "the body is empty; send JSON: {\"cache_tags\": [\"book-1\"]}, or {} for the whole site");
    if (is_too_deep(body))
        return REFUSE(
            &p, "the body is nested too deeply; it must be an object like {\"cache_tags\": [\"book-1\"]}");
    json_t *root = json_loadb(body.p, body.n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);
    if (!root)
        return REFUSE(&p, "the body is not good JSON: line %d, column %d: %s", why.line, why.column,
                      why.text);
    bool good = take_object(&p, root);
    json_decref(root);
    return good;
}

/* ---- what it means ---- */

struct translate {
    const struct purge_ask *ask;
    const struct settings *settings;
    struct cache *cache;
    struct arena *arena;
    struct purge_error *error;
    const struct site_settings *site; /* the one for tags and everything; NULL: each URL finds its own */
    struct host domain;
    uint64_t *names;
    size_t n, cap;
};

static void add_name(struct translate *t, uint64_t name)
{
    for (size_t i = t->n; i > 0 && i + 4 > t->n; i--)
        if (t->names[i - 1] == name) /* of the same URL under another scheme */
            return;
    if (t->n == t->cap) {
        size_t cap = t->cap ? t->cap * 2 : 64;
        uint64_t *names = arena_alloc(t->arena, cap * sizeof(*names));
        if (t->n)
            memcpy(names, t->names, t->n * sizeof(*names));
        t->names = names;
        t->cap = cap;
    }
    t->names[t->n++] = name;
}

/* "shop, blog" */
static struct str site_names(const struct translate *t)
{
    struct buf b = BUF_INIT;
    for (size_t i = 0; i < t->settings->sites_n && i < SITES_LISTED; i++)
        buf_printf(&b, "%s%.*s", i ? ", " : "", STR_ARG(t->settings->sites[i].name));
    if (t->settings->sites_n > SITES_LISTED)
        buf_add(&b, STR(", ..."));
    struct str names = arena_dup(t->arena, buf_str(&b));
    buf_fini(&b);
    return names;
}

/* By name, by domain, or the only one there is. */
static bool find_site(struct translate *t)
{
    const struct purge_ask *ask = t->ask;
    const struct site_settings *of_domain = NULL;
    if (ask->domain.n) {
        if (named_host(ask->domain, t->arena, &t->domain) != HTTP_ERROR_NONE)
            return refuse(t->error, t->arena, 400,
                          "domain \"%.*s\" is no host name; write it like example.com, without "
                          "http:// and path",
                          STR_ARG(str_first(ask->domain, QUOTED_MAX)));
        of_domain = settings_site_of_host(t->settings, t->domain.name);
        if (!of_domain)
            return refuse(t->error, t->arena, 404,
                          "no site has the domain \"%.*s\"; a site's setting hosts names them",
                          STR_ARG(t->domain.name));
        t->site = of_domain;
    }
    if (ask->site.n) {
        t->site = settings_site_by_name(t->settings, ask->site);
        if (!t->site)
            return refuse(t->error, t->arena, 404, "no site is named \"%.*s\"; this freshet has: %.*s",
                          STR_ARG(str_first(ask->site, QUOTED_MAX)), STR_ARG(site_names(t)));
        if (of_domain && of_domain != t->site)
            return refuse(t->error, t->arena, 400,
                          "domain \"%.*s\" belongs to the site %.*s, not to %.*s; leave one out",
                          STR_ARG(t->domain.name), STR_ARG(of_domain->name), STR_ARG(t->site->name));
    }
    if (!t->site && t->settings->sites_n == 1)
        t->site = &t->settings->sites[0];
    bool urls_alone = ask->has_urls && !ask->has_tags;
    if (!t->site && !urls_alone)
        return refuse(t->error, t->arena, 400,
                      "there are several sites (%.*s); name one with site_id, site_slug or domain (freshet "
                      "purge: --site)",
                      STR_ARG(site_names(t)));
    return true;
}

/* ---- tags ---- */

/* Where to cut what is not to be longer than `most` bytes: between characters. */
static size_t text_cut(struct str s, size_t most)
{
    size_t n = s.n < most ? s.n : most;
    while (n > 0 && n < s.n && ((unsigned char)s.p[n] & 0xc0) == 0x80)
        n--;
    return n;
}

/* Node writes a tag in Latin-1 when the body is a Buffer, in UTF-8 when it is a string: both are what is named here. */
static struct str latin1_of(const struct translate *t, struct str tag)
{
    char *p = arena_alloc(t->arena, tag.n + 1);
    return (struct str){ p, str_to_latin1(tag, p) };
}

static bool add_one_tag(struct translate *t, struct str tag)
{
    size_t most = (size_t)t->site->tag_bytes;
    struct str latin1 = latin1_of(t, tag);
    bool other = latin1.n > 0 && !str_eq(latin1, tag);
    if (tag.n > most && !(other && latin1.n <= most))
        return refuse(
            t->error, t->arena, 400,
            "the tag \"%.*s...\" is longer than %zu bytes (setting tag_bytes): no stored response has it",
            STR_ARG(str_first(tag, text_cut(tag, QUOTED_MAX))), most);
    if (tag.n <= most)
        add_name(t, name_of_tag(t->cache, t->site->name, tag, t->arena));
    if (other)
        add_name(t, name_of_tag(t->cache, t->site->name, latin1, t->arena));
    return true;
}

/* Does one of the site's tag headers separate tags by white space? Then a tag with some in it also means its parts. */
static bool has_spaced_tags(const struct site_settings *site)
{
    for (size_t i = 0; i < site->tag_headers.n; i++)
        if (site->tag_header_list[i].separator != TAG_SEPARATOR_COMMA)
            return true;
    return false;
}

static bool add_parts(struct translate *t, struct str tag, bool spaces, bool *any)
{
    while (tag.n) {
        size_t n = 0;
        while (n < tag.n && tag.p[n] != ',' && !(spaces && tag.p[n] == ' '))
            n++;
        struct str part = str_trim(str_first(tag, n));
        tag = str_from_index(tag, n + 1);
        if (part.n && !add_one_tag(t, part))
            return false;
        *any |= part.n > 0;
    }
    return true;
}

/* A response's tags are divided at commas, so a tag with one in it also means its parts: otherwise a list that was
 * given as one string would silently purge nothing. */
static bool add_tag(struct translate *t, size_t i)
{
    struct str tag = t->ask->tags.v[i];
    bool commas = str_index(tag, ',') < tag.n,
         spaces = str_index(tag, ' ') < tag.n && has_spaced_tags(t->site);
    bool any = false;
    if (!commas && !spaces)
        return add_one_tag(t, tag);
    if (tag.n <= (size_t)t->site->tag_bytes && !add_one_tag(t, tag))
        return false;
    if (!add_parts(t, tag, false, &any) || (spaces && !add_parts(t, tag, true, &any)))
        return false;
    return any || refuse(t->error, t->arena, 400,
                         "cache_tags[%zu] \"%.*s\" is nothing but commas; no response has such a tag", i,
                         STR_ARG(str_first(tag, QUOTED_MAX)));
}

/* ---- URLs ---- */

/* With a query: what that URL is answered with, in every variant; without, everything of its path (CACHING.md 5.3). */
static void add_url_at(struct translate *t, const struct named *url, const struct site_settings *site,
                       const struct host *host)
{
    struct key_request key;
    uint64_t name;
    named_request(url, site, host, t->arena, &key);
    if (url->target.query.n == 0) {
        add_name(t, name_of_path(t->cache, &key, t->arena));
        return;
    }
    /* The names of http and https are one, but their families may have different rules. */
    for (int https = 0; https < 2; https++) {
        key.https = https;
        if (!name_of_url(t->cache, &key, t->arena, &name)) {
            /* Under its rule none of its parameters counts: it is answered as if it had no query. */
            struct key_request plain = key;
            plain.query = STR_NONE;
            plain.has_query = false;
            if (!name_of_url(t->cache, &plain, t->arena, &name))
                name = name_of_path(t->cache, &key, t->arena);
        }
        add_name(t, name);
    }
}

/* The port that stands in an address to listen on; 0: none. */
static uint16_t port_of_address(struct str address)
{
    uint64_t port;
    size_t at = address.n;
    while (at > 0 && address.p[at - 1] != ':')
        at--;
    return str_to_u64(str_from_index(address, at), UINT16_MAX, &port) ? (uint16_t)port : 0;
}

/* A host that was given without a port: visitors come to the default one, or straight to where freshet listens. */
static void add_url_on_ports(struct translate *t, const struct named *url, const struct site_settings *site,
                             struct host host)
{
    const struct strs *listen = &t->settings->process.listen;
    add_url_at(t, url, site, &host);
    for (size_t i = 0; i < listen->n && i < PORTS_MAX && host.port == 0; i++) {
        struct host other = { host.name, port_of_address(listen->v[i]) };
        if (other.port)
            add_url_at(t, url, site, &other);
    }
}

/* A path alone: of the domain that was named, else of all hosts of the site. Without a list of them its query cannot be brought to what its
 * families go by, and more is purged than was asked: everything of the path. */
static bool add_path_alone(struct translate *t, const struct named *url, size_t i)
{
    if (!t->site)
        return refuse(t->error, t->arena, 400,
                      "urls[%zu] has no host and there are several sites; write the whole URL, or "
                      "name the site with site_id (freshet purge: --site)",
                      i);
    if (t->domain.name.n) {
        add_url_on_ports(t, url, t->site, t->domain);
        return true;
    }
    const struct strs *hosts = &t->site->hosts;
    bool by_host = url->target.query.n > 0 && hosts->n > 0 && hosts->n <= HOSTS_MAX;
    for (size_t k = 0; k < hosts->n; k++)
        by_host &= !str_starts(hosts->v[k], STR("*"));
    if (!by_host)
        add_name(t, name_of_path_anywhere(t->cache, t->site->name, url->path));
    for (size_t k = 0; by_host && k < hosts->n; k++)
        add_url_on_ports(t, url, t->site, (struct host){ hosts->v[k], 0 });
    return true;
}

static bool refuse_url(struct translate *t, size_t i, const char *problem)
{
    struct str text = t->ask->urls.v[i];
    return refuse(t->error, t->arena, 400, "urls[%zu] \"%.*s\" %s", i,
                  STR_ARG(str_first(text, text_cut(text, QUOTED_MAX))), problem);
}

static bool add_named(struct translate *t, const struct named *url, size_t i);

/* %2A and * are one in a path for those who ask for it, two for its key: a purge means both. */
static bool add_with_star(struct translate *t, struct named url, size_t i)
{
    struct str path = url.path;
    char *p = arena_alloc(t->arena, path.n);
    size_t n = 0;
    for (size_t k = 0; k < path.n; k++) {
        bool star = str_starts(str_from_index(path, k), STR("%2A"));
        p[n++] = star ? '*' : path.p[k];
        k += star ? 2 : 0;
    }
    if (n == path.n)
        return true;
    url.path = (struct str){ p, n };
    return add_named(t, &url, i);
}

static bool add_url(struct translate *t, size_t i)
{
    struct str text = t->ask->urls.v[i];
    struct named url;
    enum http_error e = named_parse(text, t->arena, &url);
    if (e != HTTP_ERROR_NONE)
        return refuse_url(t, i, named_problem(text, e));
    /* Both would be taken for the page of just that name, and purge nothing. */
    if (str_index(text, '*') < text.n)
        return refuse_url(t, i,
                          "has a *, and is no pattern: URLs are purged one by one, without a query with all "
                          "queries; purge a "
                          "tag or the site for more. A * that is part of the address is written %2A");
    if (!url.has_host && str_starts(url.path, STR("//")))
        return refuse_url(
            t, i, "begins with //; write http:// in front of a host, or http://HOST//... for such a path");
    return add_named(t, &url, i) && add_with_star(t, url, i);
}

static bool add_named(struct translate *t, const struct named *named, size_t i)
{
    struct named url = *named;
    if (!url.has_host)
        return add_path_alone(t, &url, i);
    const struct site_settings *site = settings_site_of_host(t->settings, url.host.name);
    if (!site)
        return refuse(t->error, t->arena, 404,
                      "urls[%zu]: no site has the host \"%.*s\"; a site's setting hosts names them", i,
                      STR_ARG(url.host.name));
    bool is_named = t->ask->site.n || t->ask->domain.n;
    if (is_named && site != t->site)
        return refuse(t->error, t->arena, 400,
                      "urls[%zu]: the host \"%.*s\" belongs to the site %.*s, not to %.*s", i,
                      STR_ARG(url.host.name), STR_ARG(site->name), STR_ARG(t->site->name));
    add_url_at(t, &url, site, &url.host);
    return true;
}

/* ---- for people ---- */

static void say_list(struct buf *b, const char *one, const char *many, const struct strs *list)
{
    if (list->n == 0)
        return;
    buf_printf(b, "%s%s", b->n && b->p[b->n - 1] != ' ' ? "; " : "", list->n == 1 ? one : many);
    for (size_t i = 0; i < list->n && b->n <= WHAT_MAX; i++) {
        buf_add(b, i ? STR(", ") : STR(" "));
        buf_add(b, list->v[i]);
    }
}

/* Cut between characters of UTF-8, with dots to show it. */
static struct str say_cut(struct str s, size_t most, struct arena *a)
{
    if (s.n <= most)
        return arena_dup(a, s);
    return arena_printf(a, "%.*s...", (int)text_cut(s, most - 3), s.p);
}

static struct str say_what(const struct translate *t)
{
    const struct purge_ask *ask = t->ask;
    struct buf b = BUF_INIT;
    if (t->site)
        buf_printf(&b, "site %.*s: ", STR_ARG(t->site->name));
    if (!ask->has_tags && !ask->has_urls)
        buf_add(&b, STR("everything"));
    else if (t->n == 0)
        buf_add(&b, STR("nothing, the list is empty"));
    say_list(&b, "tag", "tags", &ask->tags);
    say_list(&b, "URL", "URLs", &ask->urls);
    struct str soft = ask->soft ? STR(" (soft)") : STR(""),
               what = say_cut(buf_str(&b), WHAT_MAX - soft.n, t->arena);
    if (ask->soft)
        what = arena_printf(t->arena, "%.*s%.*s", STR_ARG(what), STR_ARG(soft));
    buf_fini(&b);
    return what;
}

bool purge_translate(const struct purge_ask *ask, const struct settings *settings, struct cache *c,
                     struct arena *a, struct purge_plan *out, struct purge_error *error)
{
    struct translate t = { .ask = ask, .settings = settings, .cache = c, .arena = a, .error = error };
    *out = (struct purge_plan){ 0 };
    if (!find_site(&t))
        return false;
    if (!ask->has_tags && !ask->has_urls)
        add_name(&t, name_of_site(c, t.site->name));
    for (size_t i = 0; i < ask->tags.n; i++)
        if (!add_tag(&t, i))
            return false;
    for (size_t i = 0; i < ask->urls.n; i++)
        if (!add_url(&t, i))
            return false;
    *out = (struct purge_plan){ t.names, t.n, say_what(&t) };
    return true;
}

/* ---- the purge ---- */

static bool same_names(const struct purge_plan *a, const struct purge_plan *b)
{
    return a->n == b->n && memcmp(a->names, b->names, a->n * sizeof(*a->names)) == 0;
}

/* One purge for one request. Under which name a URL with a query is stored depends on its family's rule: when another came to be
 * known meanwhile, by a fetch that began before the purge, the names are others, and they are purged too. */
static uint64_t purge_now(struct admin *a, struct request *r, const struct purge_ask *ask,
                          const struct purge_plan *plan)
{
    enum purge_kind kind = ask->soft ? PURGE_SOFT : PURGE_HARD;
    int64_t now_ms = clock_now(a->clock).mono_ms;
    uint64_t sequence = epochs_purge(a->cache->epochs, kind, plan->names, plan->n, now_ms);
    struct purge_plan again;
    struct purge_error error;
    if (ask->urls.n && purge_translate(ask, r->settings, a->cache, &r->arena, &again, &error) &&
        !same_names(plan, &again))
        sequence = epochs_purge(a->cache->epochs, kind, again.names, again.n, now_ms);
    return sequence;
}

void purge_answer(struct admin *a, struct request *r, struct str body)
{
    struct purge_ask ask;
    struct purge_plan plan;
    struct purge_error error;
    struct now now = clock_now(a->clock);
    uint64_t sequence = epochs_published(a->cache->epochs);
    if (!purge_parse(body, &r->arena, &ask, &error) ||
        !purge_translate(&ask, r->settings, a->cache, &r->arena, &plan, &error)) {
        answer_error(r, error.status, "%.*s", STR_ARG(error.text));
        return;
    }
    if (!admin_may_purge(a, r->settings->process.purge_rate, now.mono_ms)) {
        answer_error(
            r, 429,
            "more than %lld purges in this second (setting purge_rate); nothing was purged, send it again",
            (long long)r->settings->process.purge_rate);
        answer_field(r, STR("Retry-After"), STR("1"));
        return;
    }
    if (plan.n) {
        sequence = purge_now(a, r, &ask, &plan);
        admin_purged(a, sequence, plan.what, now.wall_ms);
        log_info(r->w->log, "purge", "%.*s (sequence %llu)", STR_ARG(plan.what),
                 (unsigned long long)sequence);
    }
    struct buf b = BUF_INIT;
    buf_printf(&b, "{\"sequence\": %llu, \"durable\": false, \"purged\": ", (unsigned long long)sequence);
    buf_add_json(&b, plan.what);
    buf_add(&b, STR("}\n"));
    answer_json(r, 202, arena_dup(&r->arena, buf_str(&b)));
    buf_fini(&b);
}
