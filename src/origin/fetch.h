/*
 * A fetch: one request to an origin; the answer fills one object. A request starts it, or a background
 * refresh does. It belongs to that worker, runs on its thread, and goes on when the client leaves. A fetch
 * meets requests only at the object; the request that started it may also feed it an upload, and hear of
 * interim responses and of an upgrade.
 */
#ifndef ORIGIN_FETCH_H
#define ORIGIN_FETCH_H

#include "cache/index.h"
#include "cache/key.h"
#include "origin/pool.h"
#include "origin/upload.h"

struct fetch;

/* What the fetches of a worker share. */
struct fetcher {
    struct loop *loop;
    struct log *log;
    struct cache *cache;
    struct pool *pool;
    struct counters *counters;
    _Atomic int64_t *streams; /* open answers without an end, of all workers */
    struct log_valve *streams_said;
    struct list live;  /* all fetches */
    struct list spare; /* memory of ended fetches, for the next ones */
    size_t spare_n;
    /* for use within one callback: */
    char *scratch;       /* FETCH_SCRATCH_BYTES, for heads and for decoding */
    struct field *table; /* for the lines of a head */
    size_t table_cap;
};

#define FETCH_SCRATCH_BYTES ((size_t)65536)

/* Make and end it on the worker's thread, or before it starts; at the end no fetch is left. The arguments
 * outlive it. */
void fetcher_init(struct fetcher *f, struct loop *loop, struct log *log, struct cache *cache,
                  struct pool *pool, struct counters *counters);
void fetcher_fini(struct fetcher *f);
/* Does anybody read the answers of this worker's fetches? After this worker's own clients have gone, requests
 * on other workers may. */
bool fetcher_has_readers(const struct fetcher *f);
/* Makes all fetches fail now: the drain is over. */
void fetcher_cancel_all(struct fetcher *f);

/* The request that started a fetch, while it is there. Callbacks come from the loop. */
struct fetch_client {
    struct fetch *fetch; /* NULL: the fetch is over */
    /* A 1xx other than 100 and 101 came. The strings live during the call. */
    void (*interim)(struct fetch_client *c, int status, const struct fields *fields);
    /* A 101 came: the connection is the client's from now on; `rest` was already read from it. The fetch is
     * over. */
    void (*upgraded)(struct fetch_client *c, struct connection *connection, const struct response_head *head,
                     struct str rest);
};

/* Everything that a fetch needs from the request that starts it. fetch_start copies it. */
struct fetch_plan {
    struct settings *settings; /* a reference is taken */
    const struct site_settings *site;
    struct origin *origin;
    enum method method;
    struct str method_name;
    struct key_request key; /* spelling (or path), query and fields as they go to the origin */
    struct str host;        /* the Host field */
    /* Target and fields as the visitor sent them (CACHING.md 3.7), in their own order and spelling, without
     * fields that no proxy passes on. `came` may be NULL: it would equal key.fields. */
    struct str target;
    const struct fields *came;
    bool as_came;     /* the origin gets target and `came`, instead of path, query and fields of `key` */
    bool came_is_key; /* `target` and the order of languages are those of `key`: the answer may be stored */
    const struct rule *rule; /* the rule that the key was computed under */
    struct place place;
    struct object *object; /* to fill; in NEW; a reference is taken */
    struct object *stale;  /* to revalidate, or NULL; a reference is taken */
    /* A stored part from position 0: only the rest is asked for. Or NULL. A reference is taken. */
    struct object *part;
    const struct directives *request; /* those that the site honours: for stale-if-error */
    struct upload *upload;            /* NULL: no body */
    struct fetch_client *client;      /* NULL: background */
    struct connection **own;          /* where the client keeps a connection of its own; NULL: none */
    bool empty_body;                  /* the client sent Content-Length: 0; the origin gets it too */
    bool may_store; /* a GET whose answer may be stored: freshet alone sets conditional fields and Range */
    bool learns;    /* the index learns from the answer, though it may not be stored */
    bool background;
    bool upgrade;           /* the client asks for an upgrade */
    enum reason not_stored; /* why the answer is not stored though it might be; REASON_NONE: it may be */
    struct str range;       /* forwarded although the answer may be stored (combine_parts); empty: none */
    struct str request_id;
};

/* Starts a fetch. The outcome shows at the object: from the loop, or inside this call when the pool refuses
 * (queue full, no socket). Look at the object before you wait for it. */
void fetch_start(struct fetcher *f, const struct fetch_plan *plan);
/* Does only this client want the answer? Then the fetch should end when the client leaves. false when the
 * answer may be stored, since others may want it. */
bool fetch_is_for_client(const struct fetch_client *c);
/* Tells the fetch that the client or its upload goes away. No callback of `c` comes after this. The fetch
 * fails if half of an upload was sent. */
void fetch_detach(struct fetch_client *c);

#endif
