/*
 * Writing. Frames and small bodies are text, which is copied; larger bodies go from where they are. A write
 * is made of the text that there is, and of DATA frames in the order that the client's priorities give, up to
 * H2_TURN_MOST bytes. While one is under way, text for the next one collects.
 */
#include "base/mem.h"
#include "front/h2_machine.h"

#define SPARE_MOST  ((size_t)262144) /* of memory that waits for the next text */
#define TURNS_MOST  8                /* in one entry: others of the loop have their turn too */
#define PIECE_LEAST ((size_t)512)    /* a smaller piece of a body is copied */
#define STALL_LOOKS 4

struct turn {
    struct iovec iov[STREAM_IOV_MAX];
    size_t starts[STREAM_IOV_MAX]; /* of pieces that are text: where they begin there */
    bool is_text[STREAM_IOV_MAX];
    unsigned n;
    size_t text_at; /* text before it is in a piece */
    size_t bytes;
};

struct buf *h2_text(struct h2_client *c)
{
    struct buf *spare = &c->front->spare;
    if (!c->text.p && spare->p) {
        c->text = *spare;
        *spare = BUF_INIT;
    }
    return &c->text;
}

bool h2_text_has_room(const struct h2_client *c, size_t bytes)
{
    bool is_slow =
        c->stream->writing || c->is_slow || overload_step(h2_requests(c)->overload) >= OVERLOAD_SAVE;
    return c->text.n + bytes < (is_slow ? H2_TEXT_MOST_SLOW : H2_TEXT_MOST);
}

static void give_text(struct h2_client *c, struct buf *text)
{
    struct buf *spare = &c->front->spare;
    buf_clear(text);
    if (!spare->p && text->cap <= SPARE_MOST) {
        *spare = *text;
        *text = BUF_INIT;
    } else {
        buf_fini(text);
    }
}

void h2_drop_text(struct h2_client *c)
{
    buf_fini(&c->text);
    buf_fini(&c->flying_text);
}

void h2_board(struct h2_exchange *x)
{
    if (!link_is_in(&x->flight))
        list_push_back(&x->client->boarding, &x->flight);
}

/* ---- what goes into a write ---- */

static void add_text(struct h2_client *c, struct turn *t)
{
    if (c->text.n == t->text_at)
        return;
    CHECK(t->n < STREAM_IOV_MAX);
    t->is_text[t->n] = true;
    t->starts[t->n] = t->text_at;
    t->iov[t->n++].iov_len = c->text.n - t->text_at;
    t->bytes += c->text.n - t->text_at;
    t->text_at = c->text.n;
}

static void add_piece(struct turn *t, char *p, size_t n)
{
    CHECK(t->n < STREAM_IOV_MAX);
    t->is_text[t->n] = false;
    t->iov[t->n++] = (struct iovec){ p, n };
    t->bytes += n;
}

/* How many of `most` bytes of the exchange's are in as many pieces as the write still takes, behind the
 * frame's head? */
static size_t that_fit(const struct h2_exchange *x, const struct turn *t, size_t most)
{
    unsigned free = STREAM_IOV_MAX - t->n;
    size_t bytes = 0;
    /* each piece may need one of text before it, and the end one */
    for (unsigned i = x->iov_at; i < x->iov_n && bytes < most && free >= 3; i++) {
        bytes += x->iov[i].iov_len;
        free -= x->iov[i].iov_len < PIECE_LEAST ? 0 : 2;
    }
    return bytes < most ? bytes : most;
}

/* The next bytes of the exchange's pieces, behind the frame's head. */
static void add_bytes(struct h2_client *c, struct h2_exchange *x, struct turn *t, size_t bytes)
{
    x->left -= bytes;
    x->sent += bytes;
    c->data += bytes;
    while (bytes) {
        struct iovec *v = &x->iov[x->iov_at];
        size_t some = v->iov_len < bytes ? v->iov_len : bytes;
        if (some < PIECE_LEAST) {
            buf_add(&c->text, (struct str){ v->iov_base, some });
        } else {
            add_text(c, t);
            add_piece(t, v->iov_base, some);
            x->has_pieces = true;
        }
        v->iov_base = (char *)v->iov_base + some;
        v->iov_len -= some;
        bytes -= some;
        if (v->iov_len == 0)
            x->iov_at++;
    }
}

