/* A stored response comes back from its record as it was, with the age that it has by then; what does not fit
 * together is refused, and nothing of it stays behind. */
#include "cache_world.h"

#include "cache/key.h"
#include "cache/record.h"
#include "http/lines.h"

#define DATE "Date: Sun, 06 Nov 1994 08:49:37 GMT\n"

static const struct record_boot boot = { "this boot" }, other_boot = { "another boot" };

enum { NO_BODY = -1 };

/* What is stored; zero is a page of 100 bytes. */
struct sample {
    const char *lines, *yaml, *rule, *variant, *note, *undo;
    int status, release;
    int64_t body, declared_length, age_ms, lifetime_ms, stale_while_ms, stale_error_ms;
    size_t names_n;
    bool names_are_long, is_common, is_asset, is_part, makes_etag, adds_cc, not_stored;
    bool always_revalidate, never_stale, foreground;
};

static struct place place_at(const struct sample *s, struct rule *rule)
{
    struct key_request r = { .site = STR("s"), .host = STR("example.org"), .path = STR("/p") };
    struct place p = { .primary = key_primary(&r, &arena),
                       .variant = str_from(s->variant),
                       .release = (uint32_t)s->release,
                       .is_common = s->is_common,
                       .rule = rule };
    place_hash(cache, &p);
    return p;
}

static struct rule *rule_of(const char *lines)
{
    struct rule *r;
    if (rule_of_response(fields_of(lines), NULL, true, &arena, &r) != RULE_OK)
        fail_msg("no rule: %s", lines);
    return r;
}

static struct response *response_of(const struct sample *s)
{
    uint64_t *names = arena_alloc(&arena, (s->names_n + 1) * sizeof(*names));
    for (size_t i = 0; i < s->names_n; i++)
        names[i] = (i + 1) * UINT64_C(0x9e3779b97f4a7c15) & EPOCH_NAME_BITS;
    return response_new(&cache->memory,
                        &(struct response_plan){ .status = s->status ? s->status : 200,
                                                 .reason = s->status == 404 ? STR("Gone Fishing") : STR_NONE,
                                                 .fields = fields_of(s->lines),
                                                 .site = s->yaml ? site_of(s->yaml) : NULL,
                                                 .received_wall_ms = WALL_MS,
                                                 .declared_length = s->declared_length - 1,
                                                 .note = str_from(s->note),
                                                 .undo = str_from(s->undo),
                                                 .add_default_cc = s->adds_cc,
                                                 .names = names,
                                                 .names_n = s->names_n,
                                                 .names_are_short = !s->names_are_long,
                                                 .is_part = s->is_part,
                                                 .is_asset = s->is_asset });
}

static struct body *body_of(int64_t length)
{
    if (length == NO_BODY)
        return NULL;
    struct body *b = body_new(&cache->memory, BODY_LENGTH_UNKNOWN);
    for (int64_t i = 0; i < length;) {
        char piece[997];
        size_t n = 0;
        for (; n < sizeof(piece) && i < length; n++, i++)
            piece[n] = (char)(i * 31 + i / 256);
        assert_int_equal(body_append(b, (struct str){ piece, n }), n);
    }
    return b;
}

/* The caller's reference; it was received 10 seconds ago. */
static struct object *object_of(const struct sample *s, struct place *place)
{
    struct rule *rule = rule_of(s->rule);
    struct object *o = object_new(cache, epochs_latest(cache->epochs));
    *place = place_at(s, rule);
    index_begin(o, place, now.mono_ms);
    index_settle(o, place, rule);
    struct response *response = response_of(s);
    struct body *body = body_of(s->body ? s->body : 100);
    struct verdict v = { .store = !s->not_stored,
                         .fresh = { .lifetime_ms = s->lifetime_ms ? s->lifetime_ms : 60000,
                                    .age_ms = s->age_ms,
                                    .stale_while_ms = s->stale_while_ms,
                                    .stale_error_ms = s->stale_error_ms,
                                    .always_revalidate = s->always_revalidate,
                                    .never_stale = s->never_stale,
                                    .foreground = s->foreground } };
    object_set_head(o, &(struct object_head){ .response = &response,
                                              .body = &body,
                                              .verdict = &v,
                                              .received_mono_ms = now.mono_ms - 10000,
                                              .fetched_status = 200 });
    object_seal(o, s->makes_etag);
    return o;
}

static void drop(struct object *o, struct place *place)
{
    object_unref(o);
    rule_unref((struct rule *)(uintptr_t)place->rule);
}

/* Through the bytes of a segment, which the caller frees. */
static char *through_segment(struct segment_record *r)
{
    r->key = (struct hash128){ 1, 2 };
    r->object = 77;
    size_t bytes = segment_record_bytes(r), got;
    char *out = malloc(bytes);
    assert_int_equal(segment_record_write(r, 5, (unsigned char *)out), bytes);
    assert_int_equal(segment_record_read((struct str){ out, bytes }, 5, r, &got), SEGMENT_OK);
    return out;
}

