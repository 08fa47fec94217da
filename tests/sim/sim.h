/*
 * A simulated world (docs/decisions/066): chance, time, events and fibers in one thread. The program's
 * threads are fibers here; everything that would wait in the system waits for an event, and when nobody can
 * go on the time jumps to the next one. All that happens follows from the seed.
 */
#ifndef SIM_H
#define SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/list.h"

/* ---- chance ---- */

void sim_seed(uint64_t seed);
uint64_t sim_roll(void);
/* Returns a number from 0 to n - 1, and one from `least` to `most`. */
uint64_t sim_below(uint64_t n);
int64_t sim_between(int64_t least, int64_t most);
/* true: once in n. */
bool sim_once_in(uint64_t n);
/* Fills with bytes of chance. */
void sim_bytes(void *out, size_t n);

/* Bytes that are the same whenever they are asked for: those of `seed` from `from` on. `is_text`: few
 * different ones, which can be compressed. */
void sim_pattern(uint64_t seed, bool is_text, size_t from, char *out, size_t n);
/* The first of `n` bytes that is not the pattern's; n: none. */
size_t sim_pattern_differs(uint64_t seed, bool is_text, size_t from, const char *bytes, size_t n);

/* ---- time, in microseconds since the world began ---- */

int64_t sim_now(void);
/* Lets a little time pass, without giving others a turn. */
void sim_pass(int64_t us);

/* Something that happens later. Zeroed: it is not to happen. Embedded in its owner. */
struct sim_event {
    int64_t at;
    uint64_t order;
    size_t place; /* in the heap, from 1; 0: in none */
    void (*happens)(struct sim_event *e);
};
/* Sets it, also anew. */
void sim_event_at(struct sim_event *e, int64_t at, void (*happens)(struct sim_event *e));
void sim_event_stop(struct sim_event *e);

/* ---- fibers ---- */

struct fiber;

/* `of_process`: the simulated process' own, which a crash ends. It is freed when `run` has returned. */
struct fiber *fiber_start(const char *name, void *(*run)(void *arg), void *arg, bool of_process);
/* The fiber that runs; NULL: none, the world's own events happen. */
struct fiber *fiber_self(void);
/* Waits until somebody wakes it, or until `until` (INT64_MAX: without an end). A waking that came before
 * counts. false: the time was up. */
bool fiber_park(int64_t until);
void fiber_wake(struct fiber *f);
void fiber_nap(int64_t us);
/* Lets others go first, sometimes: where another thread could. */
void fiber_maybe_yield(void);
/* How often that is: once in so many places; and of those once in so many for long. */
void sim_give_turns(unsigned turns, unsigned naps);
/* What the fiber waits for, for locks and conditions: fibers_wake finds it by that. */
void fiber_waits_on(const void *what);
/* Wakes one that waits on `what` (chosen by chance), or all. Returns how many. */
size_t fibers_wake(const void *what, bool all);
/* Ends all fibers of the process, wherever they are. From the world. */
void fibers_kill(void);
/* Are fibers of the process there? */
bool fibers_of_process(void);
/* A step: an event, or a turn of one fiber. false: nothing will ever happen again. */
bool sim_step(void);

/* ---- what happened ---- */

/* Notes a line for the trace, whose end a failure shows, and mixes it into the digest. */
__attribute__((format(printf, 1, 2))) void sim_note(const char *format, ...);
uint64_t sim_digest(void);
void sim_show_trace(void);
/* The model, or a part of the world, has found a mistake of the program: says it, and ends. */
__attribute__((format(printf, 1, 2))) _Noreturn void sim_fail(const char *format, ...);
/* Called by sim_fail: says how to replay. */
extern void (*sim_on_failure)(void);
/* From now on what the program writes to standard error is kept, and shown when something fails. */
void sim_keep_errors(void);
extern FILE *sim_out; /* for people */

#endif
