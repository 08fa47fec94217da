/*
 * An acceptor gives its connections to whatever protocol stands behind front/front.h. Here that is a protocol
 * of lines: a path in, a line with the status and the answer out. It stands in this file alone: nothing else
 * knows of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

#include "io_test.h"

#include "base/mem.h"
#include "request/page.h"
#include "request/route.h"
#include "server/acceptor.h"

/* ---- the protocol ---- */

#define LINE_MAX_BYTES 64

struct line_front {
    struct front front;
    struct list connections;
    unsigned drained;
    struct front_shed shed; /* as it was told last */
};

struct line {
    struct line_front *front;
    struct stream *stream;
    struct link link;
    struct address peer;
    char in[LINE_MAX_BYTES];
    size_t n;
    bool busy, last;
    struct str waiting; /* the reply, while the stream has it */
    struct request request;
    struct letter letter;
};

static struct line *line_of(struct request *r)
{
    return CONTAINER_OF(r, struct line, request);
}

static enum front_sent line_send(struct request *r, const struct reply *head, const struct iovec *iov,
                                 unsigned n, bool last)
{
    struct line *c = line_of(r);
    struct buf b = BUF_INIT;
    assert_non_null(head);
    assert_true(last);
    buf_printf(&b, "%d ", head->status);
    for (unsigned i = 0; i < n; i++)
        buf_add(&b, (struct str){ iov[i].iov_base, iov[i].iov_len });
    c->waiting = arena_dup(&r->arena, buf_str(&b));
    buf_fini(&b);
    struct iovec out = { (char *)(uintptr_t)c->waiting.p, c->waiting.n };
    switch (stream_write(c->stream, &out, 1)) {
    case STREAM_WRITTEN: return FRONT_SENT;
    case STREAM_PENDING: return FRONT_PENDING;
    default: return FRONT_BROKEN;
    }
}

static void line_note(struct request *r)
{
    (void)r;
}

static bool line_took(struct request *r)
{
    (void)r;
    return true;
}

static uint64_t line_held(struct request *r)
{
    return stream_queued(line_of(r)->stream);
}

static bool line_interim(struct request *r, int status, const struct fields *fields)
{
    (void)r, (void)status, (void)fields;
    return false;
}

static void line_no_body(struct request *r)
{
    (void)r;
    UNREACHABLE();
}

static void line_next(struct line *c);

static void line_go_on(struct letter *l)
{
    line_next(CONTAINER_OF(l, struct line, letter));
}

static void line_over(struct line *c)
{
    request_reset(&c->request);
    c->busy = false;
}

static void line_done(struct request *r)
{
    struct line *c = line_of(r);
    line_over(c);
    c->letter.open = line_go_on;
    loop_defer(c->front->front.requests->loop, &c->letter);
}

static const struct front_ops line_ops = { .send = line_send,
                                           .note = line_note,
                                           .took = line_took,
                                           .held = line_held,
                                           .interim = line_interim,
                                           .want_body = line_no_body,
                                           .done = line_done };

/* One request at a time, as long as whole lines are there. */
static void line_next(struct line *c)
{
    char *end;
    while (!c->busy && (end = memchr(c->in, '\n', c->n)) != NULL) {
        struct request *r = &c->request;
        size_t n = (size_t)(end - c->in);
        r->method = METHOD_GET;
        r->method_name = STR("GET");
        r->protocol = STR("line");
        r->peer = &c->peer;
        r->target = arena_dup(&r->arena, (struct str){ c->in, n });
        fields_add_id(&r->fields, &r->arena, FIELD_HOST, STR("example.org"));
        memmove(c->in, end + 1, c->n - n - 1);
        c->n -= n + 1;
        c->busy = true;
        if (request_start(r) == REQUEST_DONE)
            line_over(c);
    }
    if (!c->busy && c->last)
        stream_close(c->stream);
    else if (!c->busy)
        stream_read_start(c->stream);
}

static size_t line_space(struct stream *s, char **p)
{
    struct line *c = s->owner;
    *p = c->in + c->n;
    return LINE_MAX_BYTES - c->n;
}

static void line_data(struct stream *s, size_t n)
{
    struct line *c = s->owner;
    c->n += n;
    line_next(c);
}

static void line_ended(struct stream *s, int status)
{
    struct line *c = s->owner;
    assert_int_equal(status, 0);
    c->last = true;
    line_next(c);
}

static void line_written(struct stream *s, int status)
{
    struct line *c = s->owner;
    if (request_sent(&c->request, status) == REQUEST_DONE) {
        line_over(c);
        line_next(c);
    }
}

