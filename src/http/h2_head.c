#include "http/h2_head.h"

#include <string.h>

#include <nghttp2/nghttp2.h>

#include "base/mem.h"
#include "http/scan.h"

#define TABLE_FIRST 24 /* fields; few requests have more */

enum pseudo { METHOD, SCHEME, AUTHORITY, PATH, PROTOCOL, STATUS, PSEUDO_COUNT };

struct reading {
    const struct h2_head_rules *rules;
    struct arena *a;
    struct h2_head *out;
    struct str pseudo[PSEUDO_COUNT];
    bool has_regular;  /* fields other than pseudo-fields have begun */
    size_t list_bytes; /* RFC 9113 §6.5.2 */
    size_t list_n;
    size_t cookies;
    size_t cookie_bytes;
    const char *fault; /* the first; NULL: none */
};

/* ---- the inflater: its memory is counted like all other ---- */

static void *inflater_malloc(size_t bytes, void *ctx)
{
    (void)ctx;
    return mem_try(bytes);
}
static void inflater_free(void *p, void *ctx)
{
    (void)ctx;
    mem_free(p);
}
static void *inflater_calloc(size_t n, size_t bytes, void *ctx)
{
    void *p = mem_try(n * bytes);
    (void)ctx;
    if (p)
        memset(p, 0, n * bytes);
    return p;
}
static void *inflater_realloc(void *p, size_t bytes, void *ctx)
{
    (void)ctx;
    return mem_try_resize(p, bytes);
}

struct nghttp2_hd_inflater *h2_head_inflater_new(void)
{
    static nghttp2_mem mem = { NULL, inflater_malloc, inflater_free, inflater_calloc, inflater_realloc };
    nghttp2_hd_inflater *i = NULL;
    return nghttp2_hd_inflate_new2(&i, &mem) == 0 ? i : NULL;
}

void h2_head_inflater_free(struct nghttp2_hd_inflater *i)
{
    if (i)
        nghttp2_hd_inflate_del(i);
}

/* ---- one field ---- */

/* All but lower-case letters, digits and "-": the rest of a token is rare. */
static inline unsigned name_stops(word w)
{
    return word_bits(~(word_within(w, 'a', 'z') | word_within(w, '0', '9') | word_is(w, '-')));
}

/* NULL: it may be a name. *is_disguised: we pass it on to nobody. */
static const char *fault_of_name(struct str name, bool *is_disguised)
{
    const char *end = name.p + name.n, *p = scan_for(name.p, name.p, end, name_stops);
    if (p == end)
        return name.n ? NULL : "an empty field name";
    for (; p < end; p++) {
        if (token_chars[(unsigned char)*p] == 0)
            return "a field name that is no token";
        if (*p >= 'A' && *p <= 'Z')
            return "a field name in upper case";
    }
    *is_disguised = field_name_is_disguised(name);
    return NULL;
}

static const char *fault_of_value(struct str value)
{
    const char *end = value.p + value.n;
    if (str_trim(value).n != value.n)
        return "white space around a field value";
    return scan_for(value.p, value.p, end, scan_value_stops) == end ? NULL
                                                                    : "a control character in a field value";
}

/* RFC 9113 §8.2.2; in trailers also what frames or routes a message (RFC 9110 §6.5.1). */
static const char *fault_of_kind(const struct reading *r, enum field_id id, struct str value)
{
    switch (id) {
    case FIELD_CONNECTION:
    case FIELD_KEEP_ALIVE:
    case FIELD_PROXY_CONNECTION:
    case FIELD_TRANSFER_ENCODING:
    case FIELD_UPGRADE:
    case FIELD_HTTP2_SETTINGS: return "a field of HTTP/1.1 connections";
    case FIELD_TE:
        if (!str_eq_nocase(value, STR("trailers")))
            return "TE other than trailers";
        break;
    default: break;
    }
    enum field_class class = field_class_of(id);
    if (r->rules->kind == H2_HEAD_TRAILERS && (class == FIELD_CLASS_F || class == FIELD_CLASS_H))
        return "a field that belongs into the head, among the trailers";
    return NULL;
}

static void set_error(struct reading *r, enum http_error e)
{
    if (r->out->error == HTTP_ERROR_NONE)
        r->out->error = e;
}

