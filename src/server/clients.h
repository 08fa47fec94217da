/*
 * How many connections each client has, for the limit of one address (setting client_connections). All
 * workers share it. Any thread; no lock, two cells for each step.
 *
 * A client is an IPv4 address, or the /64 that an IPv6 address is in: whoever has one has all of it. Clients
 * are counted in two rows of cells, each by another part of a keyed hash, and have the smaller count of their
 * two cells. So the table never grows, nobody is counted too low, and somebody is counted too high only if
 * others share both of his cells: with a thousand others one client in 270 does.
 */
#ifndef SERVER_CLIENTS_H
#define SERVER_CLIENTS_H

#include <stdatomic.h>

#include "base/hash.h"
#include "io/address.h"

#define CLIENT_CELLS 16384 /* in each row; a power of two */

struct clients {
    const struct hash_secret *secret; /* outlives it */
    _Atomic uint32_t cells[2][CLIENT_CELLS];
};

/* Makes an empty table, never NULL; mem_free frees it. */
struct clients *clients_new(const struct hash_secret *secret);
/* Counts a connection of that peer. Returns how many he has with it; 0 for a Unix socket, which has no
 * address and is not counted. clients_leave ends it. */
uint32_t clients_enter(struct clients *c, const struct address *peer);
/* Returns how many connections he has. 0 for a Unix socket. */
uint32_t clients_count(struct clients *c, const struct address *peer);
/* The connection has ended. */
void clients_leave(struct clients *c, const struct address *peer);
/* Is it an address of this machine itself, or a Unix socket? Pure. */
bool clients_is_local(const struct address *peer);

#endif