static struct object *back(const struct segment_record *r, struct place *place)
{
    return record_to_object(cache, r, now, &boot, place);
}

static struct segment_record record_of(const struct object *o, const struct place *place)
{
    struct segment_record r;
    assert_true(record_of_object(o, place, now, &boot, &arena, &r));
    return r;
}

static void same_str(struct str a, struct str b)
{
    assert_true(str_eq(a, b));
}

static void same_response(const struct response *a, const struct response *b)
{
    struct fields of_a, of_b;
    size_t visible_a, visible_b;
    struct epoch_names names_a = response_names(a), names_b = response_names(b);
    same_str(response_lines(a), response_lines(b));
    same_str(response_lines_304(a), response_lines_304(b));
    same_str(response_reason(a), response_reason(b));
    same_str(response_note(a), response_note(b));
    same_str(response_undo(a), response_undo(b));
    same_str(response_etag(a).opaque, response_etag(b).opaque);
    assert_int_equal(response_etag(a).weak, response_etag(b).weak);
    assert_int_equal(response_declared_length(a), response_declared_length(b));
    assert_ptr_equal(response_default_cc(a), response_default_cc(b));
    response_fields(a, &arena, &of_a, &visible_a);
    response_fields(b, &arena, &of_b, &visible_b);
    assert_int_equal(of_a.n, of_b.n);
    assert_int_equal(visible_a, visible_b);
    assert_int_equal(names_a.n, names_b.n);
    assert_int_equal(names_a.is_short, names_b.is_short);
    for (size_t i = 0; i < names_a.n; i++)
        assert_true(epoch_names_at(&names_a, i) == epoch_names_at(&names_b, i));
    /* And all the rest. */
    assert_int_equal(response_bytes(a), response_bytes(b));
    assert_memory_equal(a, b, response_bytes(a));
}

static void same_body(struct object *a, struct object *b)
{
    struct body *x = object_body(a), *y = object_body(b);
    assert_int_equal(x != NULL, y != NULL);
    assert_int_equal(object_length(a), object_length(b));
    struct body_cursor at_x = { NULL }, at_y = { NULL };
    for (uint64_t at = 0, end = object_length(a), n; at < end; at += n) {
        struct iovec of_x, of_y;
        uint64_t bytes_x, bytes_y;
        assert_int_equal(body_lease(x, &at_x, at, end, &of_x, 1, &bytes_x), 1);
        assert_int_equal(body_lease(y, &at_y, at, end, &of_y, 1, &bytes_y), 1);
        n = bytes_x < bytes_y ? bytes_x : bytes_y;
        assert_memory_equal(of_x.iov_base, of_y.iov_base, n);
    }
    body_unref(x);
    body_unref(y);
}

static void same_object(struct object *a, struct object *b)
{
    struct freshness x = object_freshness(a), y = object_freshness(b);
    assert_int_equal(object_state(b), OBJECT_SEALED);
    assert_true(b->stored);
    assert_int_equal(b->hits, 0);
    assert_int_equal(b->verdict_reason, REASON_NONE);
    assert_int_equal(a->begin, b->begin);
    assert_int_equal(a->node.hash, b->node.hash);
    assert_int_equal(a->has_generated_etag, b->has_generated_etag);
    assert_int_equal(object_received_ms(a), object_received_ms(b));
    assert_int_equal(x.lifetime_ms, y.lifetime_ms);
    assert_int_equal(x.age_ms, y.age_ms);
    assert_int_equal(x.stale_while_ms, y.stale_while_ms);
    assert_int_equal(x.stale_error_ms, y.stale_error_ms);
    assert_int_equal(x.always_revalidate, y.always_revalidate);
    assert_int_equal(x.never_stale, y.never_stale);
    assert_int_equal(x.foreground, y.foreground);
    same_str(object_variant(a), object_variant(b));
    same_response(a->response, b->response);
    same_body(a, b);
}

static void expect_back(const struct sample *s)
{
    struct place place, found;
    struct object *o = object_of(s, &place);
    struct segment_record r = record_of(o, &place);
    char *bytes = through_segment(&r);
    int64_t before = memory_used(&cache->memory);
    struct object *b = back(&r, &found);
    assert_non_null(b);
    same_object(o, b);
    same_str(found.primary, place.primary);
    same_str(found.variant, place.variant);
    assert_int_equal(found.release, s->is_common ? 0 : s->release);
    assert_true(hash128_eq(found.hash, place.hash));
    assert_int_equal(found.is_common ? found.common_hash : found.variant_hash, o->node.hash);
    /* What is charged is what such an object costs, and all of it is given back. */
    int64_t charged = memory_used(&cache->memory) - before, room = (int64_t)record_room(&r);
    assert_int_equal(charged, object_charged(b) + (b->body ? body_charged(b->body) : 0));
    assert_int_equal(object_charged(b), object_charged(o));
    if (o->body && body_length(o->body) <= 4096)
        assert_int_equal(body_charged(b->body), body_charged(o->body));
    assert_true(room >= charged && room - charged <= 128 + charged / 8);
    /* What came back is written to the same record. */
    struct segment_record again;
    assert_true(record_of_object(b, &found, now, &boot, &arena, &again));
    same_str(again.head, r.head);
    same_str(again.names, r.names);
    assert_int_equal(again.form, r.form);
    assert_int_equal(again.release, r.release);
    object_unref(b);
    assert_int_equal(memory_used(&cache->memory), before);
    free(bytes);
    drop(o, &place);
}

