#include "cache/response.h"

#include <string.h>

#include "base/check.h"
#include "base/little.h"
#include "cache/epoch.h"
#include "http/date.h"
#include "http/framing.h"
#include "http/lines.h"
#include "http/status.h"

static const struct field default_cc = { STR_INIT("Cache-Control"),
                                         STR_INIT("public, max-age=0, must-revalidate"),
                                         FIELD_CACHE_CONTROL };

static const struct field accept_ranges = { STR_INIT("Accept-Ranges"), STR_INIT("bytes"),
                                            FIELD_ACCEPT_RANGES };

/* ---- what is end-to-end ---- */

void response_end_to_end(const struct fields *received, struct arena *a, struct fields *out)
{
    struct field_names listed;
    framing_connection_names(received, a, &listed);
    *out = (struct fields){ 0 };
    for (size_t i = 0; i < received->n; i++) {
        const struct field *f = &received->v[i];
        if (field_class_of(f->id) == FIELD_CLASS_H || f->id == FIELD_CONTENT_LENGTH ||
            field_names_has(&listed, f))
            continue;
        fields_add_line(out, a, *f);
    }
}

static bool describes_the_bytes(enum field_id id)
{
    return id == FIELD_CONTENT_LENGTH || id == FIELD_CONTENT_ENCODING || id == FIELD_CONTENT_TYPE ||
           id == FIELD_CONTENT_RANGE;
}

void response_merge_304(const struct fields *stored, const struct fields *update, bool keep_cookies,
                        struct arena *a, struct fields *out)
{
    struct field_names updated = { .known = update->present,
                                   .others = arena_alloc(a, (update->n + 1) * sizeof(*updated.others)) };
    for (size_t i = 0; i < update->n; i++)
        if (update->v[i].id == FIELD_OTHER)
            field_names_add(&updated, update->v[i].name);
    field_names_settle(&updated);
    *out = (struct fields){ 0 };
    for (size_t i = 0; i < stored->n; i++) {
        const struct field *f = &stored->v[i];
        bool replaced = !describes_the_bytes(f->id) && field_names_has(&updated, f) &&
                        (keep_cookies || (f->id != FIELD_SET_COOKIE && f->id != FIELD_SET_COOKIE2));
        /* A 304 without Date counts as made when it was received (RFC 9110 §6.6.1): with the stored Date the
         * page would be old again at once. */
        if (!replaced && f->id != FIELD_DATE)
            fields_add_line(out, a, *f);
    }
    for (size_t i = 0; i < update->n; i++) {
        const struct field *f = &update->v[i];
        bool cookie = f->id == FIELD_SET_COOKIE || f->id == FIELD_SET_COOKIE2;
        if (!describes_the_bytes(f->id) && (keep_cookies || !cookie))
            fields_add_line(out, a, *f);
    }
}

/* ---- what clients see ---- */

static bool is_tag_header(const struct site_settings *site, struct str name)
{
    for (size_t i = 0; i < site->tag_headers.n; i++)
        if (str_eq_nocase(site->tag_header_list[i].name, name))
            return true;
    return false;
}

static bool is_targeted(const struct site_settings *site, struct str name)
{
    for (size_t i = 0; i < site->cdn_cache_control.n; i++)
        if (str_eq_nocase(site->cdn_cache_control.v[i], name))
            return true;
    return false;
}

bool response_hides(const struct site_settings *site, const struct field *f)
{
    if (!site)
        return false;
    if (f->id == FIELD_NETLIFY_CDN_CACHE_CONTROL || f->id == FIELD_NETLIFY_CACHE_TAG ||
        f->id == FIELD_NETLIFY_CACHE_ID)
        return true;
    if (!site->strip_cdn_headers)
        return false;
    return f->id == FIELD_NETLIFY_VARY || is_targeted(site, f->name) || is_tag_header(site, f->name);
}

