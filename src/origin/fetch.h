/*
 * A fetch: one request to an origin; the answer fills one object. A request starts it, for itself or as a
 * refresh in the background. The fetch belongs to that request's worker, and goes on when the client leaves,
 * if others may want the answer (fetch_is_for_client). It meets requests only at the object. The request that
 * started it may also feed it an upload, and hear of interim responses and of an upgrade. All functions run
 * on the worker's thread, except where they say otherwise.
 */
#ifndef ORIGIN_FETCH_H
#define ORIGIN_FETCH_H

#include "base/overload.h"
#include "cache/index.h"
#include "cache/key.h"
#include "origin/pool.h"
#include "origin/upload.h"
#include "origin/upstream.h"

struct fetch;
struct fetch_plan;

/* What the fetches of a worker share. */
struct fetcher {
    struct loop *loop;
    struct log *log;
    struct cache *cache;
    struct pool *pool;
    struct counters *counters;
    /* set after fetcher_init, before the first fetch */
    _Atomic int64_t *streams;       /* open answers without an end, of all workers */
    struct log_valve *streams_said; /* for the log line that there are too many */
    /* Called when a response was stored and published, before the fetch is over. NULL: not wanted. */
    void (*stored)(struct fetcher *f, const struct fetch_plan *plan, struct object *o);
    /* Was the release that the fetch began under live, and is no more? NULL: no. */
    bool (*is_left)(struct fetcher *f, const struct fetch_plan *plan);
    void *owner; /* for `stored` and `is_left` */
    /* Is memory short? Then fetches are refused, and windows are small. NULL: never. */
    const struct overload *overload;
    /* its own */
    struct list live;  /* all fetches */
    struct list spare; /* memory of ended fetches, for the next ones */
    size_t spare_n;
    /* its own, for use within one callback */
    char *scratch;       /* FETCH_SCRATCH_BYTES, for heads and for decoding */
    struct field *table; /* for the lines of a head */
    size_t table_cap;
};

#define FETCH_SCRATCH_BYTES ((size_t)65536)

/* Makes a fetcher without fetches. On main's thread, before the worker starts. The arguments outlive it. */
void fetcher_init(struct fetcher *f, struct loop *loop, struct log *log, struct cache *cache,
                  struct pool *pool, struct counters *counters);
/* Frees its memory. On main's thread, when the worker's loop has ended. No fetch is left. */
void fetcher_fini(struct fetcher *f);
/* Does anybody read the answers of this worker's fetches? Requests on other workers may do so after this
 * worker's own clients have gone. */
bool fetcher_has_readers(const struct fetcher *f);
/* Makes all fetches fail now, with 503 and the reason draining: the drain is over. */
void fetcher_cancel_all(struct fetcher *f);

/* The request that started a fetch, embedded in it. It sets the callbacks before fetch_start, and stays until
 * `fetch` is NULL or fetch_detach was called. Callbacks come from the loop; their strings live during the
 * call. */
struct fetch_client {
    struct fetch *fetch;   /* set by the fetch; NULL: none was started, or it is over */
    struct origin *origin; /* set by the fetch: the latest that was asked; NULL: none */
    /* A 1xx other than 100 and 101 came; `fields` are its end-to-end fields. */
    void (*interim)(struct fetch_client *c, int status, const struct fields *fields);
    /* A 101 came, and ends the fetch. The connection is the client's from now on: it sets `user` and `ctx`
     * inside this call, and gives it back by pool_drop. `rest`: bytes that came behind the head. */
    void (*upgraded)(struct fetch_client *c, struct connection *connection, const struct response_head *head,
                     struct str rest);
};

/* Everything that a fetch needs from the request that starts it. fetch_start copies it, with the strings and
 * fields, and takes references to the settings, the rule and the objects. */
struct fetch_plan {
    struct settings *settings;        /* those that the request began with */
    const struct site_settings *site; /* one of `settings` */
    struct upstream *upstream;        /* chooses the origin; NULL: `origin` is the one */
    struct origin *origin;            /* lives as long as the process. With `upstream` the fetch sets it */
    enum method method;
    struct str method_name;
    struct key_request key; /* spelling (or path), query and fields as they go to the origin */
    struct str host;        /* the Host field */
    /* Target and fields as the visitor sent them (CACHING.md 3.7), in their own order and spelling, without
     * fields that no proxy passes on. `came` may be NULL: it would equal key.fields. */
    struct str target;
    const struct fields *came;
    bool as_came;     /* the origin gets `target` and `came`, instead of path, query and fields of `key` */
    bool came_is_key; /* `target` and the order of languages are those of `key`: the answer may be stored */
    const struct rule *rule; /* the rule that the key was computed under */
    struct place place;      /* the key that the request had under that rule */
    struct object *object;   /* to fill; in NEW */
    struct object *stale;    /* to revalidate, and to serve on an error; or NULL */
    struct object *part;     /* a stored part from position 0, of which only the rest is asked for; or NULL */
    const struct directives *request; /* those that the site honours: for stale-if-error */
    /* The next three are the request's, and NULL in the background. They stay until the fetch is over or
     * fetch_detach was called. */
    struct upload *upload;       /* NULL: no body */
    struct fetch_client *client; /* NULL: it wants no callbacks */
    struct connection **own;     /* where the client keeps a connection of its own; NULL: none */
    bool empty_body;             /* the client sent Content-Length: 0; the origin gets it too */
    bool may_store; /* a GET whose answer may be stored: freshet alone sets conditional fields and Range */
    bool learns;    /* the index learns from the answer, though it may not be stored */
    bool called_static;     /* a rule of the site calls the path an asset's */
    bool low_priority;      /* its fetch waits behind all others, until somebody waits for the object */
    bool background;        /* a refresh, for which nobody waits: it has nothing of one visitor */
    bool upgrade;           /* the client asks for an upgrade */
    bool bypass;            /* the request has a cookie of bypass_cookies: only an asset is stored */
    bool cookies_cut;       /* `key` is without some of the visitor's cookies */
    enum reason not_stored; /* why the answer is not stored though it might be; REASON_NONE: it may be */
    unsigned codings; /* bits (1 << enum coding): which its visitor takes, to be made of what is stored */
    struct str range; /* forwarded although the answer may be stored (combine_parts); empty: none */
    struct str request_id; /* for the log */
};

/* Starts a fetch. The outcome shows at the object: from the loop, or inside this call when the fetch cannot
 * begin (the pool refuses, since its queue is full or there is no socket; the upload has failed already). So
 * look at the object before you wait for it. */
void fetch_start(struct fetcher *f, const struct fetch_plan *plan);
/* Does nobody need the answer when this client leaves? Then the fetch fails when the last reader of its
 * object leaves. false: the answer may be stored, so others may want it; or the origin is to finish an unsafe
 * request (end_unsafe); or there is no fetch. */
bool fetch_is_for_client(const struct fetch_client *c);
/* Tells the fetch that the client and its upload go away. No callback of `c` comes after this. The fetch
 * fails when its upload was not sent whole. If it uses the client's own connection, that is closed when the
 * fetch is done with it. Does nothing when c->fetch is NULL. */
void fetch_detach(struct fetch_client *c);

#endif
