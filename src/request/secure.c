#include "request/secure.h"

#include "conf/form.h"
#include "request/deliver_machine.h"

#define HTTPS_PORT 443

static const struct str challenges = STR_INIT("/.well-known/acme-challenge/");

/* As visitors see it. */
static uint16_t port_of_https(const struct process_settings *s)
{
    uint16_t port = s->https.n ? form_address_port(s->https.v[0]) : 0;
    if (s->https_port)
        port = (uint16_t)s->https_port;
    return port ? port : HTTPS_PORT;
}

struct str secure_location(const struct request *r, struct arena *a)
{
    if (!r->site || !r->site->https_redirect || r->key.https || r->source != r->w->source ||
        r->key.host.n == 0 || !str_starts(r->came, STR("/")) || str_starts(r->key.path, challenges))
        return STR_NONE;
    uint16_t port = port_of_https(&r->settings->process);
    struct str to = ARENA_JOIN(a, STR("https://"), r->key.host);
    return port == HTTPS_PORT ? ARENA_JOIN(a, to, r->came)
                              : arena_printf(a, "%.*s:%u%.*s", STR_ARG(to), port, STR_ARG(r->came));
}

/* The field of a 200 is not among those of its 304, which changes nothing (RFC 9110 §15.4.5). */
void secure_add_hsts(struct request *r)
{
    if (!response_value(r->object->response, FIELD_STRICT_TRANSPORT_SECURITY).p)
        deliver_add_id(&r->reply, FIELD_STRICT_TRANSPORT_SECURITY, r->site->hsts_value);
}
