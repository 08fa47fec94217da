/*
 * Network addresses, networks, and the look-up of host names. Any thread may call address_* and network_*;
 * they are pure, except address_ask and address_refusal. Those with an `out` leave *out as it was when they
 * fail. resolve_* run on the loop's thread; a thread of io/chores does the look-up.
 */
#ifndef IO_ADDRESS_H
#define IO_ADDRESS_H

#include <netinet/in.h>
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

/* Parses "127.0.0.1:80", "[::1]:80", "unix:/path", and ":80" or "80", which mean all addresses of the machine
 * (::, which takes IPv4 too). Ports are 0 to 65535. false: it is no such text, like "localhost:80". */
bool address_parse(struct str text, struct address *out);
/* Parses an IPv4 or IPv6 address without brackets or port, and gives it `port`. false: it is neither. */
bool address_parse_ip(struct str text, uint16_t port, struct address *out);
/* Makes the address of a Unix socket. false: the path is empty, above 107 bytes or has a NUL. */
bool address_local(struct str path, struct address *out);
/* Writes "127.0.0.1:80", "[::1]:80" or "unix:/path", and a NUL behind it. Returns the length without the NUL.
 * 0: `a` is no address, and nothing is written. */
size_t address_write(const struct address *a, char out[ADDRESS_TEXT_MAX]);
/* Writes the address without port or brackets, an IPv4-mapped one as IPv4, and a NUL behind it. Returns the
 * length without the NUL. 0: `a` is a Unix socket or no address, and nothing is written. */
size_t address_write_ip(const struct address *a, char out[ADDRESS_TEXT_MAX]);

/* A set of addresses. */
struct network {
    struct address base; /* its port does not count; a bare AF_UNIX: every peer on a Unix socket */
    unsigned bits;       /* the prefix: up to 32 (IPv4) or 128 (IPv6); `base` may have more bits set */
};
/* Parses "10.0.0.0/8", "::1/128", an address alone (one host), or "unix". false: it is none of these. */
bool network_parse(struct str text, struct network *out);
/* Is the address in the network? false for no address. IPv4-mapped IPv6 addresses count as IPv4: "::/0" has
 * every IPv6 peer and no IPv4 peer, on any listener. */
bool network_has(const struct network *n, const struct address *a);

/* Are both of one family, with the same address and port (IPv6: and scope), or with the same path? false when
 * one of them is no address. */
bool address_is_same(const struct address *a, const struct address *b);
/* Reorders the n addresses of `v` in place, so that families take turns, beginning with the family of the
 * first; the order within a family stays (RFC 8305 §4). `n` is at most RESOLVE_MAX. */
void address_take_turns(struct address *v, size_t n);

/* Sets *out to what `ask`, getpeername(2) or getsockname(2), says of the socket; no address when it fails. */
void address_ask(int fd, int (*ask)(int, struct sockaddr *restrict, socklen_t *restrict),
                 struct address *out);

/* Returns what the libuv error of a failed connect to `at` means: UV_ENOTSOCK when the connect to a Unix
 * socket was refused because the file at its path is no socket, else `error` itself. Looks at the disk for
 * such a refusal only. */
int address_refusal(const struct address *at, int error);

/* Most addresses of a name; a look-up leaves out the others. At most 32: origin/connect has a bit for
 * each. */
#define RESOLVE_MAX 16

/* One look-up of a name, embedded in its owner. The owner must keep it until `done` was called, and may use
 * it again from then on. resolve_start sets its members, which are private to io/. */
struct resolve {
    /* Called once, from the loop. status 0: `v` has `n` addresses, at least one, IPv4 and IPv6 in the
     * system's order; `v` is good during the call. A libuv error: the look-up failed, and n is 0. */
    void (*done)(struct resolve *r, int status, const struct address *v, size_t n);
    struct loop *loop;
    struct look_up *is; /* NULL: none is under way, or it is cancelled */
    struct letter cancelled;
};
/* Starts a look-up. `name` is a host name of at most 254 bytes, or an address, which may stand in brackets:
 * then `done` brings that address. The name is copied. `port` is the port of the addresses that `done`
 * brings. 0: `done` will come, from the loop. A libuv error: it will not; UV_EINVAL: the name is empty, too
 * long or has a NUL; UV_EAGAIN: too many look-ups wait, or the system has no thread for them. */
int resolve_start(struct loop *l, struct resolve *r, struct str name, uint16_t port,
                  void (*done)(struct resolve *, int, const struct address *, size_t));
/* Cancels a look-up that was started and whose `done` has not come. `done` comes nevertheless, from the loop
 * and without waiting for a name server: with UV_ECANCELED when no answer was there, else with the result. */
void resolve_cancel(struct resolve *r);

#endif
