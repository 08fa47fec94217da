/* A fetch fills one object with what an origin answers, however the answer comes; an answer that did not come
 * whole is never stored, and each way in which it ends leaves nothing behind. */
#include "fetch_world.h"

/* ---- an answer that is stored ---- */

static void a_page_is_stored_when_it_is_whole(void **state)
{
    (void)state;
    struct desk d;
    struct visit v;
    desk_init(&d, "");
    visit_begin(&d, &v, "/a?x=1", OUTCOME_MISS);
    int fd = start_new(&v, "/a?x=1", "");
    assert_int_equal(object_state(v.object), OBJECT_NEW);
    assert_true(fetcher_has_readers(&d.fetcher));
    origin_say(fd, "HTTP/1.1 200 OK\r\n" FRESH "Content-Le");
    world_settle(&d.spot.world);
    assert_int_equal(object_state(v.object), OBJECT_NEW);
    origin_say(fd, "ngth: 10\r\n\r\n01");
    visit_reads(&v, "01");
    assert_int_equal(object_state(v.object), OBJECT_HEAD);
    finds(&d, "/a?x=1", OUTCOME_JOIN);
    origin_say(fd, "2345678");
    visit_reads(&v, "012345678");
    assert_int_equal(object_state(v.object), OBJECT_HEAD);
    assert_int_equal(origin_in_use(d.spot.origin), 1);
    origin_say(fd, "9");
    visit_until(&v, OBJECT_SEALED);
    visit_reads(&v, "0123456789");
    assert_true(visit_is_stored(&v));
    assert_null(v.client.fetch);
    finds(&d, "/a?x=1", OUTCOME_HIT);
    finds(&d, "/a?x=2", OUTCOME_MISS);
    assert_int_equal(origin_in_use(d.spot.origin), 0);
    assert_int_equal(pool_idle(&d.spot.pool), 1);
    assert_int_equal(spot_count(&d.spot, COUNTER_STORED), 1);
    assert_int_equal(spot_count(&d.spot, COUNTER_ORIGIN_BYTES), 10);
    assert_false(fetcher_has_readers(&d.fetcher));
    visit_end(&v);
    close(fd);
    desk_fini(&d);
}

