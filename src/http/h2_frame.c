#include "http/h2_frame.h"

#include <endian.h>

#include "base/check.h"

enum state {
    STATE_PREFACE,
    STATE_HEAD,     /* the nine bytes */
    STATE_FIXED,    /* the fields at the start of the payload */
    STATE_SETTINGS, /* a setting, six bytes */
    STATE_CONTENT,
    STATE_PADDING,
    STATE_SKIP, /* the rest of the payload concerns nobody; then the frame is whole */
    STATE_FAILED,
};

/* Where a frame of a type may stand, and which lengths it may have. */
enum place { ON_STREAM, ON_CONNECTION, ANYWHERE };
static const struct rule {
    bool known;
    uint8_t place;
    uint8_t least; /* bytes */
    bool exact;    /* no more than the least */
} rules[] = {
    [H2_DATA] = { true, ON_STREAM, 0, false },
    [H2_HEADERS] = { true, ON_STREAM, 0, false },
    [H2_PRIORITY] = { true, ON_STREAM, 0, false },
    [H2_RST_STREAM] = { true, ON_STREAM, 4, true },
    [H2_SETTINGS] = { true, ON_CONNECTION, 0, false },
    [H2_PUSH_PROMISE] = { true, ON_STREAM, 0, false },
    [H2_PING] = { true, ON_CONNECTION, 8, true },
    [H2_GOAWAY] = { true, ON_CONNECTION, 8, false },
    [H2_WINDOW_UPDATE] = { true, ANYWHERE, 4, true },
    [H2_CONTINUATION] = { true, ON_STREAM, 0, false },
    [H2_PRIORITY_UPDATE] = { true, ON_CONNECTION, 4, false },
};

const char *h2_frame_code_name(uint32_t code)
{
    switch (code) {
#define H2_CODE(id, value)                                                                                   \
    case value:                                                                                              \
        return #id;
#include "tbl/h2_codes.h"
#undef H2_CODE
    default: return "unknown";
    }
}