static bool is_kept(const struct response_plan *p, const struct field *f)
{
    if (f->id == FIELD_AGE || f->id == FIELD_CONTENT_LENGTH)
        return false;
    return !(p->strip_cookies && (f->id == FIELD_SET_COOKIE || f->id == FIELD_SET_COOKIE2));
}

/* ---- where things stand ---- */

#define TAG_WORDS  (sizeof(struct hash128) / sizeof(uint64_t))
#define PART_WORDS (sizeof(struct part) / sizeof(uint64_t))

/* The order: declared length, the note's length, codings, tag, part, names, text. */
static size_t note_length_at(const struct response *r)
{
    return r->has_length;
}

static size_t codings_at(const struct response *r)
{
    return note_length_at(r) + r->has_note;
}

static size_t tag_at(const struct response *r)
{
    return codings_at(r) + r->has_codings;
}

static size_t part_at(const struct response *r)
{
    return tag_at(r) + (r->has_tag ? TAG_WORDS : 0);
}

static size_t names_at(const struct response *r)
{
    return part_at(r) + (r->has_part ? PART_WORDS : 0);
}

/* From the start of the piece. */
static size_t text_at(const struct response *r)
{
    return sizeof(*r) + names_at(r) * sizeof(uint64_t) + epoch_names_bytes(r->names_n, r->has_short_names);
}

static const char *text_of(const struct response *r)
{
    return (const char *)r + text_at(r);
}

struct epoch_names response_names(const struct response *r)
{
    return (struct epoch_names){ r->words + names_at(r), r->names_n, r->has_short_names };
}

struct hash128 *response_tag(struct response *r)
{
    CHECK(r->has_tag);
    return (struct hash128 *)(void *)(r->words + tag_at(r));
}

struct part *response_part(struct response *r)
{
    CHECK(r->has_part);
    return (struct part *)(void *)(r->words + part_at(r));
}

_Static_assert(sizeof(struct response_codings) == sizeof(uint64_t), "it takes one word");

struct response_codings *response_codings(struct response *r)
{
    CHECK(r->has_codings);
    return (struct response_codings *)(void *)(r->words + codings_at(r));
}

int64_t response_declared_length(const struct response *r)
{
    return r->has_length ? (int64_t)r->words[0] : -1;
}

struct str response_reason(const struct response *r)
{
    return r->reason_n ? (struct str){ text_of(r), r->reason_n } : STR_NONE;
}

struct str response_lines(const struct response *r)
{
    return (struct str){ text_of(r) + r->reason_n, r->visible_n - r->reason_n };
}

struct str response_lines_304(const struct response *r)
{
    return (struct str){ text_of(r) + r->reason_n, r->validated_n - r->reason_n };
}

/* What follows the fields: neither part has a NUL, since no field has one. */
static struct str notes_of(const struct response *r)
{
    if (!r->has_note)
        return STR_NONE;
    return (struct str){ text_of(r) + r->fields_n, (size_t)r->words[note_length_at(r)] };
}

struct str response_note(const struct response *r)
{
    struct str notes = notes_of(r);
    return str_first(notes, str_index(notes, '\0'));
}

struct str response_undo(const struct response *r)
{
    struct str notes = notes_of(r);
    return str_from_index(notes, str_index(notes, '\0') + 1);
}

size_t response_bytes(const struct response *r)
{
    return text_at(r) + r->fields_n + notes_of(r).n;
}

/* ---- reading the text ---- */

static size_t line_bytes(const struct field *f)
{
    return lines_bytes(f->name, f->value);
}

/* As the origin sent them, without the line that freshet added between them. */
static struct str lines_of_304(const struct response *r)
{
    struct str lines = response_lines_304(r);
    return str_first(lines, lines.n - (r->has_default_cc ? line_bytes(&default_cc) : 0));
}

static struct str other_lines(const struct response *r)
{
    return (struct str){ text_of(r) + r->validated_n, r->fields_n - r->validated_n };
}