/* Each way to say where a body ends; `kept`: the connection is good for another request. */
struct whole {
    const char *answer, *body;
    bool closes, kept;
};
static const struct whole wholes[] = {
    { "HTTP/1.1 200 OK\r\n" FRESH "Content-Length: 4\r\n\r\nbody", "body", false, true },
    { "HTTP/1.1 200 OK\r\n" FRESH "Content-Length: 0\r\n\r\n", "", false, true },
    { "HTTP/1.1 200 OK\r\n" FRESH "Content-Length: 4\r\nConnection: close\r\n\r\nbody", "body", false,
      false },
    { "HTTP/1.0 200 OK\r\n" FRESH "Content-Length: 4\r\n\r\nbody", "body", false, false },
    { "HTTP/1.1 200 OK\r\n" FRESH "Content-Length: 4\r\n\r\nbodyHTTP/1.1 200 OK\r\n", "body", false, false },
    { "HTTP/1.1 200 OK\r\n" FRESH "Transfer-Encoding: chunked\r\n\r\n2\r\nbo\r\n2;x=y\r\ndy\r\n0\r\n\r\n",
      "body", false, true },
    { "HTTP/1.1 200 OK\r\n" FRESH "Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\nX-T: x\r\n\r\n",
      "body", false, true },
    { "HTTP/1.1 200 OK\r\n" FRESH "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "", false, true },
    { "HTTP/1.1 200 OK\r\n" FRESH "Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\nmore", "body",
      false, false },
    { "HTTP/1.1 200 OK\r\n" FRESH "\r\nbody", "body", true, false },
    { "HTTP/1.1 200 OK\r\n" FRESH "\r\n", "", true, false },
    { "HTTP/1.1 204 No Content\r\n" FRESH "\r\n", NULL, false, true },
    { "HTTP/1.1 204 No Content\r\n" FRESH "Content-Length: 4\r\n\r\n", NULL, false, false },
};

/* `piece`: so many bytes at a time; 0: all at once. */
static void gets_a_whole(struct desk *d, const struct whole *w, size_t piece)
{
    struct visit v;
    visit_begin(d, &v, "/w", OUTCOME_MISS);
    int fd = start_new(&v, "/w", "");
    for (const char *rest = w->answer; *rest && !object_is_done(v.object);) {
        char bytes[512];
        snprintf(bytes, piece ? piece + 1 : sizeof(bytes), "%s", rest);
        origin_say(fd, bytes);
        rest += strlen(bytes);
        if (piece)
            world_settle(&d->spot.world);
    }
    if (w->closes) {
        visit_reads(&v, w->body);
        world_settle(&d->spot.world);
        assert_int_equal(object_state(v.object), OBJECT_HEAD);
        close(fd);
    }
    visit_until(&v, OBJECT_SEALED);
    assert_true(visit_is_stored(&v));
    if (w->body)
        visit_reads(&v, w->body);
    else
        assert_null(v.object->body);
    if (pool_idle(&d->spot.pool) != (size_t)w->kept)
        fail_msg("kept %zu: %s", pool_idle(&d->spot.pool), w->answer);
    visit_end(&v);
    if (!w->closes)
        close(fd);
    /* The next one starts without it. */
    visit_plan(d, &v, "/w");
    object_unref(v.object = index_peek(cache, &v.look.place));
    index_withdraw(v.object);
    RUN_UNTIL(&d->spot.world, pool_idle(&d->spot.pool) == 0);
}

static void every_framing_has_its_end(void **state)
{
    (void)state;
    struct desk d;
    desk_init(&d, "");
    for (size_t i = 0; i < COUNT_OF(wholes); i++)
        gets_a_whole(&d, &wholes[i], 0);
    desk_fini(&d);
}

static void every_framing_comes_in_pieces(void **state)
{
    (void)state;
    struct desk d;
    desk_init(&d, "");
    for (size_t i = 0; i < COUNT_OF(wholes); i++)
        if (!strstr(wholes[i].answer, "bodyHTTP") && !strstr(wholes[i].answer, "more"))
            gets_a_whole(&d, &wholes[i], i % 2 ? 1 : 7);
    desk_fini(&d);
}

/* ---- an answer that is not whole ---- */

struct broken {
    const char *answer;
    bool closes, resets;
    enum reason why;
};
static const struct broken brokens[] = {
    { "", true, false, REASON_ORIGIN_CLOSED },
    { "HTTP/1.1 200 OK\r\n" FRESH "Content-Le", true, false, REASON_ORIGIN_CLOSED },
    { "HTTP/1.1 200 OK\r\n" FRESH "Content-Length: 4\r\n\r\n", true, false, REASON_ORIGIN_CLOSED },
    { "HTTP/1.1 200 OK\r\n" FRESH "Content-Length: 4\r\n\r\nbod", true, false, REASON_ORIGIN_CLOSED },
    { "HTTP/1.1 200 OK\r\n" FRESH "Transfer-Encoding: chunked\r\n\r\n4\r\nbody", true, false,
      REASON_ORIGIN_CLOSED },
    { "HTTP/1.1 200 OK\r\n" FRESH "Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n", true, false,
      REASON_ORIGIN_CLOSED },
    { "HTTP/1.1 200 OK\r\n" FRESH "\r\nbody", true, true, REASON_ORIGIN_CLOSED },
    { "HTTP/1.1 103 Early Hints\r\n\r\n", true, false, REASON_ORIGIN_CLOSED },
    { "HTTP/1.1 200 OK\r\n" FRESH "Transfer-Encoding: chunked\r\n\r\n4\r\nbodyx", false, false,
      REASON_ORIGIN_INVALID },
    { "HTTP/1.1 200 OK\r\n" FRESH "Transfer-Encoding: chunked\r\n\r\nx\r\n", false, false,
      REASON_ORIGIN_INVALID },
    { "HTTP/1.1 200 OK\r\n" FRESH "Content-Length: 4\r\nContent-Length: 5\r\n\r\nbody", false, false,
      REASON_ORIGIN_INVALID },
    { "HTTP/1.1 20x OK\r\n\r\n", false, false, REASON_ORIGIN_INVALID },
    { "SSH-2.0-x\r\n", false, false, REASON_ORIGIN_INVALID },
    { "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", false, false, REASON_ORIGIN_INVALID },
    { "HTTP/1.1 304 Not Modified\r\n\r\n", false, false, REASON_ORIGIN_INVALID },
    { "HTTP/1.1 200 OK\r\nA: 1\r\nB: 1\r\nC: 1\r\nD: 1\r\nE: 1\r\nF: 1\r\nG: 1\r\nH: 1\r\nI: 1\r\n\r\n",
      false, false, REASON_ORIGIN_LIMIT },
};

static void what_is_not_whole_is_not_stored(void **state)
{
    (void)state;
    struct desk d;
    desk_init(&d, "response_header_count: 8\n");
    for (size_t i = 0; i < COUNT_OF(brokens); i++) {
        const struct broken *b = &brokens[i];
        struct visit v;
        visit_begin(&d, &v, "/b", OUTCOME_MISS);
        visit_start(&v);
        int fd = origin_accept(&d.spot);
        struct pollfd asked = { .fd = fd, .events = POLLIN };
        RUN_UNTIL(&d.spot.world, poll(&asked, 1, 0) == 1);
        if (!b->resets) /* who closes and has not read all resets */
            hear_get(&d, fd, "/b", "");
        origin_say(fd, b->answer);
        world_settle(&d.spot.world);
        if (b->closes)
            close(fd);
        visit_fails(&v, b->why, 502);
        assert_null(v.object->family);
        if (!b->closes)
            origin_hear_end(&d.spot, fd);
        finds(&d, "/b", OUTCOME_MISS);
        visit_end(&v);
    }
    assert_int_equal(spot_count(&d.spot, COUNTER_FETCHES_FAILED), COUNT_OF(brokens));
    assert_int_equal(spot_count(&d.spot, COUNTER_FETCH_RETRIES), 0);
    assert_int_equal(spot_count(&d.spot, COUNTER_STORED), 0);
    assert_int_equal(d.spot.origin->failed, COUNT_OF(brokens));
    desk_fini(&d);
}

static void interim_answers_are_told_and_bounded(void **state)
{
    (void)state;
    struct desk d;
    struct visit v;
    desk_init(&d, "");
    visit_begin(&d, &v, "/i", OUTCOME_MISS);
    int fd = start_new(&v, "/i", "");
    origin_say(fd, "HTTP/1.1 100 Continue\r\n\r\n");
    world_settle(&d.spot.world);
    assert_int_equal(v.interim, 0);
    origin_say(fd, "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n" FRESH
                   "Content-Length: 2\r\n\r\nhi");
    visit_until(&v, OBJECT_SEALED);
    assert_int_equal(v.interim, 103);
    assert_true(visit_is_stored(&v));
    visit_end(&v);
    close(fd);
    RUN_UNTIL(&d.spot.world, pool_idle(&d.spot.pool) == 0);
    visit_begin(&d, &v, "/many", OUTCOME_MISS);
    fd = start_new(&v, "/many", "");
    for (int i = 0; i < 65; i++)
        origin_say(fd, "HTTP/1.1 102 Processing\r\n\r\n");
    visit_fails(&v, REASON_ORIGIN_LIMIT, 502);
    origin_hear_end(&d.spot, fd);
    visit_end(&v);
    desk_fini(&d);
}

/* ---- asked once more ---- */

/* CACHING.md 7: a connection that was used before may have been closed by the origin while it was idle. */
static void a_dead_idle_connection_costs_nobody_an_answer(void **state)
{
    (void)state;
    struct desk d;
    struct visit v, w;
    desk_init(&d, "");
    /* Two are idle. The second try is on a new one all the same. */
    visit_begin(&d, &v, "/1", OUTCOME_MISS);
    int other = start_new(&v, "/1", "");
    visit_begin(&d, &w, "/2", OUTCOME_MISS);
    int dead = start_new(&w, "/2", "");
    origin_say(other, SMALL_PAGE);
    visit_until(&v, OBJECT_SEALED);
    origin_say(dead, SMALL_PAGE);
    visit_until(&w, OBJECT_SEALED);
    visit_end(&v);
    visit_end(&w);
    visit_begin(&d, &v, "/3", OUTCOME_MISS);
    visit_start(&v);
    hear_get(&d, dead, "/3", "");
    close(dead);
    int fd = origin_accept(&d.spot);
    hear_get(&d, fd, "/3", "");
    assert_int_equal(spot_count(&d.spot, COUNTER_FETCH_RETRIES), 1);
    assert_int_equal(pool_idle(&d.spot.pool), 1);
    origin_say(fd, SMALL_PAGE);
    visit_until(&v, OBJECT_SEALED);
    assert_true(visit_is_stored(&v));
    visit_end(&v);
    /* Once: then it is the origin's fault. */
    visit_begin(&d, &v, "/4", OUTCOME_MISS);
    visit_start(&v);
    hear_get(&d, fd, "/4", "");
    close(fd);
    fd = origin_accept(&d.spot);
    hear_get(&d, fd, "/4", "");
    close(fd);
    visit_fails(&v, REASON_ORIGIN_CLOSED, 502);
    assert_int_equal(spot_count(&d.spot, COUNTER_FETCH_RETRIES), 2);
    assert_false(origin_is_called(&d.spot));
    visit_end(&v);
    close(other);
    desk_fini(&d);
}

/* Something may have been done for it already. */
static void what_may_have_been_done_is_not_asked_again(void **state)
{
    (void)state;
    static const char *const said[] = { "", "", "HTTP/1.1 2", "HTTP/1.1 103 Early Hints\r\n\r\n",
                                        "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n" };
    struct desk d;
    struct visit v;
    desk_init(&d, "");
    for (size_t i = 0; i < COUNT_OF(said); i++) {
        char text[64];
        const char *method = i == 0 ? "POST" : i == 1 ? "PUT" : "GET";
        visit_begin_private(&d, &v, method, "/first");
        v.plan.empty_body = i < 2;
        visit_start(&v);
        int fd = origin_accept(&d.spot);
        snprintf(text, sizeof(text), "%s /first HTTP/1.1\r\n", method);
        origin_hear(&d.spot, fd, text);
        origin_hear(&d.spot, fd,
                    i < 2 ? "Host: example.org\r\nContent-Length: 0\r\n\r\n" : "Host: example.org\r\n\r\n");
        origin_say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        visit_until(&v, OBJECT_SEALED);
        visit_end(&v);
        visit_begin_private(&d, &v, method, "/again");
        if (i == 1) /* PUT is idempotent, but its body is gone */
            visit_uploads(&v, FRAMING_LENGTH, 1);
        visit_start(&v);
        snprintf(text, sizeof(text), "%s /again HTTP/1.1\r\nHost: example.org\r\n", method);
        origin_hear(&d.spot, fd, text);
        origin_say(fd, said[i]);
        world_settle(&d.spot.world);
        shutdown(fd, SHUT_RDWR);
        visit_fails(&v, REASON_ORIGIN_CLOSED, 502);
        assert_false(origin_is_called(&d.spot));
        visit_end(&v);
        close(fd);
    }
    assert_int_equal(spot_count(&d.spot, COUNTER_FETCH_RETRIES), 0);
    desk_fini(&d);
}

/* ---- for one reader ---- */

static void what_may_not_be_stored_passes(void **state)
{
    (void)state;
    struct desk d;
    struct visit v;
    desk_init(&d, "");
    visit_begin(&d, &v, "/p", OUTCOME_MISS);
    int fd = start_new(&v, "/p", "");
    origin_say(fd, "HTTP/1.1 200 OK\r\nCache-Control: private\r\nContent-Length: 4\r\n\r\nbo");
    visit_reads(&v, "bo");
    assert_true(object_is_closed(v.object));
    assert_null(v.object->family);
    assert_false(v.object->stored);
    assert_int_equal(v.object->verdict_reason, REASON_PRIVATE);
    finds(&d, "/p", OUTCOME_PASS);
    origin_say(fd, "dy");
    visit_until(&v, OBJECT_SEALED);
    visit_reads(&v, "body");
    finds(&d, "/p", OUTCOME_PASS);
    assert_int_equal(spot_count(&d.spot, COUNTER_NOT_STORED), 1);
    assert_int_equal(spot_count(&d.spot, COUNTER_STORED), 0);
    assert_int_equal(pool_idle(&d.spot.pool), 1);
    visit_end(&v);
    close(fd);
    desk_fini(&d);
}

static struct fetch *the_fetch(struct desk *d)
{
    return CONTAINER_OF(list_first(&d->fetcher.live), struct fetch, link);
}

/* Says as much as is taken. Returns how much that was. */
static size_t pour(struct desk *d, int fd, size_t most)
{
    static char bytes[65536];
    size_t n = 0;
    memset(bytes, 'x', sizeof(bytes));
    while (n < most && !the_fetch(d)->paused) {
        size_t piece = most - n < sizeof(bytes) ? most - n : sizeof(bytes);
        ssize_t sent = send(fd, bytes, piece, MSG_NOSIGNAL);
        if (sent > 0)
            n += (size_t)sent;
        loop_run_once(&d->spot.world.loop, false);
    }
    return n;
}

/* CACHING.md 7: it is read at most `window_bytes` ahead of its slowest reader, and that has its time. */
static void a_passing_body_waits_for_its_reader(void **state)
{
    (void)state;
    enum { WHOLE = 2000000, WINDOW = 32768, READ = 65536 };
    struct desk d;
    struct visit v;
    desk_init(&d, "window_bytes: 32K\nbetween_bytes_timeout: 60s\n");
    visit_begin_private(&d, &v, "GET", "/long");
    int fd = start_new(&v, "/long", "");
    origin_say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n");
    visit_until(&v, OBJECT_HEAD);
    unsigned waits = 0;
    for (size_t sent = 0; sent < WHOLE;) {
        sent += pour(&d, fd, WHOLE - sent);
        if (sent == WHOLE)
            break;
        uint64_t there = body_length(v.object->body);
        assert_in_range(there - v.watch.slowest, WINDOW + 1, WINDOW + READ);
        assert_in_range(cache->memory.passing_bytes, 1, 2 * (WINDOW + READ));
        if (waits++ == 0) {
            turn(&d, 600000);
            assert_int_equal(object_state(v.object), OBJECT_HEAD);
            assert_int_equal(body_length(v.object->body), there);
        }
        v.watch.slowest = v.watch.furthest = there;
        object_reader_moved(v.object, &d.spot.world.loop);
        RUN_UNTIL(&d.spot.world, !the_fetch(&d)->paused || body_length(v.object->body) > there);
    }
    assert_in_range(waits, 10, 60);
    /* The rest, of which there may be a window. */
    while (!object_is_done(v.object)) {
        v.watch.slowest = v.watch.furthest = body_length(v.object->body);
        object_reader_moved(v.object, &d.spot.world.loop);
        loop_run_once(&d.spot.world.loop, false);
    }
    assert_int_equal(object_state(v.object), OBJECT_SEALED);
    assert_int_equal(body_length(v.object->body), WHOLE);
    visit_end(&v);
    close(fd);
    desk_fini(&d);
}

/* CACHING.md 7: what may be stored is fetched to its end for those who come; anything else ends. */
static void goes_on_without_readers_when_it_may_be_stored(void **state)
{
    (void)state;
    struct desk d;
    struct visit v;
    desk_init(&d, "");
    for (int with_head = 0; with_head < 2; with_head++) {
        visit_begin(&d, &v, with_head ? "/head" : "/none", OUTCOME_MISS);
        int fd = start_new(&v, with_head ? "/head" : "/none", "");
        if (with_head) {
            origin_say(fd, "HTTP/1.1 200 OK\r\n" FRESH "Content-Length: 4\r\n\r\nbo");
            visit_reads(&v, "bo");
        }
        assert_false(fetch_is_for_client(&v.client));
        visit_leave(&v);
        assert_false(fetcher_has_readers(&d.fetcher));
        origin_hears_nothing(&d.spot, fd);
        origin_say(fd, with_head ? "dy" : "HTTP/1.1 200 OK\r\n" FRESH "Content-Length: 4\r\n\r\nbody");
        visit_until(&v, OBJECT_SEALED);
        visit_end(&v);
        finds(&d, with_head ? "/head" : "/none", OUTCOME_HIT);
        close(fd);
        RUN_UNTIL(&d.spot.world, pool_idle(&d.spot.pool) == 0);
    }
    desk_fini(&d);
}

static void ends_with_its_last_reader_when_it_may_not(void **state)
{
    (void)state;
    static const char passing[] = "HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: 4\r\n\r\nbo";
    struct desk d;
    struct visit v;
    desk_init(&d, "");
    /* Before the head; in the body; and an answer that shows only then that it is for one reader. */
    for (int when = 0; when < 3; when++) {
        if (when == 2)
            visit_begin(&d, &v, "/x", OUTCOME_MISS);
        else
            visit_begin_private(&d, &v, "GET", "/x");
        int fd = start_new(&v, "/x", "");
        assert_int_equal(fetch_is_for_client(&v.client), when < 2);
        if (when == 1) {
            origin_say(fd, passing);
            visit_reads(&v, "bo");
            assert_true(fetch_is_for_client(&v.client));
        }
        if (when == 0) { /* as long as somebody else reads it goes on */
            struct watch another = { .owner = &d, .notice = &v.notice.notice };
            link_init(&another.link);
            assert_int_equal(object_watch(v.object, &another, true), OBJECT_WATCHED);
            visit_leave(&v);
            origin_hears_nothing(&d.spot, fd);
            assert_int_equal(object_state(v.object), OBJECT_NEW);
            object_unwatch(v.object, &another);
        } else {
            visit_leave(&v);
        }
        if (when == 2) {
            origin_hears_nothing(&d.spot, fd);
            origin_say(fd, passing);
        }
        visit_fails(&v, REASON_CANCELLED, 502);
        origin_hear_end(&d.spot, fd);
        visit_end(&v);
    }
    assert_int_equal(d.spot.origin->failed, 0);
    desk_fini(&d);
}

static void an_unsafe_one_ends_or_goes_on_as_the_site_says(void **state)
{
    (void)state;
    struct desk d;
    struct visit v;
    desk_init(&d, "");
    for (int end = 0; end < 2; end++) {
        d.spot.site->end_unsafe = end;
        visit_begin_private(&d, &v, "POST", "/u");
        visit_start(&v);
        int fd = origin_accept(&d.spot);
        origin_hear(&d.spot, fd, "POST /u HTTP/1.1\r\nHost: example.org\r\n\r\n");
        assert_int_equal(fetch_is_for_client(&v.client), end);
        visit_leave(&v);
        if (!end) {
            origin_hears_nothing(&d.spot, fd);
            origin_say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n");
        }
        visit_fails(&v, REASON_CANCELLED, 502);
        origin_hear_end(&d.spot, fd);
        visit_end(&v);
    }
    desk_fini(&d);
}

/* ---- too large ---- */

static void a_body_over_the_limit_passes(void **state)
{
    (void)state;
    struct desk d;
    struct visit v;
    desk_init(&d, "object_bytes: 8\n");
    static const char *const answers[][2] = {
        { "HTTP/1.1 200 OK\r\n" FRESH "Content-Length: 9\r\n\r\n1234", "56789" },
        { "HTTP/1.1 200 OK\r\n" FRESH "Transfer-Encoding: chunked\r\n\r\n4\r\n1234\r\n",
          "5\r\n56789\r\n0\r\n\r\n" },
        { "HTTP/1.1 200 OK\r\n" FRESH "Connection: close\r\n\r\n1234", "56789" },
    };
    for (size_t i = 0; i < COUNT_OF(answers); i++) {
        char target[8];
        snprintf(target, sizeof(target), "/%zu", i);
        visit_begin(&d, &v, target, OUTCOME_MISS);
        int fd = start_new(&v, target, "");
        origin_say(fd, answers[i][0]);
        visit_reads(&v, "1234");
        assert_int_equal(object_is_closed(v.object), i == 0);
        origin_say(fd, answers[i][1]);
        visit_reads(&v, "123456789");
        assert_true(object_is_closed(v.object));
        assert_null(v.object->family);
        if (i == 2)
            shutdown(fd, SHUT_RDWR);
        visit_until(&v, OBJECT_SEALED);
        assert_false(visit_is_stored(&v));
        assert_int_equal(index_facts(cache, &v.look.place, now.mono_ms).last_reason, REASON_TOO_LARGE);
        finds(&d, target, OUTCOME_PASS);
        visit_end(&v);
        close(fd);
        RUN_UNTIL(&d.spot.world, pool_idle(&d.spot.pool) == 0);
    }
    /* One byte less is a page. */
    visit_begin(&d, &v, "/fits", OUTCOME_MISS);
    int fd = start_new(&v, "/fits", "");
    origin_say(fd, "HTTP/1.1 200 OK\r\n" FRESH "\r\n12345678");
    visit_reads(&v, "12345678");
    close(fd);
    visit_until(&v, OBJECT_SEALED);
    assert_true(visit_is_stored(&v));
    visit_end(&v);
    desk_fini(&d);
}

/* ---- a stored page that is asked for again ---- */

static void a_304_renews_the_page(void **state)
{
    (void)state;
    struct desk d;
    struct visit v;
    desk_init(&d, "origin_connection_age: 1h\n");
    int fd = store_page(&d, "/t", TAGGED "X-Old: 1\r\nX-New: 1\r\n");
    turn(&d, 20000);
    visit_begin(&d, &v, "/t", OUTCOME_EXPIRED);
    visit_start(&v);
    hear_get(&d, fd, "/t", "If-None-Match: \"1\"\r\n");
    origin_say(fd, "HTTP/1.1 304 Not Modified\r\n" TAGGED "X-New: 2\r\n\r\n");
    visit_until(&v, OBJECT_SEALED);
    assert_true(v.object->confirmed);
    assert_true(visit_is_stored(&v));
    assert_ptr_equal(v.object->body, v.stale->body);
    assert_true(str_eq(response_reason(v.object->response), STR_NONE) || v.object->response->status == 200);
    assert_int_equal(v.object->response->status, 200);
    visit_reads(&v, "body");
    struct fields fields;
    response_fields(v.object->response, &arena, &fields, NULL);
    bool has_old = false, has_new = false;
    for (size_t i = 0; i < fields.n; i++) {
        has_old |= str_eq(fields.v[i].name, STR("X-Old")) && str_eq(fields.v[i].value, STR("1"));
        has_new |= str_eq(fields.v[i].name, STR("X-New")) && str_eq(fields.v[i].value, STR("2"));
    }
    assert_true(has_old && has_new);
    finds(&d, "/t", OUTCOME_HIT);
    assert_int_equal(spot_count(&d.spot, COUNTER_REVALIDATED), 1);
    assert_int_equal(pool_idle(&d.spot.pool), 1);
    visit_end(&v);
    /* A 304 that is of another page: asked again, without a condition, and once. */
    turn(&d, 20000);
    visit_begin(&d, &v, "/t", OUTCOME_EXPIRED);
    visit_start(&v);
    hear_get(&d, fd, "/t", "If-None-Match: \"1\"\r\n");
    origin_say(fd, "HTTP/1.1 304 Not Modified\r\nETag: \"2\"\r\n\r\n");
    origin_hear_end(&d.spot, fd);
    fd = origin_accept(&d.spot);
    hear_get(&d, fd, "/t", "");
    origin_say(fd, "HTTP/1.1 200 OK\r\nETag: \"2\"\r\n" FRESH "Content-Length: 3\r\n\r\nnew");
    visit_until(&v, OBJECT_SEALED);
    assert_false(v.object->confirmed);
    visit_reads(&v, "new");
    assert_true(visit_is_stored(&v));
    assert_true(str_eq(line_of_stored(&v, FIELD_ETAG), STR("\"2\"")));
    assert_null(v.stale->family);
    visit_end(&v);
    close(fd);
    desk_fini(&d);
}

static void a_condition_that_is_refused_is_left_out(void **state)
{
    (void)state;
    struct desk d;
    struct visit v;
    desk_init(&d, "origin_connection_age: 1h\n");
    int fd = store_page(&d, "/t", TAGGED);
    turn(&d, 20000);
    visit_begin(&d, &v, "/t", OUTCOME_EXPIRED);
    visit_start(&v);
    hear_get(&d, fd, "/t", "If-None-Match: \"1\"\r\n");
    origin_say(fd, "HTTP/1.1 412 Precondition Failed\r\nContent-Length: 0\r\n\r\n");
    origin_hear_end(&d.spot, fd);
    fd = origin_accept(&d.spot);
    hear_get(&d, fd, "/t", "");
    origin_say(fd, "HTTP/1.1 412 Precondition Failed\r\nContent-Length: 0\r\n\r\n");
    visit_until(&v, OBJECT_SEALED); /* it is the answer */
    assert_int_equal(v.object->response->status, 412);
    assert_false(origin_is_called(&d.spot));
    visit_end(&v);
    close(fd);
    desk_fini(&d);
}

/* CACHING.md 3.6. */
static void what_replaces_a_page_and_what_does_not(void **state)
{
    (void)state;
    struct desk d;
    struct visit v;
    static const struct {
        const char *answer;
        enum outcome then;
        bool background, fails;
    } cases[] = {
        { "HTTP/1.1 200 OK\r\n" FRESH "Content-Length: 3\r\n\r\nnew", OUTCOME_HIT, false, false },
        { "HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: 3\r\n\r\nnew", OUTCOME_PASS, false,
          false },
        { "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", OUTCOME_PASS, false, false },
        { "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", OUTCOME_STALE_JOIN, false, true },
        { "HTTP/1.1 200 OK\r\n" FRESH "Content-Length: 3\r\n\r\nnew", OUTCOME_HIT, true, false },
        { "HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n", OUTCOME_STALE_JOIN, true, true },
        { "", OUTCOME_STALE_JOIN, true, true },
    };
    desk_init(&d, "");
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char target[8];
        snprintf(target, sizeof(target), "/%zu", i);
        int fd = store_page(
            &d, target, "CDN-Cache-Control: max-age=10, stale-while-revalidate=100, stale-if-error=100\r\n");
        close(fd);
        RUN_UNTIL(&d.spot.world, pool_idle(&d.spot.pool) == 0);
        turn(&d, 20000);
        visit_begin(&d, &v, target, OUTCOME_STALE);
        if (cases[i].background) {
            v.plan.background = true;
            v.plan.client = NULL;
            v.plan.own = NULL;
        }
        int64_t refreshes = spot_count(&d.spot, COUNTER_REFRESHES_FAILED);
        fd = start_new(&v, target, "");
        origin_say(fd, cases[i].answer);
        if (!*cases[i].answer)
            shutdown(fd, SHUT_RDWR);
        RUN_UNTIL(&d.spot.world, object_is_done(v.object));
        assert_int_equal(object_state(v.object), cases[i].fails ? OBJECT_FAILED : OBJECT_SEALED);
        if (cases[i].fails)
            assert_true(object_next_refresh_ms(v.stale) > d.spot.world.loop.now.mono_ms);
        assert_int_equal(spot_count(&d.spot, COUNTER_REFRESHES_FAILED) - refreshes,
                         cases[i].fails && cases[i].background);
        assert_int_equal(v.stale->family != NULL, cases[i].fails);
        finds(&d, target, cases[i].then);
        visit_end(&v);
        close(fd);
        RUN_UNTIL(&d.spot.world, pool_idle(&d.spot.pool) == 0);
    }
    desk_fini(&d);
}

