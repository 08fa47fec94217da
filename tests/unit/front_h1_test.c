/* HTTP/1.1 to a client: requests one after the other on one connection, with everything that may happen to
 * it. The client is a socket that the test reads and writes; the source is played too (request_test.h). */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "request_test.h"

#include "front/front.h"

/* ---- a front, and its clients ---- */

struct place_of_work {
    struct spot spot;
    struct front *front;
};

#define DATE "Date: Sun, 06 Nov 1994 08:49:37 GMT"

/* Answers at once with the target, and stores nothing. */
static void echo(struct filling *f)
{
    static const struct answer_head head = { .lines = DATE, .refused = REASON_NO_STORE };
    fill_head(f, &head);
    assert_int_equal(body_append(f->body, f->asked), f->asked.n);
    fill_end(f);
}

static void work_begins(struct place_of_work *w, const char *yaml)
{
    spot_init(&w->spot, yaml);
    w->spot.source.has_cache_status = false;
    w->spot.on_start = echo;
    w->front = front_new(&w->spot.requests);
}

static void work_ends(struct place_of_work *w)
{
    if (!w->front->draining)
        front_drain(w->front);
    front_close_all(w->front);
    RUN_UNTIL(&w->spot.world, w->front->open == 0);
    front_free(w->front);
    spot_fini(&w->spot);
}

/* A connection over TCP, since resets and half-closes are to be real. Returns the client's socket. */
static int come(struct place_of_work *w)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t n = sizeof(at);
    int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), client, ours;
    assert_int_equal(bind(listening, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(listening, 1), 0);
    assert_int_equal(getsockname(listening, (struct sockaddr *)&at, &n), 0);
    client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(client, (struct sockaddr *)&at, sizeof(at)), 0);
    ours = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    assert_true(ours >= 0);
    close(listening);
    assert_int_equal(fcntl(client, F_SETFL, O_NONBLOCK), 0);
    struct stream *s = mem_alloc(sizeof(*s));
    struct address peer = { .bytes = 0 };
    assert_int_equal(stream_open(s, &w->spot.world.loop, NULL, ours), 0);
    front_accept(w->front, s, &peer, STR_NONE, false);
    return client;
}

static void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* Runs the loop until exactly this came. */
static void hear(struct place_of_work *w, int fd, const char *text)
{
    char got[4096];
    size_t n = 0, want = strlen(text);
    while (n < want) {
        ssize_t more = recv(fd, got + n, want - n, 0);
        if (more > 0)
            n += (size_t)more;
        else if (more == 0 || errno != EAGAIN)
            fail_msg("it ended after \"%.*s\"", (int)n, got);
        else
            loop_run_once(&w->spot.world.loop, false);
    }
    if (memcmp(got, text, n) != 0)
        fail_msg("\"%.*s\" instead of \"%s\"", (int)n, got, text);
}

/* The reply is a 200 with these lines behind the source's, and this body. */
static void hear_reply(struct place_of_work *w, int fd, const char *lines, const char *body)
{
    struct buf text = BUF_INIT;
    buf_printf(&text, "HTTP/1.1 200 OK\r\n" DATE "\r\n%s\r\n%s", lines, body);
    buf_add(&text, (struct str){ "", 1 });
    hear(w, fd, text.p);
    buf_fini(&text);
}

/* Nothing more comes. `error`: 0, or that of a reset. */
static void hear_end(struct place_of_work *w, int fd, int error)
{
    char byte;
    ssize_t n;
    while ((n = recv(fd, &byte, 1, 0)) < 0 && errno == EAGAIN)
        loop_run_once(&w->spot.world.loop, false);
    if (n > 0)
        fail_msg("'%c' instead of the end", byte);
    assert_int_equal(n < 0 ? errno : 0, error);
    close(fd);
}

static void hears_nothing(struct place_of_work *w, int fd)
{
    char byte;
    world_settle(&w->spot.world);
    assert_int_equal(recv(fd, &byte, 1, 0), -1);
    assert_int_equal(errno, EAGAIN);
}

