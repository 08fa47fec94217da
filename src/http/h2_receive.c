#include <string.h>

#include "http/h2_machine.h"

/* ---- what is wrong with one stream ---- */

static enum h2_event_kind tell_reset(struct h2 *c, struct h2_stream *s, struct h2_event *e, uint32_t code)
{
    e->owner = s->owner;
    e->id = s->id;
    e->code = code;
    h2_forget(c, s);
    return H2_RESET;
}

/* Refuses a stream that became no request, or drops a frame on one that is gone. */
static enum h2_event_kind reset_unopened(struct h2 *c, uint32_t id, enum h2_code code)
{
    h2_frame_add_rst_stream(&c->out, id, code);
    h2_past_mark_reset(c, id);
    h2_bound_out(c);
    h2_count(c, H2_GLITCH_RESET_BY_US);
    return c->life == H2_BROKEN ? H2_FAILED : H2_MORE;
}

/* A stream error (RFC 9113 §5.4.2). What was reset often breaks the connection; then the event is that. */
static enum h2_event_kind stream_error(struct h2 *c, struct h2_stream *s, enum h2_code code, const char *text,
                                       struct h2_event *e)
{
    if (reset_unopened(c, s->id, code) == H2_FAILED)
        return H2_FAILED;
    e->by_us = true;
    e->text = text;
    return tell_reset(c, s, e, code);
}

static enum h2_event_kind malformed(struct h2 *c, struct h2_stream *s, const char *text, struct h2_event *e)
{
    e->wrong = e->head.wrong;
    return stream_error(c, s, H2_PROTOCOL_ERROR, text, e);
}

/* A frame on a stream that is not there. RFC 9113 §5.1: an idle one is an error of the connection, like one
 * that was closed and is used again; what we reset is ignored for a while. */
static enum h2_event_kind on_missing(struct h2 *c, uint32_t id, const char *text)
{
    switch (h2_past_of(c, id)) {
    case H2_WAS_IDLE:
    case H2_WAS_SKIPPED: return h2_break(c, H2_PROTOCOL_ERROR, text);
    case H2_WAS_CLOSED:
        if (!c->is_client)
            return h2_break(c, H2_STREAM_CLOSED, "a frame on a closed stream");
        break;
    case H2_WAS_RESET: break;
    }
    /* What a server has sent before it could know that a visitor is gone is no fault of it. */
    if (c->is_client)
        return H2_MORE;
    return h2_count(c, H2_GLITCH_ON_CLOSED) ? H2_MORE : H2_FAILED;
}

/* ---- DATA (§6.1) ---- */

/* Opens the windows again for bytes that nobody waits for. */
static void drop(struct h2 *c, struct h2_stream *s, uint32_t bytes)
{
    if (s)
        h2_consumed(c, s, bytes);
    else
        h2_credit(c, bytes);
}

/* So much more than our window may come of a stream until the client knows of that: it has the first one, and
 * what it sends meanwhile counts in ours afterwards (§6.9.2, §6.9.3). */
static int64_t first_window_more(const struct h2 *c)
{
    int64_t more = (int64_t)H2_WINDOW_FIRST - c->limits->stream_window;
    return c->is_client || c->knows_settings || more < 0 ? 0 : more;
}

static enum h2_event_kind data_begins(struct h2 *c, struct h2_event *e)
{
    const struct h2_frame *f = &c->reader.frame;
    struct h2_stream *s = h2_find(c, f->stream);
    c->data_to = NULL;
    if (f->bytes > c->recv_window)
        return h2_break(c, H2_FLOW_CONTROL_ERROR, "more DATA than the connection's window");
    c->recv_window -= f->bytes;
    if (f->content == 0 && !(f->flags & H2_END_STREAM) && !h2_count(c, H2_GLITCH_EMPTY))
        return H2_FAILED;
    if (!s || (s->remote_ended && s->local_ended)) {
        drop(c, NULL, f->bytes);
        return s ? h2_break(c, H2_STREAM_CLOSED, "DATA on a closed stream")
                 : on_missing(c, f->stream, "DATA on an idle stream");
    }
    if (c->is_client)
        h2_credit(c, f->bytes);
    s->unconsumed += f->bytes;
    if (s->remote_ended)
        return stream_error(c, s, H2_STREAM_CLOSED, "DATA behind the end of the stream", e);
    if ((int64_t)f->bytes > s->recv_window + first_window_more(c))
        return stream_error(c, s, H2_FLOW_CONTROL_ERROR, "more DATA than the stream's window", e);
    if (c->is_client && !s->answered)
        return stream_error(c, s, H2_PROTOCOL_ERROR, "DATA in front of the head", e);
    s->recv_window -= (int32_t)f->bytes;
    c->data_to = s;
    drop(c, s, f->bytes - f->content);
    return H2_MORE;
}

