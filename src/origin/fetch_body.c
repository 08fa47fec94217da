#include <string.h>

#include "cache/room.h"
#include "coding/decode.h"
#include "origin/fetch_machine.h"

#define HEAD_READ    ((size_t)16384)     /* a small answer comes whole, with one read */
#define DECODE_READ  ((size_t)4096)      /* coded bytes with one read */
#define DECODE_RATIO 1000                /* how many times as long a body may become */
#define DECODE_FREE  ((uint64_t)1 << 20) /* bytes that may come of any coded ones */
#define WINDOW_SAVED ((uint64_t)32768)   /* while memory is short */

/* A passing body whose length nobody knows may have no end. */
static void watch_end(struct fetch *f)
{
    if (f->framing.kind != FRAMING_LENGTH)
        fetch_may_last(f);
}

static void turn_passing(struct fetch *f, enum reason why)
{
    int64_t now_ms = f->f->loop->now.mono_ms;
    CHECK(f->store && f->body);
    f->store = false;
    object_close(f->object);
    index_withdraw(f->object);
    body_pass(f->body);
    /* The stored response is older than this answer (CACHING.md 3.6). */
    if (why == REASON_TOO_LARGE)
        fetch_drop_stale(f);
    if (why == REASON_TOO_LARGE)
        index_mark(f->f->cache, &f->place,
                   &(struct index_note){
                       .effect = MARK_SETS, .reason = why, .until_ms = now_ms + FETCH_OVER_SIZE_MS },
                   now_ms);
    count(f->f->counters, COUNTER_NOT_STORED);
    watch_end(f);
}

/* Is a body that is to be stored as long as it may be? Then bytes go elsewhere first, to see whether more
 * come. */
static bool is_full(const struct fetch *f)
{
    return f->store && body_length(f->body) >= (uint64_t)f->plan.site->object_bytes;
}

/* Sets *p to where body bytes go, and returns how many fit; 0: no memory. A body that is to be stored turns
 * into a passing one when there is no room for it. */
static size_t body_space(struct fetch *f, char **p)
{
    size_t n;
    if (f->store) {
        size_t cost = body_next_cost(f->body);
        if (is_full(f))
            turn_passing(f, REASON_TOO_LARGE);
        else if (cost && !room_keeps(f->f->cache, body_charged(f->body), cost))
            turn_passing(f, REASON_NO_MEMORY);
    }
    *p = body_room(f->body, &n);
    if (!*p)
        return 0;
    /* What is stored gets no longer than it may be. */
    uint64_t most = f->store ? (uint64_t)f->plan.site->object_bytes - body_length(f->body) : n;
    return n < most ? n : (size_t)most;
}

size_t fetch_on_space(struct connection *c, char **p)
{
    struct fetch *f = c->ctx;
    CHECK(f->tag == FETCH_TAG && f->connection == c);
    if (f->step == FETCH_HEAD && f->in.n == 0) {
        *p = f->f->scratch;
        return HEAD_READ;
    }
    if (f->step == FETCH_HEAD) {
        *p = buf_room(&f->in, HEAD_READ);
        return HEAD_READ; /* a tunnel takes so much of what came with its 101 */
    }
    CHECK(f->step == FETCH_BODY);
    if (f->paused || !f->body)
        return 0;
    if (f->decode) {
        /* Little at a time, since it may become a thousand times as much. */
        size_t n = DECODE_READ;
        *p = f->f->scratch;
        return f->framing.kind == FRAMING_LENGTH && n > f->left ? (size_t)f->left : n;
    }
    if (f->framing.kind == FRAMING_CHUNKED || is_full(f)) {
        *p = f->f->scratch;
        return FETCH_SCRATCH_BYTES;
    }
    size_t n = body_space(f, p);
    if (n == 0) {
        fetch_fail(f, REASON_NO_MEMORY, 503);
        return 0;
    }
    return f->framing.kind == FRAMING_LENGTH && n > f->left ? (size_t)f->left : n;
}

