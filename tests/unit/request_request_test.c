/* The machine of a request: a source fills its object, at once or later; it waits, joins others, delivers,
 * and ends in one way, whatever happens. The test plays the source and the front. */
#include "request_test.h"

/* ---- a source that answers later ---- */

static void answer_the_rest(struct timer *t)
{
    struct filling *f = CONTAINER_OF(t, struct filling, timer);
    fill_bytes(f, "of a page");
    fill_end(f);
}

static void answer_the_head(struct timer *t)
{
    struct filling *f = CONTAINER_OF(t, struct filling, timer);
    fill_head(f, &(struct answer_head){ 0 });
    fill_bytes(f, "the body ");
    timer_start(&f->spot->world.loop, &f->timer, 1000, answer_the_rest);
}

static void answer_after_a_timer(struct filling *f)
{
    timer_start(&f->spot->world.loop, &f->timer, 1000, answer_the_head);
}

/* 2.1: it fills one object for three who wait. */
static void a_source_that_answers_after_a_timer_fills_an_object_for_three(void **state)
{
    (void)state;
    struct spot p;
    struct visitor v[3], later;
    spot_init(&p, "");
    p.on_start = answer_after_a_timer;
    for (int i = 0; i < 3; i++) {
        visitor_ask(&p, &v[i], "/page");
        assert_false(v[i].ended);
        assert_int_equal(v[i].request.step, STEP_AWAIT);
    }
    assert_int_equal(p.started, 1);
    assert_int_equal(object_readers(p.fillings[0].object), 3);
    world_settle(&p.world);
    for (int i = 0; i < 3; i++)
        assert_int_equal(v[i].sends, 0);
    spot_turn(&p, 2000);
    RUN_UNTIL(&p.world, v[0].sends && v[1].sends && v[2].sends);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(v[i].status, 200);
        assert_true(str_eq(buf_str(&v[i].got), STR("the body ")));
        assert_int_equal(v[i].request.step, STEP_SEND);
        assert_false(v[i].ended);
    }
    assert_true(str_eq(v[0].cache_status, STR("freshet; fwd=uri-miss; stored")));
    assert_true(str_eq(v[1].cache_status, STR("freshet; fwd=uri-miss; stored; collapsed")));
    spot_turn(&p, 2000);
    for (int i = 0; i < 3; i++) {
        visitor_gets(&v[i], 200, "the body of a page");
        assert_true(v[i].told);
    }
    assert_int_equal(spot_count(&p, COUNTER_MISSES), 1);
    assert_int_equal(spot_count(&p, COUNTER_JOINS), 2);
    visitor_ask(&p, &later, "/page");
    visitor_gets(&later, 200, "the body of a page");
    assert_false(later.told);
    assert_int_equal(spot_count(&p, COUNTER_HITS), 1);
    assert_int_equal(p.started, 1);
    spot_fini(&p);
}

/* ---- a source that answers at once ---- */

static void answer_at_once(struct filling *f)
{
    fill_page(f, "at once");
}

/* The request is over when request_start returns, and nobody is told of it by a notice. */
static void a_source_may_answer_at_once(void **state)
{
    (void)state;
    struct spot p;
    struct visitor v;
    spot_init(&p, "");
    p.on_start = answer_at_once;
    for (int i = 0; i < 3; i++) {
        visitor_ask(&p, &v, "/page");
        assert_true(v.ended);
        visitor_gets(&v, 200, "at once");
        assert_false(v.told);
    }
    assert_int_equal(p.started, 1);
    assert_int_equal(spot_count(&p, COUNTER_HITS), 2);
    spot_fini(&p);
}

static void fail_at_once(struct filling *f)
{
    fill_fail(f, REASON_CONNECT_FAILED, 502);
}

/* ---- a source that fails ---- */

