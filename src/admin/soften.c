#include "admin/soften.h"

#define DIGITS_MAX 18 /* of an integer that surely has 64 bits */

struct reader {
    struct str in;
    size_t at;
    struct buf *out;
};

static char byte(const struct reader *r, size_t ahead)
{
    return r->at + ahead < r->in.n ? r->in.p[r->at + ahead] : '\0';
}

/* At most as much as is there. */
static void copy(struct reader *r, size_t n)
{
    struct str s = str_first(str_from_index(r->in, r->at), n);
    buf_add(r->out, s);
    r->at += s.n;
}

/* ---- strings ---- */

/* The value of "\uXXXX" that begins `ahead` bytes from here; -1: there is none. */
static int escape_at(const struct reader *r, size_t ahead)
{
    int value = 0;
    if (byte(r, ahead) != '\\' || byte(r, ahead + 1) != 'u')
        return -1;
    for (size_t i = 2; i < 6; i++) {
        int digit = ascii_hex_value(byte(r, ahead + i));
        if (digit < 0)
            return -1;
        value = value << 4 | digit;
    }
    return value;
}

static void take_escape(struct reader *r)
{
    int value = escape_at(r, 0), next = escape_at(r, 6);
    bool high = value >= 0xd800 && value < 0xdc00, low = value >= 0xdc00 && value < 0xe000;
    if (value < 0) {
        copy(r, 2); /* \n, or what is no JSON */
    } else if (high && next >= 0xdc00 && next < 0xe000) {
        copy(r, 12);
    } else if (high || low || value == 0) {
        buf_add(r->out, value ? STR("\\ufffd") : STR("\\u0001"));
        r->at += 6;
    } else {
        copy(r, 6);
    }
}

/* From its first quote on. */
static void take_string(struct reader *r)
{
    size_t plain = 1;
    while (r->at + plain < r->in.n && byte(r, plain) != '"') {
        if (byte(r, plain) != '\\') {
            plain++;
            continue;
        }
        copy(r, plain);
        take_escape(r);
        plain = 0;
    }
    copy(r, plain + 1);
}

/* ---- numbers ---- */

static size_t digits_at(const struct reader *r, size_t ahead)
{
    size_t n = 0;
    while (is_digit(byte(r, ahead + n)))
        n++;
    return n;
}

/* Behind the integer: a fraction and an exponent. Returns their bytes; 0: there are none, or they are no
 * JSON. */
static size_t rest_of_number(const struct reader *r, size_t ahead)
{
    size_t n = 0;
    if (byte(r, ahead) == '.') {
        size_t digits = digits_at(r, ahead + 1);
        if (digits == 0)
            return 0;
        n = 1 + digits;
    }
    if ((byte(r, ahead + n) | 0x20) == 'e') {
        size_t sign = byte(r, ahead + n + 1) == '+' || byte(r, ahead + n + 1) == '-';
        size_t digits = digits_at(r, ahead + n + 1 + sign);
        if (digits == 0)
            return 0;
        n += 1 + sign + digits;
    }
    return n;
}

static void take_number(struct reader *r)
{
    size_t sign = byte(r, 0) == '-', digits = digits_at(r, sign), whole = sign + digits;
    size_t rest = rest_of_number(r, whole);
    bool good = digits == 1 || (digits > 1 && byte(r, sign) != '0');
    if (good && rest) {
        buf_add(r->out, STR("0.5"));
        r->at += whole + rest;
    } else if (good && digits > DIGITS_MAX) {
        buf_add_char(r->out, '"');
        copy(r, whole);
        buf_add_char(r->out, '"');
    } else {
        copy(r, whole);
    }
}

void soften_json(struct str json, struct buf *out)
{
    struct reader r = { json, 0, out };
    while (r.at < json.n) {
        char c = byte(&r, 0);
        if (c == '"')
            take_string(&r);
        else if (c == '-' || is_digit(c))
            take_number(&r);
        else
            copy(&r, 1);
    }
}