static void add_lines(struct str lines, struct arena *a, struct fields *out)
{
    for (struct field f; lines_next(&lines, &f);) {
        f.id = field_id_of(f.name);
        fields_add_line(out, a, f);
    }
}

void response_fields(const struct response *r, struct arena *a, struct fields *out, size_t *visible_n)
{
    struct str others = other_lines(r);
    size_t visible = r->visible_n - r->validated_n;
    *out = (struct fields){ 0 };
    add_lines(lines_of_304(r), a, out);
    add_lines(str_first(others, visible), a, out);
    if (visible_n)
        *visible_n = out->n;
    add_lines(str_from_index(others, visible), a, out);
}

static struct str value_in(struct str lines, enum field_id id)
{
    for (struct field f; lines_next(&lines, &f);)
        if (field_id_of(f.name) == id)
            return f.value;
    return STR_NONE;
}

struct str response_value(const struct response *r, enum field_id id)
{
    struct str value = value_in(lines_of_304(r), id);
    return value.p ? value : value_in(other_lines(r), id);
}

const struct field *response_default_cc(const struct response *r)
{
    return r->has_default_cc ? &default_cc : NULL;
}

struct etag response_etag(const struct response *r)
{
    if (!r->has_etag)
        return (struct etag){ 0 };
    struct str lines = response_lines_304(r);
    struct field f;
    CHECK(lines_next(&lines, &f));
    /* Every 304 asks for it. It was found to be well-formed, so the text before its quotes is known. */
    return (struct etag){ str_from_index(f.value, r->etag_is_weak ? sizeof("W/") - 1 : 0), r->etag_is_weak };
}

void response_validators(const struct response *r, int64_t now_s, struct validators *out)
{
    struct str l = lines_of_304(r);
    out->etag = response_etag(r);
    if (!http_date_parse(value_in(l, FIELD_LAST_MODIFIED), now_s, &out->last_modified_s))
        out->last_modified_s = INT64_MIN;
    if (!http_date_parse(value_in(l, FIELD_DATE), now_s, &out->date_s))
        out->date_s = INT64_MIN;
}

/* ---- building ---- */

struct builder {
    char *at, *end;
};

static void put(struct builder *b, struct str s)
{
    CHECK((size_t)(b->end - b->at) >= s.n);
    if (s.n)
        memcpy(b->at, s.p, s.n);
    b->at += s.n;
}

static void put_field(struct builder *b, const struct field *f)
{
    CHECK((size_t)(b->end - b->at) >= line_bytes(f));
    b->at = lines_put(b->at, f->name, f->value);
}

/* The fields of a 304 (RFC 9110 §15.4.5), and those that caches in front of freshet use. */
static bool is_in_304(const struct field *f)
{
    switch (f->id) {
    case FIELD_DATE:
    case FIELD_ETAG:
    case FIELD_CACHE_CONTROL:
    case FIELD_CDN_CACHE_CONTROL:
    case FIELD_CONTENT_LOCATION:
    case FIELD_EXPIRES:
    case FIELD_LAST_MODIFIED:
    case FIELD_NETLIFY_VARY:
    case FIELD_VARY: return true;
    default: return false;
    }
}

/* In the order of the text. Lines of one name keep their order. */
enum group { GROUP_ETAG, GROUP_304, GROUP_VISIBLE, GROUP_HIDDEN, GROUPS, GROUP_NONE };

static enum group group_of(const struct response_plan *p, const struct field *f)
{
    if (!is_kept(p, f))
        return GROUP_NONE;
    if (response_hides(p->site, f))
        return GROUP_HIDDEN;
    return f->id == FIELD_ETAG ? GROUP_ETAG : is_in_304(f) ? GROUP_304 : GROUP_VISIBLE;
}

static bool adds_accept_ranges(const struct response_plan *p)
{
    return p->add_accept_ranges && !fields_has(p->fields, FIELD_ACCEPT_RANGES);
}

static const struct field vary_encoding = { STR_INIT("Vary"), STR_INIT("Accept-Encoding"), FIELD_VARY };

