#include "admin/purge_method.h"

#include "admin/access.h"
#include "admin/answer.h"
#include "admin/dialect.h"
#include "admin/purge.h"
#include "conf/form.h"
#include "request/page.h"
#include "request/route.h"

#define QUOTED_MAX 100 /* bytes of the input repeated in the log */

/* ---- who may ---- */

static bool may_purge(const struct site_settings *site, const struct address *sender)
{
    for (size_t i = 0; i < site->purge_from.n; i++) {
        struct network network;
        if (network_parse(site->purge_from.v[i], &network) && network_has(&network, sender))
            return true;
    }
    return false;
}

/* The sites that the sender may purge by this request: the one of its host, else, for a purge that does not
 * go by the host, each that lets him. The array is in the arena. */
struct targets {
    const struct site_settings **v;
    size_t n;
    const struct site_settings *of_host; /* the site of the request's host; NULL: none has it */
};

static void find_targets(struct request *r, const struct address *sender, const struct token_rights *rights,
                         struct targets *out)
{
    const struct settings *s = r->settings;
    *out = (struct targets){ .v = arena_alloc(&r->arena, s->sites_n * sizeof(*out->v)),
                             .of_host = settings_site_of_host(s, r->key.host) };
    for (size_t i = 0; i < s->sites_n; i++)
        if ((!out->of_host || out->of_host == &s->sites[i]) &&
            (rights ? token_may_site(rights, s->sites[i].name) : may_purge(&s->sites[i], sender)))
            out->v[out->n++] = &s->sites[i];
}

/* ---- answers ---- */

static void answer_sentence(struct request *r, int status, struct str text)
{
    answer_text(r, status, ARENA_JOIN(&r->arena, text, STR("\n")));
}

/* Why he is a stranger: for the operator alone, who wonders why his plugin purges nothing. */
static const char *why_stranger(const struct request *r, const struct targets *targets)
{
    size_t lists = 0;
    if (!targets)
        return "it came through a proxy that trusted_proxies does not have, or one that does not say for "
               "whom";
    for (size_t i = 0; i < r->settings->sites_n; i++)
        if (!targets->of_host || targets->of_host == &r->settings->sites[i])
            lists += r->settings->sites[i].purge_from.n > 0;
    return lists ? "purge_from does not have its address" : "purge_from is empty";
}

/* `targets`: NULL when nobody knows who sent it. */
static void refuse_stranger(struct admin *a, struct request *r, const struct targets *targets)
{
    bool get = r->method == METHOD_GET;
    char held[LOG_HELD_MAX];
    struct str ip = route_peer_ip(r); /* empty: a Unix socket */
    count(r->w->counters, COUNTER_PURGES_REFUSED);
    if (log_valve_opens(&a->refused_said, clock_now(a->clock).mono_ms, held))
        log_warning(r->w->log, "purge", "refused %.*s for %.*s from %.*s: %s%s", STR_ARG(r->method_name),
                    STR_ARG(str_utf8_first(r->key.host, QUOTED_MAX)), STR_ARG(ip.n ? ip : STR("unix")),
                    why_stranger(r, targets), held);
    answer_sentence(
        r, get ? 403 : 405,
        STR("Nothing was purged: this is for the networks in the setting purge_from, and you do not "
            "come from one of them."));
    if (!get)
        answer_field(r, page_allow.name, page_allow.value);
}

static void refuse(struct request *r, const struct purge_error *error)
{
    answer_sentence(r, error->status,
                    ARENA_JOIN(&r->arena, STR("Nothing was purged: "), error->text, STR(".")));
    if (error->status == 429)
        answer_field(r, STR("Retry-After"), STR("1"));
}

static void say(struct request *r, const struct purge_made *made, const struct dialect_purge *d)
{
    struct str text = arena_printf(&r->arena, "Purged %.*s (sequence %llu; read as %.*s).\n",
                                   STR_ARG(made->said), (unsigned long long)made->sequence, STR_ARG(d->as));
    answer_text(r, 200, text);
}

/* ---- the purge ---- */

/* Is it the machine's address or its name for itself, and no host of the site's? A plugin that has only
 * freshet's address sends that, and no visitor's page has it. */