/* ---- parts ---- */

/* A stored part "0123" of ten bytes, and who asks for the whole. */
static int part_begin(struct desk *d, struct visit *part, struct visit *v)
{
    visit_begin(d, part, "/r", OUTCOME_MISS);
    part->plan.range = STR("bytes=0-3");
    int fd = start_new(part, "/r", "Range: bytes=0-3\r\n");
    origin_say(fd, "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-3/10\r\n" TAGGED
                   "Content-Length: 4\r\n\r\n0123");
    visit_until(part, OBJECT_SEALED);
    assert_true(visit_is_stored(part));
    assert_true(object_is_partial(part->object));
    visit_plan(d, v, "/r");
    v->object = object_new(cache, epochs_latest(cache->epochs));
    v->plan.part = part->object;
    return fd;
}

static void a_part_and_its_rest_are_a_whole(void **state)
{
    (void)state;
    struct desk d;
    struct visit part, v;
    desk_init(&d, "combine_parts: true\n");
    int fd = part_begin(&d, &part, &v);
    visit_start(&v);
    hear_get(&d, fd, "/r", "Range: bytes=4-\r\n");
    origin_say(fd, "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 4-9/10\r\n" TAGGED
                   "Content-Length: 6\r\n\r\n456789");
    visit_until(&v, OBJECT_SEALED);
    visit_reads(&v, "0123456789");
    assert_int_equal(v.object->response->status, 200);
    assert_false(object_is_partial(v.object));
    assert_true(visit_is_stored(&v));
    finds(&d, "/r", OUTCOME_HIT);
    visit_end(&v);
    visit_end(&part);
    close(fd);
    desk_fini(&d);
}

