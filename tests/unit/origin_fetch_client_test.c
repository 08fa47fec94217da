/* What a fetch has to do with the one client that started it: its upload, its upgrade, an answer without an
 * end, its log-in; and what its request does to the pages of others. */
#include "fetch_world.h"

/* ---- uploads ---- */

static void an_upload_goes_as_it_comes(void **state)
{
    (void)state;
    struct desk d;
    struct visit v;
    desk_init(&d, "");
    for (int chunked = 0; chunked < 2; chunked++) {
        visit_begin_private(&d, &v, "POST", "/up");
        visit_uploads(&v, chunked ? FRAMING_CHUNKED : FRAMING_LENGTH, 6);
        visit_start(&v);
        upload_put(&v.upload, STR("abc"));
        int fd = origin_accept(&d.spot);
        origin_hear(&d.spot, fd, "POST /up HTTP/1.1\r\nHost: example.org\r\n");
        origin_hear(&d.spot, fd,
                    chunked ? "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"
                            : "Content-Length: 6\r\n\r\nabc");
        world_settle(&d.spot.world);
        upload_put(&v.upload, STR("def"));
        upload_end(&v.upload, UPLOAD_ENDED);
        origin_hear(&d.spot, fd, chunked ? "3\r\ndef\r\n0\r\n\r\n" : "def");
        origin_say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        visit_until(&v, OBJECT_SEALED);
        visit_reads(&v, "ok");
        assert_int_equal(pool_idle(&d.spot.pool), 1);
        visit_end(&v);
        close(fd);
        RUN_UNTIL(&d.spot.world, pool_idle(&d.spot.pool) == 0);
    }
    desk_fini(&d);
}

/* The connection stands in the middle of a message. */
static void half_an_upload_leaves_no_connection(void **state)
{
    (void)state;
    struct desk d;
    struct visit v;
    desk_init(&d, "");
    for (int how = 0; how < 3; how++) {
        visit_begin_private(&d, &v, "POST", "/half");
        visit_uploads(&v, FRAMING_LENGTH, 6);
        visit_start(&v);
        upload_put(&v.upload, STR("abc"));
        int fd = origin_accept(&d.spot);
        origin_hear(&d.spot, fd, "POST /half HTTP/1.1\r\nHost: example.org\r\nContent-Length: 6\r\n\r\nabc");
        world_settle(&d.spot.world);
        if (how == 0) { /* the answer comes before */
            origin_say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
            visit_until(&v, OBJECT_SEALED);
            assert_true(v.upload.unwanted);
        } else if (how == 1) { /* the client's body is broken */
            upload_end(&v.upload, UPLOAD_FAILED);
            visit_fails(&v, REASON_UPLOAD_FAILED, 502);
        } else { /* the client leaves */
            visit_leave(&v);
            visit_fails(&v, REASON_CLIENT_GONE, 502);
        }
        assert_int_equal(pool_idle(&d.spot.pool), 0);
        origin_hear_end(&d.spot, fd);
        visit_end(&v);
    }
    assert_int_equal(d.spot.origin->failed, 0);
    desk_fini(&d);
}

static void the_origin_decides_whether_it_is_sent(void **state)
{
    (void)state;
    struct desk d;
    struct visit v;
    desk_init(&d, "continue_timeout: 10s\n");
    for (int how = 0; how < 3; how++) {
        visit_begin_private(&d, &v, "PUT", "/e");
        visit_uploads(&v, FRAMING_LENGTH, 3);
        v.upload.awaits = true;
        visit_start(&v);
        int fd = origin_accept(&d.spot);
        origin_hear(&d.spot, fd,
                    "PUT /e HTTP/1.1\r\nHost: example.org\r\nContent-Length: 3\r\n"
                    "Expect: 100-continue\r\n\r\n");
        turn(&d, 5000);
        assert_int_equal(v.rooms, 0);
        if (how == 0) { /* it says yes */
            origin_say(fd, "HTTP/1.1 100 Continue\r\n\r\n");
            RUN_UNTIL(&d.spot.world, v.rooms == 1);
            assert_int_equal(v.interim, 0);
        } else if (how == 1) { /* it says nothing */
            turn(&d, 6000);
            RUN_UNTIL(&d.spot.world, v.rooms == 1);
        } else { /* it says no */
            origin_say(fd, "HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n");
            visit_until(&v, OBJECT_SEALED);
            assert_true(v.upload.unwanted);
            assert_int_equal(pool_idle(&d.spot.pool), 0);
            origin_hear_end(&d.spot, fd);
            visit_end(&v);
            continue;
        }
        assert_false(v.upload.awaits);
        upload_put(&v.upload, STR("abc"));
        upload_end(&v.upload, UPLOAD_ENDED);
        origin_hear(&d.spot, fd, "abc");
        origin_say(fd, "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n");
        visit_until(&v, OBJECT_SEALED);
        visit_end(&v);
        close(fd);
        RUN_UNTIL(&d.spot.world, pool_idle(&d.spot.pool) == 0);
    }
    desk_fini(&d);
}

