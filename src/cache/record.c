/*
 * The names of a record: a byte, 1 when they are short, then 8 bytes for each, little endian, in rising
 * order. Its head: response_write. Its rule: rule_lines. Whoever changes one of them raises RECORD_FORM.
 */
#include "cache/record.h"

#include <string.h>

#include "base/little.h"
#include "base/mem.h"
#include "cache/key.h"

/* Of `form`: its lower half is RECORD_FORM. */
enum {
    FORM_BITS = 16,
    HAS_BODY = 1 << 16, /* an empty one is another thing than none */
    HAS_ETAG = 1 << 17, /* a generated one: the tag in the head is set */
    IS_RULE = 1 << 18,
    OF_2XX = 1 << 19,  /* a 2xx brought the rule */
    IS_PART = 1 << 20, /* of a body: it has nothing else */
    FORM_FLAGS = HAS_BODY | HAS_ETAG | IS_RULE | OF_2XX | IS_PART,
};

static bool is_of_this_form(const struct segment_record *r)
{
    return (r->form & ((1u << FORM_BITS) - 1)) == RECORD_FORM &&
           (r->form & ~((1u << FORM_BITS) - 1) & ~(unsigned)FORM_FLAGS) == 0;
}

bool record_is_rule(const struct segment_record *r)
{
    return is_of_this_form(r) && r->form & IS_RULE;
}

/* Numbers of a record may be any. */
static int64_t add(int64_t a, int64_t b)
{
    int64_t sum;
    return __builtin_add_overflow(a, b, &sum) ? (b > 0 ? INT64_MAX : INT64_MIN) : sum;
}

static int64_t subtract(int64_t a, int64_t b)
{
    int64_t difference;
    return __builtin_sub_overflow(a, b, &difference) ? (b > 0 ? INT64_MIN : INT64_MAX) : difference;
}

/* The age at which nothing is left of lifetime and windows. */
static int64_t over_at(int64_t lifetime_ms, int64_t stale_while_ms, int64_t stale_error_ms)
{
    return add(lifetime_ms, stale_while_ms > stale_error_ms ? stale_while_ms : stale_error_ms);
}

/* ---- writing ---- */

static void received_at(int64_t mono_ms, struct now now, const struct record_boot *boot,
                        struct segment_time *out)
{
    memcpy(out->boot, boot->id, sizeof(out->boot));
    out->boot_ms = mono_ms;
    out->wall_ms = now.wall_ms - (now.mono_ms - mono_ms);
}

static struct str names_written(const struct response *r, struct arena *a)
{
    struct epoch_names names = response_names(r);
    size_t bytes = 1 + 8 * names.n;
    struct buf b = { arena_alloc(a, bytes), 0, bytes };
    little_add(&b, names.is_short, 1);
    for (size_t i = 0; i < names.n; i++)
        little_add(&b, epoch_names_at(&names, i), 8);
    return buf_str(&b);
}

static struct str head_written(const struct response *r, struct arena *a)
{
    size_t bytes = response_written(r);
    struct buf b = { arena_alloc(a, bytes), 0, bytes };
    response_write(r, &b);
    CHECK(b.n == bytes);
    return buf_str(&b);
}

/* Of a body, the bytes from `from` to `to`. false: they are in too many pieces. */
static bool lease_body(const struct body *b, struct body_cursor *c, uint64_t from, uint64_t to,
                       struct arena *a, struct segment_record *out)
{
    struct iovec iov[1 + SEGMENT_MORE_MAX];
    uint64_t bytes = 0;
    unsigned n = to > from ? body_lease(b, c, from, to, iov, COUNT_OF(iov), &bytes) : 0;
    struct str *pieces = arena_alloc(a, n * sizeof(*pieces));
    for (unsigned i = 0; i < n; i++)
        pieces[i] = (struct str){ iov[i].iov_base, iov[i].iov_len };
    if (n > 0) {
        out->body = pieces[0];
        out->more = (struct strs){ pieces + 1, n - 1 };
    }
    out->body_from = from;
    out->body_whole = body_length(b);
    return bytes == to - from;
}

