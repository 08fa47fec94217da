/*
 * Keeps the process to what it needs, so that who takes it over gains little: files by Landlock, system calls
 * by seccomp. Neither can be undone. Landlock holds the calling thread and those that it makes later: it is
 * for the only thread there is. seccomp holds all threads that there are, and later ones. Reasons, and what
 * they do not hold: docs/decisions/065-confinement.md.
 */
#ifndef IO_SANDBOX_H
#define IO_SANDBOX_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* ---- the process ---- */

/* No program that it would start gains rights by its file (setuid bits). */
void sandbox_gain_nothing(void);
/* No core dump, which would hold secrets, and no other process of the same user reads its memory. */
void sandbox_dump_nothing(void);

/* ---- files ---- */

enum sandbox_access {
    SANDBOX_READ = 1,    /* open to read */
    SANDBOX_LIST = 2,    /* read folders */
    SANDBOX_APPEND = 4,  /* open to write, cut, make plain files */
    SANDBOX_CHANGE = 8,  /* SANDBOX_APPEND, and make folders, remove, rename in a folder */
    SANDBOX_SOCKET = 16, /* make and remove sockets */
    SANDBOX_RUN = 32,    /* start programs */
};

struct sandbox {
    int fd;           /* -1: the kernel has none */
    uint64_t handled; /* rights that need permission */
};

/* Begins. 0; or a negative errno: the kernel has no Landlock (-ENOSYS), or it is turned off (-EOPNOTSUPP).
 * Then the next calls do nothing. */
int sandbox_begin(struct sandbox *s);
/* Permits `access` (bits) to what is at the path now: a folder with all below it, or a file. What a link
 * leads to counts. What takes the file's place later is another one; so permit the folder where files are
 * replaced. 0 or a negative errno: nothing is there, as a rule. */
int sandbox_allow(const struct sandbox *s, const char *path, unsigned access);
/* From now on nothing else can be opened, made, removed or renamed: EACCES. What is open stays so. 0 or a
 * negative errno. */
int sandbox_hold_files(struct sandbox *s);

/* ---- system calls ---- */

/* From now on all threads make only the calls of the list in sandbox_calls.c; others fail with EPERM, and
 * `refused` is called on the thread that made it, inside a signal handler. No program can be started, no
 * other process made. 0; -ENOSYS: built without libseccomp; or another negative errno. */
int sandbox_hold_calls(void (*refused)(void));
/* Returns the name of a call that was refused since this was asked last; sets *times, and *is_first: never
 * told before. NULL: no more. The name is a literal. One thread. */
const char *sandbox_next_refused(uint64_t *times, bool *is_first);

#ifdef FRESHET_CONTROL
/* What a process that was taken over would do. Returns a negative errno, or 0: it could. A thread's refused
 * calls inside are what the test wants to see; elsewhere builds with slow checks end at one. */
int sandbox_try_open(const char *path, bool to_write);
int sandbox_try_call(const char *name);
#endif

#endif
