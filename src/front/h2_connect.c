#include "front/h2_machine.h"

/* The key proves to a client that the answer is no cached one (RFC 6455 §1.3). HTTP/2's has none, so it is
 * ours: 16 random bytes in base64. */
static struct str make_key(struct request *r)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    unsigned char random[18] = { 0 };
    char *to = arena_alloc(&r->arena, 24);
    loop_random(r->w->loop, random, 16);
    for (unsigned i = 0, at = 0; i < 18; i += 3) {
        unsigned three = (unsigned)random[i] << 16 | (unsigned)random[i + 1] << 8 | random[i + 2];
        for (int shift = 18; shift >= 0; shift -= 6)
            to[at++] = digits[three >> shift & 63];
    }
    to[22] = to[23] = '=';
    return (struct str){ to, 24 };
}

static void add(struct request *r, struct str name, struct str value)
{
    fields_add_line(&r->fields, &r->arena, (struct field){ name, value, field_id_of(name) });
}

void h2_connect_begin(struct h2_exchange *x, const struct h2_head *h)
{
    struct request *r = &x->request;
    r->method = METHOD_GET;
    r->method_name = STR("GET");
    r->may_upgrade = true;
    r->framing = (struct framing){ .kind = FRAMING_NONE };
    x->body_done = true; /* what comes is the tunnel's */
    x->is_connect = true;
    add(r, STR("Connection"), STR("Upgrade"));
    add(r, STR("Upgrade"), h->protocol);
    if (str_eq_nocase(h->protocol, STR("websocket")) &&
        fields_index_of(&r->fields, STR("Sec-WebSocket-Key"), 0) == r->fields.n)
        add(r, STR("Sec-WebSocket-Key"), make_key(r));
}
