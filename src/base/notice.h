/*
 * A notice tells that something happened: to a higher room from a lower one, and to one thread from another.
 * It is embedded in the receiver, and at most one is under way at a time. The receiver's `post` decides how
 * it travels (io/notice posts it to a loop). The receiver must stay while a notice is pending.
 */
#ifndef BASE_NOTICE_H
#define BASE_NOTICE_H

#include <stdatomic.h>
#include <stdbool.h>

struct notice {
    atomic_bool pending; /* sent and not yet received */
    /* notice_send calls it, on the sender's thread, when no notice was pending. `sender` names the thread, so
     * that a receiver on the same thread may take a shorter way; NULL: unknown. */
    void (*post)(struct notice *n, const void *sender);
};

/* Sends the notice, unless one is pending. Any thread. After notice_received, the receiver sees everything
 * that the sender wrote before. */
static inline void notice_send(struct notice *n, const void *sender)
{
    if (!atomic_exchange_explicit(&n->pending, true, memory_order_acq_rel))
        n->post(n, sender);
}

/* Clears the mark. The receiver calls it on its own thread, before it looks at the state that the notice is
 * about: a later change of that state sends another notice. */
static inline void notice_received(struct notice *n)
{
    atomic_exchange_explicit(&n->pending, false, memory_order_acq_rel);
}

/* Was the notice sent and not yet received? Any thread. */
static inline bool notice_is_pending(const struct notice *n)
{
    return atomic_load_explicit(&n->pending, memory_order_acquire);
}

#endif
