#include "request/parts.h"

#define BOUNDARY_BYTES 16 /* random ones; nobody guesses 128 bits */

/*
 * The boundary must not stand in the page (RFC 2046 §5.1.1). It is drawn when the page is whole, and from
 * nothing that a client or an origin said: neither can have written it into the page. It has 40 of the 70
 * characters that a boundary may have, all of them bchars.
 */
static struct str new_boundary(struct request *r)
{
    static const char hex[] = "0123456789abcdef";
    unsigned char random[BOUNDARY_BYTES];
    char text[2 * BOUNDARY_BYTES];
    loop_random(r->w->loop, random, sizeof(random));
    for (size_t i = 0; i < BOUNDARY_BYTES; i++) {
        text[2 * i] = hex[random[i] >> 4];
        text[2 * i + 1] = hex[random[i] & 15];
    }
    return ARENA_JOIN(&r->arena, STR("freshet-"), ((struct str){ text, sizeof(text) }));
}

struct str parts_content_range(struct request *r, struct range range, uint64_t whole)
{
    struct buf b = BUF_INIT;
    content_range_write(&b, range, whole);
    struct str s = arena_dup(&r->arena, buf_str(&b));
    buf_fini(&b);
    return s;
}

struct parts *parts_make(struct request *r, const struct range *v, size_t n, uint64_t whole, struct str type)
{
    struct parts *parts = arena_zero(&r->arena, sizeof(*parts));
    struct str boundary = new_boundary(r);
    parts->v = arena_alloc(&r->arena, n * sizeof(*parts->v));
    parts->n = n;
    for (size_t i = 0; i < n; i++) {
        struct str where = parts_content_range(r, v[i], whole);
        parts->v[i].range = v[i];
        parts->v[i].head = arena_printf(&r->arena, "%s--%.*s\r\n%s%.*s%sContent-Range: %.*s\r\n\r\n",
                                        i ? "\r\n" : "", STR_ARG(boundary), type.n ? "Content-Type: " : "",
                                        STR_ARG(type), type.n ? "\r\n" : "", STR_ARG(where));
        parts->bytes += parts->v[i].head.n + (v[i].last - v[i].first + 1);
    }
    parts->tail = arena_printf(&r->arena, "\r\n--%.*s--\r\n", STR_ARG(boundary));
    parts->bytes += parts->tail.n;
    parts->content_type = arena_printf(&r->arena, "multipart/byteranges; boundary=%.*s", STR_ARG(boundary));
    return parts;
}
