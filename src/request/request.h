/*
 * A request: from its head to its access-log record, as a machine of steps (tbl/steps.h, request/request.c).
 * It knows no client protocol: a front turns bytes into this struct, and replies into bytes. It lives on its
 * worker, and all functions run on that thread. Its allocations are in its arena, which is rewound when it
 * ends.
 */
#ifndef REQUEST_REQUEST_H
#define REQUEST_REQUEST_H

#include "io/address.h"
#include "io/notice.h"
#include "origin/fetch.h"
#include "request/source.h"
#include "site/rules.h"

struct request;
struct tunnel;
struct country;
struct budget;
struct facts_desk;
struct saving;
struct reading;
struct view;
struct windows;
struct hold;

enum step {
#define TO(id)          0
#define STEP(id, nexts) STEP_##id,
#include "tbl/steps.h"
#undef STEP
#undef TO
    STEP_COUNT
};

/* How a request's body is taken (request_body.c). */
enum collecting {
    COLLECT_NO,     /* as it comes, by an upload */
    COLLECT_MUST,   /* whole, since its source or its origin needs it so */
    COLLECT_MAY,    /* whole, since it is short: while it comes it takes none of the origin's connections */
    COLLECT_SPILLS, /* the same, but there is no more room for it: in a moment it goes on as it comes */
};

#define REQUEST_ROOM 3072

/*
 * What the client gets before the body, as values, which a front prints in its protocol. The front itself
 * adds the fields that say how the message ends or what becomes of the connection (Content-Length,
 * Transfer-Encoding, Connection).
 */
#define REPLY_EXTRA_MAX  24
#define REPLY_PIECES_MAX 10
struct reply {
    int status;
    unsigned extra_n;
    struct str reason; /* for protocols with a reason phrase; empty: the status code's own */
    struct str lines;  /* fields, as prepared lines (http/lines.h); may be empty */
    bool has_body;     /* false: HEAD, 204, 304 and the like; nothing follows, whatever `length` says */
    bool upgrade;      /* the fields have Upgrade: a 101 or a 426 */
    bool close;        /* the client should not use the connection again */
    int64_t length;    /* Content-Length; -1: not known, or not sent */
    /* The first extra_n follow the other fields. Last member, never cleared: it is a kilobyte. */
    struct field extra[REPLY_EXTRA_MAX];
};

enum front_sent {
    FRONT_SENT,    /* the kernel has all of it */
    FRONT_PENDING, /* request_sent follows; the memory must stay */
    FRONT_BROKEN,  /* the client is gone */
};

/* What a request asks of its front. The request calls these functions. None of them calls a function of the
 * request (below) before it returns. */
struct front_ops {
    /* Sends the head (NULL: it was sent) and at most REPLY_PIECES_MAX pieces of the body. `last`: these
     * pieces complete the body. */
    enum front_sent (*send)(struct request *r, const struct reply *head, const struct iovec *iov, unsigned n,
                            bool last);
    /* note: notes the state of a pending send. took: has the client taken anything since? Notes the state
     * again. */
    void (*note)(struct request *r);
    bool (*took)(struct request *r);
    /* Returns the bytes sent that the client has not acknowledged, as far as is known. */
    uint64_t (*held)(struct request *r);
    /* May this client be sent a 1xx that it has not asked for? Some of HTTP/1.1 take it for the answer. */
    bool takes_hints;
    /* Sends a 1xx. false: the client cannot take one now, so it is dropped. */
    bool (*interim)(struct request *r, int status, const struct fields *fields);
    /* Asks for body bytes: request_body follows, from the loop. */
    void (*want_body)(struct request *r);
    /* Sends the head of an answer that makes the exchange a tunnel (RFC 9110 §7.8); send_raw follows. */
    enum front_sent (*upgrade)(struct request *r, const struct reply *head);
    /* After an upgrade: sends bytes unchanged. */
    enum front_sent (*send_raw)(struct request *r, const struct iovec *iov, unsigned n);
    /* In a tunnel: starts or stops reading from the client; ends the sending side. */
    void (*read_raw)(struct request *r, bool on);
    void (*end_raw)(struct request *r);
    /* The request is over. Called from the loop, or inside request_body or request_body_end, when the body
     * is refused or whole and the answer follows at once. The request must stay until that call returned.
     * The reply is whole, unless r->cut: then the connection must not end cleanly. Not called when
     * request_start or request_sent has returned REQUEST_DONE, nor by request_abort. */
    void (*done)(struct request *r);
};

