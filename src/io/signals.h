/*
 * The process's signals, as notices of one loop: those that somebody may send to say something, and those that would end the process
 * when somebody sends them by mistake. Those of a crash are not among them. The main thread's loop has
 * them; the other threads need not block any. (SIGPIPE and SIGXFSZ are ignored from the first loop_init on.)
 */
#ifndef IO_SIGNALS_H
#define IO_SIGNALS_H

#include "io/loop.h"

#define SIGNALS_MOST    64
#define SIGNAL_NAME_MAX 24

/* Embedded in its owner, who keeps it until `closed`. */
struct signals {
    /* Several of one kind that come together may be one notice. */
    void (*received)(struct signals *s, int signo);
    void (*closed)(struct signals *s); /* the last notice; NULL is allowed */
    struct loop *loop;
    uv_signal_t handles[SIGNALS_MOST];
    unsigned n, open;
};

/* From here on they no longer end the process. 0, or a libuv error (no descriptors are left) and nothing is to be
 * closed. */
int signals_init(struct signals *s, struct loop *l, void (*received)(struct signals *, int signo));
/* "SIGUSR2", "signal 40": for people. */
void signals_name(int signo, char out[SIGNAL_NAME_MAX]);
/* Back to the system's way with them; `closed` follows. */
void signals_close(struct signals *s, void (*closed)(struct signals *));

#endif