static void add_field(struct reading *r, enum field_id id, struct str name, struct str value)
{
    struct fields *f = &r->out->request.fields;
    if (f->n >= r->rules->limits.fields_count)
        set_error(r, HTTP_ERROR_FIELDS_TOO_MANY);
    if (r->out->error != HTTP_ERROR_NONE)
        return; /* nobody looks at it */
    if (id == FIELD_COOKIE && r->rules->kind != H2_HEAD_ANSWER) {
        r->cookies++;
        r->cookie_bytes += value.n + 2;
    }
    struct field line = { .name = id ? field_name(id) : arena_dup(r->a, name), .id = id };
    line.value = value.n ? arena_dup(r->a, value) : STR("");
    fields_add_line(f, r->a, line);
}

/* PSEUDO_COUNT: none. */
static enum pseudo pseudo_of(struct str name)
{
    switch (name.n) {
    case 5: return memcmp(name.p, ":path", 5) == 0 ? PATH : PSEUDO_COUNT;
    case 7:
        if (memcmp(name.p, ":method", 7) == 0)
            return METHOD;
        if (memcmp(name.p, ":scheme", 7) == 0)
            return SCHEME;
        return memcmp(name.p, ":status", 7) == 0 ? STATUS : PSEUDO_COUNT;
    case 9: return memcmp(name.p, ":protocol", 9) == 0 ? PROTOCOL : PSEUDO_COUNT;
    case 10: return memcmp(name.p, ":authority", 10) == 0 ? AUTHORITY : PSEUDO_COUNT;
    default: return PSEUDO_COUNT;
    }
}

/* NULL: pseudo-fields may stand here. */
static const char *fault_of_place(const struct reading *r)
{
    if (r->has_regular)
        return "a pseudo-field behind other fields";
    return r->rules->kind == H2_HEAD_TRAILERS ? "a pseudo-field among the trailers" : NULL;
}

static const char *set_pseudo(struct reading *r, enum pseudo p, struct str value)
{
    if ((p == STATUS) != (r->rules->kind == H2_HEAD_ANSWER))
        return "an unknown pseudo-field";
    if (r->pseudo[p].p)
        return "a pseudo-field twice";
    r->pseudo[p] = value;
    return NULL;
}

static const char *take_pseudo(struct reading *r, struct str name, struct str value)
{
    const char *fault = fault_of_place(r);
    if (fault)
        return fault;
    enum pseudo p = pseudo_of(name);
    return p == PSEUDO_COUNT ? "an unknown pseudo-field" : set_pseudo(r, p, arena_dup(r->a, value));
}

static const char *take_field(struct reading *r, struct str name, struct str value)
{
    const char *fault;
    bool is_disguised = false;
    if (name.n && name.p[0] == ':')
        return take_pseudo(r, name, value);
    r->has_regular = true;
    if ((fault = fault_of_name(name, &is_disguised)) != NULL || (fault = fault_of_value(value)) != NULL)
        return fault;
    enum field_id id = field_id_of(name);
    if ((fault = fault_of_kind(r, id, value)) != NULL)
        return fault;
    if (is_disguised)
        set_error(r, HTTP_ERROR_FIELD_DISGUISED);
    add_field(r, id, name, value);
    return NULL;
}

/* ---- the whole head ---- */

/* RFC 9113 §8.2.3: one Cookie line, in the place of the first; empty ones add nothing. */
static void join_cookies(struct reading *r)
{
    struct fields *f = &r->out->request.fields;
    char *joined = arena_alloc(r->a, r->cookie_bytes), *at = joined;
    size_t first = f->n, kept = 0;
    for (size_t i = 0; i < f->n; i++) {
        if (f->v[i].id == FIELD_COOKIE && f->v[i].value.n) {
            if (at > joined)
                at = str_put(at, STR("; "));
            at = str_put(at, f->v[i].value);
        }
        if (f->v[i].id == FIELD_COOKIE && first < f->n)
            continue;
        if (f->v[i].id == FIELD_COOKIE)
            first = kept;
        f->v[kept++] = f->v[i];
    }
    f->v[first].value = (struct str){ joined, (size_t)(at - joined) };
    f->n = kept;
    fields_note_none(f);
    for (size_t i = 0; i < f->n; i++)
        fields_note(f, f->v[i].id);
}

static bool is_scheme(struct str s)
{
    if (str_eq(s, STR("https")))
        return true;
    for (size_t i = 0; i < s.n; i++)
        if (!is_alpha(s.p[i]) && (i == 0 || (!is_digit(s.p[i]) && !memchr("+-.", s.p[i], 3))))
            return false;
    return s.n > 0;
}

