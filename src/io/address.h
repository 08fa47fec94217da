/*
 * Network addresses and origins' host names. Parsing is pure; resolving goes through libuv's thread pool, off
 * the loop.
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

/* Parses "127.0.0.1:80", "[::1]:80", ":80" and "80" (any address, IPv6 with IPv4), "unix:/path". false: it is
 * no address, like "localhost:80". */
bool address_parse(struct str text, struct address *out);
/* Parses an address without brackets or port. */
bool address_parse_ip(struct str text, uint16_t port, struct address *out);
/* Makes the address of a Unix socket. false: the path is too long. */
bool address_local(struct str path, struct address *out);
/* Writes "127.0.0.1:80", "[::1]:80", "unix:/path". Returns the length; no NUL. */
size_t address_write(const struct address *a, char out[ADDRESS_TEXT_MAX]);
/* Writes the address without port or brackets; IPv4-mapped IPv6 as IPv4; nothing for Unix sockets. Returns
 * the length. */
size_t address_write_ip(const struct address *a, char out[ADDRESS_TEXT_MAX]);

/* A network: "10.0.0.0/8", "::1/128", an address (one host), "unix" (every peer on a Unix socket). Bits
 * behind the prefix do not count. */
struct network {
    struct address base;
    unsigned bits;
};
bool network_parse(struct str text, struct network *out);
/* Is the address in the network? IPv4-mapped IPv6 addresses count as IPv4: "::/0" has every IPv6 peer and no
 * IPv4 peer, on any listener. */
bool network_has(const struct network *n, const struct address *a);

/* Are both of one family, with the same address and port, or path? */
bool address_is_same(const struct address *a, const struct address *b);
/* Reorders addresses so that families take turns, beginning with the family of the first; the order within a
 * family stays (RFC 8305 §4). At most RESOLVE_MAX. */
void address_take_turns(struct address *v, size_t n);

/* Returns what a failed connect to `at` with this libuv error means: UV_ENOTSOCK when a Unix path refused it
 * because a file stands there that is no socket, else the error itself. Looks at the disk. */
int address_refusal(const struct address *at, int error);

#define RESOLVE_MAX 16 /* at most 32: origin/connect has a bit for each */

/* One look-up of a name, embedded in its owner. The owner must keep it until `done` was called. */
struct resolve {
    uv_getaddrinfo_t req;
    /* On the loop. status: 0 or a libuv error. `n` addresses of both families, in the system's order. */
    void (*done)(struct resolve *r, int status, const struct address *v, size_t n);
    uint16_t port;
    struct loop *loop;
#ifdef FRESHET_CONTROL
    struct { /* private to io/hosts */
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
/* Starts a look-up. 0: `done` will come. A libuv error: it will not. `name` is copied. `name` may also be an
 * address: `done` then brings it. */
int resolve_start(struct loop *l, struct resolve *r, struct str name, uint16_t port,
                  void (*done)(struct resolve *, int, const struct address *, size_t));
/* Cancels it. `done` comes nevertheless, with UV_ECANCELED when the cancellation was in time. */
void resolve_cancel(struct resolve *r);

#endif
