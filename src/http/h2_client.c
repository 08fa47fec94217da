#include "http/h2_machine.h"

static const uint8_t ping_opaque[8] = { 'a', 'l', 'i', 'v', 'e', '?', 0, 0 };

struct h2 *h2_new_client(const struct h2_limits *limits)
{
    struct h2 *c = h2_make(limits);
    const struct h2_frame_setting settings[] = {
        { H2_ENABLE_PUSH, 0 },
        { H2_INITIAL_WINDOW_SIZE, limits->stream_window },
        { H2_MAX_HEADER_LIST_SIZE, (uint32_t)limits->head.fields_bytes },
        { H2_NO_RFC7540_PRIORITIES, 1 },
    };
    c->is_client = true;
    h2_frame_reader_init_of_server(&c->reader);
    buf_add(&c->out, H2_PREFACE);
    h2_frame_add_settings(&c->out, settings, COUNT_OF(settings));
    if (limits->connection_window > H2_WINDOW_FIRST)
        h2_frame_add_window_update(&c->out, 0, limits->connection_window - H2_WINDOW_FIRST);
    return c;
}

bool h2_is_known(const struct h2 *c)
{
    return c->has_settings;
}

bool h2_is_closing(const struct h2 *c)
{
    return c->life != H2_OPEN || c->is_left || c->is_worn || c->last_id >= H2_WINDOW_MOST - 1;
}

size_t h2_room(const struct h2 *c)
{
    size_t most = c->limits->streams < c->peer_streams ? c->limits->streams : c->peer_streams;
    CHECK(c->tag == H2_TAG && c->is_client);
    return h2_is_closing(c) || c->open >= most ? 0 : most - c->open;
}

/* Uploads take turns: none is more urgent. */
struct h2_stream *h2_begin(struct h2 *c, bool is_head)
{
    const struct h2_head none = { .priority = { .urgency = PRIORITY_DEFAULT.urgency, .incremental = true } };
    uint32_t id = c->last_id ? c->last_id + 2 : 1;
    CHECK(h2_room(c) > 0);
    h2_past_add(c, id);
    struct h2_stream *s = h2_open(c, id, &none, false);
    c->accepted_id = 0; /* GOAWAY names the server's, of which there are none */
    s->is_head = is_head;
    h2_calm_request(&c->calm);
    return s;
}

void h2_ping(struct h2 *c)
{
    CHECK(c->tag == H2_TAG);
    if (c->life == H2_BROKEN)
        return;
    h2_frame_add_ping(&c->out, ping_opaque, false);
    h2_bound_out(c);
}
