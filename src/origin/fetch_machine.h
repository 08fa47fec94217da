/*
 * What the parts of a fetch (origin/fetch*.c) share: its state, and the functions between them. Private to
 * them.
 *
 *   fetch.c          its life: from the plan to a connection, its timer, its end
 *   fetch_request.c  what goes to the origin: the head, the upload
 *   fetch_head.c     the answer's head, and what is done with it
 *   fetch_judge.c    may the answer be stored, and what does the index learn
 *   fetch_body.c     the answer's bytes on their way into the object
 *
 * All run on the worker's thread, from its loop. A function that may end the fetch says so; its caller checks
 * `step` before it goes on.
 */
#ifndef ORIGIN_FETCH_MACHINE_H
#define ORIGIN_FETCH_MACHINE_H

#include "cache/names.h"
#include "http/chunked.h"
#include "http/range.h"
#include "origin/fetch.h"

/*
 * The steps, in the order in which things happen:
 *
 *   connect  get a connection from the pool
 *   head     send the request's head and body; receive the answer's head (perhaps before all is sent):
 *            interim, upgrade,
 *            304, or judged by policy
 *   body     bytes go into the object, as fast as they come, or as its readers take them
 *   over     sealed, failed or handed over; only freeing is left
 */
enum fetch_step { FETCH_CONNECT, FETCH_HEAD, FETCH_BODY, FETCH_OVER };

struct fetch {
    unsigned tag; /* FETCH_TAG while it lives */
    struct link link;
    struct fetcher *f;
    struct arena arena;
    struct fetch_plan plan; /* strings in the arena */
    enum fetch_step step;
    struct object *object, *stale, *part;
    struct ticket ticket;
    struct connection *connection;
    struct loop_notice room;
    struct timer timer;
    struct letter end; /* frees it, from the loop */

    /* the request */
    struct buf out;
    struct directives request;
    bool head_sent, asked_all;     /* asked_all: the kernel has all of head and body */
    bool send_broken;              /* the origin takes no more bytes */
    struct stream_backlog backlog; /* of the bytes sent, when last looked at */
    size_t upload_leased;          /* bytes of the pending write that are the upload's */
    bool upload_ended;             /* these bytes are the upload's last */
    struct timer awaited;          /* how long the origin may decide whether the upload is sent (Expect:
                           * 100-continue) */
    char chunk_text[CHUNK_HEAD_MAX];
    bool invalidated; /* its answer purged: its object counts as begun afterwards */
    bool has_upload;  /* it had an upload, even if nobody feeds it now: do not send the request again */
    bool conditional; /* carries validators of `stale` */
    bool retried, unconditional;

    /* the answer */
    struct str got; /* the head and the bytes that came with it: in the scratch or in `in`; valid within one
                     * callback */
    struct buf in;  /* a head that came in pieces */
    struct head_scan scan;
    unsigned interims;
    bool early_101;        /* a 101 is in `in`: the request's body goes out first */
    int covered_status;    /* the error status for which visitors get a stored response instead */
    enum http_error fault; /* what is wrong with the answer */
    int64_t sent_ms;
    struct framing framing;
    struct chunked chunked;
    uint64_t left; /* bytes of a body with a length */
    struct body *body;
    bool keep_alive;    /* the connection may serve another request */
    bool store;         /* the body is to be stored, and published when it is whole */
    bool is_events;     /* text/event-stream */
    bool is_stream;     /* counted among answers without an end, not in origin_connections */
    struct timer lasts; /* when it fires, the answer counts as one without an end */
    bool paused;        /* readers of a passing body are behind: the origin is not read */
    struct place place; /* the final one */
    bool provisional;   /* no 2xx has brought plan.rule */
    /* For an answer that is not stored though its head permits it, since the page was too large before: is it
     * short now? */
    bool whole_is_short; /* a 206 said that it is */
    bool length_decides; /* its length says so, once the body is whole */
    struct {
        bool is; /* the answer is a part (206), to be stored as one */
        struct range range;
        uint64_t whole;
    } part_of;
};

#define FETCH_TAG 0x66657463u

/* For how long a page is remembered as larger than a stored body may be. */
#define FETCH_OVER_SIZE_MS (600 * (int64_t)1000)

/* ---- fetch.c ---- */

