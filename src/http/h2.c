#include <string.h>

#include "base/mem.h"
#include "http/h2_machine.h"

const struct h2_limits h2_limits_default = {
    .streams = 100,
    .stream_window = 65536,
    .connection_window = 1 << 20,
    .block_bytes = 32768,
    .block_frames = 16,
    .head = { .line_bytes = 8192, .fields_bytes = 32768, .fields_count = 100 },
    .out_bytes = 8192,
};

static const uint8_t drain_opaque[8] = { 'f', 'r', 'e', 's', 'h', 'e', 't', 0 };

/* ---- the connection ---- */

static void add_first_frames(struct h2 *c)
{
    const struct h2_limits *l = c->limits;
    const struct h2_frame_setting settings[] = {
        { H2_MAX_CONCURRENT_STREAMS, l->streams },
        { H2_INITIAL_WINDOW_SIZE, l->stream_window },
        { H2_MAX_HEADER_LIST_SIZE, (uint32_t)l->head.fields_bytes },
        { H2_NO_RFC7540_PRIORITIES, 1 },
        { H2_ENABLE_CONNECT_PROTOCOL, 1 }, /* last: may be left out */
    };
    h2_frame_add_settings(&c->out, settings, COUNT_OF(settings) - (l->extended_connect ? 0 : 1));
    if (l->connection_window > H2_WINDOW_FIRST)
        h2_frame_add_window_update(&c->out, 0, l->connection_window - H2_WINDOW_FIRST);
}

struct h2 *h2_make(const struct h2_limits *limits)
{
    CHECK(limits->streams <= H2_STREAMS_MOST && limits->stream_window <= H2_WINDOW_MOST);
    CHECK(limits->connection_window >= H2_WINDOW_FIRST && limits->connection_window <= H2_WINDOW_MOST);
    CHECK(limits->out_bytes >= 64 && limits->head.fields_bytes <= UINT32_MAX);
    struct h2 *c = mem_alloc(sizeof(*c));
    c->tag = H2_TAG;
    c->limits = limits;
    h2_frame_reader_init(&c->reader);
    priority_queue_init(&c->queue);
    c->recv_window = limits->connection_window;
    c->send_window = H2_WINDOW_FIRST;
    c->initial_window = c->initial_window_was = H2_WINDOW_FIRST;
    c->max_frame = H2_FRAME_BYTES;
    c->peer_streams = UINT32_MAX;
    return c;
}

struct h2 *h2_new(const struct h2_limits *limits)
{
    struct h2 *c = h2_make(limits);
    add_first_frames(c);
    return c;
}

void h2_free(struct h2 *c)
{
    CHECK(c->tag == H2_TAG && c->n == 0);
    c->tag = 0;
    h2_head_inflater_free(c->inflater);
    buf_fini(&c->out);
    buf_fini(&c->block);
    mem_free(c->streams);
    mem_free(c->spare);
    mem_free(c);
}

bool h2_is_over(const struct h2 *c)
{
    return c->life == H2_BROKEN || (c->life == H2_ENDING && c->n == 0);
}

size_t h2_streams(const struct h2 *c)
{
    return c->n;
}

/* ---- the end ---- */

enum h2_event_kind h2_break(struct h2 *c, enum h2_code code, const char *text)
{
    CHECK(c->tag == H2_TAG);
    if (c->life == H2_BROKEN)
        return H2_FAILED;
    c->life = H2_BROKEN;
    c->fault = text;
    c->fault_code = code;
    h2_frame_add_goaway(&c->out, c->accepted_id, code, str_from(text));
    return H2_FAILED;
}

void h2_fail(struct h2 *c, enum h2_code code, const char *text)
{
    h2_break(c, code, text);
}

/* What many requests of ours may bring about together, if the server has a bad page, does not end all that
 * goes on beside them. It is bounded, since no stream begins any more. */
static bool is_borne(const struct h2 *c, enum h2_glitch what)
{
    return c->is_client && (what == H2_GLITCH_RESET_BY_US || what == H2_GLITCH_RESET_BY_CLIENT ||
                            what == H2_GLITCH_LARGE_HEAD);
}

bool h2_count(struct h2 *c, enum h2_glitch what)
{
    if (h2_calm_count(&c->calm, what, c->now_ms))
        return true;
    if (is_borne(c, what)) {
        c->is_worn = true;
        return true;
    }
    h2_break(c, H2_ENHANCE_YOUR_CALM, h2_calm_text(what));
    return false;
}

void h2_bound_out(struct h2 *c)
{
    if (c->life == H2_BROKEN || c->out.n <= c->limits->out_bytes)
        return;
    buf_clear(&c->out); /* nobody reads it */
    h2_break(c, H2_ENHANCE_YOUR_CALM, "answers to control frames that the peer does not read");
}

void h2_drain(struct h2 *c)
{
    CHECK(c->tag == H2_TAG);
    if (c->life != H2_OPEN)
        return;
    c->life = H2_DRAINING;
    c->drain_ping = true;
    h2_frame_add_goaway(&c->out, H2_WINDOW_MOST, H2_NO_ERROR, STR_NONE);
    h2_frame_add_ping(&c->out, drain_opaque, false);
}

void h2_drain_now(struct h2 *c)
{
    CHECK(c->tag == H2_TAG);
    if (c->life == H2_ENDING || c->life == H2_BROKEN)
        return;
    c->life = H2_ENDING;
    c->goaway_id = c->accepted_id;
    h2_frame_add_goaway(&c->out, c->goaway_id, H2_NO_ERROR, STR_NONE);
}

/* ---- streams ---- */

