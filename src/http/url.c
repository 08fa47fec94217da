/*
 * Request targets, hosts and queries. Everything is decided by looking at bytes; what is accepted comes out
 * in one spelling, so that the key and the origin can never be of two opinions about what was asked for.
 */
#include "http/url.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/check.h"

/* The longest host: RFC 1035 allows 253 bytes without and 254 with the last dot. */
#define HOST_BYTES_MAX 255

static bool is_visible(char c)
{
    return c > 0x20 && c < 0x7f;
}

/* RFC 3986 §2.3 */
static bool is_unreserved(unsigned char c)
{
    return is_alpha((char)c) || is_digit((char)c) || c == '-' || c == '.' || c == '_' || c == '~';
}

static bool is_control(unsigned char c)
{
    return c < 0x20 || c == 0x7f;
}

/* 0 to 15, or -1. */
static int hex_value(char c)
{
    if (is_digit(c))
        return c - '0';
    char l = ascii_lower(c);
    return l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
}

/* The byte that the "%XX" at s.p[at] stands for, or -1 when it is not one. */
static int percent_byte(struct str s, size_t at)
{
    if (s.n - at < 3)
        return -1;
    int high = hex_value(s.p[at + 1]), low = hex_value(s.p[at + 2]);
    return high < 0 || low < 0 ? -1 : high << 4 | low;
}

static bool is_target_text(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!is_visible(s.p[i]) || s.p[i] == '#')
            return false;
    return true;
}

/* Takes "/path?query" apart; an empty path is "/". */
static void target_split(struct str rest, struct target *out)
{
    size_t mark = str_index(rest, '?');
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
    target_split(rest, out);
    return HTTP_ERROR_NONE;
}

enum http_error target_parse(struct str raw, struct target *out)
{
    *out = (struct target){ .form = TARGET_ORIGIN };
    if (raw.n == 0 || !is_target_text(raw))
        return HTTP_ERROR_TARGET;
    if (raw.p[0] == '/') {
        target_split(raw, out);
        return HTTP_ERROR_NONE;
    }
    if (str_eq(raw, STR("*"))) {
        out->form = TARGET_ASTERISK;
        out->path = raw;
        return HTTP_ERROR_NONE;
    }
    return absolute_parse(raw, out);
}

/* Is the segment that begins at `at` (behind its "/") "." or ".."? */
static bool is_dot_segment(struct str path, size_t at)
{
    size_t n = 0;
    while (n < 3 && at + n < path.n && path.p[at + n] == '.')
        n++;
    return (n == 1 || n == 2) && (at + n == path.n || path.p[at + n] == '/');
}

enum path_state { PATH_BAD, PATH_NORMAL, PATH_CHANGES };

/* Checks every byte, and whether anything must be rewritten: most paths come in normal form and are not
 * copied. */
static enum path_state path_look(struct str path)
{
    enum path_state state = PATH_NORMAL;
    for (size_t i = 0; i < path.n; i++) {
        char c = path.p[i];
        if (c == '/') {
            if (is_dot_segment(path, i + 1))
                state = PATH_CHANGES;
        } else if (c == '%') {
            int byte = percent_byte(path, i);
            if (byte < 0 || is_control((unsigned char)byte))
                return PATH_BAD;
            if (is_unreserved((unsigned char)byte) || path.p[i + 1] >= 'a' || path.p[i + 2] >= 'a')
                state = PATH_CHANGES;
            i += 2;
        } else if (!is_visible(c) || c == '#' || c == '?') {
            return PATH_BAD;
        }
    }
    return state;
}

/* Writes the path with its percent-encodings in normal form to `to`, which has room for path.n bytes.
 * Encodings were checked before. */
static size_t path_decode(struct str path, char *to)
{
    static const char hex[] = "0123456789ABCDEF";
    size_t n = 0;
    for (size_t i = 0; i < path.n; i++) {
        if (path.p[i] != '%') {
            to[n++] = path.p[i];
            continue;
        }
        unsigned char byte = (unsigned char)percent_byte(path, i);
        if (is_unreserved(byte)) {
            to[n++] = (char)byte;
        } else {
            to[n++] = '%';
            to[n++] = hex[byte >> 4];
            to[n++] = hex[byte & 15];
        }
        i += 2;
    }
    return n;
}

