#include "server/local_tls.h"

#include "acme/names.h"
#include "base/mem.h"
#include "io/address.h"

static const struct str own_names[] = { STR_INIT("localhost"), STR_INIT("127.0.0.1"), STR_INIT("::1") };
static const char *const own_networks[] = { "127.0.0.0/8", "::1" };

void local_tls_fini(struct local_tls *l)
{
    authority_free(l->authority);
    l->authority = NULL;
}

static bool is_own_address(struct str text)
{
    struct address address;
    struct network network;
    for (size_t i = 0; address_parse(text, &address) && i < COUNT_OF(own_networks); i++)
        if (network_parse(str_from(own_networks[i]), &network) && network_has(&network, &address))
            return true;
    return false;
}

static bool is_local(const struct settings *s)
{
    for (size_t i = 0; i < s->process.https.n; i++)
        if (!is_own_address(s->process.https.v[i]))
            return false;
    return s->process.https.n > 0;
}

bool local_tls_is_for(const struct settings *s, const struct site_settings *site)
{
    return site->cert.n == 0 && is_local(s) && !names_wants(s, site);
}

bool local_tls_is_wanted(const struct settings *s)
{
    for (size_t i = 0; i < s->sites_n; i++)
        if (local_tls_is_for(s, &s->sites[i]))
            return true;
    return false;
}

bool local_tls_open(struct local_tls *l, int64_t now_ms, struct buf *errors, struct buf *warnings)
{
    bool made = false;
    if (l->authority)
        return true;
    if (!l->state[0]) {
        buf_add(errors, STR("https: there is no state folder, where the authority for local certificates is "
                            "kept: name one with --state, or a certificate with --cert and --key\n"));
        return false;
    }
    struct buf why = BUF_INIT;
    l->authority = authority_open(l->state, now_ms, &made, &why);
    if (!l->authority)
        buf_printf(errors, "https: %.*s\n", STR_ARG(buf_str(&why)));
    if (made)
        buf_printf(warnings,
                   "made an authority for local certificates, %s/authority.pem: nobody believes it until "
                   "\"freshet trust\" says so to browsers and programs\n",
                   l->state);
    buf_fini(&why);
    return l->authority != NULL;
}

static size_t add_hosts(struct str *to, size_t n, const struct strs *hosts)
{
    for (size_t i = 0; i < hosts->n && n < AUTHORITY_NAMES_MOST; i++) {
        bool is_new = true;
        for (size_t k = 0; k < n && is_new; k++)
            is_new = !str_eq_nocase(to[k], hosts->v[i]);
        if (is_new)
            to[n++] = hosts->v[i];
    }
    return n;
}

struct pair *local_tls_sign(struct local_tls *l, const struct settings *s, int64_t now_ms,
                            struct buf *warnings)
{
    struct buf why = BUF_INIT;
    if (!l->authority || !local_tls_is_wanted(s))
        return NULL;
    struct str *names = mem_alloc(AUTHORITY_NAMES_MOST * sizeof(*names));
    const struct strs own = { (struct str *)(uintptr_t)own_names, COUNT_OF(own_names) };
    size_t n = add_hosts(names, 0, &own);
    for (size_t i = 0; i < s->sites_n; i++)
        if (local_tls_is_for(s, &s->sites[i]))
            n = add_hosts(names, n, &s->sites[i].hosts);
    struct pair *p = authority_sign(l->authority, &(struct strs){ names, n }, now_ms, &why);
    if (p)
        l->renew_ms = now_ms + AUTHORITY_RENEW_MS;
    else
        buf_printf(warnings, "https: %.*s\n", STR_ARG(buf_str(&why)));
    mem_free(names);
    buf_fini(&why);
    return p;
}