static uint32_t number_at(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

void h2_frame_reader_init(struct h2_frame_reader *r)
{
    *r = (struct h2_frame_reader){ .state = STATE_PREFACE };
}

void h2_frame_reader_init_of_server(struct h2_frame_reader *r)
{
    *r = (struct h2_frame_reader){ .state = STATE_HEAD };
}

static enum h2_frame_reading fail(struct h2_frame_reader *r, struct h2_frame_said *said, enum h2_code code,
                                  const char *text)
{
    r->state = STATE_FAILED;
    said->code = code;
    said->text = text;
    return H2_FRAME_ERROR;
}

/* Moves *in behind n bytes. */
static void take(struct str *in, size_t n)
{
    if (n)
        *in = (struct str){ in->p + n, in->n - n };
}

/* Collects `need` bytes of the input. false: not all are there yet. */
static bool keep(struct h2_frame_reader *r, struct str *in, size_t need)
{
    CHECK(need <= sizeof(r->kept) && r->kept_n <= need);
    if (need == 0)
        return true;
    struct str some = str_first(*in, need - r->kept_n);
    if (some.n)
        memcpy(r->kept + r->kept_n, some.p, some.n);
    r->kept_n = (uint8_t)(r->kept_n + some.n);
    take(in, some.n);
    if (r->kept_n < need)
        return false;
    r->kept_n = 0;
    return true;
}

static enum h2_frame_reading read_preface(struct h2_frame_reader *r, struct str *in,
                                          struct h2_frame_said *said)
{
    struct str rest = str_from_index(H2_PREFACE, r->kept_n), some = str_first(*in, rest.n);
    if (!str_starts(rest, some))
        return fail(r, said, H2_PROTOCOL_ERROR, "no HTTP/2 preface");
    r->kept_n = (uint8_t)(r->kept_n + some.n);
    take(in, some.n);
    if (some.n < rest.n)
        return H2_FRAME_MORE;
    r->kept_n = 0;
    r->state = STATE_HEAD;
    return H2_FRAME_BEGIN;
}

/* The bytes in front of the content: its fields, and how much padding there is. */
static size_t fixed_bytes(const struct h2_frame *f)
{
    switch (f->type) {
    case H2_DATA: return f->flags & H2_PADDED ? 1 : 0;
    case H2_HEADERS: return (f->flags & H2_PADDED ? 1u : 0u) + (f->flags & H2_HAS_PRIORITY ? 5u : 0u);
    case H2_RST_STREAM:
    case H2_WINDOW_UPDATE: return 4;
    case H2_PING:
    case H2_GOAWAY: return 8;
    case H2_PRIORITY_UPDATE: return f->bytes > sizeof(((struct h2_frame_reader *)0)->kept) ? 4 : f->bytes;
    default: return 0;
    }
}

/* What the frame's place among others forbids. NULL: nothing. */
static const char *fault_of_order(const struct h2_frame_reader *r)
{
    const struct h2_frame *f = &r->frame;
    if (!r->has_settings && (f->type != H2_SETTINGS || f->flags & H2_ACK))
        return "the first frame is no SETTINGS";
    if (r->block_of && (f->type != H2_CONTINUATION || f->stream != r->block_of))
        return "a header block was interrupted";
    if (!r->block_of && f->type == H2_CONTINUATION)
        return "CONTINUATION without a header block";
    if (f->type == H2_PUSH_PROMISE)
        return "a PUSH_PROMISE, which nobody may send here";
    return NULL;
}

static const char *fault_of_stream(const struct h2_frame *f)
{
    if (f->type >= COUNT_OF(rules) || !rules[f->type].known)
        return NULL;
    if (rules[f->type].place == ON_STREAM && f->stream == 0)
        return "a frame on stream 0 that belongs on another one";
    if (rules[f->type].place == ON_CONNECTION && f->stream != 0)
        return "a frame on a stream that belongs on stream 0";
    return NULL;
}

static const char *fault_of_length(const struct h2_frame *f)
{
    if (f->bytes > H2_FRAME_BYTES)
        return "a frame of more than 16384 bytes";
    if (f->bytes < fixed_bytes(f))
        return "a frame too short for its fields";
    if (f->type == H2_SETTINGS && (f->flags & H2_ACK ? f->bytes != 0 : f->bytes % 6 != 0))
        return "a SETTINGS frame of a wrong length";
    if (f->type >= COUNT_OF(rules))
        return NULL;
    if (f->bytes < rules[f->type].least || (rules[f->type].exact && f->bytes > rules[f->type].least))
        return "a frame of a length that its type has not";
    return NULL;
}

static enum h2_frame_reading begin_payload(struct h2_frame_reader *r, struct h2_frame_said *said)
{
    const char *text;
    if ((text = fault_of_order(r)) != NULL)
        return fail(r, said, H2_PROTOCOL_ERROR, text);
    if ((text = fault_of_length(&r->frame)) != NULL)
        return fail(r, said, H2_FRAME_SIZE_ERROR, text);
    if ((text = fault_of_stream(&r->frame)) != NULL)
        return fail(r, said, H2_PROTOCOL_ERROR, text);
    r->has_settings = true;
    r->left = r->frame.bytes;
    r->padding = 0;
    r->state = r->frame.type == H2_SETTINGS ? STATE_SETTINGS : STATE_FIXED;
    return H2_FRAME_BEGIN;
}

static enum h2_frame_reading read_head(struct h2_frame_reader *r, struct str *in, struct h2_frame_said *said)
{
    if (!keep(r, in, H2_FRAME_HEAD))
        return H2_FRAME_MORE;
    const uint8_t *p = r->kept;
    r->frame = (struct h2_frame){
        .bytes = number_at(p) >> 8, .type = p[3], .flags = p[4], .stream = number_at(p + 5) & H2_WINDOW_MOST
    };
    return begin_payload(r, said);
}

/* DATA, HEADERS and CONTINUATION: `padded` is where their padding is said, or NULL. */
static enum h2_frame_reading begin_content(struct h2_frame_reader *r, struct h2_frame_said *said,
                                           const uint8_t *padded)
{
    if (padded && *padded > r->left)
        return fail(r, said, H2_PROTOCOL_ERROR, "more padding than payload");
    r->padding = padded ? *padded : 0;
    r->left -= r->padding;
    r->frame.content = r->left;
    if (r->frame.type != H2_DATA)
        r->block_of = r->frame.flags & H2_END_HEADERS ? 0 : r->frame.stream;
    r->state = STATE_CONTENT;
    return H2_FRAME_BEGIN;
}

static enum h2_frame_reading whole(struct h2_frame_reader *r)
{
    r->state = STATE_HEAD;
    return H2_FRAME_WHOLE;
}

static enum h2_frame_reading read_skip(struct h2_frame_reader *r, struct str *in, struct h2_frame_said *said)
{
    size_t n = in->n < r->left ? in->n : r->left;
    take(in, n);
    r->left -= (uint32_t)n;
    if (r->left)
        return H2_FRAME_MORE;
    if (r->frame.type != H2_PRIORITY || r->frame.bytes == 5)
        return whole(r);
    r->state = STATE_HEAD;
    said->code = H2_FRAME_SIZE_ERROR;
    said->text = "a PRIORITY frame that has not five bytes";
    return H2_FRAME_STREAM_ERROR;
}

static enum h2_frame_reading set_priority_update(struct h2_frame_reader *r, struct h2_frame_said *said)
{
    r->frame.other = number_at(r->kept) & H2_WINDOW_MOST;
    if (r->frame.other == 0)
        return fail(r, said, H2_PROTOCOL_ERROR, "PRIORITY_UPDATE about stream 0");
    if (r->left == 0)
        said->piece = (struct str){ (const char *)r->kept + 4, r->frame.bytes - 4 };
    r->state = STATE_SKIP;
    return r->left ? H2_FRAME_BEGIN : whole(r);
}

static enum h2_frame_reading read_fixed(struct h2_frame_reader *r, struct str *in, struct h2_frame_said *said)
{
    struct h2_frame *f = &r->frame;
    size_t need = fixed_bytes(f);
    if (!keep(r, in, need))
        return H2_FRAME_MORE;
    r->left -= (uint32_t)need;
    switch (f->type) {
    case H2_DATA:
    case H2_HEADERS:
    case H2_CONTINUATION:
        return begin_content(r, said, f->type != H2_CONTINUATION && f->flags & H2_PADDED ? r->kept : NULL);
    case H2_RST_STREAM: f->value = number_at(r->kept); return whole(r);
    case H2_WINDOW_UPDATE: f->value = number_at(r->kept) & H2_WINDOW_MOST; return whole(r);
    case H2_PING: memcpy(f->opaque, r->kept, 8); return whole(r);
    case H2_GOAWAY:
        f->other = number_at(r->kept) & H2_WINDOW_MOST;
        f->value = number_at(r->kept + 4);
        break;
    case H2_PRIORITY_UPDATE: return set_priority_update(r, said);
    default: break;
    }
    r->state = STATE_SKIP;
    return H2_FRAME_BEGIN;
}

static enum h2_frame_reading read_setting(struct h2_frame_reader *r, struct str *in)
{
    if (r->left == 0)
        return whole(r);
    if (!keep(r, in, 6))
        return H2_FRAME_MORE;
    r->left -= 6;
    r->frame.setting = (uint16_t)(r->kept[0] << 8 | r->kept[1]);
    r->frame.value = number_at(r->kept + 2);
    return H2_FRAME_SETTING;
}

static enum h2_frame_reading read_content(struct h2_frame_reader *r, struct str *in,
                                          struct h2_frame_said *said)
{
    if (in->n == 0 && r->left)
        return H2_FRAME_MORE;
    said->piece = str_first(*in, r->left);
    take(in, said->piece.n);
    r->left -= (uint32_t)said->piece.n;
    said->ends = r->left == 0 && r->padding == 0;
    if (r->left == 0)
        r->state = said->ends ? STATE_HEAD : STATE_PADDING;
    return H2_FRAME_PIECE;
}

static enum h2_frame_reading read_padding(struct h2_frame_reader *r, struct str *in,
                                          struct h2_frame_said *said)
{
    size_t n = in->n < r->padding ? in->n : r->padding;
    take(in, n);
    r->padding -= (uint32_t)n;
    if (r->padding)
        return H2_FRAME_MORE;
    said->piece = STR_NONE;
    said->ends = true;
    r->state = STATE_HEAD;
    return H2_FRAME_PIECE;
}

/* Content begins to be told; the other states have nothing to say yet. */
static bool has_begun(const struct h2_frame_reader *r, int before)
{
    return before == STATE_FIXED && r->state == STATE_CONTENT;
}

enum h2_frame_reading h2_frame_read(struct h2_frame_reader *r, struct str *in, struct h2_frame_said *said)
{
    enum h2_frame_reading result;
    *said = (struct h2_frame_said){ .code = H2_NO_ERROR };
    for (;;) {
        int before = r->state;
        switch (before) {
        case STATE_PREFACE: result = read_preface(r, in, said); break;
        case STATE_HEAD: result = read_head(r, in, said); break;
        case STATE_FIXED: result = read_fixed(r, in, said); break;
        case STATE_SETTINGS: return read_setting(r, in);
        case STATE_CONTENT: return read_content(r, in, said);
        case STATE_PADDING: return read_padding(r, in, said);
        case STATE_SKIP: return read_skip(r, in, said);
        default: return fail(r, said, H2_PROTOCOL_ERROR, "the connection has failed");
        }
        if (result != H2_FRAME_BEGIN || has_begun(r, before))
            return result;
    }
}

/* ---- writing ---- */

static char *put_number(char *to, uint32_t value)
{
    uint32_t big_endian = htobe32(value);
    memcpy(to, &big_endian, sizeof(big_endian));
    return to + sizeof(big_endian);
}

void h2_frame_put_head(char *to, size_t bytes, enum h2_type type, uint8_t flags, uint32_t stream)
{
    CHECK(bytes < (size_t)1 << 24 && stream <= H2_WINDOW_MOST);
    put_number(to, (uint32_t)bytes << 8 | (uint32_t)type);
    to[4] = (char)flags;
    put_number(to + 5, stream);
}

/* Appends the head of a frame. Returns where its payload goes, which has room. */
static char *add_head(struct buf *to, size_t bytes, enum h2_type type, uint8_t flags, uint32_t stream)
{
    char *at = buf_room(to, H2_FRAME_HEAD + bytes);
    h2_frame_put_head(at, bytes, type, flags, stream);
    to->n += H2_FRAME_HEAD + bytes;
    return at + H2_FRAME_HEAD;
}

void h2_frame_add_rst_stream(struct buf *to, uint32_t stream, enum h2_code code)
{
    put_number(add_head(to, 4, H2_RST_STREAM, 0, stream), code);
}

void h2_frame_add_ping(struct buf *to, const uint8_t *opaque, bool ack)
{
    memcpy(add_head(to, 8, H2_PING, ack ? H2_ACK : 0, 0), opaque, 8);
}

void h2_frame_add_goaway(struct buf *to, uint32_t last_stream, enum h2_code code, struct str text)
{
    text = str_first(text, 128);
    char *at = add_head(to, 8 + text.n, H2_GOAWAY, 0, 0);
    at = put_number(at, last_stream);
    at = put_number(at, code);
    str_put(at, text);
}

void h2_frame_add_window_update(struct buf *to, uint32_t stream, uint32_t increment)
{
    CHECK(increment > 0 && increment <= H2_WINDOW_MOST);
    put_number(add_head(to, 4, H2_WINDOW_UPDATE, 0, stream), increment);
}

void h2_frame_add_settings_ack(struct buf *to)
{
    add_head(to, 0, H2_SETTINGS, H2_ACK, 0);
}

void h2_frame_add_settings(struct buf *to, const struct h2_frame_setting *v, size_t n)
{
    char *at = add_head(to, 6 * n, H2_SETTINGS, 0, 0);
    for (size_t i = 0; i < n; i++) {
        *at++ = (char)(v[i].setting >> 8);
        *at++ = (char)(v[i].setting & 0xff);
        at = put_number(at, v[i].value);
    }
}