/* Copies into the body. false: the fetch failed. */
static bool append(struct fetch *f, struct str data)
{
    while (data.n) {
        char *to;
        size_t room = body_space(f, &to);
        if (room == 0) {
            fetch_fail(f, REASON_NO_MEMORY, 503);
            return false;
        }
        size_t n = room < data.n ? room : data.n;
        memcpy(to, data.p, n);
        body_commit(f->body, n);
        data = str_from_index(data, n);
    }
    return true;
}

/* Nothing that people read is a thousand times shorter in a coding. */
static bool is_bomb(const struct fetch *f, uint64_t bytes)
{
    return bytes > DECODE_FREE && (bytes - DECODE_FREE) / DECODE_RATIO > f->coded_bytes;
}

/* Adds what came: decoded, when it comes in a coding. false: the fetch failed. */
static bool add_content(struct fetch *f, struct str data)
{
    struct str piece;
    uint64_t bytes = body_length(f->body);
    if (!f->decode)
        return append(f, data);
    f->coded_bytes += data.n;
    fetch_keep_coded(f, data);
    for (;;)
        switch (decode_next(f->decode, &data, &piece)) {
        case DECODE_MORE: return true;
        case DECODE_DATA:
            bytes += piece.n;
            if (is_bomb(f, bytes)) {
                fetch_fail_malformed(f, HTTP_ERROR_CODING_BOMB);
                return false;
            }
            if (!append(f, piece))
                return false;
            break;
        case DECODE_NO_MEMORY: fetch_fail(f, REASON_NO_MEMORY, 503); return false;
        default: fetch_fail_malformed(f, HTTP_ERROR_CODING_DAMAGED); return false;
        }
}

/* By HTTP/2 a message ends by itself, perhaps later than its last byte (RFC 9113 §8.1). That byte is kept
 * back until then: who has a page that is stored finds it when he asks again. Returns what is not kept. */
static struct str keep_last(struct fetch *f, struct str data)
{
    bool has_end = f->connection->lane && f->framing.kind == FRAMING_LENGTH && data.n == f->left;
    if (!has_end || !f->store || f->decode)
        return data;
    f->keeps_last = true;
    f->last = data.p[data.n - 1];
    return str_first(data, data.n - 1);
}

void fetch_no_more(struct fetch *f)
{
    f->step = FETCH_BODY;
    if (!f->connection->lane)
        fetch_body_ended(f);
    else
        fetch_set_timer(f); /* `ended` follows, perhaps at once */
}

void fetch_body_ended(struct fetch *f)
{
    if (f->keeps_last && !append(f, (struct str){ &f->last, 1 }))
        return;
    if (f->decode && !decode_is_whole(f->decode))
        fetch_fail_malformed(f, HTTP_ERROR_CODING_DAMAGED);
    else
        fetch_complete(f);
}

/* A client that keeps up loses little by a small window, and one that does not holds less. */
static uint64_t window_bytes(const struct fetch *f)
{
    uint64_t window = (uint64_t)f->plan.site->window_bytes;
    bool saves = overload_step(f->f->overload) >= OVERLOAD_SAVE;
    return saves && window > WINDOW_SAVED ? WINDOW_SAVED : window;
}

/* For a passing body: frees what all readers took, and stops reading the origin while the slowest reader is
 * more than a window behind. */