#define EVERYTHING                                                                                           \
    .lines = DATE "X-A: 1\nVary: Cookie\nNetlify-Cache-Tag: a\nContent-Type: text/html\nX-Empty:\nAge: 7",   \
    .yaml = "strip_cdn_headers: true", .note = "a note", .undo = "-X-A: \r\n+X-A: 0\r\n",                    \
    .makes_etag = true, .declared_length = 12345, .adds_cc = true, .is_asset = true, .names_n = 7,           \
    .variant = "a variant", .age_ms = 1234, .stale_while_ms = 30000, .stale_error_ms = 90000,                \
    .always_revalidate = true, .never_stale = true, .foreground = true

static void objects_come_back(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        { .lines = "" },
        { .lines = DATE "Content-Type: text/html\nCache-Control: s-maxage=60\nX-A: b\nX-A: c" },
        { .status = 404, .lines = "X: 1" },
        { .lines = "ETag: \"x\"\nLast-Modified: Sun, 06 Nov 1994 08:49:37 GMT" },
        { .lines = "ETag: W/\"x\"\nETag: \"y\"" },
        { .lines = "ETag: nonsense" },
        { .lines = "X: 1", .declared_length = 1 },
        { .lines = "X: 1", .declared_length = 12345, .body = NO_BODY },
        { .lines = "X: 1", .note = "a note" },
        { .lines = "X: 1", .undo = "-X: \r\n+X: 0\r\n" },
        { .lines = "X: 1", .note = "a note", .undo = "-X: \r\n" },
        { .lines = "X: 1", .makes_etag = true },
        { .lines = "Age: 7" },
        { .lines = "X: 1", .adds_cc = true },
        { .lines = "X: 1", .is_asset = true },
        { .yaml = "strip_cdn_headers: true", .lines = "CDN-Cache-Control: max-age=60\nNetlify-Cache-Tag: a" },
        { EVERYTHING },
        { .variant = "v" },
        { .release = 3 },
        { .release = 3, .variant = "v" },
        { .release = 3, .variant = "v", .is_common = true },
        { .release = INT32_MAX, .variant = "v" },
        { .age_ms = 50, .lifetime_ms = INT64_C(1000000000000), .stale_while_ms = 7000 },
        { .always_revalidate = true },
        { .never_stale = true },
        { .foreground = true, .stale_error_ms = 1000 },
    };
    for (size_t i = 0; i < COUNT_OF(samples); i++)
        expect_back(&samples[i]);
}

static void names_come_back(void **state)
{
    (void)state;
    static const size_t counts[] = { 0, 1, 15, 16, 17, 64, 65, 200 };
    for (size_t i = 0; i < COUNT_OF(counts); i++)
        for (int is_long = 0; is_long < 2; is_long++)
            expect_back(&(struct sample){ .lines = "X: 1", .names_n = counts[i], .names_are_long = is_long });
}

static void bodies_come_back(void **state)
{
    (void)state;
    static const int64_t lengths[] = {
        NO_BODY, 1, 4095, 4096, 4097, 65536, 65537, 300000, SEGMENT_BODY_MAX - 1, SEGMENT_BODY_MAX
    };
    for (size_t i = 0; i < COUNT_OF(lengths); i++)
        for (int etag = 0; etag < 2; etag++)
            expect_back(&(struct sample){ .lines = "X: 1", .body = lengths[i], .makes_etag = etag });
}

/* A long body is cut into parts, each a record, and comes back as a distant one, which costs hardly any
 * memory. */
