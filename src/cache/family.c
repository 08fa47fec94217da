#include "cache/family.h"

#define BUSY_MOST        ((1u << FAMILY_BUSY_BITS) - 1)
#define FEW              8
#define FAMILYS_IDLE_MAX 65536
#define IDLE_PART        16 /* of the memory, at most, for families without objects */
#define IDLE_LONG        1024
#define IDLE_NEIGHBOURS  16

_Static_assert(CACHE_SHARDS == 1 << 8, "of a hash eight bits say the shard");

static struct shard *shard_of_family(struct cache *c, const struct family *f)
{
    return &c->shards[family_shard_at(f->node.hash)];
}

static size_t family_bytes(const struct family *f)
{
    return offsetof(struct family, primary) + f->node.own;
}

struct family *family_add(struct cache *c, struct shard *s, const struct place *p, int64_t now_ms)
{
    CHECK(p->primary.n <= UINT32_MAX);
    struct family *f = memory_zero(&c->memory, offsetof(struct family, primary) + p->primary.n);
    f->node.hash = family_hash(p);
    f->node.own = (uint32_t)p->primary.n;
    f->used_s = family_seconds(now_ms);
    memcpy(f->primary, p->primary.p, p->primary.n);
    memory_charge_books(&c->memory, (int64_t)memory_cost(family_bytes(f)));
    table_add(&s->families, &c->memory, &f->node);
    atomic_fetch_add_explicit(&c->families, 1, memory_order_relaxed);
    return f;
}

struct family *family_find_or_add(struct cache *c, struct shard *s, const struct place *p, int64_t now_ms)
{
    struct family *f = family_find(s, p);
    return f ? f : family_add(c, s, p, now_ms);
}

static void count_idle(struct cache *c, int64_t bytes)
{
    atomic_fetch_add_explicit(&c->idle_bytes, bytes, memory_order_relaxed);
}

void family_set_rule(struct cache *c, struct family *f, const struct rule *rule)
{
    if (f->rule == rule)
        return;
    int64_t more = (int64_t)rule_bytes(rule) - (int64_t)rule_bytes(f->rule);
    memory_charge_books(&c->memory, more);
    if (f->idle)
        count_idle(c, more);
    f->rule_saved = false;
    struct rule *old = f->rule;
    f->rule = rule_ref(rule);
    rule_unref(old);
}

static int64_t idle_cost(const struct family *f)
{
    return (int64_t)(memory_cost(family_bytes(f)) + rule_bytes(f->rule));
}

static void set_idle(struct cache *c, struct family *f, bool idle)
{
    if (f->idle != idle)
        count_idle(c, idle ? idle_cost(f) : -idle_cost(f));
    f->idle = idle;
}

void family_free(struct cache *c, struct family *f)
{
    CHECK(f->n == 0 && f->busy == 0);
    set_idle(c, f, false);
    family_set_rule(c, f, NULL);
    if (f->has_many) {
        table_fini(f->objects.many, &c->memory);
        memory_charge_books(&c->memory, -(int64_t)memory_cost(sizeof(struct table)));
        memory_give(&c->memory, f->objects.many, sizeof(struct table));
    }
    table_remove(&shard_of_family(c, f)->families, &f->node);
    memory_charge_books(&c->memory, -(int64_t)memory_cost(family_bytes(f)));
    atomic_fetch_sub_explicit(&c->families, 1, memory_order_relaxed);
    memory_give(&c->memory, f, family_bytes(f));
}

struct family *family_move(struct cache *c, struct table_node **at, unsigned quarters)
{
    struct family *f = family_of_node(*at);
    if (f->has_many)
        return f;
    f = memory_move(&c->memory, f, family_bytes(f), quarters);
    *at = &f->node;
    for (struct object *o = family_first_of_list(f, 0); o; o = family_next(o))
        o->family = f;
    return f;
}

/* ---- families without objects ---- */