#define HOST "Host: example.org\r\n"

/* ---- requests, one after the other ---- */

static void answers_pipelined_requests_in_their_order(void **state)
{
    (void)state;
    struct place_of_work w;
    work_begins(&w, "");
    w.spot.on_start = NULL;
    int fd = come(&w);
    say(fd, "GET /a HTTP/1.1\r\n" HOST "\r\n\r\nGET /bb HTTP/1.1\r\n" HOST "\r\nGET /c HTTP/1.1\r\nHo");
    RUN_UNTIL(&w.spot.world, w.spot.started == 1);
    world_settle(&w.spot.world);
    assert_int_equal(w.spot.started, 1); /* the second one waits for the first */
    echo(&w.spot.fillings[0]);
    hear_reply(&w, fd, "Content-Length: 2\r\n", "/a");
    RUN_UNTIL(&w.spot.world, w.spot.started == 2);
    echo(&w.spot.fillings[1]);
    hear_reply(&w, fd, "Content-Length: 3\r\n", "/bb");
    hears_nothing(&w, fd);
    say(fd, "st: example.org\r\n\r\n");
    RUN_UNTIL(&w.spot.world, w.spot.started == 3);
    echo(&w.spot.fillings[2]);
    hear_reply(&w, fd, "Content-Length: 2\r\n", "/c");
    close(fd);
    RUN_UNTIL(&w.spot.world, w.front->open == 0);
    work_ends(&w);
}

static void keeps_a_connection_as_the_version_and_the_client_say(void **state)
{
    (void)state;
    static const struct {
        const char *request, *said;
        bool lives;
    } rows[] = {
        { "GET / HTTP/1.1\r\n" HOST "\r\n", "", true },
        { "GET / HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n", "Connection: close\r\n", false },
        { "GET / HTTP/1.1\r\n" HOST "Connection: keep-alive\r\n\r\n", "", true },
        { "GET / HTTP/1.0\r\n" HOST "\r\n", "Connection: close\r\n", false },
        { "GET / HTTP/1.0\r\n" HOST "Connection: keep-alive\r\n\r\n", "Connection: keep-alive\r\n", true },
        { "GET / HTTP/1.0\r\n" HOST "Connection: keep-alive, close\r\n\r\n", "Connection: close\r\n", false },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char expected[128];
        struct place_of_work w;
        work_begins(&w, "");
        int fd = come(&w);
        snprintf(expected, sizeof(expected), "Content-Length: 1\r\n%s", rows[i].said);
        say(fd, rows[i].request);
        hear_reply(&w, fd, expected, "/");
        if (rows[i].lives) {
            say(fd, rows[i].request);
            hear_reply(&w, fd, expected, "/");
            close(fd);
        } else {
            hear_end(&w, fd, 0);
        }
        RUN_UNTIL(&w.spot.world, w.front->open == 0);
        work_ends(&w);
    }
}

static void a_connection_has_its_number_of_requests(void **state)
{
    (void)state;
    struct place_of_work w;
    work_begins(&w, "keepalive_requests: 2\n");
    int fd = come(&w);
    say(fd, "GET /a HTTP/1.1\r\n" HOST "\r\nGET /b HTTP/1.1\r\n" HOST "\r\nGET /c HTTP/1.1\r\n" HOST "\r\n");
    hear_reply(&w, fd, "Content-Length: 2\r\n", "/a");
    hear_reply(&w, fd, "Content-Length: 2\r\nConnection: close\r\n", "/b");
    hear_end(&w, fd, 0);
    assert_int_equal(w.spot.started, 2);
    work_ends(&w);
}

static void an_idle_connection_has_its_time(void **state)
{
    (void)state;
    struct place_of_work w;
    work_begins(&w, "idle_timeout: 60s\nheader_timeout: 10s\n");
    int used = come(&w), silent = come(&w);
    say(used, "GET /a HTTP/1.1\r\n" HOST "\r\n");
    hear_reply(&w, used, "Content-Length: 2\r\n", "/a");
    spot_turn(&w.spot, 11000);
    hear_end(&w, silent, 0); /* it never sent a byte */
    spot_turn(&w.spot, 40000);
    hears_nothing(&w, used);
    spot_turn(&w.spot, 11000);
    hear_end(&w, used, 0);
    work_ends(&w);
}