static void a_long_body_comes_in_parts(void **state)
{
    (void)state;
    static const int64_t lengths[] = { RECORD_BODY_MAX + 1, 5 * RECORD_PART_BYTES,
                                       5 * RECORD_PART_BYTES + 1 };
    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        struct place place, found;
        struct object *o =
            object_of(&(struct sample){ .lines = "X: 1", .body = lengths[i], .makes_etag = true }, &place);
        struct segment_record r = record_of(o, &place);
        assert_int_equal(r.body.n, 0);
        assert_int_equal(r.body_whole, lengths[i]);
        char *bytes = through_segment(&r);
        struct body_cursor along = { NULL }, check = { NULL };
        uint64_t at = 0, n;
        uint32_t parts = record_parts((uint64_t)lengths[i]);
        assert_int_equal(parts, (lengths[i] + (int64_t)RECORD_PART_BYTES - 1) / (int64_t)RECORD_PART_BYTES);
        for (uint32_t part = 1; part <= parts; part++) {
            struct segment_record p;
            assert_true(record_of_part(&r, o->body, &along, part, &arena, &p));
            char *of_part = through_segment(&p);
            assert_true(record_is_part(&p, 77, part, (uint64_t)lengths[i]));
            assert_false(record_is_part(&p, 78, part, (uint64_t)lengths[i]));
            assert_false(record_is_part(&p, 77, part + 1, (uint64_t)lengths[i]));
            assert_false(record_is_part(&p, 77, part, (uint64_t)lengths[i] - 1));
            assert_null(back(&p, &found));
            for (size_t seen = 0; seen < p.body.n; seen += n, at += n) {
                struct iovec iov;
                body_lease(o->body, &check, at, at + p.body.n - seen, &iov, 1, &n);
                assert_memory_equal(iov.iov_base, p.body.p + seen, n);
            }
            free(of_part);
        }
        assert_int_equal(at, lengths[i]);
        int64_t before = memory_used(&cache->memory);
        struct object *b = back(&r, &found);
        assert_non_null(b);
        same_response(o->response, b->response);
        assert_true(b->has_generated_etag);
        assert_int_equal(object_length(b), lengths[i]);
        const struct body_distance *where = body_distance(b->body);
        assert_non_null(where);
        assert_true(hash128_eq(where->key, r.key) && where->object == r.object);
        int64_t charged = memory_used(&cache->memory) - before, room = (int64_t)record_room(&r);
        assert_true(charged < 2000 && room >= charged && room <= charged + 200);
        /* Confirmed by a 304 it is written again, and its parts are not. */
        struct segment_record again;
        assert_true(record_of_object(b, &found, now, &boot, &arena, &again));
        assert_int_equal(again.body.n, 0);
        assert_int_equal(again.body_whole, lengths[i]);
        object_unref(b);
        assert_int_equal(memory_used(&cache->memory), before);
        /* Neither without a body, nor with some of it. */
        struct segment_record bad = r;
        bad.form &= 0xffff;
        assert_null(back(&bad, &found));
        bad = r;
        bad.body = STR("some");
        assert_null(back(&bad, &found));
        free(bytes);
        drop(o, &place);
    }
}

/* An empty body is one: it has an ETag. */
static void an_empty_body_stays_one(void **state)
{
    (void)state;
    struct place place;
    struct object *o = object_new(cache, 1);
    struct response *response = response_of(&(struct sample){ .lines = "X: 1" });
    struct body *body = body_new(&cache->memory, 0);
    struct verdict v = { .store = true, .fresh = { .lifetime_ms = 60000 } };
    object_set_head(o, &(struct object_head){ &response, &body, &v, now.mono_ms, 200, NULL });
    object_seal(o, true);
    place = place_at(&(struct sample){ 0 }, NULL);
    struct segment_record r = record_of(o, &place);
    char *bytes = through_segment(&r);
    struct object *b = back(&r, &place);
    assert_non_null(b->body);
    assert_true(b->has_generated_etag);
    same_object(o, b);
    object_unref(b);
    object_unref(o);
    free(bytes);
}

/* ---- rules ---- */

static const char *const rules[] = {
    "Netlify-Vary: query=b|a%20c|%2c,header=X-B|X-A,cookie=d|c:presence,language=nl+de|en,country=us|at+de",
    "Netlify-Vary: query",
    "Netlify-Vary: query=a",
    "Netlify-Vary: language=de|en",
    "Vary: Cookie, X-A, Accept-Encoding, Accept-Language, Host",
    "Vary: Accept-Encoding",
    "Vary: Accept-Language",
    "Content-Encoding: br",
    "Content-Encoding: br\nVary: Accept-Encoding, X-A",
    "No-Vary-Search: key-order",
    "No-Vary-Search: params=(\"b\" \"a %2c\")",
    "No-Vary-Search: params",
    "No-Vary-Search: key-order, except=(\"q\")",
    "Netlify-Vary: query=a|b,cookie=c\nVary: X-A\nNo-Vary-Search: params=(\"a\")\nContent-Encoding: gzip",
    "",
};

static void rules_come_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rules); i++)
        for (int of_2xx = 0; of_2xx < 2; of_2xx++) {
            struct segment_record r;
            struct str before[RULE_FIELDS_MAX], after[RULE_FIELDS_MAX];
            struct rule *rule = rule_of(rules[i]), *found;
            bool found_2xx;
            record_of_rule(rule, of_2xx, STR("primary"), 9, now, now.wall_ms + 5000, &boot, &arena, &r);
            char *bytes = through_segment(&r);
            assert_true(record_is_rule(&r));
            assert_str(r.url, "primary");
            assert_int_equal(r.begin, 9);
            assert_int_equal(segment_entry_of(&r, 1).expires_wall_ms, now.wall_ms + 5000);
            assert_true(record_to_rule(&r, &arena, &found, &found_2xx));
            assert_int_equal(found_2xx, of_2xx);
            if (!rule_equal(rule, found))
                fail_msg("%.*s instead of %.*s", STR_ARG(rule_text(found)), STR_ARG(rule_text(rule)));
            size_t n = rule_fields(rule, before);
            assert_int_equal(rule_fields(found, after), n);
            for (size_t k = 0; k < n; k++)
                same_str(before[k], after[k]);
            assert_int_equal(rule_names_more(rule, found), false);
            assert_int_equal(rule_names_more(found, rule), false);
            struct place place;
            assert_null(back(&r, &place));
            rule_unref(found);
            rule_unref(rule);
            free(bytes);
        }
}