static void a_rest_of_something_else_is_no_rest(void **state)
{
    (void)state;
    static const char *const others[] = {
        "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 4-9/10\r\nETag: \"2\"\r\nContent-Length: "
        "6\r\n\r\n",
        "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 5-9/10\r\n" TAGGED "Content-Length: 5\r\n\r\n",
        "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 4-10/11\r\n" TAGGED "Content-Length: 7\r\n\r\n",
        "HTTP/1.1 416 Range Not Satisfiable\r\nContent-Length: 0\r\n\r\n",
    };
    struct desk d;
    struct visit part, v;
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        desk_init(&d, "combine_parts: true\n");
        int fd = part_begin(&d, &part, &v);
        visit_start(&v);
        hear_get(&d, fd, "/r", "Range: bytes=4-\r\n");
        origin_say(fd, others[i]);
        origin_hear_end(&d.spot, fd);
        fd = origin_accept(&d.spot);
        hear_get(&d, fd, "/r", "");
        origin_say(fd, SMALL_PAGE);
        visit_until(&v, OBJECT_SEALED);
        visit_reads(&v, "body");
        assert_true(visit_is_stored(&v));
        visit_end(&v);
        visit_end(&part);
        close(fd);
        desk_fini(&d);
    }
}

/* The whole may be too large though both of its pieces are not; the reader gets it all the same. */
static void a_whole_of_parts_that_is_too_large_passes(void **state)
{
    (void)state;
    struct desk d;
    struct visit part, v;
    for (int memory = 0; memory < 2; memory++) {
        desk_init(&d, "combine_parts: true\n");
        int fd = part_begin(&d, &part, &v);
        int64_t taken = 0;
        if (memory) { /* room for a head, not for a body */
            taken = cache->memory.budget_bytes - memory_used(&cache->memory) - 3000;
            memory_charge(&cache->memory, taken);
        } else {
            d.spot.site->object_bytes = 8;
        }
        visit_start(&v);
        hear_get(&d, fd, "/r", "Range: bytes=4-\r\n");
        origin_say(fd, "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 4-9/10\r\n" TAGGED
                       "Content-Length: 6\r\n\r\n456");
        visit_reads(&v, "0123456");
        assert_true(object_is_closed(v.object));
        assert_false(v.object->stored);
        assert_int_equal(v.object->verdict_reason, memory ? REASON_NO_MEMORY : REASON_TOO_LARGE);
        origin_say(fd, "789");
        visit_until(&v, OBJECT_SEALED);
        visit_reads(&v, "0123456789");
        assert_null(v.object->family);
        visit_end(&v);
        visit_end(&part);
        close(fd);
        memory_charge(&cache->memory, -taken);
        desk_fini(&d);
    }
}