/* RFC 3986 §5.2.4, in place: the output is never ahead of the input. Every segment begins with its "/". */
static size_t dot_segments_remove(char *p, size_t n)
{
    size_t out = 0;
    for (size_t at = 0; at < n;) {
        size_t end = at + 1;
        while (end < n && p[end] != '/')
            end++;
        if (is_dot_segment((struct str){ p, n }, at + 1)) {
            if (end - at == 3)
                while (out > 0 && p[--out] != '/')
                    ;
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
    size_t n = path_decode(path, p);
    n = dot_segments_remove(p, n);
    CHECK(n > 0 && n <= path.n && p[0] == '/');
    *out = (struct str){ p, n };
    return HTTP_ERROR_NONE;
}

enum http_error query_check(struct str query)
{
    for (size_t i = 0; i < query.n; i++) {
        char c = query.p[i];
        if (!is_visible(c) || c == '#')
            return HTTP_ERROR_TARGET_ENCODING;
        if (c != '%')
            continue;
        int byte = percent_byte(query, i);
        bool form_space = byte == '\t' || byte == '\n' || byte == '\r';
        if (byte < 0 || (is_control((unsigned char)byte) && !form_space))
            return HTTP_ERROR_TARGET_ENCODING;
        i += 2;
    }
    return HTTP_ERROR_NONE;
}

/* Letters, digits, "-" and "_" in labels of at least one byte. */
static bool is_registered_name(struct str s)
{
    bool in_label = false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c == '.') {
            if (!in_label)
                return false;
            in_label = false;
        } else if (is_alpha(c) || is_digit(c) || c == '-' || c == '_') {
            in_label = true;
        } else {
            return false;
        }
    }
    return in_label;
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

static bool has_upper(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] >= 'A' && s.p[i] <= 'Z')
            return true;
    return false;
}

/* Splits "name[:port]" at the right colon; false: brackets without an end, or something behind them. */
static bool host_split(struct str raw, struct str *name, struct str *port)
{
    bool bracket = raw.n && raw.p[0] == '[';
    size_t end = str_index(raw, bracket ? ']' : ':');
    if (bracket && end++ == raw.n)
        return false;
    *name = str_first(raw, end);
    *port = str_from_index(raw, end);
    if (port->n == 0)
        return true;
    if (port->p[0] != ':')
        return false;
    *port = str_from_index(*port, 1);
    return true;
}

static bool port_parse(struct str s, bool https, uint16_t *out)
{
    uint64_t port;
    *out = 0;
    if (s.n == 0)
        return true;
    if (s.n > 5 || !str_to_u64(s, 65535, &port) || port == 0)
        return false;
    if (port != (https ? 443 : 80))
        *out = (uint16_t)port;
    return true;
}

enum http_error host_parse(struct str raw, bool https, struct arena *a, struct host *out)
{
    struct str name, port;
    *out = (struct host){ STR_NONE, 0 };
    if (!host_split(raw, &name, &port) || name.n == 0 || name.n > HOST_BYTES_MAX ||
        !port_parse(port, https, &out->port))
        return HTTP_ERROR_HOST_INVALID;
    if (name.p[0] == '[') {
        bool good = ipv6_normalize((struct str){ name.p + 1, name.n - 2 }, a, &out->name);
        return good ? HTTP_ERROR_NONE : HTTP_ERROR_HOST_INVALID;
    }
    if (str_ends(name, STR(".")))
        name.n--;
    if (!is_registered_name(name))
        return HTTP_ERROR_HOST_INVALID;
    out->name = has_upper(name) ? arena_dup_lower(a, name) : name;
    return HTTP_ERROR_NONE;
}

bool query_next(struct str *rest, struct query_param *out)
{
    while (rest->p) {
        struct str piece = str_cut(rest, '&');
        if (piece.n == 0)
            continue;
        size_t eq = str_index(piece, '=');
        out->raw = piece;
        out->name = str_first(piece, eq);
        out->has_value = eq < piece.n;
        out->value = out->has_value ? (struct str){ piece.p + eq + 1, piece.n - eq - 1 } : STR_NONE;
        return true;
    }
    return false;
}