/* Returns the index of the first stream with that id or a higher one. */
static size_t place_of(const struct h2 *c, uint32_t id)
{
    size_t from = 0, to = c->n;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (c->streams[middle]->id < id)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

struct h2_stream *h2_find(const struct h2 *c, uint32_t id)
{
    size_t i = place_of(c, id);
    return i < c->n && c->streams[i]->id == id ? c->streams[i] : NULL;
}

/* A PRIORITY_UPDATE that came before its stream counts more than the field (RFC 9218 §7). */
static struct priority first_priority(struct h2 *c, uint32_t id, struct priority p)
{
    for (unsigned i = 0; i < H2_EARLY; i++) {
        if (c->early[i].id != id)
            continue;
        c->early[i].id = 0;
        return c->early[i].priority;
    }
    return p;
}

/* A client that asks for one thing after the other has one stream at a time. */
static struct h2_stream *take_memory(struct h2 *c)
{
    struct h2_stream *s = c->spare;
    if (!s)
        return mem_alloc(sizeof(*s));
    c->spare = NULL;
    *s = (struct h2_stream){ 0 };
    return s;
}

/* With slow checks none is kept, so that the sanitizer sees who uses one that is gone. */
static void give_memory(struct h2 *c, struct h2_stream *s)
{
#ifndef FRESHET_DEBUG
    if (!c->spare) {
        c->spare = s;
        return;
    }
#else
    (void)c;
#endif
    mem_free(s);
}

struct h2_stream *h2_open(struct h2 *c, uint32_t id, const struct h2_head *head, bool ended)
{
    CHECK(c->n == 0 || c->streams[c->n - 1]->id < id);
    if (c->n == c->cap) {
        c->cap = c->cap ? 2 * c->cap : 4;
        c->streams = mem_resize(c->streams, c->cap * sizeof(struct h2_stream *));
    }
    struct h2_stream *s = take_memory(c);
    s->id = id;
    s->send_window = (int32_t)c->initial_window;
    s->recv_window = (int32_t)c->limits->stream_window;
    s->length = head->framing.kind == FRAMING_LENGTH ? (int64_t)head->framing.length : -1;
    s->remote_ended = ended;
    priority_turn_init(&s->turn, id, first_priority(c, id, head->priority));
    c->streams[c->n++] = s;
    c->open++;
    c->accepted_id = id;
    return s;
}

void h2_note_end(struct h2 *c, struct h2_stream *s, bool remote, bool local)
{
    bool was_open = !(s->remote_ended && s->local_ended);
    s->remote_ended |= remote;
    s->local_ended |= local;
    if (was_open && s->remote_ended && s->local_ended)
        c->open--;
}

void h2_forget(struct h2 *c, struct h2_stream *s)
{
    size_t i = place_of(c, s->id);
    CHECK(i < c->n && c->streams[i] == s);
    h2_note_end(c, s, true, true);
    s->wants = false;
    h2_update_turn(c, s);
    if (c->data_to == s)
        c->data_to = NULL;
    if (!c->is_client)
        h2_credit(c, s->unconsumed);
    memmove(c->streams + i, c->streams + i + 1, (c->n - i - 1) * sizeof(struct h2_stream *));
    c->n--;
    CHECK(c->open <= c->n);
    give_memory(c, s);
}

void h2_close(struct h2 *c, struct h2_stream **stream, enum h2_code code)
{
    struct h2_stream *s = *stream;
    CHECK(c->tag == H2_TAG && s);
    *stream = NULL;
    if (!(s->local_ended && s->remote_ended) && c->life != H2_BROKEN) {
        h2_frame_add_rst_stream(&c->out, s->id, s->local_ended && !c->is_client ? H2_NO_ERROR : code);
        h2_past_mark_reset(c, s->id);
        h2_bound_out(c);
    }
    h2_forget(c, s);
}

void h2_set_owner(struct h2_stream *s, void *owner)
{
    s->owner = owner;
}

void *h2_owner(const struct h2_stream *s)
{
    return s->owner;
}

uint32_t h2_id(const struct h2_stream *s)
{
    return s->id;
}

bool h2_has_ended(const struct h2_stream *s)
{
    return s->remote_ended;
}

/* ---- closed streams ---- */

static unsigned past_slot(uint32_t id)
{
    return id / 2 % H2_PAST;
}
static bool past_has(const uint64_t *bits, uint32_t id)
{
    return bits[past_slot(id) / 64] >> past_slot(id) % 64 & 1;
}
static void past_set(uint64_t *bits, uint32_t id, bool on)
{
    uint64_t bit = (uint64_t)1 << past_slot(id) % 64;
    bits[past_slot(id) / 64] = (bits[past_slot(id) / 64] & ~bit) | (on ? bit : 0);
}

void h2_past_add(struct h2 *c, uint32_t id)
{
    CHECK(id > c->last_id && id % 2 == 1);
    /* Those between were skipped. A jump over all slots clears each once. */
    uint32_t from = id - c->last_id > 2 * H2_PAST ? id - 2 * (H2_PAST - 1) : c->last_id + 1;
    for (uint32_t i = from | 1; i <= id; i += 2) {
        past_set(c->past.opened, i, false);
        past_set(c->past.reset, i, false);
    }
    past_set(c->past.opened, id, true);
    c->last_id = id;
}

void h2_past_mark_reset(struct h2 *c, uint32_t id)
{
    if (c->last_id - id < 2 * H2_PAST)
        past_set(c->past.reset, id, true);
}

enum h2_was h2_past_of(const struct h2 *c, uint32_t id)
{
    if (id > c->last_id || id % 2 == 0)
        return H2_WAS_IDLE;
    if (c->last_id - id >= 2 * H2_PAST)
        return H2_WAS_CLOSED;
    if (past_has(c->past.reset, id))
        return H2_WAS_RESET;
    return past_has(c->past.opened, id) ? H2_WAS_CLOSED : H2_WAS_SKIPPED;
}
