#include "cache/response.h"

#include <string.h>

#include "base/check.h"
#include "cache/epoch.h"
#include "http/date.h"
#include "http/framing.h"
#include "http/status.h"

static const struct str default_cc = STR_INIT("Cache-Control: public, max-age=0, must-revalidate\r\n");

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
        /* A 304 without Date was made when it was received (RFC 9110 §6.6.1): with the stored one the page would be old at
         * once, each time. */
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

/* In this order: declared length, the note's, tag, part, names, text. */
static size_t note_length_at(const struct response *r)
{
    return r->has_length;
}

static size_t tag_at(const struct response *r)
{
    return note_length_at(r) + r->has_note;
}

static size_t part_at(const struct response *r)
{
    return tag_at(r) + (r->has_tag ? TAG_WORDS : 0);
}

static size_t names_at(const struct response *r)
{
    return part_at(r) + (r->has_part ? PART_WORDS : 0);
}

/* From the begin of the piece. */
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

int64_t response_declared_length(const struct response *r)
{
    return r->has_length ? (int64_t)r->words[0] : -1;
}

struct str response_h1(const struct response *r)
{
    return (struct str){ text_of(r), r->h1_n };
}

struct str response_note(const struct response *r)
{
    const char *note = text_of(r) + r->fields_n;
    return (struct str){ note, r->has_note ? (size_t)r->words[note_length_at(r)] : 0 };
}

size_t response_bytes(const struct response *r)
{
    return text_at(r) + r->fields_n + response_note(r).n;
}

/* ---- reading the text ---- */

#define STATUS_LINE_BEGIN (sizeof("HTTP/1.1 200 ") - 1)

/* The lines between two places of the text. */
struct lines {
    const char *at, *end;
};

static size_t line_bytes(const struct response *r)
{
    if (r->line_n)
        return r->line_n;
    const char *text = text_of(r);
    return (size_t)((const char *)memchr(text, '\r', r->h1_n) - text) + 2;
}

/* Both as the origin sent them: the one of ours between them is left out. */
static struct lines lines_of_304(const struct response *r)
{
    const char *text = text_of(r);
    return (struct lines){ text + line_bytes(r), text + r->validated_n - response_default_cc(r).n };
}

static struct lines other_lines(const struct response *r)
{
    const char *text = text_of(r);
    return (struct lines){ text + r->validated_n, text + r->fields_n };
}

/* Lines were written by put_field: neither name nor value has a CR, the name has no colon. */
static bool next_line(struct lines *l, struct field *f)
{
    if (l->at == l->end)
        return false;
    const char *colon = memchr(l->at, ':', (size_t)(l->end - l->at));
    const char *value = colon + 2, *cr = memchr(value, '\r', (size_t)(l->end - value));
    f->name = (struct str){ l->at, (size_t)(colon - l->at) };
    f->value = (struct str){ value, (size_t)(cr - value) };
    l->at = cr + 2;
    return true;
}

struct str response_reason(const struct response *r)
{
    const char *text = text_of(r);
    return (struct str){ text + STATUS_LINE_BEGIN, line_bytes(r) - STATUS_LINE_BEGIN - 2 };
}

static void add_lines(struct lines l, struct arena *a, struct fields *out)
{
    for (struct field f; next_line(&l, &f);) {
        f.id = field_id_of(f.name);
        fields_add_line(out, a, f);
    }
}

void response_fields(const struct response *r, struct arena *a, struct fields *out, size_t *visible_n)
{
    struct lines visible = other_lines(r), hidden = visible;
    visible.end = hidden.at = text_of(r) + r->h1_n;
    *out = (struct fields){ 0 };
    add_lines(lines_of_304(r), a, out);
    add_lines(visible, a, out);
    if (visible_n)
        *visible_n = out->n;
    add_lines(hidden, a, out);
}

static struct str value_in(struct lines l, enum field_id id)
{
    for (struct field f; next_line(&l, &f);)
        if (field_id_of(f.name) == id)
            return f.value;
    return STR_NONE;
}