/* The request ends here: was all of it there (§8.1.1)? */
static bool is_whole(const struct h2_stream *s)
{
    return s->length < 0 || s->received == s->length;
}

static enum h2_event_kind data_piece(struct h2 *c, const struct h2_frame_said *said, struct h2_event *e)
{
    struct h2_stream *s = c->data_to;
    if (!s)
        return H2_MORE;
    s->received += (int64_t)said->piece.n;
    e->last = said->ends && c->reader.frame.flags & H2_END_STREAM;
    if (said->ends)
        c->data_to = NULL;
    if (s->length >= 0 && s->received > s->length)
        return stream_error(c, s, H2_PROTOCOL_ERROR, "more DATA than Content-Length says", e);
    if (e->last && !is_whole(s))
        return stream_error(c, s, H2_PROTOCOL_ERROR, "less DATA than Content-Length says", e);
    if (e->last)
        h2_note_end(c, s, true, false);
    if (said->piece.n == 0 && !e->last)
        return H2_MORE;
    e->stream = s;
    e->owner = s->owner;
    e->id = s->id;
    e->data = said->piece;
    return H2_BODY;
}

/* ---- HEADERS and CONTINUATION (§6.2, §6.10, §8) ---- */

static enum h2_event_kind headers_begin(struct h2 *c)
{
    const struct h2_frame *f = &c->reader.frame;
    CHECK(c->block.n == 0);
    c->block_stream = f->stream;
    c->block_flags = f->flags;
    c->block_frames = 0;
    if (f->stream % 2 == 0)
        return h2_break(c, H2_PROTOCOL_ERROR, "a stream of a client with an even identifier");
    return H2_MORE;
}

static enum h2_event_kind continuation_begins(struct h2 *c)
{
    if (++c->block_frames > c->limits->block_frames)
        return h2_break(c, H2_ENHANCE_YOUR_CALM, "a header block in too many CONTINUATION frames");
    return H2_MORE;
}

static enum h2_event_kind decode(struct h2 *c, struct str block, enum h2_head_kind kind, bool to_head,
                                 struct arena *a, struct h2_head *head, enum h2_head_result *result,
                                 const char **text)
{
    struct h2_head_rules rules = { .kind = kind,
                                   .limits = c->limits->head,
                                   .ends_stream = c->block_flags & H2_END_STREAM,
                                   .extended_connect = c->limits->extended_connect,
                                   .to_head = to_head };
    struct h2_head_cost cost;
    if (!c->inflater)
        c->inflater = h2_head_inflater_new();
    if (!c->inflater)
        return h2_break(c, H2_INTERNAL_ERROR, "no memory");
    *result = h2_head_read(c->inflater, block, &rules, a, head, &cost, text);
    if (*result == H2_HEAD_BAD)
        return h2_break(c, H2_COMPRESSION_ERROR, *text);
    if (*result == H2_HEAD_TOO_MUCH)
        return h2_break(c, H2_ENHANCE_YOUR_CALM, *text);
    if (cost.is_over && !h2_count(c, H2_GLITCH_LARGE_HEAD))
        return H2_FAILED;
    if (cost.is_over && c->is_worn && kind == H2_HEAD_DROPPED) /* of streams that are gone there is no end */
        return h2_break(c, H2_ENHANCE_YOUR_CALM, h2_calm_text(H2_GLITCH_LARGE_HEAD));
    for (unsigned i = 0; i < cost.size_changes; i++)
        if (!h2_count(c, H2_GLITCH_TABLE_SIZE))
            return H2_FAILED;
    return H2_MORE;
}

static enum h2_event_kind dropped_block(struct h2 *c, struct str block, struct arena *a)
{
    struct h2_head head;
    enum h2_head_result result;
    const char *text;
    return decode(c, block, H2_HEAD_DROPPED, false, a, &head, &result, &text);
}

/* There is no place for another stream. Beside those that are open, some may be left that the caller has not
 * closed. */
static bool is_full(const struct h2 *c)
{
    return c->open >= c->limits->streams || c->n >= 2 * (size_t)c->limits->streams;
}