/* Its body, or only how long it is. */
static bool lease_whole(const struct body *b, struct arena *a, struct segment_record *out)
{
    struct body_cursor cursor = { NULL };
    uint64_t length = body_length(b);
    return lease_body(b, &cursor, 0, length > RECORD_BODY_MAX ? 0 : length, a, out);
}

/* Where a part of a body begins, or ends before. */
static uint64_t part_start(uint32_t part, uint64_t whole_bytes)
{
    uint64_t at = (uint64_t)(part - 1) * RECORD_PART_BYTES;
    return at < whole_bytes ? at : whole_bytes;
}

bool record_of_part(const struct segment_record *whole, const struct body *b, struct body_cursor *c,
                    uint32_t part, struct arena *a, struct segment_record *out)
{
    *out = *whole;
    out->part = part;
    out->form = RECORD_FORM | IS_PART;
    out->url = out->variant = out->rule = out->names = out->head = STR_NONE;
    return lease_body(b, c, part_start(part, whole->body_whole), part_start(part + 1, whole->body_whole), a,
                      out) &&
           segment_record_bytes(out) > 0;
}

bool record_is_part(const struct segment_record *r, uint64_t object, uint32_t part, uint64_t whole_bytes)
{
    uint64_t from = part_start(part, whole_bytes);
    return is_of_this_form(r) && r->form & IS_PART && r->object == object && r->part == part &&
           r->body_whole == whole_bytes && r->body_from == from &&
           r->body.n == part_start(part + 1, whole_bytes) - from;
}

static uint16_t flags_of(const struct freshness *f)
{
    return (uint16_t)((f->always_revalidate ? SEGMENT_ALWAYS_REVALIDATE : 0) |
                      (f->never_stale ? SEGMENT_NEVER_STALE : 0) | (f->foreground ? SEGMENT_FOREGROUND : 0));
}

/* Is it worth writing? Soon gone is as good as gone: until it could be read, nothing is left of it. */
static bool lasts(const struct freshness *f, int64_t resident_ms)
{
    int64_t age_ms = policy_age(f, resident_ms, -1).age_ms;
    return over_at(f->lifetime_ms, f->stale_while_ms, f->stale_error_ms) - age_ms >= RECORD_LEFT_MIN_MS;
}

bool record_is_wanted(const struct object *o, int64_t now_mono_ms)
{
    struct freshness f = object_freshness(o);
    CHECK(object_state(o) == OBJECT_SEALED);
    return o->stored && !o->response->has_part && lasts(&f, now_mono_ms - object_received_ms(o));
}

bool record_of_object(const struct object *o, const struct place *place, struct now now,
                      const struct record_boot *boot, struct arena *a, struct segment_record *out)
{
    struct freshness f = object_freshness(o);
    if (!record_is_wanted(o, now.mono_ms))
        return false;
    *out = (struct segment_record){
        .begin = o->begin,
        .age_ms = f.age_ms,
        .lifetime_ms = f.lifetime_ms,
        .stale_while_ms = f.stale_while_ms,
        .stale_error_ms = f.stale_error_ms,
        .status = o->response->status,
        .flags = flags_of(&f),
        .form = RECORD_FORM | (o->body ? HAS_BODY : 0) | (o->has_generated_etag ? HAS_ETAG : 0),
        .release = place_release(object_cache(o), o->node.hash, object_variant(o)),
        .url = place->primary,
        .variant = object_variant(o),
        .rule = rule_lines(place->rule, a),
        .names = names_written(o->response, a),
        .head = head_written(o->response, a),
    };
    received_at(object_received_ms(o), now, boot, &out->received);
    return (!o->body || lease_whole(o->body, a, out)) && segment_record_bytes(out) > 0;
}

void record_of_rule(const struct rule *rule, bool of_2xx, struct str primary, uint64_t begin, struct now now,
                    int64_t expires_wall_ms, const struct record_boot *boot, struct arena *a,
                    struct segment_record *out)
{
    int64_t lifetime_ms = subtract(expires_wall_ms, now.wall_ms);
    *out = (struct segment_record){
        .begin = begin,
        .lifetime_ms = lifetime_ms > 0 ? lifetime_ms : 0,
        .form = RECORD_FORM | IS_RULE | (of_2xx ? OF_2XX : 0),
        .url = primary,
        .rule = rule_lines(rule, a),
    };
    received_at(now.mono_ms, now, boot, &out->received);
}

