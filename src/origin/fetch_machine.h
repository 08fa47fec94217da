/*
 * What the parts of a fetch share (origin/fetch*.c), and nobody else: its state, and the functions between them.
 *
 *   fetch.c          its life: from the plan to a connection, the time it has, how it ends
 *   fetch_request.c  what goes to the origin: the head, the upload
 *   fetch_head.c     the answer's head, and what is done with it
 *   fetch_judge.c    may it be stored, and what the index learns of it
 *   fetch_body.c     the answer's bytes on their way into the object
 *
 * All on the worker's thread, from its loop. What may end the fetch says so; whoever called it looks at `step`
 * before it goes on.
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
 *   connect  a connection from the pool
 *   head     the request's head, then its body, go out; the answer's head comes, perhaps before: interim, upgrade, 304, or
 *            judged by policy
 *   body     bytes go into the object, as fast as they come, or as its readers take them
 *   over     sealed, failed or handed over; what is left is to be freed
 */
enum fetch_step { FETCH_CONNECT, FETCH_HEAD, FETCH_BODY, FETCH_OVER };

struct fetch {
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
    bool head_sent, asked_all;     /* all of head and body is with the kernel */
    bool send_broken;              /* the origin takes no more bytes */
    struct stream_backlog backlog; /* of what it was sent, when that was last looked at */
    size_t upload_leased;          /* bytes of the write under way that are the upload's */
    bool upload_ended;             /* they are its last */
    struct timer awaited; /* whether the upload is to be sent: for so long that is the origin's to say */
    char chunk_text[CHUNK_HEAD_MAX];
    bool invalidated; /* its answer did: what it brings counts as begun afterwards */
    bool has_upload;  /* it had one, even if nobody feeds it any more: not to be sent again */
    bool conditional; /* carries validators of `stale` */
    bool retried, unconditional;

    /* the answer */
    struct str got; /* the head, and what came with it: in the scratch or in `in`, within one callback */
    struct buf in;  /* a head that came in pieces */
    struct head_scan scan;
    unsigned interims;
    bool early_101;        /* it stands in `in`: the request's body goes out first */
    int covered_status;    /* of the error in whose place visitors get what is stored */
    enum http_error fault; /* what is wrong with the answer */
    int64_t sent_ms;
    struct framing framing;
    struct chunked chunked;
    uint64_t left; /* bytes of a body with a length */
    struct body *body;
    bool keep_alive;    /* the connection may serve another request */
    bool store;         /* the body is kept, and published when it is whole */
    bool is_events;     /* text/event-stream */
    bool is_stream;     /* counted among those without an end, not in origin_connections */
    struct timer lasts; /* then it is taken for one */
    bool paused;        /* the readers of a passing body are behind: the origin is not read */
    struct place place; /* final */
    bool provisional;   /* no 2xx has brought plan.rule */
    /* Not stored, though its head permits it: was it too large before, its length says whether it still is. */
    bool whole_is_short; /* a 206 told it */
    bool length_decides; /* it is known when the body is whole */
    struct {
        bool is; /* the answer is a part (206), to be stored as one */
        struct range range;
        uint64_t whole;
    } part_of;
};

/* For how long it is known that a page is over the limit of one object. */
#define FETCH_OVER_SIZE_MS (600 * (int64_t)1000)

/* ---- fetch.c ---- */

/* Asks for a connection; the request goes out when it is there. Also for another try. May end the fetch. */
void fetch_ask(struct fetch *f);
/* The origin's time begins anew. It runs while the origin owes something: to take what it is sent, or its answer; not while the
 * client pauses its upload, which is for the front to limit, nor while the readers are behind. */
void fetch_set_timer(struct fetch *f);
/* It has no end that is known of: when it still goes on after a while, it is counted as a stream. */
void fetch_may_last(struct fetch *f);
/* Counts it as a stream now; false: there are as many as may be. */
bool fetch_count_stream(struct fetch *f);
/* The ticket or the connection, if there is one, without its being used again. */
void fetch_drop_connection(struct fetch *f);
/* A refresh failed: the stored response stays, and the next one waits a little (CACHING.md 3.6). */
void fetch_back_off(struct fetch *f);

/* Ends: the whole answer is there. */
void fetch_complete(struct fetch *f);
/* Ends: the object's readers are told why; `status`: for those that nothing was sent to yet. */
void fetch_fail(struct fetch *f, enum reason why, int status);
/* The same: the origin's message is malformed, or over a limit. */
void fetch_fail_malformed(struct fetch *f, enum http_error fault);
/* The last thing of a fetch: nobody hears of it any more. The connection must have been given away. */
void fetch_over(struct fetch *f);

/* ---- fetch_request.c ---- */

/* Sends what is there of head and body. One write at a time. May end the fetch. */
void fetch_send(struct fetch *f);
void fetch_on_written(struct connection *c, int status);
void fetch_upload_ready(struct upload *u);
/* The client is told to send its upload, if it still waits for that. */
void fetch_go_on(struct fetch *f);

/* ---- fetch_head.c ---- */

/* Takes `got`, or keeps it until there is more. May end the fetch. */
void fetch_handle_head(struct fetch *f);
/* The body is sent: a 101 that came before takes effect. May end the fetch. */
void fetch_take_early_101(struct fetch *f);

/* ---- fetch_judge.c ---- */

/* The head that the object gets. */
struct fetch_answer {
    int status;
    struct str reason;
    const struct fields *fields; /* end-to-end */
    int64_t declared_length;     /* of a body that is not sent (HEAD, 304); -1: none */
    int fetched_status;          /* what the origin said: 304 of a confirmed 200 */
};

/* The family may have learnt another rule since this fetch began: that is what the answer is judged by. */
void fetch_update_rule(struct fetch *f);
/* What a head takes of the budget, in bytes: its lines, and some room to spare. */
#define FETCH_HEAD_COST 1024
size_t fetch_head_cost(const struct fields *fields);
/* May it be stored? The verdict's rule is the caller's to give back; its strings are the fetch's or those of `fields`. */
void fetch_judge(struct fetch *f, int status, const struct fields *fields, struct verdict *v);
/* What the verdict means to the index; it may change: a 2xx has brought another rule meanwhile. */
void fetch_settle(struct fetch *f, int status, struct verdict *v);
/* What an answer that is stored can be purged by. `before`: what a 304 confirmed stays purgeable by what it was when that was asked
 * for; or NULL. The array is in the arena. */
void fetch_names(struct fetch *f, const struct verdict *v, const struct object *before,
                 struct name_list *names);
/* The object gets its head. `body` is taken over; `successor_of`: a confirmed response whose generated ETag stays. */
void fetch_publish_head(struct fetch *f, const struct fetch_answer *a, struct verdict *v, struct body **body,
                        const struct object *successor_of);

/* ---- fetch_body.c ---- */

/* The head is judged: it is published, and the body begins, with what came behind the head's `head_bytes`. Takes the
 * verdict's rule. May end the fetch. */
void fetch_begin_body(struct fetch *f, const struct fetch_answer *a, struct verdict *v, size_t head_bytes);
size_t fetch_on_space(struct connection *c, char **p);
void fetch_on_data(struct connection *c, size_t n);
/* A reader moved on, or the last one left. */
void fetch_room_noticed(struct loop_notice *n);

#endif
