#include "base/check.h"
#include "coding/coder.h"
#include "coding/decode.h"
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
    f->decode = decode_new(v->coded_in, UINT64_MAX);
    return f->decode != NULL;
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
