#include "cache/purge_names.h"

#include <string.h>

#include "cache/named.h"
#include "cache/names.h"
#include "conf/form.h"

#define SITES_LISTED 10 /* in the message for an unknown one */
#define PORTS_MAX    16
#define HOSTS_MAX    256 /* of one site, for a path alone */
#define QUOTED_MAX   100 /* bytes of the input repeated in a message */

struct translate {
    const struct purge *purge;
    const struct settings *settings;
    struct cache *cache; /* NULL: no names are made */
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

/* The site of the domain that is named. */
static bool find_by_domain(struct translate *t)
{
    struct str domain = t->purge->domain;
    if (named_host(domain, t->arena, &t->domain) != HTTP_ERROR_NONE)
        return purge_refuse(t->error, t->arena, 400,
                            "domain \"%.*s\" is no host name; write it like example.com, without "
                            "http:// and path",
                            STR_ARG(str_first(domain, QUOTED_MAX)));
    t->site = settings_site_of_host(t->settings, t->domain.name);
    return t->site || purge_refuse(t->error, t->arena, 404,
                                   "no site has the domain \"%.*s\"; a site's setting hosts names them",
                                   STR_ARG(t->domain.name));
}

/* The site that is named; a domain beside it must be the same site's. */
static bool find_by_name(struct translate *t)
{
    const struct site_settings *of_domain = t->site;
    struct str name = t->purge->site;
    t->site = settings_site_by_name(t->settings, name);
    if (!t->site)
        return purge_refuse(t->error, t->arena, 404, "no site is named \"%.*s\"; this freshet has: %.*s",
                            STR_ARG(str_first(name, QUOTED_MAX)), STR_ARG(site_names(t)));
    if (of_domain && of_domain != t->site)
        return purge_refuse(t->error, t->arena, 400,
                            "domain \"%.*s\" belongs to the site %.*s, not to %.*s; leave one out",
                            STR_ARG(t->domain.name), STR_ARG(of_domain->name), STR_ARG(t->site->name));
    return true;
}

/* By domain, by name, or the only one there is. URLs find their own, and groups belong to an origin. */
static bool find_site(struct translate *t)
{
    const struct purge *p = t->purge;
    if ((p->domain.n && !find_by_domain(t)) || (p->site.n && !find_by_name(t)))
        return false;
    if (!t->site && t->settings->sites_n == 1)
        t->site = &t->settings->sites[0];
    if (!t->site && p->scope & (PURGE_OF_SITE | PURGE_OF_TAGS))
        return purge_refuse(
            t->error, t->arena, 400,
            "there are several sites (%.*s); name one with site_id, site_slug or domain (freshet "
            "purge: --site)",
            STR_ARG(site_names(t)));
    return true;
}

/* ---- tags ---- */

/* Node writes a tag in Latin-1 when the body is a Buffer, in UTF-8 when it is a string: both are what is
 * named here. */
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
        return purge_refuse(
            t->error, t->arena, 400,
            "the tag \"%.*s...\" is longer than %zu bytes (setting tag_bytes): no stored response has it",
            STR_ARG(str_utf8_first(tag, QUOTED_MAX)), most);
    if (t->cache && tag.n <= most)
        add_name(t, name_of_tag(t->cache, t->site->name, tag, t->arena));
    if (t->cache && other)
        add_name(t, name_of_tag(t->cache, t->site->name, latin1, t->arena));
    return true;
}

/* Does one of the site's tag headers separate tags by white space? Then a tag with some in it also means
 * its parts. */
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

/* A response's tags are divided at commas, so a tag with one in it also means its parts: otherwise a list
 * that was given as one string would silently purge nothing. */
static bool add_tag(struct translate *t, size_t i)
{
    struct str tag = t->purge->tags.v[i];
    bool commas = str_index(tag, ',') < tag.n,
         spaces = str_index(tag, ' ') < tag.n && has_spaced_tags(t->site);
    bool any = false;
    if (!commas && !spaces)
        return add_one_tag(t, tag);
    if (tag.n <= (size_t)t->site->tag_bytes && !add_one_tag(t, tag))
        return false;
    if (!add_parts(t, tag, false, &any) || (spaces && !add_parts(t, tag, true, &any)))
        return false;
    return any || purge_refuse(t->error, t->arena, 400,
                               "cache_tags[%zu] \"%.*s\" is nothing but commas; no response has such a tag",
                               i, STR_ARG(str_first(tag, QUOTED_MAX)));
}

