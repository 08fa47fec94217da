#include "acme/problem.h"

#include <string.h>

#define URN      "urn:ietf:params:acme:error:"
#define TEXT_MAX 400
#define SUBS_MAX 5

static const char *member(const json_t *o, const char *name)
{
    const char *text = json_string_value(json_object_get(o, name));
    return text ? text : "";
}

static const char *name_of(const json_t *problem)
{
    const char *type = member(problem, "type");
    return strncmp(type, URN, strlen(URN)) == 0 ? type + strlen(URN) : type;
}

bool problem_is(const json_t *problem, const char *name)
{
    return problem && strcmp(name_of(problem), name) == 0;
}

/* ---- what helps ---- */

static const char *reach_advice(const char *challenge)
{
    if (strcmp(challenge, "tls-alpn-01") == 0)
        return "let the name's DNS lead to this machine and its port 443 to an address of https, with no "
               "proxy that "
               "ends TLS between";
    if (strcmp(challenge, "dns-01") == 0)
        return "look at what acme_dns_hook does, and whether the name's servers answer with its TXT record";
    return "let the name's DNS (A and AAAA) lead to this machine and its port 80 to an address of listen";
}

static const char *advice(const json_t *problem, const char *challenge)
{
    static const struct {
        const char *name, *text;
    } all[] = {
        { "caa", "the name's CAA records permit other CAs only: add this one" },
        { "rejectedIdentifier",
          "this CA gives none for such a name: take it out of hosts, set `acme: off` for the site, "
          "or name another CA with acme_directory" },
        { "unsupportedIdentifier", "this CA gives none for such a name: take it out of hosts" },
        { "externalAccountRequired",
          "this CA wants to know whose account it is: set acme_eab_kid and acme_eab_key to what "
          "it gave you" },
        { "unauthorized", NULL },
        { "connection", NULL },
        { "dns", "look whether the name is in DNS at all" },
        { "incorrectResponse", NULL },
        { "tls", NULL },
        { "rateLimited", "wait, and try with `acme_directory: staging` what you want to try" },
        { "invalidContact", "look at acme_email" },
        { "unsupportedContact", "look at acme_email" },
        { "userActionRequired", "its terms have changed: visit the page that it names" },
    };
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if (problem_is(problem, all[i].name))
            return all[i].text ? all[i].text : *challenge ? reach_advice(challenge) : NULL;
    return NULL;
}

/* ---- the sentence ---- */

static void add_text(const char *text, struct buf *out)
{
    struct str s = str_from(text);
    while (s.n && (s.p[s.n - 1] == '.' || s.p[s.n - 1] == ' '))
        s.n--;
    bool is_cut = s.n > TEXT_MAX;
    buf_add(out, str_utf8_first(s, TEXT_MAX));
    if (is_cut)
        buf_add(out, STR("..."));
}

static void add_subproblems(const json_t *problem, struct buf *out)
{
    const json_t *all = json_object_get(problem, "subproblems");
    for (size_t i = 0; i < json_array_size(all) && i < SUBS_MAX; i++) {
        const json_t *one = json_array_get(all, i);
        buf_add(out, STR("; "));
        add_text(member(json_object_get(one, "identifier"), "value"), out);
        buf_add(out, STR(": "));
        add_text(member(one, "detail"), out);
    }
}

void problem_say(const json_t *problem, int status, const char *challenge, struct buf *out)
{
    const char *name = name_of(problem), *detail = member(problem, "detail");
    if (!problem || (!*name && !*detail)) {
        buf_printf(out, "the CA answers %d and does not say why", status);
        return;
    }
    buf_add(out, STR("the CA says: "));
    add_text(*detail ? detail : name, out);
    if (*detail && *name) {
        buf_add(out, STR(" ("));
        add_text(name, out);
        buf_add_char(out, ')');
    }
    add_subproblems(problem, out);
    const char *helps = advice(problem, challenge);
    if (helps)
        buf_printf(out, "; %s", helps);
}
