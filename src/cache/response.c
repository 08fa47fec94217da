#include "cache/response.h"

#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "http/date.h"
#include "http/status.h"

static const struct str default_cc = STR_INIT("Cache-Control: public, max-age=0, must-revalidate\r\n");

/* ---- what is end-to-end ---- */

static bool connection_lists(const struct fields *received, struct str name)
{
    return fields_has(received, FIELD_CONNECTION) && fields_list_has(received, FIELD_CONNECTION, name);
}

void response_end_to_end(const struct fields *received, struct arena *a, struct fields *out)
{
    *out = (struct fields){ 0 };
    for (size_t i = 0; i < received->n; i++) {
        const struct field *f = &received->v[i];
        if (field_class_of(f->id) == FIELD_CLASS_H || f->id == FIELD_CONTENT_LENGTH ||
            connection_lists(received, f->name))
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
    *out = (struct fields){ 0 };
    for (size_t i = 0; i < stored->n; i++) {
        const struct field *f = &stored->v[i];
        bool replaced = !describes_the_bytes(f->id) && fields_index_of(update, f->name, 0) < update->n &&
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

/* ---- building ---- */

struct builder {
    char *at, *end;
};

static struct str put(struct builder *b, struct str s)
{
    CHECK((size_t)(b->end - b->at) >= s.n);
    if (s.n)
        memcpy(b->at, s.p, s.n);
    struct str placed = { b->at, s.n };
    b->at += s.n;
    return placed;
}

static void put_field(struct builder *b, struct fields *to, const struct field *f)
{
    struct field *placed = &to->v[to->n++];
    placed->id = f->id;
    placed->name = put(b, f->name);
    put(b, STR(": "));
    placed->value = put(b, f->value);
    put(b, STR("\r\n"));
    fields_note(to, f->id);
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

#define STATUS_LINE_MOST(reason) (sizeof("HTTP/1.1 200 \r\n") + (reason).n)
#define DATE_LINE                (sizeof("Date: ") + HTTP_DATE_BYTES + 2)

static size_t bytes_needed(const struct response_plan *p, struct str reason)
{
    size_t bytes = STATUS_LINE_MOST(reason) + STATUS_LINE_MOST(STR("Not Modified")) + 2 * DATE_LINE +
                   2 * default_cc.n + p->note.n;
    for (size_t i = 0; i < p->fields->n; i++) {
        const struct field *f = &p->fields->v[i];
        size_t line = f->name.n + f->value.n + 4;
        bytes += is_in_304(f) ? 2 * line : line;
    }
    return bytes;
}

/* `date_is_ours`: it says now_s. */
static void find_validators(struct response *r, int64_t now_s, bool date_is_ours)
{
    r->validators.etag = etag_parse(fields_value(&r->fields, FIELD_ETAG));
    if (!http_date_parse(fields_value(&r->fields, FIELD_LAST_MODIFIED), now_s,
                         &r->validators.last_modified_s))
        r->validators.last_modified_s = INT64_MIN;
    if (date_is_ours)
        r->validators.date_s = now_s;
    else if (!http_date_parse(fields_value(&r->fields, FIELD_DATE), now_s, &r->validators.date_s))
        r->validators.date_s = INT64_MIN;
}

struct response *response_new(const struct response_plan *p)
{
    struct str reason = p->reason.n ? p->reason : status_reason(p->status);
    bool add_date = !fields_has(p->fields, FIELD_DATE);
    bool add_cc = p->add_default_cc && !fields_has(p->fields, FIELD_CACHE_CONTROL) &&
                  !fields_has(p->fields, FIELD_EXPIRES);
    size_t table = (p->fields->n + 1) * sizeof(struct field);
    size_t text = bytes_needed(p, reason);
    size_t bytes = sizeof(struct response) + table + text;

    struct response *r = mem_resize(NULL, bytes);
    *r = (struct response){
        .bytes = bytes,
        .status = p->status,
        .declared_length = p->declared_length,
        .has_age = fields_has(p->fields, FIELD_AGE),
        .has_default_cc = add_cc,
        .fields = { .v = (struct field *)(void *)(r + 1), .cap = p->fields->n + 1 },
    };
    struct builder b = { (char *)(r + 1) + table, (char *)r + bytes };

    const char *start = b.at;
    put_status_line(&b, p->status, reason);
    r->reason = (struct str){ start + sizeof("HTTP/1.1 200 ") - 1, reason.n };
    if (add_date) {
        char date[HTTP_DATE_BYTES];
        http_date_write(date, p->received_wall_ms / 1000);
        put_field(&b, &r->fields,
                  &(struct field){ field_name(FIELD_DATE), { date, HTTP_DATE_BYTES }, FIELD_DATE });
    }
    for (size_t i = 0; i < p->fields->n; i++)
        if (is_kept(p, &p->fields->v[i]) && !response_hides(p->site, &p->fields->v[i]))
            put_field(&b, &r->fields, &p->fields->v[i]);
    r->visible_n = r->fields.n;
    if (add_cc)
        put(&b, default_cc);
    r->h1 = (struct str){ start, (size_t)(b.at - start) };

    if (p->status == 200) {
        start = b.at;
        put_status_line(&b, 304, STR("Not Modified"));
        for (size_t i = 0; i < r->visible_n; i++) {
            const struct field *f = &r->fields.v[i];
            if (!is_in_304(f))
                continue;
            put(&b, f->name);
            put(&b, STR(": "));
            put(&b, f->value);
            put(&b, STR("\r\n"));
        }
        if (add_cc)
            put(&b, default_cc);
        r->h1_304 = (struct str){ start, (size_t)(b.at - start) };
    }
    for (size_t i = 0; i < p->fields->n; i++)
        if (is_kept(p, &p->fields->v[i]) && response_hides(p->site, &p->fields->v[i]))
            put_field(&b, &r->fields, &p->fields->v[i]);
    r->note = put(&b, p->note);
    find_validators(r, p->received_wall_ms / 1000, add_date);
    return r;
}

void response_free(struct response *r)
{
    mem_free(r);
}