struct str response_value(const struct response *r, enum field_id id)
{
    struct str value = value_in(lines_of_304(r), id);
    return value.p ? value : value_in(other_lines(r), id);
}

struct str response_default_cc(const struct response *r)
{
    return r->has_default_cc ? default_cc : STR_NONE;
}

struct etag response_etag(const struct response *r)
{
    if (!r->has_etag)
        return (struct etag){ 0 };
    /* Each 304 asks for it: the name's length is known, and so is what it begins with. */
    size_t at = line_bytes(r) + sizeof("ETag: ") - 1 + (r->etag_is_weak ? sizeof("W/") - 1 : 0);
    const char *tag = text_of(r) + at, *cr = memchr(tag, '\r', r->validated_n - at);
    return (struct etag){ { tag, (size_t)(cr - tag) }, r->etag_is_weak };
}

void response_validators(const struct response *r, int64_t now_s, struct validators *out)
{
    struct lines l = lines_of_304(r);
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
    put(b, f->name);
    put(b, STR(": "));
    put(b, f->value);
    put(b, STR("\r\n"));
}

static void put_status_line(struct builder *b, int status, struct str reason)
{
    char digits[3] = { (char)('0' + status / 100), (char)('0' + status / 10 % 10),
                       (char)('0' + status % 10) };
    put(b, STR("HTTP/1.1 "));
    put(b, (struct str){ digits, 3 });
    put(b, STR(" "));
    put(b, reason);
    put(b, STR("\r\n"));
}

static const struct str line_304 = STR_INIT("HTTP/1.1 304 Not Modified\r\n");

struct str response_h1_304(const struct response *r, struct arena *a)
{
    const char *text = text_of(r);
    size_t from = line_bytes(r), n = r->validated_n - from;
    char *p = arena_alloc(a, line_304.n + n);
    memcpy(p, line_304.p, line_304.n);
    memcpy(p + line_304.n, text + from, n);
    return (struct str){ p, line_304.n + n };
}

/* The fields of a 304 (RFC 9110 §15.4.5), and those that a cache in front of us goes by. */
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

/* In the order in which they stand in the text. A list of one name keeps its order. */
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

static size_t field_bytes(const struct field *f)
{
    return f->name.n + f->value.n + 4;
}

static size_t group_bytes(const struct response_plan *p, size_t bytes[GROUPS])
{
    size_t all = 0;
    for (size_t i = 0; i < p->fields->n; i++) {
        const struct field *f = &p->fields->v[i];
        enum group group = group_of(p, f);
        if (group == GROUP_NONE)
            continue;
        bytes[group] += field_bytes(f);
        all += field_bytes(f);
    }
    if (!adds_accept_ranges(p))
        return all;
    bytes[GROUP_VISIBLE] += field_bytes(&accept_ranges);
    return all + field_bytes(&accept_ranges);
}

#define STATUS_LINE(reason) (STATUS_LINE_BEGIN + (reason).n + 2)
#define DATE_LINE           (sizeof("Date: ") - 1 + HTTP_DATE_BYTES + 2)

/* The group's bytes, behind what is written. */
static struct builder begin_group(struct builder *b, size_t bytes)
{
    CHECK((size_t)(b->end - b->at) >= bytes);
    struct builder group = { b->at, b->at + bytes };
    b->at += bytes;
    return group;
}