static enum h2_event_kind new_stream(struct h2 *c, struct str block, struct arena *a, struct h2_event *e)
{
    uint32_t id = c->block_stream;
    enum h2_head_result result;
    enum h2_event_kind kind;
    h2_past_add(c, id);
    if (c->life == H2_ENDING) {
        h2_past_mark_reset(c, id);
        return h2_count(c, H2_GLITCH_ON_CLOSED) ? dropped_block(c, block, a) : H2_FAILED;
    }
    if (is_full(c)) {
        kind = dropped_block(c, block, a);
        return kind == H2_MORE ? reset_unopened(c, id, H2_REFUSED_STREAM) : kind;
    }
    kind = decode(c, block, H2_HEAD_REQUEST, false, a, &e->head, &result, &e->text);
    if (kind != H2_MORE)
        return kind;
    if (result == H2_HEAD_MALFORMED)
        return reset_unopened(c, id, H2_PROTOCOL_ERROR);
    h2_calm_request(&c->calm);
    e->last = c->block_flags & H2_END_STREAM;
    e->stream = h2_open(c, id, &e->head, e->last);
    e->id = id;
    return H2_HEAD;
}

static enum h2_event_kind trailers(struct h2 *c, struct h2_stream *s, struct str block, struct arena *a,
                                   struct h2_event *e)
{
    enum h2_head_result result;
    const char *text;
    enum h2_event_kind kind = decode(c, block, H2_HEAD_TRAILERS, false, a, &e->head, &result, &text);
    if (kind != H2_MORE)
        return kind;
    if (s->remote_ended)
        return stream_error(c, s, H2_STREAM_CLOSED, "HEADERS behind the end of the stream", e);
    if (!(c->block_flags & H2_END_STREAM))
        return stream_error(c, s, H2_PROTOCOL_ERROR, "a second head, without the end of the stream", e);
    if (result == H2_HEAD_MALFORMED)
        return malformed(c, s, text, e);
    if (!is_whole(s))
        return stream_error(c, s, H2_PROTOCOL_ERROR, "less DATA than Content-Length says", e);
    h2_note_end(c, s, true, false);
    e->stream = s;
    e->owner = s->owner;
    e->id = s->id;
    e->fields = e->head.request.fields;
    e->last = true;
    return H2_TRAILERS;
}

/* The head of an answer, on a stream of ours; or its trailers. */
static enum h2_event_kind answer(struct h2 *c, struct h2_stream *s, struct str block, struct arena *a,
                                 struct h2_event *e)
{
    enum h2_head_result result;
    const char *text;
    if (s->answered)
        return trailers(c, s, block, a, e);
    enum h2_event_kind kind = decode(c, block, H2_HEAD_ANSWER, s->is_head, a, &e->head, &result, &text);
    if (kind != H2_MORE)
        return kind;
    if (result == H2_HEAD_MALFORMED)
        return malformed(c, s, text, e);
    s->answered = e->head.status >= 200;
    if (s->answered && e->head.framing.kind == FRAMING_LENGTH)
        s->length = (int64_t)e->head.framing.length;
    else if (s->answered && e->head.framing.kind == FRAMING_NONE)
        s->length = 0;
    e->last = c->block_flags & H2_END_STREAM;
    if (e->last)
        h2_note_end(c, s, true, false);
    e->stream = s;
    e->owner = s->owner;
    e->id = s->id;
    return H2_HEAD;
}

static enum h2_event_kind block_ends(struct h2 *c, struct str block, struct arena *a, struct h2_event *e)
{
    uint32_t id = c->block_stream;
    struct h2_stream *s = h2_find(c, id);
    if (s && s->remote_ended && s->local_ended)
        return h2_break(c, H2_STREAM_CLOSED, "HEADERS on a closed stream");
    if (s)
        return c->is_client ? answer(c, s, block, a, e) : trailers(c, s, block, a, e);
    if (id > c->last_id && !c->is_client)
        return new_stream(c, block, a, e);
    enum h2_event_kind kind = on_missing(c, id, "a stream identifier that is not the highest");
    return kind == H2_MORE ? dropped_block(c, block, a) : kind;
}

static enum h2_event_kind block_piece(struct h2 *c, const struct h2_frame_said *said, struct arena *a,
                                      struct h2_event *e)
{
    const struct h2_frame *f = &c->reader.frame;
    bool is_last = said->ends && f->flags & H2_END_HEADERS;
    if (c->block.n + said->piece.n > c->limits->block_bytes)
        return h2_break(c, H2_ENHANCE_YOUR_CALM, "a header block over the limit");
    if (said->ends && f->content == 0 && !is_last && !h2_count(c, H2_GLITCH_EMPTY))
        return H2_FAILED;
    if (is_last && c->block.n == 0)
        return block_ends(c, said->piece, a, e);
    buf_add(&c->block, said->piece);
    if (!is_last)
        return H2_MORE;
    enum h2_event_kind kind = block_ends(c, buf_str(&c->block), a, e);
    buf_fini(&c->block);
    return kind;
}

