/*
 * A record of a stored response or of a rule, as the disk gives it (cache/record.h): what is taken may be
 * used as any other, and is written as it was; what is refused leaves nothing behind. Input: a byte with
 * flags; of a response then the number of its names, its names, its head; of a rule its lines.
 */
#include "cache/key.h"
#include "cache/record.h"
#include "http/lines.h"
#include "pieces.h"

static const struct hash_secret secret = { "a secret that everybody knows" };
static const struct now now = { .mono_ms = 100000, .wall_ms = 1800000000000 };
static const struct record_boot boot = { "this boot" }, other = { "another boot" };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FORM_HAS_BODY = 1 << 16, FORM_HAS_ETAG = 1 << 17 };

static void use(struct object *o, struct arena *a)
{
    struct fields f;
    struct validators v;
    struct purged p;
    size_t visible_n;
    const struct response *r = o->response;
    struct str undo = response_undo(r), lines = response_lines(r);
    struct epoch_names names = object_names(o);
    response_fields(r, a, &f, &visible_n);
    CHECK(visible_n <= f.n);
    response_validators(r, now.wall_ms / 1000, &v);
    for (struct field line; lines_next(&lines, &line);)
        CHECK(is_token(line.name));
    for (struct field line; lines_next(&undo, &line);)
        CHECK(line.name.n >= 2);
    (void)response_value(r, FIELD_CONTENT_TYPE);
    CHECK(response_declared_length(r) >= -1 && response_etag(r).opaque.n <= response_lines_304(r).n);
    CHECK(str_index(response_note(r), '\0') == response_note(r).n);
    CHECK(str_index(response_reason(r), '\n') == response_reason(r).n);
    for (size_t i = 1; i < names.n; i++)
        CHECK(epoch_names_at(&names, i - 1) <= epoch_names_at(&names, i));
    struct epochs *e = object_cache(o)->epochs;
    (void)epochs_touched(e, names, o->begin, 0, epochs_latest(e), &p);
    CHECK(object_age(o, now.mono_ms, -1).age_ms >= 0 && object_received_ms(o) <= now.mono_ms);
}

static void check_object(struct cache *c, struct str in, struct arena *a)
{
    struct key_request url = { .site = STR("s"), .host = STR("example.org"), .path = STR("/p") };
    unsigned flags = (unsigned char)in.p[0], names_n = (unsigned char)in.p[1];
    struct str rest = str_from_index(in, 2);
    struct str names = piece_copy(str_first(rest, 1 + 8 * names_n)),
               head = piece_copy(str_from_index(rest, names.n));
    struct segment_record again, r = {
        .url = key_primary(&url, a),
        .names = names,
        .head = head,
        .begin = 1,
        .status = head.n < 2 ? 0 : (uint16_t)((unsigned char)head.p[0] | (unsigned char)head.p[1] << 8),
        .form = RECORD_FORM | (flags & 2 ? FORM_HAS_BODY : 0) | (flags & 4 ? FORM_HAS_ETAG : 0),
        .lifetime_ms = flags & 8 ? INT64_MAX : 60000,
        .received = { .boot_ms = 90000, .wall_ms = now.wall_ms + (flags & 16 ? 5000 : -5000) },
    };
    memcpy(r.received.boot, flags & 32 ? boot.id : other.id, sizeof(boot.id));
    int64_t before = memory_used(&c->memory);
    struct place place;
    struct object *o = record_to_object(c, &r, now, &boot, &place);
    if (o) {
        CHECK((uint64_t)(memory_used(&c->memory) - before) <= record_room(&r));
        use(o, a);
        if (record_of_object(o, &place, now, &boot, a, &again))
            CHECK(str_eq(again.head, head) && str_eq(again.names, names) && again.form == r.form &&
                  again.status == r.status);
        object_unref(o);
    }
    CHECK(memory_used(&c->memory) == before);
    piece_free(names);
    piece_free(head);
}

static void check_rule(struct str in, struct arena *a)
{
    struct segment_record again, r = { .rule = piece_copy(in), .form = RECORD_FORM, .status = 200 };
    struct rule *rule;
    bool of_2xx;
    if (record_to_rule(&r, a, &rule, &of_2xx)) {
        record_of_rule(rule, true, STR("p"), 1, now, 0, &boot, a, &again);
        CHECK(str_eq(again.rule, r.rule) && of_2xx);
        rule_unref(rule);
    }
    piece_free(r.rule);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct cache *c;
    struct arena a;
    if (size < 2)
        return 0;
    if (!c)
        c = cache_new(&secret, (int64_t)1 << 30);
    arena_init(&a, 4096);
    struct str in = { (const char *)data, size };
    if (data[0] & 1)
        check_rule(str_from_index(in, 1), &a);
    else
        check_object(c, in, &a);
    arena_fini(&a);
    return 0;
}