/* Asks for a connection; then the request goes out. Also for a retry. May end the fetch. */
void fetch_ask(struct fetch *f);
/* Restarts the origin's timer. It runs while the origin owes something: to take bytes sent to it, or to
 * answer. It stops while the client pauses its upload (the front limits that), and while readers are
 * behind. */
void fetch_set_timer(struct fetch *f);
/* The answer has no known end: if it still goes on after a while, it is counted as a stream. */
void fetch_may_last(struct fetch *f);
/* Counts it as a stream now. false: the limit is reached. */
bool fetch_count_stream(struct fetch *f);
/* Drops the ticket or the connection, if there is one, and stops the origin's timer. The connection is not
 * reused. */
void fetch_drop_connection(struct fetch *f);
/* A refresh failed: the stored response stays, and the next refresh waits a little (CACHING.md 3.6). */
void fetch_back_off(struct fetch *f);

/* Ends the fetch: the whole answer is there. */
void fetch_complete(struct fetch *f);
/* Ends the fetch: tells the object's readers why. `status`: for readers that were sent nothing yet. */
void fetch_fail(struct fetch *f, enum reason why, int status);
/* Ends the fetch: the origin's message is malformed, or over a limit. */
void fetch_fail_malformed(struct fetch *f, enum http_error fault);
/* The last call for a fetch: it calls nobody after this. Its connection must be given away before. */
void fetch_over(struct fetch *f);

/* ---- fetch_request.c ---- */

/* Sends those bytes of head and body that are ready, one write at a time. May end the fetch. */
void fetch_send(struct fetch *f);
void fetch_on_written(struct connection *c, int status);
void fetch_upload_ready(struct upload *u);
/* Tells the client to send its upload, if it still waits for that. */
void fetch_go_on(struct fetch *f);

/* ---- fetch_head.c ---- */

/* Handles `got`, or keeps it until there is more. May end the fetch. */
void fetch_handle_head(struct fetch *f);
/* The body is sent: handles a 101 that came before. May end the fetch. */
void fetch_take_early_101(struct fetch *f);

/* ---- fetch_judge.c ---- */

/* The head for the object. */
struct fetch_answer {
    int status;
    struct str reason;
    const struct fields *fields; /* end-to-end */
    int64_t declared_length;     /* of a body that is not sent (HEAD, 304); -1: none */
    int fetched_status;          /* the origin's status: 304 for a confirmed 200 */
};

/* The family may have got another rule since this fetch began: takes that rule, by which the answer is
 * judged. */
void fetch_update_rule(struct fetch *f);
/* What a head takes of the budget, in bytes: its lines, and some room to spare. */
#define FETCH_HEAD_COST 1024
size_t fetch_head_cost(const struct fields *fields);
/* Judges whether the answer may be stored. The caller drops the verdict's rule; its strings are the fetch's
 * or those of `fields`. */
void fetch_judge(struct fetch *f, int status, const struct fields *fields, struct verdict *v);
/* Applies the verdict to the index. May change the verdict: a 2xx has brought another rule meanwhile. */
void fetch_settle(struct fetch *f, int status, struct verdict *v);
/* Returns the names that a stored answer can be purged by. `before`: the response that a 304 confirmed, whose
 * names are kept too; or NULL. The array is in the arena. */
void fetch_names(struct fetch *f, const struct verdict *v, const struct object *before,
                 struct name_list *names);
/* Gives the object its head. Takes over `body`. `successor_of`: the confirmed response, whose generated ETag
 * stays; or NULL. */
void fetch_set_head(struct fetch *f, const struct fetch_answer *a, struct verdict *v, struct body **body,
                    const struct object *successor_of);

/* ---- fetch_body.c ---- */

/* Returns the length of the body to be, of an answer with a length: a stored part and the rest together. */
uint64_t fetch_whole_length(const struct fetch *f);
/* Gives the object the judged head (fetch_set_head) and begins the body with the bytes behind the head's
 * `head_bytes`. Takes over the verdict's rule. May end the fetch. */
void fetch_begin_body(struct fetch *f, const struct fetch_answer *a, struct verdict *v, size_t head_bytes);
size_t fetch_on_space(struct connection *c, char **p);
void fetch_on_data(struct connection *c, size_t n);
/* A reader moved on, or the last one left. May end the fetch. */
void fetch_room_noticed(struct loop_notice *n);

#endif
