/*
 * Heads as header blocks: the status, the lines that are prepared, and what is written for each answer. What
 * HTTP/1.1 says of its connection has no place here (RFC 9113 §8.2.2).
 */
#include "front/h2_machine.h"
#include "http/hpack.h"
#include "http/lines.h"

static bool is_of_connection(struct str name)
{
    static const struct str names[] = { STR_INIT("Upgrade"),
                                        STR_INIT("Connection"),
                                        STR_INIT("Keep-Alive"),
                                        STR_INIT("Proxy-Connection"),
                                        STR_INIT("Transfer-Encoding"),
                                        STR_INIT("HTTP2-Settings"),
                                        STR_INIT("Sec-WebSocket-Accept") };
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (str_eq_nocase(name, names[i]))
            return true;
    return false;
}

/* Only of an upgrade and of interim heads such fields are among the lines. */
static void add_lines(struct buf *to, struct str lines, bool may_have_others, struct str *priority)
{
    struct field f;
    while (lines_next(&lines, &f)) {
        if (!may_have_others || !is_of_connection(f.name))
            hpack_add(to, f.name, f.value);
        if (h2_blocks_is_priority(f.name))
            *priority = f.value;
    }
}

/* The origin knows better than the client what is urgent, where it says so; of what it does not name the
 * client's word stays (RFC 9218 §8). */
static void merge_priority(struct h2_exchange *x, struct str value)
{
    struct priority p = h2_priority(x->stream);
    priority_parse(value, &x->request.arena, &p);
    h2_set_priority(x->client->h2, x->stream, p);
}

static void add_extra(struct buf *to, const struct field *f)
{
    if (f->id == FIELD_OTHER || f->id == FIELD_SET_COOKIE)
        hpack_add(to, f->name, f->value);
    else
        hpack_add_known(to, f->id, f->value);
}

static struct str put_status(char place[HPACK_STATUS_MOST], int status)
{
    return (struct str){ place, (size_t)(hpack_put_status(place, status) - place) };
}

static void put(struct h2_exchange *x, int status, struct str stored, struct str block, bool last)
{
    struct h2_client *c = x->client;
    char place[HPACK_STATUS_MOST];
    struct str pieces[3] = { put_status(place, status) };
    size_t n = 1;
    if (stored.n)
        pieces[n++] = stored;
    if (block.n)
        pieces[n++] = block;
    h2_put_block(c->h2, x->stream, pieces, n, last, h2_text(c));
}

void h2_put_head(struct h2_exchange *x, const struct reply *reply, bool last)
{
    struct buf *b = &x->client->front->block;
    struct str priority = STR_NONE, stored = STR_NONE;
    if (!reply->upgrade)
        stored = h2_blocks_find(&x->client->front->blocks, reply->lines, &priority);
    buf_clear(b);
    if (!stored.n)
        add_lines(b, reply->lines, reply->upgrade, &priority);
    for (unsigned i = 0; i < reply->extra_n; i++)
        add_extra(b, &reply->extra[i]);
    if (reply->length >= 0) {
        char digits[BUF_U64_MOST], *end = buf_put_u64(digits, (uint64_t)reply->length);
        hpack_add_known(b, FIELD_CONTENT_LENGTH, (struct str){ digits, (size_t)(end - digits) });
    }
    put(x, reply->status, stored, buf_str(b), last);
    if (priority.n)
        merge_priority(x, priority);
}

void h2_put_interim(struct h2_exchange *x, int status, const struct fields *fields)
{
    struct buf *b = &x->client->front->block;
    buf_clear(b);
    for (size_t i = 0; i < fields->n; i++)
        if (!is_of_connection(fields->v[i].name))
            hpack_add(b, fields->v[i].name, fields->v[i].value);
    put(x, status, STR_NONE, buf_str(b), false);
}
