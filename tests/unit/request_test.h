/* What the tests of requests share: a worker's requests, a source that the test plays, and visitors whose
 * front it plays too. Everything runs on the test's thread; a test runs the loop until what it waits for has
 * come. */
#ifndef REQUEST_TEST_H
#define REQUEST_TEST_H

#include <stdio.h>
#include <stdlib.h>

#include "io_test.h"

#include "base/mem.h"
#include "cache/hints.h"
#include "cache/index.h"
#include "cache/room.h"
#include "conf/settings.h"
#include "request/request.h"
#include "request/route.h"

#define FILLINGS_MAX 64

/* An object that the source was asked to fill. */
struct filling {
    struct object *object; /* a reference, as a fetch has one */
    struct place place;    /* a copy */
    struct str asked;      /* the target, a copy */
    struct body *body;     /* while it grows */
    struct timer timer;
    struct loop_notice room; /* the readers have moved on, or the last one has left */
    unsigned room_notices;
    struct spot *spot;
    bool background, stored;
};

struct spot {
    struct world world;
    struct hash_secret secret;
    struct cache *cache;
    struct counters counters;
    struct origins origins;
    struct source source;
    struct requests requests;
    struct arena arena; /* for the test's own strings */
    uint64_t next_id;
    struct filling fillings[FILLINGS_MAX];
    size_t started;
    unsigned left;                       /* how often the source heard that a request has left */
    void (*on_start)(struct filling *f); /* the source answers at once; NULL: later, when the test says so */
};

/* ---- the source ---- */

static inline void filling_noticed(struct loop_notice *n)
{
    CONTAINER_OF(n, struct filling, room)->room_notices++;
}

static inline void played_start(struct source *s, struct request *r, struct object *o, bool background)
{
    struct spot *p = CONTAINER_OF(s, struct spot, source);
    assert_true(p->started < FILLINGS_MAX);
    struct filling *f = &p->fillings[p->started++];
    *f = (struct filling){ .object = object_ref(o), .spot = p, .background = background };
    f->asked = arena_dup(&p->arena, r->target);
    f->place.primary = arena_dup(&p->arena, r->look.place.primary);
    f->place.variant = arena_dup(&p->arena, r->look.place.variant);
    place_hash(p->cache, &f->place);
    loop_notice_init(&f->room, &p->world.loop, filling_noticed);
    object_set_fetch(o, &f->room.notice, &p->world.loop);
    index_begin(o, &f->place, p->world.loop.now.mono_ms);
    if (p->on_start)
        p->on_start(f);
}

static inline void played_leave(struct source *s, struct request *r)
{
    (void)r;
    CONTAINER_OF(s, struct spot, source)->left++;
}

/* Fields from "Name: value" lines, "\n" between them. */
static inline void fields_from(struct fields *fields, struct arena *a, const char *text)
{
    struct str rest = str_from(text), line;
    while (rest.n && (line = str_cut(&rest, '\n')).n) {
        size_t colon = str_index(line, ':');
        assert_true(colon < line.n);
        fields_add(fields, a, arena_dup(a, str_first(line, colon)),
                   arena_dup(a, str_trim(str_from_index(line, colon + 1))));
    }
}

/* An answer's head. Zero: a 200 that is stored and fresh for a minute, of unknown length. */
struct answer_head {
    int status;
    const char *lines;
    enum reason refused; /* why it is not stored; REASON_NONE: it is */
    int64_t length;      /* 0: not known */
    int64_t stale_while_ms, stale_error_ms;
};

/* NEW -> HEAD, as a fetch does it. */
static inline void fill_head(struct filling *f, const struct answer_head *a)
{
    struct spot *p = f->spot;
    struct fields fields = { 0 };
    struct object *o = f->object;
    int64_t now_ms = p->world.loop.now.mono_ms;
    fields_from(&fields, &p->arena, a->lines ? a->lines : "");
    f->stored = a->refused == REASON_NONE;
    if (f->stored)
        index_settle(o, &f->place, NULL);
    else
        index_refuse(o, &f->place, NULL, now_ms);
    struct response *response = response_new(
        &p->cache->memory, &(struct response_plan){ .status = a->status ? a->status : 200,
                                                    .fields = &fields,
                                                    .received_wall_ms = p->world.loop.now.wall_ms,
                                                    .declared_length = -1 });
    f->body = body_new(&p->cache->memory, a->length ? (uint64_t)a->length : BODY_LENGTH_UNKNOWN);
    if (!f->stored) {
        object_close(o);
        body_pass(f->body);
    }
    struct body *body = body_ref(f->body);
    struct verdict v = { .store = f->stored,
                         .reason = a->refused,
                         .fresh = { .lifetime_ms = 60000,
                                    .stale_while_ms = a->stale_while_ms,
                                    .stale_error_ms = a->stale_error_ms } };
    object_set_head(o, &(struct object_head){ .response = &response,
                                              .body = &body,
                                              .verdict = &v,
                                              .received_mono_ms = now_ms,
                                              .fetched_status = a->status ? a->status : 200 });
    object_tell(o);
}