/* ---- settings (§6.5) ---- */

static enum h2_event_kind set_switch(struct h2 *c, bool *to, uint32_t value, bool may_change,
                                     const char *text)
{
    if (value > 1 || (!may_change && *to != (value == 1)))
        return h2_break(c, H2_PROTOCOL_ERROR, text);
    *to = value == 1;
    return H2_MORE;
}

static enum h2_event_kind set_max_frame(struct h2 *c, uint32_t value)
{
    if (value < H2_FRAME_BYTES || value >= (uint32_t)1 << 24)
        return h2_break(c, H2_PROTOCOL_ERROR, "SETTINGS_MAX_FRAME_SIZE out of range");
    c->max_frame = value;
    return H2_MORE;
}

static enum h2_event_kind set_initial_window(struct h2 *c, uint32_t value)
{
    if (value > H2_WINDOW_MOST)
        return h2_break(c, H2_FLOW_CONTROL_ERROR, "SETTINGS_INITIAL_WINDOW_SIZE of more than 2^31-1");
    c->initial_window = value;
    return H2_MORE;
}

static enum h2_event_kind one_setting(struct h2 *c)
{
    uint32_t value = c->reader.frame.value;
    bool ignored;
    switch (c->reader.frame.setting) {
    case H2_ENABLE_PUSH:
        if (c->is_client && value == 1)
            return h2_break(c, H2_PROTOCOL_ERROR, "SETTINGS_ENABLE_PUSH of a server");
        return set_switch(c, &ignored, value, true, "SETTINGS_ENABLE_PUSH other than 0 or 1");
    case H2_MAX_CONCURRENT_STREAMS: c->peer_streams = value; return H2_MORE;
    case H2_INITIAL_WINDOW_SIZE: return set_initial_window(c, value);
    case H2_MAX_FRAME_SIZE: return set_max_frame(c, value);
    case H2_ENABLE_CONNECT_PROTOCOL: /* RFC 8441 §3: not back to 0 */
        return set_switch(c, &c->connect_protocol, value, !c->connect_protocol,
                          "SETTINGS_ENABLE_CONNECT_PROTOCOL other than 0 or 1, or taken back");
    case H2_NO_RFC7540_PRIORITIES: /* RFC 9218 §2.1: only in the first frame */
        return set_switch(c, &c->no_priorities, value, !c->has_settings,
                          "SETTINGS_NO_RFC7540_PRIORITIES other than 0 or 1, or changed");
    default: return H2_MORE;
    }
}

/* The windows of open streams follow (§6.9.2). Once a frame, however many settings it has: only the last one
 * counts in the end. */
static enum h2_event_kind move_windows(struct h2 *c)
{
    int64_t by = (int64_t)c->initial_window - c->initial_window_was;
    c->initial_window_was = c->initial_window;
    for (size_t i = 0; by != 0 && i < c->n; i++) {
        int64_t window = c->streams[i]->send_window + by;
        if (window > (int64_t)H2_WINDOW_MOST)
            return h2_break(c, H2_FLOW_CONTROL_ERROR, "SETTINGS that make a window of more than 2^31-1");
        c->streams[i]->send_window = (int32_t)window;
        h2_update_turn(c, c->streams[i]);
    }
    return H2_MORE;
}

static enum h2_event_kind settings_end(struct h2 *c)
{
    if (!h2_count(c, H2_GLITCH_SETTINGS))
        return H2_FAILED;
    if (c->reader.frame.flags & H2_ACK) {
        c->knows_settings = true;
        return H2_MORE;
    }
    c->has_settings = true;
    if (move_windows(c) == H2_FAILED)
        return H2_FAILED;
    h2_frame_add_settings_ack(&c->out);
    h2_bound_out(c);
    return c->life == H2_BROKEN ? H2_FAILED : H2_MORE;
}

/* ---- small frames ---- */