static void throttle(struct fetch *f)
{
    if (!f->body) /* of a lane, whose end is waited for */
        return;
    uint64_t slowest = object_slowest(f->object), length = body_length(f->body);
    CHECK(f->step == FETCH_BODY && !f->store && object_is_closed(f->object));
    if (slowest == UINT64_MAX) {
        /* The body is not stored, has no reader, and nobody may join it. Readers that leave send a notice;
         * a refresh never had one. */
        fetch_fail(f, REASON_CANCELLED, 502);
        return;
    }
    body_forget(f->body, slowest);
    bool behind = length - slowest > window_bytes(f);
    if (behind && !f->paused) {
        f->paused = true;
        timer_stop(f->f->loop, &f->timer);
        pool_read_stop(f->connection);
        object_set_paused(f->object, true);
        /* A reader may have moved on before it could know that it is waited for. */
        notice_send(&f->room.notice, f->f->loop);
    } else if (!behind && f->paused) {
        f->paused = false;
        object_set_paused(f->object, false);
        fetch_set_timer(f);
        pool_read_start(f->connection);
    }
}

static void chunked_data(struct fetch *f, struct str data)
{
    for (;;) {
        struct str piece;
        enum http_error error;
        switch (chunked_decode(&f->chunked, &data, &piece, &error)) {
        case CHUNKED_DATA:
            count_add(f->f->counters, COUNTER_ORIGIN_BYTES, (int64_t)piece.n);
            if (!add_content(f, piece))
                return;
            break;
        case CHUNKED_MORE: object_tell(f->object); return;
        case CHUNKED_BAD: fetch_fail_malformed(f, error); return;
        case CHUNKED_DONE:
            fetch_note_surplus(f, data.n);
            fetch_body_ended(f);
            return;
        }
    }
}

/* The body has n more bytes. */
static void took(struct fetch *f, size_t n)
{
    count_add(f->f->counters, COUNTER_ORIGIN_BYTES, (int64_t)n);
    if (f->framing.kind == FRAMING_LENGTH) {
        CHECK(n <= f->left); /* no more was asked for */
        f->left -= n;
        if (f->left == 0 && !f->connection->lane) { /* which says itself that it is whole */
            fetch_body_ended(f);
            return;
        }
    }
    object_tell(f->object);
}

void fetch_on_data(struct connection *c, size_t n)
{
    struct fetch *f = c->ctx;
    CHECK(f->tag == FETCH_TAG && f->connection == c && n > 0);
    if (f->step == FETCH_HEAD) {
        f->got = (struct str){ f->f->scratch, n };
        if (f->in.n) {
            f->in.n += n;
            f->got = buf_str(&f->in);
        }
        fetch_handle_head(f);
        return;
    }
    fetch_set_timer(f);
    if (f->framing.kind == FRAMING_CHUNKED) {
        chunked_data(f, (struct str){ f->f->scratch, n });
    } else if (f->decode) {
        if (add_content(f, (struct str){ f->f->scratch, n }))
            took(f, n);
    } else if (!is_full(f)) {
        size_t room;
        const char *p = body_room(f->body, &room);
        body_commit(f->body, keep_last(f, (struct str){ p, n }).n);
        took(f, n);
    } else if (append(f, keep_last(f, (struct str){ f->f->scratch, n }))) {
        took(f, n);
    }
    if (f->step == FETCH_BODY && !f->store)
        throttle(f);
}

/* Adds the bytes that came behind the head to the body. */
static void take_rest(struct fetch *f, size_t head_bytes)
{
    CHECK(head_bytes <= f->got.n);
    struct str rest = str_from_index(f->got, head_bytes);
    f->in.n = 0; /* the bytes stay until the buffer is used again */
    if (f->framing.kind == FRAMING_NONE || (f->framing.kind == FRAMING_LENGTH && f->left == 0)) {
        fetch_note_surplus(f, rest.n);
        fetch_no_more(f);
        return;
    }
    if (f->framing.kind == FRAMING_CHUNKED) {
        chunked_data(f, rest);
    } else if (rest.n == 0) {
        object_tell(f->object);
    } else {
        struct str mine = f->framing.kind == FRAMING_LENGTH ? str_first(rest, f->left) : rest;
        fetch_note_surplus(f, rest.n - mine.n);
        if (add_content(f, keep_last(f, mine)))
            took(f, mine.n);
    }
    if (f->step == FETCH_BODY && !f->store)
        throttle(f);
}