static inline void fill_bytes(struct filling *f, const char *text)
{
    assert_int_equal(body_append(f->body, str_from(text)), strlen(text));
    object_tell(f->object);
}

/* The source has no more to do with it. */
static inline void fill_over(struct filling *f)
{
    object_set_fetch(f->object, NULL, NULL);
    body_unref(f->body);
    object_unref(f->object);
    f->object = NULL;
    f->body = NULL;
}

static inline void fill_end(struct filling *f)
{
    struct spot *p = f->spot;
    object_seal(f->object, false);
    if (f->stored)
        index_publish(f->object, &f->place, 16, p->world.loop.now.mono_ms);
    else
        index_withdraw(f->object);
    fill_over(f);
}

static inline void fill_fail(struct filling *f, enum reason why, int status)
{
    index_withdraw(f->object);
    object_fail(f->object, why, status);
    fill_over(f);
}

/* Head, body and end. */
static inline void fill_whole(struct filling *f, const struct answer_head *a, const char *text)
{
    fill_head(f, a);
    fill_bytes(f, text);
    fill_end(f);
}

static inline void fill_page(struct filling *f, const char *text)
{
    fill_whole(f, &(struct answer_head){ 0 }, text);
}

/* ---- a visitor and its front ---- */

struct visitor {
    struct request request;
    struct address peer;
    int status;
    struct buf got;          /* the body */
    struct str cache_status; /* in the spot's arena */
    bool holds;              /* a send stays pending until visitor_takes */
    bool breaks;             /* the next send finds that the client is gone */
    bool last;               /* the body is whole */
    bool cut, ended, told;   /* told: by `done`, not by a return value */
    unsigned sends, wants_body;
    void (*on_send)(struct visitor *v); /* called by each send; NULL: nothing */
    struct spot *spot;
};

static inline struct visitor *visitor_of(struct request *r)
{
    return CONTAINER_OF(r, struct visitor, request);
}

static inline enum front_sent visitor_send(struct request *r, const struct reply *head,
                                           const struct iovec *iov, unsigned n, bool last)
{
    struct visitor *v = visitor_of(r);
    assert_false(v->ended);
    assert_int_equal(head != NULL, v->sends == 0);
    assert_true(n <= REPLY_PIECES_MAX);
    v->sends++;
    if (v->on_send)
        v->on_send(v);
    if (v->breaks)
        return FRONT_BROKEN;
    if (head)
        v->status = head->status;
    for (unsigned i = 0; head && i < head->extra_n; i++)
        if (head->extra[i].id == FIELD_CACHE_STATUS)
            v->cache_status = arena_dup(&v->spot->arena, head->extra[i].value);
    for (unsigned i = 0; i < n; i++)
        buf_add(&v->got, (struct str){ iov[i].iov_base, iov[i].iov_len });
    v->last = last;
    return v->holds ? FRONT_PENDING : FRONT_SENT;
}

static inline void visitor_note(struct request *r)
{
    (void)r;
}

/* It takes nothing by itself. */
static inline bool visitor_took(struct request *r)
{
    (void)r;
    return false;
}

static inline uint64_t visitor_held(struct request *r)
{
    return r->leased;
}

static inline bool visitor_interim(struct request *r, int status, const struct fields *fields)
{
    (void)r, (void)status, (void)fields;
    return false;
}

static inline void visitor_want_body(struct request *r)
{
    visitor_of(r)->wants_body++;
}

static inline void visitor_over(struct visitor *v)
{
    assert_false(v->ended);
    v->ended = true;
    v->cut = v->request.cut;
}

static inline void visitor_done(struct request *r)
{
    struct visitor *v = visitor_of(r);
    v->told = true;
    visitor_over(v);
}

static const struct front_ops visitor_ops = { .send = visitor_send,
                                              .note = visitor_note,
                                              .took = visitor_took,
                                              .held = visitor_held,
                                              .interim = visitor_interim,
                                              .want_body = visitor_want_body,
                                              .done = visitor_done };

/* Sets the request up, without starting it. `lines`: further fields, or NULL. */
static inline void visitor_come(struct spot *p, struct visitor *v, const char *target, const char *lines)
{
    memset(v, 0, sizeof(*v));
    v->spot = p;
    struct request *r = &v->request;
    request_init(r, &p->requests, &visitor_ops);
    r->method = METHOD_GET;
    r->method_name = STR("GET");
    r->protocol = STR("1.1");
    r->peer = &v->peer;
    r->target = str_from(target);
    fields_add_id(&r->fields, &p->arena, FIELD_HOST, STR("example.org"));
    fields_from(&r->fields, &p->arena, lines ? lines : "");
}

