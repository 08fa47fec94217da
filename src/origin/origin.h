/*
 * Origins: the servers behind freshet. One struct for each address, shared by all workers: how many
 * connections are in use, which fetches wait for one, and how the origin did lately. The connections belong
 * to the workers' pools (origin/pool). Any thread may call these functions, except origins_init and
 * origins_fini, and without a lock held.
 */
#ifndef ORIGIN_ORIGIN_H
#define ORIGIN_ORIGIN_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/lock.h"
#include "base/log.h"
#include "cache/reason.h"
#include "conf/settings.h"
#include "http/error.h"

struct origins;
struct trusts;

#define ORIGIN_ERROR_MAX 256 /* bytes of a text for people, with its NUL */

struct origin {
    struct link link;
    struct origins *all;
    struct origin *next;      /* in its bucket */
    uint32_t hash, number;    /* numbers count from 0; a worker finds its entry by them */
    struct origin_address at; /* strings owned */
    struct str name; /* for people: HOST[:PORT], https://HOST[:PORT] with what else tells it from others
                               * of that URL, or unix:/path. Owned; of each origin another one */
    /* Connections in use or being made, of all workers, and how many of them have an upload that still comes,
     * times ORIGIN_UPLOAD: two counts in one, since who takes a place changes both or none. */
    _Atomic int64_t places;
    /* fetches that wait for a connection, of all workers: the ordinary ones, those whose upload still comes,
     * and those of low priority */
    _Atomic int64_t waiting, waiting_uploads, waiting_low;
    struct lock lock;  /* guards `pools` and `talk_error` */
    struct list pools; /* the workers' entries, to tell them of a free place */
    char
        talk_error[ORIGIN_ERROR_MAX]; /* of the last failed handshake, of TLS or HTTP/2; empty: none failed */
    /* health, for status: relaxed */
    _Atomic uint64_t answered, failed;
    _Atomic int64_t last_failed_wall_ms;
    _Atomic uint32_t last;  /* reason and fault in one word, so that they fit each other:
                             * origin_last_failure */
    _Atomic int last_error; /* of the last failed connect, a negative code of io/; 0: none */
    _Atomic uint64_t failed_in_row;
    _Atomic int64_t row_began_ms;          /* monotonic: the first failure of the row */
    struct log_valve full_said, late_said; /* that its queue is full; that a fetch waited too long in it */
    _Atomic unsigned marks;                /* enum origin_mark */
    atomic_bool is_old;                    /* its latest answer was HTTP/1.0: it knows no 100 (Continue) */
    _Atomic int64_t next_try_ms;           /* monotonic: while it is sick, no background fetch before */
    /* for the choice among several (origin/upstream.h): relaxed */
    _Atomic int64_t outstanding;    /* fetches that have chosen it and tunnels to it, of all workers */
    _Atomic int64_t rests_until_ms; /* monotonic: it could not be reached a moment ago */
    /* monotonic: it is new or became well then; INT64_MIN: at the start; 0: no site has asked for it */
    _Atomic int64_t well_since_ms;
    struct log_valve moved_said;   /* that requests go elsewhere instead */
    struct log_valve http2_said;   /* that it breaks the rules of HTTP/2 */
    struct log_valve surplus_said; /* that bytes come behind its answers */
    _Atomic int64_t http2_open;    /* connections that speak HTTP/2, of all workers */
};

#define ORIGIN_UPLOAD ((int64_t)1 << 32)

/* An origin is sick after ORIGIN_SICK_AFTER failures in a row, if the last is ORIGIN_SICK_MS later than the
 * first, until it answers. While it is sick, what may be served stale on an error is served at once. Failures
 * at one moment do not count, since they may have one cause that is over. */
#define ORIGIN_SICK_AFTER 5
#define ORIGIN_SICK_MS    1000

/* For so long an origin that could not be reached gets nothing, while another is well. */
#define ORIGIN_REST_MS 1000

/* Bits: why an origin is not asked like others. */
enum origin_mark {
    ORIGIN_SICK = 1,
    ORIGIN_DRAINED = 2, /* somebody wants that it gets nothing new */
};

struct origins {
    struct lock lock;
    struct list all;
    struct origin **buckets; /* by hash; their number is a power of two */
    uint32_t buckets_n, n;
    /* How many origins have a mark, or are down for a site; while none is, a hit need not look at its
     * origins. */
    _Atomic int64_t marked;
    struct list upstreams; /* origin/upstream.h */
    /* The addresses that are drained, as "http://HOST:PORT", each with a line feed; guarded by `lock`. An
     * origin that is made later may be one of them. */
    struct buf drained;
    struct trusts *trusts; /* origin/trust.h; NULL: no origin can have TLS */
};

