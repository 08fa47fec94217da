#include "cache/asset.h"
#include "cache/disk.h"
#include "cache/room.h"
#include "coding/decode.h"
#include "http/accept.h"
#include "origin/fetch_machine.h"

/* ---- the asset itself is stored: `stale` ---- */

/* Is it an asset from before the release that is kept, though the origin lacks it by now? Not after a
 * purge. */
static bool is_kept(struct fetch *f, struct object *o)
{
    int64_t now_ms = f->f->loop->now.mono_ms;
    struct object_purged purged =
        object_check_purged(o, f->plan.place.primary, epochs_latest(f->f->cache->epochs), now_ms);
    return index_kept_until(o, &purged, f->plan.site->release) > now_ms;
}

/* ---- it is stored in another content coding ---- */

/* Appends what the decoder gives. false: no memory, or it is damaged. */
static bool append_decoded(struct fetch *f, struct decode *d, struct str in, struct body *to)
{
    struct str data;
    for (;;)
        switch (decode_next(d, &in, &data)) {
        case DECODE_DATA:
            if (!room_keeps(f->f->cache, body_charged(to), data.n) || body_append(to, data) < data.n)
                return false;
            break;
        case DECODE_MORE: return true;
        default: return false;
        }
}

static bool decode_all(struct fetch *f, struct decode *d, struct body *from, struct body *to)
{
    struct body_cursor cursor = { NULL };
    struct iovec iov[8];
    uint64_t at = 0, end = body_length(from), bytes;
    for (; at < end; at += bytes) {
        unsigned n = body_lease(from, &cursor, at, end, iov, COUNT_OF(iov), &bytes);
        for (unsigned i = 0; i < n; i++)
            if (!append_decoded(f, d, (struct str){ iov[i].iov_base, iov[i].iov_len }, to))
                return false;
    }
    return decode_is_whole(d);
}

/* Returns the body without its content coding, a reference. NULL: it is in another coding than these,
 * damaged, longer than a stored body may be, or there is no memory. */
static struct body *decoded(struct fetch *f, struct object *o, const struct fields *stored)
{
    enum coding coding;
    if (!accept_coding_from(fields_joined(stored, FIELD_CONTENT_ENCODING, &f->arena), &coding))
        return NULL;
    struct decode *d = decode_new(coding, (uint64_t)f->plan.site->object_bytes);
    struct body *from = object_body(o), *to = body_new(&f->f->cache->memory, BODY_LENGTH_UNKNOWN);
    bool good = d && from && !body_distance(from) && decode_all(f, d, from, to);
    body_unref(from);
    decode_free(d);
    if (good)
        return to;
    body_unref(to);
    return NULL;
}

/* It is another representation now, so it has no validator of the one that it was made of. */
static void forget_coding(struct fields *fields)
{
    static const enum field_id of_coding[] = { FIELD_CONTENT_ENCODING, FIELD_ETAG, FIELD_CONTENT_LENGTH,
                                               FIELD_ACCEPT_RANGES };
    for (size_t i = 0; i < COUNT_OF(of_coding); i++)
        fields_remove(fields, of_coding[i]);
}

/* Stores what stands in under the key that was asked for, received when `from` was. */
static bool store_for_key(struct fetch *f, struct object *from, const struct fields *fields,
                          struct body **body)
{
    struct cache *c = f->f->cache;
    struct verdict v = { .store = true, .is_asset = true, .fresh = object_freshness(from) };
    struct place place = f->plan.place;
    struct name_list names;
    place.is_common = true;
    place.rule = f->plan.rule;
    place.variant = key_variant(&f->plan.key, f->plan.rule, &f->arena);
    place_hash(c, &place);
    fetch_names(f, &v, from, &names);
    struct response *response = response_new(&c->memory, &(struct response_plan){
                                                             .status = 200,
                                                             .fields = fields,
                                                             .site = f->plan.site,
                                                             .declared_length = -1,
                                                             .names = names.v,
                                                             .names_n = names.n,
                                                             .names_are_short = names.is_short,
                                                             .is_asset = true,
                                                         });
    struct object *o = object_new(c, from->begin);
    index_begin(o, &place, f->f->loop->now.mono_ms);
    index_settle(o, &place, (struct rule *)(uintptr_t)f->plan.rule);
    object_set_head(o, &(struct object_head){ .response = &response,
                                              .body = body,
                                              .verdict = &v,
                                              .received_mono_ms = object_received_ms(from),
                                              .fetched_status = 200 });
    object_note_missing(o, f->plan.site->release->number);
    object_seal(o, f->plan.site->generate_etag);
    bool published = index_publish(o, &place, (size_t)f->plan.site->variants, f->f->loop->now.mono_ms);
    if (published)
        disk_store(c, o, &place, f->f->loop->now);
    object_unref(o);
    return published;
}

/* Makes of a kept variant in another coding the one that was asked for. */
static bool stand_in(struct fetch *f, struct object *o)
{
    struct fields fields;
    response_fields(o->response, &f->arena, &fields, NULL);
    bool as_it_is = fetch_offers_codings(f, &fields);
    struct body *body = as_it_is ? object_body(o) : decoded(f, o, &fields);
    if (!body)
        return false;
    if (!as_it_is)
        forget_coding(&fields);
    bool done = store_for_key(f, o, &fields, &body);
    body_unref(body);
    return done;
}

/* Returns the object of the key that differs from this one in Accept-Encoding alone, a reference, or NULL. */
static struct object *stored_for(struct fetch *f, struct str offer)
{
    struct place place = f->plan.place;
    struct key_request key = f->plan.key;
    struct fields fields = { 0 };
    for (size_t i = 0; i < key.fields->n; i++)
        if (key.fields->v[i].id != FIELD_ACCEPT_ENCODING)
            fields_add_line(&fields, &f->arena, key.fields->v[i]);
    if (offer.n)
        fields_add_id(&fields, &f->arena, FIELD_ACCEPT_ENCODING, offer);
    key.fields = &fields;
    place.rule = f->plan.rule;
    place.variant = key_variant(&key, f->plan.rule, &f->arena);
    place_hash(f->f->cache, &place);
    return index_peek(f->f->cache, &place);
}

static bool tries_stand_in(struct fetch *f, struct str offer)
{
    struct object *o = stored_for(f, offer);
    bool done = o && !object_is_partial(o) && is_kept(f, o) && stand_in(f, o);
    object_unref(o);
    return done;
}

static bool has_stand_in(struct fetch *f)
{
    if (f->plan.background || !f->plan.may_store || f->plan.site->release->switches_n == 0)
        return false;
    fetch_update_rule(f);
    /* What needs no decoding comes first. */
    for (size_t i = 0; i < ACCEPT_ENCODINGS; i++)
        if (tries_stand_in(f, accept_encodings[i]))
            return true;
    return false;
}

/* A page with status 200 is what a path has that is no asset's: not where nothing says that it is one. */
static bool may_be_replaced(struct fetch *f, int status)
{
    return status != 200 || asset_is_below_prefix(f->plan.site, f->plan.key.path);
}

bool fetch_keeps_asset(struct fetch *f, int status, const struct fields *fields)
{
    if (!asset_is_replaced(status, fields))
        return false;
    if (!f->stale)
        return may_be_replaced(f, status) && has_stand_in(f);
    if (!f->stale->response->is_asset)
        return false;
    f->keeps_stale = is_kept(f, f->stale);
    return f->keeps_stale;
}