/* ---- reading ---- */

/* When it was received, in monotonic milliseconds of this boot, and how old it was then. */
struct reception {
    int64_t mono_ms, age_ms;
};

static bool is_of_this_boot(const struct segment_record *r, const struct record_boot *boot)
{
    static const struct record_boot unknown;
    return memcmp(r->received.boot, boot->id, sizeof(boot->id)) == 0 &&
           memcmp(boot->id, unknown.id, sizeof(boot->id)) != 0;
}

/* For a record of another boot. false: of an asset it counts when it was received, and that cannot be
 * said. */
static bool receive_by_wall(const struct segment_record *r, bool is_asset, struct now now,
                            struct reception *out)
{
    int64_t elapsed_ms = subtract(now.wall_ms, r->received.wall_ms);
    bool is_known = elapsed_ms >= 0;
    if (!is_known) { /* a wall clock that went back makes nothing younger */
        int64_t over_ms = add(over_at(r->lifetime_ms, r->stale_while_ms, r->stale_error_ms), 1);
        elapsed_ms = over_ms > r->age_ms ? over_ms - r->age_ms : 0;
    }
    if (elapsed_ms <= now.mono_ms && is_known)
        *out = (struct reception){ now.mono_ms - elapsed_ms, r->age_ms };
    else
        *out = (struct reception){ now.mono_ms, add(r->age_ms, elapsed_ms) };
    return !is_asset || (is_known && elapsed_ms <= now.mono_ms);
}

static bool receive(const struct segment_record *r, bool is_asset, struct now now,
                    const struct record_boot *boot, struct reception *out)
{
    if (r->age_ms < 0 || r->lifetime_ms < 0 || r->stale_while_ms < 0 || r->stale_error_ms < 0)
        return false;
    if (!is_of_this_boot(r, boot))
        return receive_by_wall(r, is_asset, now, out);
    /* Whoever received it may have read the clock a moment later. */
    int64_t mono_ms = r->received.boot_ms < now.mono_ms ? r->received.boot_ms : now.mono_ms;
    *out = (struct reception){ mono_ms, r->age_ms };
    return mono_ms >= 0;
}

static bool names_count(const struct segment_record *r, size_t *n, bool *are_short)
{
    *n = (r->names.n - 1) / 8;
    *are_short = r->names.n > 0 && r->names.p[0];
    return r->names.n % 8 == 1 && (unsigned char)r->names.p[0] <= 1 && *n <= RESPONSE_NAMES_MAX;
}

/* Into an array with room for n. false: they are not as response_read wants them. */
static bool read_names(struct str from, size_t n, bool are_short, uint64_t *out)
{
    uint64_t least = 0;
    from = str_from_index(from, 1);
    for (size_t i = 0; i < n; least = out[i++])
        if (!little_cut(&from, 8, &out[i]) || out[i] < least || (out[i] & ~epoch_names_bits(are_short)))
            return false;
    return true;
}

#define NAMES_HERE 64

static struct response *read_response(struct memory *m, const struct segment_record *r)
{
    uint64_t here[NAMES_HERE];
    size_t n;
    bool are_short;
    if (!names_count(r, &n, &are_short))
        return NULL;
    uint64_t *names = n <= NAMES_HERE ? here : mem_alloc(n * sizeof(*names));
    struct response *response =
        read_names(r->names, n, are_short, names) ? response_read(m, r->head, names, n, are_short) : NULL;
    if (names != here)
        mem_free(names);
    return response;
}

/* Do the parts say the same? */
static bool fits(const struct segment_record *r, const struct response *response)
{
    bool has_body = r->form & HAS_BODY, has_etag = r->form & HAS_ETAG;
    return r->status == response->status && (has_body || r->body.n == 0) &&
           (!has_etag || (response->has_tag && has_body));
}

