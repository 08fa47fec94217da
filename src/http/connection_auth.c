#include "http/connection_auth.h"

/* Microsoft's (MS-NTHT, MS-N2HT, MS-CSSP) and what came before Negotiate. */
static bool is_scheme(struct str s)
{
    static const struct str schemes[] = { STR_INIT("NTLM"), STR_INIT("Negotiate"), STR_INIT("Nego2"),
                                          STR_INIT("Kerberos"), STR_INIT("CredSSP") };
    for (size_t i = 0; i < COUNT_OF(schemes); i++)
        if (str_eq_nocase(s, schemes[i]))
            return true;
    return false;
}

/* Several challenges may stand on one line, and a challenge's parameters are members of the same list (RFC
 * 9110 §11.6.1): a member that begins with a scheme begins a challenge. */
static bool names_scheme(struct str value)
{
    struct str member;
    while (list_next(&value, &member)) {
        size_t n = 0;
        while (n < member.n && is_token_char(member.p[n]))
            n++;
        if (is_scheme(str_first(member, n)) && (n == member.n || member.p[n] == ' ' || member.p[n] == '\t'))
            return true;
    }
    return false;
}

static bool any_line_names_scheme(const struct fields *f, enum field_id id)
{
    if (!fields_has(f, id))
        return false;
    for (size_t i = 0; i < f->n; i++)
        if (f->v[i].id == id && names_scheme(f->v[i].value))
            return true;
    return false;
}

bool connection_auth_of_request(const struct fields *f)
{
    return any_line_names_scheme(f, FIELD_AUTHORIZATION);
}

bool connection_auth_of_response(const struct fields *f)
{
    return any_line_names_scheme(f, FIELD_WWW_AUTHENTICATE) ||
           fields_list_has(f, FIELD_PERSISTENT_AUTH, STR("true"));
}