static enum h2_event_kind rst_stream(struct h2 *c, struct h2_event *e)
{
    const struct h2_frame *f = &c->reader.frame;
    struct h2_stream *s = h2_find(c, f->stream);
    enum h2_was was = h2_past_of(c, f->stream);
    if (!s && (was == H2_WAS_IDLE || was == H2_WAS_SKIPPED))
        return h2_break(c, H2_PROTOCOL_ERROR, "RST_STREAM on an idle stream");
    if (!s || (s->local_ended && s->remote_ended))
        return h2_count(c, H2_GLITCH_ON_CLOSED) ? H2_MORE : H2_FAILED;
    if ((c->is_client || !s->local_ended) && !h2_count(c, H2_GLITCH_RESET_BY_CLIENT))
        return H2_FAILED;
    e->is_unprocessed = c->is_client && f->value == H2_REFUSED_STREAM;
    return tell_reset(c, s, e, f->value);
}

static enum h2_event_kind widen_connection(struct h2 *c, uint32_t increment)
{
    if (increment == 0)
        return h2_break(c, H2_PROTOCOL_ERROR, "WINDOW_UPDATE of 0 bytes");
    if (c->send_window + increment > (int64_t)H2_WINDOW_MOST)
        return h2_break(c, H2_FLOW_CONTROL_ERROR, "a connection window of more than 2^31-1");
    c->send_window += increment;
    return H2_MORE;
}

static enum h2_event_kind widen_stream(struct h2 *c, struct h2_stream *s, uint32_t increment,
                                       struct h2_event *e)
{
    if (increment == 0)
        return stream_error(c, s, H2_PROTOCOL_ERROR, "WINDOW_UPDATE of 0 bytes", e);
    if (s->send_window + (int64_t)increment > (int64_t)H2_WINDOW_MOST)
        return stream_error(c, s, H2_FLOW_CONTROL_ERROR, "a stream's window of more than 2^31-1", e);
    s->send_window = (int32_t)(s->send_window + (int64_t)increment);
    h2_update_turn(c, s);
    return H2_MORE;
}

static enum h2_event_kind window_update(struct h2 *c, struct h2_event *e)
{
    const struct h2_frame *f = &c->reader.frame;
    if (h2_calm_is_tiny(f->value) && !h2_count(c, H2_GLITCH_TINY_WINDOW))
        return H2_FAILED;
    if (f->stream == 0)
        return widen_connection(c, f->value);
    struct h2_stream *s = h2_find(c, f->stream);
    enum h2_was was = h2_past_of(c, f->stream);
    if (s && !(s->local_ended && s->remote_ended))
        return widen_stream(c, s, f->value, e);
    if (!s && (was == H2_WAS_IDLE || was == H2_WAS_SKIPPED))
        return h2_break(c, H2_PROTOCOL_ERROR, "WINDOW_UPDATE on an idle stream");
    return h2_count(c, H2_GLITCH_ON_CLOSED) ? H2_MORE : H2_FAILED;
}

static enum h2_event_kind ping(struct h2 *c)
{
    const struct h2_frame *f = &c->reader.frame;
    if (!h2_count(c, H2_GLITCH_PING))
        return H2_FAILED;
    if (f->flags & H2_ACK) {
        if (c->drain_ping && c->life == H2_DRAINING)
            h2_drain_now(c);
        c->drain_ping = false;
        return H2_MORE;
    }
    h2_frame_add_ping(&c->out, f->opaque, true);
    h2_bound_out(c);
    return c->life == H2_BROKEN ? H2_FAILED : H2_MORE;
}

/* A priority of a stream that may come yet: the latest few are kept. */
static void remember_early(struct h2 *c, uint32_t id, struct priority p)
{
    for (unsigned i = 0; i < H2_EARLY; i++)
        if (c->early[i].id == id)
            c->early_next = i;
    c->early[c->early_next] = (struct h2_early){ .id = id, .priority = p };
    c->early_next = (c->early_next + 1) % H2_EARLY;
}

/* RFC 9218 §7.1. */
static enum h2_event_kind priority_update(struct h2 *c, struct str value, struct arena *a)
{
    uint32_t id = c->reader.frame.other;
    struct priority p = PRIORITY_DEFAULT;
    struct h2_stream *s = h2_find(c, id);
    if (!h2_count(c, H2_GLITCH_PRIORITY))
        return H2_FAILED;
    if (c->is_client) /* RFC 9218 §7.1 */
        return h2_break(c, H2_PROTOCOL_ERROR, "PRIORITY_UPDATE from a server");
    if (id % 2 == 0)
        return h2_break(c, H2_PROTOCOL_ERROR, "PRIORITY_UPDATE for a push that is not");
    priority_parse(value, a, &p);
    if (s)
        priority_queue_change(&c->queue, &s->turn, p);
    else if (id > c->last_id)
        remember_early(c, id, p);
    return H2_MORE;
}