/* A worker's hold on the settings: one reference for all its requests, which it counts itself. So workers do
 * not all write the settings' own count for every request. */
struct snapshot {
    struct settings *settings;
    size_t users;            /* requests that began with it, and one while it is for new ones */
    struct network *trusted; /* trusted_proxies */
    size_t trusted_n;
};

#define SELF_DIGITS 8

/* Shared by the requests of a worker. */
#define HOST_SEEN_MAX 64

/* The latest Host field that was taken apart: most requests of a worker have the same one. Only of one whose
 * parts are its own bytes, so that nothing here has to outlive it. */
struct host_seen {
    char raw[HOST_SEEN_MAX];
    uint8_t raw_n, name_n, authority_n; /* raw_n 0: none yet */
    bool https;
    uint16_t port;
};

/* The reads of the disk that run for a worker; private to request_disk.c. */
struct readings {
    struct list all;
    unsigned n;
    char *room; /* for what is at hand; NULL: none yet */
};

struct requests {
    struct loop *loop;
    struct log *log;
    struct cache *cache;
    struct fetcher *fetcher;
    struct origins *origins;
    struct counters *counters;
    struct snapshot *snapshot; /* for new requests */
    struct country *country;   /* NULL: no database */
    struct source *source;     /* fills the objects of its requests */
    struct source *purges;     /* answers those that purge by their method; NULL: they are like others */
    struct source
        *challenges; /* answers a CA that asks whose host it is, before any site is looked for; NULL: none */
    struct facts_desk *facts_desk; /* where those wait that must be on disk; NULL: nothing is saved */
    struct source *webhooks;       /* answers those to a path of the setting webhooks; NULL: the same */
    struct str self; /* "freshet-1a2b3c4d": its name in Via and CDN-Loop; the last SELF_DIGITS are random */
    /* Writes the access log; called once for each finished request. NULL: there is none. */
    void (*log_request)(struct requests *w, const struct request *r);
    void *log_ctx;
    bool draining;
    bool leaving;             /* another process has the store: what begins now passes */
    uint64_t *next_id;        /* of X-Request-Id, this worker's */
    _Atomic int64_t *tunnels; /* open tunnels of all workers */
    struct log_valve *tunnels_said;
    struct host_seen host_seen;
    struct list open;                /* open requests, for the drain */
    struct readings *readings;       /* shared by all requests of a worker */
    struct windows *windows;         /* the same */
    const struct overload *overload; /* is memory short? NULL: never */
    size_t buffered;                 /* bytes of bodies that are collected */
    struct budget *budgets[BUDGETS]; /* of them, private to request_budget.c; NULL before its first use */
};

/* A page of freshet's own. */
struct answer_page {
    int status;
    struct str content_type; /* empty: text/plain */
    struct str body;         /* in the request's arena */
    struct field extra[4];
    unsigned extra_n;
};

enum request_result { REQUEST_WAIT, REQUEST_DONE };

#define REQUEST_TAG 0x72657175u

struct request {
    unsigned tag; /* REQUEST_TAG from request_init to request_fini */
    struct requests *w;
    const struct front_ops *front;
    struct link link;
    struct arena arena;
    /* request_reset clears the members from here to reply.extra. */
    struct source *source;     /* of its worker */
    struct settings *settings; /* the settings that it began with, of `snapshot` */
    struct snapshot *snapshot;