/* All but what nearly all hosts are made of. */
static inline unsigned host_stops(word w)
{
    return word_bits(~(word_within(w, 'a', 'z') | word_within(w, '-', '.') | word_within(w, '0', ':')));
}

/* Not what a host is, which http/url knows, but what could be read as more than one: user information, a
 * path, a space. */
static bool is_authority(struct str s)
{
    const char *end = s.p + s.n, *at = scan_for(s.p, s.p, end, host_stops);
    /* Control characters, space, and "#,/<>?@\^`{|} with DEL, a bit each. */
    static const uint64_t never[2] = {
        UINT64_C(0xffffffff) | UINT64_C(1) << ' ' | UINT64_C(1) << '"' | UINT64_C(1) << '#' |
            UINT64_C(1) << ',' | UINT64_C(1) << '/' | UINT64_C(1) << '<' | UINT64_C(1) << '>' |
            UINT64_C(1) << '?',
        UINT64_C(1) << ('@' - 64) | UINT64_C(1) << ('\\' - 64) | UINT64_C(1) << ('^' - 64) |
            UINT64_C(1) << ('`' - 64) | UINT64_C(1) << ('{' - 64) | UINT64_C(1) << ('|' - 64) |
            UINT64_C(1) << ('}' - 64) | UINT64_C(1) << 63,
    };
    for (; at < end; at++) {
        unsigned char c = (unsigned char)*at;
        if (c >= 0x80 || never[c >> 6] >> (c & 63) & 1)
            return false;
    }
    return s.n > 0;
}

static bool is_path(struct str s, enum method method)
{
    if (scan_for(s.p, s.p, s.p + s.n, scan_target_stops) != s.p + s.n)
        return false;
    return (s.n && s.p[0] == '/') || (method == METHOD_OPTIONS && str_eq(s, STR("*")));
}

/* Which pseudo-fields a request has (RFC 9113 §8.3.1, §8.5; RFC 8441 §4). */
static const char *fault_of_pseudo(const struct reading *r)
{
    const struct str *p = r->pseudo;
    if (!p[METHOD].p || !is_token(p[METHOD]))
        return "no :method, or no token as one";
    enum method method = method_of(p[METHOD]);
    if (p[AUTHORITY].p && !is_authority(p[AUTHORITY]))
        return "malformed :authority";
    if (p[PROTOCOL].p && (!r->rules->extended_connect || method != METHOD_CONNECT || !is_token(p[PROTOCOL])))
        return ":protocol where none may be";
    if (method == METHOD_CONNECT && !p[AUTHORITY].p)
        return "CONNECT without :authority";
    if (method == METHOD_CONNECT && !p[PROTOCOL].p)
        return p[SCHEME].p || p[PATH].p ? "CONNECT with :scheme or :path" : NULL;
    if (!p[SCHEME].p || !is_scheme(p[SCHEME]))
        return "no :scheme, or a malformed one";
    return p[PATH].p && is_path(p[PATH], method) ? NULL : "no :path, or a malformed one";
}

/* Where the body ends. NULL: it is well-formed. */
static const char *set_framing(struct reading *r)
{
    struct h2_head *h = r->out;
    bool ends = r->rules->ends_stream;
    enum http_error e = HTTP_ERROR_NONE;
    h->framing = (struct framing){ .kind = FRAMING_NONE };
    if (h->error == HTTP_ERROR_NONE)
        e = framing_of_request(&h->request, &h->framing);
    if (e == HTTP_ERROR_CONTENT_LENGTH || e == HTTP_ERROR_CONTENT_LENGTH_REPEATED)
        return "malformed or repeated Content-Length";
    if (e != HTTP_ERROR_NONE) {
        set_error(r, e);
        h->framing = (struct framing){ .kind = FRAMING_NONE };
    }
    if (ends && h->framing.kind == FRAMING_LENGTH && h->framing.length > 0)
        return "a Content-Length without a body";
    if (!ends && h->framing.kind == FRAMING_NONE)
        h->framing.kind = FRAMING_CHUNKED;
    return NULL;
}