static bool adds_vary(const struct response_plan *p)
{
    return p->is_codable && !fields_list_has(p->fields, FIELD_VARY, STR("Accept-Encoding")) &&
           !fields_list_has(p->fields, FIELD_VARY, STR("*"));
}

/* The lines that are added. */
static size_t added_bytes(const struct response_plan *p, size_t bytes[GROUPS])
{
    size_t visible = adds_accept_ranges(p) ? line_bytes(&accept_ranges) : 0;
    size_t of_304 = adds_vary(p) ? line_bytes(&vary_encoding) : 0;
    bytes[GROUP_VISIBLE] += visible;
    bytes[GROUP_304] += of_304;
    return visible + of_304;
}

static size_t group_bytes(const struct response_plan *p, size_t bytes[GROUPS])
{
    size_t all = 0;
    for (size_t i = 0; i < p->fields->n; i++) {
        const struct field *f = &p->fields->v[i];
        enum group group = group_of(p, f);
        if (group == GROUP_NONE)
            continue;
        bytes[group] += line_bytes(f);
        all += line_bytes(f);
    }
    return all + added_bytes(p, bytes);
}

/* The Date that the origin did not send (RFC 9110 §6.6.1); `text` has room for HTTP_DATE_BYTES. */
static struct field date_of_ours(int64_t wall_ms, char *text)
{
    http_date_write(text, wall_ms / 1000);
    return (struct field){ field_name(FIELD_DATE), { text, HTTP_DATE_BYTES }, FIELD_DATE };
}

/* Begins a group of `bytes`, behind what is written. */
static struct builder begin_group(struct builder *b, size_t bytes)
{
    CHECK((size_t)(b->end - b->at) >= bytes);
    struct builder group = { b->at, b->at + bytes };
    b->at += bytes;
    return group;
}

static void put_text(struct builder *b, const struct response_plan *p, struct str reason,
                     const struct field *date, bool add_cc, const size_t bytes[GROUPS])
{
    struct builder groups[GROUPS];
    put(b, reason);
    groups[GROUP_ETAG] = begin_group(b, bytes[GROUP_ETAG]);
    if (date)
        put_field(b, date);
    groups[GROUP_304] = begin_group(b, bytes[GROUP_304]);
    if (add_cc)
        put_field(b, &default_cc);
    groups[GROUP_VISIBLE] = begin_group(b, bytes[GROUP_VISIBLE]);
    groups[GROUP_HIDDEN] = begin_group(b, bytes[GROUP_HIDDEN]);
    put(b, p->note);
    if (p->undo.n) {
        put(b, (struct str){ "", 1 });
        put(b, p->undo);
    }
    CHECK(b->at == b->end);
    for (size_t i = 0; i < p->fields->n; i++) {
        enum group group = group_of(p, &p->fields->v[i]);
        if (group != GROUP_NONE)
            put_field(&groups[group], &p->fields->v[i]);
    }
    if (adds_accept_ranges(p))
        put_field(&groups[GROUP_VISIBLE], &accept_ranges);
    if (adds_vary(p))
        put_field(&groups[GROUP_304], &vary_encoding);
    for (size_t i = 0; i < GROUPS; i++)
        CHECK(groups[i].at == groups[i].end);
}

/* RFC 9110 §8.8: has the response a validator? */
static bool has_validator(const struct response_plan *p, const struct etag *etag)
{
    int64_t modified_s;
    return etag->opaque.n > 0 || http_date_parse(fields_value(p->fields, FIELD_LAST_MODIFIED),
                                                 p->received_wall_ms / 1000, &modified_s);
}