/* ---- purges and the end of the process ---- */

static void a_page_that_is_purged_meanwhile_is_not_found(void **state)
{
    (void)state;
    struct desk d;
    struct visit v;
    uint64_t name;
    desk_init(&d, "");
    visit_begin(&d, &v, "/purged", OUTCOME_MISS);
    int fd = start_new(&v, "/purged", "");
    origin_say(fd, "HTTP/1.1 200 OK\r\n" FRESH "Content-Length: 4\r\n\r\nbo");
    visit_reads(&v, "bo");
    assert_true(name_of_url(cache, &v.plan.key, &arena, &name));
    epochs_purge(cache->epochs, PURGE_HARD, &name, 1, now.mono_ms);
    origin_say(fd, "dy");
    visit_until(&v, OBJECT_SEALED);
    visit_reads(&v, "body");
    assert_int_equal(spot_count(&d.spot, COUNTER_STORED), 0);
    finds(&d, "/purged", OUTCOME_MISS);
    visit_end(&v);
    close(fd);
    desk_fini(&d);
}

static void all_are_ended_in_each_step(void **state)
{
    (void)state;
    struct desk d;
    struct visit queued, asked, answered, passing;
    desk_init(&d, "origin_connections: 3\n");
    visit_begin(&d, &asked, "/asked", OUTCOME_MISS);
    int fd[3] = { start_new(&asked, "/asked", "") };
    visit_begin(&d, &answered, "/answered", OUTCOME_MISS);
    fd[1] = start_new(&answered, "/answered", "");
    origin_say(fd[1], "HTTP/1.1 200 OK\r\n" FRESH "Content-Length: 4\r\n\r\nbo");
    visit_reads(&answered, "bo");
    visit_begin_private(&d, &passing, "GET", "/passing");
    fd[2] = start_new(&passing, "/passing", "");
    origin_say(fd[2], "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbo");
    visit_reads(&passing, "bo");
    visit_begin(&d, &queued, "/queued", OUTCOME_MISS);
    visit_start(&queued);
    world_settle(&d.spot.world);
    assert_int_equal(d.spot.origin->waiting, 1);
    fetcher_cancel_all(&d.fetcher);
    fetcher_cancel_all(&d.fetcher);
    struct visit *all[] = { &queued, &asked, &answered, &passing };
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        visit_fails(all[i], REASON_DRAINING, 503);
        assert_null(all[i]->object->family);
        visit_end(all[i]);
    }
    for (int i = 0; i < 3; i++)
        origin_hear_end(&d.spot, fd[i]);
    assert_int_equal(d.spot.origin->failed, 0);
    finds(&d, "/answered", OUTCOME_MISS);
    desk_fini(&d);
}

