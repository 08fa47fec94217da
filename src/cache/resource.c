#include "cache/resource.h"

#define BUSY_MOST          ((1u << RESOURCE_BUSY_BITS) - 1)
#define FEW                8
#define RESOURCES_IDLE_MAX 65536
#define IDLE_PART          16 /* of the memory, at most, for resources without objects */
#define IDLE_LONG          1024
#define IDLE_NEIGHBOURS    16

_Static_assert(CACHE_SHARDS == 1 << 8, "of a hash eight bits say the shard");

static struct shard *shard_of_resource(struct cache *c, const struct resource *r)
{
    return &c->shards[resource_shard_at(r->node.hash)];
}

static size_t resource_bytes(const struct resource *r)
{
    return offsetof(struct resource, primary) + r->node.own;
}

struct resource *resource_add(struct cache *c, struct shard *s, const struct place *p, int64_t now_ms)
{
    CHECK(p->primary.n <= UINT32_MAX);
    struct resource *r = memory_zero(&c->memory, offsetof(struct resource, primary) + p->primary.n);
    r->node.hash = resource_hash(p);
    r->node.own = (uint32_t)p->primary.n;
    r->used_s = resource_seconds(now_ms);
    memcpy(r->primary, p->primary.p, p->primary.n);
    memory_charge_books(&c->memory, (int64_t)memory_cost(resource_bytes(r)));
    table_add(&s->resources, &c->memory, &r->node);
    atomic_fetch_add_explicit(&c->resources, 1, memory_order_relaxed);
    return r;
}

struct resource *resource_find_or_add(struct cache *c, struct shard *s, const struct place *p, int64_t now_ms)
{
    struct resource *r = resource_find(s, p);
    return r ? r : resource_add(c, s, p, now_ms);
}

static void count_idle(struct cache *c, int64_t bytes)
{
    atomic_fetch_add_explicit(&c->idle_bytes, bytes, memory_order_relaxed);
}

void resource_set_rule(struct cache *c, struct resource *r, const struct rule *rule)
{
    if (r->rule == rule)
        return;
    int64_t more = (int64_t)rule_bytes(rule) - (int64_t)rule_bytes(r->rule);
    memory_charge_books(&c->memory, more);
    if (r->idle)
        count_idle(c, more);
    struct rule *old = r->rule;
    r->rule = rule_ref(rule);
    rule_unref(old);
}

static int64_t idle_cost(const struct resource *r)
{
    return (int64_t)(memory_cost(resource_bytes(r)) + rule_bytes(r->rule));
}

static void set_idle(struct cache *c, struct resource *r, bool idle)
{
    if (r->idle != idle)
        count_idle(c, idle ? idle_cost(r) : -idle_cost(r));
    r->idle = idle;
}

void resource_free(struct cache *c, struct resource *r)
{
    CHECK(r->n == 0 && r->busy == 0);
    set_idle(c, r, false);
    resource_set_rule(c, r, NULL);
    if (r->has_many) {
        table_fini(r->objects.many, &c->memory);
        memory_charge_books(&c->memory, -(int64_t)memory_cost(sizeof(struct table)));
        memory_give(&c->memory, r->objects.many, sizeof(struct table));
    }
    table_remove(&shard_of_resource(c, r)->resources, &r->node);
    memory_charge_books(&c->memory, -(int64_t)memory_cost(resource_bytes(r)));
    atomic_fetch_sub_explicit(&c->resources, 1, memory_order_relaxed);
    memory_give(&c->memory, r, resource_bytes(r));
}

struct resource *resource_move(struct cache *c, struct table_node **at, unsigned quarters)
{
    struct resource *r = resource_of_node(*at);
    if (r->has_many)
        return r;
    r = memory_move(&c->memory, r, resource_bytes(r), quarters);
    *at = &r->node;
    for (struct object *o = resource_first_of_list(r, 0); o; o = resource_next(o))
        o->resource = r;
    return r;
}

/* ---- without objects ---- */

static bool may_be_idle(struct cache *c, const struct resource *r)
{
    int64_t cost = idle_cost(r);
    int64_t others = atomic_load_explicit(&c->idle_bytes, memory_order_relaxed) - (r->idle ? cost : 0);
    /* Long ones share half of it, so that a few of them do not keep out many short ones. */
    int64_t most = c->memory.budget_bytes / IDLE_PART / (cost > IDLE_LONG ? 2 : 1);
    return others + cost <= most &&
           atomic_load_explicit(&c->resources, memory_order_relaxed) <
               atomic_load_explicit(&c->objects, memory_order_relaxed) + RESOURCES_IDLE_MAX;
}

