/*
 * Notices: how a lower room tells a higher one, and one thread another, that something happened. Embedded in the receiver;
 * at most one is under way at a time. How it travels is the receiver's business (io/notice posts it to a loop).
 */
#ifndef BASE_NOTICE_H
#define BASE_NOTICE_H

#include <stdatomic.h>
#include <stdbool.h>

struct notice {
    atomic_bool pending;
    /* Called by the sender, on the sender's thread, when none was pending. `sender`: whose thread this is, so that the
     * receiver may take a shorter way to itself; NULL: unknown. */
    void (*post)(struct notice *n, const void *sender);
};

/* Any thread. What the sender wrote before is seen by the receiver after notice_received. */
static inline void notice_send(struct notice *n, const void *sender)
{
    if (!atomic_exchange_explicit(&n->pending, true, memory_order_acq_rel))
        n->post(n, sender);
}

/* The receiver, before it looks at what the notice is about: a later change sends another one. */
static inline void notice_received(struct notice *n)
{
    atomic_exchange_explicit(&n->pending, false, memory_order_acq_rel);
}

static inline bool notice_is_pending(const struct notice *n)
{
    return atomic_load_explicit(&n->pending, memory_order_acquire);
}

#endif