/* ---- time ---- */

static void waits_no_longer_than_the_site_says(void **state)
{
    (void)state;
    struct desk d;
    struct visit v, w;
    desk_init(
        &d,
        "first_byte_timeout: 100s\nbetween_bytes_timeout: 200s\norigin_connections: 1\nqueue_timeout: 50s\n"
        "origin_queue: 1\n");
    visit_begin(&d, &v, "/f", OUTCOME_MISS);
    int fd = start_new(&v, "/f", "");
    visit_begin(&d, &w, "/q", OUTCOME_MISS);
    visit_start(&w);
    turn(&d, 60000);
    visit_fails(&w, REASON_QUEUE_TIMEOUT, 503);
    visit_end(&w);
    origin_say(fd, "HTTP/1.1 200 OK\r\n"); /* a piece of a head is no answer */
    turn(&d, 20000);
    assert_int_equal(object_state(v.object), OBJECT_NEW);
    turn(&d, 30000);
    visit_fails(&v, REASON_FIRST_BYTE_TIMEOUT, 504);
    origin_hear_end(&d.spot, fd);
    visit_end(&v);
    visit_begin(&d, &v, "/b", OUTCOME_MISS);
    fd = start_new(&v, "/b", "");
    origin_say(fd, "HTTP/1.1 200 OK\r\n" FRESH "Content-Length: 4\r\n\r\n");
    for (int i = 0; i < 3; i++) { /* each byte gives it the time anew */
        visit_until(&v, OBJECT_HEAD);
        turn(&d, 150000);
        assert_int_equal(object_state(v.object), OBJECT_HEAD);
        origin_say(fd, "x");
        visit_reads(&v, i == 0 ? "x" : i == 1 ? "xx" : "xxx");
    }
    visit_begin(&d, &w, "/w", OUTCOME_MISS);
    visit_start(&w);
    struct visit full;
    visit_begin(&d, &full, "/full", OUTCOME_MISS);
    visit_start(&full);
    visit_fails(&full, REASON_QUEUE_FULL, 503);
    visit_end(&full);
    visit_leave(&w);
    turn(&d, 210000);
    visit_fails(&v, REASON_BETWEEN_TIMEOUT, 504);
    finds(&d, "/b", OUTCOME_MISS);
    origin_hear_end(&d.spot, fd);
    visit_end(&v);
    visit_fails(&w, REASON_QUEUE_TIMEOUT, 503);
    visit_end(&w);
    desk_fini(&d);
}