static void put_text(struct builder *b, const struct response_plan *p, struct str reason, bool add_date,
                     bool add_cc, const size_t bytes[GROUPS])
{
    struct builder groups[GROUPS];
    put_status_line(b, p->status, reason);
    groups[GROUP_ETAG] = begin_group(b, bytes[GROUP_ETAG]);
    if (add_date) {
        char date[HTTP_DATE_BYTES];
        http_date_write(date, p->received_wall_ms / 1000);
        put_field(b, &(struct field){ field_name(FIELD_DATE), { date, HTTP_DATE_BYTES }, FIELD_DATE });
    }
    groups[GROUP_304] = begin_group(b, bytes[GROUP_304]);
    if (add_cc)
        put(b, default_cc);
    groups[GROUP_VISIBLE] = begin_group(b, bytes[GROUP_VISIBLE]);
    groups[GROUP_HIDDEN] = begin_group(b, bytes[GROUP_HIDDEN]);
    put(b, p->note);
    CHECK(b->at == b->end);
    for (size_t i = 0; i < p->fields->n; i++) {
        enum group group = group_of(p, &p->fields->v[i]);
        if (group != GROUP_NONE)
            put_field(&groups[group], &p->fields->v[i]);
    }
    if (adds_accept_ranges(p))
        put_field(&groups[GROUP_VISIBLE], &accept_ranges);
    for (size_t i = 0; i < GROUPS; i++)
        CHECK(groups[i].at == groups[i].end);
}

/* RFC 9110 §8.8: what says whether it is still the same. */
static bool has_validator(const struct response_plan *p, const struct etag *etag)
{
    int64_t modified_s;
    return etag->opaque.n > 0 || http_date_parse(fields_value(p->fields, FIELD_LAST_MODIFIED),
                                                 p->received_wall_ms / 1000, &modified_s);
}

struct response *response_new(struct memory *m, const struct response_plan *p)
{
    struct str reason = p->reason.n ? p->reason : status_reason(p->status);
    bool add_date = !fields_has(p->fields, FIELD_DATE);
    bool add_cc = p->add_default_cc && !fields_has(p->fields, FIELD_CACHE_CONTROL) &&
                  !fields_has(p->fields, FIELD_EXPIRES);
    struct etag etag = etag_parse(fields_value(p->fields, FIELD_ETAG));
    size_t groups[GROUPS] = { 0 };
    size_t text = STATUS_LINE(reason) + (add_date ? DATE_LINE : 0) + (add_cc ? default_cc.n : 0) +
                  group_bytes(p, groups) + p->note.n;
    size_t line = STATUS_LINE(reason);
    CHECK(text <= RESPONSE_TEXT_MAX && p->names_n <= RESPONSE_NAMES_MAX && p->status < 1024);
    struct response head = {
        .names_n = p->names_n & RESPONSE_NAMES_MAX,
        .fields_n = (text - p->note.n) & RESPONSE_TEXT_MAX,
        .h1_n = (text - p->note.n - groups[GROUP_HIDDEN]) & RESPONSE_TEXT_MAX,
        .validated_n = (text - p->note.n - groups[GROUP_HIDDEN] - groups[GROUP_VISIBLE]) & RESPONSE_TEXT_MAX,
        .status = (unsigned)p->status & 1023,
        .has_age = fields_has(p->fields, FIELD_AGE),
        .has_default_cc = add_cc,
        .has_etag = etag.opaque.n > 0 && groups[GROUP_ETAG] > 0, /* a hidden one is none */
        .etag_is_weak = etag.weak,
        .line_n = line <= UINT8_MAX ? line & UINT8_MAX : 0,
        .has_length = p->declared_length >= 0,
        .has_note = p->note.n > 0,
        .has_tag = p->status == 200 && !p->is_part && !has_validator(p, &etag),
        .has_part = p->is_part,
        .has_short_names = p->names_are_short,
    };
    size_t bytes = text_at(&head) + text;
    struct response *r = memory_zero(m, bytes);
    *r = head;
    epoch_names_write(r->words + names_at(r), p->names, p->names_n, p->names_are_short);
    if (r->has_length)
        r->words[0] = (uint64_t)p->declared_length;
    if (r->has_note)
        r->words[note_length_at(r)] = p->note.n;
    put_text(&(struct builder){ (char *)r + text_at(r), (char *)r + bytes }, p, reason, add_date, add_cc,
             groups);
    return r;
}

void response_free(struct memory *m, struct response *r)
{
    if (r)
        memory_give(m, r, response_bytes(r));
}
