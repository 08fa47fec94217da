#include "http/chunked.h"

#include "base/check.h"

#define SIZE_DIGITS_MAX 16
/* tbl/errors.h says what these two are, too. */
#define EXT_BYTES_MAX     16384 /* of a whole message: no honest sender is known that comes near */
#define TRAILER_BYTES_MAX 16384

/*
 * chunk   = 1*HEXDIG *( BWS ";" BWS token [ BWS "=" BWS ( token / quoted-string ) ] ) CR LF data CR LF
 * last    = 1*"0" extensions as above CR LF
 * trailer = *( token ":" value CR LF ) CR LF
 * One state is one place between two bytes of it. BWS (SP, HTAB) counts only where the grammar has it: behind
 * a size or an extension with nothing to follow it is a fault.
 */
enum state {
    SIZE,        /* before or in the size */
    SIZE_LF,     /* behind the CR of its line */
    EXT_NEXT,    /* behind BWS: ';' must come */
    EXT_NAME,    /* behind ';', before the name's first byte */
    EXT_NAME_IN, /* in the name */
    EXT_EQUALS,  /* behind the name and BWS: '=' or ';' must come */
    EXT_VALUE,   /* behind '=', before the value's first byte */
    EXT_TOKEN,   /* in a token */
    EXT_QUOTED,  /* in a quoted string */
    EXT_ESCAPED, /* behind a backslash in it */
    EXT_CLOSED,  /* behind its end */
    DATA,
    DATA_CR, /* behind the data */
    DATA_LF,
    TRAILER, /* before a trailer line or the empty line that ends the body */
    TRAILER_NAME,
    TRAILER_VALUE,
    TRAILER_LF,
    LAST_LF,
    DONE,
    BAD,
};

void chunked_init(struct chunked *c)
{
    *c = (struct chunked){ .state = SIZE };
}

static enum http_error go(struct chunked *c, enum state next)
{
    c->state = next;
    return HTTP_ERROR_NONE;
}

/* A byte that does not belong: a line feed says more about its sender than the place it stands in. */
static enum http_error fault(char b, enum http_error usual)
{
    return b == '\n' ? HTTP_ERROR_LINE_ENDING : usual;
}

static bool is_white(char b)
{
    return b == ' ' || b == '\t';
}

static enum http_error step_size(struct chunked *c, char b)
{
    int digit = ascii_hex_value(b);
    if (digit >= 0) {
        if (c->digits == SIZE_DIGITS_MAX)
            return HTTP_ERROR_CHUNK_SIZE;
        c->digits++;
        c->left = c->left << 4 | (unsigned)digit;
        return HTTP_ERROR_NONE;
    }
    if (c->digits == 0 || c->left > INT64_MAX)
        return fault(b, HTTP_ERROR_CHUNK_SIZE);
    if (b == '\r')
        return go(c, SIZE_LF);
    if (b == ';')
        return go(c, EXT_NAME);
    return is_white(b) ? go(c, EXT_NEXT) : fault(b, HTTP_ERROR_CHUNK_SIZE);
}

/* Behind a whole extension. */
static enum http_error step_behind(struct chunked *c, char b)
{
    if (b == '\r')
        return go(c, SIZE_LF);
    if (b == ';')
        return go(c, EXT_NAME);
    return is_white(b) ? go(c, EXT_NEXT) : fault(b, HTTP_ERROR_CHUNK_EXTENSION);
}

static enum http_error step_extension(struct chunked *c, char b)
{
    if (++c->ext_bytes > EXT_BYTES_MAX)
        return HTTP_ERROR_CHUNK_EXTENSIONS_TOO_LARGE;
    switch ((enum state)c->state) {
    case EXT_NEXT:
        if (is_white(b))
            return HTTP_ERROR_NONE;
        return b == ';' ? go(c, EXT_NAME) : fault(b, HTTP_ERROR_CHUNK_EXTENSION);
    case EXT_NAME:
        if (is_white(b))
            return HTTP_ERROR_NONE;
        return is_token_char(b) ? go(c, EXT_NAME_IN) : fault(b, HTTP_ERROR_CHUNK_EXTENSION);
    case EXT_NAME_IN:
        if (is_token_char(b))
            return HTTP_ERROR_NONE;
        if (b == '=')
            return go(c, EXT_VALUE);
        return is_white(b) ? go(c, EXT_EQUALS) : step_behind(c, b);
    case EXT_EQUALS:
        if (is_white(b))
            return HTTP_ERROR_NONE;
        if (b == '=')
            return go(c, EXT_VALUE);
        return b == ';' ? go(c, EXT_NAME) : fault(b, HTTP_ERROR_CHUNK_EXTENSION);
    case EXT_VALUE:
        if (is_white(b))
            return HTTP_ERROR_NONE;
        if (b == '"')
            return go(c, EXT_QUOTED);
        return is_token_char(b) ? go(c, EXT_TOKEN) : fault(b, HTTP_ERROR_CHUNK_EXTENSION);
    case EXT_TOKEN: return is_token_char(b) ? HTTP_ERROR_NONE : step_behind(c, b);
    case EXT_QUOTED:
        if (b == '"')
            return go(c, EXT_CLOSED);
        if (b == '\\')
            return go(c, EXT_ESCAPED);
        return is_field_text(b) ? HTTP_ERROR_NONE : fault(b, HTTP_ERROR_CHUNK_EXTENSION);
    case EXT_ESCAPED: return is_field_text(b) ? go(c, EXT_QUOTED) : fault(b, HTTP_ERROR_CHUNK_EXTENSION);
    case EXT_CLOSED: return step_behind(c, b);
    default: UNREACHABLE();
    }
}

