/* One stored response answers in many ways: whole, not modified, in one range or several, to HEAD; with its
 * age, its ETag and a Cache-Status that says how it came (CACHING.md 6.1 to 6.5). */
#include "request/deliver.h"
#include "request/parts.h"
#include "request/source_origin.h"

#include "cache_world.h"

#define DATE "Date: Sun, 06 Nov 1994 08:49:37 GMT"

static struct loop loop;
static struct requests requests;
static struct request request;
static uint64_t next_id;

static int begin(void **state)
{
    world_begin(state);
    loop.now = now;
    next_id = 7;
    requests = (struct requests){
        .loop = &loop, .cache = cache, .self = STR("freshet-0a1b2c3d"), .next_id = &next_id
    };
    request_init(&request, &requests, NULL);
    return 0;
}

/* The answer is forgotten, the object stays. */
static void reset(void)
{
    object_unref(request.object);
    object_unref(request.stale);
    if (request.body_held)
        body_unref(request.body);
    request.step = STEP_DONE;
    request_reset(&request);
}

static int end(void **state)
{
    reset();
    request_fini(&request);
    return world_end(state);
}

/* A sealed page with these lines and so many bytes. */
static struct object *page_with(const char *site, int status, const char *lines, size_t bytes, bool make_etag)
{
    struct object *o = object_new(cache, 1);
    struct response *response =
        response_new(&cache->memory, &(struct response_plan){ .status = status,
                                                              .fields = fields_of(lines),
                                                              .site = site_of(site),
                                                              .received_wall_ms = now.wall_ms,
                                                              .declared_length = -1 });
    struct body *body = body_new(&cache->memory, bytes);
    struct verdict v = { .store = true, .fresh = { .lifetime_ms = 60000, .age_ms = 1500 } };
    for (size_t i = 0; i < bytes; i++)
        body_append(body, (struct str){ &"0123456789"[i % 10], 1 });
    object_set_head(o, &(struct object_head){ .response = &response,
                                              .body = &body,
                                              .verdict = &v,
                                              .received_mono_ms = now.mono_ms,
                                              .fetched_status = status });
    object_seal(o, make_etag);
    return o;
}

static struct object *page(void)
{
    return page_with("", 200, DATE "\nContent-Type: text/plain\nETag: \"x\"", 100, false);
}

/* A GET that hit it; the reference goes to the request. */
static void ask(struct object *o, const char *lines)
{
    request.method = METHOD_GET;
    request.protocol = STR("1.1");
    request.source = &source_origin;
    request.site = site_of("");
    request.fields = *fields_of(lines);
    request.range = fields_value(&request.fields, FIELD_RANGE);
    request.outcome = OUTCOME_HIT;
    request.looks = 1;
    request.object = o;
    if (o)
        request.found.age = deliver_age(&request); /* as the look-up found it */
}

static struct str extra(const char *name)
{
    struct str value = STR_NONE;
    for (unsigned i = 0; i < request.reply.extra_n; i++)
        if (str_eq_nocase(request.reply.extra[i].name, str_from(name))) {
            assert_null(value.p); /* once */
            value = request.reply.extra[i].value;
        }
    return value;
}

/* The prepared lines, "\n" for CR LF. */
static void lines_are(const char *text)
{
    struct buf b = BUF_INIT;
    for (size_t i = 0; i < request.reply.lines.n; i++)
        if (request.reply.lines.p[i] != '\r')
            buf_add_char(&b, request.reply.lines.p[i]);
    if (!str_eq(buf_str(&b), str_from(text)))
        fail_msg("%.*s instead of %s", STR_ARG(buf_str(&b)), text);
    buf_fini(&b);
}

/* ---- whole, HEAD, 304 ---- */