/* ---- URLs and prefixes ---- */

/* A member of one of the two lists. */
struct asked {
    const char *list; /* "urls" or "prefixes", for messages */
    size_t i;
    bool is_prefix;
    struct str text;
    struct named url;
};

static bool refuse_asked(struct translate *t, const struct asked *u, int status, const char *problem)
{
    return purge_refuse(t->error, t->arena, status, "%s[%zu] \"%.*s\" %s", u->list, u->i,
                        STR_ARG(str_utf8_first(u->text, QUOTED_MAX)), problem);
}

/* What a URL with a query is answered with, in every variant. */
static void add_url_at(struct translate *t, struct key_request *key)
{
    uint64_t name;
    /* The names of http and https are one, but their resources may have different rules. */
    for (int https = 0; https < 2; https++) {
        key->https = https;
        if (!name_of_url(t->cache, key, t->arena, &name)) {
            /* Under its rule none of its parameters counts: it is answered as if it had no query. */
            struct key_request plain = *key;
            plain.query = STR_NONE;
            plain.has_query = false;
            if (!name_of_url(t->cache, &plain, t->arena, &name))
                name = name_of_path(t->cache, key, t->arena);
        }
        add_name(t, name);
    }
}

static void add_at(struct translate *t, const struct asked *u, const struct site_settings *site,
                   const struct host *host)
{
    struct key_request key;
    if (!t->cache)
        return;
    /* Without a query: everything of its path (CACHING.md 5.3). */
    named_request(&u->url, site, host, t->arena, &key);
    if (u->is_prefix) {
        add_name(t, name_of_prefix(t->cache, &key, t->arena));
        return;
    }
    if (u->url.target.query.n == 0)
        add_name(t, name_of_path(t->cache, &key, t->arena));
    else
        add_url_at(t, &key);
}

/* A host that was given without a port: visitors come to the default one, or straight to where freshet
 * listens. */
static void add_on_ports(struct translate *t, const struct asked *u, const struct site_settings *site,
                         struct host host)
{
    const struct strs *listen = &t->settings->process.listen;
    add_at(t, u, site, &host);
    for (size_t i = 0; i < listen->n && i < PORTS_MAX && host.port == 0; i++) {
        struct host other = { host.name, form_address_port(listen->v[i]) };
        if (other.port)
            add_at(t, u, site, &other);
    }
}

static uint64_t name_anywhere(struct translate *t, const struct asked *u)
{
    if (u->is_prefix)
        return name_of_prefix_anywhere(t->cache, t->site->name, u->url.path, t->arena);
    return name_of_path_anywhere(t->cache, t->site->name, u->url.path);
}

/* A path alone: of the domain that was named, else of all hosts of the site. Without a list of them its
 * query cannot be brought to what its resources go by, and more is purged than was asked: everything of
 * the path. */
static bool add_path_alone(struct translate *t, const struct asked *u)
{
    if (!t->site)
        return purge_refuse(t->error, t->arena, 400,
                            "%s[%zu] has no host and there are several sites; write the whole URL, or "
                            "name the site with site_id (freshet purge: --site)",
                            u->list, u->i);
    if (t->domain.name.n) {
        add_on_ports(t, u, t->site, t->domain);
        return true;
    }
    const struct strs *hosts = &t->site->hosts;
    bool by_host = u->url.target.query.n > 0 && hosts->n > 0 && hosts->n <= HOSTS_MAX;
    for (size_t k = 0; k < hosts->n; k++)
        by_host &= !str_starts(hosts->v[k], STR("*"));
    if (t->cache && !by_host)
        add_name(t, name_anywhere(t, u));
    for (size_t k = 0; by_host && k < hosts->n; k++)
        add_on_ports(t, u, t->site, (struct host){ hosts->v[k], 0 });
    return true;
}

static bool add_asked(struct translate *t, const struct asked *u)
{
    if (!u->url.has_host)
        return add_path_alone(t, u);
    struct host host = u->url.host;
    const struct site_settings *site = settings_site_of_host(t->settings, host.name);
    if (!site)
        return purge_refuse(t->error, t->arena, 404,
                            "%s[%zu]: no site has the host \"%.*s\"; a site's setting hosts names them",
                            u->list, u->i, STR_ARG(host.name));
    bool is_named = t->purge->site.n || t->purge->domain.n;
    if (is_named && site != t->site)
        return purge_refuse(t->error, t->arena, 400,
                            "%s[%zu]: the host \"%.*s\" belongs to the site %.*s, not to %.*s", u->list, u->i,
                            STR_ARG(host.name), STR_ARG(site->name), STR_ARG(t->site->name));
    add_at(t, u, site, &host);
    return true;
}

