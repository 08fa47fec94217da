/*
 * Origins: where sites run. One struct for each address, shared by all workers: how many of its connections are in use, who
 * waits for one, how it did lately. Connections themselves belong to a worker's pool (origin/pool).
 */
#ifndef ORIGIN_ORIGIN_H
#define ORIGIN_ORIGIN_H

#include "base/clock.h"
#include "base/list.h"
#include "base/lock.h"
#include "cache/reason.h"
#include "conf/settings.h"
#include "http/error.h"

struct origins;

struct origin {
    struct link link;
    struct origins *all;
    struct origin *next;      /* in its bucket */
    uint32_t hash, number;    /* numbers count from 0: a worker finds its entry by them */
    struct origin_address at; /* strings owned */
    struct str name;          /* for people: HOST[:PORT], or unix:/path. Owned */
    _Atomic int64_t in_use;   /* connections in use or being made, all workers */
    _Atomic int64_t waiting;  /* fetches that wait for one, all workers */
    struct lock lock;         /* of `pools` */
    struct list pools;        /* the workers' entries, for telling them of a free place */
    /* health, for status: relaxed */
    _Atomic uint64_t answered, failed;
    _Atomic int64_t last_failed_wall_ms;
    _Atomic uint32_t last;  /* both in one, so that they fit each other: origin_last_failure */
    _Atomic int last_error; /* of the last connect that failed, a negative code of io/; 0: none */
    _Atomic uint64_t failed_in_row;
    _Atomic int64_t row_began_ms; /* monotonic: when the first of them failed */
    atomic_bool sick;
    atomic_bool is_old;          /* its latest answer was HTTP/1.0: it knows no 100 */
    _Atomic int64_t next_try_ms; /* monotonic: while it is sick, no background fetch before */
};

/* After so many failures in a row, of which the last is so much later than the first, an origin is sick, until it answers: what may be
 * served stale on an error is served at once. Failures at one moment are the requests of one moment: they say nothing of the next. */
#define ORIGIN_SICK_AFTER 5
#define ORIGIN_SICK_MS    1000

struct origins {
    struct lock lock;
    struct list all;
    struct origin **buckets; /* by hash; as many as a power of two */
    uint32_t buckets_n, n;
    _Atomic int64_t sick; /* how many are; a hit need not look for its origin while none is */
};

void origins_init(struct origins *o);
void origins_fini(struct origins *o);
/* The origin of that address, found by its hash, or made when it is new; stays until origins_fini (as many as configurations ever named). Any thread. */
struct origin *origins_get(struct origins *o, const struct origin_address *at);
bool origin_is_at(const struct origin *o, const struct origin_address *at);
/* Calls `each` for all, under the lock. */
void origins_each(struct origins *o, void (*each)(struct origin *, void *ctx), void *ctx);

/* A connection could not be made; `error` as io/ says it. */
void origin_unreachable(struct origin *o, int error);
void origin_answered(struct origin *o);
/* Its answer was HTTP/1.`minor`. */
void origin_spoke(struct origin *o, int minor);
bool origin_is_old(const struct origin *o);
bool origin_is_sick(const struct origin *o);
/* Of a sick one: may somebody try whether it is well again? One may, every `backoff_ms`. Any thread. */
bool origin_may_try(struct origin *o, int64_t now_mono_ms, int64_t backoff_ms);
/* `fault`: with REASON_ORIGIN_INVALID and REASON_ORIGIN_LIMIT, what is wrong with its message; else HTTP_ERROR_NONE. */
void origin_failed(struct origin *o, enum reason why, enum http_error fault, struct now now);
/* How it failed last; REASON_NONE: it never did. */
struct origin_failure {
    enum reason why;
    enum http_error fault;
};
struct origin_failure origin_last_failure(const struct origin *o);

#endif