static void all_who_wait_for_what_fails_get_the_error(void **state)
{
    (void)state;
    struct spot p;
    struct visitor v[3];
    spot_init(&p, "");
    for (int i = 0; i < 3; i++)
        visitor_ask(&p, &v[i], "/page");
    fill_fail(&p.fillings[0], REASON_FIRST_BYTE_TIMEOUT, 504);
    for (int i = 0; i < 3; i++) {
        RUN_UNTIL(&p.world, v[i].ended);
        assert_int_equal(v[i].status, 504);
        assert_int_equal(v[i].request.reason, REASON_FIRST_BYTE_TIMEOUT);
        assert_true(str_starts(buf_str(&v[i].got), STR("504 Gateway Timeout\n\nThe origin did not answer")));
        assert_false(v[i].cut);
        visitor_go(&v[i]);
    }
    assert_int_equal(p.started, 1);
    assert_int_equal(spot_count(&p, COUNTER_ERRORS), 3);
    p.on_start = fail_at_once;
    visitor_ask(&p, &v[0], "/page");
    assert_true(v[0].ended);
    assert_int_equal(v[0].status, 502);
    visitor_go(&v[0]);
    spot_fini(&p);
}

/* Nobody waits for the answer any more, the leader's client went away: another one of them asks. */
static void who_waits_for_what_nobody_fetches_asks_again(void **state)
{
    (void)state;
    struct spot p;
    struct visitor v[3];
    spot_init(&p, "");
    for (int i = 0; i < 3; i++)
        visitor_ask(&p, &v[i], "/page");
    fill_fail(&p.fillings[0], REASON_CLIENT_GONE, 502);
    RUN_UNTIL(&p.world, v[0].ended && p.started == 2);
    assert_int_equal(v[0].status, 502);
    visitor_go(&v[0]);
    world_settle(&p.world);
    assert_int_equal(p.started, 2);
    fill_page(&p.fillings[1], "from the second");
    visitor_gets(&v[1], 200, "from the second");
    visitor_gets(&v[2], 200, "from the second");
    spot_fini(&p);
}

/* F1: after its first byte a reply that cannot be whole is cut, and never ends as if it were. */
static void a_failure_in_the_middle_cuts_all_replies(void **state)
{
    (void)state;
    struct spot p;
    struct visitor v[2];
    spot_init(&p, "");
    visitor_ask(&p, &v[0], "/page");
    visitor_ask(&p, &v[1], "/page");
    fill_head(&p.fillings[0], &(struct answer_head){ 0 });
    fill_bytes(&p.fillings[0], "half of ");
    RUN_UNTIL(&p.world, v[0].sends && v[1].sends);
    fill_fail(&p.fillings[0], REASON_ORIGIN_CLOSED, 502);
    RUN_UNTIL(&p.world, v[0].ended && v[1].ended);
    for (int i = 0; i < 2; i++) {
        assert_true(v[i].cut);
        assert_false(v[i].last);
        assert_int_equal(v[i].status, 200);
        assert_int_equal(v[i].request.reason, REASON_ORIGIN_CLOSED);
        visitor_go(&v[i]);
    }
    visitor_ask(&p, &v[0], "/page"); /* it is not stored */
    assert_int_equal(p.started, 2);
    fill_page(&p.fillings[1], "whole");
    visitor_gets(&v[0], 200, "whole");
    spot_fini(&p);
}

/* 3.5: what is stale is served while the origin fails. */
static void a_stale_page_stands_in_for_a_failure(void **state)
{
    (void)state;
    struct spot p;
    struct visitor v;
    spot_init(&p, "");
    visitor_ask(&p, &v, "/page");
    fill_whole(&p.fillings[0], &(struct answer_head){ .stale_error_ms = 600000 }, "old");
    visitor_gets(&v, 200, "old");
    spot_turn(&p, 120000);
    visitor_ask(&p, &v, "/page");
    assert_int_equal(p.started, 2);
    fill_fail(&p.fillings[1], REASON_CONNECT_FAILED, 502);
    visitor_gets(&v, 200, "old");
    assert_int_equal(spot_count(&p, COUNTER_STALE_HITS), 1);
    assert_int_equal(spot_count(&p, COUNTER_ERRORS), 0);
    spot_fini(&p);
}