static void an_object_brings_its_rule(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rules); i++)
        for (int status = 200; status <= 404; status += 204) {
            struct place place;
            struct rule *found;
            bool of_2xx;
            struct object *o =
                object_of(&(struct sample){ .rule = rules[i], .status = status, .lines = "X: 1" }, &place);
            struct segment_record r = record_of(o, &place);
            char *bytes = through_segment(&r);
            assert_false(record_is_rule(&r));
            assert_true(record_to_rule(&r, &arena, &found, &of_2xx));
            assert_true(rule_equal(found, place.rule));
            assert_int_equal(of_2xx, status == 200);
            rule_unref(found);
            free(bytes);
            drop(o, &place);
        }
}

static void a_damaged_rule_is_refused(void **state)
{
    (void)state;
    struct segment_record r;
    struct rule *rule = rule_of(rules[13]), *found;
    bool of_2xx;
    record_of_rule(rule, true, STR("p"), 9, now, now.wall_ms, &boot, &arena, &r);
    struct str whole = r.rule;
    unsigned refused = 0;
    for (size_t n = 0; n < whole.n; n++) {
        r.rule = str_first(whole, n);
        refused += !record_to_rule(&r, &arena, &found, &of_2xx);
        rule_unref(found);
    }
    /* What ends with a line is a rule. */
    assert_int_equal(refused, whole.n - 4);
    static const char *const others[] = {
        "x",
        "Vary",
        "Vary: *\r\n",
        "vary: x-a\r\n",
        "Vary: X-A\r\n",
        "Vary: x-b, x-a\r\n",
        "Vary: x-a\r\nVary: x-b\r\n",
        "Vary: x-a\r\nX: 1\r\n",
        "Vary: x-a\n",
        "Vary:x-a\r\n",
        "Vary: x-a\r\n ",
        "Netlify-Vary: nonsense\r\n",
        "No-Vary-Search: params=1\r\n",
        "Content-Encoding: br\r\n",
        ": x\r\n",
    };
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        r.rule = str_from(others[i]);
        if (record_to_rule(&r, &arena, &found, &of_2xx))
            fail_msg("%s", others[i]);
        assert_null(found);
    }
    r.rule = whole;
    r.form += 1;
    assert_false(record_to_rule(&r, &arena, &found, &of_2xx));
    assert_false(record_is_rule(&r));
    rule_unref(rule);
}

/* ---- time ---- */

/* The page of these tests is 1,000 ms old when received, 10 s before the record was made. */
#define AGED                                                                                                 \
    .lines = "X: 1", .age_ms = 1000, .lifetime_ms = 60000, .stale_while_ms = 20000, .stale_error_ms = 30000

static void ages_over_restarts(void **state)
{
    (void)state;
    static const struct {
        const struct record_boot *boot;
        int64_t mono_ms, wall_later_ms, age_ms, received_ms;
    } rows[] = {
        /* The same boot: its clock counts, whatever the other one says. */
        { &boot, 1005000, 0, 16000, 990000 },
        { &boot, 1005000, -99999999, 16000, 990000 },
        { &boot, 1005000, 99999999, 16000, 990000 },
        /* A moment before it was received. */
        { &boot, 989000, 0, 1000, 989000 },
        /* Another one, up for longer than the page is old, as long, and not. */
        { &other_boot, 100000, 20000, 31000, 70000 },
        { &other_boot, 30000, 20000, 31000, 0 },
        { &other_boot, 29999, 20000, 31000, 29999 },
        { &other_boot, 500, 20000, 31000, 500 },
        { &other_boot, 500, -10000, 1000, 500 },
        /* A wall clock that went back behind the record: nothing is left. */
        { &other_boot, 100000, -10001, 90001, 100000 },
        { &other_boot, 100000, INT64_C(-700000000000), 90001, 100000 },
        { &other_boot, 100000, INT64_C(30000000000), 4398046511103, 100000 },
    };
    struct place place;
    struct object *o = object_of(&(struct sample){ AGED }, &place);
    struct segment_record r = record_of(o, &place);
    char *bytes = through_segment(&r);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct now then = { rows[i].mono_ms, now.wall_ms + rows[i].wall_later_ms };
        struct object *b = record_to_object(cache, &r, then, rows[i].boot, &place);
        int64_t age_ms = object_age(b, then.mono_ms, -1).age_ms;
        int64_t expected = rows[i].age_ms < 4398046511103 ? rows[i].age_ms : 30000011000;
        if (age_ms != expected || object_received_ms(b) != rows[i].received_ms)
            fail_msg("row %zu: age %lld, received %lld", i, (long long)age_ms,
                     (long long)object_received_ms(b));
        object_unref(b);
    }
    free(bytes);
    object_unref(o);
}

