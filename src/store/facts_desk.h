/*
 * Where the work of one loop waits for commits (store/facts.h). All functions run on the loop's thread.
 */
#ifndef STORE_FACTS_DESK_H
#define STORE_FACTS_DESK_H

#include "io/notice.h"
#include "store/facts.h"

/* So long does one wait for a disk that does not answer. */
#define FACTS_WAIT_MS 5000

struct facts_desk {
    struct facts *facts;
    struct loop_notice notice;
    struct facts_listener listener;
    struct list waiting; /* in the order of their tickets */
    struct timer timer;  /* of the first one */
    atomic_bool waits;   /* somebody does, or did */
    bool is_open;
};

/* Embedded in its owner; zero it before its first use. */
struct facts_wait {
    struct link link;
    uint64_t ticket;
    int64_t due_ms;
    /* Called from the loop, once. `saved`: it is on disk. false: it is in memory alone, or the disk has not
     * answered for FACTS_WAIT_MS. */
    void (*done)(struct facts_wait *w, bool saved);
};

/* Opens a desk, and closes it. Nobody waits at its end, and no notice is under way: facts_desk_is_quiet. */
void facts_desk_init(struct facts_desk *d, struct facts *f, struct loop *loop);
void facts_desk_fini(struct facts_desk *d);

/* Asks for a commit of all that is unsaved now. FACTS_UNSETTLED: `done` comes later. Else it does not come,
 * and the result says what it would have said. */
enum facts_settled facts_desk_wait(struct facts_desk *d, struct facts_wait *w,
                                   void (*done)(struct facts_wait *w, bool saved));
/* Waits no longer: `done` does not come. Does nothing when it does not wait. */
void facts_desk_leave(struct facts_desk *d, struct facts_wait *w);

#endif
