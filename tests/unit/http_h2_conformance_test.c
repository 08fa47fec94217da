/* HTTP/2 as the standards have it: the rows of tests/conformance/h2.txt, each whole, byte by byte and in
 * pieces. */
#include "h2_rows.h"
#include "http/h2.h"
#include "http/hpack.h"

/* ---- a server that answers each request with as many bytes as its path says ---- */

struct answer {
    struct h2_stream *stream;
    uint64_t left;
    bool busy;
};

struct server {
    struct h2 *c;
    struct buf out;
    struct answer answers[STREAMS];
    bool failed;
    struct buf log;
};

static struct answer *answer_of(struct server *v, const struct h2_stream *s)
{
    for (size_t i = 0; i < STREAMS; i++)
        if (v->answers[i].busy && v->answers[i].stream == s)
            return &v->answers[i];
    return NULL;
}

static void put_head(struct server *v, struct h2_stream *s, int status, bool last)
{
    char room[HPACK_STATUS_MOST];
    struct str block = { room, (size_t)(hpack_put_status(room, status) - room) };
    h2_put_block(v->c, s, &block, 1, last, &v->out);
}

static void finish_answer(struct server *v, struct answer *a)
{
    if (!h2_has_ended(a->stream))
        return; /* the request goes on */
    a->busy = false;
    h2_close(v->c, &a->stream, H2_NO_ERROR);
}

static void begin_answer(struct server *v, struct answer *a, const struct h2_event *e)
{
    const struct h2_head *h = &e->head;
    if (h->error != HTTP_ERROR_NONE) {
        put_head(v, a->stream, http_error_status(h->error), true);
        finish_answer(v, a);
    } else if (h->protocol.p) {
        put_head(v, a->stream, 200, false);
    } else if (str_starts(h->request.target, STR("/")) &&
               str_to_u64(str_from_index(h->request.target, 1), 1 << 20, &a->left)) {
        bool has_body = a->left && h->request.method != METHOD_HEAD;
        put_head(v, a->stream, 200, !has_body);
        if (has_body)
            h2_want(v->c, a->stream, true);
        else
            finish_answer(v, a);
    } else if (!str_eq(h->request.target, STR("/wait"))) {
        put_head(v, a->stream, 404, true);
        finish_answer(v, a);
    }
}

static void send_bodies(struct server *v)
{
    size_t room;
    struct h2_stream *s;
    while ((s = h2_next(v->c, &room)) != NULL) {
        struct answer *a = answer_of(v, s);
        size_t n = room < a->left ? room : a->left;
        a->left -= n;
        h2_put_data(v->c, s, n, a->left == 0, &v->out);
        memset(buf_room(&v->out, n), 'b', n);
        v->out.n += n;
        if (a->left == 0)
            finish_answer(v, a);
    }
}

static void on_event(struct server *v, enum h2_event_kind kind, struct h2_event *e)
{
    struct answer *a = e->stream ? answer_of(v, e->stream) : e->owner;
    switch (kind) {
    case H2_HEAD:
        for (a = v->answers; a->busy; a++)
            assert_true(a < v->answers + STREAMS - 1);
        *a = (struct answer){ .stream = e->stream, .busy = true };
        h2_set_owner(e->stream, a);
        begin_answer(v, a, e);
        break;
    case H2_BODY:
        h2_consumed(v->c, e->stream, e->data.n);
        if (e->last && a->left == 0)
            finish_answer(v, a);
        break;
    case H2_TRAILERS:
        if (a->left == 0)
            finish_answer(v, a);
        break;
    case H2_RESET: a->busy = false; break;
    default: break;
    }
}

static void serve(struct server *v, struct str in)
{
    struct arena arena;
    struct h2_event e;
    arena_init(&arena, 4096);
    for (;;) {
        enum h2_event_kind kind = h2_read(v->c, &in, 1000, &arena, &e);
        if (kind == H2_MORE || kind == H2_FAILED) {
            v->failed = kind == H2_FAILED;
            break;
        }
        on_event(v, kind, &e);
        arena_rewind(&arena);
    }
    assert_true(v->failed || in.n == 0);
    send_bodies(v);
    h2_take(v->c, &v->out);
    arena_fini(&arena);
}

static void server_init(struct server *v)
{
    static struct h2_limits limits;
    limits = h2_limits_default;
    limits.extended_connect = true;
    memset(v, 0, sizeof(*v));
    v->c = h2_new(&limits);
}

static void server_fini(struct server *v)
{
    for (size_t i = 0; i < STREAMS; i++)
        if (v->answers[i].busy)
            h2_close(v->c, &v->answers[i].stream, H2_CANCEL);
    h2_free(v->c);
    buf_fini(&v->out);
    buf_fini(&v->log);
}

/* ---- the rows ---- */

static bool run_row(struct str steps, struct str expected, size_t piece, struct buf *said)
{
    static struct server v;
    struct script s;
    write_script(&s, steps);
    server_init(&v);
    for (size_t at = 0; at < s.out.n && !v.failed;) {
        size_t n = piece ? piece : s.out.n;
        serve(&v, str_first(str_from_index(buf_str(&s.out), at), n));
        at += n;
    }
    if (!v.failed) { /* is it alive? */
        struct script ping;
        write_script(&ping, STR("bare ; ping"));
        serve(&v, buf_str(&ping.out));
        buf_fini(&ping.out);
    }
    buf_clear(said);
    say_all(buf_str(&v.out), said);
    server_fini(&v);
    buf_fini(&s.out);
    return is_as_expected(buf_str(said), expected);
}

static size_t check_row(struct str row, size_t line)
{
    static const size_t pieces[] = { 0, 1, 7, 1000 };
    struct str rest = row, section = str_trim(str_cut(&rest, '|'));
    assert_non_null(rest.p);
    struct str title = str_trim(str_cut(&rest, '|'));
    struct str steps = str_trim(str_cut(&rest, '|')), expected = str_trim(rest);
    struct buf said = BUF_INIT;
    size_t wrong = 0;
    for (size_t i = 0; i < COUNT_OF(pieces) && !wrong; i++) {
        if (run_row(steps, expected, pieces[i], &said))
            continue;
        print_message("h2.txt:%zu: %.*s: %.*s (pieces of %zu)\n  expected: %.*s\n  said:\n%.*s\n", line,
                      STR_ARG(section), STR_ARG(title), pieces[i], STR_ARG(expected),
                      STR_ARG(str_first(buf_str(&said), 400)));
        wrong++;
    }
    buf_fini(&said);
    return wrong;
}

static void all_rows_are_as_expected(void **state)
{
    (void)state;
    FILE *f = fopen(SOURCE_FOLDER "/tests/conformance/h2.txt", "r");
    char line[4096];
    size_t rows = 0, wrong = 0, at = 0;
    assert_non_null(f);
    while (fgets(line, sizeof(line), f)) {
        struct str row = str_first(str_from(line), strcspn(line, "\n"));
        at++;
        if (row.n == 0 || row.p[0] == '#')
            continue;
        rows++;
        wrong += check_row(row, at);
    }
    fclose(f);
    print_message("%zu cases, %zu wrong\n", rows, wrong);
    assert_int_equal(wrong, 0);
    assert_true(rows >= 140);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_rows_are_as_expected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
