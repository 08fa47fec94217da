#include "base/check.h"
#include "cache/coded.h"
#include "cache/room.h"
#include "coding/coder.h"
#include "coding/decode.h"
#include "coding/pour.h"
#include "http/lines.h"
#include "origin/fetch_machine.h"

/* Adds how to undo a change of the field: what it was, in front of what undoes the rules' changes, since it
 * was changed behind them. */
static void add_undo(struct fetch *f, const struct fields *fields, enum field_id id)
{
    struct buf b = BUF_INIT;
    lines_add(&b, ARENA_JOIN(&f->arena, STR("-"), field_name(id)), STR(""));
    for (size_t i = 0; i < fields->n; i++)
        if (fields->v[i].id == id)
            lines_add(&b, ARENA_JOIN(&f->arena, STR("+"), field_name(id)), fields->v[i].value);
    buf_add(&b, f->undo);
    f->undo = arena_dup(&f->arena, buf_str(&b));
    buf_fini(&b);
}

static bool is_digest(const struct field *f, void *ctx)
{
    static const struct str names[] = { STR_INIT("Content-Digest"), STR_INIT("Repr-Digest"),
                                        STR_INIT("Digest"), STR_INIT("Content-MD5") };
    (void)ctx;
    for (size_t i = 0; f->id == FIELD_OTHER && i < COUNT_OF(names); i++)
        if (str_eq_nocase(f->name, names[i]))
            return true;
    return false;
}

void fetch_plain_fields(struct fetch *f, const struct verdict *v, struct fields *fields)
{
    if (!v->store || v->coded_in == CODING_IDENTITY)
        return;
    f->own_etag = arena_dup(&f->arena, fields_value(fields, FIELD_ETAG));
    if (!etag_parse(f->own_etag).opaque.n)
        f->own_etag = STR_NONE;
    add_undo(f, fields, FIELD_CONTENT_ENCODING);
    fields_remove(fields, FIELD_CONTENT_ENCODING);
    fields_remove_if(fields, is_digest, NULL);
    struct etag etag = etag_parse(fields_value(fields, FIELD_ETAG));
    if (!etag.opaque.n || etag.weak)
        return;
    /* The strong one is of the coded bytes. */
    add_undo(f, fields, FIELD_ETAG);
    struct str weak = ARENA_JOIN(&f->arena, STR("W/"), etag.opaque);
    fields_remove(fields, FIELD_ETAG);
    fields_add_id(fields, &f->arena, FIELD_ETAG, weak);
}

bool fetch_begin_decode(struct fetch *f, const struct verdict *v)
{
    CHECK(!f->decode);
    if (!v->store || v->coded_in == CODING_IDENTITY || f->framing.kind == FRAMING_NONE)
        return true;
    f->coded_bytes = 0;
    if (v->is_codable) {
        f->own = body_new(&f->f->cache->memory, BODY_LENGTH_UNKNOWN);
        f->own_coding = v->coded_in;
    }
    f->decode = decode_new(v->coded_in, UINT64_MAX);
    return f->decode != NULL;
}

static void drop_own(struct fetch *f)
{
    body_unref(f->own);
    f->own = NULL;
}

void fetch_keep_coded(struct fetch *f, struct str data)
{
    if (!f->own)
        return;
    if (!f->store || body_length(f->own) + data.n > (uint64_t)f->plan.site->compress_most) {
        drop_own(f);
        return;
    }
    if (room_append(f->f->cache, f->own, data) < data.n)
        drop_own(f);
}

void fetch_attach_own(struct fetch *f)
{
    struct object *o = f->object;
    if (!f->own)
        return;
    if (f->store && o->response->has_codings && o->body &&
        body_length(o->body) >= (uint64_t)f->plan.site->compress_least) {
        struct body *whole = body_compact(f->own);
        coded_keep_own(o, f->own_coding, f->own_etag, &whole);
    }
    drop_own(f);
}

/* Of the plain body. */
static bool has_length(const struct fetch *f)
{
    return f->framing.kind == FRAMING_LENGTH && !f->decode;
}

void fetch_begin_pours(struct fetch *f)
{
    const struct site_settings *site = f->plan.site;
    struct object *o = f->object;
    struct pours *pours = coder_pours(f->f->cache->coder);
    /* One whose length is known is no stream: its visitors get it as it comes, and a coding with a strong
     * ETag is made when it is whole. A coded stream would have to be flushed wherever its origin stalls. */
    if (!f->store || !o->response->has_codings || !f->body || !pours || has_length(f) ||
        overload_step(f->f->overload) >= OVERLOAD_SAVE)
        return;
    struct pour_plan plan = { .from = o,
                              .body = f->body,
                              .least = (uint64_t)site->compress_least,
                              .most = (uint64_t)site->compress_most,
                              .window_bytes = (uint64_t)site->window_bytes };
    unsigned wishes = object_wishes(o);
    for (enum coding c = CODING_GZIP; c < CODINGS; c++) {
        plan.coding = c;
        plan.level = coded_level(site, c, false);
        if ((wishes >> c & 1) && !(f->own && c == f->own_coding))
            pour_begin(pours, &plan);
    }
}

struct str fetch_origins_value(const struct response *stored, enum field_id id)
{
    struct str undo = response_undo(stored), name = field_name(id);
    bool changed = false;
    for (struct field line; lines_next(&undo, &line);) {
        if (!str_eq_nocase(str_from_index(line.name, 1), name))
            continue;
        if (line.name.p[0] == '+')
            return line.value;
        changed = true;
    }
    return changed ? STR_NONE : response_value(stored, id);
}

void fetch_want_codings(struct fetch *f)
{
    struct object *o = f->object;
    const struct site_settings *site = f->plan.site;
    if (!o->response->has_codings || !o->body)
        return;
    uint64_t length = body_length(o->body);
    if (length < (uint64_t)site->compress_least || length > (uint64_t)site->compress_most)
        return;
    unsigned wanted = f->plan.codings;
    if (f->stale && object_state(f->stale) == OBJECT_SEALED)
        wanted |= coded_all(f->stale);
    for (enum coding c = CODING_GZIP; c < CODINGS; c++)
        if (wanted >> c & 1)
            coder_want(f->f->cache->coder, o, c, coded_level(site, c, false), false);
}