/* After the clock went back it answers nothing, not even when the origin fails (scenarios P4). */
static void nothing_gets_younger(void **state)
{
    (void)state;
    struct place place;
    struct object *o = object_of(&(struct sample){ AGED }, &place);
    struct segment_record r = record_of(o, &place);
    struct now then = { 5000000, now.wall_ms - 10001 };
    struct object *b = record_to_object(cache, &r, then, &other_boot, &place);
    struct object_life life = object_life(b, then.mono_ms, -1);
    assert_int_equal(policy_reuse(&life.fresh, life.age, false, &no_directives), REUSE_REVALIDATE);
    assert_false(policy_stale_on_error(&life.fresh, life.age, false, &no_directives));
    object_unref(b);
    /* A boot that nobody knows is never the same. */
    static const struct record_boot unknown;
    memset(r.received.boot, 0, sizeof(r.received.boot));
    b = record_to_object(cache, &r, (struct now){ 2000000, now.wall_ms }, &unknown, &place);
    assert_int_equal(object_received_ms(b), 1990000);
    object_unref(b);
    object_unref(o);
}

/* When an asset was received says which release it is from. */
static void an_asset_needs_its_time(void **state)
{
    (void)state;
    static const struct {
        const struct record_boot *boot;
        int64_t mono_ms, wall_later_ms;
        bool is_good;
    } rows[] = {
        { &boot, 1005000, 0, true },
        { &other_boot, 100000, 20000, true },
        { &other_boot, 30000, 20000, true },
        { &other_boot, 29999, 20000, false },
        { &other_boot, 100000, -10001, false },
    };
    struct place place;
    struct object *o = object_of(&(struct sample){ AGED, .is_asset = true }, &place);
    struct segment_record r = record_of(o, &place);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct now then = { rows[i].mono_ms, now.wall_ms + rows[i].wall_later_ms };
        struct object *b = record_to_object(cache, &r, then, rows[i].boot, &place);
        if ((b != NULL) != rows[i].is_good)
            fail_msg("row %zu", i);
        object_unref(b);
    }
    object_unref(o);
}

/* ---- what is not for the disk ---- */

static void some_are_not_written(void **state)
{
    (void)state;
    char *long_text = arena_alloc(&arena, SEGMENT_TEXTS_MAX + 1);
    memset(long_text, 'a', SEGMENT_TEXTS_MAX);
    long_text[SEGMENT_TEXTS_MAX] = '\0';
    const struct {
        struct sample sample;
        bool is_written;
    } rows[] = {
        { { .lines = "X: 1", .lifetime_ms = 15000 }, true }, /* 10 seconds are over */
        { { .lines = "X: 1", .lifetime_ms = 14999 }, false },
        { { .lines = "X: 1", .lifetime_ms = 15000, .age_ms = 1 }, false },
        { { .lines = "X: 1", .lifetime_ms = 1, .stale_while_ms = 15000 }, true },
        { { .lines = "X: 1", .lifetime_ms = 1, .stale_error_ms = 15000 }, true },
        { { .lines = "X: 1", .lifetime_ms = 1, .stale_error_ms = 14000 }, false },
        { { .lines = "X: 1", .not_stored = true }, false },
        { { .lines = "X: 1", .status = 206, .is_part = true }, false },
        { { .lines = "X: 1", .body = SEGMENT_BODY_MAX }, true },
        { { .lines = "X: 1", .variant = long_text }, false },
        { { .lines = "X: 1", .note = long_text }, false },
        { { .lines = "X: 1", .names_n = 32800 }, false },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct segment_record r;
        struct place place;
        struct object *o = object_of(&rows[i].sample, &place);
        if (record_of_object(o, &place, now, &boot, &arena, &r) != rows[i].is_written)
            fail_msg("row %zu", i);
        drop(o, &place);
    }
}

/* ---- what does not fit together ---- */

/* Calls all that others may call of an object, and drops it. */
static void use(struct object *o)
{
    struct fields f;
    struct validators v;
    struct purged p;
    size_t visible_n;
    const struct response *r = o->response;
    struct str undo = response_undo(r);
    response_fields(r, &arena, &f, &visible_n);
    response_validators(r, WALL_S, &v);
    for (enum field_id id = FIELD_ACCEPT; id < FIELD_COUNT; id++)
        (void)response_value(r, id);
    for (struct field line; lines_next(&undo, &line);)
        assert_true(line.name.n >= 2);
    assert_null(memchr(response_note(r).p ? response_note(r).p : "", 0, response_note(r).n));
    assert_true(response_lines_304(r).n <= response_lines(r).n);
    assert_true(response_reason(r).n <= RESPONSE_REASON_MAX && response_declared_length(r) >= -1);
    (void)response_default_cc(r);
    (void)epochs_touched(cache->epochs, object_names(o), o->begin, 0, epochs_latest(cache->epochs), &p);
    if (o->has_generated_etag)
        (void)*response_tag(o->response);
    (void)object_life(o, now.mono_ms, -1);
    (void)object_length(o);
    object_unref(o);
}