struct response *response_new(struct memory *m, const struct response_plan *p)
{
    struct str reason = str_eq(p->reason, status_reason(p->status)) ? STR_NONE : p->reason;
    char date_text[HTTP_DATE_BYTES];
    struct field date = date_of_ours(p->received_wall_ms, date_text);
    bool add_date = !fields_has(p->fields, FIELD_DATE);
    bool add_cc = p->add_default_cc && !fields_has(p->fields, FIELD_CACHE_CONTROL) &&
                  !fields_has(p->fields, FIELD_EXPIRES);
    struct etag etag = etag_parse(fields_value(p->fields, FIELD_ETAG));
    size_t groups[GROUPS] = { 0 }, notes = p->note.n + (p->undo.n ? 1 + p->undo.n : 0);
    size_t text = reason.n + (add_date ? line_bytes(&date) : 0) + (add_cc ? line_bytes(&default_cc) : 0) +
                  group_bytes(p, groups) + notes;
    CHECK(reason.n <= RESPONSE_REASON_MAX && text <= RESPONSE_TEXT_MAX && p->names_n <= RESPONSE_NAMES_MAX &&
          p->status < 1024);
    struct response head = {
        .names_n = p->names_n & RESPONSE_NAMES_MAX,
        .fields_n = (text - notes) & RESPONSE_TEXT_MAX,
        .visible_n = (text - notes - groups[GROUP_HIDDEN]) & RESPONSE_TEXT_MAX,
        .validated_n = (text - notes - groups[GROUP_HIDDEN] - groups[GROUP_VISIBLE]) & RESPONSE_TEXT_MAX,
        .status = (unsigned)p->status & 1023,
        .has_age = fields_has(p->fields, FIELD_AGE),
        .has_default_cc = add_cc,
        .has_etag = etag.opaque.n > 0 && groups[GROUP_ETAG] > 0, /* a hidden ETag does not count */
        .etag_is_weak = etag.weak,
        .reason_n = reason.n & RESPONSE_REASON_MAX,
        .has_length = p->declared_length >= 0,
        .has_note = notes > 0,
        .has_tag = p->status == 200 && !p->is_part && !has_validator(p, &etag),
        .has_part = p->is_part,
        .has_short_names = p->names_are_short,
        .is_asset = p->is_asset,
        .has_codings = p->is_codable,
    };
    size_t bytes = text_at(&head) + text;
    struct response *r = memory_zero(m, bytes);
    *r = head;
    epoch_names_write(r->words + names_at(r), p->names, p->names_n, p->names_are_short);
    if (r->has_length)
        r->words[0] = (uint64_t)p->declared_length;
    if (r->has_note)
        r->words[note_length_at(r)] = notes;
    put_text(&(struct builder){ (char *)r + text_at(r), (char *)r + bytes }, p, reason,
             add_date ? &date : NULL, add_cc, groups);
    return r;
}

void response_free(struct memory *m, struct response *r)
{
    if (r)
        memory_give(m, r, response_bytes(r));
}

/* Does the field describe the plain bytes, or is it written anew? */
static bool is_of_plain(const struct field *f)
{
    static const struct str names[] = { STR_INIT("Content-Digest"), STR_INIT("Repr-Digest"),
                                        STR_INIT("Digest"), STR_INIT("Content-MD5") };
    if (f->id == FIELD_ETAG || f->id == FIELD_ACCEPT_RANGES || f->id == FIELD_CONTENT_ENCODING)
        return true;
    for (size_t i = 0; f->id == FIELD_OTHER && i < COUNT_OF(names); i++)
        if (str_eq_nocase(f->name, names[i]))
            return true;
    return false;
}

struct response *response_of_coding(struct memory *m, const struct response *plain, struct str coding,
                                    struct str etag)
{
    struct arena a;
    struct fields all, fields = { 0 };
    size_t visible_n;
    arena_init(&a, 2048);
    response_fields(plain, &a, &all, &visible_n);
    if (etag.n)
        fields_add_id(&fields, &a, FIELD_ETAG, etag);
    for (size_t i = 0; i < visible_n; i++)
        if (!is_of_plain(&all.v[i]))
            fields_add_line(&fields, &a, all.v[i]);
    fields_add_id(&fields, &a, FIELD_CONTENT_ENCODING, coding);
    struct response *r = response_new(m, &(struct response_plan){ .status = plain->status,
                                                                  .reason = response_reason(plain),
                                                                  .fields = &fields,
                                                                  .declared_length = -1,
                                                                  .add_default_cc = plain->has_default_cc });
    arena_fini(&a);
    return r;
}

