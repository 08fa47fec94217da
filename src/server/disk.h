/*
 * The pages on disk of a process (cache/disk.h): opens them in the state folder, beside the facts, and sees
 * to it that pages of other settings than today's are purged. On main's thread.
 */
#ifndef SERVER_DISK_H
#define SERVER_DISK_H

#include "server/process.h"

/* Which settings the pages on disk were stored under. They are a fact, and it is put only when the purge of
 * what they have changed is on disk: else a crash between the two would bring pages back. */
struct disk_watch {
    struct process *process;
    struct disk *disk;  /* NULL: there is none */
    struct timer later; /* while the purge is on its way */
    uint64_t ticket;
    struct buf sites; /* those settings */
};

/* Opens what is in `folder` (empty: there is no state folder, and no disk), and purges the sites whose
 * settings are not those of the last run. After process_facts_open, before process_facts_start. 0; or 1
 * when freshet must not start, and standard error says why. */
int process_disk_open(struct process *p, struct disk_watch *w, const char *folder);
/* For an heir: finds what is there, before anything is written, as far as that takes ten seconds. After
 * process_disk_open. */
void process_disk_find(struct disk_watch *w);
/* Starts to write and to find. After process_facts_start. */
void process_disk_start(struct process *p, struct disk_watch *w);
/* A reload has purged the sites whose settings changed. */
void process_disk_reloaded(struct process *p, struct disk_watch *w);
/* For an upgrade: disk_write_behind, disk_pause and disk_resume. The last returns 0 or a negative errno. */
void process_disk_write_behind(struct disk_watch *w);
void process_disk_pause(struct process *p, struct disk_watch *w);
int process_disk_resume(struct disk_watch *w);
/* Writes what is still to be written. After the workers have ended, before process_facts_stop. */
void process_disk_stop(struct process *p, struct disk_watch *w);
/* Frees it. Before the cache. */
void process_disk_free(struct disk_watch *w);

#endif
