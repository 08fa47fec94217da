#include "admin/access.h"

#include "admin/admin.h"
#include "admin/answer.h"
#include "base/hash.h"
#include "base/mem.h"
#include "cache/named.h"
#include "request/page.h"
#include "request/route.h"

#define QUOTED_MAX 100 /* bytes of the input repeated in a message */

/* ---- the token ---- */

/* The better of two fields counts: who has a right token may use it. */
static void look_at(struct admin *a, struct request *r, struct str secret, struct access *out)
{
    struct now now = clock_now(a->clock);
    if (out->found == ACCESS_GOOD)
        return;
    if (admin_is_first_token(a, secret)) {
        out->found = ACCESS_GOOD;
        out->rights = token_rights_all;
        return;
    }
    switch (tokens_find(a->tokens, secret, now, &r->arena, &out->rights, &out->expired_wall_ms)) {
    case TOKENS_GOOD: out->found = ACCESS_GOOD; break;
    case TOKENS_EXPIRED: out->found = ACCESS_EXPIRED; break;
    case TOKENS_NONE:
        if (out->found == ACCESS_NO_TOKEN)
            out->found = ACCESS_WRONG_TOKEN;
        break;
    }
}

static void look_at_bearer(struct admin *a, struct request *r, struct access *out)
{
    size_t n = fields_count(&r->fields, FIELD_AUTHORIZATION);
    struct str value = fields_value(&r->fields, FIELD_AUTHORIZATION);
    if (n == 1 && str_starts_nocase(value, STR("Bearer ")))
        look_at(a, r, str_trim(str_from_index(value, 7)), out);
    else if (n)
        out->found = ACCESS_WRONG_TOKEN;
}

/* Clients of Fastly and of Cloudflare have fields of their own for it. */
static void look_at_key(struct admin *a, struct request *r, struct access *out)
{
    for (size_t i = 0; i < r->fields.n; i++)
        if (str_eq_nocase(r->fields.v[i].name, STR("Fastly-Key")) ||
            str_eq_nocase(r->fields.v[i].name, STR("X-Auth-Key"))) {
            look_at(a, r, str_trim(r->fields.v[i].value), out);
            return;
        }
}

void access_look(struct admin *a, struct request *r, enum routes_id route, bool any_field, struct access *out)
{
    CHECK(route < ROUTES);
    *out = (struct access){ .route = &routes_rows[route] };
    if (out->route->scope == TOKEN_SCOPE_NONE)
        return;
    out->found = ACCESS_NO_TOKEN;
    look_at_bearer(a, r, out);
    if (any_field)
        look_at_key(a, r, out);
    if (out->found != ACCESS_GOOD)
        return;
    if (!token_may(&out->rights, out->route->scope))
        out->found = ACCESS_NO_SCOPE;
    else if (out->route->sites == ROUTE_SITES_ALL && !out->rights.every_site)
        out->found = ACCESS_NO_SITES;
}

/* ---- who may not ---- */

static struct str scopes_said(unsigned scopes, struct arena *a)
{
    struct buf b = BUF_INIT;
    token_scopes_write(scopes, " and ", &b);
    struct str said = arena_dup(a, buf_str(&b));
    buf_fini(&b);
    return said;
}

static struct str is_for(const struct token_rights *r)
{
    return r->sites.n == 1 ? STR(" is for the site ") : STR(" is for the sites ");
}

struct str access_problem(const struct access *access, struct request *r, int *status)
{
    struct arena *a = &r->arena;
    struct str called = token_called(&access->rights, a);
    char time[32];
    *status = access->found == ACCESS_NO_SCOPE || access->found == ACCESS_NO_SITES ? 403 : 401;
    switch (access->found) {
    case ACCESS_GOOD: break;
    case ACCESS_NO_TOKEN:
    case ACCESS_WRONG_TOKEN:
        return ARENA_JOIN(a,
                          access->found == ACCESS_NO_TOKEN ? STR("the admin token is missing")
                                                           : STR("this is not the admin token"),
                          STR("; send \"Authorization: Bearer TOKEN\" with the token that freshet was "
                              "started with (the file \"token\" in its state folder, unless one was given), "
                              "or with one that \"freshet token create\" has made"));
    case ACCESS_EXPIRED:
        log_time_write(time, access->expired_wall_ms);
        return ARENA_JOIN(a, called, STR(" has expired, at "), str_from(time),
                          STR("; revoke it and make another with \"freshet token create\""));
    case ACCESS_NO_SCOPE:
        return ARENA_JOIN(a, called, STR(" has the scope "), scopes_said(access->rights.scopes, a),
                          STR("; this needs a token with the scope "), scopes_said(access->route->scope, a));
    case ACCESS_NO_SITES:
        return ARENA_JOIN(a, called, is_for(&access->rights), token_sites_said(&access->rights, a),
                          STR("; this needs a token for all sites"));
    }
    UNREACHABLE();
}

/* ---- answers that wait ---- */

struct access_held {
    struct link link; /* in admin->held */
    struct admin *admin;
    struct request *request;
    struct object *object; /* a reference */
    struct timer timer;
};

static void forget(struct access_held *h)
{
    timer_stop(h->request->w->loop, &h->timer);
    link_remove(&h->link);
    h->admin->held_n--;
    object_unref(h->object);
    mem_free(h);
}

static void fire(struct timer *t)
{
    struct access_held *h = CONTAINER_OF(t, struct access_held, timer);
    page_fill(h->request, h->object);
    forget(h);
}

