/*
 * Request targets and hosts (RFC 9112 §3.2, RFC 3986): takes them apart, checks them, and brings them to the
 * one spelling that is the key and that the origin gets (CACHING.md 4.1). Results live in the arena or point
 * into the input. Pure; any thread. After an error *out is unspecified.
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
    bool is_normal;       /* path_normalize and query_check would change nothing and refuse nothing; false:
                           * perhaps they would */
};

/* Percent-encodes the bytes above 0x7f of a target, in upper case, when all of them are UTF-8: browsers do
 * so, other clients do not. No other spelling is known from here on. false: they are not UTF-8. No byte above
 * 0x7f: *out is `raw`. */
bool target_encode(struct str raw, struct arena *a, struct str *out);

/* Takes a target apart: origin-form, absolute-form (http and https only, no userinfo), or "*" (the caller
 * checks for OPTIONS). Errors: a fragment, bytes outside 0x21..0x7e, and authority-form, since CONNECT is
 * refused. */
enum http_error target_parse(struct str raw, struct target *out);

/* Percent-encodes in upper case, decodes unreserved characters, removes dot segments (RFC 3986 §6.2.2).
 * Changes nothing else: empty segments, %2F and a trailing slash stay. TARGET_ENCODING: bad encodings, %00 to
 * %1F, %7F. TARGET: a path that does not begin with "/"; "*" stays "*". When nothing changes, *out is `path`:
 * no copy. */
enum http_error path_normalize(struct str path, struct arena *a, struct str *out);
/* Returns a path that path_normalize accepted without its dot segments, in any spelling of the dots (%2e),
 * and otherwise unchanged: for sending a path in the client's spelling. No dot segments: `path` itself. */
struct str path_without_dots(struct str path, struct arena *a);
/* Checks a query: visible ASCII, and no encoded control character except %09 %0A %0D, which forms send. A '%'
 * that begins no encoding stands for itself, as in the URL Standard. Does not change the bytes: nothing
 * decodes a query on its way. */
enum http_error query_check(struct str query);

struct host {
    struct str name;      /* lower case, no trailing dot, IPv6 in brackets; no copy when nothing changed */
    uint16_t port;        /* 0: none given, or the scheme's default */
    struct str authority; /* name, and ":port" unless it is 0 */
};

/* Parses uri-host [ ":" port ] (RFC 9112 §3.2): a registered name of letters, digits, "-", "_", ".", an IPv4
 * address, or an [IPv6] one; at most 255 bytes, no empty label. Port 1 to 65535; an empty one counts as none
 * (RFC 3986 §3.2.3). Writes IPv6 as RFC 5952 spells it. `https` decides which default port is dropped. */
enum http_error host_parse(struct str raw, bool https, struct arena *a, struct host *out);

/* Takes the next "name=value" off *rest, a query, undecoded, split at '&' and the first '='. has_value tells
 * "a=" from "a". Skips empty pieces ("a&&b"). false: no piece is left. */
struct query_param {
    struct str name, value;
    bool has_value;
    struct str raw; /* the whole piece */
};
/* Inline: under a rule with a query each hit takes its parameters apart twice. */
static inline bool query_next(struct str *rest, struct query_param *out)
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

/* Would query_decode change this query, or a name or value in it? */
bool query_is_coded(struct str query);
/* Decodes a name or value as a form's parser does (URL Standard §5.1, application/x-www-form-urlencoded): '+'
 * is a space, %XX a byte, and a '%' that begins no encoding stands for itself. Names are compared in this
 * form (CACHING.md 4.3). Nothing to decode: `s` itself, no copy. */
struct str query_decode(struct str s, struct arena *a);

#endif
