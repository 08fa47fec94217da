/*
 * Windows: parts of a distant body (store/body.h), read from disk for the requests of one worker that deliver
 * them. Requests that want the same part share one window, and the latest ones stay for a while, so that
 * those who download the same thing at the same time read it once. What a request needs next is read ahead.
 *
 * A window has RECORD_PART_BYTES. They are charged as passing (store/memory.h). Only WINDOWS_MOST of them are
 * in use at one time; who needs another one waits until one is free. All functions run on the worker's
 * thread, but for the first and the last.
 */
#ifndef REQUEST_WINDOW_H
#define REQUEST_WINDOW_H

#include "request/request.h"

#ifdef FRESHET_DEBUG
#define WINDOWS_MOST 8 /* tests have no hundreds */
#define WINDOWS_IDLE 4
#else
#define WINDOWS_MOST 512 /* of a worker */
#define WINDOWS_IDLE 32  /* those that nobody uses */
#endif

/* Makes a worker's windows, and frees them: on main's thread, when the worker and all reads have ended.
 * `overload`: NULL, or it outlives them. */
struct windows *windows_new(struct cache *c, struct loop *loop, const struct overload *overload);
void windows_free(struct windows *all);

/* A request's view of a distant body, in its arena. */
enum view_state {
    VIEW_OPEN,   /* it has a window, or none yet */
    VIEW_WAITS,  /* request_wake comes */
    VIEW_FAILED, /* a part cannot be read */
    VIEW_LATE,   /* no window was free in time */
};
struct view {
    enum view_state state;
    struct window *window;   /* private, as is the rest */
    struct request *request; /* whose it is */
    struct link link;        /* among those who wait, when it waits */
};

/* Returns the piece of the request's body that begins at r->at, at most `to - r->at` bytes and never empty,
 * in *piece; it stays until the next call. false: r->view says whether the request waits, or why it
 * gets none. The send step calls it, while nothing is being sent. */
bool window_lease(struct request *r, uint64_t to, struct iovec *piece);
/* Does somebody wait since all windows are taken? Then those that hold one and are too slow are cut off. */
bool windows_are_short(const struct windows *all);
/* There may be memory again for one that waits. */
void windows_relieve(struct windows *all);
/* The request needs its view no longer: r->view is NULL. Does nothing when it is. */
void window_leave(struct request *r);

#endif