/* ---- on disk ---- */

/*
 * Little endian: status (2 bytes), flags (2), then 4 bytes for each of reason_n, validated_n, visible_n and
 * fields_n; the declared length (8) and the tag (8 and 8), if there is room for them in the response; its
 * text. What follows the fields in the text are the note and the undo.
 */
#define WRITTEN_NUMBERS (2 + 2 + 4 * 4)

#define WRITTEN_FLAGS(F)                                                                                     \
    F(has_age, 0)                                                                                            \
    F(has_default_cc, 1)                                                                                     \
    F(has_etag, 2)                                                                                           \
    F(etag_is_weak, 3)                                                                                       \
    F(has_length, 4)                                                                                         \
    F(has_note, 5)                                                                                           \
    F(has_tag, 6)                                                                                            \
    F(is_asset, 7)                                                                                           \
    F(has_codings, 8)
#define WRITTEN_FLAGS_N 9

#define PUT_FLAG(member, bit) flags |= (uint64_t)r->member << (bit);
#define GET_FLAG(member, bit) h->member = flags >> (bit)&1;

/* What stands in front of the names. */
struct rare {
    uint64_t length, tag[TAG_WORDS];
};

size_t response_written(const struct response *r)
{
    size_t rare = (r->has_length + (r->has_tag ? TAG_WORDS : 0)) * sizeof(uint64_t);
    return WRITTEN_NUMBERS + rare + r->fields_n + notes_of(r).n;
}

void response_write(const struct response *r, struct buf *to)
{
    uint64_t flags = 0;
    CHECK(!r->has_part);
    WRITTEN_FLAGS(PUT_FLAG)
    little_add(to, r->status, 2);
    little_add(to, flags, 2);
    little_add(to, r->reason_n, 4);
    little_add(to, r->validated_n, 4);
    little_add(to, r->visible_n, 4);
    little_add(to, r->fields_n, 4);
    if (r->has_length)
        little_add(to, r->words[0], 8);
    for (size_t i = 0; r->has_tag && i < TAG_WORDS; i++)
        little_add(to, r->words[tag_at(r) + i], 8);
    buf_add(to, (struct str){ text_of(r), r->fields_n + notes_of(r).n });
}

/* Takes the numbers off *in. false: one is out of its range. */
static bool read_numbers(struct str *in, struct response *h)
{
    uint64_t status, flags, n[4];
    if (!little_cut(in, 2, &status) || !little_cut(in, 2, &flags) || status < 200 || status > 999 ||
        flags >> WRITTEN_FLAGS_N)
        return false;
    for (size_t i = 0, least = 0; i < COUNT_OF(n); least = n[i++])
        if (!little_cut(in, 4, &n[i]) || n[i] < least || n[i] > RESPONSE_TEXT_MAX)
            return false;
    h->status = status & 1023;
    WRITTEN_FLAGS(GET_FLAG)
    h->reason_n = n[0] & RESPONSE_REASON_MAX;
    h->validated_n = n[1] & RESPONSE_TEXT_MAX;
    h->visible_n = n[2] & RESPONSE_TEXT_MAX;
    h->fields_n = n[3] & RESPONSE_TEXT_MAX;
    return n[0] <= RESPONSE_REASON_MAX;
}

static bool read_rare(struct str *in, const struct response *h, struct rare *out)
{
    if (h->has_length && (!little_cut(in, 8, &out->length) || out->length > INT64_MAX))
        return false;
    for (size_t i = 0; h->has_tag && i < TAG_WORDS; i++)
        if (!little_cut(in, 8, &out->tag[i]))
            return false;
    return true;
}

static bool is_text(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!is_field_text(s.p[i]))
            return false;
    return true;
}

