#include "deploy/errand.h"

#include <string.h>

#include "cache/coded.h"
#include "request/route.h"
#include "request/source_origin.h"

static struct errand *errand_of(struct request *r)
{
    return CONTAINER_OF(r, struct errand, request);
}

/* ---- its front ---- */

static enum front_sent take(struct request *r, const struct reply *head, const struct iovec *iov, unsigned n,
                            bool last)
{
    struct errand *x = errand_of(r);
    (void)last;
    if (head) {
        x->status = head->status;
        x->coding = arena_dup(&x->arena, response_value(r->coded ? r->coded->response : r->object->response,
                                                        FIELD_CONTENT_ENCODING));
    }
    for (unsigned i = 0; i < n && x->body_most; i++) {
        struct str piece = { iov[i].iov_base, iov[i].iov_len };
        size_t room = x->body_most - x->body.n;
        buf_add(&x->body, str_first(piece, room));
    }
    return FRONT_SENT;
}

static void note(struct request *r)
{
    (void)r;
}

static bool took(struct request *r)
{
    (void)r;
    return true;
}

static uint64_t held(struct request *r)
{
    (void)r;
    return 0;
}

static bool interim(struct request *r, int status, const struct fields *fields)
{
    (void)r;
    (void)status;
    (void)fields;
    return false;
}

static void want_body(struct request *r)
{
    (void)r;
}

static void over(struct letter *l)
{
    struct errand *x = CONTAINER_OF(l, struct errand, end);
    CHECK(x->is_open && x->ends && x->request.step == STEP_DONE);
    x->is_open = x->ends = false;
    if (x->is_aborted)
        x->status = 0;
    x->of->open--;
    x->done(x);
}

static void ended(struct request *r)
{
    struct errand *x = errand_of(r);
    CHECK(!x->ends);
    x->reason = r->reason;
    x->ends = true;
    x->end.open = over;
    loop_defer(r->w->loop, &x->end);
}

static const struct front_ops ops = { .send = take,
                                      .note = note,
                                      .took = took,
                                      .held = held,
                                      .interim = interim,
                                      .want_body = want_body,
                                      .done = ended };

/* ---- its life ---- */

void errands_init(struct errands *e, const struct requests *like, struct settings *settings)
{
    memset(e, 0, sizeof(*e));
    requests_init_like(&e->requests, like, settings);
    e->requests.source = &source_origin;
    e->requests.counters = &e->counters;
    CHECK(address_parse(STR("127.0.0.1:0"), &e->peer));
}

void errands_fini(struct errands *e)
{
    CHECK(e->open == 0);
    requests_fini(&e->requests);
}

static void add(struct errand *x, enum field_id id, struct str value)
{
    CHECK(x->fields.n < ERRAND_FIELDS_MAX);
    fields_add_id(&x->fields, &x->arena, id, arena_dup(&x->arena, value));
}

static void write_fields(struct errand *x, const struct errand_plan *plan)
{
    x->fields = (struct fields){ .v = x->table, .cap = ERRAND_FIELDS_MAX };
    add(x, FIELD_HOST, plan->host);
    fields_add(&x->fields, &x->arena, STR("User-Agent"), STR("freshet/" FRESHET_VERSION));
    if (plan->can_wait)
        fields_add(&x->fields, &x->arena, STR("Sec-Purpose"), STR("prefetch"));
    add(x, FIELD_ACCEPT, plan->accept.n ? plan->accept : STR("*/*"));
    add(x, FIELD_ACCEPT_ENCODING, plan->is_plain ? STR("identity") : STR("gzip, deflate, br, zstd"));
}

void errand_start(struct errand *x, const struct errand_plan *plan)
{
    struct request *r = &x->request;
    CHECK(!x->is_open && x->of && x->done);
    if (r->tag != REQUEST_TAG) {
        request_init(r, &x->of->requests, &ops);
        arena_init(&x->arena, 1024);
    } else {
        request_reset(r);
        arena_rewind(&x->arena);
        buf_clear(&x->body);
    }
    x->status = 0;
    x->reason = REASON_NONE;
    x->is_aborted = false;
    x->coding = STR_NONE;
    x->body_most = plan->body_most;
    x->is_open = true;
    x->of->open++;
    write_fields(x, plan);
    r->method = METHOD_GET;
    r->method_name = STR("GET");
    r->target = arena_dup(&x->arena, plan->target);
    r->protocol = STR("1.1");
    r->needs_host = true;
    r->https = plan->https;
    r->asks_origin = plan->asks_origin;
    r->for_site = plan->site;
    r->fields = x->fields;
    r->peer = &x->of->peer;
    if (request_start(r) == REQUEST_DONE)
        ended(r);
}

void errand_abort(struct errand *x)
{
    if (!x->is_open)
        return;
    x->is_aborted = true;
    if (x->ends)
        return;
    request_abort(&x->request);
    ended(&x->request);
}

void errand_fini(struct errand *x)
{
    CHECK(!x->is_open);
    if (x->request.tag != REQUEST_TAG)
        return;
    request_fini(&x->request);
    arena_fini(&x->arena);
    buf_fini(&x->body);
}
