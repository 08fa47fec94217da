#include "http/sf.h"

#include <string.h>

#include "base/buf.h"
#include "base/check.h"
#include "http/field.h"

/* RFC 9651 §3.1.2 to §3.3: what every parser has to support, and where this one ends. A look-up among n
 * keys costs n, so the limits also bound the time. */
#define MEMBERS_MAX 1024
#define ITEMS_MAX   256
#define PARAMS_MAX  256
/* Digits of an integer; of a decimal in front of the point and behind it (§3.3.1, §3.3.2). */
#define INTEGER_DIGITS  15
#define DECIMAL_DIGITS  12
#define FRACTION_DIGITS 3

/* What is left of the input, and where results go. Every parse function takes its part off the front. One
 * that returns false leaves the byte in front that is wrong, or nothing when something is missing at the end;
 * nothing else is looked at then. */
struct parser {
    struct str in;
    struct arena *a;
};

static bool next_is(const struct parser *p, char c)
{
    return p->in.n > 0 && p->in.p[0] == c;
}

static void skip(struct parser *p, size_t n)
{
    p->in = (struct str){ p->in.p + n, p->in.n - n };
}

/* Something before what is left was wrong: for `return`. */
static bool wrong_at(struct parser *p, const char *at)
{
    p->in = (struct str){ at, p->in.n + (size_t)(p->in.p - at) };
    return false;
}

static bool take(struct parser *p, char c)
{
    if (!next_is(p, c))
        return false;
    skip(p, 1);
    return true;
}

static void skip_sp(struct parser *p)
{
    while (take(p, ' '))
        ;
}

static void skip_ows(struct parser *p)
{
    while (take(p, ' ') || take(p, '\t'))
        ;
}

/* The first n bytes, taken off. */
static struct str cut(struct parser *p, size_t n)
{
    struct str s = str_first(p->in, n);
    skip(p, n);
    return s;
}

/*
 * A growing array in the arena: room for one more element of `bytes`, the old ones copied when it is full.
 * The arrays left behind add up to less than the last one.
 */
static void *room(struct arena *a, void *v, size_t n, size_t *cap, size_t bytes)
{
    if (n < *cap)
        return v;
    size_t more = *cap ? *cap * 2 : 8;
    char *grown = arena_alloc(a, more * bytes);
    if (n)
        memcpy(grown, v, n * bytes);
    *cap = more;
    return grown;
}

/* Bare items (RFC 9651 §4.2.3.1 to §4.2.10). */

static size_t digits_at(struct str s)
{
    size_t n = 0;
    while (n < s.n && is_digit(s.p[n]))
        n++;
    return n;
}

static int64_t number_of(struct str digits)
{
    uint64_t value = 0;
    CHECK(str_to_u64(digits, INT64_MAX, &value));
    return (int64_t)value;
}

static bool parse_decimal(struct parser *p, struct str whole, struct sf_value *out)
{
    struct str fraction = cut(p, digits_at(p->in));
    if (whole.n > DECIMAL_DIGITS)
        return wrong_at(p, whole.p + DECIMAL_DIGITS);
    if (fraction.n == 0)
        return false;
    if (fraction.n > FRACTION_DIGITS)
        return wrong_at(p, fraction.p + FRACTION_DIGITS);
    int64_t thousandths = number_of(fraction);
    for (size_t n = fraction.n; n < FRACTION_DIGITS; n++)
        thousandths *= 10;
    *out = (struct sf_value){ .type = SF_DECIMAL, .integer = number_of(whole) * 1000 + thousandths };
    return true;
}

static bool parse_number(struct parser *p, struct sf_value *out)
{
    bool negative = take(p, '-');
    struct str whole = cut(p, digits_at(p->in));
    if (whole.n == 0)
        return false;
    if (whole.n > INTEGER_DIGITS)
        return wrong_at(p, whole.p + INTEGER_DIGITS);
    if (take(p, '.')) {
        if (!parse_decimal(p, whole, out))
            return false;
    } else {
        *out = (struct sf_value){ .type = SF_INTEGER, .integer = number_of(whole) };
    }
    if (negative)
        out->integer = -out->integer;
    return true;
}

static bool parse_date(struct parser *p, struct sf_value *out)
{
    skip(p, 1);
    const char *number = p->in.p;
    if (!parse_number(p, out))
        return false;
    if (out->type != SF_INTEGER)
        return wrong_at(p, number);
    out->type = SF_DATE;
    return true;
}

static bool parse_boolean(struct parser *p, struct sf_value *out)
{
    skip(p, 1);
    *out = (struct sf_value){ .type = SF_BOOLEAN, .boolean = next_is(p, '1') };
    return take(p, '0') || take(p, '1');
}

static bool is_printable(char c)
{
    return c >= 0x20 && c <= 0x7e;
}

/* Without its backslashes; a string that has none stays where it is. */
static struct str unescape(struct str s, struct arena *a)
{
    if (str_index(s, '\\') == s.n)
        return s;
    char *to = arena_alloc(a, s.n);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        to[n++] = s.p[i] == '\\' ? s.p[++i] : s.p[i];
    return (struct str){ to, n };
}