static enum h2_event_kind goaway(struct h2 *c, struct h2_event *e)
{
    uint32_t last = c->reader.frame.other;
    e->code = c->reader.frame.value;
    if (!h2_count(c, H2_GLITCH_UNKNOWN))
        return H2_FAILED;
    if (c->is_client && c->is_left && last > c->left_id)
        return h2_break(c, H2_PROTOCOL_ERROR, "a GOAWAY that takes an earlier one back");
    c->is_left = c->leaves_some = c->is_client;
    c->left_id = last;
    return H2_GONE;
}

/* The latest stream that the server has left behind (§6.8). */
static enum h2_event_kind left_behind(struct h2 *c, struct h2_event *e)
{
    struct h2_stream *s = c->n ? c->streams[c->n - 1] : NULL;
    c->leaves_some = s && s->id > c->left_id;
    if (!c->leaves_some)
        return H2_MORE;
    e->is_unprocessed = true;
    h2_past_mark_reset(c, s->id);
    return tell_reset(c, s, e, H2_REFUSED_STREAM);
}

/* ---- frames ---- */

static enum h2_event_kind begin(struct h2 *c, struct h2_event *e)
{
    switch (c->reader.frame.type) {
    case H2_DATA: return data_begins(c, e);
    case H2_HEADERS: return headers_begin(c);
    default: return continuation_begins(c);
    }
}

static enum h2_event_kind whole(struct h2 *c, struct str value, struct arena *a, struct h2_event *e)
{
    switch (c->reader.frame.type) {
    case H2_RST_STREAM: return rst_stream(c, e);
    case H2_SETTINGS: return settings_end(c);
    case H2_PING: return ping(c);
    case H2_GOAWAY: return goaway(c, e);
    case H2_WINDOW_UPDATE: return window_update(c, e);
    case H2_PRIORITY_UPDATE: return priority_update(c, value, a);
    case H2_PRIORITY: return h2_count(c, H2_GLITCH_PRIORITY) ? H2_MORE : H2_FAILED;
    default: return h2_count(c, H2_GLITCH_UNKNOWN) ? H2_MORE : H2_FAILED;
    }
}

/* Of the reader itself: a PRIORITY of a wrong length. On a stream that is not open there is nobody to
 * reset. */
static enum h2_event_kind wrong_frame(struct h2 *c, const struct h2_frame_said *said, struct h2_event *e)
{
    struct h2_stream *s = h2_find(c, c->reader.frame.stream);
    if (s && !(s->local_ended && s->remote_ended))
        return stream_error(c, s, said->code, said->text, e);
    return h2_break(c, said->code, said->text);
}

static enum h2_event_kind take_frame(struct h2 *c, enum h2_frame_reading what,
                                     const struct h2_frame_said *said, struct arena *a, struct h2_event *e)
{
    switch (what) {
    case H2_FRAME_BEGIN: return begin(c, e);
    case H2_FRAME_PIECE:
        return c->reader.frame.type == H2_DATA ? data_piece(c, said, e) : block_piece(c, said, a, e);
    case H2_FRAME_SETTING: return one_setting(c);
    case H2_FRAME_WHOLE: return whole(c, said->piece, a, e);
    case H2_FRAME_STREAM_ERROR: return wrong_frame(c, said, e);
    default: return h2_break(c, said->code, said->text);
    }
}

static enum h2_event_kind failed(const struct h2 *c, struct h2_event *e)
{
    e->code = c->fault_code;
    e->text = c->fault;
    return H2_FAILED;
}

enum h2_event_kind h2_read(struct h2 *c, struct str *in, int64_t now_ms, struct arena *heads,
                           struct h2_event *e)
{
    CHECK(c->tag == H2_TAG);
    memset(e, 0, offsetof(struct h2_event, head));
    c->now_ms = now_ms;
    while (c->life != H2_BROKEN) {
        struct h2_frame_said said;
        if (c->leaves_some && left_behind(c, e) == H2_RESET)
            return H2_RESET;
        enum h2_frame_reading what = h2_frame_read(&c->reader, in, &said);
        if (what == H2_FRAME_MORE)
            return H2_MORE;
        enum h2_event_kind kind = take_frame(c, what, &said, heads, e);
        if (kind == H2_FAILED)
            break;
        if (kind != H2_MORE)
            return kind;
    }
    return failed(c, e);
}
