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
    /* On the loop's thread, once for each notice. The pending mark is cleared before. */
    void (*run)(struct loop_notice *n);
};

/* Initialises it. On any thread, before the first notice. `run` is called on the loop's. */
void loop_notice_init(struct loop_notice *n, struct loop *loop, void (*run)(struct loop_notice *));
/* While it is pending its owner must not be freed: `run` is still to come. */
static inline bool loop_notice_is_pending(const struct loop_notice *n)
{
    return notice_is_pending(&n->notice);
}

#endif
