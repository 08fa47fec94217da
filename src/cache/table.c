#include "cache/table.h"

#include <string.h>

#include "base/check.h"

#define BUCKETS_LEAST 8
#define PLACES_LEAST  4

#define SEGMENT_BYTES (TABLE_SEGMENT * sizeof(struct table_node *))

static uint32_t segments_of(uint32_t buckets)
{
    return (buckets + TABLE_SEGMENT - 1) / TABLE_SEGMENT;
}

/* Returns the places for pointers to that many segments. */
static uint32_t places_of(uint32_t segments)
{
    uint32_t places = PLACES_LEAST;
    while (places < segments)
        places *= 2;
    return places;
}

static void *take(struct memory *m, size_t bytes)
{
    memory_charge_books(m, (int64_t)memory_cost(bytes));
    return memory_zero(m, bytes);
}

static void give(struct memory *m, void *p, size_t bytes)
{
    memory_charge_books(m, -(int64_t)memory_cost(bytes));
    memory_give(m, p, bytes);
}

static void resize_directory(struct table *t, struct memory *m, uint32_t before, uint32_t after)
{
    const size_t place = sizeof(*t->segments);
    struct table_node ***segments = take(m, after * place);
    memcpy(segments, t->segments, (before < after ? before : after) * place);
    give(m, t->segments, before * place);
    t->segments = segments;
}

static void add_segment(struct table *t, struct memory *m)
{
    uint32_t n = segments_of(t->buckets), places = places_of(n);
    if (n == places)
        resize_directory(t, m, places, places * 2);
    t->segments[n] = take(m, SEGMENT_BYTES);
}

static void drop_segment(struct table *t, struct memory *m)
{
    uint32_t n = segments_of(t->buckets), places = places_of(n);
    give(m, t->segments[n - 1], SEGMENT_BYTES);
    if (places > PLACES_LEAST && n - 1 == places / 2)
        resize_directory(t, m, places, places / 2);
}

void table_init(struct table *t, struct memory *m)
{
    *t = (struct table){ 0 };
    t->segments = take(m, PLACES_LEAST * sizeof(*t->segments));
    add_segment(t, m);
    t->buckets = BUCKETS_LEAST;
    t->mask = BUCKETS_LEAST - 1;
}

void table_fini(struct table *t, struct memory *m)
{
    CHECK(t->n == 0);
    uint32_t places = places_of(segments_of(t->buckets));
    for (uint32_t n = segments_of(t->buckets); n > 0; n--)
        give(m, t->segments[n - 1], SEGMENT_BYTES);
    give(m, t->segments, places * sizeof(*t->segments));
}

/* Adds a bucket, which takes over its nodes from the bucket where they were. The order stays, the newest
 * first. */
static void grow(struct table *t, struct memory *m)
{
    if (t->buckets % TABLE_SEGMENT == 0)
        add_segment(t, m);
    uint32_t bucket = t->buckets++;
    if (bucket > t->mask)
        t->mask = t->mask * 2 + 1;
    struct table_node **stay = table_bucket(t, bucket & t->mask >> 1), **go = table_bucket(t, bucket);
    *go = NULL;
    for (struct table_node *node = *stay; node; node = node->next) {
        struct table_node ***end = (node->hash & t->mask) == bucket ? &go : &stay;
        **end = node;
        *end = &node->next;
    }
    *stay = *go = NULL;
}

/* The last bucket's nodes return to the bucket that they came from, behind those that are there. */
static void shrink(struct table *t, struct memory *m)
{
    uint32_t bucket = t->buckets - 1;
    struct table_node **end = table_bucket(t, bucket & t->mask >> 1);
    while (*end)
        end = &(*end)->next;
    *end = *table_bucket(t, bucket);
    if (bucket % TABLE_SEGMENT == 0)
        drop_segment(t, m);
    t->buckets = bucket;
    if (bucket == (t->mask + 1) / 2)
        t->mask >>= 1;
}

void table_reserve(struct table *t, struct memory *m, uint32_t n)
{
    while (t->buckets < n)
        grow(t, m);
}

void table_add(struct table *t, struct memory *m, struct table_node *node)
{
    struct table_node **bucket = table_chain(t, node->hash);
    node->next = *bucket;
    *bucket = node;
    if (t->n++ >= t->buckets)
        grow(t, m);
}

void table_remove(struct table *t, struct table_node *node)
{
    struct table_node **at = table_chain(t, node->hash);
    while (*at != node)
        at = &(*at)->next;
    *at = node->next;
    node->next = NULL;
    t->n--;
}

bool table_shrink(struct table *t, struct memory *m, uint32_t steps)
{
    while (t->buckets > BUCKETS_LEAST && t->n < t->buckets / 2) {
        if (steps-- == 0)
            return false;
        shrink(t, m);
    }
    return true;
}

void table_move(struct table *t, struct memory *m, uint32_t bucket, unsigned quarters)
{
    uint32_t i = bucket / TABLE_SEGMENT;
    if (i == 0)
        t->segments =
            memory_move(m, t->segments, places_of(segments_of(t->buckets)) * sizeof(*t->segments), quarters);
    t->segments[i] = memory_move(m, t->segments[i], SEGMENT_BYTES, quarters);
}
