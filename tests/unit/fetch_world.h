/* What the tests of fetches share: a worker of sorts, requests of sorts, and the origin that the test plays
 * (origin_test.h). */
#ifndef FETCH_WORLD_H
#define FETCH_WORLD_H

#include "origin_test.h"

#include "cache/names.h"
#include "origin/fetch_machine.h"

#include "cache_world.h"

#define FRESH  "CDN-Cache-Control: max-age=60\r\n"
#define TAGGED "ETag: \"1\"\r\nCDN-Cache-Control: max-age=10\r\n"

/* A worker of sorts, which has fetches and no clients. */
struct desk {
    struct spot spot;
    struct fetcher fetcher;
    _Atomic int64_t streams;
    struct log_valve streams_said;
};

static inline void desk_init(struct desk *d, const char *yaml)
{
    world_begin(NULL);
    spot_init(&d->spot, yaml);
    d->spot.site->origin_idle_timeout = 3600000;
    d->streams = 0;
    d->streams_said = (struct log_valve){ 0 };
    fetcher_init(&d->fetcher, &d->spot.world.loop, &d->spot.world.log, cache, &d->spot.pool,
                 &d->spot.counters);
    d->fetcher.streams = &d->streams;
    d->fetcher.streams_said = &d->streams_said;
}

static inline void desk_fini(struct desk *d)
{
    RUN_UNTIL(&d->spot.world, list_is_empty(&d->fetcher.live));
    assert_int_equal(spot_count(&d->spot, COUNTER_FETCHES_OPEN), 0);
    assert_int_equal(spot_count(&d->spot, COUNTER_STREAMS_OPEN), 0);
    assert_int_equal(d->streams, 0);
    fetcher_fini(&d->fetcher);
    spot_fini(&d->spot);
    world_end(NULL);
}

static inline void turn(struct desk *d, int64_t ms)
{
    world_turn(&d->spot.world, ms);
    world_settle(&d->spot.world);
}

/* ---- a request of sorts ---- */

struct visit {
    struct desk *desk;
    struct fetch_plan plan; /* a test may change it before visit_start */
    struct look look;
    struct object *object, *stale;
    struct rule *rule;
    struct watch watch;
    struct loop_notice notice;
    bool reads;
    struct fetch_client client;
    int interim; /* the latest */
    struct connection *tunnel;
    char tunnel_rest[64];
    struct upload upload;
    unsigned rooms;
    struct connection *own;
};

static inline void visit_told(struct loop_notice *n)
{
    (void)n;
}

static inline void visit_interim(struct fetch_client *c, int status, const struct fields *fields)
{
    assert_non_null(fields);
    CONTAINER_OF(c, struct visit, client)->interim = status;
}

static inline void visit_upgraded(struct fetch_client *c, struct connection *connection,
                                  const struct response_head *head, struct str rest)
{
    struct visit *v = CONTAINER_OF(c, struct visit, client);
    assert_int_equal(head->status, 101);
    assert_true(rest.n < sizeof(v->tunnel_rest));
    assert_false(connection->counted);
    snprintf(v->tunnel_rest, sizeof(v->tunnel_rest), "%.*s", STR_ARG(rest));
    v->tunnel = connection;
    connection->user = &connection_user;
    connection->ctx = &user_heard;
}

static inline void visit_room(struct upload *u)
{
    CONTAINER_OF(u, struct visit, upload)->rooms++;
}

static inline void visit_plan(struct desk *d, struct visit *v, const char *target)
{
    struct str rest = str_from(target);
    *v = (struct visit){ .desk = d };
    struct key_request key = { .site = d->spot.site->name,
                               .host = STR("example.org"),
                               .path = str_cut(&rest, '?'),
                               .query = rest,
                               .has_query = rest.p != NULL,
                               .fields = fields_of(NULL) };
    now = d->spot.world.loop.now;
    v->look = look_of("");
    v->look.place =
        (struct place){ .primary = key_primary(&key, &arena), .variant = key_variant(&key, NULL, &arena) };
    place_hash(cache, &v->look.place);
    v->plan = (struct fetch_plan){ .settings = d->spot.settings,
                                   .site = d->spot.site,
                                   .origin = d->spot.origin,
                                   .method = METHOD_GET,
                                   .method_name = STR("GET"),
                                   .key = key,
                                   .host = STR("example.org"),
                                   .target = str_from(target),
                                   .request = &no_directives,
                                   .client = &v->client,
                                   .own = &v->own,
                                   .may_store = true,
                                   .learns = true,
                                   .request_id = STR("visit") };
    v->client = (struct fetch_client){ .interim = visit_interim, .upgraded = visit_upgraded };
    loop_notice_init(&v->notice, &d->spot.world.loop, visit_told);
    link_init(&v->watch.link);
    v->watch.owner = &d->spot.world.loop;
    v->watch.notice = &v->notice.notice;
}

/* A GET whose answer may be stored; the look-up must find this. */
static inline void visit_begin(struct desk *d, struct visit *v, const char *target, enum outcome expected)
{
    visit_plan(d, v, target);
    struct found f = look_as(&v->look, expected);
    v->object = f.busy;
    v->stale = f.stored;
    v->rule = f.rule;
}

