#include <string.h>

#include "http/h2_machine.h"
#include "http/hpack.h"

/* ---- the client's body goes on ---- */

/* A window is opened again when half of it is used up, so that updates are few. */
void h2_credit(struct h2 *c, size_t bytes)
{
    c->credit += (uint32_t)bytes;
    CHECK(c->recv_window + c->credit <= c->limits->connection_window);
    if (c->credit < c->limits->connection_window / 2 || c->life == H2_BROKEN)
        return;
    h2_frame_add_window_update(&c->out, 0, c->credit);
    c->recv_window += c->credit;
    c->credit = 0;
    h2_bound_out(c);
}

void h2_consumed(struct h2 *c, struct h2_stream *s, size_t bytes)
{
    CHECK(c->tag == H2_TAG && bytes <= s->unconsumed);
    s->unconsumed -= (uint32_t)bytes;
    if (!c->is_client) /* then it was done when they came */
        h2_credit(c, bytes);
    s->credit += (uint32_t)bytes;
    if (s->remote_ended || s->credit == 0 || s->credit < c->limits->stream_window / 2 || c->life == H2_BROKEN)
        return;
    h2_frame_add_window_update(&c->out, s->id, s->credit);
    s->recv_window += (int32_t)s->credit;
    s->credit = 0;
    h2_bound_out(c);
}

/* ---- sending ---- */

void h2_take(struct h2 *c, struct buf *to)
{
    CHECK(c->tag == H2_TAG);
    if (c->out.n == 0)
        return;
    buf_add(to, buf_str(&c->out));
    buf_fini(&c->out);
}

size_t h2_waiting(const struct h2 *c)
{
    return c->out.n;
}

/* Appends `n` bytes of the pieces; *piece and *at say where they go on. */
static void add_pieces(struct buf *to, const struct str *pieces, size_t *piece, size_t *at, size_t n)
{
    while (n) {
        struct str some = str_first(str_from_index(pieces[*piece], *at), n);
        buf_add(to, some);
        n -= some.n;
        *at += some.n;
        if (*at == pieces[*piece].n) {
            ++*piece;
            *at = 0;
        }
    }
}

/* A block that fits into one frame, as nearly all do. */
static void add_whole_block(struct buf *to, const struct h2_stream *s, const struct str *pieces, size_t n,
                            size_t bytes, bool last)
{
    char *at = buf_room(to, H2_FRAME_HEAD + bytes);
    h2_frame_put_head(at, bytes, H2_HEADERS, H2_END_HEADERS | (last ? H2_END_STREAM : 0), s->id);
    at += H2_FRAME_HEAD;
    for (size_t i = 0; i < n; i++)
        at = str_put(at, pieces[i]);
    to->n += H2_FRAME_HEAD + bytes;
}

/* A block in as many frames as it needs (RFC 9113 §4.3). */
static void add_block(struct buf *to, const struct h2 *c, const struct h2_stream *s, const struct str *pieces,
                      size_t left, bool last)
{
    size_t piece = 0, at = 0;
    enum h2_type type = H2_HEADERS;
    uint8_t flags = last ? H2_END_STREAM : 0;
    do {
        size_t bytes = left < c->max_frame ? left : c->max_frame;
        left -= bytes;
        char *head = buf_room(to, H2_FRAME_HEAD + bytes);
        h2_frame_put_head(head, bytes, type, (uint8_t)(flags | (left ? 0 : H2_END_HEADERS)), s->id);
        to->n += H2_FRAME_HEAD;
        add_pieces(to, pieces, &piece, &at, bytes);
        type = H2_CONTINUATION;
        flags = 0;
    } while (left);
}

#define PIECES_MOST 16

/* The connection's first block says first that there is no table. */
static size_t add_no_table(struct str *all, const struct str *pieces, size_t n)
{
    all[0] = HPACK_NO_TABLE;
    memcpy(all + 1, pieces, n * sizeof(*pieces));
    return n + 1;
}

