/*
 * The process's signals, as notices of one loop: those that carry a request to the process, and those that
 * would end it when somebody sends them by mistake. Signals of a crash (SIGSEGV and the like) are left to the
 * system. The main thread's loop receives the others; worker threads need not block any. (Every loop_init
 * ignores SIGPIPE and SIGXFSZ.)
 */
#ifndef IO_SIGNALS_H
#define IO_SIGNALS_H

#include "io/loop.h"

#define SIGNALS_MOST    64
#define SIGNAL_NAME_MAX 24

/* Embedded in its owner, who keeps it until `closed`. */
struct signals {
    /* On the loop. Several signals of one kind may make one notice. */
    void (*received)(struct signals *s, int signo);
    void (*closed)(struct signals *s); /* the last notice; NULL is allowed */
    struct loop *loop;
    uv_signal_t handles[SIGNALS_MOST];
    unsigned n, open;
};

/* Starts receiving: from now on these signals do not end the process. 0; or a libuv error (no descriptors are
 * left), and signals_close must not be called. */
int signals_init(struct signals *s, struct loop *l, void (*received)(struct signals *, int signo));
/* Writes "SIGUSR2" or "signal 40", for people. */
void signals_name(int signo, char out[SIGNAL_NAME_MAX]);
/* Restores the system's way with these signals, then calls `closed`. */
void signals_close(struct signals *s, void (*closed)(struct signals *));

#endif