static void line_closed(struct stream *s)
{
    struct line *c = s->owner;
    struct line_front *f = c->front;
    request_fini(&c->request);
    link_remove(&c->link);
    struct address peer = c->peer;
    mem_free(s);
    mem_free(c);
    front_ended(&f->front, &peer);
}

static const struct stream_notices line_notices = { .space = line_space,
                                                    .data = line_data,
                                                    .ended = line_ended,
                                                    .written = line_written,
                                                    .closed = line_closed };

static void line_accept(struct front *front, struct stream *s, const struct address *peer, struct str early,
                        bool is_old)
{
    (void)is_old;
    struct line_front *f = CONTAINER_OF(front, struct line_front, front);
    struct line *c = mem_alloc(sizeof(*c));
    c->front = f;
    c->stream = s;
    c->peer = *peer;
    link_init(&c->link);
    list_push_back(&f->connections, &c->link);
    request_init(&c->request, front->requests, &line_ops);
    stream_give(s, &line_notices, c);
    assert_true(early.n <= LINE_MAX_BYTES);
    memcpy(c->in, early.p ? early.p : "", early.n);
    c->n = early.n;
    front_began(front);
    c->letter.open = line_go_on;
    loop_defer(front->requests->loop, &c->letter);
}

static void line_close_all(struct front *front)
{
    struct line_front *f = CONTAINER_OF(front, struct line_front, front);
    LIST_EACH_SAFE(l, &f->connections)
        stream_close(CONTAINER_OF(l, struct line, link)->stream);
}

static void line_drain(struct front *front)
{
    CONTAINER_OF(front, struct line_front, front)->drained++;
    line_close_all(front); /* nothing is ever in flight here when this is called */
}

/* Gives up as many as it is told to, the oldest first. */
static void line_shed(struct front *front, const struct front_shed *how, struct front_shed_done *done)
{
    struct line_front *f = CONTAINER_OF(front, struct line_front, front);
    f->shed = *how;
    *done = (struct front_shed_done){ 0 };
    LIST_EACH_SAFE(l, &f->connections)
        if (done->cut < how->places) {
            stream_close(CONTAINER_OF(l, struct line, link)->stream);
            done->cut++;
        }
}

static void line_free(struct front *front)
{
    mem_free(CONTAINER_OF(front, struct line_front, front));
}

static const struct front_protocol line_protocol = { .name = STR_INIT("line"),
                                                     .accept = line_accept,
                                                     .drain = line_drain,
                                                     .close_all = line_close_all,
                                                     .shed = line_shed,
                                                     .free = line_free,
                                                     .refusal = STR_INIT("429 \n") };

static struct front *line_front_new(struct requests *requests)
{
    struct line_front *f = mem_alloc(sizeof(*f));
    f->front = (struct front){ .protocol = &line_protocol, .requests = requests };
    list_init(&f->connections);
    return &f->front;
}

/* ---- a worker of sorts ---- */

struct spot {
    struct world world;
    struct source source;
    struct hash_secret secret;
    struct cache *cache;
    struct counters counters;
    struct requests requests;
    struct acceptor acceptor;
    struct address at;
    uint64_t next_id;
    unsigned changes;
};

static void answer(struct source *s, struct request *r, struct object *o, bool background)
{
    (void)s;
    assert_false(background);
    r->answer =
        (struct answer_page){ .status = str_eq(r->key.path, STR("/none")) ? 404 : 200,
                              .body = ARENA_JOIN(&r->arena, STR("you asked for "), r->key.path, STR("\n")) };
    page_fill(r, o);
}

static void changed(struct acceptor *a)
{
    ((struct spot *)a->owner)->changes++;
}

static void spot_init(struct spot *p)
{
    struct buf errors = BUF_INIT;
    memset(p, 0, sizeof(*p));
    world_init(&p->world);
    p->source = (struct source){ .route = route_alone, .start = answer };
    p->cache = cache_new(&p->secret, 8 << 20);
    p->requests = (struct requests){ .loop = &p->world.loop,
                                     .log = &p->world.log,
                                     .counters = &p->counters,
                                     .cache = p->cache,
                                     .source = &p->source,
                                     .self = STR("freshet-00000000"),
                                     .next_id = &p->next_id };
    list_init(&p->requests.open);
    struct settings *s = settings_parse(STR("origin: http://127.0.0.1:9\n"), STR("test"), NULL, 0, &errors);
    assert_non_null(s);
    requests_set_settings(&p->requests, s);
}

static void spot_listen(struct spot *p, struct front *front)
{
    struct address at;
    acceptor_init(&p->acceptor, &p->world.loop, front);
    p->acceptor.changed = changed;
    p->acceptor.owner = p;
    assert_true(address_parse(STR("127.0.0.1:0"), &at));
    int fd = listener_socket(&at, &p->at);
    assert_true(fd >= 0);
    assert_int_equal(acceptor_listen(&p->acceptor, fd, (struct listening){ 0 }), 0);
}

