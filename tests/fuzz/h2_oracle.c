/* Frames that we take without an error nghttp2's session takes without one, and reads the same requests in
 * them. Where that cannot be, is_excused says why. */
#include <stdio.h>
#include <stdlib.h>

#include <nghttp2/nghttp2.h>

#include "h2_frames.h"
#include "h2_server.h"

/* A message as both see it. */
struct seen {
    struct buf log;    /* the requests and trailers so far */
    struct buf fields; /* of the head that arrives */
    struct buf cookie; /* its cookies, joined (RFC 9113 §8.2.3) */
    size_t pseudo;     /* its pseudo-fields */
    size_t bytes[256]; /* of the body, by stream */
    bool wrong;        /* the session found a fault */
};

static size_t *bytes_of(struct seen *s, uint32_t id)
{
    return &s->bytes[id / 2 % 256];
}

static void see_field(struct seen *s, struct str name, struct str value)
{
    if (str_eq_nocase(name, STR("cookie"))) {
        if (s->cookie.n && value.n)
            buf_add(&s->cookie, STR("; "));
        buf_add(&s->cookie, value);
        return;
    }
    for (size_t i = 0; i < name.n; i++)
        buf_add_char(&s->fields, ascii_lower(name.p[i]));
    buf_add_char(&s->fields, '=');
    buf_add(&s->fields, value);
    buf_add_char(&s->fields, '\n');
}

/* Pseudo-fields may come in any order: their sum. */
static void see_pseudo(struct seen *s, struct str name, struct str value)
{
    for (size_t i = 0; i < value.n; i++)
        s->pseudo += (i + 1) * (unsigned char)value.p[i] * (name.n < 2 ? 1 : (unsigned char)name.p[1]);
}

static void see_head(struct seen *s, uint32_t id, bool is_request, bool last)
{
    buf_printf(&s->log, "%s %u %d %zu\n", is_request ? "head" : "trailers", id, last, s->pseudo);
    s->pseudo = 0;
    buf_add(&s->log, buf_str(&s->fields));
    buf_printf(&s->log, "cookie=%.*s\n", STR_ARG(buf_str(&s->cookie)));
    buf_clear(&s->fields);
    buf_clear(&s->cookie);
    if (is_request)
        *bytes_of(s, id) = 0;
}

static void seen_fini(struct seen *s)
{
    buf_fini(&s->log);
    buf_fini(&s->fields);
    buf_fini(&s->cookie);
}

/* ---- theirs ---- */

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_n,
                     const uint8_t *value, size_t value_n, uint8_t flags, void *user)
{
    (void)session;
    (void)flags;
    (void)frame;
    struct str n = { (const char *)name, name_n }, v = { (const char *)value, value_n };
    if (name_n && name[0] != ':')
        see_field(user, n, v);
    else
        see_pseudo(user, n, v);
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *p, size_t n,
                   void *user)
{
    (void)session;
    (void)flags;
    (void)p;
    *bytes_of(user, (uint32_t)id) += n;
    return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct seen *s = user;
    (void)session;
    bool last = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
    if (frame->hd.type == NGHTTP2_HEADERS)
        see_head(s, (uint32_t)frame->hd.stream_id, frame->headers.cat == NGHTTP2_HCAT_REQUEST, last);
    if (frame->hd.type == NGHTTP2_DATA && last)
        buf_printf(&s->log, "end %d %zu\n", frame->hd.stream_id, *bytes_of(s, (uint32_t)frame->hd.stream_id));
    return 0;
}

static int on_invalid(nghttp2_session *session, const nghttp2_frame *frame, int code, void *user)
{
    (void)session;
    (void)frame;
    if (getenv("FUZZ_SAY"))
        fprintf(stderr, "nghttp2: %s\n", nghttp2_strerror(code));
    ((struct seen *)user)->wrong = true;
    return 0;
}

static nghttp2_session *session_new(struct seen *s, const struct h2_limits *limits)
{
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *option;
    nghttp2_session *session;
    const nghttp2_settings_entry settings[] = { { NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits->streams },
                                                { NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1 } };
    CHECK(nghttp2_session_callbacks_new(&callbacks) == 0 && nghttp2_option_new(&option) == 0);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_invalid);
    nghttp2_option_set_max_settings(option, 1 << 20);
    CHECK(nghttp2_session_server_new2(&session, callbacks, s, option) == 0);
    CHECK(nghttp2_submit_settings(session, 0, settings, COUNT_OF(settings)) == 0);
    CHECK(nghttp2_session_set_local_window_size(session, 0, 0, (int32_t)limits->connection_window) == 0);
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    return session;
}

/* Did it send RST_STREAM or GOAWAY? */
static bool has_reset(struct str out)
{
    struct str frame;
    while ((frame = frame_next(&out)).n)
        if (frame.p[3] == H2_RST_STREAM || frame.p[3] == H2_GOAWAY)
            return true;
    return false;
}

