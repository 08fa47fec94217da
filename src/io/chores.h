/*
 * Work that may block for long, off the loops: looking up names, and writing lines. Each kind has threads of
 * its own, so that a name server that does not answer keeps no log waiting. They are made when the first work
 * comes, and a system that gives no thread is asked again with the next work. The loops of a process share
 * them (loop_share_chores). Only io/ calls these functions.
 */
#ifndef IO_CHORES_H
#define IO_CHORES_H

#include <stdbool.h>

#include "io/pool.h"

struct chores;

enum chore { CHORE_NAMES, CHORE_LINES };
#define CHORE_KINDS 2

/* Makes one without threads, with one reference. */
struct chores *chores_new(void);
/* Takes a reference. On the thread that makes the loops. */
struct chores *chores_ref(struct chores *c);
/* Gives a reference back and clears the pointer; NULL in it is allowed. The last one waits until lines are
 * written, and leaves look-ups alone, which end by themselves. */
void chores_unref(struct chores **c);

/* Adds work; it is done in the order in which it came. Any thread that has a reference. 0: `j->run` will be
 * called, on a thread of its kind, and then calls chores_done. UV_EAGAIN: it will not, since the system gives
 * no thread or CHORES_MOST wait already. */
int chores_add(struct chores *c, enum chore kind, struct pool_job *j);
#define CHORES_MOST 4096
/* Takes work back. true: it was not begun, and never will be. false: it runs or has run. */
bool chores_take_back(struct chores *c, enum chore kind, struct pool_job *j);

#endif