static bool is_long(const struct segment_record *r)
{
    return r->body_whole > RECORD_BODY_MAX;
}

/* false: there is no memory. */
static bool read_body(struct memory *m, const struct segment_record *r, struct body **out)
{
    if (is_long(r)) {
        *out = body_new_distant(m, r->body_whole, &(struct body_distance){ r->key, r->object });
        return true;
    }
    *out = r->form & HAS_BODY ? body_new_whole(m, r->body.n) : NULL;
    if (*out && r->body.n)
        CHECK(body_append(*out, r->body) == r->body.n);
    return *out || !(r->form & HAS_BODY);
}

/* Is it a whole response, of an URL, that began in the time that the purges know? A number that no purge had
 * yet would be above those of the next ones: they would not concern it. */
static bool is_of_object(const struct cache *c, const struct segment_record *r)
{
    return is_of_this_form(r) && !(r->form & (IS_RULE | OF_2XX | IS_PART)) && r->part == 0 &&
           r->body_from == 0 && r->body.n <= SEGMENT_BODY_MAX && r->more.n == 0 &&
           (is_long(r) ? r->body.n == 0 && r->form & HAS_BODY : r->body.n == r->body_whole) &&
           (r->flags & ~SEGMENT_FLAGS) == 0 && r->release <= UINT32_MAX &&
           r->begin <= epochs_latest(c->epochs) && key_is_primary(r->url) &&
           r->variant.n <= SEGMENT_TEXTS_MAX;
}

static struct place place_of(const struct cache *c, const struct segment_record *r)
{
    struct place p = { .primary = r->url,
                       .variant = r->variant,
                       .release = (uint32_t)r->release,
                       .is_common = r->release == 0 };
    place_hash(c, &p);
    return p;
}

struct object *record_to_object(struct cache *c, const struct segment_record *r, struct now now,
                                const struct record_boot *boot, struct place *place)
{
    struct body *body;
    struct reception when;
    struct response *response = is_of_object(c, r) ? read_response(&c->memory, r) : NULL;
    if (!response || !fits(r, response) || !receive(r, response->is_asset, now, boot, &when) ||
        !read_body(&c->memory, r, &body)) {
        response_free(&c->memory, response);
        return NULL;
    }
    *place = place_of(c, r);
    struct object_past past = {
        .response = &response,
        .body = &body,
        .variant = r->variant,
        .hash = place->is_common ? place->common_hash : place->variant_hash,
        .fresh = { .lifetime_ms = r->lifetime_ms,
                   .age_ms = when.age_ms,
                   .stale_while_ms = r->stale_while_ms,
                   .stale_error_ms = r->stale_error_ms,
                   .always_revalidate = r->flags & SEGMENT_ALWAYS_REVALIDATE,
                   .never_stale = r->flags & SEGMENT_NEVER_STALE,
                   .foreground = r->flags & SEGMENT_FOREGROUND },
        .received_mono_ms = when.mono_ms,
        .has_generated_etag = r->form & HAS_ETAG,
    };
    return object_restore(c, r->begin, &past);
}

size_t record_room(const struct segment_record *r)
{
    size_t n, body = r->body.n < BODY_WHOLE_MAX ? r->body.n : BODY_WHOLE_MAX;
    bool are_short;
    size_t names = names_count(r, &n, &are_short) ? epoch_names_bytes(n, are_short) : 0;
    return memory_cost(sizeof(struct object)) + memory_cost(sizeof(struct response) + names + r->head.n) +
           (r->variant.n ? memory_cost(sizeof(struct variant) + r->variant.n) : 0) +
           (!(r->form & HAS_BODY) ? 0
            : is_long(r)          ? body_distant_cost()
                                  : body_whole_cost(body));
}

bool record_to_rule(const struct segment_record *r, struct arena *a, struct rule **rule, bool *of_2xx)
{
    *rule = NULL;
    *of_2xx = r->form & IS_RULE ? (r->form & OF_2XX) != 0 : r->status >= 200 && r->status <= 299;
    return is_of_this_form(r) && rule_of_lines(r->rule, a, rule);
}
