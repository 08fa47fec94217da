#include "server/clients.h"

#include <string.h>

#include "base/check.h"
#include "base/mem.h"

/* IPv4 as such and as an IPv4-mapped address are one client; IPv4 and IPv6 never meet. */
struct client_key {
    uint8_t family; /* 4 or 6; 0: none */
    uint8_t bytes[8];
};

static struct client_key key_of(const struct address *a)
{
    struct client_key k = { 0 };
    if (a->bytes == 0)
        return k;
    if (a->sa.any.sa_family == AF_INET) {
        k.family = 4;
        memcpy(k.bytes, &a->sa.v4.sin_addr, 4);
    } else if (a->sa.any.sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&a->sa.v6.sin6_addr)) {
        k.family = 4;
        memcpy(k.bytes, a->sa.v6.sin6_addr.s6_addr + 12, 4);
    } else if (a->sa.any.sa_family == AF_INET6) {
        k.family = 6;
        memcpy(k.bytes, &a->sa.v6.sin6_addr, 8);
    }
    return k;
}

/* Sets both cells; false: a Unix socket. */
static bool find(struct clients *c, const struct address *peer, _Atomic uint32_t *cells[2])
{
    struct client_key k = key_of(peer);
    if (k.family == 0)
        return false;
    uint64_t h = hash64(c->secret, (struct str){ (const char *)&k, sizeof(k) });
    cells[0] = &c->cells[0][h % CLIENT_CELLS];
    cells[1] = &c->cells[1][(h >> 32) % CLIENT_CELLS];
    return true;
}

struct clients *clients_new(const struct hash_secret *secret)
{
    struct clients *c = mem_alloc(sizeof(*c));
    c->secret = secret;
    return c;
}

uint32_t clients_enter(struct clients *c, const struct address *peer)
{
    _Atomic uint32_t *cells[2];
    if (!find(c, peer, cells))
        return 0;
    uint32_t a = atomic_fetch_add_explicit(cells[0], 1, memory_order_relaxed) + 1;
    uint32_t b = atomic_fetch_add_explicit(cells[1], 1, memory_order_relaxed) + 1;
    return a < b ? a : b;
}

uint32_t clients_count(struct clients *c, const struct address *peer)
{
    _Atomic uint32_t *cells[2];
    if (!find(c, peer, cells))
        return 0;
    uint32_t a = atomic_load_explicit(cells[0], memory_order_relaxed);
    uint32_t b = atomic_load_explicit(cells[1], memory_order_relaxed);
    return a < b ? a : b;
}

void clients_leave(struct clients *c, const struct address *peer)
{
    _Atomic uint32_t *cells[2];
    if (!find(c, peer, cells))
        return;
    for (int i = 0; i < 2; i++)
        CHECK(atomic_fetch_sub_explicit(cells[i], 1, memory_order_relaxed) > 0);
}

bool clients_is_local(const struct address *peer)
{
    struct client_key k = key_of(peer);
    if (k.family == 6)
        return IN6_IS_ADDR_LOOPBACK(&peer->sa.v6.sin6_addr);
    return k.family == 0 || k.bytes[0] == 127;
}
