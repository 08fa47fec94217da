/*
 * A program of the operator's that is called with words, as often as it takes: the setting acme_dns_hook. It
 * is started by a process of its own (io/starter.h), which is made before this one gives up what the program
 * needs, and knows the program; what is passed to it is an action, a name and a value of few letters.
 */
#ifndef SERVER_HOOK_H
#define SERVER_HOOK_H

#include "base/buf.h"
#include "io/starter.h"

struct hook {
    struct starter starter;
    struct str program, user; /* of the settings at the start */
    bool is_open;
};

void hook_init(struct hook *h);
/* Makes the process. `user`: whom the program runs as, as in the setting; empty: as whoever starts
 * freshet. Both outlive it. Main's thread, before there is another one; once. */
void hook_open(struct hook *h, struct str program, struct str user);
void hook_close(struct hook *h);

/* Calls PROGRAM ACTION NAME VALUE and waits for its end, two minutes at most. false: it did not end with
 * 0; `why` gets a sentence. One thread at a time. */
bool hook_run(struct hook *h, struct str action, struct str name, struct str value, struct buf *why);

#endif