/* ---- an answer that may not be stored ---- */

/* 2.4: those who waited for it go at once, each by itself. */
static void three_who_wait_for_what_is_not_stored_ask_each_for_itself(void **state)
{
    (void)state;
    struct spot p;
    struct visitor v[3];
    const struct answer_head private = { .refused = REASON_PRIVATE };
    spot_init(&p, "");
    for (int i = 0; i < 3; i++)
        visitor_ask(&p, &v[i], "/page");
    assert_int_equal(p.started, 1);
    fill_whole(&p.fillings[0], &private, "for the first");
    visitor_gets(&v[0], 200, "for the first");
    RUN_UNTIL(&p.world, p.started == 3);
    assert_ptr_not_equal(p.fillings[1].object, p.fillings[2].object);
    fill_whole(&p.fillings[2], &private, "for the third");
    fill_whole(&p.fillings[1], &private, "for the second");
    visitor_gets(&v[1], 200, "for the second");
    visitor_gets(&v[2], 200, "for the third");
    assert_true(str_eq(v[2].cache_status, STR("freshet; fwd=uri-miss; detail=private")));
    assert_int_equal(p.started, 3);
    spot_fini(&p);
}

/* A reason that the next answer may not have: they look again, and one of them asks for the others. */
static void those_who_may_share_the_next_answer_look_again_together(void **state)
{
    (void)state;
    struct spot p;
    struct visitor v[3];
    spot_init(&p, "");
    for (int i = 0; i < 3; i++)
        visitor_ask(&p, &v[i], "/page");
    fill_whole(&p.fillings[0], &(struct answer_head){ .refused = REASON_NOT_SHARED }, "for the first");
    visitor_gets(&v[0], 200, "for the first");
    RUN_UNTIL(&p.world, p.started == 2);
    world_settle(&p.world);
    assert_int_equal(p.started, 2);
    fill_page(&p.fillings[1], "for both");
    visitor_gets(&v[1], 200, "for both");
    visitor_gets(&v[2], 200, "for both");
    spot_fini(&p);
}

/* C2: who waits for another's fetch has a patience of its own, and then asks alone. */
static void who_has_waited_too_long_asks_alone(void **state)
{
    (void)state;
    struct spot p;
    struct visitor v[2];
    spot_init(&p, "wait_timeout: 5s\n");
    visitor_ask(&p, &v[0], "/page");
    visitor_ask(&p, &v[1], "/page");
    spot_turn(&p, 4000);
    assert_int_equal(p.started, 1);
    spot_turn(&p, 2000);
    RUN_UNTIL(&p.world, p.started == 2);
    assert_true(v[1].request.alone);
    fill_whole(&p.fillings[1], &(struct answer_head){ .refused = REASON_NOT_SHARED }, "alone");
    visitor_gets(&v[1], 200, "alone");
    assert_false(v[0].ended); /* who started the fetch waits as long as the source does */
    fill_page(&p.fillings[0], "in the end");
    visitor_gets(&v[0], 200, "in the end");
    spot_fini(&p);
}

/* B1: what is stale is sent at once, and the source fills another object behind. */
static void a_stale_page_is_refreshed_in_the_background(void **state)
{
    (void)state;
    struct spot p;
    struct visitor v;
    spot_init(&p, "");
    visitor_ask(&p, &v, "/page");
    fill_whole(&p.fillings[0], &(struct answer_head){ .stale_while_ms = 600000 }, "old");
    visitor_gets(&v, 200, "old");
    assert_false(p.fillings[0].background);
    spot_turn(&p, 120000);
    visitor_ask(&p, &v, "/page");
    visitor_gets(&v, 200, "old");
    assert_false(v.told);
    assert_int_equal(p.started, 2);
    assert_true(p.fillings[1].background);
    visitor_ask(&p, &v, "/page");
    visitor_gets(&v, 200, "old");
    assert_int_equal(p.started, 2); /* one refresh for all */
    fill_page(&p.fillings[1], "new");
    visitor_ask(&p, &v, "/page");
    visitor_gets(&v, 200, "new");
    spot_fini(&p);
}