/* %2A and * are one in a path for those who ask for it, two for its key: a purge means both. */
static bool add_with_star(struct translate *t, struct asked u)
{
    struct str path = u.url.path;
    char *p = arena_alloc(t->arena, path.n);
    size_t n = 0;
    for (size_t k = 0; k < path.n; k++) {
        bool star = str_starts(str_from_index(path, k), STR("%2A"));
        p[n++] = star ? '*' : path.p[k];
        k += star ? 2 : 0;
    }
    if (n == path.n)
        return true;
    u.url.path = (struct str){ p, n };
    return add_asked(t, &u);
}

/* What would be taken for the page of just that name, and purge nothing. */
static bool check_is_meant(struct translate *t, const struct asked *u)
{
    if (str_index(u->text, '*') < u->text.n)
        return refuse_asked(t, u, 400,
                            u->is_prefix ? "has a *; write the path up to there: everything below it is "
                                           "purged. A * that is part of the address is written %2A"
                                         : "has a *, and is no pattern; to purge all that is below a path "
                                           "name it in prefixes (freshet purge --prefix /blog/). A * that is "
                                           "part of the address is written %2A");
    if (u->is_prefix && u->url.target.has_query)
        return refuse_asked(t, u, 400, "has a query; a prefix is of the path, and takes every query with it");
    if (!u->url.has_host && str_starts(u->url.path, STR("//")))
        return refuse_asked(
            t, u, 400,
            "begins with //; write http:// in front of a host, or http://HOST//... for such a path");
    return true;
}

static bool add_list(struct translate *t, const struct strs *list, const char *name, bool is_prefix)
{
    for (size_t i = 0; i < list->n; i++) {
        struct asked u = { .list = name, .i = i, .is_prefix = is_prefix, .text = list->v[i] };
        enum http_error e = named_parse(u.text, t->arena, &u.url);
        if (e != HTTP_ERROR_NONE)
            return refuse_asked(t, &u, 400, named_problem(u.text, e, true));
        if (!check_is_meant(t, &u) || !add_asked(t, &u) || !add_with_star(t, u))
            return false;
    }
    return true;
}

/* ---- groups ---- */

/* "https://HOST:PORT" as part of a request. Requests of HTTP/1.0 may have no host: then it is "http://". */
static bool read_origin(struct translate *t, struct key_request *out)
{
    struct str origin = t->purge->origin;
    struct host host = { 0 };
    bool https = str_starts(origin, STR("https://"));
    struct str authority = str_from_index(origin, https ? 8 : 7);
    if ((!https && !str_starts(origin, STR("http://"))) ||
        (authority.n && host_parse(authority, https, t->arena, &host) != HTTP_ERROR_NONE))
        return purge_refuse(t->error, t->arena, 400,
                            "origin \"%.*s\" is none; write it like https://example.com, without path",
                            STR_ARG(str_utf8_first(origin, QUOTED_MAX)));
    *out = (struct key_request){ .https = https, .host = host.name, .port = host.port };
    return true;
}

static bool add_groups(struct translate *t)
{
    const struct strs *groups = &t->purge->groups;
    struct key_request origin;
    if (!(t->purge->scope & PURGE_OF_GROUPS))
        return true;
    if (!read_origin(t, &origin))
        return false;
    for (size_t i = 0; t->cache && i < groups->n; i++)
        add_name(t, name_of_group(t->cache, &origin, groups->v[i], t->arena));
    return true;
}

bool purge_names(const struct purge *p, const struct settings *settings, struct cache *c, struct arena *a,
                 struct purge_names *out, struct purge_error *error)
{
    struct translate t = { .purge = p, .settings = settings, .cache = c, .arena = a, .error = error };
    if (!find_site(&t))
        return false;
    if (c && p->scope == PURGE_OF_SITE)
        add_name(&t, name_of_site(c, t.site->name));
    for (size_t i = 0; i < p->tags.n; i++)
        if (!add_tag(&t, i))
            return false;
    if (!add_list(&t, &p->urls, "urls", false) || !add_list(&t, &p->prefixes, "prefixes", true) ||
        !add_groups(&t))
        return false;
    *out = (struct purge_names){ t.names, t.n, t.site };
    return true;
}