static void gives_the_whole(void **state)
{
    (void)state;
    struct object *o = page();
    ask(o, "");
    deliver_object(&request);
    assert_int_equal(request.reply.status, 200);
    assert_ptr_equal(request.reply.lines.p,
                     response_lines(o->response).p); /* the prepared bytes themselves */
    assert_true(request.reply.has_body);
    assert_int_equal(request.reply.length, 100);
    assert_int_equal(request.at, 0);
    assert_int_equal(request.end, 100);
    assert_ptr_equal(request.body, o->body);
    assert_str(extra("Age"), "1");
    assert_str(extra("Cache-Status"), "freshet; hit; ttl=58");
    assert_null(extra("ETag").p);
    assert_int_equal(request.reply.extra_n, 2);
}

static void gives_a_head_without_the_body(void **state)
{
    (void)state;
    ask(page(), "Range: bytes=0-1");
    request.head_only = true;
    request.range = STR_NONE; /* of a GET only */
    deliver_object(&request);
    assert_int_equal(request.reply.status, 200);
    assert_false(request.reply.has_body);
    assert_int_equal(request.reply.length, 100);
    assert_null(request.body);
    assert_int_equal(request.end, 0);
}

static void answers_conditions(void **state)
{
    (void)state;
    static const struct {
        const char *stored, *asked;
        bool not_modified;
    } rows[] = {
        { DATE "\nETag: \"x\"", "If-None-Match: \"x\"", true },
        { DATE "\nETag: \"x\"", "If-None-Match: W/\"x\"", true },
        { DATE "\nETag: W/\"x\"", "If-None-Match: \"y\", \"x\"", true },
        { DATE "\nETag: \"x\"", "If-None-Match: *", true },
        { DATE "\nETag: \"x\"", "If-None-Match: \"y\"", false },
        { DATE "\nETag: \"x\"\nLast-Modified: Sat, 05 Nov 1994 08:49:37 GMT",
          "If-None-Match: \"y\"\nIf-Modified-Since: Sat, 05 Nov 1994 08:49:37 GMT", false },
        { DATE "\nLast-Modified: Sat, 05 Nov 1994 08:49:37 GMT",
          "If-Modified-Since: Sat, 05 Nov 1994 08:49:37 GMT", true },
        { DATE "\nLast-Modified: Sat, 05 Nov 1994 08:49:38 GMT",
          "If-Modified-Since: Sat, 05 Nov 1994 08:49:37 GMT", false },
        /* For the origin: ignored on a hit. */
        { DATE "\nETag: \"x\"", "If-Match: \"y\"", false },
        { DATE "\nETag: \"x\"", "If-Unmodified-Since: Sat, 05 Nov 1904 08:49:37 GMT", false },
        /* A condition that holds comes before the range. */
        { DATE "\nETag: \"x\"", "If-None-Match: \"x\"\nRange: bytes=0-1", true },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        ask(page_with("", 200, rows[i].stored, 10, false), rows[i].asked);
        deliver_object(&request);
        if ((request.reply.status == 304) != rows[i].not_modified)
            fail_msg("%s and %s: %d", rows[i].stored, rows[i].asked, request.reply.status);
        if (rows[i].not_modified) {
            assert_false(request.reply.has_body);
            assert_int_equal(request.reply.length, -1);
            assert_null(request.body);
            assert_str(extra("Cache-Status"), "freshet; hit; ttl=58");
        }
        reset();
    }
    /* Only for a stored 200. */
    ask(page_with("", 404, DATE "\nETag: \"x\"", 10, false), "If-None-Match: \"x\"");
    deliver_object(&request);
    assert_int_equal(request.reply.status, 404);
}