static inline void visitor_start(struct visitor *v)
{
    if (request_start(&v->request) == REQUEST_DONE)
        visitor_over(v);
}

static inline void visitor_ask(struct spot *p, struct visitor *v, const char *target)
{
    visitor_come(p, v, target, NULL);
    visitor_start(v);
}

/* The pending send is over. */
static inline void visitor_takes(struct visitor *v, int status)
{
    if (request_sent(&v->request, status) == REQUEST_DONE)
        visitor_over(v);
}

/* The client is gone. */
static inline void visitor_leaves(struct visitor *v)
{
    request_abort(&v->request);
    visitor_over(v);
}

/* Gives back what it has. The request is over. */
static inline void visitor_go(struct visitor *v)
{
    assert_true(v->ended);
    request_reset(&v->request);
    request_fini(&v->request);
    buf_fini(&v->got);
}

/* Waits for the end. It got this, whole, and nothing else; then it goes. */
static inline void visitor_gets(struct visitor *v, int status, const char *text)
{
    RUN_UNTIL(&v->spot->world, v->ended);
    assert_int_equal(v->status, status);
    assert_false(v->cut);
    assert_true(v->last);
    if (!str_eq(buf_str(&v->got), str_from(text)))
        fail_msg("\"%.*s\" instead of \"%s\"", STR_ARG(buf_str(&v->got)), text);
    visitor_go(v);
}

/* ---- the worker ---- */

static inline struct settings *settings_of(const char *yaml)
{
    struct buf text = BUF_INIT, errors = BUF_INIT;
    buf_printf(&text, "origin: http://127.0.0.1:9\n%s", yaml);
    struct settings *s = settings_parse(buf_str(&text), STR("test"), NULL, 0, &errors);
    if (!s)
        fail_msg("%.*s", STR_ARG(buf_str(&errors)));
    buf_fini(&text);
    buf_fini(&errors);
    return s;
}

/* `yaml`: lines of the configuration besides the origin. */
static inline void spot_init(struct spot *p, const char *yaml)
{
    memset(p, 0, sizeof(*p));
    world_init(&p->world);
    arena_init(&p->arena, 16384);
    origins_init(&p->origins);
    p->source = (struct source){ .name = STR("played"),
                                 .route = route_to_site,
                                 .has_cache_status = true,
                                 .start = played_start,
                                 .leave = played_leave };
    p->cache = cache_new(&p->secret, 64 << 20);
    p->requests = (struct requests){ .loop = &p->world.loop,
                                     .log = &p->world.log,
                                     .counters = &p->counters,
                                     .cache = p->cache,
                                     .origins = &p->origins,
                                     .source = &p->source,
                                     .self = STR("freshet-0a1b2c3d"),
                                     .next_id = &p->next_id };
    list_init(&p->requests.open);
    requests_set_settings(&p->requests, settings_of(yaml));
    loop_read_clock(&p->world.loop);
}

/* Nothing is open, and nobody holds an object. */
static inline void spot_fini(struct spot *p)
{
    for (size_t i = 0; i < p->started; i++)
        assert_null(p->fillings[i].object);
    world_settle(&p->world);
    assert_true(list_is_empty(&p->requests.open));
    assert_int_equal(counter_read(&p->counters, COUNTER_REQUESTS_OPEN), 0);
    assert_int_equal(p->requests.buffered, 0);
    requests_fini(&p->requests);
    /* cache_free step by step: at the end nothing may be charged any more. */
    struct cache *c = p->cache;
    index_fini(c);
    for (size_t i = 0; i < CACHE_FILLS; i++)
        lock_fini(&c->fills[i].lock);
    evict_free(c->evict);
    hints_free(c->hints);
    epochs_free(c->epochs);
    assert_int_equal(memory_used(&c->memory), 0);
    assert_int_equal(c->memory.passing_bytes, 0);
    assert_int_equal(c->objects, 0);
    memory_fini(&c->memory);
    mem_free(c);
    origins_fini(&p->origins);
    arena_fini(&p->arena);
    world_fini(&p->world);
}

/* Turns the clock, and runs what is due. (RUN_UNTIL alone may wait for a next event after the timer has
 * fired.) */
static inline void spot_turn(struct spot *p, int64_t ms)
{
    world_turn(&p->world, ms);
    world_settle(&p->world);
}

static inline int64_t spot_count(const struct spot *p, enum counter which)
{
    return counter_read(&p->counters, which);
}

#endif
