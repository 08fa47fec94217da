#include "io/chores.h"

#include <uv.h>

#include "base/lock.h"
#include "base/mem.h"

/* Look-ups may wait for a name server; lines go to one disk or one pipe, whose writers take turns anyway. */
static const struct {
    const char *name;
    unsigned threads;
} kinds[CHORE_KINDS] = { [CHORE_NAMES] = { "names", 4 }, [CHORE_LINES] = { "lines", 1 } };

struct chores {
    struct lock lock;
    unsigned refs;
    struct pool_threads *pools[CHORE_KINDS];
};

struct chores *chores_new(void)
{
    struct chores *c = mem_alloc(sizeof(*c));
    lock_init(&c->lock);
    c->refs = 1;
    return c;
}

struct chores *chores_ref(struct chores *c)
{
    lock_take(&c->lock);
    c->refs++;
    lock_give(&c->lock);
    return c;
}

/* Loops wait for their lines. */
static void dropped(struct pool_job *j)
{
    (void)j;
    CHECK(false);
}

void chores_unref(struct chores **at)
{
    struct chores *c = *at;
    *at = NULL;
    if (!c)
        return;
    lock_take(&c->lock);
    CHECK(c->refs > 0);
    bool last = --c->refs == 0;
    lock_give(&c->lock);
    if (!last)
        return;
    pool_threads_leave(&c->pools[CHORE_NAMES]);
    pool_threads_stop(&c->pools[CHORE_LINES], dropped);
    lock_fini(&c->lock);
    mem_free(c);
}

int chores_add(struct chores *c, enum chore kind, struct pool_job *j)
{
    bool added = false;
    lock_take(&c->lock);
    struct pool_threads **p = &c->pools[kind];
    if (!*p)
        *p = pool_threads_start(kinds[kind].name, kinds[kind].threads);
    if (*p && pool_threads_waiting(*p) < CHORES_MOST) {
        pool_threads_add(*p, j);
        added = true;
    }
    lock_give(&c->lock);
    return added ? 0 : UV_EAGAIN;
}

bool chores_take_back(struct chores *c, enum chore kind, struct pool_job *j)
{
    lock_take(&c->lock);
    bool taken = c->pools[kind] && pool_threads_take_back(c->pools[kind], j);
    lock_give(&c->lock);
    return taken;
}