/* ---- heads ---- */

static void a_head_may_come_byte_by_byte(void **state)
{
    (void)state;
    static const char head[] = "\r\nGET /page HTTP/1.1\r\n" HOST "X-Any: value\r\n\r\n";
    struct place_of_work w;
    work_begins(&w, "");
    int fd = come(&w);
    for (size_t i = 0; i < strlen(head); i++) {
        assert_int_equal(w.spot.started, 0);
        assert_int_equal(send(fd, head + i, 1, MSG_NOSIGNAL), 1);
        world_settle(&w.spot.world);
    }
    hear_reply(&w, fd, "Content-Length: 5\r\n", "/page");
    /* And cut at each place. */
    for (size_t i = 2; i < strlen(head); i++) {
        assert_int_equal(send(fd, head, i, MSG_NOSIGNAL), i);
        world_settle(&w.spot.world);
        assert_int_equal(w.spot.started, 1);
        say(fd, head + i);
        hear_reply(&w, fd, "Content-Length: 5\r\n", "/page");
        w.spot.started = 1; /* the table of the test is small */
    }
    close(fd);
    RUN_UNTIL(&w.spot.world, w.front->open == 0);
    work_ends(&w);
}

/* A head that is larger than the buffer that a connection begins with, and has more lines than its table. */
static void a_head_may_be_long(void **state)
{
    (void)state;
    struct place_of_work w;
    struct buf head = BUF_INIT;
    work_begins(&w, "");
    int fd = come(&w);
    buf_printf(&head, "GET /long HTTP/1.1\r\n" HOST);
    for (int i = 0; i < 90; i++)
        buf_printf(&head, "X-Field-%d: %0100d\r\n", i, i);
    buf_printf(&head, "\r\n");
    for (int times = 0; times < 2; times++) {
        assert_int_equal(send(fd, head.p, head.n, MSG_NOSIGNAL), head.n);
        hear_reply(&w, fd, "Content-Length: 5\r\n", "/long");
    }
    buf_fini(&head);
    close(fd);
    RUN_UNTIL(&w.spot.world, w.front->open == 0);
    work_ends(&w);
}

/* The answer says which limit it is; then the connection ends, and what follows is no request. */
static void a_head_over_a_limit_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *first, *unit, *line;
        int units;
    } rows[] = {
        { "GET /", "a", "HTTP/1.1 414 URI Too Long\r\n", 300 },
        { "GET / HTTP/1.1\r\n" HOST "X-Long: ", "a", "HTTP/1.1 431 Request Header Fields Too Large\r\n",
          1200 },
        { "GET / HTTP/1.1\r\n" HOST, "A: b\r\n", "HTTP/1.1 431 Request Header Fields Too Large\r\n", 20 },
        { "GET / HTTP/1.1\r\n" HOST "bad field\r\n", "", "HTTP/1.1 400 Bad Request\r\n", 0 },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct place_of_work w;
        char byte;
        work_begins(&w, "request_line: 256\nheader_bytes: 1024\nheader_count: 8\n");
        int fd = come(&w);
        say(fd, rows[i].first);
        for (int n = 0; n < rows[i].units; n++)
            say(fd, rows[i].unit);
        say(fd, "\r\n\r\nGET /second HTTP/1.1\r\n" HOST "\r\n");
        hear(&w, fd, rows[i].line);
        shutdown(fd, SHUT_WR);
        ssize_t n;
        while ((n = recv(fd, &byte, 1, 0)) != 0)
            if (n < 0) {
                assert_int_equal(errno, EAGAIN);
                loop_run_once(&w.spot.world.loop, false);
            }
        close(fd);
        RUN_UNTIL(&w.spot.world, w.front->open == 0);
        assert_int_equal(w.spot.started, 0);
        assert_int_equal(spot_count(&w.spot, COUNTER_REQUESTS), 1);
        work_ends(&w);
    }
}