void access_leave(struct admin *a, struct request *r)
{
    LIST_EACH_SAFE(l, &a->held) {
        struct access_held *h = CONTAINER_OF(l, struct access_held, link);
        if (h->request == r)
            forget(h);
    }
}

/* A client with IPv6 has a network of 64 bits, and as many addresses as he likes. */
static uint64_t hash_of_sender(struct request *r, struct str ip)
{
    struct address address;
    if (address_parse_ip(ip, 0, &address) && address.sa.any.sa_family == AF_INET6)
        ip = (struct str){ (const char *)&address.sa.v6.sin6_addr, 8 };
    return hash64(r->w->cache->secret, ip);
}

bool access_refused(struct admin *a, struct request *r, const struct access *access, struct object *o)
{
    char held[LOG_HELD_MAX];
    if (access->found != ACCESS_WRONG_TOKEN)
        return false;
    struct now now = clock_now(a->clock);
    struct str ip = request_client_ip(r); /* empty: a Unix socket */
    int64_t wait_ms = wrong_tokens_count(&a->wrong_tokens, hash_of_sender(r, ip), now.mono_ms);
    atomic_fetch_add_explicit(&a->tokens->refused, 1, memory_order_relaxed);
    if (log_valve_opens(&a->wrong_said, now.mono_ms, held))
        log_warning(r->w->log, "admin", "refused a wrong token from %.*s%s%s",
                    STR_ARG(ip.n ? ip : STR("unix")), wait_ms ? "; many came, so answers to it wait" : "",
                    held);
    if (wait_ms == 0 || !o)
        return false;
    if (a->held_n >= TOKEN_LIMIT_HELD) {
        r->answer.extra_n = 0;
        answer_error(r, 429, "too many wrong tokens at once; this one is wrong, too");
        answer_field(r, STR("Retry-After"), STR("5"));
        return false;
    }
    struct access_held *h = mem_alloc(sizeof(*h));
    *h = (struct access_held){ .admin = a, .request = r, .object = object_ref(o) };
    link_init(&h->link);
    list_push_back(&a->held, &h->link);
    a->held_n++;
    timer_start(r->w->loop, &h->timer, wait_ms, fire);
    return true;
}

/* ---- sites ---- */

bool access_refuse_site(const struct token_rights *rights, struct str what, struct arena *a,
                        struct purge_error *error)
{
    return purge_refuse(error, a, 403, "%.*s%.*s%.*s; %.*s is not of %s", STR_ARG(token_called(rights, a)),
                        STR_ARG(is_for(rights)), STR_ARG(token_sites_said(rights, a)), STR_ARG(what),
                        rights->sites.n == 1 ? "it" : "them");
}

static bool may_host(const struct token_rights *rights, const struct settings *settings, struct str host)
{
    const struct site_settings *site = settings_site_of_host(settings, host);
    return site && token_may_site(rights, site->name);
}

static struct str quote(const char *what, struct str s, struct arena *a)
{
    return arena_printf(a, "%s\"%.*s\"", what, STR_ARG(str_utf8_first(s, QUOTED_MAX)));
}

/* Those that have a host are of its sites. What does not parse purge_check refuses. */
static bool may_urls(const struct token_rights *rights, const struct settings *settings,
                     const struct strs *urls, struct arena *a, bool *alone, struct purge_error *error)
{
    for (size_t i = 0; i < urls->n; i++) {
        struct named url;
        if (named_parse(urls->v[i], a, &url) != HTTP_ERROR_NONE)
            continue;
        *alone |= !url.has_host;
        if (url.has_host && !may_host(rights, settings, url.host.name))
            return access_refuse_site(rights, quote("", urls->v[i], a), a, error);
    }
    return true;
}

static bool may_domain(const struct token_rights *rights, const struct settings *settings,
                       const struct purge *p, struct arena *a, struct purge_error *error)
{
    struct host host;
    if (p->domain.n == 0 || named_host(p->domain, a, &host) != HTTP_ERROR_NONE)
        return true;
    return may_host(rights, settings, host.name) ||
           access_refuse_site(rights, quote("the domain ", p->domain, a), a, error);
}

bool access_own_site(const struct token_rights *rights, const struct settings *settings, struct str *site,
                     struct arena *a, struct purge_error *error)
{
    if (rights->every_site)
        return true;
    if (rights->sites.n > 1)
        return purge_refuse(error, a, 400, "%.*s is for several sites; name one of them: %.*s",
                            STR_ARG(token_called(rights, a)), STR_ARG(token_sites_said(rights, a)));
    if (rights->sites.n == 1)
        *site = rights->sites.v[0];
    if (site->n && !settings_site_by_name(settings, *site))
        return purge_refuse(error, a, 404, "%.*s is for the site %.*s, which is not there any more",
                            STR_ARG(token_called(rights, a)), STR_ARG(*site));
    return true;
}

bool access_purge(const struct token_rights *rights, const struct settings *settings, struct purge *p,
                  struct arena *a, struct purge_error *error)
{
    bool alone = (p->scope & (PURGE_OF_SITE | PURGE_OF_TAGS)) != 0;
    if (rights->every_site)
        return true;
    if (p->site.n && !token_may_site(rights, p->site))
        return access_refuse_site(rights, quote("the site ", p->site, a), a, error);
    if (!may_domain(rights, settings, p, a, error) ||
        !may_urls(rights, settings, &p->urls, a, &alone, error) ||
        !may_urls(rights, settings, &p->prefixes, a, &alone, error))
        return false;
    if (p->site.n || p->domain.n || (rights->sites.n > 1 && !alone))
        return true;
    return access_own_site(rights, settings, &p->site, a, error);
}
