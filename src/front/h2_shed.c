/* What a connection of HTTP/2 holds with all its streams, and how far its client comes, for front/shed.h. */
#include "front/h2_machine.h"

static struct h2_client *client_of(struct link *l)
{
    struct h2_client *c = CONTAINER_OF(l, struct h2_client, link);
    CHECK(c->tag == H2_CLIENT_TAG);
    return c;
}

/* Does the stream wait for its client? As with HTTP/1.1, tunnels are silent by right. */
static bool waits(const struct h2_exchange *x, enum overload_step step)
{
    return !x->tunnel && (x->body_wanted || x->request.sending || x->in.n || x->stays ||
                          (step == OVERLOAD_PAUSE && request_holds(&x->request) > 0));
}

static void look(struct link *l, enum overload_step step, struct shed_look *out)
{
    struct h2_client *c = client_of(l);
    bool is_slow = c->state == CLIENT_LINGER || c->failed || c->stream->writing ||
                   (c->exchanges_n == 0 && c->served == 0);
    size_t holds = sizeof(*c) + sizeof(*c->stream) + c->text.cap + c->flying_text.cap;
    if (c->state == CLIENT_CLOSING)
        return;
    LIST_EACH(i, &c->exchanges) {
        struct h2_exchange *x = CONTAINER_OF(i, struct h2_exchange, link);
        request_save(&x->request);
        holds += sizeof(*x) + x->in.cap + request_holds(&x->request);
        is_slow = is_slow || waits(x, step);
    }
    *out = (struct shed_look){
        .watch = &c->watch, .waits_for = c->served + 1, .peer = &c->peer, .holds = holds
    };
    if (c->state == CLIENT_OPEN && c->exchanges_n == 0 && c->served > 0 && !is_slow)
        out->kind = SHED_IDLE;
    else if (is_slow)
        out->kind = SHED_SLOW;
    if (is_slow) {
        uint64_t held = (c->stream->writing ? stream_queued(c->stream) : 0) + stream_unsent(c->stream);
        uint64_t given = c->written + c->flying_bytes;
        out->waits_for = 0; /* it may have many requests at a time, some of them stuck */
        out->progress = c->got + c->lingered + (given > held ? given - held : 0);
    }
}

static void end_idle(struct link *l)
{
    struct h2_client *c = client_of(l);
    if (!c->drains)
        h2_client_part(c);
    else
        h2_client_close(c, false);
}

static void cut(struct link *l)
{
    h2_client_cut(client_of(l), REASON_OVERLOAD);
}

void h2_shed(struct front *front, const struct front_shed *how, struct front_shed_done *done)
{
    static const struct shed_protocol h2 = { .look = look, .end_idle = end_idle, .cut = cut };
    struct h2_front *f = CONTAINER_OF(front, struct h2_front, front);
    shed_connections(front, &f->clients, &h2, how, done);
    stock_trim_all(&f->exchanges);
    h2_blocks_drop(&f->blocks);
}