/* Initialises a zeroed list of origins. On main's thread, before the workers start. */
void origins_init(struct origins *o);
/* Frees the list and its origins. On main's thread, when nobody uses an origin any more. */
void origins_fini(struct origins *o);
/* Returns the origin of that address; makes it when it is new, and copies the address. It stays until
 * origins_fini, so there are as many as configurations ever named. Never NULL. */
struct origin *origins_get(struct origins *o, const struct origin_address *at);
/* Appends how people write the address: "http://HOST[:PORT]", "unix:/path". Any thread. */
void origin_write_url(const struct origin *o, struct buf *to);
/* Is it the origin of that address? */
bool origin_is_at(const struct origin *o, const struct origin_address *at);
/* Calls `each` for every origin, under the list's lock: it must not call origins_get or origins_each. */
void origins_each(struct origins *o, void (*each)(struct origin *, void *ctx), void *ctx);

/* Does its name say how it is spoken to? Else it is http://. */
static inline bool origin_is_named_whole(const struct origin *o)
{
    return o->at.tls.is_on || o->at.local_path.n > 0;
}
/* These return how many connections are in use, on how many of them an upload still comes, and how many
 * fetches wait for one. Any thread: it may be a moment old. */
static inline int64_t origin_in_use(const struct origin *o)
{
    return atomic_load_explicit(&o->places, memory_order_relaxed) % ORIGIN_UPLOAD;
}
static inline int64_t origin_uploads(const struct origin *o)
{
    return atomic_load_explicit(&o->places, memory_order_relaxed) / ORIGIN_UPLOAD;
}
static inline int64_t origin_waiting(const struct origin *o)
{
    return atomic_load_explicit(&o->waiting, memory_order_relaxed) +
           atomic_load_explicit(&o->waiting_uploads, memory_order_relaxed) +
           atomic_load_explicit(&o->waiting_low, memory_order_relaxed);
}
/* Notes that no connection could be made. `error`: the negative code that io/ returned. */
void origin_unreachable(struct origin *o, int error);
/* Notes that the handshake of TLS or HTTP/2 failed, and why, in words for the log. */
void origin_distrusted(struct origin *o, struct str why);
/* Writes why the last connect failed, in the words of the log, for a failure with that reason. Empty: it says
 * nothing more. */
struct str origin_last_error(struct origin *o, enum reason why, char out[ORIGIN_ERROR_MAX]);
/* Notes that the origin answered, with a status below 500: it is well. */
void origin_answered(struct origin *o, int64_t now_mono_ms);
/* Notes the version of its answer, HTTP/1.`minor`. */
void origin_spoke(struct origin *o, int minor);
/* Was its latest answer HTTP/1.0? */
bool origin_is_old(const struct origin *o);
/* Is it sick (ORIGIN_SICK_AFTER)? */
bool origin_is_sick(const struct origin *o);
/* It is well from now on: a check says so (origin/probe.h). */
void origin_recovered(struct origin *o, int64_t now_mono_ms);
/* Notes that it could not be reached, so that it rests (ORIGIN_REST_MS). */
void origin_rest(struct origin *o, int64_t now_mono_ms);

/* Drains it, or not any more. false: it was so before. */
bool origin_drain(struct origin *o, bool drained);
bool origin_is_drained(const struct origin *o);
/* Says which addresses are drained, as origins_write_drained wrote them in another process. On main's thread,
 * before the first origins_get. */
void origins_set_drained(struct origins *o, struct str lines);
/* Appends them: a line for each. */
void origins_write_drained(struct origins *o, struct buf *to);
/* May the caller try whether a sick origin is well again? true for one caller every `backoff_ms`. */
bool origin_may_try(struct origin *o, int64_t now_mono_ms, int64_t backoff_ms);
/* Notes a failure. `fault`: what is wrong with its message, for REASON_ORIGIN_INVALID and
 * REASON_ORIGIN_LIMIT; else HTTP_ERROR_NONE. */
void origin_failed(struct origin *o, enum reason why, enum http_error fault, struct now now);
/* A failure, as origin_failed noted it. */
struct origin_failure {
    enum reason why;
    enum http_error fault;
};
/* Returns the last failure; its reason is REASON_NONE when the origin never failed. */
struct origin_failure origin_last_failure(const struct origin *o);

#endif