/* 6.1: an ETag of our own, when the origin gave none. */
static void has_its_own_etag(void **state)
{
    (void)state;
    struct object *o = page_with("", 200, DATE, 10, true);
    ask(object_ref(o), "");
    deliver_object(&request);
    struct str etag = arena_dup(&arena, extra("ETag"));
    assert_int_equal(etag.n, 34);
    assert_true(etag.p[0] == '"' && etag.p[33] == '"');
    reset();
    ask(object_ref(o), arena_printf(&arena, "If-None-Match: %.*s", STR_ARG(etag)).p);
    deliver_object(&request);
    assert_int_equal(request.reply.status, 304);
    assert_true(str_eq(extra("ETag"), etag)); /* RFC 9110 §15.4.5 */
    reset();
    ask(object_ref(o), arena_printf(&arena, "Range: bytes=1-2\nIf-Range: %.*s", STR_ARG(etag)).p);
    deliver_object(&request);
    assert_int_equal(request.reply.status, 206);
    assert_true(str_eq(extra("ETag"), etag));
    object_unref(o);
}

static void some_statuses_have_no_body(void **state)
{
    (void)state;
    ask(page_with("", 204, DATE, 0, false), "");
    deliver_object(&request);
    assert_int_equal(request.reply.status, 204);
    assert_false(request.reply.has_body);
    assert_int_equal(request.reply.length, -1); /* RFC 9110 §8.6: no Content-Length in a 204 */
    reset();
    ask(page_with("", 200, DATE, 0, false), "");
    deliver_object(&request);
    assert_true(request.reply.has_body);
    assert_int_equal(request.reply.length, 0);
}

/* ---- ranges ---- */

static void gives_one_range(void **state)
{
    (void)state;
    static const struct {
        const char *range, *content_range;
        uint64_t at, end;
    } rows[] = {
        { "bytes=0-0", "bytes 0-0/100", 0, 1 },
        { "bytes=10-19", "bytes 10-19/100", 10, 20 },
        { "bytes=90-", "bytes 90-99/100", 90, 100 },
        { "bytes=-5", "bytes 95-99/100", 95, 100 },
        { "bytes=0-999", "bytes 0-99/100", 0, 100 },
        { "bytes=-999", "bytes 0-99/100", 0, 100 },
        { "bytes=10-19,200-", "bytes 10-19/100", 10, 20 }, /* the other one cannot be satisfied */
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        ask(page(), arena_printf(&arena, "Range: %s", rows[i].range).p);
        deliver_object(&request);
        if (request.reply.status != 206 || !str_eq(extra("Content-Range"), str_from(rows[i].content_range)))
            fail_msg("%s: %d %.*s", rows[i].range, request.reply.status, STR_ARG(extra("Content-Range")));
        assert_int_equal(request.at, rows[i].at);
        assert_int_equal(request.end, rows[i].end);
        assert_int_equal(request.reply.length, rows[i].end - rows[i].at);
        lines_are("ETag: \"x\"\n" DATE "\nContent-Type: text/plain\n");
        assert_non_null(request.body);
        reset();
    }
}

static void gives_the_whole_instead_of_a_range(void **state)
{
    (void)state;
    static const char *const all[] = {
        "Range: lines=0-1",
        "Range: bytes=5-1",
        "Range: bytes=a-b",
        "Range: bytes=0-1\nIf-Range: \"y\"",
        "Range: bytes=0-1\nIf-Range: W/\"x\"",
        "Range: bytes=0-1\nIf-Range: Sun, 06 Nov 1994 08:49:37 GMT",
        "Range: bytes=0-1,2-3,4-5,6-7,8-9,10-11,12-13,14-15,16-17", /* nine; eight are allowed */
        "Range: bytes=0-,0-,0-,0-",
    };
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        ask(page(), all[i]);
        deliver_object(&request);
        if (request.reply.status != 200 || request.reply.length != 100 || request.at != 0)
            fail_msg("%s: %d", all[i], request.reply.status);
        reset();
    }
    /* RFC 9110 §14.2: ranges are of a 200. */
    ask(page_with("", 404, DATE, 100, false), "Range: bytes=0-1");
    deliver_object(&request);
    assert_int_equal(request.reply.status, 404);
    reset();
    /* A page whose ranges pass gives what the origin gave. */
    ask(page(), "Range: bytes=0-1");
    request.as_came = true;
    request.outcome = OUTCOME_PASS;
    deliver_object(&request);
    assert_int_equal(request.reply.status, 200);
}

