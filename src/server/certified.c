#include "server/certified.h"

#include "acme/acme.h"
#include "acme/revoke.h"
#include "base/check.h"
#include "server/acme.h"
#include "server/tls.h"

/* A row, and the pair that it is about: to compare, since it may be gone. */
struct listing {
    struct certificate_row *v; /* n */
    const void **pairs;
    size_t n;
};

static struct strs copy_names(const struct strs *names, struct arena *a)
{
    struct strs out = { 0 };
    for (size_t i = 0; i < names->n; i++)
        arena_add_str(a, &out, arena_dup(a, names->v[i]));
    return out;
}

static void put(struct listing *f, const void *pair, const struct certificate_row *row)
{
    f->pairs[f->n] = pair;
    f->v[f->n++] = *row;
}

static void add_acme(struct listing *f, const struct acme_state *s)
{
    put(f, s->pair,
        &(struct certificate_row){ .id = s->id,
                                   .source = CERTIFICATE_ACME,
                                   .from = s->directory,
                                   .names = s->names,
                                   .until_ms = s->until_ms,
                                   .renew_ms = s->renew_ms,
                                   .orders = s->orders,
                                   .revokes = s->revokes,
                                   .error = s->error,
                                   .failures = s->failures,
                                   .try_ms = s->try_ms,
                                   .asked = s->asked,
                                   .answered = s->answered,
                                   .outcome = s->outcome });
}

static void add_held(struct listing *f, const struct process_tls_held *h, struct arena *a)
{
    struct strs names = pair_names(h->pair);
    put(f, h->pair,
        &(struct certificate_row){ .id = h->file ? arena_dup(a, str_from(h->file)) : STR("local"),
                                   .source = h->file ? CERTIFICATE_FILE : CERTIFICATE_LOCAL,
                                   .names = copy_names(&names, a),
                                   .until_ms = pair_until_ms(h->pair),
                                   .renew_ms = h->renew_ms });
}

struct adding {
    struct listing *found;
    struct arena *arena;
    size_t most;
};

static void take_held(void *ctx, const struct process_tls_held *h)
{
    const struct adding *to = ctx;
    if (to->found->n < to->most)
        add_held(to->found, h, to->arena);
}

static void find_all(struct certified *c, struct arena *a, struct listing *f,
                     struct certificate_totals *totals)
{
    size_t n = 0, held = process_tls_held_n(c->tls);
    struct acme_totals t = { 0 };
    struct acme *acme = process_acme_of(c->acme);
    const struct acme_state *v = acme ? states_copy(acme_states(acme), a, &n, &t) : NULL;
    f->n = 0;
    f->v = arena_zero(a, (held + n + 1) * sizeof(*f->v));
    f->pairs = arena_zero(a, (held + n + 1) * sizeof(*f->pairs));
    process_tls_each_held(c->tls, take_held, &(struct adding){ f, a, held });
    for (size_t i = 0; i < n; i++)
        add_acme(f, &v[i]);
    if (totals)
        *totals = (struct certificate_totals){ t.orders, t.failures, t.issued, t.renewed, t.revoked };
}

/* ---- whose ---- */

/* What a visitor of the host gets; what is to come for it, too. */
static bool is_for(const struct listing *f, size_t i, const struct pair *const got[CERTIFICATES_KINDS],
                   struct str host)
{
    if (!f->pairs[i])
        return pair_names_have(&f->v[i].names, host);
    for (int kind = 0; kind < CERTIFICATES_KINDS; kind++)
        if (got[kind] == f->pairs[i])
            return true;
    return false;
}

static void add_site(struct listing *f, size_t i, struct str site, struct arena *a)
{
    struct strs *sites = &f->v[i].sites;
    if (sites->n == 0 || !str_eq(sites->v[sites->n - 1], site)) /* sites come one after the other */
        arena_add_str(a, sites, site);
}

static void find_site(struct listing *f, const struct certificates *desk, const struct site_settings *site,
                      struct arena *a)
{
    const struct pair *got[CERTIFICATES_KINDS];
    static const struct str nobody = STR_INIT("");
    for (size_t k = 0; k < site->hosts.n || (k == 0 && site->hosts.n == 0); k++) {
        struct str host = site->hosts.n ? site->hosts.v[k] : nobody;
        certificates_pairs(desk, host, got);
        for (size_t i = 0; i < f->n; i++)
            if (is_for(f, i, got, host))
                add_site(f, i, site->name, a);
    }
}

static void keep_of_host(struct listing *f, const struct certificates *desk, struct str host)
{
    const struct pair *got[CERTIFICATES_KINDS];
    size_t n = 0;
    certificates_pairs(desk, host, got);
    for (size_t i = 0; i < f->n; i++)
        if (is_for(f, i, got, host))
            f->v[n++] = f->v[i];
    f->n = n;
}

static struct certificate_row *list(struct certificate_desk *d, const struct settings *s, struct str host,
                                    struct arena *a, size_t *n, struct certificate_totals *totals)
{
    struct certified *c = CONTAINER_OF(d, struct certified, desk);
    struct certificates *desk = process_tls_certificates(c->tls);
    struct listing f;
    find_all(c, a, &f, totals);
    for (size_t i = 0; i < s->sites_n; i++)
        find_site(&f, desk, &s->sites[i], a);
    if (host.n)
        keep_of_host(&f, desk, host);
    certificates_unref(desk);
    *n = f.n;
    return f.v;
}

/* ---- by hand ---- */

static struct str refuse(struct arena *a, struct buf *why)
{
    struct str text = arena_dup(a, buf_str(why));
    buf_fini(why);
    return text;
}

/* Who asks for one of a file or of the local authority is told whose it is. */
static void say_other(struct certified *c, struct str name, struct arena *a, struct buf *why)
{
    struct listing f;
    find_all(c, a, &f, NULL);
    for (size_t i = 0; i < f.n; i++) {
        const struct certificate_row *r = &f.v[i];
        if (r->source == CERTIFICATE_ACME || !(str_eq(r->id, name) || pair_names_have(&r->names, name)))
            continue;
        buf_printf(why, ". What is there for it is %s%.*s%s",
                   r->source == CERTIFICATE_FILE ? "the file " : "of the local authority",
                   STR_ARG(r->source == CERTIFICATE_FILE ? r->id : STR_NONE),
                   r->source == CERTIFICATE_FILE ? ": write another one there, and it is taken" : "");
        return;
    }
}

static uint64_t ask(struct certificate_desk *d, const struct settings *s, struct str name, struct str reason,
                    struct arena *a, struct str *why)
{
    struct certified *c = CONTAINER_OF(d, struct certified, desk);
    struct acme *acme = process_acme_of(c->acme);
    struct acme_asked q = { .name = name, .wish = reason.n ? WANT_REVOKE : WANT_RENEW };
    struct buf text = BUF_INIT;
    uint64_t number = 0;
    (void)s;
    if (reason.n && !revoke_reason(reason, &q.reason)) {
        buf_printf(&text, "\"%.*s\" is no reason that may be given; there are %.*s", STR_ARG(reason),
                   STR_ARG(revoke_reasons()));
    } else {
        number = acme ? acme_ask(acme, &q, &text) : 0;
        if (!acme)
            buf_add(&text, STR("no certificates come by ACME here"));
        if (!number)
            say_other(c, name, a, &text);
    }
    *why = refuse(a, &text);
    return number;
}

void certified_init(struct certified *c, struct process_tls *tls, struct process_acme *acme)
{
    *c = (struct certified){ .desk = { .list = list, .ask = ask }, .tls = tls, .acme = acme };
}
