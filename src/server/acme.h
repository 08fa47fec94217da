/*
 * ACME in this process (acme/acme.h): from settings to rules, from certificates to the desk, and the answers
 * that a CA gets when it asks whose a host is. Main's thread, except where it says otherwise.
 */
#ifndef SERVER_ACME_H
#define SERVER_ACME_H

#include "conf/settings.h"
#include "io/loop.h"
#include "request/source.h"
#include "server/tls.h"

struct process_acme;

/* Makes one that does nothing yet, as long as it is for `t`, which it joins (process_tls_set_more).
 * `settings`: where those in force are found. */
struct process_acme *process_acme_new(struct process_tls *t);
void process_acme_free(struct process_acme *a); /* NULL is allowed */

/* Loads what asks a CA, and makes ready for what the setting acme_dns_hook names. Before the process gives up
 * rights, and before there is another thread; once. `a` may be NULL. */
void process_acme_prepare(struct process_acme *a, const struct settings *s);
/* Reads what the state folder has and lets the desk have it, so that the first visitor finds it. As the
 * user that the process stays. `a` may be NULL here and below. `state`: empty: there is none. */
void process_acme_open(struct process_acme *a, struct loop *l, const char *state,
                       struct settings *const *settings);
/* Another process has had the state folder since, and has ended: what is there now counts. Before the workers
 * start, so that a CA that asks meanwhile finds what was shown there. */
void process_acme_take_over(struct process_acme *a);
/* Begins to ask CAs. When the process serves, and after process_tls_watch. */
void process_acme_start(struct process_acme *a);
/* Other settings are in force. */
void process_acme_reload(struct process_acme *a, const struct settings *s);
/* Ends that, within a moment. `has_heir`: another process goes on from there. A second call does no harm. */
void process_acme_stop(struct process_acme *a, bool has_heir);

/* Returns what asks CAs; NULL: there is none. Any thread, after process_acme_open. */
struct acme *process_acme_of(struct process_acme *a);

/* Returns the source for struct requests; NULL: no CA is ever asked. After process_acme_open. */
struct source *process_acme_source(struct process_acme *a);

#endif