    /* ---- from the front, before request_start ---- */
    enum method method;
    struct str method_name, target;       /* target: the route step percent-encodes raw UTF-8 in it */
    struct str protocol;                  /* the protocol's version, "1.1", for Via (RFC 9110 §7.6.3) */
    bool needs_host;                      /* the protocol demands the Host field (RFC 9112 §3.2) */
    bool may_upgrade;                     /* the protocol knows Upgrade (RFC 9110 §7.8) */
    struct fields fields;                 /* as received; strings live until the request is done */
    struct framing framing;               /* of the body */
    bool awaits_continue;                 /* the client waits for leave to send its body */
    bool https;                           /* the connection uses TLS */
    bool asks_origin;                     /* it passes, whatever is stored */
    const struct site_settings *for_site; /* of the settings; freshet's own request; NULL: the host says it */
    const struct address *peer;
    /* Where the front keeps this client's own connection to an origin. May be NULL. */
    struct connection **own;
    enum http_error refused; /* the front found this error: answer it and close */

    /* ---- route ---- */
    enum step step;
    const struct site_settings *site;
    struct key_request key; /* key.fields is set by request_fields */
    struct str authority;   /* host[:port] in the visitor's request */
    struct str came;        /* the target as the visitor spelled it, in origin-form; "*" */
    struct str client_ip;
    struct str request_id;
    /* The Host field as the visitor spelled it. Empty when another field names the host. */
    struct str came_host;
    bool trusted, pass, upgrade, debug, head_only;
    bool went_as_came;      /* its fetch sent the visitor's own target and fields */
    bool has_ignored;       /* the query has parameters that the key leaves out (ignore_query) */
    bool is_signed;         /* Authorization or a signature: its fields are sent unchanged (CACHING.md 3.7) */
    bool bypass;            /* it has a cookie of bypass_cookies: only assets are shared with it */
    bool cookies_cut;       /* its own fetch went without cookies that the page's rule leaves out */
    bool ignored_cookies;   /* it has cookies of ignore_cookies: `sent` is without them */
    bool is_static;         /* a rule of the site calls the path an asset's */
    bool redirected;        /* a rule redirects it */
    struct rules_said said; /* by the site's rules, when it has some */
    struct str rules_path, rules_query; /* that they were asked about */
    bool fields_made;
    struct fields sent; /* the fields for the origin */
    enum reason pass_reason;
    struct directives directives;
    struct str range;

    /* ---- lookup ---- */
    struct look look;
    struct rule *rule;  /* a reference */
    struct found found; /* its references move to `object` and `stale` after the look-up */
    unsigned looks;
    struct reading *reading;  /* waits for a read of the disk; NULL: it does not */
    struct link reading_link; /* among those who wait for it */
    unsigned reads;           /* how often it has waited for one */
    struct str whole_query;   /* the visitor's query, when the rule left out some of it for the origin */
    bool asked_whole;         /* the origin was asked again, with the whole query */
    bool asked_coded;         /* and with the codings that the visitor takes */
    unsigned refusals;        /* how often it waited for an answer that was not stored */
    bool alone;               /* waits for no other request's fetch any more, and its answer is not stored */
    bool apart;               /* waits for no other request's fetch any more, but its answer may be stored */
    /* Of the latest look-up. PASS too for a request that did not look, or that a stored part cannot
     * answer. */
    enum outcome outcome;
    /* the answer is not stored: the next fetch sends the visitor's own Range and conditions */
    bool ask_as_came;
    bool as_came; /* its fetch did that: the origin alone chooses the answer */