/* ---- clients who leave ---- */

/* C10: a waiter who leaves takes nothing from the others. */
static void a_client_leaves_while_it_waits(void **state)
{
    (void)state;
    struct spot p;
    struct visitor v[3];
    spot_init(&p, "");
    for (int i = 0; i < 3; i++)
        visitor_ask(&p, &v[i], "/page");
    visitor_leaves(&v[1]);
    assert_int_equal(v[1].request.reason, REASON_CLIENT_GONE);
    assert_int_equal(p.left, 1);
    visitor_go(&v[1]);
    assert_int_equal(object_readers(p.fillings[0].object), 2);
    visitor_leaves(&v[0]); /* who started it */
    visitor_go(&v[0]);
    assert_int_equal(object_readers(p.fillings[0].object), 1);
    fill_page(&p.fillings[0], "for who stayed");
    visitor_gets(&v[2], 200, "for who stayed");
    assert_int_equal(spot_count(&p, COUNTER_ABORTS), 2);
    spot_fini(&p);
}

/* E1: nobody waits any more, and the page is stored nevertheless. */
static void the_only_client_leaves_and_the_source_goes_on(void **state)
{
    (void)state;
    struct spot p;
    struct visitor v;
    spot_init(&p, "");
    visitor_ask(&p, &v, "/page");
    visitor_leaves(&v);
    visitor_go(&v);
    world_settle(&p.world);
    assert_int_equal(p.left, 1);
    assert_true(p.fillings[0].room_notices > 0); /* the last reader has left */
    fill_page(&p.fillings[0], "for the next");
    visitor_ask(&p, &v, "/page");
    visitor_gets(&v, 200, "for the next");
    assert_int_equal(p.started, 1);
    spot_fini(&p);
}

/* It ends with a send under way, with one that finds the client gone, and while the source brings no more. */
static void a_request_ends_while_it_delivers(void **state)
{
    (void)state;
    struct spot p;
    struct visitor v[4];
    spot_init(&p, "");
    for (int i = 0; i < 4; i++)
        visitor_come(&p, &v[i], "/page", NULL);
    v[0].holds = v[1].holds = true;
    v[2].breaks = true;
    for (int i = 0; i < 4; i++)
        visitor_start(&v[i]);
    fill_head(&p.fillings[0], &(struct answer_head){ 0 });
    fill_bytes(&p.fillings[0], "half of it");
    RUN_UNTIL(&p.world, v[0].sends && v[1].sends && v[2].ended && v[3].sends);
    assert_true(v[2].told);
    visitor_go(&v[2]);
    assert_true(v[0].request.sending);
    visitor_leaves(&v[0]);
    visitor_go(&v[0]);
    visitor_takes(&v[1], -1); /* the write is lost */
    assert_true(v[1].ended);
    assert_int_equal(v[1].request.reason, REASON_CLIENT_GONE);
    visitor_go(&v[1]);
    assert_false(v[3].request.sending);
    visitor_leaves(&v[3]);
    assert_int_equal(v[3].request.bytes_sent, 10);
    request_abort(&v[3].request); /* over is over */
    visitor_go(&v[3]);
    assert_int_equal(spot_count(&p, COUNTER_ABORTS), 4);
    assert_int_equal(object_readers(p.fillings[0].object), 0);
    fill_end(&p.fillings[0]);
    spot_fini(&p);
}

