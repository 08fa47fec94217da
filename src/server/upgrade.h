/*
 * A new process takes this one's place (docs/decisions/064): the side of the one that runs. On main's thread,
 * but for what workers call through struct process, and what is told of purges.
 *
 * In order: the new process is started, reads its settings and says that it is prepared. From then on deploys
 * and tokens are not changed here any more (admin->frozen), purges are collected for it, and what is stored
 * goes to the disk. The new one opens the store and says that it is ready. Then the workers here accept no
 * more, and give their idle connections away; the new one is told the purges, and serves. This one answers
 * what it has begun, and ends. What fails before that ends the new process, and this one goes on as if
 * nothing had been.
 */
#ifndef SERVER_UPGRADE_H
#define SERVER_UPGRADE_H

#include "io/channel.h"
#include "io/successor.h"
#include "server/disk.h"
#include "server/facts.h"
#include "server/prepare.h"
#include "server/watchdog.h"

#define UPGRADE_TEXT_MAX 2048

/* What the two say to each other: the types of the channel's messages. In order. */
enum {
    /* to the new one */
    UPGRADE_SOCKET = 'S',  /* descriptors that listen; text: prepare_name, or none */
    UPGRADE_ERRORS = 'E',  /* the descriptor of standard error */
    UPGRADE_BEGIN = 'B',   /* that is all */
    UPGRADE_STORE = 'T',   /* the state folder is yours */
    UPGRADE_NAMES = 'N',   /* names were purged: kind (1 byte), then 8 bytes each, of this machine's order */
    UPGRADE_ALL = 'L',     /* more was purged than there was room for: all is */
    UPGRADE_TICKETS = 'K', /* the keys of tickets (tls/tickets.h); none without TLS */
    UPGRADE_GO = 'G',      /* serve */
    UPGRADE_CONNECTION = 'C', /* an idle connection of a site; text: bytes that were read of it */
    UPGRADE_ADMIN = 'D',      /* the same, of the admin listener */
    UPGRADE_ASKED = 'q',      /* 8 bytes, then as UPGRADE_NAMES; UPGRADE_DONE is waited for */
    /* to the old one */
    UPGRADE_PREPARED = 'P', /* the settings are good */
    UPGRADE_READY = 'R',    /* text: for each socket, in their order, '1': it is used; '0' */
    UPGRADE_SAVED = 'V',    /* it serves; '1': what was purged before UPGRADE_GO is on disk; '0': it is not */
    UPGRADE_DONE = 'A',     /* the 8 bytes of UPGRADE_ASKED: that purge is in force */
};

/* The name of the control socket among the addresses. Test builds only. */
#define UPGRADE_CONTROL "control"

struct upgrade {
    struct successor successor; /* main calls successor_init, first of all */
    /* set by main */
    struct process *process;
    const struct preparation *found;
    struct facts_watch *facts_watch;
    struct disk_watch *disk_watch;
    const struct supervisor *supervisor;
    int control_fd; /* -1: none */
    /* The workers have left: by now nobody should find this process any more. Then: the new one serves. */
    void (*leaves)(struct upgrade *u);
    void (*gone)(struct upgrade *u);
    /* It has failed: what waited for its end may begin, another one too. */
    void (*failed)(struct upgrade *u);
    /* its own */
    enum {
        UPGRADE_NONE,
        UPGRADE_STARTS,
        UPGRADE_FREEZES,
        UPGRADE_OPENS,
        UPGRADE_LEAVES,
        UPGRADE_OVER,
        UPGRADE_FAILED, /* until the channel is closed */
    } state;
    struct channel channel;
    struct timer look, limit;
    size_t answered;                  /* workers that have left */
    size_t passing;                   /* letters to workers, of this upgrade or of one that has failed */
    bool passes_again;                /* when those are back */
    bool is_paused, facts_are_paused; /* the store is not ours */
    uint64_t ticket;                  /* of the facts: what was purged here before the new one served */
    struct buf said;                  /* by the new one, on standard error: the last UPGRADE_TEXT_MAX bytes */
    int *sent;                        /* descriptors, in the order in which they were sent */
    size_t sent_n;
    struct buf kept; /* the text of UPGRADE_READY */
    struct epochs_listener purges;
    pthread_mutex_t talk; /* guards what follows */
    pthread_cond_t heard; /* that `done` or `is_alone` has changed; by CLOCK_MONOTONIC */
    struct buf names;     /* messages that wait: for UPGRADE_GO, or until the channel has room */
    size_t told;          /* bytes of it that were sent */
    bool lost;            /* there was no room for some, which is still to be said */
    bool talks;           /* UPGRADE_GO is sent */
    bool is_alone;        /* the new one has ended */
    uint64_t asked, done; /* questions, and the latest that was answered */
    /* Not guarded: */
    atomic_bool gives_none; /* idle connections are closed, since the new one does not take them */
    int ends; /* a signal that came while the workers left: it is for the new one; 0: none. Main's */
};

/* Initialises a zeroed struct whose first members are set. */
void upgrade_init(struct upgrade *u);
/* Starts. false: it cannot, and `why` gets a sentence for people. */
bool upgrade_start(struct upgrade *u, struct buf *why);
/* Does one run? */
static inline bool upgrade_runs(const struct upgrade *u)
{
    return u->state != UPGRADE_NONE && u->state != UPGRADE_OVER;
}
/* Ends one that runs: this process is to end, or `why` for another reason. */
void upgrade_stop(struct upgrade *u, const char *why);
/* The workers have ended: says what is left to be said. After it main's loop can end. */
void upgrade_end(struct upgrade *u);
void upgrade_fini(struct upgrade *u);

#endif
