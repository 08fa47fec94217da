#include "http/priority.h"

#include "http/sf.h"

void priority_parse(struct str value, struct arena *a, struct priority *p)
{
    struct sf_members d;
    if (!sf_parse_dictionary(value, a, &d))
        return;
    const struct sf_member *u = sf_get(&d, STR("u")), *i = sf_get(&d, STR("i"));
    if (u && u->value.type == SF_INTEGER && u->value.integer >= 0 && u->value.integer < PRIORITY_LEVELS)
        p->urgency = (uint8_t)u->value.integer;
    if (i && i->value.type == SF_BOOLEAN)
        p->incremental = i->value.boolean;
}

void priority_queue_init(struct priority_queue *q)
{
    for (unsigned i = 0; i < PRIORITY_LEVELS; i++) {
        list_init(&q->whole[i]);
        list_init(&q->incremental[i]);
    }
    q->whole_next = 0xff;
}

void priority_turn_init(struct priority_turn *t, uint32_t id, struct priority p)
{
    CHECK(p.urgency < PRIORITY_LEVELS);
    link_init(&t->link);
    t->id = id;
    t->priority = p;
}

static struct priority_turn *turn_of(struct link *l)
{
    return CONTAINER_OF(l, struct priority_turn, link);
}

/* New streams have the highest id, so the place is looked for from the end. */
static void add_by_id(struct list *list, struct priority_turn *t)
{
    struct link *at = &list->head;
    while (at->prev != &list->head && turn_of(at->prev)->id > t->id)
        at = at->prev;
    link_put_before(at, &t->link);
}

void priority_queue_add(struct priority_queue *q, struct priority_turn *t)
{
    if (link_is_in(&t->link))
        return;
    if (t->priority.incremental)
        list_push_back(&q->incremental[t->priority.urgency], &t->link);
    else
        add_by_id(&q->whole[t->priority.urgency], t);
}

void priority_queue_remove(struct priority_turn *t)
{
    link_remove(&t->link);
}

void priority_queue_change(struct priority_queue *q, struct priority_turn *t, struct priority p)
{
    bool is_in = link_is_in(&t->link);
    CHECK(p.urgency < PRIORITY_LEVELS);
    if (p.urgency == t->priority.urgency && p.incremental == t->priority.incremental)
        return;
    link_remove(&t->link);
    t->priority = p;
    if (is_in)
        priority_queue_add(q, t);
}

struct priority_turn *priority_queue_next(const struct priority_queue *q)
{
    for (unsigned i = 0; i < PRIORITY_LEVELS; i++) {
        struct link *whole = list_first(&q->whole[i]), *incremental = list_first(&q->incremental[i]);
        if (whole && (!incremental || q->whole_next >> i & 1))
            return turn_of(whole);
        if (incremental)
            return turn_of(incremental);
    }
    return NULL;
}

void priority_queue_served(struct priority_queue *q, struct priority_turn *t)
{
    unsigned level = t->priority.urgency;
    CHECK(link_is_in(&t->link));
    if (t->priority.incremental) {
        link_remove(&t->link);
        list_push_back(&q->incremental[level], &t->link);
        q->whole_next = (uint8_t)(q->whole_next | 1u << level);
    } else {
        q->whole_next = (uint8_t)(q->whole_next & ~(1u << level));
    }
}