/* As a request does it: it waits once the fetch has begun. */
static void start_low(struct visit *v)
{
    v->plan.object = v->object;
    v->plan.place = v->look.place;
    v->plan.low_priority = true;
    fetch_start(&v->desk->fetcher, &v->plan);
    assert_int_equal(object_watch(v->object, &v->watch, true), OBJECT_WATCHED);
    v->reads = true;
}

/* CACHING.md 6.8: a fetch of low priority becomes an ordinary one when somebody waits for its object, also
 * when that one joined before it began. */
static void is_of_low_priority_until_somebody_waits(void **state)
{
    (void)state;
    struct desk d;
    struct visit held, low, joined, early;
    desk_init(&d, "origin_connections: 1\norigin_queue: 3\n");
    visit_begin(&d, &held, "/held", OUTCOME_MISS);
    int fd = start_new(&held, "/held", "");
    visit_begin(&d, &low, "/low", OUTCOME_MISS);
    start_low(&low);
    assert_true(object_is_low(low.object));
    assert_true(low.client.fetch->ticket.low);
    visit_begin(&d, &joined, "/joined", OUTCOME_MISS);
    start_low(&joined);
    object_hurry(joined.object, &d.spot.world.loop);
    object_hurry(joined.object, &d.spot.world.loop);
    assert_false(object_is_low(joined.object));
    world_settle(&d.spot.world);
    assert_false(joined.client.fetch->ticket.low);
    assert_true(low.client.fetch->ticket.low);
    assert_int_equal(d.spot.origin->waiting, 1);
    assert_int_equal(d.spot.origin->waiting_low, 1);
    visit_begin(&d, &early, "/early", OUTCOME_MISS);
    early.plan.low_priority = true;
    visit_start(&early);
    assert_false(object_is_low(early.object));
    assert_false(early.client.fetch->ticket.low);
    origin_say(fd, SMALL_PAGE);
    visit_until(&held, OBJECT_SEALED);
    const char *targets[] = { "/joined", "/early", "/low" };
    struct visit *order[] = { &joined, &early, &low };
    for (size_t i = 0; i < COUNT_OF(order); i++) {
        hear_get(&d, fd, targets[i], "");
        origin_say(fd, SMALL_PAGE);
        RUN_UNTIL(&d.spot.world, object_state(order[i]->object) == OBJECT_SEALED);
        visit_end(order[i]);
    }
    visit_end(&held);
    close(fd);
    desk_fini(&d);
}