static void a_head_that_does_not_end_times_out(void **state)
{
    (void)state;
    struct place_of_work w;
    work_begins(&w, "header_timeout: 10s\n");
    int fd = come(&w);
    for (int s = 0; s < 12; s++) { /* a byte now and then does not help */
        if (s < 10)
            say(fd, "G");
        spot_turn(&w.spot, 1000);
    }
    hear(&w, fd,
         "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nCache-Control: no-store\r\n"
         "Connection: close\r\n\r\n");
    hear_end(&w, fd, 0);
    work_ends(&w);
}

/* ---- ends of the client's side ---- */

/* A client that has ended its side still gets its answers; half a request gets none. */
static void a_half_closed_client_is_answered(void **state)
{
    (void)state;
    struct place_of_work w;
    work_begins(&w, "");
    w.spot.on_start = NULL;
    int fd = come(&w), half = come(&w);
    say(fd, "GET /a HTTP/1.1\r\n" HOST "\r\nGET /b HTTP/1.1\r\n" HOST "\r\nGET /c HT");
    shutdown(fd, SHUT_WR);
    RUN_UNTIL(&w.spot.world, w.spot.started == 1);
    hears_nothing(&w, fd);
    echo(&w.spot.fillings[0]);
    hear_reply(&w, fd, "Content-Length: 2\r\n", "/a");
    RUN_UNTIL(&w.spot.world, w.spot.started == 2);
    echo(&w.spot.fillings[1]);
    hear_reply(&w, fd, "Content-Length: 2\r\n", "/b");
    hear_end(&w, fd, 0);
    say(half, "GET /d HTTP/1.1\r\n");
    shutdown(half, SHUT_WR);
    hear_end(&w, half, 0);
    RUN_UNTIL(&w.spot.world, w.front->open == 0);
    assert_int_equal(w.spot.started, 2);
    work_ends(&w);
}

/* E1: a client that resets its connection ends its request. */
static void a_client_that_is_gone_ends_its_request(void **state)
{
    (void)state;
    struct place_of_work w;
    work_begins(&w, "");
    w.spot.on_start = NULL;
    int fd = come(&w);
    say(fd, "GET /a HTTP/1.1\r\n" HOST "\r\n");
    RUN_UNTIL(&w.spot.world, w.spot.started == 1);
    struct linger now = { .l_onoff = 1 };
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    close(fd);
    RUN_UNTIL(&w.spot.world, w.front->open == 0);
    assert_int_equal(spot_count(&w.spot, COUNTER_ABORTS), 1);
    assert_int_equal(object_readers(w.spot.fillings[0].object), 0);
    echo(&w.spot.fillings[0]);
    work_ends(&w);
}

/* ---- bodies ---- */

/* K1, K2: a body that the client holds back is called for once; one that is there already is not. */
static void says_100_when_a_body_is_awaited(void **state)
{
    (void)state;
    struct place_of_work w;
    work_begins(&w, "");
    w.spot.source.body_max = 100;
    int fd = come(&w);
    say(fd, "POST /a HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 4\r\n\r\n");
    hear(&w, fd, "HTTP/1.1 100 Continue\r\n\r\n");
    hears_nothing(&w, fd);
    say(fd, "bo");
    hears_nothing(&w, fd);
    assert_int_equal(w.spot.started, 0);
    say(fd,
        "dyPOST /b HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody");
    hear_reply(&w, fd, "Content-Length: 2\r\n", "/a");
    hears_nothing(&w, fd); /* it was told nothing, since it did not wait */
    say(fd, "\r\n0\r\n\r\n");
    hear_reply(&w, fd, "Content-Length: 2\r\n", "/b");
    /* HTTP/1.0 knows no 100 (RFC 9110 §10.1.1). */
    say(fd, "POST /c HTTP/1.0\r\n" HOST "Expect: 100-continue\r\nContent-Length: 4\r\n\r\n");
    hears_nothing(&w, fd);
    say(fd, "body");
    hear_reply(&w, fd, "Content-Length: 2\r\nConnection: close\r\n", "/c");
    hear_end(&w, fd, 0);
    /* K3: any other expectation is refused. */
    fd = come(&w);
    say(fd, "GET /d HTTP/1.1\r\n" HOST "Expect: 200-ok\r\n\r\n");
    hear(&w, fd, "HTTP/1.1 417 Expectation Failed\r\n");
    close(fd);
    RUN_UNTIL(&w.spot.world, w.front->open == 0);
    work_ends(&w);
}