static bool is_of_the_machine(const struct request *r, const struct site_settings *of_host)
{
    struct str host = r->key.host;
    bool is_address = host.n > 0;
    for (size_t i = 0; i < host.n && host.p[0] != '['; i++)
        is_address &= is_digit(host.p[i]) || host.p[i] == '.';
    return (is_address || str_eq(host, STR("localhost"))) && of_host && of_host->hosts.n == 0;
}

/* Does freshet listen at that port? Visitors come to the default one then, or straight to it. */
static bool listens_at(const struct request *r, uint16_t port)
{
    const struct strs *listen = &r->settings->process.listen;
    for (size_t i = 0; i < listen->n; i++)
        if (form_address_port(listen->v[i]) == port)
            return true;
    return false;
}

/* HOST[:PORT] of the page that is named; empty: of any host of the site. */
static struct str host_of(struct request *r, const struct site_settings *of_host)
{
    if (is_of_the_machine(r, of_host))
        return STR_NONE;
    if (r->key.port == 0 || listens_at(r, r->key.port))
        return r->key.host;
    return ARENA_JOIN(&r->arena, r->key.host, STR(":"), arena_decimal(&r->arena, r->key.port));
}

static bool read_request(struct request *r, const struct targets *targets, struct dialect_purge *out,
                         struct purge_error *error)
{
    struct dialect_request asked = {
        .method = r->method_name,
        .target = r->came,
        .is_absolute = !str_starts(r->target, STR("/")),
        .host = host_of(r, targets->of_host),
        .fields = &r->fields,
        .purge_path = r->method == METHOD_GET ? r->site->purge_path : STR_NONE,
    };
    return dialect_read(&asked, &r->arena, out, error);
}

/* Makes the purges of one request: one, or one for each site when no site has its host. */
static bool purge_targets(struct admin *a, struct request *r, const struct token_rights *rights,
                          const struct targets *targets, const struct dialect_purge *d,
                          struct purge_made *made, struct purge_error *error)
{
    if (!targets->of_host && !d->any_host)
        return purge_refuse(error, &r->arena, 404,
                            "no site has the host \"%.*s\"; a site's setting hosts names them",
                            STR_ARG(r->key.host));
    struct purge *purges = arena_alloc(&r->arena, targets->n * sizeof(*purges));
    for (size_t i = 0; i < targets->n; i++) {
        purges[i] = d->purge;
        purges[i].site = targets->v[i]->name;
    }
    struct str ip = request_client_ip(r); /* empty: a Unix socket */
    struct str by = ARENA_JOIN(&r->arena, r->method_name, STR(" from "), ip.n ? ip : STR("unix"),
                               STR(", read as "), d->as);
    return purge_make(a, r, rights, purges, targets->n, by, made, error);
}

/* false: he may purge nothing, and that is said. */
static bool find_purgeable(struct admin *a, struct request *r, const struct token_rights *rights,
                           struct targets *out)
{
    struct address sender = { 0 };
    struct purge_error error;
    bool known = rights || route_sender(r, &sender);
    if (known)
        find_targets(r, &sender, rights, out);
    if (known && out->n)
        return true;
    if (rights) {
        struct str host =
            ARENA_JOIN(&r->arena, STR("the host \""), str_utf8_first(r->key.host, QUOTED_MAX), STR("\""));
        access_refuse_site(rights, host, &r->arena, &error);
        refuse(r, &error);
        return false;
    }
    refuse_stranger(a, r, known ? out : NULL);
    return false;
}

bool purge_method_refuse_head(struct admin *a, struct request *r)
{
    struct targets targets;
    return !find_purgeable(a, r, NULL, &targets);
}

void purge_method_answer(struct admin *a, struct request *r, const struct token_rights *rights)
{
    struct targets targets;
    struct dialect_purge read;
    struct purge_made made;
    struct purge_error error;
    if (!find_purgeable(a, r, rights, &targets))
        return;
    if (!read_request(r, &targets, &read, &error) ||
        !purge_targets(a, r, rights, &targets, &read, &made, &error))
        refuse(r, &error);
    else
        say(r, &made, &read);
}