/* ---- no end ---- */

static void an_upgrade_gives_the_connection_away(void **state)
{
    (void)state;
    static const char yes[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nearly";
    struct desk d;
    struct visit v;
    desk_init(&d, "");
    for (int with_body = 0; with_body < 2; with_body++) {
        user_heard = 0;
        visit_begin_private(&d, &v, with_body ? "POST" : "GET", "/ws");
        v.plan.upgrade = true;
        if (with_body)
            visit_uploads(&v, FRAMING_LENGTH, 3);
        visit_start(&v);
        int fd = origin_accept(&d.spot);
        origin_hear(&d.spot, fd, with_body ? "POST /ws HTTP/1.1\r\n" : "GET /ws HTTP/1.1\r\n");
        origin_hear(&d.spot, fd,
                    with_body ? "Host: example.org\r\nContent-Length: 3\r\nConnection: upgrade\r\n\r\n"
                              : "Host: example.org\r\nConnection: upgrade\r\n\r\n");
        origin_say(fd, yes);
        if (with_body) { /* not in the middle of its request */
            world_settle(&d.spot.world);
            assert_null(v.tunnel);
            upload_put(&v.upload, STR("abc"));
            upload_end(&v.upload, UPLOAD_ENDED);
            origin_hear(&d.spot, fd, "abc");
        }
        RUN_UNTIL(&d.spot.world, v.tunnel);
        visit_fails(&v, REASON_UPGRADE, 502);
        assert_string_equal(v.tunnel_rest, "early");
        assert_int_equal(origin_in_use(d.spot.origin), 0);
        RUN_UNTIL(&d.spot.world, list_is_empty(&d.fetcher.live));
        stream_read_start(&v.tunnel->stream);
        origin_say(fd, "bytes");
        RUN_UNTIL(&d.spot.world, user_heard == 5);
        pool_drop(v.tunnel);
        origin_hear_end(&d.spot, fd);
        visit_end(&v);
    }
    desk_fini(&d);
}

static void streams_are_counted_apart(void **state)
{
    (void)state;
    static const char events[] = "HTTP/1.1 200 OK\r\nContent-Type: Text/Event-Stream; charset=utf-8\r\n"
                                 "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n";
    struct desk d;
    struct visit v, w;
    desk_init(&d, "streams: 1\norigin_connections: 1\nbetween_bytes_timeout: 20s\ntunnel_timeout: 10m\n");
    visit_begin_private(&d, &v, "GET", "/events");
    int fd = start_new(&v, "/events", "");
    assert_int_equal(origin_in_use(d.spot.origin), 1);
    origin_say(fd, events);
    visit_reads(&v, "hi");
    assert_int_equal(d.streams, 1);
    assert_int_equal(origin_in_use(d.spot.origin), 0);
    /* It may be silent for long; another one gets its place, but no second place among the streams. */
    turn(&d, 200000);
    assert_int_equal(object_state(v.object), OBJECT_HEAD);
    visit_begin_private(&d, &w, "GET", "/events");
    int other = start_new(&w, "/events", "");
    origin_say(other, events);
    visit_fails(&w, REASON_STREAM_LIMIT, 503);
    origin_hear_end(&d.spot, other);
    visit_end(&w);
    origin_say(fd, "0\r\n\r\n");
    visit_until(&v, OBJECT_SEALED);
    visit_end(&v);
    assert_int_equal(d.streams, 0);
    assert_int_equal(pool_idle(&d.spot.pool), 1);
    close(fd);
    RUN_UNTIL(&d.spot.world, pool_idle(&d.spot.pool) == 0);
    /* What passes, has no length and lasts is one too; what has a length is not. */
    for (int known = 0; known < 2; known++) {
        visit_begin_private(&d, &v, "GET", "/lasts");
        fd = start_new(&v, "/lasts", "");
        origin_say(fd,
                   known ? "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhi" : "HTTP/1.1 200 OK\r\n\r\nhi");
        visit_reads(&v, "hi");
        turn(&d, 5000);
        assert_int_equal(d.streams, 0);
        turn(&d, 6000);
        RUN_UNTIL(&d.spot.world, d.streams == !known);
        assert_int_equal(origin_in_use(d.spot.origin), known);
        visit_leave(&v);
        visit_fails(&v, REASON_CANCELLED, 502);
        assert_int_equal(d.streams, 0);
        origin_hear_end(&d.spot, fd);
        visit_end(&v);
    }
    desk_fini(&d);
}

/* ---- who is logged in on a connection ---- */

static const char logged_in[] =
    "HTTP/1.1 200 OK\r\nWWW-Authenticate: NTLM\r\n" FRESH "Content-Length: 4\r\n\r\nhis!";

static void a_log_in_stays_with_its_client(void **state)
{
    (void)state;
    struct desk d;
    struct visit v, w, stranger;
    desk_init(&d, "");
    visit_begin(&d, &v, "/in", OUTCOME_MISS);
    int fd = start_new(&v, "/in", "");
    origin_say(fd, logged_in);
    visit_until(&v, OBJECT_SEALED);
    assert_false(visit_is_stored(&v));
    assert_int_equal(v.object->verdict_reason, REASON_CONNECTION_AUTH);
    assert_non_null(v.own);
    assert_int_equal(pool_idle(&d.spot.pool), 0);
    assert_int_equal(origin_in_use(d.spot.origin), 0);
    visit_begin_private(&d, &stranger, "GET", "/x");
    int other = start_new(&stranger, "/x", "");
    origin_say(other, SMALL_PAGE);
    visit_until(&stranger, OBJECT_SEALED);
    visit_end(&stranger);
    assert_int_equal(pool_idle(&d.spot.pool), 1);
    /* His next request goes over it, and nothing of it is stored, whatever the answer says. */
    visit_begin_private(&d, &w, "GET", "/y");
    w.plan.may_store = w.plan.learns = true;
    w.plan.own = &v.own;
    visit_start(&w);
    hear_get(&d, fd, "/y", "");
    origin_say(fd, SMALL_PAGE);
    visit_until(&w, OBJECT_SEALED);
    assert_int_equal(w.object->verdict_reason, REASON_CONNECTION_AUTH);
    finds(&d, "/y", OUTCOME_PASS);
    visit_end(&w);
    assert_non_null(v.own);
    /* He leaves amid a request: it ends, and with it the connection. */
    visit_begin_private(&d, &w, "GET", "/z");
    w.plan.own = &v.own;
    visit_start(&w);
    hear_get(&d, fd, "/z", "");
    visit_leave(&w);
    assert_null(v.own);
    visit_fails(&w, REASON_CANCELLED, 502);
    origin_hear_end(&d.spot, fd);
    visit_end(&w);
    visit_end(&v);
    /* Without a client that could keep it, it is closed. */
    visit_begin_private(&d, &w, "GET", "/n");
    w.plan.own = NULL;
    visit_start(&w);
    hear_get(&d, other, "/n", "");
    origin_say(other, logged_in);
    visit_until(&w, OBJECT_SEALED);
    origin_hear_end(&d.spot, other);
    visit_end(&w);
    desk_fini(&d);
}

/* CACHING.md 7: beyond 1024 each answer comes, and its connection is closed: nobody can log in. */
static void beyond_the_limit_of_log_ins_each_gets_an_answer(void **state)
{
    (void)state;
    enum { MANY = 1024 };
    static struct connection *own[MANY];
    static int fds[MANY];
    struct desk d;
    struct visit v;
    need_descriptors(2 * MANY + 8);
    desk_init(&d, "");
    for (int i = 0; i < MANY; i++) {
        struct connection *c = spot_connect(&d.spot, &fds[i]);
        c->personal = true;
        pool_keep_for(c, &own[i]);
    }
    for (int i = 0; i < 3; i++) {
        visit_begin_private(&d, &v, "GET", "/in");
        int fd = start_new(&v, "/in", "");
        origin_say(
            fd,
            "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: NTLM challenge\r\nContent-Length: 4\r\n\r\nwho?");
        visit_until(&v, OBJECT_SEALED);
        visit_reads(&v, "who?");
        assert_int_equal(v.object->response->status, 401);
        assert_null(v.own);
        origin_hear_end(&d.spot, fd);
        visit_end(&v);
    }
    /* Those who are logged in are not disturbed; when one leaves, another can. */
    for (int i = 0; i < MANY; i++)
        assert_non_null(own[i]);
    pool_disown(&own[0]);
    visit_begin_private(&d, &v, "GET", "/in");
    int fd = start_new(&v, "/in", "");
    origin_say(fd, logged_in);
    visit_until(&v, OBJECT_SEALED);
    assert_non_null(v.own);
    visit_end(&v);
    for (int i = 0; i < MANY; i++) {
        pool_disown(&own[i]);
        close(fds[i]);
    }
    close(fd);
    desk_fini(&d);
}

/* ---- what an answer does to other pages ---- */

static void an_unsafe_answer_invalidates(void **state)
{
    (void)state;
    struct desk d;
    struct visit v;
    desk_init(&d, "");
    int fd = store_page(&d, "/i", FRESH);
    finds(&d, "/i", OUTCOME_HIT);
    for (int ok = 0; ok < 2; ok++) {
        visit_begin_private(&d, &v, "POST", "/i");
        visit_start(&v);
        origin_hear(&d.spot, fd, "POST /i HTTP/1.1\r\nHost: example.org\r\n\r\n");
        origin_say(fd, ok ? "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"
                          : "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
        visit_until(&v, OBJECT_SEALED);
        finds(&d, "/i", ok ? OUTCOME_EXPIRED : OUTCOME_HIT);
        visit_end(&v);
    }
    close(fd);
    desk_fini(&d);
}

/* RFC 9111 §4.3.5. */
static void a_head_that_differs_invalidates(void **state)
{
    (void)state;
    struct desk d;
    struct visit v;
    desk_init(&d, "");
    int fd = store_page(&d, "/h", TAGGED);
    for (int differs = 0; differs < 2; differs++) {
        visit_begin_private(&d, &v, "HEAD", "/h");
        visit_start(&v);
        origin_hear(&d.spot, fd, "HEAD /h HTTP/1.1\r\nHost: example.org\r\n\r\n");
        origin_say(fd, differs ? "HTTP/1.1 200 OK\r\nETag: \"1\"\r\nContent-Length: 5\r\n\r\n"
                               : "HTTP/1.1 200 OK\r\nETag: \"1\"\r\nContent-Length: 4\r\n\r\n");
        visit_until(&v, OBJECT_SEALED);
        assert_null(v.object->body);
        assert_int_equal(pool_idle(&d.spot.pool), 1);
        finds(&d, "/h", differs ? OUTCOME_EXPIRED : OUTCOME_HIT);
        visit_end(&v);
    }
    close(fd);
    desk_fini(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_upload_goes_as_it_comes),
        cmocka_unit_test(half_an_upload_leaves_no_connection),
        cmocka_unit_test(the_origin_decides_whether_it_is_sent),
        cmocka_unit_test(an_upgrade_gives_the_connection_away),
        cmocka_unit_test(streams_are_counted_apart),
        cmocka_unit_test(a_log_in_stays_with_its_client),
        cmocka_unit_test(beyond_the_limit_of_log_ins_each_gets_an_answer),
        cmocka_unit_test(an_unsafe_answer_invalidates),
        cmocka_unit_test(a_head_that_differs_invalidates),
    };
    RUN_ALL_WAYS(tests, spot_folder_make, spot_folder_remove);
}
