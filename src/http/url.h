/*
 * Request targets and hosts (RFC 9112 §3.2, RFC 3986): taken apart, checked, and brought to the one spelling
 * that is both the key and what the origin is sent (CACHING.md 4.1). Results live in the arena or point into
 * the input. Pure.
 */
#ifndef HTTP_URL_H
#define HTTP_URL_H

#include "base/arena.h"
#include "http/error.h"

enum target_form { TARGET_ORIGIN, TARGET_ABSOLUTE, TARGET_ASTERISK };

struct target {
    enum target_form form;
    struct str scheme;    /* absolute-form: "http" or "https" in lower case; else empty */
    struct str authority; /* absolute-form: as received; else empty */
    struct str path;      /* as received; "/" when an absolute-form has none; "*" for asterisk-form */
    struct str query;     /* behind the first '?', without it */
    bool has_query;       /* "/a?" has an empty query, "/a" none */
    bool is_normal;       /* path_normalize and query_check would change and refuse nothing; false: perhaps */
};

/* A target as browsers do not send it and other clients do: bytes above 0x7f, when all of them are UTF-8, are percent-encoded in
 * upper case, the one spelling of them that is known from here on. false: they are not UTF-8. Nothing above 0x7f: *out is `raw`. */
bool target_encode(struct str raw, struct arena *a, struct str *out);

/* origin-form, absolute-form (http and https only, no userinfo), "*" (the caller checks for OPTIONS). A
 * fragment, bytes outside 0x21..0x7e: an error. authority-form is CONNECT's, which is refused: an error. */
enum http_error target_parse(struct str raw, struct target *out);

/* Percent-encoding in upper case, unreserved characters decoded, dot segments removed (RFC 3986 §6.2.2),
 * nothing else touched: empty segments, %2F and a trailing slash stay. Bad encodings, %00 to %1F, %7F:
 * TARGET_ENCODING. When nothing had to change *out points into `path`: no copy. A path that does not begin
 * with "/" is TARGET; "*" stays "*". */
enum http_error path_normalize(struct str path, struct arena *a, struct str *out);
/* Dot segments removed from a path that path_normalize accepted, in any spelling of the dots (%2e), and nothing else touched: what
 * is sent when the spelling of the path is kept. Nothing to remove: `path` itself. */
struct str path_without_dots(struct str path, struct arena *a);
/* Checks a query: visible ASCII, no encoded control character but %09 %0A %0D (forms send them). A '%' that begins no
 * encoding stands for itself, as in the URL Standard: nothing decodes a query on its way. The bytes are not touched. */
enum http_error query_check(struct str query);

struct host {
    struct str name;      /* lower case, no trailing dot, IPv6 in brackets; not copied when nothing changed */
    uint16_t port;        /* 0: none given, or the scheme's own */
    struct str authority; /* name, and ":port" unless it is 0 */
};

/* uri-host [ ":" port ] (RFC 9112 §3.2): registered name of letters, digits, "-", "_", ".", IPv4, [IPv6]; at
 * most 255 bytes; no empty label; port 1 to 65535, an empty one is none (RFC 3986 §3.2.3). IPv6 comes out in
 * the spelling of RFC 5952. `https` says which default port is dropped. */
enum http_error host_parse(struct str raw, bool https, struct arena *a, struct host *out);

/* One "name=value" of a query, undecoded; split at '&' and the first '='. has_value tells "a=" from "a".
 * false at the end. Empty pieces ("a&&b") are skipped. */
struct query_param {
    struct str name, value;
    bool has_value;
    struct str raw; /* the whole piece */
};
bool query_next(struct str *rest, struct query_param *out);

/* Does query_decode change anything of this query, or of a name or value in it? */
bool query_is_coded(struct str query);
/* What a form's parser makes of a name or value (URL Standard §5.1, application/x-www-form-urlencoded): '+' is a space, %XX a byte, a
 * '%' that begins no encoding itself. Names are compared so (CACHING.md 4.3). Nothing to decode: `s` itself, nothing is copied. */
struct str query_decode(struct str s, struct arena *a);

#endif