/* A short rest of a body that nobody wants is read over, and the next request is answered. */
static void a_short_body_that_is_not_wanted_is_dropped(void **state)
{
    (void)state;
    struct place_of_work w;
    work_begins(&w, "");
    int fd = come(&w);
    say(fd, "POST /a HTTP/1.1\r\n" HOST "Incremental: ?1\r\nContent-Length: 10\r\n\r\n");
    hear_reply(&w, fd, "Content-Length: 2\r\n", "/a");
    say(fd, "0123456789GET /b HTTP/1.1\r\n" HOST "\r\n");
    hear_reply(&w, fd, "Content-Length: 2\r\n", "/b");
    close(fd);
    RUN_UNTIL(&w.spot.world, w.front->open == 0);
    work_ends(&w);
}

/* F15: a client that writes all of a long body before it reads still finds the answer, then the end. */
static void an_early_answer_lingers(void **state)
{
    (void)state;
    static char kilobyte[1024];
    struct place_of_work w;
    work_begins(&w, "");
    int fd = come(&w), silent = come(&w);
    static const char head[] = "POST /early HTTP/1.1\r\n" HOST "Content-Length: 1000000\r\n\r\n";
    say(fd, head);
    say(silent, head);
    RUN_UNTIL(&w.spot.world, w.spot.started == 2);
    for (int n = 0; n < 200; n++) {
        ssize_t sent = send(fd, kilobyte, sizeof(kilobyte), MSG_NOSIGNAL);
        if (sent < 0)
            assert_int_equal(errno, EAGAIN); /* a reset would be another error */
        world_settle(&w.spot.world);
    }
    hear_reply(&w, fd, "Content-Length: 6\r\nConnection: close\r\n", "/early");
    hear_end(&w, fd, 0);
    RUN_UNTIL(&w.spot.world, w.front->open == 1);
    /* One that sends nothing more, and does not end, has a few seconds. */
    hear_reply(&w, silent, "Content-Length: 6\r\nConnection: close\r\n", "/early");
    char byte;
    RUN_UNTIL(&w.spot.world, recv(silent, &byte, 1, 0) == 0);
    assert_int_equal(w.front->open, 1);
    spot_turn(&w.spot, 6000);
    RUN_UNTIL(&w.spot.world, w.front->open == 0);
    close(silent);
    work_ends(&w);
}

/* ---- how a reply ends ---- */

static void a_reply_of_unknown_length_ends_as_its_version_can(void **state)
{
    (void)state;
    struct place_of_work w;
    static const struct answer_head head = { .lines = DATE, .refused = REASON_NO_STORE };
    work_begins(&w, "");
    w.spot.on_start = NULL;
    int new = come(&w), old = come(&w);
    say(new, "GET /a HTTP/1.1\r\n" HOST "\r\n");
    RUN_UNTIL(&w.spot.world, w.spot.started == 1);
    say(old, "GET /b HTTP/1.0\r\n" HOST "Connection: keep-alive\r\n\r\n");
    RUN_UNTIL(&w.spot.world, w.spot.started == 2);
    for (int i = 0; i < 2; i++) {
        fill_head(&w.spot.fillings[i], &head);
        fill_bytes(&w.spot.fillings[i], "first");
    }
    hear_reply(&w, new, "Transfer-Encoding: chunked\r\n", "5\r\nfirst\r\n");
    hear_reply(&w, old, "Connection: close\r\n", "first");
    for (int i = 0; i < 2; i++) {
        fill_bytes(&w.spot.fillings[i], "second");
        fill_end(&w.spot.fillings[i]);
    }
    hear(&w, new, "6\r\nsecond\r\n0\r\n\r\n");
    hear(&w, old, "second");
    hear_end(&w, old, 0);
    say(new, "GET /c HTTP/1.1\r\n" HOST "\r\n");
    RUN_UNTIL(&w.spot.world, w.spot.started == 3);
    echo(&w.spot.fillings[2]);
    hear_reply(&w, new, "Content-Length: 2\r\n", "/c");
    close(new);
    RUN_UNTIL(&w.spot.world, w.front->open == 0);
    work_ends(&w);
}