static bool may_be_idle(struct cache *c, const struct family *f)
{
    int64_t cost = idle_cost(f);
    int64_t others = atomic_load_explicit(&c->idle_bytes, memory_order_relaxed) - (f->idle ? cost : 0);
    /* Families with long keys share half of it, so that a few of them do not keep out many short ones. */
    int64_t most = c->memory.budget_bytes / IDLE_PART / (cost > IDLE_LONG ? 2 : 1);
    return others + cost <= most &&
           atomic_load_explicit(&c->families, memory_order_relaxed) <
               atomic_load_explicit(&c->objects, memory_order_relaxed) + FAMILYS_IDLE_MAX;
}

/* What is known of it saves the next visitor a fetch that is not stored. */
static bool is_worth_keeping(const struct family *f)
{
    return f->rule || f->cookies_met;
}

void family_keep_or_free(struct cache *c, struct family *f)
{
    if (is_worth_keeping(f) && may_be_idle(c, f))
        set_idle(c, f, true);
    else
        family_free(c, f);
}

/* Frees other families without objects near f, until there is room for f. */
static void drop_idle_neighbours(struct cache *c, struct family *f)
{
    const struct table *t = &shard_of_family(c, f)->families;
    for (uint32_t i = 0; i < t->buckets && i < IDLE_NEIGHBOURS && !may_be_idle(c, f); i++)
        for (struct table_node *node = *table_chain(t, f->node.hash + i), *next; node; node = next) {
            next = node->next;
            if (node != &f->node && family_of_node(node)->n == 0)
                family_free(c, family_of_node(node));
        }
}

void family_drop_if_idle(struct cache *c, struct family *f)
{
    if (f->n > 0)
        return;
    if (is_worth_keeping(f) && !may_be_idle(c, f))
        drop_idle_neighbours(c, f);
    family_keep_or_free(c, f);
}

/* ---- its objects ---- */

void family_set_variant(struct object *o, const struct place *p)
{
    object_set_variant(o, p->variant);
    o->node.hash = p->is_common ? p->common_hash : p->variant_hash;
}

/* Makes a table of the list, the oldest object first, so that the youngest comes to the front. */
static void make_table(struct cache *c, struct family *f)
{
    struct table_node *oldest = NULL;
    for (struct table_node *node = f->objects.few, *next; node; node = next) {
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
    f->objects.many = t;
    f->has_many = true;
}

void family_add_busy(struct family *f, int n)
{
    uint32_t busy = f->busy + (uint32_t)n;
    CHECK(busy <= BUSY_MOST);
    f->busy = busy & BUSY_MOST;
}

void family_link(struct cache *c, struct family *f, struct object *o)
{
    if (f->n == FEW && !f->has_many)
        make_table(c, f);
    if (f->has_many) {
        table_add(f->objects.many, &c->memory, &o->node);
    } else {
        o->node.next = f->objects.few;
        f->objects.few = &o->node;
    }
    o->family = f;
    atomic_store_explicit(&o->shard, (uint16_t)(family_shard_at(f->node.hash) + 1), memory_order_release);
    f->n++;
    if (!o->evict.weight)
        family_add_busy(f, 1);
    set_idle(c, f, false);
}

void family_unlink(struct object *o)
{
    struct family *f = o->family;
    if (f->has_many) {
        table_remove(f->objects.many, &o->node);
        if (!f->swept)
            table_shrink(f->objects.many, memory_of(o->memory), 2);
    } else {
        struct table_node **at = &f->objects.few;
        while (*at != &o->node)
            at = &(*at)->next;
        *at = o->node.next;
        o->node.next = NULL;
    }
    o->family = NULL;
    f->n--;
    if (!o->evict.weight)
        family_add_busy(f, -1);
}

void family_leave_queues(struct cache *c, struct object *const *objects, unsigned n)
{
    struct evict_item *items[FAMILY_LEAVE_MAX];
    unsigned published = 0;
    CHECK(n <= FAMILY_LEAVE_MAX);
    /* An object with a weight was published. */
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

void family_take_out(struct cache *c, struct object *o)
{
    family_unlink(o);
    family_leave_queues(c, &o, 1);
}