    /* ---- object and delivery ---- */
    struct object *object; /* the object to deliver; a reference */
    struct object *stale;  /* what may be served when the fetch fails; a reference */
    struct reader *reader; /* NULL: not waiting on the object */
    bool own_fetch;
    struct fetch_client fetch_client;
    struct upload *upload;
    bool collapsed, background_started, stale_error;
    bool hinted;        /* request_hint was asked */
    struct timer timer; /* waiting for a head, or for the client to take bytes */
    bool timed_out;
    const struct coded *coded; /* the coding of the object that is sent; NULL: its plain body */
    struct object *poured;     /* or that which is being made (coding/pour.h), a reference; NULL: none */
    bool plain_alone;          /* that has failed: the plain body is sent */
    struct body *body;         /* of the object, or of the coding */
    bool body_held;            /* with its own reference, since a growing object may replace its body */
    struct body_cursor cursor;
    uint64_t at, end;    /* of the body: the next byte, and where to stop (BODY_LENGTH_UNKNOWN: at the end) */
    uint64_t leased;     /* bytes of the pending send */
    int64_t took_ms;     /* when the client last took some of it, as far as is known */
    struct object *held; /* a reference to an object that counts as pinned, since the client is slow */
    int64_t rate_ms;     /* since when the client's rate is measured; 0: it is not */
    uint64_t rate_at;    /* the bytes that the client had then */
    struct parts *parts; /* several ranges; NULL */
    struct view *view;   /* of a distant body (request/window.h); NULL: none */
    bool head_sent, sending, last_sent;
    bool watched_as_passing; /* the timer of the pending send runs as for a passing body */
    bool cut;                /* the body could not be sent whole: the reply must not end properly */
    bool etag_sent;          /* the reply has the visitor's own ETag (304) */
    bool gone;               /* the client is gone */
    struct tunnel *tunnel;
    bool has_tunnel_place; /* counted in w->tunnels, from the request for an upgrade on */
    struct buf collected;  /* of the body, while it is collected */
    size_t buffered;       /* bytes of it counted in w->buffered */
    size_t body_most;      /* 0: what the source takes */
    struct hold *hold;     /* private to request_budget.c; NULL: nothing is counted */
    enum collecting collects;
    bool body_ended;
    bool body_unwanted; /* by from_head of its source: it is started without its body */

    /* ---- for the record ---- */
    enum reason reason;
    enum http_error origin_fault; /* with REASON_ORIGIN_INVALID and REASON_ORIGIN_LIMIT */
    int status;
    uint64_t bytes_sent;
    /* 0: not measured, since there is no log */
    int64_t started_us, first_byte_us, fetch_started_us, fetch_ms;
    struct str cache_status;

    struct answer_page answer; /* page_fill makes an object of it */
    struct saving *saving;     /* private to admin/saved.c */
    struct reply reply;

    /* The arena's first block. Most requests need no other. */
    _Alignas(16) char room[REQUEST_ROOM];
};

/* Sets the settings for new requests. Takes over the reference. On the worker's thread, or on main's before
 * the workers start. */
void requests_set_settings(struct requests *w, struct settings *s);
/* Initialises requests that share with `like` what belongs to the worker (its loop, cache, fetcher, origins,
 * name), and have settings of their own. Takes over the reference. They have no purges and no webhooks, and
 * are not logged. End them by requests_fini. */
void requests_init_like(struct requests *w, const struct requests *like, struct settings *s);
/* Gives back the settings. On main's thread, when the worker's has ended; on the worker's, for those of
 * requests_init_like. No request is open. */
void requests_fini(struct requests *w);

/* Make an empty struct readings, and free what is left in it: on main's thread, when the worker and all reads
 * have ended. */
void readings_init(struct readings *of);
void readings_fini(struct readings *of);

/* Initialises memory for requests, one after another; once. The memory must not move afterwards; `front` and
 * `w` stay the same. */
void request_init(struct request *r, struct requests *w, const struct front_ops *front);
/* Frees the arena. No request is open. */
void request_fini(struct request *r);

/* Call it when a request is done: gives its memory back, and clears everything except `w` and `front`. */
void request_reset(struct request *r);
/* Starts the request. The front has set the "from the front" part of a request that is new or was reset.
 * REQUEST_DONE: it is over already. REQUEST_WAIT: it ends later, by request_sent or by `done`. When it is
 * over, the front calls request_reset. */