void h2_put_block(struct h2 *c, struct h2_stream *s, const struct str *pieces, size_t n, bool last,
                  struct buf *to)
{
    struct str all[PIECES_MOST + 1];
    size_t bytes = 0;
    CHECK(c->tag == H2_TAG && !s->local_ended && n <= PIECES_MOST);
    h2_take(c, to);
    if (!c->has_put_block) {
        n = add_no_table(all, pieces, n);
        pieces = all;
    }
    for (size_t i = 0; i < n; i++)
        bytes += pieces[i].n;
    c->has_put_block = s->has_head = true;
    if (bytes <= c->max_frame)
        add_whole_block(to, s, pieces, n, bytes, last);
    else
        add_block(to, c, s, pieces, bytes, last);
    if (last)
        h2_note_end(c, s, false, true);
    h2_update_turn(c, s);
}

void h2_put_data(struct h2 *c, struct h2_stream *s, size_t bytes, bool last, struct buf *to)
{
    CHECK(c->tag == H2_TAG && s->has_head && !s->local_ended && (bytes || last));
    CHECK(bytes <= H2_FRAME_BYTES &&
          (bytes == 0 || ((int64_t)bytes <= c->send_window && (int64_t)bytes <= s->send_window)));
    h2_take(c, to);
    h2_frame_put_head(buf_room(to, H2_FRAME_HEAD), bytes, H2_DATA, last ? H2_END_STREAM : 0, s->id);
    to->n += H2_FRAME_HEAD;
    c->send_window -= (int64_t)bytes;
    s->send_window -= (int32_t)bytes;
    h2_calm_sent(&c->calm, bytes, c->send_window <= 0 || s->send_window <= 0);
    if (last)
        h2_note_end(c, s, false, true);
    else if (link_is_in(&s->turn.link))
        priority_queue_served(&c->queue, &s->turn);
    h2_update_turn(c, s);
}

/* ---- whose turn ---- */

void h2_update_turn(struct h2 *c, struct h2_stream *s)
{
    bool has_turn = s->wants && !s->local_ended && s->send_window > 0;
    if (has_turn == link_is_in(&s->turn.link))
        return;
    if (has_turn)
        priority_queue_add(&c->queue, &s->turn);
    else
        priority_queue_remove(&s->turn);
    c->turns += has_turn ? 1 : (size_t)-1;
}

/* Of one frame, as the windows are. */
static size_t most_of_frame(const struct h2 *c, const struct h2_stream *s)
{
    int64_t most = s->send_window < c->send_window ? s->send_window : c->send_window;
    return most < (int64_t)H2_FRAME_BYTES ? (size_t)most : H2_FRAME_BYTES;
}

size_t h2_may_put(const struct h2 *c, const struct h2_stream *s)
{
    CHECK(c->tag == H2_TAG && s->has_head && !s->local_ended && !s->wants);
    if (c->turns > 0 || c->send_window <= 0 || s->send_window <= 0 || c->life == H2_BROKEN)
        return 0;
    return most_of_frame(c, s);
}

void h2_want(struct h2 *c, struct h2_stream *s, bool wants)
{
    CHECK(c->tag == H2_TAG && (!wants || (s->has_head && !s->local_ended)));
    s->wants = wants;
    h2_update_turn(c, s);
}

struct h2_stream *h2_next(struct h2 *c, size_t *bytes)
{
    CHECK(c->tag == H2_TAG);
    struct priority_turn *t = priority_queue_next(&c->queue);
    *bytes = 0;
    if (!t || c->send_window <= 0 || c->life == H2_BROKEN)
        return NULL;
    struct h2_stream *s = CONTAINER_OF(t, struct h2_stream, turn);
    *bytes = most_of_frame(c, s);
    return s;
}

bool h2_is_blocked(const struct h2 *c, const struct h2_stream *s)
{
    return s->wants && !s->local_ended && (s->send_window <= 0 || c->send_window <= 0);
}

bool h2_is_shut(const struct h2_stream *s)
{
    return s->wants && !s->local_ended && s->send_window <= 0;
}

struct priority h2_priority(const struct h2_stream *s)
{
    return s->turn.priority;
}

void h2_set_priority(struct h2 *c, struct h2_stream *s, struct priority p)
{
    priority_queue_change(&c->queue, &s->turn, p);
}