static const char *finish_request(struct reading *r)
{
    struct h2_head *h = r->out;
    const char *fault = fault_of_pseudo(r);
    if (fault)
        return fault;
    h->request.method_name = r->pseudo[METHOD];
    h->request.method = method_of(h->request.method_name);
    h->request.minor = 1;
    h->scheme = r->pseudo[SCHEME];
    h->authority = r->pseudo[AUTHORITY];
    h->protocol = r->pseudo[PROTOCOL];
    h->request.target = r->pseudo[PATH].p ? r->pseudo[PATH] : r->pseudo[AUTHORITY];
    if (h->request.target.n > r->rules->limits.line_bytes)
        set_error(r, HTTP_ERROR_LINE_TOO_LONG);
    if (h->error == HTTP_ERROR_NONE && fields_has(&h->request.fields, FIELD_PRIORITY))
        priority_parse(fields_joined(&h->request.fields, FIELD_PRIORITY, r->a), r->a, &h->priority);
    return set_framing(r);
}

/* RFC 9113 §8.3.2; a body is as long as it says (§8.1.1), and an interim answer ends nothing (§8.1). */
static const char *finish_answer(struct reading *r)
{
    struct h2_head *h = r->out;
    struct str status = r->pseudo[STATUS];
    if (status.n != 3 || status.p[0] < '1' || status.p[0] > '5' || !is_digit(status.p[1]) ||
        !is_digit(status.p[2]))
        return "no :status, or a malformed one";
    h->status = (status.p[0] - '0') * 100 + (status.p[1] - '0') * 10 + (status.p[2] - '0');
    if (h->status == 101)
        return "status 101, which HTTP/2 has not";
    if (h->status < 200 && r->rules->ends_stream)
        return "an interim answer that ends the stream";
    struct response_head as = { .status = h->status, .minor = 1, .fields = h->request.fields };
    enum http_error e = framing_of_response(r->rules->to_head ? METHOD_HEAD : METHOD_GET, &as, &h->framing);
    if (e == HTTP_ERROR_CONTENT_LENGTH || e == HTTP_ERROR_CONTENT_LENGTH_REPEATED)
        return "malformed or repeated Content-Length";
    if (e != HTTP_ERROR_NONE)
        set_error(r, e);
    if (r->rules->ends_stream && h->framing.kind == FRAMING_LENGTH && h->framing.length > 0)
        return "a Content-Length without a body";
    return NULL;
}

/* The end of the block. */
static enum h2_head_result finish(struct reading *r, const char **text)
{
    struct h2_head *h = r->out;
    if (r->rules->kind == H2_HEAD_DROPPED)
        return H2_HEAD_OK;
    if (r->cookies > 1 && h->error == HTTP_ERROR_NONE)
        join_cookies(r);
    if (!r->fault && r->rules->kind == H2_HEAD_REQUEST)
        r->fault = finish_request(r);
    if (!r->fault && r->rules->kind == H2_HEAD_ANSWER)
        r->fault = finish_answer(r);
    if (!r->fault && r->rules->kind == H2_HEAD_TRAILERS && h->error != HTTP_ERROR_NONE)
        r->fault = "trailers over a limit";
    *text = r->fault;
    return r->fault ? H2_HEAD_MALFORMED : H2_HEAD_OK;
}

/* ---- the block ---- */

/* Changes of the table's size at the start of the block (RFC 7541 §6.3): 001, then an integer. */
static unsigned count_size_changes(struct str block)
{
    unsigned n = 0;
    size_t i = 0;
    while (i < block.n && ((unsigned char)block.p[i] & 0xe0) == 0x20 && n <= H2_HEAD_SIZE_CHANGES) {
        n++;
        if (((unsigned char)block.p[i++] & 0x1f) == 0x1f)
            while (i < block.n && (unsigned char)block.p[i++] & 0x80)
                ;
    }
    return n;
}

/* Counts a field of so many bytes. false: nobody looks at it. */
static bool count_field(struct reading *r, size_t bytes)
{
    r->list_bytes += bytes + 32;
    r->list_n++;
    if (r->rules->kind == H2_HEAD_DROPPED || r->fault)
        return false;
    if (r->list_bytes > r->rules->limits.fields_bytes)
        set_error(r, HTTP_ERROR_FIELDS_TOO_LARGE);
    return true;
}

static void take(struct reading *r, const nghttp2_nv *nv)
{
    struct str name = { (const char *)nv->name, nv->namelen };
    struct str value = { (const char *)nv->value, nv->valuelen };
    if (!count_field(r, name.n + value.n))
        return;
    r->fault = take_field(r, name, value);
    if (r->fault && name.n)
        r->out->wrong = arena_dup(r->a, str_first(name, name.n < H2_HEAD_SAID ? name.n : H2_HEAD_SAID));
}

/* Pseudo-fields of the static table (RFC 7541 Appendix A) with their values: each request has two or three of
 * them, and nothing about them has to be looked at. */