uint64_t fetch_whole_length(const struct fetch *f)
{
    return f->framing.length + (f->part ? body_length(f->part->body) : 0);
}

/* Makes the body. One that is to be stored, and whose length is known, gets all its memory at once when there
 * is room. */
static struct body *new_body(struct fetch *f)
{
    struct cache *c = f->f->cache;
    if (f->framing.kind != FRAMING_LENGTH || f->decode)
        return body_new(&c->memory, BODY_LENGTH_UNKNOWN);
    uint64_t length = fetch_whole_length(f);
    struct body *whole = NULL;
    if (f->store && length <= BODY_WHOLE_MAX && length <= (uint64_t)f->plan.site->object_bytes &&
        room_keeps(c, 0, body_whole_cost(length)))
        whole = body_new_whole(&c->memory, length);
    return whole ? whole : body_new(&c->memory, length);
}

/* Copies the stored part in front of the bytes that come. false: the fetch failed. */
static bool copy_part(struct fetch *f)
{
    struct body_cursor cursor = { NULL };
    struct body *part = f->part->body;
    for (uint64_t at = 0, bytes; at < body_length(part); at += bytes) {
        struct iovec iov;
        body_lease(part, &cursor, at, body_length(part), &iov, 1, &bytes);
        if (!append(f, (struct str){ iov.iov_base, iov.iov_len }))
            return false;
    }
    return true;
}

void fetch_begin_body(struct fetch *f, const struct fetch_answer *a, struct verdict *v, size_t head_bytes)
{
    struct body *shared = NULL;
    CHECK(f->step == FETCH_HEAD && !f->body && f->connection);
    f->store = v->store;
    if (f->framing.kind != FRAMING_NONE) {
        f->body = new_body(f);
        if (!f->store)
            body_pass(f->body);
        if (f->part && !copy_part(f)) {
            rule_unref(v->rule);
            return;
        }
        shared = body_ref(f->body);
        /* There was no room for the part already. */
        if (v->store && !f->store) {
            v->store = false;
            v->reason = REASON_NO_MEMORY;
        }
    }
    f->left = f->framing.length;
    chunked_init(&f->chunked);
    f->step = FETCH_BODY;
    fetch_set_head(f, a, v, &shared, NULL);
    rule_unref(v->rule);
    v->rule = NULL;
    fetch_begin_pours(f);
    if (!f->store && object_readers(f->object) == 0) {
        fetch_fail(f, REASON_CANCELLED, 502);
        return;
    }
    take_rest(f, head_bytes);
    if (f->step != FETCH_BODY)
        return;
    fetch_set_timer(f);
    if (!f->store)
        watch_end(f);
}

/* Does the fetch go on when nobody reads its answer (CACHING.md 7)? */
static bool is_wanted(const struct fetch *f)
{
    if (f->step == FETCH_BODY)
        return f->store;
    bool ends = f->plan.site->end_unsafe || method_is_safe(f->plan.method_name);
    return (f->plan.may_store && f->plan.not_stored == REASON_NONE) || !ends;
}

bool fetch_is_for_client(const struct fetch_client *c)
{
    return c->fetch && c->fetch->step != FETCH_OVER && !is_wanted(c->fetch);
}

void fetch_room_noticed(struct loop_notice *n)
{
    struct fetch *f = CONTAINER_OF(n, struct fetch, room);
    CHECK(f->tag == FETCH_TAG);
    if (f->step == FETCH_OVER)
        return;
    if (f->plan.low_priority && !object_is_low(f->object)) {
        f->plan.low_priority = false;
        pool_hurry(&f->ticket);
    }
    if (f->early_101 && f->asked_all) {
        fetch_take_early_101(f);
        return;
    }
    if (!is_wanted(f) && !object_has_visitors(f->object))
        fetch_fail(f, REASON_CANCELLED, 502);
    else if (f->step == FETCH_BODY && !f->store)
        throttle(f);
}