static void refuses_what_cannot_be_satisfied(void **state)
{
    (void)state;
    static const char *const all[] = { "Range: bytes=100-", "Range: bytes=100-200,300-", "Range: bytes=-0" };
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        ask(page(), all[i]);
        deliver_object(&request);
        if (request.reply.status != 416)
            fail_msg("%s: %d", all[i], request.reply.status);
        assert_str(extra("Content-Range"), "bytes */100");
        assert_int_equal(request.reply.length, 0);
        assert_int_equal(request.end, 0);
        lines_are(DATE "\n");
        assert_str(extra("Cache-Control"), "no-store");
        reset();
    }
    ask(page_with("", 200, DATE, 0, false), "Range: bytes=0-0");
    deliver_object(&request);
    assert_int_equal(request.reply.status, 416);
    assert_str(extra("Content-Range"), "bytes */0");
}

/* Of the multipart answer that was made. */
static struct str boundary(void)
{
    static const struct str type = STR_INIT("multipart/byteranges; boundary=");
    struct str value = extra("Content-Type");
    assert_true(str_starts_nocase(value, type));
    return str_from_index(value, type.n);
}

/* Heads, bytes and tail put together are a multipart body of exactly the length that was stated. */
static void gives_several_ranges(void **state)
{
    (void)state;
    ask(page(), "Range: bytes=0-1, 50-52 ,-1");
    deliver_object(&request);
    assert_int_equal(request.reply.status, 206);
    struct str mark = boundary();
    assert_null(extra("Content-Range").p);
    lines_are("ETag: \"x\"\n" DATE "\n");
    struct parts *p = request.parts;
    struct buf b = BUF_INIT;
    assert_int_equal(p->n, 3);
    for (size_t i = 0; i < p->n; i++) {
        buf_add(&b, p->v[i].head);
        for (uint64_t k = p->v[i].range.first; k <= p->v[i].range.last; k++)
            buf_add_char(&b, "0123456789"[k % 10]);
    }
    buf_add(&b, p->tail);
    assert_str(
        buf_str(&b),
        arena_printf(&arena,
                     "--%.*s\r\nContent-Type: text/plain\r\nContent-Range: bytes 0-1/100\r\n\r\n01"
                     "\r\n--%.*s\r\nContent-Type: text/plain\r\nContent-Range: bytes 50-52/100\r\n\r\n012"
                     "\r\n--%.*s\r\nContent-Type: text/plain\r\nContent-Range: bytes 99-99/100\r\n\r\n9"
                     "\r\n--%.*s--\r\n",
                     STR_ARG(mark), STR_ARG(mark), STR_ARG(mark), STR_ARG(mark))
            .p);
    assert_int_equal(request.reply.length, b.n);
    assert_int_equal(request.at, 0);
    assert_int_equal(request.end, 2);
    buf_fini(&b);
    reset();
    /* Without a type there is none in the parts. */
    ask(page_with("", 200, DATE, 100, false), "Range: bytes=0-1,3-4");
    deliver_object(&request);
    assert_int_equal(str_index(request.parts->v[0].head, 'T'), request.parts->v[0].head.n);
}

/* RFC 2046 §5.1.1: 1 to 70 bchars, not a space last; and nothing that a client sent or that an answer before
 * told. */
static void draws_its_boundaries(void **state)
{
    (void)state;
    char before[72] = "";
    for (int i = 0; i < 64; i++) {
        ask(page(), "Range: bytes=0-1,3-4\nX-Request-Id: 0123456789abcdef");
        request.request_id = STR("0123456789abcdef");
        deliver_object(&request);
        struct str mark = boundary();
        assert_in_range(mark.n, 32, 70);
        for (size_t k = 0; k < mark.n; k++)
            assert_true(is_alpha(mark.p[k]) || is_digit(mark.p[k]) || mark.p[k] == '-');
        assert_null(strstr(arena_printf(&arena, "%.*s", STR_ARG(mark)).p, "0123456789abcdef"));
        assert_false(str_eq(mark, str_from(before)));
        memcpy(before, mark.p, mark.n);
        before[mark.n] = '\0';
        reset();
    }
}

