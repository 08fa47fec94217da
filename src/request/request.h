/*
 * A request: from its head to its access-log record, as a machine of steps (tbl/steps.h, request/request.c). It knows nothing
 * of the protocol that the client speaks: a front turns bytes into this struct and replies into bytes. Lives on its worker; all
 * that it allocates is in its arena, rewound when it ends.
 */
#ifndef REQUEST_REQUEST_H
#define REQUEST_REQUEST_H

#include "io/address.h"
#include "io/notice.h"
#include "origin/fetch.h"
#include "request/source.h"

struct request;
struct tunnel;
struct country;

enum step {
#define TO(id)               0
#define STEP(id, name, next) STEP_##id,
#include "tbl/steps.h"
#undef STEP
#undef TO
    STEP_COUNT
};

#define REQUEST_ROOM 3072

/*
 * What the client gets in front of the body, as values: a front prints it in its protocol. Fields that say how the
 * message ends or what becomes of the connection (Content-Length, Transfer-Encoding, Connection) are the front's.
 */
#define REPLY_EXTRA_MAX  24
#define REPLY_PIECES_MAX 10
struct reply {
    int status;
    unsigned extra_n;
    struct str reason; /* for protocols that have a reason phrase; empty: the status code's own */
    struct str lines;  /* fields, as prepared lines (http/lines.h); may be empty */
    bool has_body;     /* false: HEAD, 204, 304 and the like: nothing follows, whatever the length says */
    bool upgrade;      /* Upgrade is among the fields: a 101, or a 426 */
    bool close;        /* the connection is of no more use to the client */
    int64_t length;    /* Content-Length; -1: not known, or not to be stated */
    /* The first extra_n are written behind the others. Last, and never cleared: it is a kilobyte. */
    struct field extra[REPLY_EXTRA_MAX];
};

enum front_sent {
    FRONT_SENT,    /* all is with the kernel */
    FRONT_PENDING, /* request_sent follows; the memory must stay */
    FRONT_BROKEN,  /* the client is gone */
};

/* What a request asks of its front. From the request's own calls; none of them calls back. */
struct front_ops {
    /* The head (NULL: it was sent) and at most REPLY_PIECES_MAX pieces of the body; `last`: the body is whole with them. */
    enum front_sent (*send)(struct request *r, const struct reply *head, const struct iovec *iov, unsigned n,
                            bool last);
    /* Notes where a pending send stands; asks later whether the client has taken anything since, and notes it anew. */
    void (*note)(struct request *r);
    bool (*took)(struct request *r);
    /* Bytes that were given to it and that the client has not acknowledged, as far as is known. */
    uint64_t (*held)(struct request *r);
    /* A 1xx; dropped when the client cannot take one now. */
    void (*interim)(struct request *r, int status, const struct fields *fields);
    /* Body bytes are wanted: request_body follows, from the loop. */
    void (*want_body)(struct request *r);
    /* The head of an answer that makes a tunnel of the exchange (RFC 9110 §7.8); send_raw follows. */
    enum front_sent (*upgrade)(struct request *r, const struct reply *head);
    /* After an upgrade: bytes as they are. */
    enum front_sent (*send_raw)(struct request *r, const struct iovec *iov, unsigned n);
    /* Tunnel: start or stop reading from the client; end the sending side. */
    void (*read_raw)(struct request *r, bool on);
    void (*end_raw)(struct request *r);
    /* The request is over, from the loop: reply whole (true), or the connection must end without a proper end. Not called when an entry point
     * below returned REQUEST_DONE itself. */
    void (*done)(struct request *r);
};

/* A worker's hold on the settings. It has one reference for all its requests and counts them itself: the process' own
 * count would be written by every worker for every request. */
struct snapshot {
    struct settings *settings;
    size_t users;            /* requests that began with it; one more while it is for new ones */
    struct network *trusted; /* trusted_proxies */
    size_t trusted_n;
};

#define SELF_DIGITS 8

