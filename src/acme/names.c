#include "acme/names.h"

#include "io/address.h"

struct str names_directory(const struct process_settings *p)
{
    if (p->acme_directory.n == 0)
        return STR(NAMES_LETS_ENCRYPT);
    return str_eq(p->acme_directory, STR("staging")) ? STR(NAMES_STAGING) : p->acme_directory;
}

static bool is_own_address(struct str text)
{
    static const char *const own[] = { "127.0.0.0/8", "::1", "unix" };
    struct address address;
    struct network network;
    for (size_t i = 0; address_parse(text, &address) && i < COUNT_OF(own); i++)
        if (network_parse(str_from(own[i]), &network) && network_has(&network, &address))
            return true;
    return false;
}

/* No CA of the internet reaches a listener that only this machine does. Who names a CA knows. */
static bool can_be_reached(const struct process_settings *p)
{
    for (size_t i = 0; i < p->https.n; i++)
        if (p->acme_directory.n || !is_own_address(p->https.v[i]))
            return true;
    return false;
}

bool names_wants(const struct settings *s, const struct site_settings *site)
{
    return site->acme == ACME_ON && site->cert.n == 0 && site->hosts.n > 0 && can_be_reached(&s->process);
}

bool names_any(const struct settings *s)
{
    for (size_t i = 0; i < s->sites_n; i++)
        if (names_wants(s, &s->sites[i]))
            return true;
    return false;
}

static bool is_lets_encrypt(const struct process_settings *p)
{
    return p->acme_directory.n == 0 || str_eq(p->acme_directory, STR("staging"));
}

/* Nobody can show that such a name is his alone (RFC 2606, RFC 6761, RFC 6762, RFC 7686, RFC 8375, RFC
 * 9476). */
static bool is_reserved(struct str name)
{
    static const char *const ends[] = { ".test",  ".example",  ".invalid", ".localhost",
                                        ".local", ".internal", ".onion",   ".home.arpa",
                                        ".alt",   ".lan",      ".home",    ".corp" };
    for (size_t i = 0; i < COUNT_OF(ends); i++)
        if (str_ends(name, str_from(ends[i])))
            return true;
    return false;
}

static const char *why_not(const struct settings *s, const struct site_settings *site, struct str host)
{
    struct address address;
    bool is_wild = str_starts(host, STR("*."));
    struct str name = is_wild ? str_from_index(host, 2) : host;
    if (address_parse_ip(name, 0, &address) || (host.n && host.p[0] == '['))
        return "it is an address";
    if (str_index(name, '.') == name.n || str_ends(name, STR(".localhost")))
        return "it is a name of this machine or network alone";
    if (is_lets_encrypt(&s->process) && is_reserved(name))
        return "such names mean something on this network alone";
    if (is_wild && site->acme_challenge != ACME_DNS_01)
        return "a name with * takes `acme_challenge: dns-01`";
    return NULL;
}

bool names_has(const struct settings *s, const struct site_settings *site, struct str host)
{
    return names_wants(s, site) && !why_not(s, site, host);
}

void names_of_site(const struct settings *s, const struct site_settings *site, struct arena *a,
                   struct strs *out, struct buf *warnings)
{
    *out = (struct strs){ .n = 0 };
    for (size_t i = 0; names_wants(s, site) && i < site->hosts.n; i++) {
        const char *why = why_not(s, site, site->hosts.v[i]);
        if (!why && out->n >= NAMES_MOST)
            why = "one certificate has at most 100 names; make several sites";
        if (!why)
            arena_add_str(a, out, arena_dup(a, site->hosts.v[i]));
        else if (warnings)
            buf_printf(warnings, "site %.*s: no CA is asked for a certificate for %.*s: %s\n",
                       STR_ARG(site->name), STR_ARG(site->hosts.v[i]), why);
    }
    if (out->n)
        out->n = str_sort_unique(out->v, out->n);
}