/* The body still comes: one range of a known length can be given, several cannot, and without a length
 * none. */
static void gives_ranges_of_what_grows(void **state)
{
    (void)state;
    static const struct {
        uint64_t expected;
        const char *range;
        int status;
        int64_t length;
    } rows[] = { { 100, "bytes=10-19", 206, 10 },
                 { 100, "bytes=100-", 416, 0 },
                 { 100, "bytes=0-1,3-4", 200, 100 },
                 { BODY_LENGTH_UNKNOWN, "bytes=0-1", 200, -1 } };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct object *o = object_new(cache, 1);
        struct response *response = response_new(
            &cache->memory,
            &(struct response_plan){ .status = 200, .fields = fields_of(DATE), .declared_length = -1 });
        struct body *body = body_new(&cache->memory, rows[i].expected);
        struct verdict v = { .store = true, .fresh = { .lifetime_ms = 60000 } };
        object_set_head(o, &(struct object_head){ .response = &response,
                                                  .body = &body,
                                                  .verdict = &v,
                                                  .received_mono_ms = now.mono_ms,
                                                  .fetched_status = 200 });
        ask(o, arena_printf(&arena, "Range: %s", rows[i].range).p);
        request.outcome = OUTCOME_MISS;
        deliver_object(&request);
        if (request.reply.status != rows[i].status || request.reply.length != rows[i].length)
            fail_msg("%s: %d, %lld", rows[i].range, request.reply.status, (long long)request.reply.length);
        object_fail(o, REASON_CANCELLED, 502);
        reset();
    }
}

/* 6.2, rfc9111: a stored part answers ranges inside it. */
static void gives_a_part_of_a_part(void **state)
{
    (void)state;
    static const struct {
        const char *lines;
        bool suffices;
    } rows[] = {
        { "Range: bytes=50-149", true },
        { "Range: bytes=60-69", true },
        { "Range: bytes=49-60", false },
        { "Range: bytes=140-150", false },
        { "Range: bytes=0-", false },
        { "Range: bytes=50-51,60-61", false },
        { "Range: bytes=60-69\nIf-Range: \"x\"", true },
        { "Range: bytes=60-69\nIf-Range: \"y\"", false },
        { "", false },
    };
    struct object *o = object_new(cache, 1);
    struct response *response = response_new(
        &cache->memory,
        &(struct response_plan){ .status = 206,
                                 .is_part = true,
                                 .fields = fields_of(DATE "\nETag: \"x\"\nContent-Range: bytes 50-149/1000"),
                                 .declared_length = -1 });
    struct body *body = body_new(&cache->memory, 100);
    struct verdict v = { .store = true, .fresh = { .lifetime_ms = 60000 } };
    for (size_t i = 0; i < 100; i++)
        body_append(body, STR("p"));
    object_set_head(o, &(struct object_head){ .response = &response,
                                              .body = &body,
                                              .verdict = &v,
                                              .received_mono_ms = now.mono_ms,
                                              .fetched_status = 206 });
    object_set_part(o, (struct part){ 50, 149, 1000 });
    object_seal(o, true);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        ask(object_ref(o), rows[i].lines);
        if (deliver_part_suffices(&request, o) != rows[i].suffices)
            fail_msg("%s", rows[i].lines);
        reset();
    }
    ask(object_ref(o), "Range: bytes=60-69");
    deliver_object(&request);
    assert_int_equal(request.reply.status, 206);
    assert_str(extra("Content-Range"), "bytes 60-69/1000");
    assert_int_equal(request.at, 10); /* of the stored bytes */
    assert_int_equal(request.end, 20);
    lines_are("ETag: \"x\"\n" DATE "\n");
    object_unref(o);
}