/* RFC 9112 §8: a reply that ends with the connection is reset, one in chunks lacks the last one. */
static void a_reply_that_is_cut_never_looks_whole(void **state)
{
    (void)state;
    struct place_of_work w;
    static const struct answer_head head = { .lines = DATE, .refused = REASON_NO_STORE };
    work_begins(&w, "");
    w.spot.on_start = NULL;
    int new = come(&w), old = come(&w);
    say(new, "GET /a HTTP/1.1\r\n" HOST "\r\n");
    RUN_UNTIL(&w.spot.world, w.spot.started == 1);
    say(old, "GET /b HTTP/1.0\r\n" HOST "\r\n");
    RUN_UNTIL(&w.spot.world, w.spot.started == 2);
    for (int i = 0; i < 2; i++) {
        fill_head(&w.spot.fillings[i], &head);
        fill_bytes(&w.spot.fillings[i], "half");
    }
    hear_reply(&w, new, "Transfer-Encoding: chunked\r\n", "4\r\nhalf\r\n");
    hear_reply(&w, old, "Connection: close\r\n", "half");
    for (int i = 0; i < 2; i++)
        fill_fail(&w.spot.fillings[i], REASON_ORIGIN_CLOSED, 502);
    hear_end(&w, new, ECONNRESET);
    hear_end(&w, old, ECONNRESET);
    work_ends(&w);
}

/* ---- when memory is short ---- */

static struct front_shed_done shed(struct place_of_work *w)
{
    struct front_shed how = { .step = OVERLOAD_CUT, .idle_ms = 60000, .places = 1, .looks = 10 };
    struct front_shed_done done;
    front_shed(w->front, &how, &done);
    return done;
}

/* However long its connection was idle before. */
static void who_has_just_begun_a_request_is_not_cut_off(void **state)
{
    (void)state;
    struct place_of_work w;
    work_begins(&w, "idle_timeout: 1h\n");
    int fd = come(&w);
    say(fd, "GET /a HTTP/1.1\r\n" HOST "\r\n");
    hear_reply(&w, fd, "Content-Length: 2\r\n", "/a");
    assert_int_equal(shed(&w).cut, 0); /* idle */
    world_turn(&w.spot.world, 5000);
    say(fd, "GET /b HTTP/1.1\r\n");
    world_settle(&w.spot.world);
    struct front_shed_done done = shed(&w);
    assert_int_equal(done.cut, 0);
    assert_int_equal(done.slow, 1);
    world_turn(&w.spot.world, 1000);
    assert_int_equal(shed(&w).cut, 1);
    hear_end(&w, fd, ECONNRESET);
    work_ends(&w);
}

static void an_idle_connection_is_idle_since_its_last_answer(void **state)
{
    (void)state;
    struct place_of_work w;
    work_begins(&w, "idle_timeout: 1h\n");
    int fd = come(&w);
    say(fd, "GET /a HTTP/1.1\r\n" HOST "\r\n");
    hear_reply(&w, fd, "Content-Length: 2\r\n", "/a");
    assert_int_equal(shed(&w).idle, 0);
    world_turn(&w.spot.world, 30000);
    assert_int_equal(shed(&w).idle, 0);
    world_turn(&w.spot.world, 30000);
    assert_int_equal(shed(&w).idle, 1);
    hear_end(&w, fd, 0);
    work_ends(&w);
}

