#include "http/sf.h"
#include "request/deliver_machine.h"

static int64_t ttl(const struct request *r)
{
    int64_t left_ms = -deliver_current_age(r).stale_ms;
    if (-r->found.age.stale_ms < left_ms)
        left_ms = -r->found.age.stale_ms; /* a soft purge made it stale */
    /* Whole seconds, rounded down: a response that is stale by a moment has not 0 s left. */
    return left_ms >= 0 ? left_ms / 1000 : -((-left_ms + 999) / 1000);
}

static struct str forward_reason(const struct request *r)
{
    switch (r->outcome) {
    case OUTCOME_EXPIRED: return STR("stale");
    case OUTCOME_PASS:
        if (r->pass_reason == REASON_METHOD)
            return STR("method");
        if (r->pass_reason == REASON_REQUEST_NO_STORE)
            return STR("request");
        if (r->pass_reason != REASON_NONE)
            return STR("bypass");
        break;
    default: break;
    }
    if (r->stale)
        return STR("stale");
    return r->found.known ? STR("vary-miss") : STR("uri-miss");
}

static char *put_ttl(const struct request *r, char *to)
{
    int64_t seconds = ttl(r);
    if (seconds < 0)
        *to++ = '-';
    return buf_put_u64(to, (uint64_t)(seconds < 0 ? -seconds : seconds));
}

static void write_hit(const struct request *r, struct buf *b)
{
    buf_add(b, STR("; hit"));
    if (r->site && r->site->netlify_status && r->outcome != OUTCOME_HIT)
        buf_add(b, STR("; fwd=stale"));
    buf_add(b, STR("; ttl="));
    char *at = buf_room(b, 1 + BUF_U64_MOST);
    b->n += (size_t)(put_ttl(r, at) - at);
}

static void write_forward(const struct request *r, struct buf *b)
{
    const struct object *o = r->object;
    if (o && object_state(o) != OBJECT_NEW && o->verdict_reason == REASON_DEV && r->status == 0) {
        buf_add(b, STR("; fwd=bypass; detail="));
        sf_write_string(b, response_note(o->response));
        return;
    }
    buf_add(b, STR("; fwd="));
    buf_add(b, r->site && r->site->netlify_status && r->outcome == OUTCOME_MISS ? STR("miss")
                                                                                : forward_reason(r));
    if (o && o->response && o->confirmed)
        buf_add(b, STR("; fwd-status=304"));
    if (o && o->response && o->stored)
        buf_add(b, STR("; stored"));
    if (r->collapsed)
        buf_add(b, STR("; collapsed"));
}

enum reason deliver_reason(const struct request *r)
{
    if (r->reason != REASON_NONE)
        return r->reason;
    if (r->found.kept && deliver_is_from_store(r))
        return REASON_KEPT_ASSET;
    if (r->stale_error)
        return REASON_STALE_ERROR;
    if (r->outcome == OUTCOME_STALE || r->outcome == OUTCOME_STALE_JOIN)
        return r->found.backing_off ? REASON_STALE_BACKOFF : REASON_REFRESHING;
    if (r->pass) /* fwd=method says it */
        return r->pass_reason == REASON_METHOD ? REASON_NONE : r->pass_reason;
    if (deliver_is_from_store(r) || !r->object || !r->object->response)
        return REASON_NONE;
    /* Such a request is not stored, whatever the answer says. */
    if (r->pass_reason != REASON_NONE)
        return r->pass_reason;
    enum reason why = (enum reason)r->object->verdict_reason;
    if (why == REASON_DEV)
        return REASON_NONE; /* it has a note of its own */
    /* Stored nevertheless, since the next field permitted it: the reader of Cache-Status learns of the
     * malformed one. */
    if (why == REASON_NONE && response_note(r->object->response).n)
        return REASON_TARGETED_INVALID;
    return why;
}

struct str deliver_detail(struct request *r)
{
    enum reason why = deliver_reason(r);
    if (why == REASON_TARGETED_INVALID && r->object && r->object->response)
        return response_note(r->object->response);
    if (why != REASON_ORIGIN_INVALID && why != REASON_ORIGIN_LIMIT)
        return STR_NONE;
    struct str word = http_error_word(r->origin_fault), setting = http_error_setting(r->origin_fault);
    return setting.n ? ARENA_JOIN(&r->arena, word, STR(", "), setting) : word;
}

static bool is_token_like(struct str s)
{
    return s.n > 0 && is_alpha(s.p[0]);
}

/* Writes a token, or a string when there is more to say (RFC 9211 §2.8). */
static void write_detail(struct request *r, struct buf *b)
{
    enum reason why = deliver_reason(r);
    struct str word = reason_detail(why);
    if (!is_token_like(word))
        return;
    buf_add(b, STR("; detail="));
    struct str more = why == REASON_TARGETED_INVALID ? deliver_detail(r) : STR_NONE;
    if (more.n)
        sf_write_string(b, ARENA_JOIN(&r->arena, word, STR(": "), more));
    else
        buf_add(b, word);
}

#define STATUS_MOST 192

/* Is nothing to be said but that it is a fresh hit? Most answers are such. */
static bool is_plain_hit(const struct request *r)
{
    return r->outcome == OUTCOME_HIT && r->reason == REASON_NONE && !r->found.kept && !r->stale_error &&
           !r->pass && r->site && !r->site->netlify_status;
}

static struct str plain_hit(struct request *r)
{
    const struct str before = STR("freshet; hit; ttl=");
    char *p = arena_alloc(&r->arena, before.n + 1 + BUF_U64_MOST);
    return (struct str){ p, (size_t)(put_ttl(r, str_put(p, before)) - p) };
}

static struct str cache_status(struct request *r)
{
    /* Everything written here fits, so the buffer, which must not grow, never does. A dev note gets a
     * buffer of its own. */
    struct buf b = { .p = arena_alloc(&r->arena, STATUS_MOST), .cap = STATUS_MOST };
    struct buf big = BUF_INIT;
    bool has_note = r->object && r->object->response && r->object->response->has_note &&
                    response_note(r->object->response).n;
    struct buf *to = has_note ? &big : &b;
    buf_add(to, r->site && r->site->netlify_status ? STR("\"Netlify Edge\"") : STR("freshet"));
    if (deliver_is_from_store(r) && r->reason == REASON_NONE)
        write_hit(r, to);
    else if ((r->looks > 0 || r->pass) && r->reason != REASON_REDIRECT_RULE &&
             r->reason != REASON_HTTPS_REDIRECT) /* nobody is asked */
        write_forward(r, to);
    write_detail(r, to);
    if (to == &b)
        return buf_str(&b);
    struct str status = arena_dup(&r->arena, buf_str(&big));
    buf_fini(&big);
    return status;
}

void deliver_add_cache_status(struct request *r)
{
    r->cache_status = is_plain_hit(r) ? plain_hit(r) : cache_status(r);
    deliver_add_id(&r->reply, FIELD_CACHE_STATUS, r->cache_status);
}