/* ---- Age and Cache-Status ---- */

static void tells_its_age(void **state)
{
    (void)state;
    struct object *o = page();
    static const struct {
        int64_t resident_ms;
        const char *age, *status;
    } rows[] = {
        { 0, "1", "freshet; hit; ttl=58" },
        { 499, "1", "freshet; hit; ttl=58" },
        { 500, "2", "freshet; hit; ttl=58" },
        { 501, "2", "freshet; hit; ttl=57" },
        { 58500, "60", "freshet; hit; ttl=0" },
        { 58501, "60", "freshet; hit; ttl=-1" },
        { 59501, "61", "freshet; hit; ttl=-2" },
        { -5000, "1", "freshet; hit; ttl=58" },
        { INT64_C(4000000000000), "2147483648", "freshet; hit; ttl=-3999999942" },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        loop.now.mono_ms = now.mono_ms + rows[i].resident_ms;
        ask(object_ref(o), "");
        deliver_object(&request);
        assert_str(extra("Age"), rows[i].age);
        assert_str(extra("Cache-Status"), rows[i].status);
        reset();
    }
    object_unref(o);
}

static void tells_how_it_came(void **state)
{
    (void)state;
    struct answer {
        enum outcome outcome;
        enum reason pass_reason, reason, verdict;
        bool stored, known, has_stale, collapsed, backing_off, stale_error, not_kept, pass, netlify;
        int fetched;
        const char *status;
    };
    static const struct answer rows[] = {
        { .outcome = OUTCOME_HIT, .status = "freshet; hit; ttl=58" },
        { .outcome = OUTCOME_STALE, .status = "freshet; hit; ttl=58; detail=refreshing" },
        { .outcome = OUTCOME_STALE_JOIN, .status = "freshet; hit; ttl=58; detail=refreshing" },
        { .outcome = OUTCOME_STALE_JOIN,
          .backing_off = true,
          .status = "freshet; hit; ttl=58; detail=refresh-backoff" },
        { .outcome = OUTCOME_EXPIRED,
          .stale_error = true,
          .status = "freshet; hit; ttl=58; detail=stale-error" },
        { .outcome = OUTCOME_MISS, .status = "freshet; fwd=uri-miss; stored" },
        { .outcome = OUTCOME_MISS, .known = true, .status = "freshet; fwd=vary-miss; stored" },
        { .outcome = OUTCOME_JOIN, .collapsed = true, .status = "freshet; fwd=uri-miss; stored; collapsed" },
        { .outcome = OUTCOME_EXPIRED, .status = "freshet; fwd=stale; stored" },
        { .outcome = OUTCOME_EXPIRED,
          .fetched = 304,
          .status = "freshet; fwd=stale; fwd-status=304; stored" },
        { .outcome = OUTCOME_JOIN,
          .has_stale = true,
          .collapsed = true,
          .status = "freshet; fwd=stale; stored; collapsed" },
        { .outcome = OUTCOME_MISS,
          .not_kept = true,
          .verdict = REASON_SET_COOKIE,
          .status = "freshet; fwd=uri-miss; detail=set-cookie" },
        { .outcome = OUTCOME_PASS,
          .pass = true,
          .not_kept = true,
          .pass_reason = REASON_METHOD,
          .verdict = REASON_METHOD,
          .status = "freshet; fwd=method" },
        { .outcome = OUTCOME_PASS,
          .pass = true,
          .not_kept = true,
          .pass_reason = REASON_REQUEST_BODY,
          .verdict = REASON_METHOD,
          .status = "freshet; fwd=bypass; detail=request-body" },
        { .outcome = OUTCOME_PASS,
          .not_kept = true,
          .pass_reason = REASON_REQUEST_NO_STORE,
          .verdict = REASON_REQUEST_NO_STORE,
          .status = "freshet; fwd=request; detail=request-no-store" },
        { .outcome = OUTCOME_PASS,
          .not_kept = true,
          .pass_reason = REASON_REQUEST_NO_STORE,
          .verdict = REASON_METHOD,
          .status = "freshet; fwd=request; detail=request-no-store" },
        { .outcome = OUTCOME_PASS,
          .not_kept = true,
          .verdict = REASON_METHOD,
          .status = "freshet; fwd=uri-miss; detail=method" },
        { .outcome = OUTCOME_PASS,
          .not_kept = true,
          .verdict = REASON_PRIVATE,
          .status = "freshet; fwd=uri-miss; detail=private" },
        /* As Netlify writes it; one cache, so one member (decision 035). */
        { .outcome = OUTCOME_HIT, .netlify = true, .status = "\"Netlify Edge\"; hit; ttl=58" },
        { .outcome = OUTCOME_STALE,
          .netlify = true,
          .status = "\"Netlify Edge\"; hit; fwd=stale; ttl=58; detail=refreshing" },
        { .outcome = OUTCOME_MISS, .netlify = true, .status = "\"Netlify Edge\"; fwd=miss; stored" },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct answer *row = &rows[i];
        struct object *o = page();
        o->stored = !row->not_kept;
        o->verdict_reason = row->verdict & 63;
        if (row->fetched)
            o->confirmed = row->fetched == 304;
        ask(o, "");
        request.site = site_of(row->netlify ? "netlify_status: true" : "");
        request.outcome = row->outcome;
        request.pass_reason = row->pass_reason;
        request.pass = row->pass;
        request.looks = !row->pass;
        request.found.known = row->known;
        request.found.backing_off = row->backing_off;
        request.collapsed = row->collapsed;
        request.stale_error = row->stale_error;
        request.stale = row->has_stale ? page() : NULL;
        deliver_object(&request);
        assert_str(extra("Cache-Status"), row->status);
        assert_str(request.cache_status, row->status);
        /* Age with everything that was there before, and with what a 304 confirmed. */
        bool from_store = row->outcome == OUTCOME_HIT || row->outcome == OUTCOME_STALE ||
                          row->outcome == OUTCOME_STALE_JOIN || row->stale_error || row->fetched == 304;
        assert_int_equal(extra("Age").n > 0, from_store);
        o->stored = true; /* as it was charged */
        reset();
    }
}