/* For one client alone. */
static inline void visit_begin_private(struct desk *d, struct visit *v, const char *method,
                                       const char *target)
{
    visit_plan(d, v, target);
    v->object = object_new(cache, epochs_latest(cache->epochs));
    v->plan.method_name = str_from(method);
    v->plan.method = str_eq(v->plan.method_name, STR("GET"))    ? METHOD_GET
                     : str_eq(v->plan.method_name, STR("HEAD")) ? METHOD_HEAD
                     : str_eq(v->plan.method_name, STR("PUT"))  ? METHOD_PUT
                                                                : METHOD_POST;
    v->plan.may_store = v->plan.learns = false;
}

static inline void visit_uploads(struct visit *v, enum framing_kind kind, uint64_t length)
{
    upload_init(&v->upload, (struct framing){ kind, length }, v, visit_room);
    v->plan.upload = &v->upload;
}

static inline void visit_start(struct visit *v)
{
    v->plan.object = v->object;
    v->plan.stale = v->stale;
    v->plan.place = v->look.place;
    assert_int_equal(object_watch(v->object, &v->watch, true), OBJECT_WATCHED);
    v->reads = true;
    fetch_start(&v->desk->fetcher, &v->plan);
}

static inline void visit_leave(struct visit *v)
{
    fetch_detach(&v->client);
    object_unwatch(v->object, &v->watch);
    v->reads = false;
}

static inline void visit_end(struct visit *v)
{
    if (v->reads)
        visit_leave(v);
    RUN_UNTIL(&v->desk->spot.world, !loop_notice_is_pending(&v->notice));
    object_unref(v->object);
    object_unref(v->stale);
    rule_unref(v->rule);
    if (v->plan.upload)
        upload_fini(&v->upload);
    pool_disown(&v->own);
}

static inline void visit_until(struct visit *v, enum object_state state)
{
    RUN_UNTIL(&v->desk->spot.world, object_state(v->object) >= state);
    if (object_state(v->object) == OBJECT_FAILED)
        fail_msg("%.*s", STR_ARG(reason_detail((enum reason)v->object->fail_reason)));
    assert_int_equal(object_state(v->object), state);
}

static inline void visit_fails(struct visit *v, enum reason why, int status)
{
    RUN_UNTIL(&v->desk->spot.world, object_is_done(v->object));
    assert_int_equal(object_state(v->object), OBJECT_FAILED);
    if (v->object->fail_reason != why)
        fail_msg("%.*s", STR_ARG(reason_detail((enum reason)v->object->fail_reason)));
    assert_int_equal(500 + v->object->fail_5xx, status);
    assert_null(v->client.fetch);
}

/* Runs the loop until the body is that long, and compares. */
static inline void visit_reads(struct visit *v, const char *text)
{
    uint64_t n = strlen(text), bytes;
    struct body *b = NULL;
    RUN_UNTIL(&v->desk->spot.world, object_state(v->object) >= OBJECT_HEAD);
    while (!(b = object_body(v->object)) || body_length(b) < n) {
        body_unref(b);
        loop_run_once(&v->desk->spot.world.loop, false);
    }
    struct body_cursor cursor = { NULL };
    struct iovec iov[16];
    assert_int_equal(body_length(b), n);
    unsigned pieces = body_lease(b, &cursor, 0, n, iov, 16, &bytes);
    assert_int_equal(bytes, n);
    for (unsigned i = 0; i < pieces; text += iov[i++].iov_len)
        assert_memory_equal(iov[i].iov_base, text, iov[i].iov_len);
    body_unref(b);
}

static inline bool visit_is_stored(const struct visit *v)
{
    return object_state(v->object) == OBJECT_SEALED && v->object->stored && v->object->family;
}

static inline struct str line_of_stored(const struct visit *v, enum field_id id)
{
    return response_value(v->object->response, id);
}

/* ---- the origin of a visit ---- */

static inline void hear_get(struct desk *d, int fd, const char *target, const char *fields)
{
    char text[512];
    snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: example.org\r\n%s\r\n", target, fields);
    origin_hear(&d->spot, fd, text);
}

/* Starts it on a new connection, up to the request that came. */
static inline int start_new(struct visit *v, const char *target, const char *fields)
{
    visit_start(v);
    int fd = origin_accept(&v->desk->spot);
    hear_get(v->desk, fd, target, fields);
    return fd;
}

/* Fetches and stores a page with "body". Returns the connection, which is idle now. */
static inline int store_page(struct desk *d, const char *target, const char *fields)
{
    struct visit v;
    char text[512];
    visit_begin(d, &v, target, OUTCOME_MISS);
    int fd = start_new(&v, target, "");
    snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\n%sContent-Length: 4\r\n\r\nbody", fields);
    origin_say(fd, text);
    visit_until(&v, OBJECT_SEALED);
    assert_true(visit_is_stored(&v));
    visit_end(&v);
    return fd;
}

static inline void finds(struct desk *d, const char *target, enum outcome expected)
{
    struct visit v;
    visit_plan(d, &v, target);
    struct found f = look_as(&v.look, expected);
    if (f.busy && expected != OUTCOME_JOIN) { /* nobody fetches it */
        index_withdraw(f.busy);
        object_fail(f.busy, REASON_CANCELLED, 502);
    }
    found_drop(&f);
}

#define SMALL_PAGE "HTTP/1.1 200 OK\r\n" FRESH "Content-Length: 4\r\n\r\nbody"

#endif
