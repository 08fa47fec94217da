#include "deploy/deploys.h"

#include "base/mem.h"

void deploys_init(struct deploys *d)
{
    ledger_init(&d->ledger);
    lock_init(&d->lock);
    list_init(&d->wanted);
    list_init(&d->pending);
    list_init(&d->open);
}

void deploys_fini(struct deploys *d)
{
    struct link *l;
    while ((l = list_pop(&d->wanted)) != NULL) {
        struct deploy_switch *s = CONTAINER_OF(l, struct deploy_switch, link);
        link_remove(&s->pending);
        deploys_forget(s);
    }
    ledger_fini(&d->ledger);
    lock_fini(&d->lock);
}

struct deploy_switch *deploys_ask(struct deploys *d, struct loop *loop, struct str site,
                                  const struct ledger_release *to, int64_t keep_ms, int64_t prepared_since_ms,
                                  void (*made)(struct loop_notice *n), void *ctx)
{
    struct deploy_switch *s = mem_alloc(sizeof(*s));
    char *name = mem_alloc(site.n + 1);
    str_put(name, site);
    *s = (struct deploy_switch){ .site = { name, site.n },
                                 .to = *to,
                                 .keep_ms = keep_ms,
                                 .prepared_since_ms = prepared_since_ms,
                                 .ctx = ctx };
    link_init(&s->link);
    link_init(&s->pending);
    loop_notice_init(&s->made, loop, made);
    lock_take(&d->lock);
    list_push_back(&d->wanted, &s->link);
    list_push_back(&d->pending, &s->pending);
    lock_give(&d->lock);
    notice_send(d->main, loop);
    return s;
}

bool deploys_is_pending(struct deploys *d, struct str site)
{
    bool found = false;
    lock_take(&d->lock);
    LIST_EACH(l, &d->pending)
        found |= str_eq(CONTAINER_OF(l, struct deploy_switch, pending)->site, site);
    lock_give(&d->lock);
    return found;
}

bool deploys_abandon(struct deploys *d, struct deploy_switch *s)
{
    lock_take(&d->lock);
    bool is_told = loop_notice_is_pending(&s->made);
    s->is_abandoned = !is_told;
    lock_give(&d->lock);
    return !is_told;
}

void deploys_forget(struct deploy_switch *s)
{
    mem_free((char *)(uintptr_t)s->site.p);
    mem_free(s);
}

struct deploy_switch *deploys_next(struct deploys *d)
{
    lock_take(&d->lock);
    struct link *l = list_pop(&d->wanted);
    lock_give(&d->lock);
    return l ? CONTAINER_OF(l, struct deploy_switch, link) : NULL;
}

void deploys_made(struct deploys *d, struct deploy_switch *s)
{
    lock_take(&d->lock);
    link_remove(&s->pending);
    bool is_abandoned = s->is_abandoned;
    if (!is_abandoned)
        notice_send(&s->made.notice, NULL);
    lock_give(&d->lock);
    if (is_abandoned)
        deploys_forget(s);
}