static void spot_fini(struct spot *p)
{
    acceptor_drain(&p->acceptor);
    RUN_UNTIL(&p->world, acceptor_is_quiet(&p->acceptor));
    acceptor_fini(&p->acceptor);
    requests_fini(&p->requests);
    cache_free(p->cache);
    world_fini(&p->world);
}

static int call(const struct spot *p)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, &p->at.sa.any, p->at.bytes), 0);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    return fd;
}

static void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* Runs the loop until exactly this came. */
static void hear(struct spot *p, int fd, const char *text)
{
    char got[2048];
    size_t n = 0, want = strlen(text);
    while (n < want) {
        ssize_t more = recv(fd, got + n, sizeof(got) - n, 0);
        if (more > 0)
            n += (size_t)more;
        else if (more == 0 || errno != EAGAIN)
            fail_msg("it ended after \"%.*s\"", (int)n, got);
        else
            loop_run_once(&p->world.loop, false);
    }
    if (n != want || memcmp(got, text, n) != 0)
        fail_msg("\"%.*s\" instead of \"%s\"", (int)n, got, text);
}

static void hear_the_end(struct spot *p, int fd)
{
    char byte;
    ssize_t n;
    while ((n = recv(fd, &byte, 1, 0)) < 0 && errno == EAGAIN)
        loop_run_once(&p->world.loop, false);
    assert_int_equal(n, 0);
    close(fd);
}

/* ---- the tests ---- */

static void another_protocol_stands_behind_the_same_header(void **state)
{
    (void)state;
    struct spot p;
    spot_init(&p);
    spot_listen(&p, line_front_new(&p.requests));
    int one = call(&p), two = call(&p);
    say(one, "/a\n");
    hear(&p, one, "200 you asked for /a\n");
    say(two, "/none\n/c\n");
    hear(&p, two, "404 you asked for /none\n200 you asked for /c\n");
    say(one, "/b");
    world_settle(&p.world);
    say(one, "\n");
    hear(&p, one, "200 you asked for /b\n");
    assert_int_equal(p.acceptor.front->open, 2);
    assert_int_equal(counter_read(&p.counters, COUNTER_CONNECTIONS_OPEN), 2);
    shutdown(one, SHUT_WR);
    hear_the_end(&p, one);
    RUN_UNTIL(&p.world, p.acceptor.front->open == 1);
    assert_true(p.changes > 0);
    struct line_front *f = CONTAINER_OF(p.acceptor.front, struct line_front, front);
    acceptor_drain(&p.acceptor);
    assert_int_equal(f->drained, 1);
    hear_the_end(&p, two);
    RUN_UNTIL(&p.world, acceptor_is_quiet(&p.acceptor));
    assert_int_equal(counter_read(&p.counters, COUNTER_CONNECTIONS_OPEN), 0);
    assert_int_equal(counter_read(&p.counters, COUNTER_CONNECTIONS_ACCEPTED), 2);
    acceptor_fini(&p.acceptor);
    requests_fini(&p.requests);
    cache_free(p.cache);
    world_fini(&p.world);
}

/* What the one before has read is the first that the new one is given. */
static void a_stream_changes_its_owner(void **state)
{
    (void)state;
    struct spot p;
    spot_init(&p);
    spot_listen(&p, front_new(&p.requests));
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    struct stream *s = mem_alloc(sizeof(*s));
    struct address peer = { .bytes = 0 };
    assert_int_equal(stream_open(s, &p.world.loop, NULL, fds[0]), 0);
    front_accept(p.acceptor.front, s, &peer, STR("GET /early HTTP/1.1\r\nHost: a\r\n"), false);
    say(fds[1], "Connection: close\r\n\r\n");
    char got[2048];
    size_t n = 0;
    for (;;) {
        ssize_t more = recv(fds[1], got + n, sizeof(got) - n, 0);
        if (more == 0)
            break;
        if (more > 0)
            n += (size_t)more;
        else
            loop_run_once(&p.world.loop, false);
    }
    struct str all = { got, n };
    assert_true(str_starts(all, STR("HTTP/1.1 200 OK\r\n")));
    assert_true(str_ends(all, STR("\r\n\r\nyou asked for /early\n")));
    close(fds[1]);
    spot_fini(&p);
}

