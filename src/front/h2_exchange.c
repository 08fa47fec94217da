#include <string.h>

#include "base/mem.h"
#include "front/h2_machine.h"
#include "io/tls.h"

/* memory that a crowd took is given back so much later, since the next crowd may be on its way */
#define TRIM_MS 10000

/* ---- memory ---- */

static struct h2_exchange *take(struct h2_front *f)
{
    bool is_new;
    struct h2_exchange *x = stock_take(&f->exchanges, &is_new);
    if (!is_new) {
        CHECK(x->tag == H2_EXCHANGE_TAG);
        return x;
    }
    x->tag = H2_EXCHANGE_TAG;
    link_init(&x->link);
    link_init(&x->stirred);
    link_init(&x->flight);
    request_init(&x->request, f->front.requests, &h2_ops);
    return x;
}

struct h2_exchange *h2_next_exchange(struct h2_front *f)
{
    if (!f->next)
        f->next = take(f);
    return f->next;
}

static void trim(struct timer *t)
{
    stock_trim(&CONTAINER_OF(t, struct h2_front, trim)->exchanges);
}

/* It goes back as it was when it was new: it keeps no memory outside of itself. */
static void give(struct h2_front *f, struct h2_exchange *x)
{
    CHECK(x->request.step == STEP_DONE && !x->request.settings && !timer_is_running(&x->timer));
    CHECK(!link_is_in(&x->link) && !link_is_in(&x->stirred) && !link_is_in(&x->flight));
    if (x->in.p)
        buf_fini(&x->in);
    x->client = NULL;
    stock_give(&f->exchanges, x);
    if (stock_can_trim(&f->exchanges) && !f->front.draining && !f->front.leaving &&
        !timer_is_running(&f->trim))
        timer_start(f->front.requests->loop, &f->trim, TRIM_MS, trim);
}

/* ---- a request begins ---- */

/* Browsers use one connection for all hosts that its certificate is for (RFC 9113 §9.1.1), and at times for
 * others. */
static bool is_for_host(struct h2_client *c, struct str authority)
{
    if (!tls_is_under(c->stream) || authority.n == 0)
        return true;
    if (authority.n == c->host_n && memcmp(authority.p, c->host, c->host_n) == 0)
        return true;
    if (!tls_is_for(c->stream, authority))
        return false;
    if (authority.n <= sizeof(c->host)) {
        memcpy(c->host, authority.p, authority.n);
        c->host_n = (uint8_t)authority.n;
    }
    return true;
}

/* The authority counts, whatever Host says (RFC 9113 §8.3.1). Two of these are an error of the route step. */
static void set_host(struct request *r, struct str authority)
{
    if (!authority.p || fields_count(&r->fields, FIELD_HOST) > 1)
        return;
    for (size_t i = 0; i < r->fields.n; i++)
        if (r->fields.v[i].id == FIELD_HOST) {
            r->fields.v[i].value = authority;
            return;
        }
    fields_add_line(&r->fields, &r->arena, (struct field){ field_name(FIELD_HOST), authority, FIELD_HOST });
}

static void set_expect(struct h2_exchange *x)
{
    struct request *r = &x->request;
    if (!fields_has(&r->fields, FIELD_EXPECT))
        return;
    if (!str_eq_nocase(fields_value(&r->fields, FIELD_EXPECT), STR("100-continue")) ||
        fields_count(&r->fields, FIELD_EXPECT) != 1)
        r->refused = HTTP_ERROR_EXPECT;
    else if (!x->body_done)
        x->expects_continue = r->awaits_continue = true;
}

static void set_request(struct h2_exchange *x, struct h2_event *e)
{
    struct h2_client *c = x->client;
    struct h2_head *h = &e->head;
    struct request *r = &x->request;
    r->peer = &c->peer;
    r->https = tls_is_under(c->stream);
    r->refused = h->error;
    r->method = h->request.method;
    r->method_name = h->request.method_name;
    r->protocol = STR("2");
    r->needs_host = true;
    x->ended = e->last;
    x->body_done = h->framing.kind == FRAMING_NONE || e->last;
    if (h->error != HTTP_ERROR_NONE)
        return;
    r->target = h->request.target;
    r->fields = h->request.fields;
    r->framing = h->framing;
    set_host(r, h->authority);
    if (!is_for_host(c, h->authority.p ? h->authority : fields_value(&r->fields, FIELD_HOST)))
        r->refused = HTTP_ERROR_MISDIRECTED;
    set_expect(x);
    if (h->protocol.p)
        h2_connect_begin(x, h);
}

static void reset(struct h2_exchange *x)
{
    x->done = x->stays = x->ended = x->body_wanted = x->expects_continue = false;
    x->is_connect = x->tunnel = x->raw_wanted = x->raw_ended = x->waiting = false;
    x->sending = x->last = x->has_pieces = x->swallows = false;
    x->in = BUF_INIT;
    x->at = 0;
    x->iov_at = x->iov_n = 0;
    x->left = 0;
    x->got = x->sent = x->noted_sent = x->noted_moves = 0;
    body_pace_init(&x->pace);
}

/* A crowd may begin requests between two looks at memory. */
static bool has_room(const struct h2_client *c)
{
    const struct overload *o = h2_requests(c)->overload;
    return overload_step(o) < OVERLOAD_PAUSE || !overload_is_over(o, sizeof(struct h2_exchange));
}

void h2_exchange_begin(struct h2_client *c, struct h2_event *e)
{
    struct h2_exchange *x = c->front->next;
    struct counters *counters = h2_requests(c)->counters;
    if (!has_room(c)) {
        h2_close(c->h2, &e->stream, H2_REFUSED_STREAM);
        arena_rewind(&x->request.arena);
        return;
    }
    c->front->next = NULL;
    reset(x);
    x->client = c;
    x->stream = e->stream;
    h2_set_owner(x->stream, x);
    list_push_back(&c->exchanges, &x->link);
    c->exchanges_n++;
    c->served++;
    c->idle = false;
    count(counters, COUNTER_HTTP2_REQUESTS);
    set_request(x, e);
    if (request_start(&x->request) == REQUEST_DONE)
        h2_exchange_end(x);
}

/* ---- it ends ---- */

/* How the stream ends when the answer is not whole. */
static enum h2_code code_of_end(const struct request *r)
{
    return r->cut ? H2_INTERNAL_ERROR : H2_CANCEL;
}

static void let_go(struct h2_exchange *x, enum h2_code code)
{
    struct h2_client *c = x->client;
    CHECK(x->request.step == STEP_DONE && !x->has_pieces);
    request_reset(&x->request);
    if (x->stream)
        h2_close(c->h2, &x->stream, code);
    timer_stop(c->stream->loop, &x->timer);
    link_remove(&x->link);
    link_remove(&x->stirred);
    link_remove(&x->flight);
    c->exchanges_n--;
    give(c->front, x);
}

void h2_exchange_end(struct h2_exchange *x)
{
    let_go(x, code_of_end(&x->request));
}

void h2_exchange_abort(struct h2_exchange *x, enum h2_code code)
{
    request_abort(&x->request);
    let_go(x, code);
}

void h2_exchange_drop(struct h2_exchange *x)
{
    x->stays = x->has_pieces;
    if (!x->stays && !x->done)
        h2_exchange_abort(x, H2_CANCEL);
}