/* A copy of its own size, so that the sanitizer sees what is read beside it. */
static struct str copy_of(struct str s)
{
    char *p = malloc(s.n ? s.n : 1);
    memcpy(p, s.p, s.n);
    return (struct str){ p, s.n };
}

static void tamper(struct segment_record *r, struct str *part)
{
    struct str whole = *part, copy = copy_of(whole);
    struct place place;
    unsigned refused = 0;
    int64_t before = memory_used(&cache->memory);
    *part = copy;
    for (size_t i = 0; i < whole.n; i++) {
        char *byte = (char *)(uintptr_t)&copy.p[i];
        for (unsigned change = 1; change < 256; change++) {
            *byte = (char)((unsigned char)whole.p[i] ^ change);
            struct object *o = back(r, &place);
            refused += !o;
            if (o)
                use(o);
        }
        *byte = whole.p[i];
        arena_rewind(&arena);
    }
    free((void *)(uintptr_t)copy.p);
    for (size_t n = 0; n < whole.n; n++) {
        *part = copy_of(str_first(whole, n));
        struct object *o = back(r, &place);
        refused += !o;
        if (o)
            use(o);
        free((void *)(uintptr_t)part->p);
    }
    *part = whole;
    assert_true(refused > whole.n);
    assert_int_equal(memory_used(&cache->memory), before);
    struct object *o = back(r, &place);
    assert_non_null(o);
    use(o);
}

static void damage_is_refused_or_harmless(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        { EVERYTHING },
        { .lines = DATE "ETag: W/\"x\"\nX: 1", .names_n = 17, .names_are_long = true, .status = 203 },
        { .status = 404, .lines = "" },
    };
    for (size_t i = 0; i < COUNT_OF(samples); i++) {
        struct place place;
        struct object *o = object_of(&samples[i], &place);
        struct segment_record r = record_of(o, &place);
        char *bytes = through_segment(&r);
        tamper(&r, &r.head);
        tamper(&r, &r.names);
        free(bytes);
        object_unref(o);
    }
}

static void set(struct segment_record *r, int what)
{
    switch (what) {
    case 0: r->form += 1; break;
    case 1: r->form |= 1u << 31; break;
    case 2: r->form |= 1u << 18; break; /* a rule's */
    case 3: r->form &= 0xffff; break;   /* no body, but bytes */
    case 4: r->form |= 1u << 17; break; /* a tag, but no room for it */
    case 5: r->part = 1; break;
    case 6: r->body_from = 1; break;
    case 7: r->body_whole++; break;
    case 8: r->status = 201; break;
    case 9: r->flags = SEGMENT_FLAGS + 1; break;
    case 10: r->release = UINT64_C(1) << 32; break;
    case 11: r->begin = epochs_latest(cache->epochs) + 1; break;
    case 12: r->received.boot_ms = -1; break;
    case 13: r->age_ms = -1; break;
    case 14: r->lifetime_ms = INT64_MIN; break;
    case 15: r->stale_while_ms = -1; break;
    case 16: r->stale_error_ms = -1; break;
    case 17: r->url = str_first(r->url, r->url.n - 2); break; /* no path */
    case 18: r->url = STR("\xff\xff\xff\xff"); break;
    case 19: r->url = STR_NONE; break;
    case 20: r->names = STR_NONE; break;
    case 21: r->head = STR_NONE; break;
    default: fail();
    }
}

static void what_does_not_fit_is_refused(void **state)
{
    (void)state;
    struct place place;
    struct object *o = object_of(&(struct sample){ .lines = "ETag: \"x\"", .names_n = 2 }, &place);
    struct segment_record whole = record_of(o, &place);
    int64_t before = memory_used(&cache->memory);
    for (int what = 0; what <= 21; what++) {
        struct segment_record r = whole;
        set(&r, what);
        struct object *b = back(&r, &place);
        if (b)
            fail_msg("change %d", what);
        (void)record_room(&r);
        assert_int_equal(memory_used(&cache->memory), before);
    }
    /* Names out of order, and with bits that are not kept. */
    char names[17] = { 1, 0, 0, 16, 0, 0, 0, 0, 2, 0, 0, 16, 0, 0, 0, 0, 1 };
    whole.names = (struct str){ names, sizeof(names) };
    assert_null(back(&whole, &place));
    names[16] = 2;
    struct object *b = back(&whole, &place);
    assert_non_null(b);
    object_unref(b);
    names[2] = 1;
    assert_null(back(&whole, &place));
    /* Numbers that may be any: nothing overflows. */
    whole = record_of(o, &place);
    whole.age_ms = whole.lifetime_ms = whole.stale_while_ms = INT64_MAX;
    whole.received.wall_ms = INT64_MIN;
    use(record_to_object(cache, &whole, now, &other_boot, &place));
    whole.received.wall_ms = INT64_MAX;
    use(record_to_object(cache, &whole, (struct now){ 5, -5 }, &other_boot, &place));
    object_unref(o);
}

