/*
 * The process that is to take this one's place: the program that stands now where this one was started from,
 * with the same arguments. It gets one end of a channel (io/channel.h), and its standard error is a pipe to
 * this process, so that what it complains about is known. Main's thread.
 */
#ifndef IO_SUCCESSOR_H
#define IO_SUCCESSOR_H

#include <limits.h>
#include <sys/types.h>

#include "base/str.h"
#include "io/starter.h"

/* Names the descriptor of the channel to the process that is started. */
#define SUCCESSOR_VARIABLE "FRESHET_UPGRADE"

struct successor {
    struct starter starter; /* starts it: this process may not be able to any more */
    char program[PATH_MAX]; /* where it stands; empty: not known */
    char *const *argv;
    pid_t pid;   /* 0: none */
    int channel; /* this process's end */
    int errors;  /* the pipe, not waiting; -1: none */
};

/* The first thing that a process does: finds where its program stands, as an absolute path whose links are
 * not followed, so that who replaces the program replaces one of them, or the file; and makes the starter. */
void successor_init(struct successor *s, char *const argv[]);
void successor_fini(struct successor *s);
/* Starts it. 0; or a negative errno, and nothing was started. */
int successor_start(struct successor *s);
/* Has it ended? Then *why gets a few words for people: "exit code 1". Does not wait. */
bool successor_has_ended(struct successor *s, char *why, size_t room);
/* Sends it a signal. */
void successor_signal(const struct successor *s, int signo);
/* Is this process the first of its container, so that all others end with it? */
bool successor_is_first(void);
/* Ends it at once, and waits for that. Does nothing when it has ended. */
void successor_kill(struct successor *s);
/* Reads what it wrote to standard error. Returns the number of bytes; 0: none now, or no more. Does not
 * wait. */
size_t successor_errors(struct successor *s, char *to, size_t room);
/* Reads no more of it. */
void successor_close_errors(struct successor *s);

/* In the new process: the channel's descriptor, which is close-on-exec from now on, and unset in the
 * environment. -1: this process takes nobody's place. */
int successor_channel(void);
/* Writes to standard error from now on as `fd`, which is closed, does. */
void successor_set_errors(int fd);

#endif