enum request_result request_start(struct request *r);
/* Call it when a pending `send`, `upgrade` or `send_raw` has ended. status 0: all is sent; negative: the
 * client is gone. REQUEST_DONE: the request is over, and `done` does not follow. */
enum request_result request_sent(struct request *r, int status);
/* Call it when the client took more of a pending send, but not all. */
void request_moved(struct request *r);
/* Ends the request in any case: the client is gone, or the drain's deadline has come. Close the client's
 * stream first, since the request frees memory that a pending send still uses. `done` does not follow. Does
 * nothing when the request is over. */
void request_abort(struct request *r);
/* Gives the request bytes of its body, after want_body. Returns how many it copied or dropped; if less than
 * data.n, the front keeps the rest and waits for the next want_body. May call `done`. */
size_t request_body(struct request *r, struct str data);
/* Call it when a client sends its body without waiting for leave. */
void request_body_begins(struct request *r);
/* Call it once: when the body is whole (true), or can never be (false). May call `done`. */
void request_body_end(struct request *r, bool whole);
/* Call it, from the loop, when the body comes too slowly or not at all. true: the request is answered, since
 * nobody has any of the body yet; it calls `done`. false: it is not; end it by request_abort. */
bool request_body_late(struct request *r);
/* request_raw gives it a tunnel's bytes from the client, and returns how many it took. request_raw_ended: the
 * client's side has ended. */
size_t request_raw(struct request *r, struct str data);
void request_raw_ended(struct request *r);

/* For a front that chooses whom it gives up when memory is short. request_holds: the bytes that the request
 * holds for its client outside of the cache. request_taken: the bytes of the answer's body that the client
 * has acknowledged, as far as is known. request_save: gives back what is held for convenience alone. */
size_t request_holds(const struct request *r);
uint64_t request_taken(struct request *r);
void request_save(struct request *r);

/* Is the answer for this client alone, so that the request may end when the client is gone? */
static inline bool request_is_only_for_client(const struct request *r)
{
    return fetch_is_for_client(&r->fetch_client);
}

/* Call it when the client's connection ends, and no request of it is open. Ends the connection to an origin
 * that belongs to it. */
void request_client_gone(struct connection **own);

/* ---- for the steps, in other files of this room ---- */

/* Removes from the query what is not in the key under r->rule, when the site wants that (CACHING.md 4.5). */
void request_reduce_query(struct request *r);
/* Did a browser ask for what its visitor may want next (CACHING.md 4.8)? */
bool request_is_prefetch(const struct request *r);
/* Does the request permit to store its answer? If not, the visitor's own conditions and ranges go to the
 * origin, and the answer is for this request alone. */
bool request_answer_may_be_stored(const struct request *r);
/* Goes on with the request, since something that it waits for has come. From the loop, or from request_body
 * and request_body_end. Calls the front's `done` when the request ends. */
void request_wake(struct request *r);
/* Returns the client's X-Request-Id, or one of freshet's, made when first needed. */
struct str request_id(struct request *r);
/* Returns the fields for the origin, made when first needed. */
const struct fields *request_fields(struct request *r);
/* Would the origin get the target, and the lists in the fields, exactly as the client sent them? Under
 * r->rule, once it is known. */
bool request_is_in_order(struct request *r);
/* Returns the fields in the visitor's order and spelling (CACHING.md 3.7), in the request's arena. */
const struct fields *request_fields_as_came(struct request *r);
/* Returns the fields for a fetch whose answer may be stored: without the cookies that the key does not hold,
 * once an answer has settled the page's rule. Sets r->cookies_cut. */
const struct fields *request_cut_cookies(struct request *r);
/* Does a fetch whose answer may be stored go without some of the visitor's cookies (CACHING.md 4.5)? Under
 * r->rule, once it is known. */
bool request_drops_cookies(struct request *r);
/* Do the client's target, languages and cookies ask for exactly what the key says? Then an answer to the
 * unchanged request may be stored. */
bool request_came_is_key(struct request *r);

#endif
