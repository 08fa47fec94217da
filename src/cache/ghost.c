#include "cache/ghost.h"

#include "base/mem.h"

struct ghost_entry {
    uint32_t fingerprint; /* 0: cleared */
    uint32_t weight;
};

#define GHOST_FIRST ((size_t)64)
#define GHOST_MOST  ((size_t)1 << 22)

static size_t bytes_of(size_t ring_size)
{
    return ring_size * (sizeof(struct ghost_entry) + 2 * sizeof(uint32_t));
}

static void charge(const struct ghost *g, int64_t bytes)
{
    if (g->memory)
        memory_charge(g->memory, bytes);
}

static size_t set_slot(const struct ghost *g, uint32_t fingerprint)
{
    size_t mask = 2 * g->ring_size - 1;
    size_t i = (fingerprint * 0x9e3779b97f4a7c15u >> 20) & mask;
    while (g->set[i] && g->ring[g->set[i] - 1].fingerprint != fingerprint)
        i = (i + 1) & mask;
    return i;
}

/* Empties a slot of the set and moves later ones of the same run up, so that runs stay whole. */
static void set_clear(struct ghost *g, size_t i)
{
    size_t mask = 2 * g->ring_size - 1;
    g->set[i] = 0;
    for (size_t j = (i + 1) & mask; g->set[j]; j = (j + 1) & mask) {
        uint32_t index = g->set[j];
        g->set[j] = 0;
        g->set[set_slot(g, g->ring[index - 1].fingerprint)] = index;
    }
}

static void resize(struct ghost *g, size_t size)
{
    struct ghost old = *g;
    *g = (struct ghost){ .ring_size = size, .memory = old.memory };
    g->ring = mem_alloc(size * sizeof(*g->ring));
    g->set = mem_alloc(2 * size * sizeof(*g->set));
    for (size_t k = 0; k < old.n; k++) {
        struct ghost_entry entry = old.ring[(old.head + k) % old.ring_size];
        if (!entry.fingerprint)
            continue;
        g->ring[g->n] = entry;
        g->weight += entry.weight;
        size_t slot = set_slot(g, entry.fingerprint);
        g->set[slot] = (uint32_t)g->n + 1;
        g->n++;
        g->live++;
    }
    charge(g, (int64_t)bytes_of(size) - (int64_t)bytes_of(old.ring_size));
    mem_free(old.ring);
    mem_free(old.set);
}

void ghost_init(struct ghost *g, struct memory *memory)
{
    *g = (struct ghost){ .memory = memory };
    resize(g, GHOST_FIRST);
}

void ghost_fini(struct ghost *g)
{
    charge(g, -(int64_t)bytes_of(g->ring_size));
    mem_free(g->ring);
    mem_free(g->set);
}

bool ghost_take(struct ghost *g, uint32_t fingerprint)
{
    size_t slot = set_slot(g, fingerprint);
    if (!g->set[slot])
        return false;
    struct ghost_entry *entry = &g->ring[g->set[slot] - 1];
    set_clear(g, slot);
    g->weight -= entry->weight;
    g->live--;
    entry->fingerprint = 0;
    return true;
}

static void forget_oldest(struct ghost *g)
{
    if (g->ring[g->head].fingerprint)
        ghost_take(g, g->ring[g->head].fingerprint);
    g->head = (g->head + 1) % g->ring_size;
    g->n--;
}

void ghost_add(struct ghost *g, uint32_t fingerprint, uint32_t weight, uint64_t most)
{
    ghost_take(g, fingerprint);
    /* Full of entries: a larger ring; full of cleared ones: the same without them. */
    if (g->n == g->ring_size && g->live <= g->ring_size / 2)
        resize(g, g->ring_size);
    else if (g->n == g->ring_size && g->ring_size < GHOST_MOST)
        resize(g, g->ring_size * 2);
    while (g->n && (g->n == g->ring_size || g->weight + weight > most))
        forget_oldest(g);
    size_t at = (g->head + g->n) % g->ring_size;
    g->ring[at] = (struct ghost_entry){ 0, weight };
    size_t slot = set_slot(g, fingerprint);
    g->ring[at].fingerprint = fingerprint;
    g->set[slot] = (uint32_t)at + 1;
    g->n++;
    g->live++;
    g->weight += weight;
}