static bool parse_string(struct parser *p, struct sf_value *out)
{
    skip(p, 1);
    size_t n = 0;
    while (n < p->in.n && p->in.p[n] != '"') {
        bool escaped = p->in.p[n] == '\\';
        n += escaped;
        if (n == p->in.n || !is_printable(p->in.p[n]) ||
            (escaped && p->in.p[n] != '"' && p->in.p[n] != '\\')) {
            skip(p, n);
            return false;
        }
        n++;
    }
    *out = (struct sf_value){ .type = SF_STRING, .text = unescape(cut(p, n), p->a) };
    return take(p, '"');
}

static bool parse_token(struct parser *p, struct sf_value *out)
{
    size_t n = 1;
    while (n < p->in.n && (is_token_char(p->in.p[n]) || p->in.p[n] == ':' || p->in.p[n] == '/'))
        n++;
    *out = (struct sf_value){ .type = SF_TOKEN, .text = cut(p, n) };
    return true;
}

int sf_base64_bits(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (is_digit(c))
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Padding may be missing, and the bits behind the last byte may be anything (RFC 9651 §4.2.7); half a
 * padding is none. */
static bool base64_decode(struct str s, struct arena *a, struct str *out)
{
    size_t padding = 0, n = 0;
    while (padding < s.n && s.p[s.n - 1 - padding] == '=')
        padding++;
    struct str text = str_first(s, s.n - padding);
    if (text.n % 4 == 1 || (padding && (padding > 2 || s.n % 4 != 0)))
        return false;
    char *bytes = arena_alloc(a, s.n);
    unsigned held = 0, bits = 0;
    for (size_t i = 0; i < text.n; i++) {
        int six = sf_base64_bits(text.p[i]);
        if (six < 0)
            return false;
        held = (held << 6 | (unsigned)six) & 0xfff;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            bytes[n++] = (char)(unsigned char)(held >> bits);
        }
    }
    *out = (struct str){ bytes, n };
    return true;
}

static bool parse_bytes(struct parser *p, struct sf_value *out)
{
    skip(p, 1);
    *out = (struct sf_value){ .type = SF_BYTES };
    struct str text = cut(p, str_index(p->in, ':'));
    return take(p, ':') && (base64_decode(text, p->a, &out->text) || wrong_at(p, text.p));
}

/* Lower case only (RFC 9651 §4.2.10); -1 for anything else. */
static int hex_digit(char c)
{
    return is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool parse_display(struct parser *p, struct sf_value *out)
{
    skip(p, 1);
    if (!take(p, '"'))
        return false;
    struct str text = cut(p, str_index(p->in, '"'));
    if (!take(p, '"'))
        return false;
    char *to = arena_alloc(p->a, text.n);
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c == '%') {
            int high = i + 1 < text.n ? hex_digit(text.p[i + 1]) : -1;
            int low = i + 2 < text.n ? hex_digit(text.p[i + 2]) : -1;
            if (high < 0 || low < 0)
                return wrong_at(p, text.p + i);
            c = (char)(unsigned char)(high << 4 | low);
            i += 2;
        } else if (!is_printable(c)) {
            return wrong_at(p, text.p + i);
        }
        to[n++] = c;
    }
    *out = (struct sf_value){ .type = SF_DISPLAY, .text = { to, n } };
    return str_is_utf8(out->text) || wrong_at(p, text.p);
}

static bool parse_bare_item(struct parser *p, struct sf_value *out)
{
    char c = p->in.n ? p->in.p[0] : '\0';
    switch (c) {
    case '"': return parse_string(p, out);
    case ':': return parse_bytes(p, out);
    case '?': return parse_boolean(p, out);
    case '@': return parse_date(p, out);
    case '%': return parse_display(p, out);
    default:
        if (c == '-' || is_digit(c))
            return parse_number(p, out);
        return (c == '*' || is_alpha(c)) && parse_token(p, out);
    }
}

/* Keys, parameters, items, inner lists (§4.2.1.2, §4.2.3). */

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool parse_key(struct parser *p, struct str *out)
{
    size_t n = 0;
    while (n < p->in.n &&
           (is_lower(p->in.p[n]) || is_digit(p->in.p[n]) || (p->in.p[n] && strchr("_-.*", p->in.p[n]))))
        n++;
    if (n == 0 || !(is_lower(p->in.p[0]) || p->in.p[0] == '*'))
        return false;
    *out = cut(p, n);
    return true;
}

/* What a key without "=" means. */
static struct sf_value value_true(void)
{
    return (struct sf_value){ .type = SF_BOOLEAN, .boolean = true };
}

/* The place of the parameter: its old one if it was there, else a new one. NULL: too many. */
static struct sf_param *param_place(struct parser *p, struct sf_member *m, size_t *cap, struct str key)
{
    for (size_t i = 0; i < m->params_n; i++)
        if (str_eq(m->params[i].key, key))
            return &m->params[i];
    if (m->params_n == PARAMS_MAX)
        return NULL;
    m->params = room(p->a, m->params, m->params_n, cap, sizeof(*m->params));
    return &m->params[m->params_n++];
}