/* What a worker's requests share. */
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
    struct str self; /* "freshet-1a2b3c4d": our name in Via and CDN-Loop; its last SELF_DIGITS are drawn */
    /* The access log: called once for each finished request; NULL: off. */
    void (*log_request)(struct requests *w, const struct request *r);
    void *log_ctx;
    bool draining;
    uint64_t *next_id;        /* of X-Request-Id, this worker's */
    _Atomic int64_t *tunnels; /* open ones, all workers */
    struct log_valve *tunnels_said;
    struct list open; /* requests in flight, for the drain */
    size_t buffered;  /* bytes of uploads that are collected (upload_length) */
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

struct request {
    struct requests *w;
    const struct front_ops *front;
    struct link link;
    struct arena arena;
    /* From here on request_reset clears it, up to reply.extra. */
    struct source *source;     /* of its worker */
    struct settings *settings; /* those that it began with, of `snapshot` */
    struct snapshot *snapshot;

    /* ---- from the front, before request_start ---- */
    enum method method;
    struct str method_name, target; /* target: raw UTF-8 in it is percent-encoded by the route step */
    struct str protocol;            /* its version: "1.1"; what Via says (RFC 9110 §7.6.3) */
    bool needs_host;                /* the protocol demands the Host field (RFC 9112 §3.2) */
    bool may_upgrade;               /* the protocol knows Upgrade (RFC 9110 §7.8) */
    struct fields fields;           /* as received; strings live until the request is done */
    struct framing framing;         /* of its body */
    bool awaits_continue;           /* the client sends its body when it is told to */
    bool https;                     /* the connection is */
    const struct address *peer;
    struct connection *
        *own; /* where the front keeps this client's own connection to an origin; may be NULL */
    enum http_error refused; /* found by the front: answer it and close */

    /* ---- route ---- */
    enum step step;
    const struct site_settings *site;
    struct key_request key; /* key.fields is set by request_fields */
    struct str authority;   /* host[:port] as the visitor asked for it */
    struct str came;        /* the target in the visitor's spelling, in origin-form; "*" */
    struct str client_ip;
    struct str request_id;
    struct str
        came_host; /* the Host field in the visitor's spelling; empty when something else says the host */
    bool trusted, pass, upgrade, debug, head_only;
    bool went_as_came; /* the fetch that he started sent the origin his own target and fields */
    bool has_ignored;  /* his query has parameters that the key leaves out (ignore_query) */
    bool is_signed;    /* Authorization or a signature: his fields are not touched (CACHING.md 3.7) */
    bool fields_made;
    struct fields sent; /* to the origin */
    enum reason pass_reason;
    struct directives directives;
    struct str range;

    /* ---- lookup ---- */
    struct look look;
    struct rule *rule;  /* a reference */
    struct found found; /* its references have moved to `object` and `stale` when the look-up is over */
    unsigned looks;
    struct str whole_query; /* as the visitor sent it, when the rule left out some of it for the origin */
    bool asked_whole;       /* it was asked for again, under a rule that names more */
    unsigned refusals;      /* how often it waited for what turned out not to be stored */
    bool alone;             /* does not wait for another's fetch any more; what it brings is not stored */
    bool apart;             /* the same, but it may be stored */
    enum outcome outcome;   /* of the first look that counted */
    bool
        ask_as_came; /* nothing is stored of what came: the next fetch carries the visitor's own Range and conditions */
    bool as_came; /* the fetch that was started does: its answer is the origin's alone to choose */

    /* ---- object and delivery ---- */
    struct object *object; /* what is delivered, a reference */
    struct object *stale;  /* what may be served when the fetch fails, a reference */
    struct reader *reader; /* NULL: not waiting on the object */
    bool own_fetch;
    struct fetch_client fetch_client;
    struct upload *upload;
    bool collapsed, background_started, stale_error;
    struct timer timer; /* waiting for a head, or for the client to take bytes */
    bool timed_out;
    struct body *body; /* of the object */
    bool body_held;    /* with a reference of our own: an object that grows may replace its body */
    struct body_cursor cursor;
    uint64_t at, end;    /* of the body: next byte, and where to stop (BODY_LENGTH_UNKNOWN: the end) */
    uint64_t leased;     /* bytes of the write under way */
    int64_t took_ms;     /* the client took some of it, as far as is known */
    struct object *held; /* a reference: it counts as pinned, because the client is slower than we */
    int64_t rate_ms;     /* since when his rate is measured; 0: it is not */
    uint64_t rate_at;    /* the bytes that he had then */
    struct parts *parts; /* several ranges; NULL */
    bool head_sent, sending, last_sent;
    bool watched_as_passing; /* the timer of a pending send */
    bool cut;                /* the body could not be sent whole: no proper end */
    bool gone;               /* the client is */
    struct tunnel *tunnel;
    bool has_tunnel_place; /* counted in w->tunnels: from the moment that it asks for an upgrade */
    struct buf
        collected;   /* a request body that is needed whole: by its source, or to be sent with its length */
    size_t buffered; /* bytes of it that are counted in w->buffered */
    bool collects, body_ended;

