#include "cache/ghost.h"

#include <string.h>

#include "base/check.h"
#include "base/mem.h"

struct ghost_entry {
    uint32_t fingerprint; /* 0: it has returned */
    uint32_t weight;
    uint32_t next; /* the number of an older one in its chain; NONE */
};

#define GHOST_MOST ((uint32_t)1 << 22)
#define NUMBERS    ((uint32_t)1 << 24) /* then numbers start again */
#define NONE       UINT32_MAX
#define SEGMENT    256 /* entries, and buckets */
#define BUCKETS    8   /* at first */
#define PLACES     4
#define FORGET     256 /* entries in one call */

_Static_assert(NUMBERS > 2 * GHOST_MOST && NUMBERS % SEGMENT == 0, "no two entries have the same number");

/* ---- memory ---- */

static void *take(const struct ghost *g, size_t bytes)
{
    if (g->memory)
        memory_charge_books(g->memory, (int64_t)mem_cost(bytes));
    return mem_alloc_budgeted(bytes);
}

static void give(const struct ghost *g, void *p, size_t bytes)
{
    if (g->memory && p)
        memory_charge_books(g->memory, -(int64_t)mem_cost(bytes));
    mem_free_budgeted(p);
}

#define ENTRIES_BYTES (SEGMENT * sizeof(struct ghost_entry))
#define CHAINS_BYTES  (SEGMENT * sizeof(uint32_t))

/* ---- where things stand ---- */

static uint32_t number_at(const struct ghost *g, uint32_t i)
{
    return (g->oldest + i) % NUMBERS;
}

static struct ghost_entry **segment_of(const struct ghost *g, uint32_t number)
{
    return &g->segments[number / SEGMENT % g->places];
}

static struct ghost_entry *entry_of(const struct ghost *g, uint32_t number)
{
    return &(*segment_of(g, number))[number % SEGMENT];
}

static uint32_t *bucket(const struct ghost *g, uint32_t i)
{
    return &g->chains[i / SEGMENT][i % SEGMENT];
}

static uint32_t hash_of(uint32_t fingerprint)
{
    return (uint32_t)(fingerprint * 0x9e3779b97f4a7c15u >> 20);
}

static uint32_t bucket_of(const struct ghost *g, uint32_t fingerprint)
{
    uint32_t i = hash_of(fingerprint) & g->mask;
    return i < g->buckets ? i : i & g->mask >> 1;
}

/* ---- chains ---- */

static void add_chain_segment(struct ghost *g)
{
    uint32_t n = g->buckets / SEGMENT;
    if (n == g->chain_places) {
        uint32_t **more = take(g, 2 * n * sizeof(*more));
        memcpy(more, g->chains, n * sizeof(*more));
        g->steps += n;
        give(g, g->chains, n * sizeof(*more));
        g->chains = more;
        g->chain_places = 2 * n;
    }
    g->chains[n] = take(g, CHAINS_BYTES);
}

/* Adds a bucket, which takes over its entries from the bucket where they were. */
static void split(struct ghost *g)
{
    if (g->buckets % SEGMENT == 0)
        add_chain_segment(g);
    uint32_t to = g->buckets++;
    if (to > g->mask)
        g->mask = g->mask * 2 + 1;
    uint32_t *stay = bucket(g, to & g->mask >> 1), *go = bucket(g, to), number = *stay;
    while (number != NONE) {
        struct ghost_entry *e = entry_of(g, number);
        uint32_t **end = (hash_of(e->fingerprint) & g->mask) == to ? &go : &stay;
        **end = number;
        *end = &e->next;
        number = e->next;
        g->steps++;
    }
    *stay = *go = NONE;
}

bool ghost_take(struct ghost *g, uint32_t fingerprint)
{
    for (uint32_t *at = bucket(g, bucket_of(g, fingerprint)); *at != NONE; at = &entry_of(g, *at)->next) {
        struct ghost_entry *e = entry_of(g, *at);
        g->steps++;
        if (e->fingerprint != fingerprint)
            continue;
        *at = e->next;
        e->fingerprint = 0;
        g->weight -= e->weight;
        g->live--;
        return true;
    }
    return false;
}

/* ---- the order ---- */

/* Makes room for one segment more. */
static void grow_places(struct ghost *g)
{
    struct ghost before = *g;
    g->places *= 2;
    g->segments = take(g, g->places * sizeof(*g->segments));
    for (uint32_t i = 0; i < before.n; i += SEGMENT) {
        uint32_t number = number_at(g, i) / SEGMENT * SEGMENT;
        *segment_of(g, number) = *segment_of(&before, number);
        g->steps++;
    }
    uint32_t last = number_at(g, before.n - 1);
    *segment_of(g, last) = *segment_of(&before, last);
    give(g, before.segments, before.places * sizeof(*before.segments));
}

static void forget_oldest(struct ghost *g)
{
    struct ghost_entry *e = entry_of(g, g->oldest);
    if (e->fingerprint)
        CHECK(ghost_take(g, e->fingerprint));
    uint32_t next = (g->oldest + 1) % NUMBERS;
    if (next % SEGMENT == 0 || g->n == 1) {
        give(g, *segment_of(g, g->oldest), ENTRIES_BYTES);
        *segment_of(g, g->oldest) = NULL;
    }
    g->oldest = next;
    g->n--;
    g->steps++;
}

static uint32_t append(struct ghost *g)
{
    uint32_t number = number_at(g, g->n);
    if (*segment_of(g, number) && (number % SEGMENT == 0))
        grow_places(g);
    if (!*segment_of(g, number))
        *segment_of(g, number) = take(g, ENTRIES_BYTES);
    g->n++;
    return number;
}

/* Entries that returned keep their places until they are the oldest; there may be as many of them as of the
 * others. */
static bool is_full(const struct ghost *g, uint32_t weight, uint64_t most)
{
    return g->n >= GHOST_MOST || g->weight + weight > most || g->n > 2 * g->live + SEGMENT;
}

void ghost_add(struct ghost *g, uint32_t fingerprint, uint32_t weight, uint64_t most)
{
    ghost_take(g, fingerprint);
    for (unsigned i = 0; i < FORGET && g->n && is_full(g, weight, most); i++)
        forget_oldest(g);
    uint32_t number = append(g);
    if (g->live++ >= g->buckets)
        split(g);
    uint32_t *first = bucket(g, bucket_of(g, fingerprint));
    *entry_of(g, number) = (struct ghost_entry){ fingerprint, weight, *first };
    *first = number;
    g->weight += weight;
}

/* ---- life ---- */

void ghost_init(struct ghost *g, struct memory *memory)
{
    *g = (struct ghost){ .places = PLACES, .chain_places = PLACES, .memory = memory };
    g->segments = take(g, PLACES * sizeof(*g->segments));
    g->chains = take(g, PLACES * sizeof(*g->chains));
    add_chain_segment(g);
    g->buckets = BUCKETS;
    g->mask = BUCKETS - 1;
    memset(g->chains[0], 0xff, BUCKETS * sizeof(uint32_t));
}

void ghost_fini(struct ghost *g)
{
    for (uint32_t i = 0; i < g->places; i++)
        if (g->segments[i])
            give(g, g->segments[i], ENTRIES_BYTES);
    for (uint32_t i = 0; i * SEGMENT < g->buckets; i++)
        give(g, g->chains[i], CHAINS_BYTES);
    give(g, g->segments, g->places * sizeof(*g->segments));
    give(g, g->chains, g->chain_places * sizeof(*g->chains));
}
