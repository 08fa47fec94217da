#include "cache/cache.h"

#include "base/mem.h"
#include "cache/hints.h"
#include "cache/index.h"

/* How many purged names are remembered: at this many bytes each, with their place in the table, they may take
 * about a sixteenth of the memory for pages. */
#define NAMES_LEAST ((size_t)1 << 14)
#define NAME_BYTES  120

static size_t names_max(int64_t memory_bytes)
{
    size_t n = (size_t)memory_bytes / 16 / NAME_BYTES;
    return n < NAMES_LEAST ? NAMES_LEAST : n > EPOCH_NAMES_MOST ? EPOCH_NAMES_MOST : n;
}

struct cache *cache_new(const struct hash_secret *secret, int64_t memory_bytes)
{
    struct cache *c = mem_alloc(sizeof(*c));
    c->secret = secret;
    memory_init(&c->memory, memory_bytes);
    c->epochs = epochs_new(secret, names_max(memory_bytes));
    c->evict = evict_new((uint64_t)memory_bytes, &c->memory);
    for (size_t i = 0; i < CACHE_FILLS; i++) {
        lock_init(&c->fills[i].lock);
        list_init(&c->fills[i].list);
    }
    index_init(c);
    c->hints = hints_new(&c->memory);
    return c;
}

void cache_free(struct cache *c)
{
    hints_free(c->hints);
    index_fini(c);
    for (size_t i = 0; i < CACHE_FILLS; i++)
        lock_fini(&c->fills[i].lock);
    evict_free(c->evict);
    epochs_free(c->epochs);
    memory_fini(&c->memory);
    mem_free(c);
}
