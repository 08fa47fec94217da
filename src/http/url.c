/*
 * Request targets, hosts and queries. Everything is decided by looking at bytes; what is accepted comes out
 * in one spelling, so that the key and the origin can never be of two opinions about what was asked for.
 */
#include "http/url.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/check.h"
#include "http/scan.h"

/* The longest host: RFC 1035 allows 253 bytes without and 254 with the last dot. */
#define HOST_BYTES_MAX 255

/* RFC 3986 §2.3 */
static bool is_unreserved(unsigned char c)
{
    static const bool unreserved[256] = {
        ['0' ... '9'] = true, ['A' ... 'Z'] = true, ['a' ... 'z'] = true, ['-'] = true,
        ['.'] = true,         ['_'] = true,         ['~'] = true
    };
    return unreserved[c];
}

static bool is_control(unsigned char c)
{
    return c < 0x20 || c == 0x7f;
}

/* What a hexadecimal digit counts, and one more; 0: it is none. A path may consist of them. */
static const uint8_t hex_values[256] = {
    ['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,  ['6'] = 7,  ['7'] = 8,
    ['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
    ['A'] = 11, ['B'] = 12, ['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16,
};

/* 0 to 15, or -1. */
static int hex_value(char c)
{
    return hex_values[(unsigned char)c] - 1;
}

/* The byte that the "%XX" at s.p[at] stands for, or -1 when it is not one. */
static int percent_byte(struct str s, size_t at)
{
    if (s.n - at < 3)
        return -1;
    int high = hex_value(s.p[at + 1]), low = hex_value(s.p[at + 2]);
    return (high | low) < 0 ? -1 : high << 4 | low;
}

/* What the bytes of a target are, found in one pass. */
struct target_look {
    bool good;      /* visible ASCII without '#' */
    bool is_normal; /* no percent-encoding, and no segment that begins with a dot */
    size_t mark;    /* the first '?', or the length */
};

static struct target_look target_look(struct str s)
{
    word bad = { 0 }, percent = { 0 };
    unsigned dots = 0, slash = 0; /* slash: was the last byte one */
    size_t mark = s.n;
    for (size_t at = 0; at < s.n; at += WORD_BYTES) {
        size_t left = s.n - at;
        word w = left >= WORD_BYTES ? word_load(s.p + at) : word_load_short(s.p + at, left, 'a');
        bad |= ~word_within(w, 0x21, 0x7e) | word_is(w, '#');
        percent |= word_is(w, '%');
        unsigned slashes = word_bits(word_is(w, '/')), marks = word_bits(word_is(w, '?'));
        dots |= word_bits(word_is(w, '.')) & (slashes << 1 | slash);
        slash = slashes >> (WORD_BYTES - 1);
        if (marks && mark == s.n)
            mark = at + (size_t)__builtin_ctz(marks);
    }
    return (struct target_look){ !word_bits(bad), !word_bits(percent) && !dots, mark };
}

/* Takes "/path?query" apart at its first '?'; an empty path is "/". */
static void target_split(struct str rest, size_t mark, struct target *out)
{
    out->path = mark ? str_first(rest, mark) : STR("/");
    out->has_query = mark < rest.n;
    /* Not str_from_index: an empty query still points to its place in the input. */
    out->query = out->has_query ? (struct str){ rest.p + mark + 1, rest.n - mark - 1 } : STR_NONE;
}

/* Length of "/", "?" or the end: what ends an authority (RFC 3986 §3.2; '#' was refused before). */
static size_t authority_bytes(struct str s)
{
    size_t n = 0;
    while (n < s.n && s.p[n] != '/' && s.p[n] != '?')
        n++;
    return n;
}

static enum http_error absolute_parse(struct str raw, struct target *out)
{
    if (str_starts_nocase(raw, STR("http://")))
        out->scheme = STR("http");
    else if (str_starts_nocase(raw, STR("https://")))
        out->scheme = STR("https");
    else
        return HTTP_ERROR_TARGET;
    struct str rest = str_from_index(raw, out->scheme.n + 3);
    out->form = TARGET_ABSOLUTE;
    out->authority = str_first(rest, authority_bytes(rest));
    /* An empty host is invalid (RFC 9110 §4.2.1); userinfo is a phishing trick (§4.2.4). */
    if (out->authority.n == 0 || str_index(out->authority, '@') < out->authority.n)
        return HTTP_ERROR_TARGET;
    rest.p += out->authority.n;
    rest.n -= out->authority.n;
    target_split(rest, str_index(rest, '?'), out);
    return HTTP_ERROR_NONE;
}

static const char hex_digits[] = "0123456789ABCDEF";

static char *percent_write(char *to, unsigned char byte)
{
    *to++ = '%';
    *to++ = hex_digits[byte >> 4];
    *to++ = hex_digits[byte & 15];
    return to;
}

bool target_encode(struct str raw, struct arena *a, struct str *out)
{
    size_t high = 0;
    *out = raw;
    for (size_t i = 0; i < raw.n; i++)
        high += (unsigned char)raw.p[i] >= 0x80;
    if (high == 0)
        return true;
    if (!str_is_utf8(raw))
        return false;
    char *p = arena_alloc(a, raw.n + 2 * high), *to = p;
    for (size_t i = 0; i < raw.n; i++) {
        if ((unsigned char)raw.p[i] >= 0x80)
            to = percent_write(to, (unsigned char)raw.p[i]);
        else
            *to++ = raw.p[i];
    }
    *out = (struct str){ p, (size_t)(to - p) };
    return true;
}

enum http_error target_parse(struct str raw, struct target *out)
{
    struct target_look look = target_look(raw);
    *out = (struct target){ .form = TARGET_ORIGIN, .is_normal = look.is_normal };
    if (raw.n == 0 || !look.good)
        return HTTP_ERROR_TARGET;
    if (raw.p[0] == '/') {
        target_split(raw, look.mark, out);
        return HTTP_ERROR_NONE;
    }
    if (str_eq(raw, STR("*"))) {
        out->form = TARGET_ASTERISK;
        out->path = raw;
        return HTTP_ERROR_NONE;
    }
    return absolute_parse(raw, out);
}

/* Of the segment that begins at `at` (behind its "/"): 1 when it is ".", 2 when it is "..", in any spelling;
 * else 0. */
static unsigned segment_dots(struct str path, size_t at)
{
    unsigned dots = 0;
    for (; dots < 3 && at < path.n; dots++) {
        if (path.p[at] == '.')
            at++;
        else if (path.p[at] == '%' && percent_byte(path, at) == '.')
            at += 3;
        else
            break;
    }
    return dots < 3 && (at == path.n || path.p[at] == '/') ? dots : 0;
}

/* A path that goes up and down more often than that is nobody's link. */
#define DOT_SEGMENTS_MAX 64

enum path_state { PATH_BAD, PATH_NORMAL, PATH_CHANGES };

/* Visible ASCII of a path that means nothing but itself. A path may be as long as the request line. */
static const bool plain_of_path[256] = {
    ['!' ... '"'] = true, ['$'] = true, ['&' ... '.'] = true, ['0' ... '>'] = true, ['@' ... '~'] = true,
};

/* What the byte at path.p[at], a '%', stands for; -1: it must not be there. */
static int encoding_of_path(struct str path, size_t at)
{
    int byte = percent_byte(path, at);
    return byte < 0 || is_control((unsigned char)byte) ? -1 : byte;
}

static bool is_normal_encoding(struct str path, size_t at, unsigned char byte)
{
    return !is_unreserved(byte) && path.p[at + 1] < 'a' && path.p[at + 2] < 'a';
}

/* Checks every byte up to the first that must be rewritten: most paths come in normal form and are not
 * copied. */
static enum path_state path_look(struct str path)
{
    for (size_t i = 0; i < path.n; i++) {
        char c = path.p[i];
        if (plain_of_path[(unsigned char)c])
            continue;
        if (c == '/') {
            if (segment_dots(path, i + 1))
                return PATH_CHANGES;
        } else if (c == '%') {
            int byte = encoding_of_path(path, i);
            if (byte < 0)
                return PATH_BAD;
            if (!is_normal_encoding(path, i, (unsigned char)byte))
                return PATH_CHANGES;
            i += 2;
        } else {
            return PATH_BAD;
        }
    }
    return PATH_NORMAL;
}

/* Writes the path with its percent-encodings in normal form to `to`, which has room for path.n bytes. Returns
 * how many it wrote; 0: the path has a byte that it must not have, or too many dot segments. */
static size_t encodings_normalize(struct str path, char *to)
{
    char *at = to;
    unsigned dots = 0;
    for (size_t i = 0; i < path.n; i++) {
        char c = path.p[i];
        if (plain_of_path[(unsigned char)c]) {
            *at++ = c;
        } else if (c == '/') {
            if (segment_dots(path, i + 1) && ++dots > DOT_SEGMENTS_MAX)
                return 0;
            *at++ = c;
        } else {
            int byte = c == '%' ? encoding_of_path(path, i) : -1;
            if (byte < 0)
                return 0;
            if (is_unreserved((unsigned char)byte))
                *at++ = (char)byte;
            else
                at = percent_write(at, (unsigned char)byte);
            i += 2;
        }
    }
    return (size_t)(at - to);
}

/* RFC 3986 §5.2.4, in place: the output is never ahead of the input. Every segment begins with its "/". */
static size_t dot_segments_remove(char *p, size_t n)
{
    size_t out = 0;
    for (size_t at = 0; at < n;) {
        const char *slash = memchr(p + at + 1, '/', n - at - 1);
        size_t end = slash ? (size_t)(slash - p) : n;
        unsigned dots = segment_dots((struct str){ p, n }, at + 1);
        if (dots) {
            const char *before = dots == 2 ? memrchr(p, '/', out) : p + out;
            out = before ? (size_t)(before - p) : 0;
            if (end == n)
                p[out++] = '/';
        } else {
            memmove(p + out, p + at, end - at);
            out += end - at;
        }
        at = end;
    }
    return out;
}

enum http_error path_normalize(struct str path, struct arena *a, struct str *out)
{
    *out = path;
    if (str_eq(path, STR("*")))
        return HTTP_ERROR_NONE;
    if (path.n == 0 || path.p[0] != '/')
        return HTTP_ERROR_TARGET;
    switch (path_look(path)) {
    case PATH_BAD: return HTTP_ERROR_TARGET_ENCODING;
    case PATH_NORMAL: return HTTP_ERROR_NONE;
    case PATH_CHANGES: break;
    }
    char *p = arena_alloc(a, path.n);
    size_t n = encodings_normalize(path, p);
    if (n == 0)
        return HTTP_ERROR_TARGET_ENCODING;
    n = dot_segments_remove(p, n);
    CHECK(n > 0 && n <= path.n && p[0] == '/');
    *out = (struct str){ p, n };
    return HTTP_ERROR_NONE;
}

struct str path_without_dots(struct str path, struct arena *a)
{
    size_t at = 0;
    while (at < path.n && !segment_dots(path, at + 1))
        at += 1 + str_index(str_from_index(path, at + 1), '/');
    if (at >= path.n || path.p[0] != '/')
        return path;
    char *p = arena_alloc(a, path.n);
    memcpy(p, path.p, path.n);
    return (struct str){ p, dot_segments_remove(p, path.n) };
}

enum http_error query_check(struct str query)
{
    for (size_t i = 0; i < query.n; i++) {
        char c = query.p[i];
        if (plain_of_path[(unsigned char)c])
            continue;
        if (c != '%' && c != '/' && c != '?')
            return HTTP_ERROR_TARGET_ENCODING;
        int byte = c == '%' ? percent_byte(query, i) : -1;
        if (byte < 0)
            continue;
        /* A form sends the three spaces of a text field. */
        if (is_control((unsigned char)byte) && byte != '\t' && byte != '\n' && byte != '\r')
            return HTTP_ERROR_TARGET_ENCODING;
        i += 2;
    }
    return HTTP_ERROR_NONE;
}

/* An IPv6 address has many spellings: the one of RFC 5952 is the key. `s`: without brackets. */
static bool ipv6_normalize(struct str s, struct arena *a, struct str *out)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr address;
    if (s.n == 0 || s.n >= sizeof(text))
        return false;
    memcpy(text, s.p, s.n);
    text[s.n] = '\0';
    if (strlen(text) != s.n || inet_pton(AF_INET6, text, &address) != 1)
        return false;
    CHECK(inet_ntop(AF_INET6, &address, text, sizeof(text)));
    struct str normal = str_from(text);
    *out = str_eq(normal, s) ? (struct str){ s.p - 1, s.n + 2 } : arena_printf(a, "[%s]", text);
    return true;
}

/* "name:port" of what was not spelled so. */
static struct str authority_write(struct host host, struct arena *a)
{
    char digits[5];
    size_t n = sizeof(digits);
    for (unsigned port = host.port; port; port /= 10)
        digits[--n] = (char)('0' + port % 10);
    char *p = arena_alloc(a, host.name.n + 1 + sizeof(digits) - n);
    memcpy(p, host.name.p, host.name.n);
    p[host.name.n] = ':';
    memcpy(p + host.name.n + 1, digits + n, sizeof(digits) - n);
    return (struct str){ p, host.name.n + 1 + sizeof(digits) - n };
}

/* What stands behind the name, `at` of raw: nothing, or ":" and a port that may be empty. */
static enum http_error port_parse(struct str raw, size_t at, bool https, struct arena *a, struct host *out)
{
    uint64_t port = 0;
    struct str digits = str_from_index(raw, at + 1);
    if (at < raw.n && raw.p[at] != ':')
        return HTTP_ERROR_HOST_INVALID;
    if (digits.n && (digits.n > 5 || !str_to_u64(digits, 65535, &port) || port == 0))
        return HTTP_ERROR_HOST_INVALID;
    out->port = port == (https ? 443 : 80) ? 0 : (uint16_t)port;
    bool as_spelled = out->name.p == raw.p && out->name.n == at && digits.n && digits.p[0] != '0';
    out->authority = !out->port ? out->name : as_spelled ? raw : authority_write(*out, a);
    return HTTP_ERROR_NONE;
}

/* The registered name or IPv4 address at the front of raw: its length, or 0 when it has an empty label. Looks
 * at sixteen bytes at a time. */
static size_t name_scan(struct str raw, bool *has_upper)
{
    unsigned before = 1; /* the label would be empty if the next byte were a dot */
    for (size_t n = 0;;) {
        size_t left = raw.n - n;
        word w = left < WORD_BYTES ? word_load_short(raw.p + n, left, ':') : word_load(raw.p + n);
        word upper = word_within(w, 'A', 'Z');
        word plain =
            word_within(w, 'a', 'z') | upper | word_within(w, '0', '9') | word_is(w, '-') | word_is(w, '_');
        unsigned dots = word_bits(word_is(w, '.')), ends = ~(word_bits(plain) | dots);
        unsigned most = (unsigned)__builtin_ctz(ends),
                 of_name = (1u << most) - 1; /* behind the word all end */
        dots &= of_name;
        *has_upper |= (word_bits(upper) & of_name) != 0;
        if (dots & (dots << 1 | before))
            return 0;
        n += most;
        if (most < WORD_BYTES)
            return n;
        before = dots >> (WORD_BYTES - 1);
    }
}

enum http_error host_parse(struct str raw, bool https, struct arena *a, struct host *out)
{
    size_t n;
    *out = (struct host){ 0 };
    if (raw.n && raw.p[0] == '[') {
        n = str_index(raw, ']') + 1;
        if (n > raw.n || !ipv6_normalize((struct str){ raw.p + 1, n - 2 }, a, &out->name))
            return HTTP_ERROR_HOST_INVALID;
    } else {
        bool has_upper = false;
        n = name_scan(raw, &has_upper);
        if (n == 0 || n > HOST_BYTES_MAX)
            return HTTP_ERROR_HOST_INVALID;
        struct str name = str_first(raw, n - (raw.p[n - 1] == '.'));
        out->name = has_upper ? arena_dup_lower(a, name) : name;
    }
    return port_parse(raw, n, https, a, out);
}

bool query_is_coded(struct str query)
{
    return str_index(query, '%') < query.n || str_index(query, '+') < query.n;
}

struct str query_decode(struct str s, struct arena *a)
{
    size_t plain = str_index(s, '%'), n = 0;
    plain = str_index(str_first(s, plain), '+');
    if (plain == s.n)
        return s;
    char *p = arena_alloc(a, s.n);
    for (size_t i = 0; i < s.n; i++) {
        int byte = s.p[i] == '%' ? percent_byte(s, i) : -1;
        if (byte >= 0)
            i += 2;
        else
            byte = s.p[i] == '+' ? ' ' : s.p[i];
        p[n++] = (char)byte;
    }
    return (struct str){ p, n };
}
