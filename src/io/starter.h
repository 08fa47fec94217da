/*
 * A small process beside this one that starts a program for it. It is made at the very start, and so keeps
 * what this process gives up: its user, files, system calls (io/sandbox.h), which a program that this process
 * started itself would lack as well. It runs one function, decided at the start, and looks after what that
 * has started; nothing else. It blocks all signals, and ends with this process. Main's thread; calls wait
 * for its answer, which comes at once.
 */
#ifndef IO_STARTER_H
#define IO_STARTER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define STARTER_FDS_MAX 4

struct starter {
    int fd; /* -1: there is none */
};

/* Starts a program with these descriptors, which stay the starter's; runs in the starter's process. All
 * signals are blocked there, none is ignored or handled: the program is started with none blocked, and one
 * that came before is delivered then. Returns its process id, or a negative errno. */
typedef pid_t (*starter_fn)(void *ctx, const int *fds, size_t n);

/* Makes it; `start` and what `ctx` leads to are as they are now. Before there is another thread, and before
 * sockets are made that it should not hold open. 0 or a negative errno. */
int starter_open(struct starter *s, starter_fn start, void *ctx);
/* Starts the program with copies of the descriptors; n is at most STARTER_FDS_MAX. Returns its process id, or
 * a negative errno: what `start` said; -EBUSY: the last one has not ended; -EPIPE: the starter is gone. */
pid_t starter_start(const struct starter *s, const int *fds, size_t n);
/* Has the program ended? true: *status is as of waitpid(2), or -1 when the starter is gone. Does not wait;
 * with `wait` it does. true also when none was started. */
bool starter_has_ended(const struct starter *s, bool wait, int *status);
/* Sends the program a signal, unless it has ended. */
void starter_signal(const struct starter *s, int signo);
/* The starter ends; what it has started goes on. */
void starter_close(struct starter *s);

#endif
