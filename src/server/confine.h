/*
 * Confines the process (io/sandbox.h) to what its settings need: which folders it may open, and when. Main's
 * thread.
 */
#ifndef SERVER_CONFINE_H
#define SERVER_CONFINE_H

#include "conf/cli.h"
#include "io/notice.h"
#include "server/process.h"

struct confinement {
    struct process *process;
    struct counters *counters;
    struct loop_notice refused; /* a system call was */
    int files_status;           /* 0; or a negative errno: files are not confined */
};

/* From now on no core dumps (core_dumps: false), nothing that is started gains rights, and only the files
 * that `s` needs can be opened, now and after reloads. When the listeners and what is read once are open, and
 * before there is another thread. `state`: the state folder, empty: none; it is made. */
void confine_files(struct confinement *c, const struct settings *s, const struct cli *cli, const char *state);
/* From now on only the system calls that a running freshet needs are made. When all rings are made, before
 * anything of a stranger's is read. p->loop is there. Says once, of files and calls together, what this
 * kernel cannot hold. `counters`: in which main's thread counts what is refused. */
void confine_calls(struct confinement *c, struct process *p, struct counters *counters);
/* A reload failed with these errors. true: the sandbox may be why. */
bool confine_may_be_why(const struct process_settings *s, struct str errors);

#endif