/* Heads that say what a response never is: each is the head of a page, changed in one place. */
static void heads_that_no_page_has(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "Age: 5", "Content-Length: 5", "Connection: close", "Transfer-Encoding: chunked",
        "X Y: 1", "X: \x01",           "X: a\rb",           "X; 1",
    };
    struct place place;
    struct object *o = object_of(&(struct sample){ .lines = "X-1234567890123456789: 12345678" }, &place);
    struct segment_record r = record_of(o, &place);
    struct str whole = r.head;
    size_t line = whole.n - strlen("X-1234567890123456789: 12345678") - 2;
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        char head[256];
        size_t n = whole.n - 2 - line;
        memcpy(head, whole.p, whole.n);
        memset(head + line, ' ', n);
        memcpy(head + line, lines[i], strlen(lines[i]));
        r.head = (struct str){ head, whole.n };
        if (back(&r, &place))
            fail_msg("%s", lines[i]);
        /* The place is right: a harmless line there is taken. */
        memset(head + line, 'x', n);
        memcpy(head + line, "X-A: ", 5);
        struct object *b = back(&r, &place);
        assert_non_null(b);
        object_unref(b);
    }
    object_unref(o);
}

/* ---- in the index ---- */

static struct object *published(const struct segment_record *r, bool *is_in, void (*meanwhile)(void))
{
    struct place place;
    struct rule *rule;
    bool of_2xx;
    struct object *o = back(r, &place);
    assert_non_null(o);
    assert_true(record_to_rule(r, &arena, &rule, &of_2xx));
    assert_true(of_2xx);
    place.rule = rule;
    index_begin(o, &place, now.mono_ms);
    if (meanwhile)
        meanwhile();
    index_settle(o, &place, rule);
    *is_in = index_publish(o, &place, 64, now.mono_ms);
    rule_unref(rule);
    return o;
}

static void purge_it(void)
{
    epochs_purge(cache->epochs, PURGE_HARD, (uint64_t[]){ UINT64_C(0x9e3779b97f4a7c15) & EPOCH_NAME_BITS }, 1,
                 now.mono_ms);
}

static void goes_into_the_index(void **state)
{
    (void)state;
    struct place place;
    bool is_in;
    struct object *o = object_of(
        &(struct sample){ .lines = "X: 1", .rule = "Vary: X-A", .variant = "v", .names_n = 2 }, &place);
    struct segment_record r = record_of(o, &place);
    struct object *b = published(&r, &is_in, NULL);
    assert_true(is_in);
    struct look l = look_of("");
    l.place = place;
    struct found f = look_as(&l, OUTCOME_HIT);
    assert_ptr_equal(f.stored, b);
    struct known_rule known = index_known_rule(cache, &place);
    assert_true(rule_equal(known.rule, place.rule));
    assert_true(known.of_2xx);
    rule_unref(known.rule);
    found_drop(&f);
    index_withdraw(b);
    object_unref(b);
    drop(o, &place);
}

static void stays_out_when_it_was_purged(void **state)
{
    (void)state;
    struct place place;
    bool is_in;
    struct object *o = object_of(
        &(struct sample){ .lines = "X: 1", .rule = "Vary: X-A", .variant = "v", .names_n = 2 }, &place);
    struct segment_record r = record_of(o, &place);
    object_unref(published(&r, &is_in, purge_it));
    assert_false(is_in);
    /* And from now on, whenever it is read. */
    object_unref(published(&r, &is_in, NULL));
    assert_false(is_in);
    drop(o, &place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(objects_come_back, world_begin, world_end),
        cmocka_unit_test_setup_teardown(names_come_back, world_begin, world_end),
        cmocka_unit_test_setup_teardown(bodies_come_back, world_begin, world_end),
        cmocka_unit_test_setup_teardown(a_long_body_comes_in_parts, world_begin, world_end),
        cmocka_unit_test_setup_teardown(an_empty_body_stays_one, world_begin, world_end),
        cmocka_unit_test_setup_teardown(rules_come_back, world_begin, world_end),
        cmocka_unit_test_setup_teardown(an_object_brings_its_rule, world_begin, world_end),
        cmocka_unit_test_setup_teardown(a_damaged_rule_is_refused, world_begin, world_end),
        cmocka_unit_test_setup_teardown(ages_over_restarts, world_begin, world_end),
        cmocka_unit_test_setup_teardown(nothing_gets_younger, world_begin, world_end),
        cmocka_unit_test_setup_teardown(an_asset_needs_its_time, world_begin, world_end),
        cmocka_unit_test_setup_teardown(some_are_not_written, world_begin, world_end),
        cmocka_unit_test_setup_teardown(damage_is_refused_or_harmless, world_begin, world_end),
        cmocka_unit_test_setup_teardown(what_does_not_fit_is_refused, world_begin, world_end),
        cmocka_unit_test_setup_teardown(heads_that_no_page_has, world_begin, world_end),
        cmocka_unit_test_setup_teardown(goes_into_the_index, world_begin, world_end),
        cmocka_unit_test_setup_teardown(stays_out_when_it_was_purged, world_begin, world_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