static bool parse_params(struct parser *p, struct sf_member *m)
{
    size_t cap = 0;
    while (take(p, ';')) {
        struct str key;
        struct sf_value value = value_true();
        skip_sp(p);
        if (!parse_key(p, &key) || (take(p, '=') && !parse_bare_item(p, &value)))
            return false;
        struct sf_param *place = param_place(p, m, &cap, key);
        if (!place)
            return false;
        *place = (struct sf_param){ key, value };
    }
    return true;
}

static bool parse_item(struct parser *p, struct sf_member *out)
{
    *out = (struct sf_member){ 0 };
    return parse_bare_item(p, &out->value) && parse_params(p, out);
}

static bool parse_inner_list(struct parser *p, struct sf_member *out)
{
    size_t cap = 0;
    skip(p, 1);
    *out = (struct sf_member){ .value.type = SF_INNER_LIST };
    for (;;) {
        skip_sp(p);
        if (take(p, ')'))
            return parse_params(p, out);
        if (out->items_n == ITEMS_MAX)
            return false;
        out->items = room(p->a, out->items, out->items_n, &cap, sizeof(*out->items));
        if (!parse_item(p, &out->items[out->items_n++]))
            return false;
        if (!next_is(p, ' ') && !next_is(p, ')'))
            return false;
    }
}

static bool parse_member(struct parser *p, struct sf_member *out)
{
    return next_is(p, '(') ? parse_inner_list(p, out) : parse_item(p, out);
}

/* Whole fields (§4.2). */

static struct parser parser_of(struct str value, struct arena *a)
{
    struct parser p = { value, a };
    skip_sp(&p);
    return p;
}

bool sf_parse_item(struct str value, struct arena *a, struct sf_member *out)
{
    struct parser p = parser_of(value, a);
    if (!parse_item(&p, out))
        return false;
    skip_sp(&p);
    return p.in.n == 0;
}

/* Behind a member: the end of the field, or a comma and another member. */
static bool parse_comma(struct parser *p)
{
    skip_ows(p);
    if (p->in.n == 0)
        return true;
    const char *comma = p->in.p;
    if (!take(p, ','))
        return false;
    skip_ows(p);
    return p->in.n > 0 || wrong_at(p, comma); /* nothing comes behind it */
}

/* For `return`: where the parser stands. */
static bool no_members(const struct parser *p, struct str value, struct sf_members *out)
{
    *out = (struct sf_members){ .bad_at = (size_t)(p->in.p - value.p) };
    return false;
}

bool sf_parse_list(struct str value, struct arena *a, struct sf_members *out)
{
    struct parser p = parser_of(value, a);
    size_t cap = 0;
    *out = (struct sf_members){ .n = 0 };
    while (p.in.n) {
        if (out->n == MEMBERS_MAX)
            return no_members(&p, value, out);
        out->v = room(a, out->v, out->n, &cap, sizeof(*out->v));
        if (!parse_member(&p, &out->v[out->n++]) || !parse_comma(&p))
            return no_members(&p, value, out);
    }
    return true;
}

static struct sf_member *find(const struct sf_members *d, struct str key)
{
    for (size_t i = 0; i < d->n; i++)
        if (str_eq(d->v[i].key, key))
            return &d->v[i];
    return NULL;
}

/* A dictionary's member behind its key: "=value", or true, with parameters either way. */
static bool parse_dictionary_value(struct parser *p, struct sf_member *out)
{
    if (take(p, '='))
        return parse_member(p, out);
    *out = (struct sf_member){ .value = value_true() };
    return parse_params(p, out);
}

bool sf_parse_dictionary(struct str value, struct arena *a, struct sf_members *out)
{
    struct parser p = parser_of(value, a);
    size_t cap = 0;
    *out = (struct sf_members){ .n = 0 };
    while (p.in.n) {
        struct str key;
        struct sf_member member;
        if (!parse_key(&p, &key) || !parse_dictionary_value(&p, &member) || !parse_comma(&p))
            return no_members(&p, value, out);
        member.key = key;
        struct sf_member *place = find(out, key);
        if (!place) {
            if (out->n == MEMBERS_MAX) {
                wrong_at(&p, key.p);
                return no_members(&p, value, out);
            }
            out->v = room(a, out->v, out->n, &cap, sizeof(*out->v));
            place = &out->v[out->n++];
        }
        *place = member;
    }
    return true;
}

const struct sf_member *sf_get(const struct sf_members *d, struct str key)
{
    return find(d, key);
}

void sf_write_string(struct buf *out, struct str s)
{
    buf_add_char(out, '"');
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '"' || s.p[i] == '\\')
            buf_add_char(out, '\\');
        buf_add_char(out, is_printable(s.p[i]) ? s.p[i] : '?');
    }
    buf_add_char(out, '"');
}
