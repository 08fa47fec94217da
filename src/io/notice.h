/*
 * A notice that arrives on a loop. Rooms below io/ send it through base/notice; `run` is called on the
 * receiver's own thread, from its loop.
 */
#ifndef IO_NOTICE_H
#define IO_NOTICE_H

#include "base/notice.h"
#include "io/loop.h"

struct loop_notice {
    struct notice notice;
    struct letter letter;
    struct loop *loop;
    /* Called from the loop, on its thread, once for each notice. The pending mark is cleared before, so that
     * a notice sent during the call brings another call. */
    void (*run)(struct loop_notice *n);
};

/* Makes a notice for `loop`. Any thread, before the first notice. */
void loop_notice_init(struct loop_notice *n, struct loop *loop, void (*run)(struct loop_notice *));
/* Is `run` still to come? Then the owner must not be freed. Any thread. */
static inline bool loop_notice_is_pending(const struct loop_notice *n)
{
    return notice_is_pending(&n->notice);
}

#endif