void resource_keep_or_free(struct cache *c, struct resource *r)
{
    if (r->rule && may_be_idle(c, r))
        set_idle(c, r, true);
    else
        resource_free(c, r);
}

/* Others without objects that stand near r, until there is room for it. */
static void drop_idle_neighbours(struct cache *c, struct resource *r)
{
    const struct table *t = &shard_of_resource(c, r)->resources;
    for (uint32_t i = 0; i < t->buckets && i < IDLE_NEIGHBOURS && !may_be_idle(c, r); i++)
        for (struct table_node *node = *table_chain(t, r->node.hash + i), *next; node; node = next) {
            next = node->next;
            if (node != &r->node && resource_of_node(node)->n == 0)
                resource_free(c, resource_of_node(node));
        }
}

void resource_drop_if_idle(struct cache *c, struct resource *r)
{
    if (r->n > 0)
        return;
    if (r->rule && !may_be_idle(c, r))
        drop_idle_neighbours(c, r);
    resource_keep_or_free(c, r);
}

/* ---- its objects ---- */

void resource_set_variant(struct object *o, const struct place *p)
{
    object_set_variant(o, p->variant);
    o->node.hash = p->variant_hash;
}

/* From a list to a table: the oldest first, so that the youngest comes to stand in front. */
static void make_table(struct cache *c, struct resource *r)
{
    struct table_node *oldest = NULL;
    for (struct table_node *node = r->objects.few, *next; node; node = next) {
        next = node->next;
        node->next = oldest;
        oldest = node;
    }
    struct table *t = memory_zero(&c->memory, sizeof(*t));
    memory_charge_books(&c->memory, (int64_t)memory_cost(sizeof(*t)));
    table_init(t, &c->memory);
    for (struct table_node *node = oldest, *next; node; node = next) {
        next = node->next;
        table_add(t, &c->memory, node);
    }
    r->objects.many = t;
    r->has_many = true;
}

void resource_add_busy(struct resource *r, int n)
{
    uint32_t busy = r->busy + (uint32_t)n;
    CHECK(busy <= BUSY_MOST);
    r->busy = busy & BUSY_MOST;
}

void resource_link(struct cache *c, struct resource *r, struct object *o)
{
    if (r->n == FEW && !r->has_many)
        make_table(c, r);
    if (r->has_many) {
        table_add(r->objects.many, &c->memory, &o->node);
    } else {
        o->node.next = r->objects.few;
        r->objects.few = &o->node;
    }
    o->resource = r;
    atomic_store_explicit(&o->shard, (uint16_t)(resource_shard_at(r->node.hash) + 1), memory_order_release);
    r->n++;
    if (!o->evict.weight)
        resource_add_busy(r, 1);
    set_idle(c, r, false);
}

void resource_unlink(struct object *o)
{
    struct resource *r = o->resource;
    if (r->has_many) {
        table_remove(r->objects.many, &o->node);
        if (!r->swept)
            table_shrink(r->objects.many, memory_of(o->memory), 2);
    } else {
        struct table_node **at = &r->objects.few;
        while (*at != &o->node)
            at = &(*at)->next;
        *at = o->node.next;
        o->node.next = NULL;
    }
    o->resource = NULL;
    r->n--;
    if (!o->evict.weight)
        resource_add_busy(r, -1);
}

void resource_leave_queues(struct cache *c, struct object *const *objects, unsigned n)
{
    struct evict_item *items[RESOURCE_LEAVE_MAX];
    unsigned published = 0;
    CHECK(n <= RESOURCE_LEAVE_MAX);
    /* A weight says that it was published. */
    for (unsigned i = 0; i < n; i++)
        if (objects[i]->evict.weight)
            items[published++] = &objects[i]->evict;
    if (published == 0)
        return;
    evict_remove_all(c->evict, items, published);
    for (unsigned i = 0; i < published; i++)
        items[i]->weight = 0;
    atomic_fetch_sub_explicit(&c->objects, published, memory_order_relaxed);
}

void resource_take_out(struct cache *c, struct object *o)
{
    resource_unlink(o);
    resource_leave_queues(c, &o, 1);
}