/* The longest of everything fits: the buffer must not move. */
static void every_detail_fits(void **state)
{
    (void)state;
    for (int why = REASON_NONE + 1; why < REASON_COUNT; why++) {
        struct object *o = page();
        o->confirmed = true;
        o->verdict_reason = why & 63;
        o->lifetime_ms = 0;
        loop.now.mono_ms = INT64_MAX / 2;
        ask(o, "");
        request.site = site_of("netlify_status: true");
        request.outcome = why % 2 ? OUTCOME_EXPIRED : OUTCOME_STALE;
        request.collapsed = true;
        deliver_object(&request);
        assert_true(request.cache_status.n < 180);
        reset();
        settings_unref(settings_made[--settings_made_n]);
        settings_unref(settings_made[--settings_made_n]);
        settings_unref(settings_made[--settings_made_n]);
    }
    loop.now = now;
}

/* A soft purge makes it stale before its time. */
static void a_soft_purge_shows(void **state)
{
    (void)state;
    struct object *o = page();
    ask(o, "");
    request.outcome = OUTCOME_STALE;
    request.found.age = (struct age){ 1500, 2500 };
    deliver_object(&request);
    assert_str(extra("Cache-Status"), "freshet; hit; ttl=-3; detail=refreshing");
    assert_str(extra("Age"), "1");
}