/* The size line has ended. */
static enum http_error begin_chunk(struct chunked *c)
{
    c->digits = 0;
    c->name_n = 0;
    return go(c, c->left ? DATA : TRAILER);
}

/* A name longer than any that freshet knows need not be kept whole: it is none of them. */
static void keep_name_byte(struct chunked *c, char b)
{
    if (c->name_n < sizeof(c->name))
        c->name[c->name_n++] = b;
}

static bool is_forbidden_trailer(struct str name)
{
    enum field_class class = field_class_of(field_id_of(name));
    return class == FIELD_CLASS_F || class == FIELD_CLASS_H || field_name_is_disguised(name);
}

static enum http_error step_trailer(struct chunked *c, char b)
{
    if (++c->trailer_bytes > TRAILER_BYTES_MAX)
        return HTTP_ERROR_TRAILERS_TOO_LARGE;
    switch ((enum state)c->state) {
    case TRAILER:
        if (b == '\r')
            return go(c, LAST_LF);
        c->name_n = 0;
        c->state = TRAILER_NAME;
        if (!is_token_char(b))
            return fault(b, HTTP_ERROR_TRAILER);
        keep_name_byte(c, b);
        return HTTP_ERROR_NONE;
    case TRAILER_NAME:
        if (is_token_char(b)) {
            keep_name_byte(c, b);
            return HTTP_ERROR_NONE;
        }
        if (b != ':')
            return fault(b, HTTP_ERROR_TRAILER);
        if (is_forbidden_trailer((struct str){ c->name, c->name_n }))
            return HTTP_ERROR_TRAILER_FORBIDDEN;
        return go(c, TRAILER_VALUE);
    case TRAILER_VALUE:
        if (b == '\r')
            return go(c, TRAILER_LF);
        return is_field_text(b) ? HTTP_ERROR_NONE : fault(b, HTTP_ERROR_TRAILER);
    default: UNREACHABLE();
    }
}

/* One byte outside the data. */
static enum http_error step(struct chunked *c, char b)
{
    switch ((enum state)c->state) {
    case SIZE: return step_size(c, b);
    case SIZE_LF: return b == '\n' ? begin_chunk(c) : HTTP_ERROR_LINE_ENDING;
    case EXT_NEXT:
    case EXT_NAME:
    case EXT_NAME_IN:
    case EXT_EQUALS:
    case EXT_VALUE:
    case EXT_TOKEN:
    case EXT_QUOTED:
    case EXT_ESCAPED:
    case EXT_CLOSED: return step_extension(c, b);
    case DATA_CR: return b == '\r' ? go(c, DATA_LF) : HTTP_ERROR_CHUNK_END;
    case DATA_LF: return b == '\n' ? go(c, SIZE) : HTTP_ERROR_CHUNK_END;
    case TRAILER:
    case TRAILER_NAME:
    case TRAILER_VALUE: return step_trailer(c, b);
    case TRAILER_LF: return b == '\n' ? go(c, TRAILER) : HTTP_ERROR_LINE_ENDING;
    case LAST_LF: return b == '\n' ? go(c, DONE) : HTTP_ERROR_LINE_ENDING;
    case DATA:
    case DONE:
    case BAD: break;
    }
    UNREACHABLE();
}

static enum chunked_event take_data(struct chunked *c, struct str *in, struct str *data)
{
    size_t n = in->n < c->left ? in->n : (size_t)c->left;
    *data = str_first(*in, n);
    *in = (struct str){ in->p + n, in->n - n };
    c->left -= n;
    if (c->left == 0)
        c->state = DATA_CR;
    return CHUNKED_DATA;
}

enum chunked_event chunked_decode(struct chunked *c, struct str *in, struct str *data, enum http_error *error)
{
    while (c->state != DONE && c->state != BAD) {
        if (in->n == 0)
            return CHUNKED_MORE;
        if (c->state == DATA)
            return take_data(c, in, data);
        c->error = step(c, in->p[0]);
        *in = (struct str){ in->p + 1, in->n - 1 };
        if (c->error)
            c->state = BAD;
    }
    if (c->state == DONE)
        return CHUNKED_DONE;
    *error = c->error;
    return CHUNKED_BAD;
}

size_t chunk_head(char *out, uint64_t bytes)
{
    static const char digits[] = "0123456789abcdef";
    CHECK(bytes > 0);
    size_t n = 1;
    while (n < 16 && bytes >> 4 * n)
        n++;
    for (size_t i = 0; i < n; i++)
        out[i] = digits[bytes >> 4 * (n - 1 - i) & 15];
    out[n] = '\r';
    out[n + 1] = '\n';
    return n + 2;
}