/* Lines as response_new keeps them: whoever forwards them must not take one for framing. */
static bool are_stored_lines(struct str lines)
{
    if (!lines_are_whole(lines))
        return false;
    for (struct field f; lines_next(&lines, &f);) {
        f.id = field_id_of(f.name);
        if (field_class_of(f.id) == FIELD_CLASS_H || f.id == FIELD_CONTENT_LENGTH || f.id == FIELD_AGE)
            return false;
    }
    return true;
}

static bool begins_with_etag(struct str lines, bool is_weak)
{
    struct field f;
    if (!lines_next(&lines, &f) || field_id_of(f.name) != FIELD_ETAG)
        return false;
    struct etag etag = etag_parse(f.value);
    return etag.opaque.n > 0 && etag.weak == is_weak;
}

static bool ends_with_default_cc(struct str lines)
{
    char line[64];
    struct str cc = { line, line_bytes(&default_cc) };
    CHECK(cc.n <= sizeof(line));
    lines_put(line, default_cc.name, default_cc.value);
    return str_ends(lines, cc);
}

/* `lines`: those of a 304. */
static bool lines_of_304_fit(const struct response *h, struct str lines)
{
    if (h->has_default_cc && !ends_with_default_cc(lines))
        return false;
    struct str sent = str_first(lines, lines.n - (h->has_default_cc ? line_bytes(&default_cc) : 0));
    return are_stored_lines(sent) && (!h->has_etag || begins_with_etag(sent, h->etag_is_weak));
}

/* What rules_undo reads. */
static bool is_undo(struct str lines)
{
    if (!lines_are_whole(lines))
        return false;
    for (struct field f; lines_next(&lines, &f);)
        if ((f.name.p[0] != '-' && f.name.p[0] != '+') || f.name.n < 2)
            return false;
    return true;
}

static bool notes_fit(const struct response *h, struct str notes)
{
    struct str note = str_first(notes, str_index(notes, '\0'));
    struct str undo = str_from_index(notes, note.n + 1);
    return h->has_note == (notes.n > 0) && is_text(note) && is_undo(undo) &&
           (undo.n > 0 || note.n == notes.n);
}

static bool text_fits(const struct response *h, struct str text)
{
    if (text.n < h->fields_n || text.n > RESPONSE_TEXT_MAX)
        return false;
    struct str of_304 = { text.p + h->reason_n, h->validated_n - h->reason_n };
    struct str visible = { text.p + h->validated_n, h->visible_n - h->validated_n };
    struct str hidden = { text.p + h->visible_n, h->fields_n - h->visible_n };
    return is_text(str_first(text, h->reason_n)) && lines_of_304_fit(h, of_304) &&
           are_stored_lines(visible) && are_stored_lines(hidden) &&
           notes_fit(h, str_from_index(text, h->fields_n));
}

struct response *response_read(struct memory *m, struct str bytes, const uint64_t *names, size_t names_n,
                               bool names_are_short)
{
    struct response head = { .names_n = names_n & RESPONSE_NAMES_MAX, .has_short_names = names_are_short };
    struct rare rare = { 0 };
    struct str text = bytes;
    CHECK(names_n <= RESPONSE_NAMES_MAX);
    if (!read_numbers(&text, &head) || !read_rare(&text, &head, &rare) || !text_fits(&head, text) ||
        (head.has_tag && (head.has_etag || head.status != 200)))
        return NULL;
    struct response *r = memory_zero(m, text_at(&head) + text.n);
    *r = head;
    if (r->has_length)
        r->words[0] = rare.length;
    if (r->has_note)
        r->words[note_length_at(r)] = text.n - r->fields_n;
    if (r->has_tag)
        memcpy(r->words + tag_at(r), rare.tag, sizeof(rare.tag));
    epoch_names_write(r->words + names_at(r), names, names_n, names_are_short);
    memcpy((char *)r + text_at(r), text.p, text.n);
    return r;
}