static void stops_at_its_limit(void **state)
{
    (void)state;
    struct spot p;
    spot_init(&p);
    spot_listen(&p, line_front_new(&p.requests));
    p.acceptor.connections_max = 1;
    int one = call(&p);
    RUN_UNTIL(&p.world, p.acceptor.front->open == 1);
    assert_true(p.acceptor.paused);
    int two = call(&p); /* the kernel has it */
    world_settle(&p.world);
    assert_int_equal(p.acceptor.front->open, 1);
    shutdown(one, SHUT_WR);
    hear_the_end(&p, one);
    say(two, "/two\n");
    hear(&p, two, "200 you asked for /two\n");
    close(two);
    spot_fini(&p);
}

/* Near the limit of connections places are made, down to an eighth below it; short of memory the front hears
 * how much to give back, and when nobody can be given up, accepting pauses until the next look. */
static void makes_room_when_it_is_short(void **state)
{
    (void)state;
    struct spot p;
    spot_init(&p);
    struct front *front = line_front_new(&p.requests);
    struct line_front *f = CONTAINER_OF(front, struct line_front, front);
    spot_listen(&p, front);
    p.acceptor.connections_max = 8;
    int fds[8];
    for (size_t i = 0; i < 5; i++)
        fds[i] = call(&p);
    RUN_UNTIL(&p.world, front->open == 5);
    assert_false(acceptor_needs_relief(&p.acceptor));
    acceptor_relieve(&p.acceptor, OVERLOAD_NONE, 0);
    assert_int_equal(f->shed.looks, 0); /* it was not asked */
    for (size_t i = 5; i < 8; i++)
        fds[i] = call(&p);
    RUN_UNTIL(&p.world, front->open == 8);
    assert_true(acceptor_needs_relief(&p.acceptor));
    acceptor_relieve(&p.acceptor, OVERLOAD_NONE, 0);
    assert_int_equal(f->shed.step, OVERLOAD_CUT);
    assert_int_equal(f->shed.places, 2);
    RUN_UNTIL(&p.world, front->open == 6);
    assert_false(p.acceptor.paused);

    acceptor_relieve(&p.acceptor, OVERLOAD_SAVE, 1000);
    assert_int_equal(f->shed.bytes, 0);
    acceptor_relieve(&p.acceptor, OVERLOAD_CUT, 1000);
    assert_int_equal(f->shed.bytes, 1000);
    assert_false(p.acceptor.choked);
    acceptor_relieve(&p.acceptor, OVERLOAD_PAUSE, 1000);
    assert_true(p.acceptor.choked && p.acceptor.paused && acceptor_needs_relief(&p.acceptor));
    assert_int_equal(counter_read(p.requests.counters, COUNTER_OVERLOAD_PAUSES), 1);
    acceptor_relieve(&p.acceptor, OVERLOAD_NONE, 0);
    assert_false(p.acceptor.choked || p.acceptor.paused);
    for (size_t i = 0; i < COUNT_OF(fds); i++)
        close(fds[i]);
    spot_fini(&p);
}

/* Who has more than another gives it what it has accepted; a worker that is about to end takes nothing. */
static void gives_to_who_has_less(void **state)
{
    (void)state;
    struct spot p, q;
    spot_init(&p);
    spot_listen(&p, line_front_new(&p.requests));
    spot_init(&q);
    spot_listen(&q, line_front_new(&q.requests));
    struct acceptor *both[] = { &p.acceptor, &q.acceptor };
    p.acceptor.others = both;
    p.acceptor.others_n = COUNT_OF(both);
    int one = call(&p);
    RUN_UNTIL(&p.world, p.acceptor.front->open == 1);
    int two = call(&p);
    RUN_UNTIL(&p.world, atomic_load(&q.acceptor.arriving) == 1);
    assert_false(acceptor_end(&q.acceptor));
    RUN_UNTIL(&q.world, q.acceptor.front->open == 1);
    assert_int_equal(atomic_load(&q.acceptor.arriving), 0);
    say(two, "/two\n");
    hear(&q, two, "200 you asked for /two\n");
    close(two);
    RUN_UNTIL(&q.world, q.acceptor.front->open == 0);
    assert_true(acceptor_end(&q.acceptor));
    int three = call(&p);
    RUN_UNTIL(&p.world, p.acceptor.front->open == 2);
    assert_int_equal(q.acceptor.front->open, 0);
    close(one);
    close(three);
    spot_fini(&p);
    spot_fini(&q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(another_protocol_stands_behind_the_same_header),
        cmocka_unit_test(a_stream_changes_its_owner),
        cmocka_unit_test(stops_at_its_limit),
        cmocka_unit_test(makes_room_when_it_is_short),
        cmocka_unit_test(gives_to_who_has_less),
    };
    RUN_ALL_WAYS(tests, NULL, NULL);
}