#define STATIC_FIRST 2
static const struct static_pseudo {
    enum pseudo pseudo;
    uint8_t name_n;
    struct str value;
} static_pseudos[] = {
    { METHOD, 7, STR_INIT("GET") },       { METHOD, 7, STR_INIT("POST") }, { PATH, 5, STR_INIT("/") },
    { PATH, 5, STR_INIT("/index.html") }, { SCHEME, 7, STR_INIT("http") }, { SCHEME, 7, STR_INIT("https") },
};

static void take_static(struct reading *r, const struct static_pseudo *s)
{
    if (!count_field(r, s->name_n + s->value.n))
        return;
    r->fault = fault_of_place(r);
    if (!r->fault)
        r->fault = set_pseudo(r, s->pseudo, s->value);
}

/* A field that is an index of one byte (RFC 7541 §6.1): the inflater's tables have it, and it changes nothing
 * in them. Most fields of most requests are such. */
static bool take_indexed(struct nghttp2_hd_inflater *inflater, struct str *block, struct reading *r)
{
    unsigned first = block->n ? (unsigned char)block->p[0] : 0, index = first & 0x7f;
    if (first < 0x80 || index == 0x7f)
        return false;
    if (index - STATIC_FIRST < COUNT_OF(static_pseudos)) {
        take_static(r, &static_pseudos[index - STATIC_FIRST]);
    } else {
        const nghttp2_nv *nv = nghttp2_hd_inflate_get_table_entry(inflater, index);
        if (!nv)
            return false; /* the inflater refuses it */
        take(r, nv);
    }
    *block = str_from_index(*block, 1);
    return true;
}

static bool is_size_change(struct str block)
{
    return block.n && ((unsigned char)block.p[0] & 0xe0) == 0x20;
}

static enum h2_head_result inflate(struct nghttp2_hd_inflater *inflater, struct str block, struct reading *r)
{
    size_t most = r->rules->limits.fields_bytes * H2_HEAD_BOMB;
    for (;;) {
        nghttp2_nv nv;
        while (r->list_bytes <= most && take_indexed(inflater, &block, r))
            continue;
        if (r->list_bytes > most)
            return H2_HEAD_TOO_MUCH;
        if (block.n == 0) {
            nghttp2_hd_inflate_end_headers(inflater);
            return H2_HEAD_OK;
        }
        if (r->list_n && is_size_change(block)) /* the inflater has not seen those before */
            return H2_HEAD_BAD;
        int flags = 0;
        ssize_t n = nghttp2_hd_inflate_hd2(inflater, &nv, &flags, (const uint8_t *)block.p, block.n, 1);
        if (n < 0)
            return H2_HEAD_BAD;
        block = str_from_index(block, (size_t)n);
        if (flags & NGHTTP2_HD_INFLATE_EMIT)
            take(r, &nv);
        if (flags & NGHTTP2_HD_INFLATE_FINAL) {
            nghttp2_hd_inflate_end_headers(inflater);
            return H2_HEAD_OK;
        }
        if (!(flags & NGHTTP2_HD_INFLATE_EMIT) && block.n == 0)
            return H2_HEAD_BAD;
    }
}

enum h2_head_result h2_head_read(struct nghttp2_hd_inflater *inflater, struct str block,
                                 const struct h2_head_rules *rules, struct arena *a, struct h2_head *out,
                                 struct h2_head_cost *cost, const char **text)
{
    struct reading r = { .rules = rules, .a = a, .out = out };
    *out = (struct h2_head){ .priority = PRIORITY_DEFAULT };
    if (rules->kind != H2_HEAD_DROPPED) {
        out->request.fields.v = arena_alloc(a, TABLE_FIRST * sizeof(struct field));
        out->request.fields.cap = TABLE_FIRST;
    }
    *text = "malformed HPACK";
    *cost = (struct h2_head_cost){ .size_changes = count_size_changes(block) };
    if (cost->size_changes > H2_HEAD_SIZE_CHANGES)
        return H2_HEAD_BAD;
    enum h2_head_result result = inflate(inflater, block, &r);
    cost->is_over =
        r.list_bytes > rules->limits.fields_bytes || r.list_n > rules->limits.fields_count + PSEUDO_COUNT;
    if (result == H2_HEAD_TOO_MUCH)
        *text = "a header block that grows to many times the limit";
    return result == H2_HEAD_OK ? finish(&r, text) : result;
}