/* ---- the drain ---- */

/* V1: an idle connection ends soon, a busy one after its reply, and so does one whose request was on its
 * way. */
static void a_front_that_drains_answers_what_is_there(void **state)
{
    (void)state;
    struct place_of_work w;
    work_begins(&w, "");
    w.spot.on_start = NULL;
    int idle = come(&w), busy = come(&w), coming = come(&w), cut = come(&w), begun = come(&w);
    say(busy, "GET /busy HTTP/1.1\r\n" HOST "\r\nGET /next HTTP/1.1\r\n" HOST "\r\n");
    RUN_UNTIL(&w.spot.world, w.spot.started == 1);
    say(cut, "GET /cut HTTP/1.1\r\n" HOST "\r\n");
    RUN_UNTIL(&w.spot.world, w.spot.started == 2);
    say(begun, "GET /begun HTTP/1.0\r\n" HOST "\r\n");
    RUN_UNTIL(&w.spot.world, w.spot.started == 3);
    fill_head(&w.spot.fillings[2], &(struct answer_head){ .lines = DATE });
    fill_bytes(&w.spot.fillings[2], "half");
    hear_reply(&w, begun, "Connection: close\r\n", "half");
    say(coming, "GET /coming HTTP/1.1\r\n" HOST "\r\n"); /* in the kernel */
    front_drain(w.front);
    RUN_UNTIL(&w.spot.world, w.spot.started == 4);
    spot_turn(&w.spot, 1000);
    hear_end(&w, idle, 0);
    echo(&w.spot.fillings[0]);
    hear_reply(&w, busy, "Content-Length: 5\r\nConnection: close\r\n", "/busy");
    hear_end(&w, busy, 0);
    echo(&w.spot.fillings[3]);
    hear_reply(&w, coming, "Content-Length: 7\r\nConnection: close\r\n", "/coming");
    hear_end(&w, coming, 0);
    RUN_UNTIL(&w.spot.world, w.front->open == 2);
    front_close_all(w.front); /* the deadline */
    RUN_UNTIL(&w.spot.world, w.front->open == 0);
    hear_end(&w, cut, 0);
    hear_end(&w, begun, ECONNRESET); /* what it has must not look whole */
    assert_int_equal(spot_count(&w.spot, COUNTER_ABORTS), 2);
    echo(&w.spot.fillings[1]);
    fill_end(&w.spot.fillings[2]);
    assert_int_equal(w.spot.started, 4);
    work_ends(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_pipelined_requests_in_their_order),
        cmocka_unit_test(keeps_a_connection_as_the_version_and_the_client_say),
        cmocka_unit_test(a_connection_has_its_number_of_requests),
        cmocka_unit_test(an_idle_connection_has_its_time),
        cmocka_unit_test(a_head_may_come_byte_by_byte),
        cmocka_unit_test(a_head_may_be_long),
        cmocka_unit_test(a_head_over_a_limit_is_refused),
        cmocka_unit_test(a_head_that_does_not_end_times_out),
        cmocka_unit_test(a_half_closed_client_is_answered),
        cmocka_unit_test(a_client_that_is_gone_ends_its_request),
        cmocka_unit_test(says_100_when_a_body_is_awaited),
        cmocka_unit_test(a_short_body_that_is_not_wanted_is_dropped),
        cmocka_unit_test(an_early_answer_lingers),
        cmocka_unit_test(a_reply_of_unknown_length_ends_as_its_version_can),
        cmocka_unit_test(a_reply_that_is_cut_never_looks_whole),
        cmocka_unit_test(who_has_just_begun_a_request_is_not_cut_off),
        cmocka_unit_test(an_idle_connection_is_idle_since_its_last_answer),
        cmocka_unit_test(a_front_that_drains_answers_what_is_there),
    };
    RUN_ALL_WAYS(tests, NULL, NULL);
}