static void give_session(nghttp2_session *session, struct seen *s, struct str in)
{
    ssize_t n = nghttp2_session_mem_recv(session, (const uint8_t *)in.p, in.n);
    const uint8_t *out;
    s->wrong |= n < 0 || (size_t)n != in.n;
    while (!s->wrong && (n = nghttp2_session_mem_send(session, &out)) > 0)
        s->wrong |= has_reset((struct str){ (const char *)out, (size_t)n });
    s->wrong |= n < 0;
}

/* ---- ours: silent, and stopped by the first fault ---- */

struct ours {
    struct server server;
    struct seen seen;
    bool stops;   /* a fault of the input */
    bool excused; /* what comes may be a fault for the session */
};

static void see_ours(struct ours *o, enum h2_event_kind kind, const struct h2_event *e)
{
    const struct fields *f = kind == H2_HEAD ? &e->head.request.fields : &e->fields;
    struct seen *s = &o->seen;
    if (kind == H2_BODY) {
        *bytes_of(s, e->id) += e->data.n;
        if (e->last)
            buf_printf(&s->log, "end %u %zu\n", e->id, *bytes_of(s, e->id));
        return;
    }
    if (kind != H2_HEAD && kind != H2_TRAILERS)
        return;
    if (kind == H2_HEAD) {
        /* Host is the caller's matter; nghttp2 refuses two, one malformed one, neither Host nor :authority */
        struct str host = fields_value(f, FIELD_HOST);
        o->excused |= fields_count(f, FIELD_HOST) > 1 ||
                      (!e->head.authority.p && !fields_has(f, FIELD_HOST)) ||
                      (fields_has(f, FIELD_HOST) &&
                       (host.n == 0 || !nghttp2_check_authority((const uint8_t *)host.p, host.n)));
    }
    if (kind == H2_HEAD) {
        const struct h2_head *h = &e->head;
        see_pseudo(s, STR(":method"), h->request.method_name);
        see_pseudo(s, STR(":scheme"), h->scheme);
        see_pseudo(s, STR(":authority"), h->authority);
        if (h->scheme.p)
            see_pseudo(s, STR(":path"), h->request.target);
        see_pseudo(s, STR(":protocol"), h->protocol);
    }
    for (size_t i = 0; i < f->n; i++)
        see_field(s, f->v[i].name, f->v[i].value);
    see_head(s, e->id, kind == H2_HEAD, e->last);
}

/* Returns false when the frame was a fault, for the connection, a stream, or a head over a limit. */
static bool give_ours(struct ours *o, struct str in)
{
    struct server *v = &o->server;
    struct arena arena;
    struct h2_event e;
    enum h2_event_kind kind;
    arena_init(&arena, 1024);
    while ((kind = h2_read(v->c, &in, 0, &arena, &e)) != H2_MORE && kind != H2_FAILED) {
        if (kind == H2_HEAD && e.head.error != HTTP_ERROR_NONE)
            o->stops = true;
        if (kind == H2_RESET)
            o->stops |= e.by_us;
        if (!o->stops)
            see_ours(o, kind, &e);
        server_event(v, kind, &e);
        arena_rewind(&arena);
    }
    h2_take(v->c, &v->out);
    o->stops |= kind == H2_FAILED || has_reset(buf_str(&v->out));
    buf_clear(&v->out);
    arena_fini(&arena);
    return !o->stops;
}

static void compare(struct ours *o, nghttp2_session *session, struct seen *theirs, struct str in)
{
    unsigned continuations = 0;
    CHECK(give_ours(o, H2_PREFACE));
    give_session(session, theirs, H2_PREFACE);
    for (struct str from = in;;) {
        struct str frame = frame_next(&in);
        if (!frame.n || !give_ours(o, frame))
            return;
        continuations = frame.p[3] == H2_CONTINUATION ? continuations + 1 : 0;
        if (o->excused || frame_is_excused(frame, continuations))
            return;
        if (frame_leaves_block_open(frame))
            continue;
        give_session(session, theirs, str_first(from, (size_t)(frame.p + frame.n - from.p)));
        from = in;
        CHECK(!theirs->wrong);
        CHECK(str_eq(buf_str(&theirs->log), buf_str(&o->seen.log)));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct ours o;
    static struct seen theirs;
    static const char settings[9] = { 0, 0, 0, H2_SETTINGS };
    struct str in = { (const char *)data, size };
    struct buf room = BUF_INIT;
    memset(&o, 0, sizeof(o));
    memset(&theirs, 0, sizeof(theirs));
    o.server.limits = h2_limits_default;
    o.server.limits.streams = ANSWERS_MOST / 4;
    o.server.limits.stream_window = 65535;
    o.server.limits.extended_connect = true;
    o.server.silent = true;
    o.server.c = h2_new(&o.server.limits);
    nghttp2_session *session = session_new(&theirs, &o.server.limits);
    if (str_starts(in, H2_PREFACE)) {
        in = str_from_index(in, H2_PREFACE.n);
    } else {
        buf_add(&room, (struct str){ settings, sizeof(settings) });
        buf_add(&room, in);
        in = buf_str(&room);
    }
    compare(&o, session, &theirs, in);
    nghttp2_session_del(session);
    server_fini(&o.server);
    seen_fini(&o.seen);
    seen_fini(&theirs);
    buf_fini(&room);
    return 0;
}