/* A DATA frame of the stream whose turn it is. */
static bool add_frame(struct h2_client *c, struct turn *t)
{
    size_t most;
    struct h2_stream *s = h2_next(c->h2, &most);
    if (!s)
        return false;
    struct h2_exchange *x = h2_owner(s);
    CHECK(x->stream == s && x->sending && x->left > 0);
    size_t bytes = that_fit(x, t, most < x->left ? most : x->left);
    if (bytes == 0)
        return false;
    bool ends = x->last && bytes == x->left;
    h2_put_data(c->h2, s, bytes, ends, h2_text(c));
    add_bytes(c, x, t, bytes);
    if (x->left == 0)
        h2_want(c->h2, s, false);
    h2_board(x);
    return true;
}

/* false: there is nothing to write. */
static bool gather(struct h2_client *c, struct turn *t)
{
    t->n = 0;
    t->text_at = t->bytes = 0;
    if (h2_waiting(c->h2))
        h2_take(c->h2, h2_text(c));
    while (t->bytes + c->text.n - t->text_at < H2_TURN_MOST && t->n < STREAM_IOV_MAX - 3 && add_frame(c, t))
        continue;
    add_text(c, t);
    for (unsigned i = 0; i < t->n; i++)
        if (t->is_text[i])
            t->iov[i].iov_base = c->text.p + t->starts[i];
    return t->n > 0;
}

/* ---- the client does not take it ---- */

static void look_at_stall(struct timer *timer)
{
    struct h2_client *c = CONTAINER_OF(timer, struct h2_client, stall);
    CHECK(c->tag == H2_CLIENT_TAG);
    int64_t now_ms = c->stream->loop->now.mono_ms;
    int64_t patience = h2_requests(c)->snapshot->settings->process.send_timeout;
    if (!c->stream->writing || c->state == CLIENT_CLOSING)
        return;
    if (stream_took(c->stream, &c->backlog))
        c->moved_ms = now_ms;
    if (now_ms - c->moved_ms < patience)
        timer_start(c->stream->loop, timer, patience / STALL_LOOKS, look_at_stall);
    else
        h2_client_close(c, true);
}

static void watch_write(struct h2_client *c)
{
    int64_t patience = h2_requests(c)->snapshot->settings->process.send_timeout;
    c->moved_ms = c->stream->loop->now.mono_ms;
    stream_note(c->stream, &c->backlog);
    timer_start(c->stream->loop, &c->stall, patience / STALL_LOOKS, look_at_stall);
}

/* ---- writes ---- */

static void landed(struct h2_client *c)
{
    struct link *l;
    c->moves++;
    c->written += c->flying_bytes;
    c->flying_bytes = 0;
    give_text(c, &c->flying_text);
    while (c->state == CLIENT_OPEN && (l = list_pop(&c->flying)) != NULL)
        h2_landed(CONTAINER_OF(l, struct h2_exchange, flight));
}

void h2_flush(struct h2_client *c)
{
    struct turn t;
    while (c->state == CLIENT_OPEN && !c->stream->writing && gather(c, &t)) {
        CHECK(list_is_empty(&c->flying) && !c->flying_text.n);
        list_move_all(&c->flying, &c->boarding);
        c->flying_text = c->text;
        c->text = BUF_INIT;
        c->flying_bytes = t.bytes;
        switch (stream_write(c->stream, t.iov, t.n)) {
        case STREAM_WRITTEN:
            c->is_slow = false;
            landed(c);
            break;
        case STREAM_PENDING:
            c->is_slow = true;
            watch_write(c);
            return;
        case STREAM_BROKEN: h2_client_close(c, false); return;
        }
        if (++c->turns >= TURNS_MOST) {
            h2_go_on_later(c);
            return;
        }
    }
}

void h2_on_written(struct stream *s, int status)
{
    struct h2_client *c = s->owner;
    CHECK(c->tag == H2_CLIENT_TAG && c->stream == s);
    if (c->state != CLIENT_OPEN)
        return;
    if (status < 0) {
        h2_client_close(c, false);
        return;
    }
    c->inside = true;
    landed(c);
    h2_settle(c);
}

void h2_on_moved(struct stream *s)
{
    struct h2_client *c = s->owner;
    CHECK(c->tag == H2_CLIENT_TAG && c->stream == s);
    c->moves++;
    c->moved_ms = s->loop->now.mono_ms;
}