/* S: a client that takes nothing is cut off after send_timeout, and the front is told so once. */
static void a_client_that_takes_nothing_is_given_up(void **state)
{
    (void)state;
    struct spot p;
    struct visitor v, w;
    spot_init(&p, "send_timeout: 20s\n");
    p.on_start = answer_at_once;
    visitor_come(&p, &v, "/page", NULL);
    visitor_come(&p, &w, "/page", NULL);
    v.holds = w.holds = true;
    visitor_start(&v);
    visitor_start(&w);
    for (int s = 0; s < 19; s++) {
        spot_turn(&p, 1000);
        request_moved(&w.request); /* slow is not gone */
    }
    assert_false(v.ended);
    spot_turn(&p, 10000);
    RUN_UNTIL(&p.world, v.ended);
    assert_true(v.told);
    assert_true(v.request.gone);
    assert_int_equal(v.request.reason, REASON_NONE); /* its last byte is with the kernel */
    visitor_go(&v);
    assert_false(w.ended);
    w.holds = false;
    visitor_takes(&w, 0);
    visitor_gets(&w, 200, "at once");
    spot_fini(&p);
}

/* ---- what is refused, and what is not looked up ---- */

static void answers_itself_what_nobody_needs_to_be_asked(void **state)
{
    (void)state;
    static const struct {
        const char *target, *lines;
        int status;
    } rows[] = {
        { "/page", "Cache-Control: only-if-cached", 504 },
        { "/page", "Via: 1.1 freshet-0a1b2c3d", 508 },
        { "no target", "", 400 },
        { "/page", "Host: example.org", 400 }, /* the second one */
        { "/other", "Cache-Control: only-if-cached", 504 },
    };
    struct spot p;
    spot_init(&p, "hosts: [example.org]\nclient_directives: true\n");
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct visitor v;
        visitor_come(&p, &v, rows[i].target, rows[i].lines);
        visitor_start(&v);
        assert_true(v.ended);
        if (v.status != rows[i].status)
            fail_msg("%s with %s: %d instead of %d", rows[i].target, rows[i].lines, v.status, rows[i].status);
        visitor_go(&v);
    }
    struct visitor v;
    visitor_come(&p, &v, "/page", NULL);
    v.request.fields.v[0].value = STR("example.net");
    visitor_start(&v);
    assert_int_equal(v.status, 421);
    visitor_go(&v);
    assert_int_equal(p.started, 0);
    spot_fini(&p);
}

/* It keeps the settings with which it began, and they are freed with the last request that has them. */
static void keeps_its_settings_over_a_reload(void **state)
{
    (void)state;
    struct spot p;
    struct visitor old, new;
    spot_init(&p, "hosts: [example.org]\n");
    visitor_ask(&p, &old, "/page");
    struct settings *first = old.request.settings;
    requests_set_settings(&p.requests, settings_of("hosts: [example.net]\n"));
    assert_int_equal(old.request.snapshot->users, 1);
    assert_ptr_not_equal(p.requests.snapshot->settings, first);
    visitor_ask(&p, &new, "/page");
    assert_int_equal(new.status, 421);
    visitor_go(&new);
    assert_ptr_equal(old.request.settings, first);
    fill_page(&p.fillings[0], "under the old ones");
    visitor_gets(&old, 200, "under the old ones");
    assert_int_equal(p.requests.snapshot->users, 1);
    spot_fini(&p);
}

/* ---- the request's body ---- */

static void post(struct spot *p, struct visitor *v, struct framing framing)
{
    visitor_come(p, v, "/form", NULL);
    v->request.method = METHOD_POST;
    v->request.method_name = STR("POST");
    v->request.framing = framing;
    visitor_start(v);
}

static const struct framing chunks = { .kind = FRAMING_CHUNKED };

