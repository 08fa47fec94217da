/* What a connection of HTTP/1.1 holds, and how far its client comes, for front/shed.h. */
#include "front/h1_machine.h"

static struct h1 *h1_of_link(struct link *l)
{
    struct h1 *c = CONTAINER_OF(l, struct h1, link);
    CHECK(c->tag == H1_TAG);
    return c;
}

/* Is it the client that something has to come from? A tunnel is silent by right, and has limits of its own.
 * Before accepting pauses, those are given up too whose body waits here for an origin that takes none. */
static bool may_be_cut(const struct h1 *c, enum overload_step step)
{
    switch (c->state) {
    case H1_HEAD:
    case H1_DISCARD:
    case H1_LINGER: return true;
    case H1_IDLE: return c->served == 0;
    case H1_BUSY:
        return !c->tunnel && (c->body_wanted || c->x->request.sending ||
                              (step == OVERLOAD_PAUSE && request_holds(&c->x->request) > 0));
    default: return false;
    }
}

static uint64_t progress(struct h1 *c)
{
    return c->got + c->lingered + (c->state == H1_BUSY ? request_taken(&c->x->request) : 0);
}

static size_t holds(const struct h1 *c)
{
    size_t bytes = sizeof(*c) + sizeof(*c->stream);
    if (!c->x)
        return bytes;
    bytes += sizeof(*c->x) + request_holds(&c->x->request);
    if (c->x->in.p != c->x->first)
        bytes += c->x->in.cap;
    return bytes;
}

/* What does it wait for: the end of which request, or the beginning of the next one? For the first one it
 * waits once: whoever just connects has asked for nothing yet. */
static uint64_t waits_for(const struct h1 *c)
{
    return c->served * 2 + (c->state == H1_IDLE && c->served > 0);
}

static void look(struct link *l, enum overload_step step, struct shed_look *out)
{
    struct h1 *c = h1_of_link(l);
    if (c->state == H1_CLOSING)
        return;
    if (c->state == H1_BUSY)
        request_save(&c->x->request);
    *out = (struct shed_look){ .watch = &c->watch, .waits_for = waits_for(c), .peer = &c->peer };
    if (c->state == H1_IDLE && c->served > 0) {
        out->kind = SHED_IDLE;
    } else if (may_be_cut(c, step)) {
        out->kind = SHED_SLOW;
        out->progress = progress(c);
        out->holds = holds(c);
    }
}

static void end_idle(struct link *l)
{
    h1_close(h1_of_link(l));
}

static void cut(struct link *l)
{
    h1_cut(h1_of_link(l), REASON_OVERLOAD);
}

void h1_shed(struct front *front, const struct front_shed *how, struct front_shed_done *done)
{
    static const struct shed_protocol h1 = { .look = look, .end_idle = end_idle, .cut = cut };
    struct h1_front *f = CONTAINER_OF(front, struct h1_front, front);
    shed_connections(front, &f->connections, &h1, how, done);
    stock_trim_all(&f->exchanges);
}