/* The time for the first byte is that of the request which was sent: it does not run while it waits for a
 * connection to send it again on. */
static void a_second_try_has_its_own_time(void **state)
{
    (void)state;
    struct desk d;
    struct visit v, w;
    desk_init(&d, "first_byte_timeout: 100s\norigin_connections: 1\nqueue_timeout: 600s\n");
    int fd = store_page(&d, "/first", FRESH);
    visit_begin(&d, &v, "/again", OUTCOME_MISS);
    visit_start(&v);
    hear_get(&d, fd, "/again", "");
    visit_begin(&d, &w, "/other", OUTCOME_MISS);
    visit_start(&w);
    turn(&d, 80000);
    shutdown(fd, SHUT_RDWR);
    int other = origin_accept(&d.spot); /* who waits gets the place first */
    hear_get(&d, other, "/other", "");
    RUN_UNTIL(&d.spot.world, v.client.fetch->ticket.state == TICKET_QUEUED);
    turn(&d, 40000);
    assert_int_equal(object_state(v.object), OBJECT_NEW);
    origin_say(other, SMALL_PAGE);
    visit_until(&w, OBJECT_SEALED);
    close(fd);
    fd = origin_accept(&d.spot);
    hear_get(&d, fd, "/again", "");
    origin_say(fd, SMALL_PAGE);
    visit_until(&v, OBJECT_SEALED);
    visit_end(&v);
    visit_end(&w);
    close(fd);
    close(other);
    desk_fini(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_page_is_stored_when_it_is_whole),
        cmocka_unit_test(every_framing_has_its_end),
        cmocka_unit_test(every_framing_comes_in_pieces),
        cmocka_unit_test(what_is_not_whole_is_not_stored),
        cmocka_unit_test(interim_answers_are_told_and_bounded),
        cmocka_unit_test(a_dead_idle_connection_costs_nobody_an_answer),
        cmocka_unit_test(what_may_have_been_done_is_not_asked_again),
        cmocka_unit_test(what_may_not_be_stored_passes),
        cmocka_unit_test(a_passing_body_waits_for_its_reader),
        cmocka_unit_test(goes_on_without_readers_when_it_may_be_stored),
        cmocka_unit_test(ends_with_its_last_reader_when_it_may_not),
        cmocka_unit_test(an_unsafe_one_ends_or_goes_on_as_the_site_says),
        cmocka_unit_test(a_body_over_the_limit_passes),
        cmocka_unit_test(a_304_renews_the_page),
        cmocka_unit_test(a_condition_that_is_refused_is_left_out),
        cmocka_unit_test(what_replaces_a_page_and_what_does_not),
        cmocka_unit_test(a_part_and_its_rest_are_a_whole),
        cmocka_unit_test(a_rest_of_something_else_is_no_rest),
        cmocka_unit_test(a_whole_of_parts_that_is_too_large_passes),
        cmocka_unit_test(a_page_that_is_purged_meanwhile_is_not_found),
        cmocka_unit_test(all_are_ended_in_each_step),
        cmocka_unit_test(waits_no_longer_than_the_site_says),
        cmocka_unit_test(is_of_low_priority_until_somebody_waits),
        cmocka_unit_test(a_second_try_has_its_own_time),
    };
    RUN_ALL_WAYS(tests, spot_folder_make, spot_folder_remove);
}
