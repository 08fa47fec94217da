#include "http/framing.h"

#include "base/check.h"

/* 1*DIGIT without leading zeros: "010" is eight to some. At most INT64_MAX, so that sums of it stay
 * harmless. */
static bool parse_length(struct str value, uint64_t *out)
{
    if (value.n > 1 && value.p[0] == '0')
        return false;
    return str_to_u64(value, INT64_MAX, out);
}

/* Content-Length and Transfer-Encoding of either kind of message. FRAMING_NONE when there is neither. */
static enum http_error framing_of_fields(const struct fields *f, int minor, struct framing *out)
{
    *out = (struct framing){ .kind = FRAMING_NONE };
    bool length = fields_has(f, FIELD_CONTENT_LENGTH), encoding = fields_has(f, FIELD_TRANSFER_ENCODING);
    if (!length && !encoding)
        return HTTP_ERROR_NONE;
    if (length && encoding)
        return HTTP_ERROR_LENGTH_AND_ENCODING;
    if (encoding) {
        if (minor == 0)
            return HTTP_ERROR_TRANSFER_ENCODING_1_0;
        if (fields_count(f, FIELD_TRANSFER_ENCODING) != 1 ||
            !str_eq_nocase(fields_value(f, FIELD_TRANSFER_ENCODING), STR("chunked")))
            return HTTP_ERROR_TRANSFER_ENCODING;
        out->kind = FRAMING_CHUNKED;
        return HTTP_ERROR_NONE;
    }
    if (fields_count(f, FIELD_CONTENT_LENGTH) != 1)
        return HTTP_ERROR_CONTENT_LENGTH_REPEATED;
    if (!parse_length(fields_value(f, FIELD_CONTENT_LENGTH), &out->length))
        return HTTP_ERROR_CONTENT_LENGTH;
    out->kind = FRAMING_LENGTH;
    return HTTP_ERROR_NONE;
}

/* Removing these would change what the message means or whose it is; nobody honest lists them. */
static bool is_critical(enum field_id id)
{
    return id == FIELD_HOST || id == FIELD_CONTENT_LENGTH || id == FIELD_TRANSFER_ENCODING ||
           id == FIELD_COOKIE || id == FIELD_AUTHORIZATION;
}

/* What Connection lists is looked for among all fields, and more than once: a list that nobody honest sends
 * is refused before. */
static enum http_error check_connection(const struct fields *f, bool of_request)
{
    size_t names = 0;
    if (!fields_has(f, FIELD_CONNECTION))
        return HTTP_ERROR_NONE;
    if (fields_bytes(f, FIELD_CONNECTION) > CONNECTION_BYTES_MAX)
        return HTTP_ERROR_CONNECTION_TOO_LONG;
    for (size_t i = 0; i < f->n; i++) {
        struct str rest = f->v[i].value, member;
        while (f->v[i].id == FIELD_CONNECTION && list_next(&rest, &member)) {
            if (++names > CONNECTION_NAMES_MAX)
                return HTTP_ERROR_CONNECTION_TOO_LONG;
            if (of_request && is_critical(field_id_of(member)))
                return HTTP_ERROR_CONNECTION_NAMES;
        }
    }
    return HTTP_ERROR_NONE;
}

void framing_connection_names(const struct fields *f, struct arena *a, struct field_names *out)
{
    size_t n = 0;
    *out = (struct field_names){ .n = 0 };
    if (!fields_has(f, FIELD_CONNECTION))
        return;
    size_t most = fields_bytes(f, FIELD_CONNECTION) / 2 + 1;
    if (most > CONNECTION_NAMES_MAX)
        most = CONNECTION_NAMES_MAX;
    out->others = arena_alloc(a, most * sizeof(*out->others));
    for (size_t i = 0; i < f->n; i++) {
        struct str rest = f->v[i].value, member;
        while (f->v[i].id == FIELD_CONNECTION && n < most && list_next(&rest, &member)) {
            field_names_add(out, member);
            n++;
        }
    }
    field_names_settle(out);
}

enum http_error framing_of_request(const struct request_head *h, struct framing *out)
{
    enum http_error e = framing_of_fields(&h->fields, h->minor, out);
    if (e)
        return e;
    if ((e = check_connection(&h->fields, true)) != HTTP_ERROR_NONE)
        return e;
    if (fields_has(&h->fields, FIELD_CONTENT_TYPE) && fields_count(&h->fields, FIELD_CONTENT_TYPE) > 1)
        return HTTP_ERROR_CONTENT_TYPE;
    return HTTP_ERROR_NONE;
}

/* One transfer coding that nobody registered (RFC 9112 §7): the body then ends with the connection (§6.3, 4),
 * and no decoder is asked to guess. Codings that somebody decodes, lists, and a length beside it stay
 * errors. */
static bool is_unknown_coding(const struct fields *f)
{
    static const struct str known[] = { STR_INIT("chunked"),  STR_INIT("gzip"),     STR_INIT("x-gzip"),
                                        STR_INIT("deflate"),  STR_INIT("compress"), STR_INIT("x-compress"),
                                        STR_INIT("identity"), STR_INIT("trailers") };
    struct str value = fields_value(f, FIELD_TRANSFER_ENCODING);
    if (fields_count(f, FIELD_TRANSFER_ENCODING) != 1 || fields_has(f, FIELD_CONTENT_LENGTH) ||
        !is_token(value))
        return false;
    /* "xchunked" and the like are tricks, not codings. */
    for (size_t i = 0; i < value.n; i++)
        if (str_starts_nocase(str_from_index(value, i), STR("chunk")))
            return false;
    for (size_t i = 0; i < COUNT_OF(known); i++)
        if (str_eq_nocase(value, known[i]))
            return false;
    return true;
}

enum http_error framing_of_response(enum method asked, const struct response_head *h, struct framing *out)
{
    *out = (struct framing){ .kind = FRAMING_NONE };
    enum http_error e = check_connection(&h->fields, false);
    if (e || h->status < 200 || h->status == 204)
        return e;
    bool has_body = asked != METHOD_HEAD && h->status != 304;
    if (h->minor > 0 && fields_has(&h->fields, FIELD_TRANSFER_ENCODING) && is_unknown_coding(&h->fields)) {
        out->kind = has_body ? FRAMING_CLOSE : FRAMING_NONE;
        return HTTP_ERROR_NONE;
    }
    e = framing_of_fields(&h->fields, h->minor, out);
    if (e)
        return e;
    if (!has_body)
        *out = (struct framing){ .kind = FRAMING_NONE };
    else if (out->kind == FRAMING_NONE)
        out->kind = FRAMING_CLOSE;
    return HTTP_ERROR_NONE;
}

bool wants_keep_alive(int minor, const struct fields *f)
{
    if (!fields_has(f, FIELD_CONNECTION))
        return minor > 0;
    if (fields_list_has(f, FIELD_CONNECTION, STR("close")))
        return false;
    return minor > 0 || fields_list_has(f, FIELD_CONNECTION, STR("keep-alive"));
}