    /* ---- for the record ---- */
    enum reason reason;
    enum http_error origin_fault; /* with REASON_ORIGIN_INVALID and REASON_ORIGIN_LIMIT */
    int status;
    uint64_t bytes_sent;
    int64_t started_us, first_byte_us, fetch_started_us, fetch_ms; /* 0: nobody asks, there is no log */
    struct str cache_status;

    struct answer_page answer; /* of which page_fill makes an object */
    struct reply reply;

    /* The arena's first block: most requests need no other. */
    _Alignas(16) char room[REQUEST_ROOM];
};

/* The settings for new requests from now on; takes the reference over. */
void requests_set_settings(struct requests *w, struct settings *s);
/* The worker ends: no request is open. */
void requests_fini(struct requests *w);

/* Once for each place that holds a request, which it is not to be moved from; `front` and `w` stay. */
void request_init(struct request *r, struct requests *w, const struct front_ops *front);
void request_fini(struct request *r);

/* After it is done: its memory is given back, everything but `w` and `front` is cleared. */
void request_reset(struct request *r);
/* Starts; the "from the front" part must be set. */
enum request_result request_start(struct request *r);
/* A pending send ended: 0, or the client is gone. */
enum request_result request_sent(struct request *r, int status);
/* The client took more of a pending send, not yet all. */
void request_moved(struct request *r);
/* The client is gone, or the drain's deadline came. Always ends it. */
void request_abort(struct request *r);
/* Body bytes: returns how many were taken; less than data.n: the front stops until want_body. */
size_t request_body(struct request *r, struct str data);
/* The client, which was not told to send its body, sends it. */
void request_body_begins(struct request *r);
/* The body is whole (true) or will never be. */
void request_body_end(struct request *r, bool whole);
/* Bytes of a tunnel from the client; returns how many were taken. `request_raw_ended`: the client's side ended. */
size_t request_raw(struct request *r, struct str data);
void request_raw_ended(struct request *r);
static inline bool request_is_tunnel(const struct request *r)
{
    return r->tunnel != NULL;
}

/* Is the answer for this client alone, so that it may end when the client is gone? */
static inline bool request_is_only_for_client(const struct request *r)
{
    return fetch_is_for_client(&r->fetch_client);
}

/* The client's connection ends: the one to an origin that belongs to it does as well. No request of it is in flight. */
void request_client_gone(struct connection **own);

/* ---- for the steps, in other files of this room ---- */

/* Leaves out of the query what is not in the key under r->rule, when the site wants that (CACHING.md 4.5). */
void request_reduce_query(struct request *r);
/* May what a source brings for this request be stored, by what the request says? Else the visitor's own conditions and ranges go to
 * the origin, and the answer is for this request alone. */
bool request_answer_may_be_stored(const struct request *r);
/* Something came that the machine waits for; from the loop. */
void request_wake(struct request *r);
/* The client's X-Request-Id, or one of ours, made when it is first needed. */
struct str request_id(struct request *r);
/* The fields for the origin, made when they are first needed. */
const struct fields *request_fields(struct request *r);
/* Would the origin be sent the target and the lists of the fields just as they came? Under r->rule, once it is known. */
bool request_is_in_order(struct request *r);
/* The same in the visitor's order and spelling (CACHING.md 3.7), in the request's arena. */
const struct fields *request_fields_as_came(struct request *r);
/* Do the target and the languages that came ask for what the key says, nothing else? Then what goes as it came may be stored. */
bool request_came_is_key(struct request *r);

struct str step_name(enum step s);

#endif
