/*
 * Network addresses and origins' host names. Parsing is pure; resolving goes through libuv's thread pool, off the loop.
 */
#ifndef IO_ADDRESS_H
#define IO_ADDRESS_H

#include <netinet/in.h>
#include <stdatomic.h>
#include <sys/un.h>

#include "base/str.h"
#include "io/loop.h"

struct address {
    socklen_t bytes; /* of the member in use; 0: none */
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        struct sockaddr_un local;
    } sa;
};

#define ADDRESS_TEXT_MAX 128

/* "127.0.0.1:80", "[::1]:80", ":80" and "80" (any address, v6 with v4), "unix:/path". false: not one, as "localhost:80". */
bool address_parse(struct str text, struct address *out);
/* An address alone, without brackets or port. */
bool address_parse_ip(struct str text, uint16_t port, struct address *out);
/* A Unix socket's path; false when too long. */
bool address_local(struct str path, struct address *out);
/* "127.0.0.1:80", "[::1]:80", "unix:/path". Returns the length; no NUL. */
size_t address_write(const struct address *a, char out[ADDRESS_TEXT_MAX]);
/* The address without port or brackets; IPv4-mapped IPv6 as IPv4; "" for Unix sockets. */
size_t address_write_ip(const struct address *a, char out[ADDRESS_TEXT_MAX]);

/* A network: "10.0.0.0/8", "::1/128", an address alone (a host), "unix" (every Unix socket peer). Bits behind the prefix do
 * not count. */
struct network {
    struct address base;
    unsigned bits;
};
bool network_parse(struct str text, struct network *out);
/* IPv4-mapped IPv6 addresses are IPv4 addresses here, so "::/0" is every IPv6 peer and no IPv4 one, whatever the listener. */
bool network_has(const struct network *n, const struct address *a);

/* Both are of one family and have the same address, port or path. */
bool address_is_same(const struct address *a, const struct address *b);
/* Families take turns, beginning with the first one's; the order within each stays (RFC 8305 §4). At most RESOLVE_MAX. */
void address_take_turns(struct address *v, size_t n);

#define RESOLVE_MAX 16 /* at most 32: origin/connect has a bit for each */

/* One look-up, embedded in its owner, who keeps it until `done` was called. */
struct resolve {
    uv_getaddrinfo_t req;
    /* status: 0 or a libuv error; then `n` addresses of both families in the system's order. */
    void (*done)(struct resolve *r, int status, const struct address *v, size_t n);
    uint16_t port;
    struct loop *loop;
#ifdef FRESHET_CONTROL
    struct { /* io/hosts */
        bool is;
        uv_work_t work;
        char name[256];
        struct address v[RESOLVE_MAX];
        size_t n;
        int status;
        atomic_bool cancelled;
    } hosts;
#endif
};
/* 0, or a libuv error and `done` will not come. `name` need not stay. An address in `name` is answered too, through the
 * same path. */
int resolve_start(struct loop *l, struct resolve *r, struct str name, uint16_t port,
                  void (*done)(struct resolve *, int, const struct address *, size_t));
/* `done` comes nevertheless, with UV_ECANCELED when it was in time. */
void resolve_cancel(struct resolve *r);

#endif