/* A source that takes bodies whole is asked when it is whole. */
static void a_body_is_collected_for_a_source_that_wants_it_whole(void **state)
{
    (void)state;
    struct spot p;
    struct visitor v;
    spot_init(&p, "");
    p.source.body_max = 8;
    post(&p, &v, chunks);
    assert_int_equal(v.wants_body, 1);
    assert_int_equal(request_body(&v.request, STR("four")), 4);
    assert_int_equal(request_body(&v.request, STR("more")), 4);
    assert_int_equal(p.started, 0);
    assert_int_equal(p.requests.buffered, 8);
    request_body_end(&v.request, true);
    assert_int_equal(p.started, 1);
    assert_true(str_eq(buf_str(&v.request.collected), STR("fourmore")));
    fill_whole(&p.fillings[0], &(struct answer_head){ .refused = REASON_METHOD }, "thanks");
    visitor_gets(&v, 200, "thanks");
    /* One byte more than it takes; and what follows is dropped. */
    post(&p, &v, chunks);
    assert_int_equal(request_body(&v.request, STR("four")), 4);
    assert_int_equal(request_body(&v.request, STR("more!")), 5);
    assert_true(v.ended);
    assert_int_equal(v.status, 413);
    visitor_go(&v);
    /* The length is enough to know. */
    post(&p, &v, (struct framing){ .kind = FRAMING_LENGTH, .length = 9 });
    assert_true(v.ended);
    assert_int_equal(v.status, 413);
    assert_int_equal(v.wants_body, 0);
    visitor_go(&v);
    /* The client leaves in the middle. */
    post(&p, &v, chunks);
    assert_int_equal(request_body(&v.request, STR("four")), 4);
    visitor_leaves(&v);
    visitor_go(&v);
    assert_int_equal(p.started, 1);
    spot_fini(&p);
}

/* CACHING.md 7: what all requests of a worker collect has a limit, and what one gives back another one may
 * have. */
static void all_that_is_collected_has_a_limit(void **state)
{
    (void)state;
    const size_t most = (size_t)64 << 20;
    static char megabyte[1 << 20];
    const struct str piece = { megabyte, sizeof(megabyte) };
    struct spot p;
    struct visitor first, second, third;
    spot_init(&p, "upload_length: buffer\nupload_buffer: 64M\nrequest_body: 200M\n");
    post(&p, &first, chunks);
    post(&p, &second, chunks);
    for (size_t n = piece.n; n < most; n += piece.n)
        assert_int_equal(request_body(&first.request, piece), piece.n);
    assert_int_equal(request_body(&second.request, str_first(piece, piece.n - 1)), piece.n - 1);
    assert_int_equal(p.requests.buffered, most - 1);
    assert_int_equal(request_body(&second.request, STR("x")), 1);
    assert_false(second.ended);
    assert_int_equal(p.requests.buffered, most);
    post(&p, &third, chunks);
    assert_int_equal(request_body(&third.request, STR("x")), 1);
    assert_true(third.ended);
    assert_int_equal(third.status, 503);
    assert_int_equal(third.request.reason, REASON_NO_MEMORY);
    visitor_go(&third);
    assert_int_equal(p.requests.buffered, most);
    visitor_leaves(&second);
    visitor_go(&second);
    assert_int_equal(p.requests.buffered, most - piece.n);
    post(&p, &third, chunks);
    assert_int_equal(request_body(&third.request, STR("x")), 1);
    request_body_end(&third.request, true);
    assert_int_equal(p.started, 1);
    fill_whole(&p.fillings[0], &(struct answer_head){ .refused = REASON_METHOD }, "thanks");
    visitor_gets(&third, 200, "thanks");
    visitor_leaves(&first);
    visitor_go(&first);
    spot_fini(&p);
}

/* A short body that the origin takes as it comes is collected too, so that it takes no connection while it
 * comes. */
