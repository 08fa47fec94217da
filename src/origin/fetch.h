/*
 * A fetch: one request to an origin, whose answer fills one object. Started by a request (or for a background refresh), owned by
 * its worker, survives the client that started it. It meets requests only at the object; the one that started it may
 * also give it an upload and hear of interim responses and of an upgrade.
 */
#ifndef ORIGIN_FETCH_H
#define ORIGIN_FETCH_H

#include "cache/index.h"
#include "cache/key.h"
#include "origin/pool.h"
#include "origin/upload.h"

struct fetch;

/* What a worker's fetches share. */
struct fetcher {
    struct loop *loop;
    struct log *log;
    struct cache *cache;
    struct pool *pool;
    struct counters *counters;
    _Atomic int64_t *streams; /* answers without an end that are counted as such, all workers */
    struct list live;         /* all fetches */
    struct list spare;        /* memory of ended ones, for the next */
    size_t spare_n;
    /* Used within one callback: */
    char *scratch;       /* FETCH_SCRATCH_BYTES, for heads and for decoding */
    struct field *table; /* of a head's lines */
    size_t table_cap;
};

#define FETCH_SCRATCH_BYTES ((size_t)65536)

void fetcher_init(struct fetcher *f, struct loop *loop, struct log *log, struct cache *cache,
                  struct pool *pool, struct counters *counters);
void fetcher_fini(struct fetcher *f);
/* Does anybody read what is fetched? Where this worker has no visitors any more: those of others. */
bool fetcher_has_readers(const struct fetcher *f);
/* The end of a drain: all fetches fail now. */
void fetcher_cancel_all(struct fetcher *f);

/* The request that started it, while it is there. From the loop. */
struct fetch_client {
    struct fetch *fetch; /* NULL when the fetch is over */
    /* A 1xx other than 100 and 101; the strings live during the call. */
    void (*interim)(struct fetch_client *c, int status, const struct fields *fields);
    /* 101: the connection is the client's from here on, with `rest` already read from it. The fetch is over. */
    void (*upgraded)(struct fetch_client *c, struct connection *connection, const struct response_head *head,
                     struct str rest);
};

/* Everything a fetch needs of the request that starts it; copied. */
struct fetch_plan {
    struct settings *settings; /* a reference is taken */
    const struct site_settings *site;
    struct origin *origin;
    enum method method;
    struct str method_name;
    struct key_request key; /* as sent: spelling (or path), query and fields are what goes to the origin */
    struct str host;        /* the Host field */
    /* As the visitor sent them (CACHING.md 3.7): the target, and the fields in their own order and spelling, without what no proxy
     * passes on. `came` may be NULL: then it differs from key.fields in nothing. */
    struct str target;
    const struct fields *came;
    bool as_came;     /* target and `came` go to the origin, not path, query and fields of `key` */
    bool came_is_key; /* `target` and the order of languages are those of `key`: the answer may be stored */
    const struct rule *rule; /* that the key was computed under */
    struct place place;
    struct object *object; /* to fill: NEW; a reference is taken */
    struct object *stale;  /* to be revalidated; NULL: none; a reference is taken */
    struct object
        *part; /* a stored part from position 0, of which the rest is asked for; NULL; a reference is taken */
    const struct directives *request; /* honoured ones: for stale-if-error */
    struct upload *upload;            /* NULL: no body */
    struct fetch_client *client;      /* NULL: background */
    struct connection **own;          /* where its client keeps a connection of his own; NULL: none */
    bool empty_body;                  /* Content-Length: 0 was sent: say so too */
    bool may_store; /* GET that may be stored: conditional fields and Range are ours alone */
    bool learns;    /* what its answer says of the page is remembered, though it may not be stored */
    bool background;
    bool upgrade;           /* Upgrade is asked for */
    enum reason not_stored; /* although it might: why; REASON_NONE: it may */
    struct str range;       /* forwarded although it may be stored (combine_parts); empty: none */
    struct str request_id;
};

/* Starts. The outcome shows at the object, from the loop, never inside this call. */
void fetch_start(struct fetcher *f, const struct fetch_plan *plan);
/* Does nobody else want the answer: is asking to end when the client leaves? Not known of a fetch that may be stored. */
bool fetch_is_for_client(const struct fetch_client *c);
/* The client or its upload is going away. */
void fetch_detach(struct fetch_client *c);

#endif
