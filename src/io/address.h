/*
 * Network addresses and origins' host names. Functions of addresses and networks may be called by any thread
 * and are pure, but for address_refusal. resolve_* run on the loop's thread; libuv's thread pool does the
 * look-up.
 */
#ifndef IO_ADDRESS_H
#define IO_ADDRESS_H

#include <netinet/in.h>
#include <stdatomic.h>
#include <sys/un.h>

#include "base/str.h"
#include "io/loop.h"

struct address {
    socklen_t bytes; /* of the member of `sa` in use; 0: no address */
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        struct sockaddr_un local;
    } sa;
};

#define ADDRESS_TEXT_MAX 128 /* bytes that hold any address as text */

/* Parses "127.0.0.1:80", "[::1]:80", ":80" and "80" (any address, IPv6 with IPv4), "unix:/path". false: it is
 * no address, like "localhost:80"; *out is unchanged, here and below. */
bool address_parse(struct str text, struct address *out);
/* Parses an IPv4 or IPv6 address without brackets or port, and gives it `port`. false: no address. */
bool address_parse_ip(struct str text, uint16_t port, struct address *out);
/* Makes the address of a Unix socket. false: the path is empty, above 107 bytes or has a NUL. */
bool address_local(struct str path, struct address *out);
/* Writes "127.0.0.1:80", "[::1]:80" or "unix:/path". Returns the length; 0: no address. */
size_t address_write(const struct address *a, char out[ADDRESS_TEXT_MAX]);
/* Writes the address without port or brackets, an IPv4-mapped one as IPv4. Returns the length; 0: it is a
 * Unix socket or no address. */
size_t address_write_ip(const struct address *a, char out[ADDRESS_TEXT_MAX]);

/* A network: "10.0.0.0/8", "::1/128", an address (one host), "unix" (every peer on a Unix socket). Bits
 * behind the prefix do not count. */
struct network {
    struct address base;
    unsigned bits;
};
/* false: it is no network; *out is unchanged. */
bool network_parse(struct str text, struct network *out);
/* Is the address in the network? IPv4-mapped IPv6 addresses count as IPv4: "::/0" has every IPv6 peer and no
 * IPv4 peer, on any listener. */
bool network_has(const struct network *n, const struct address *a);

/* Are both of one family, with the same address and port, or path? No address is the same as none. */
bool address_is_same(const struct address *a, const struct address *b);
/* Reorders addresses so that families take turns, beginning with the family of the first; the order within a
 * family stays (RFC 8305 §4). `n` is at most RESOLVE_MAX. */
void address_take_turns(struct address *v, size_t n);

/* Returns what a failed connect to `at` with this libuv error means: UV_ENOTSOCK when a Unix path refused it
 * because a file stands there that is no socket, else `error` itself. Looks at the disk. Any thread. */
int address_refusal(const struct address *at, int error);

/* Most addresses of a name; others are left out. At most 32: origin/connect has a bit for each. */
#define RESOLVE_MAX 16

/* One look-up of a name, embedded in its owner. The owner must keep it until `done` was called. */
struct resolve {
    uv_getaddrinfo_t req;
    /* Called once, from the loop. status 0: `v` has `n` addresses, at least one, of both families, in the
     * system's order; good during the call. A libuv error: n is 0. */
    void (*done)(struct resolve *r, int status, const struct address *v, size_t n);
    uint16_t port; /* of all addresses */
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
/* Starts a look-up. `name`, which is copied, is a host name or an address, also in brackets: `done` then
 * brings that address. 0: `done` will come, from the loop. A libuv error: it will not; UV_EINVAL: the name is
 * empty, too long or has a NUL. */
int resolve_start(struct loop *l, struct resolve *r, struct str name, uint16_t port,
                  void (*done)(struct resolve *, int, const struct address *, size_t));
/* Cancels a look-up whose `done` has not come. `done` comes nevertheless, later and from the loop, with
 * UV_ECANCELED when the cancellation was in time. */
void resolve_cancel(struct resolve *r);

#endif