static void a_short_body_is_collected(void **state)
{
    (void)state;
    const struct framing six = { .kind = FRAMING_LENGTH, .length = 6 };
    struct spot p;
    struct visitor v;
    spot_init(&p, "");
    post(&p, &v, six);
    assert_int_equal(p.started, 0);
    assert_int_equal(v.wants_body, 1);
    assert_int_equal(request_body(&v.request, STR("abc")), 3);
    assert_int_equal(p.requests.buffered, 3);
    assert_int_equal(request_body(&v.request, STR("def")), 3);
    assert_int_equal(p.started, 0);
    request_body_end(&v.request, true);
    assert_int_equal(p.started, 1);
    assert_int_equal(v.request.upload->state, UPLOAD_ENDED);
    assert_int_equal(v.request.upload->framing.kind, FRAMING_LENGTH);
    assert_int_equal(v.request.upload->framing.length, 6);
    assert_int_equal(v.request.upload->n, 6);
    assert_false(request_body_late(&v.request));
    fill_whole(&p.fillings[0], &(struct answer_head){ .refused = REASON_METHOD }, "thanks");
    visitor_gets(&v, 200, "thanks");
    /* Too slow: nobody has any of it, so there is an answer. */
    post(&p, &v, six);
    assert_int_equal(request_body(&v.request, STR("abc")), 3);
    assert_true(request_body_late(&v.request));
    assert_true(v.ended);
    assert_int_equal(v.status, 408);
    visitor_go(&v);
    assert_int_equal(p.requests.buffered, 0);
    post(&p, &v, six);
    assert_int_equal(request_body(&v.request, STR("abc")), 3);
    visitor_leaves(&v);
    visitor_go(&v);
    assert_int_equal(p.started, 1);
    spot_fini(&p);
}

static void others_go_on_as_they_come(void **state)
{
    (void)state;
    static const struct {
        struct framing framing;
        const char *lines;
        bool awaits, collects;
    } rows[] = {
        { { .kind = FRAMING_LENGTH, .length = UPLOAD_RING_BYTES }, NULL, false, true },
        { { .kind = FRAMING_LENGTH, .length = UPLOAD_RING_BYTES + 1 }, NULL, false, false },
        { { .kind = FRAMING_CHUNKED }, NULL, false, false },
        { { .kind = FRAMING_LENGTH, .length = 6 }, "Incremental: ?1", false, false },
        { { .kind = FRAMING_LENGTH, .length = 6 }, "Incremental: ?0", false, true },
        { { .kind = FRAMING_LENGTH, .length = 6 }, "Expect: 100-continue", true, false },
        { { .kind = FRAMING_LENGTH, .length = 6 }, "Expect: 100-continue", false, true },
    };
    struct spot p;
    struct visitor v;
    spot_init(&p, "");
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        visitor_come(&p, &v, "/form", rows[i].lines);
        v.request.method = METHOD_POST;
        v.request.method_name = STR("POST");
        v.request.framing = rows[i].framing;
        v.request.awaits_continue = rows[i].awaits;
        size_t before = p.started;
        visitor_start(&v);
        if ((p.started == before) != rows[i].collects)
            fail_msg("row %zu is %scollected", i, rows[i].collects ? "not " : "");
        if (!rows[i].collects)
            fill_fail(&p.fillings[before], REASON_CLIENT_GONE, 502);
        visitor_leaves(&v);
        visitor_go(&v);
    }
    spot_fini(&p);
}

/* When all that may be collected is there, a short body goes on as it comes: who came, and of the client who
 * holds most. Both lose nothing. */
