#include "server/facts.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "admin/origin_api.h"
#include "deploy/ledger_saved.h"
#include "io/system.h"
#include "server/confine.h"

#define SECRET_KEY STR("secret")
#define AGAIN_MS   2000

/* The names of purges are hashes under it (cache/epoch.h), so it lasts as long as they do. */
static void find_secret(struct process *p)
{
    struct str kept = facts_get(p->facts, SECRET_KEY);
    if (kept.n == sizeof(p->secret.bytes)) {
        memcpy(p->secret.bytes, kept.p, kept.n);
        return;
    }
    system_random(p->secret.bytes, sizeof(p->secret.bytes));
    facts_put(p->facts, SECRET_KEY, (struct str){ (const char *)p->secret.bytes, sizeof(p->secret.bytes) });
}

int process_facts_open(struct process *p, const char *folder)
{
    struct facts_rows rows = epochs_rows(p->cache->epochs);
    struct buf said = BUF_INIT;
    enum facts_found found;
    p->facts = facts_open(str_from(folder), &p->clock, &rows, &found, &said);
    if (found != FACTS_REFUSED) {
        find_secret(p);
        epochs_save_to(p->cache->epochs, p->facts);
        ledger_load(&p->deploys.ledger, p->facts, p->settings, clock_now(&p->clock), &said);
        origins_set_drained(&p->origins, facts_get(p->facts, ORIGIN_API_DRAINED));
        tokens_load(&p->tokens, p->facts, clock_now(&p->clock), &said);
    }
    if (found == FACTS_REFUSED)
        fprintf(stderr, "freshet: %.*s\n", STR_ARG(buf_str(&said)));
    else if (
        said.n) /* also when the first commit will say that it fails: what was put aside is said only here */
        log_warning(&p->log, "facts", "%.*s", STR_ARG(buf_str(&said)));
    buf_fini(&said);
    return found == FACTS_REFUSED;
}

/* ---- how they do ---- */

static void try_again(struct timer *t)
{
    struct facts_watch *w = CONTAINER_OF(t, struct facts_watch, again);
    facts_try_again(w->process->facts);
    timer_start(&w->process->loop, t, AGAIN_MS, try_again);
}

static void say_failing(struct facts_watch *w, const struct facts_state *state)
{
    if (!w->folder[0])
        log_warning(
            &w->process->log, "facts",
            "there is no state folder, so what is purged and deployed is forgotten when freshet ends; name "
            "one with --state FOLDER");
    else
        log_warning(
            &w->process->log, "facts",
            "cannot write in the state folder \"%s\": %s; until that works again, what is purged and "
            "deployed is forgotten when freshet ends (purges answer \"durable\": false). See that this "
            "user may write there and that there is space, or name another folder with --state FOLDER%s",
            w->folder, state->why,
            confine_may_be_why(&w->process->settings->process, str_from(state->why))
                ? ". A folder that took the place of the one that was there at the start needs a restart: "
                  "the "
                  "sandbox does not know it"
                : "");
}

static void look(struct facts_watch *w)
{
    struct facts_state state;
    facts_state(w->process->facts, &state);
    if (w->is_over || state.is_failing == w->is_failing)
        return;
    w->is_failing = state.is_failing;
    if (!state.is_failing) {
        timer_stop(&w->process->loop, &w->again);
        log_info(&w->process->log, "facts", "the state folder \"%s\" can be written again: all is on disk",
                 w->folder);
        return;
    }
    say_failing(w, &state);
    if (w->folder[0])
        timer_start(&w->process->loop, &w->again, AGAIN_MS, try_again);
}

static void committed(struct loop_notice *n)
{
    look(CONTAINER_OF(n, struct facts_watch, notice));
}

/* Once for each change, not for each commit. */
static void told(struct facts_listener *l)
{
    struct facts_watch *w = CONTAINER_OF(l, struct facts_watch, listener);
    bool is_failing = facts_is_failing(w->process->facts);
    if (atomic_exchange(&w->process->facts_failing, is_failing) != is_failing)
        notice_send(&w->notice.notice, NULL);
}

void process_facts_start(struct process *p, struct facts_watch *w, const char *folder)
{
    *w = (struct facts_watch){ .process = p, .folder = folder, .listener = { .told = told } };
    loop_notice_init(&w->notice, &p->loop, committed);
    facts_start(p->facts);
    atomic_store(&p->facts_failing, facts_is_failing(p->facts));
    facts_listen(p->facts, &w->listener);
    look(w);
}

bool process_facts_pause(struct process *p, struct facts_watch *w)
{
    timer_stop(&p->loop, &w->again);
    epochs_end(p->cache->epochs);
    if (facts_pause(p->facts)) {
        facts_unlisten(p->facts, &w->listener); /* that they are another's is no failure */
        return true;
    }
    log_error(&p->log, "facts", "the disk of the state folder \"%s\" does not answer", w->folder);
    return false;
}

void process_facts_resume(struct process *p, struct facts_watch *w)
{
    epochs_go_on(p->cache->epochs);
    facts_resume(p->facts);
    atomic_store(&p->facts_failing, facts_is_failing(p->facts));
    facts_listen(p->facts, &w->listener);
    look(w);
    if (w->is_failing && w->folder[0])
        timer_start(&p->loop, &w->again, AGAIN_MS, try_again);
}

void process_facts_stop(struct process *p, struct facts_watch *w)
{
    w->is_over = true;
    facts_unlisten(p->facts, &w->listener);
    epochs_end(p->cache->epochs);
    if (facts_stop(p->facts))
        return;
    /* A thread is in the kernel, with memory of ours in its hands: nothing can be freed. */
    log_error(&p->log, "facts",
              "the disk of the state folder \"%s\" does not answer: freshet ends without it, and what was "
              "purged and deployed last may be forgotten",
              w->folder);
    _exit(1);
}
