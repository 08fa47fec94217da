/*
 * An errand: a request that freshet sends to a site itself, as a visitor without cookies would. It goes
 * through the request machine (request/request.h), so what it brings is stored under a visitor's key. Its
 * front drops the body, or keeps it when the errand wants it. All functions run on the worker's thread.
 */
#ifndef DEPLOY_ERRAND_H
#define DEPLOY_ERRAND_H

#include "request/request.h"

#define ERRAND_FIELDS_MAX 8

/* What the errands of one purpose share: requests like those of the worker, with settings of their own. */
struct errands {
    struct requests requests;
    struct counters counters; /* no visitor sent them, so no figure of the worker counts them */
    struct address peer;
    size_t open;
};

/* What to ask for. The strings and fields are copied. */
struct errand_plan {
    const struct site_settings *site; /* of the errands' settings */
    bool https;                       /* the scheme that visitors use */
    struct str host;                  /* the Host field */
    struct str target;                /* in origin-form */
    struct str accept;                /* Accept; empty: anything */
    bool is_plain;                    /* without content coding; else what browsers accept */
    bool asks_origin;                 /* it passes, whatever is stored */
    bool can_wait;                    /* its fetch has low priority: visitors come first (CACHING.md 6.8) */
    size_t body_most;                 /* bytes of the body that are kept; 0: none */
};

/* One errand, in memory of its user. */
struct errand {
    struct request request;
    struct errands *of;
    struct fields fields;
    struct field table[ERRAND_FIELDS_MAX];
    struct arena arena;
    struct letter end;
    bool is_open, is_aborted, ends; /* ends: `end` is on its way */
    size_t body_most;
    /* From the loop: it is over. The errand may be freed inside this call, or started again. */
    void (*done)(struct errand *e);
    void *ctx; /* for `done` */
    /* what came of it, from `done` on */
    int status;         /* 0: it was aborted, or broke before its head */
    enum reason reason; /* with an error page of freshet's own */
    struct buf body;    /* its first body_most bytes, in its content coding */
    struct str coding;  /* Content-Encoding, in the errand's arena */
};

/* Prepares errands. `like`: the requests of the worker. Takes over the reference to `settings`. */
void errands_init(struct errands *e, const struct requests *like, struct settings *settings);
/* Gives the settings back. None of its errands is open. */
void errands_fini(struct errands *e);

/* Starts a zeroed errand, or one that is over. Sets `of`, `done` and `ctx` first. */
void errand_start(struct errand *x, const struct errand_plan *plan);
/* Ends an open errand; `done` follows from the loop, with status 0. Does nothing when it is not open. */
void errand_abort(struct errand *x);
/* Frees what it holds. It is not open. */
void errand_fini(struct errand *x);

#endif