static void the_profile_dev_says_what_would_have_been(void **state)
{
    (void)state;
    struct object *o = object_new(cache, 1);
    struct response *response = response_new(
        &cache->memory, &(struct response_plan){ .status = 200,
                                                 .fields = fields_of(DATE),
                                                 .declared_length = -1,
                                                 .note = STR("dev: would store for 300 s, tags \"a\"") });
    struct body *none = NULL;
    struct verdict v = { .reason = REASON_DEV };
    object_set_head(o, &(struct object_head){
                           .response = &response, .body = &none, .verdict = &v, .fetched_status = 200 });
    object_seal(o, false);
    ask(o, "");
    request.outcome = OUTCOME_MISS;
    deliver_object(&request);
    assert_str(extra("Cache-Status"),
               "freshet; fwd=bypass; detail=\"dev: would store for 300 s, tags \\\"a\\\"\"");
}

static void shows_what_was_removed_to_who_knows_the_secret(void **state)
{
    (void)state;
    for (int debug = 0; debug < 2; debug++) {
        ask(page_with("", 200, DATE "\nNetlify-Cache-Tag: a, b\nNetlify-CDN-Cache-Control: max-age=1", 1,
                      false),
            "");
        request.debug = debug;
        deliver_object(&request);
        if (debug) {
            assert_str(extra("Debug-Netlify-Cache-Tag"), "a, b");
            assert_str(extra("Debug-Netlify-CDN-Cache-Control"), "max-age=1");
        } else {
            assert_int_equal(request.reply.extra_n, 2);
        }
        reset();
    }
    /* More than there is room for: bounded. */
    struct buf b = BUF_INIT;
    buf_add(&b, STR(DATE));
    for (int i = 0; i < 50; i++)
        buf_printf(&b, "\nNetlify-Cache-Tag: t%d", i);
    buf_add_char(&b, '\0');
    ask(page_with("", 200, b.p, 1, false), "");
    request.debug = true;
    deliver_object(&request);
    assert_int_equal(request.reply.extra_n, REPLY_EXTRA_MAX);
    assert_str(extra("Cache-Status"), "freshet; hit; ttl=58");
    buf_fini(&b);
}

static void writes_pages_of_its_own(void **state)
{
    (void)state;
    ask(NULL, "");
    request.looks = 1;
    request.outcome = OUTCOME_MISS;
    request.reason = REASON_CONNECT_FAILED;
    request.status = 502;
    request.answer = (struct answer_page){ .status = 502, .body = STR("sorry") };
    request.answer.extra[request.answer.extra_n++] =
        (struct field){ STR("Retry-After"), STR("5"), FIELD_RETRY_AFTER };
    deliver_page(&request);
    assert_int_equal(request.reply.status, 502);
    lines_are(DATE "\nCache-Control: no-store\nContent-Type: text/plain; charset=utf-8\nRetry-After: 5\n");
    assert_int_equal(object_state(request.object), OBJECT_SEALED);
    assert_false(request.object->stored);
    assert_int_equal(body_length(request.body), 5);
    assert_str(extra("Cache-Status"), "freshet; fwd=uri-miss; detail=connect-failed");
    assert_int_equal(request.reply.length, 5);
    assert_true(request.reply.has_body);
    object_unref(request.object);
    request.object = NULL;
    request.head_only = true;
    deliver_page(&request);
    assert_false(request.reply.has_body);
    assert_int_equal(request.reply.length, 5);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        T(gives_the_whole),
        T(gives_a_head_without_the_body),
        T(answers_conditions),
        T(has_its_own_etag),
        T(some_statuses_have_no_body),
        T(gives_one_range),
        T(gives_the_whole_instead_of_a_range),
        T(refuses_what_cannot_be_satisfied),
        T(gives_several_ranges),
        T(draws_its_boundaries),
        T(gives_ranges_of_what_grows),
        T(gives_a_part_of_a_part),
        T(tells_its_age),
        T(tells_how_it_came),
        T(every_detail_fits),
        T(a_soft_purge_shows),
        T(the_profile_dev_says_what_would_have_been),
        T(shows_what_was_removed_to_who_knows_the_secret),
        T(writes_pages_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