static void without_room_a_short_body_goes_on(void **state)
{
    (void)state;
    enum { MOST = 1024 };
    static struct visitor all[MOST];
    static char bytes[UPLOAD_RING_BYTES];
    const struct framing whole = { .kind = FRAMING_LENGTH, .length = sizeof(bytes) };
    const struct str piece = { bytes, sizeof(bytes) - 1 };
    struct spot p;
    struct visitor last, other;
    spot_init(&p, "");
    for (size_t i = 0; i < MOST; i++) {
        post(&p, &all[i], whole);
        assert_int_equal(request_body(&all[i].request, piece), piece.n);
    }
    assert_int_equal(p.requests.buffered, MOST * piece.n);
    /* The same client: his own. */
    post(&p, &last, whole);
    assert_int_equal(request_body(&last.request, STR("abc")), 3);
    assert_int_equal(request_body(&last.request, str_first(piece, MOST)), 0);
    assert_int_equal(p.started, 0);
    unsigned wanted = last.wants_body;
    RUN_UNTIL(&p.world, p.started == 1);
    assert_int_equal(last.wants_body, wanted + 1);
    assert_int_equal(last.request.upload->n, 3);
    assert_int_equal(last.request.upload->state, UPLOAD_OPEN);
    assert_int_equal(request_body(&last.request, str_first(piece, MOST)), MOST);
    assert_int_equal(last.request.upload->received, MOST + 3);
    assert_int_equal(p.requests.buffered, MOST * piece.n);
    /* Another one: the oldest of who holds most. */
    visitor_come(&p, &other, "/form", NULL);
    assert_true(address_parse_ip(STR("203.0.113.9"), 0, &other.peer));
    other.request.method = METHOD_POST;
    other.request.method_name = STR("POST");
    other.request.framing = whole;
    visitor_start(&other);
    assert_int_equal(request_body(&other.request, str_first(piece, MOST + 1)), MOST + 1);
    assert_int_equal(request_body(&all[0].request, STR("z")), 0);
    RUN_UNTIL(&p.world, p.started == 2);
    assert_false(all[0].ended);
    assert_int_equal(all[0].request.upload->n, piece.n);
    assert_int_equal(request_body(&all[0].request, STR("z")), 1);
    request_body_end(&all[0].request, true);
    assert_int_equal(all[0].request.upload->state, UPLOAD_ENDED);
    fill_whole(&p.fillings[1], &(struct answer_head){ .refused = REASON_METHOD }, "thanks");
    visitor_gets(&all[0], 200, "thanks");
    fill_fail(&p.fillings[0], REASON_CLIENT_GONE, 502);
    for (size_t i = 1; i < MOST; i++) {
        visitor_leaves(&all[i]);
        visitor_go(&all[i]);
    }
    visitor_leaves(&other);
    visitor_go(&other);
    RUN_UNTIL(&p.world, last.ended);
    visitor_go(&last);
    spot_fini(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_source_that_answers_after_a_timer_fills_an_object_for_three),
        cmocka_unit_test(a_source_may_answer_at_once),
        cmocka_unit_test(all_who_wait_for_what_fails_get_the_error),
        cmocka_unit_test(who_waits_for_what_nobody_fetches_asks_again),
        cmocka_unit_test(a_failure_in_the_middle_cuts_all_replies),
        cmocka_unit_test(a_stale_page_stands_in_for_a_failure),
        cmocka_unit_test(three_who_wait_for_what_is_not_stored_ask_each_for_itself),
        cmocka_unit_test(those_who_may_share_the_next_answer_look_again_together),
        cmocka_unit_test(who_has_waited_too_long_asks_alone),
        cmocka_unit_test(a_stale_page_is_refreshed_in_the_background),
        cmocka_unit_test(a_client_leaves_while_it_waits),
        cmocka_unit_test(the_only_client_leaves_and_the_source_goes_on),
        cmocka_unit_test(a_request_ends_while_it_delivers),
        cmocka_unit_test(a_client_that_takes_nothing_is_given_up),
        cmocka_unit_test(answers_itself_what_nobody_needs_to_be_asked),
        cmocka_unit_test(keeps_its_settings_over_a_reload),
        cmocka_unit_test(a_body_is_collected_for_a_source_that_wants_it_whole),
        cmocka_unit_test(all_that_is_collected_has_a_limit),
        cmocka_unit_test(a_short_body_is_collected),
        cmocka_unit_test(others_go_on_as_they_come),
        cmocka_unit_test(without_room_a_short_body_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
