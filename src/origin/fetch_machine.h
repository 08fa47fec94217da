/*
 * What the parts of a fetch (origin/fetch*.c) share: its state, and the functions between them. Private to
 * them.
 *
 *   fetch.c          its life: from the plan to a connection, its timer, its end
 *   fetch_request.c  what goes to the origin: the head, the upload
 *   fetch_head.c     the answer's head, and what is done with it
 *   fetch_judge.c    may the answer be stored, and what does the index learn
 *   fetch_kept.c     an asset of an earlier release instead of the answer
 *   fetch_body.c     the answer's bytes on their way into the object
 *   fetch_coding.c   the coding that they come in, undone; codings that are made of them
 *   surplus.c        bytes behind its end
 *
 * All functions run on the worker's thread. A function that may end the fetch says so; its caller checks
 * `step` before it goes on. After the end only fetch_room_noticed may still be called. Strings and fields
 * among the arguments are read within the call.
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
 *   head     send the request's head and body; receive the answer's head, perhaps before all is sent. An
 *            interim one changes nothing, an upgrade and a 304 end the fetch, policy judges the others
 *   body     bytes go into the object: as fast as they come when it is stored, else as its readers take them
 *   over     the object is sealed or failed, the connection was given away; only freeing is left
 */
enum fetch_step { FETCH_CONNECT, FETCH_HEAD, FETCH_BODY, FETCH_OVER };

struct fetch {
    unsigned tag;     /* FETCH_TAG while it lives */
    struct link link; /* in f->live, then in f->spare */
    struct fetcher *f;
    struct arena arena;
    struct fetch_plan plan; /* strings in the arena */
    enum fetch_step step;
    struct object *object, *stale, *part; /* those of `plan`, with references of the fetch's own */
    struct ticket ticket;                 /* in CONNECT, while the pool has no connection for it */
    struct connection *connection;        /* in HEAD and BODY */
    struct loop_notice room;              /* fetch_room_noticed */
    struct timer timer;                   /* fetch_set_timer */
    struct letter end;                    /* frees it, from the loop */

    /* the request */
    struct buf out;                /* its head, as it is sent */
    struct directives request;     /* plan.request points here */
    bool head_sent, asked_all;     /* asked_all: the kernel has all of head and body, or send_broken */
    bool send_broken;              /* the origin takes no more bytes, but what it said is still read */
    struct stream_backlog backlog; /* of the bytes sent, when last looked at */
    size_t upload_leased;          /* bytes of the pending write that are the upload's */
    bool upload_ended;             /* these bytes are the upload's last */
    struct timer awaited;          /* how long the origin may decide whether the upload is sent (Expect:
                           * 100-continue) */
    char chunk_text[CHUNK_HEAD_MAX];
    bool invalidated;   /* its answer has caused purges, which must not hit its object (object_begin_again) */
    bool has_upload;    /* it had an upload, even if nobody feeds it now: do not send the request again */
    bool conditional;   /* carries validators of `stale` */
    bool retried;       /* sent again on a fresh connection, once, since a reused one died */
    bool unconditional; /* asked again, without validators and ranges of ours */
    uint32_t tried;     /* the upstream's members that it was sent to */
    bool counted;       /* in plan.origin->outstanding */
    bool is_probe;      /* it tries whether a sick origin is well; else another one is asked */
    bool wants_http1;   /* the origin said so */
    bool was_lost;      /* it went to another origin since a connection ended under it, once */

    /* the answer */
    struct str got; /* the head and the bytes that came with it: in the scratch or in `in`; valid within one
                     * callback */
    struct buf in;  /* a head that came in pieces */
    struct head_scan scan;
    unsigned interims;
    bool early_101;        /* a 101 is in `in`: the request's body goes out first */
    bool keeps_stale;      /* `stale` is an asset that is kept: the origin lacks it */
    struct str undo;       /* what the site's rules changed in its answer; in the arena */
    int covered_status;    /* the error status for which visitors get a stored response instead */
    enum http_error fault; /* what is wrong with the answer */
    int64_t sent_ms;       /* monotonic: when it got the connection */
    struct framing framing;
    struct chunked chunked;
    uint64_t left;   /* bytes to come of a body with a length */
    bool keeps_last; /* its last byte has come, and is kept here: fetch_body_ended */
    char last;
    struct body *body;     /* of the object, with a reference; NULL: the answer has none */
    struct decode *decode; /* undoes the coding that the body comes in; NULL: none */
    struct body *own;      /* what it was given, kept as that coding; NULL: not wanted, or no room */
    enum coding own_coding;
    struct str own_etag;  /* in the arena */
    uint64_t coded_bytes; /* that it was given */
    bool keep_alive;      /* the connection may serve another request */
    bool store;           /* the body is to be stored, and published when it is whole */
    bool is_events;       /* text/event-stream */
    bool is_stream;       /* counted among answers without an end, not in origin_connections */
    struct timer lasts;   /* when it fires, the answer counts as one without an end */
    bool paused;          /* readers of a passing body are behind: the origin is not read */
    struct place place;   /* the key under the answer's rule; set by fetch_settle */
    struct rule *rule;    /* place.rule, with a reference */
    bool provisional;     /* no 2xx has brought plan.rule */
    /* For an answer that is not stored though its head permits it, since the page was too large before: is it
     * short now? */
    bool whole_is_short; /* a 206 said that it is */
    bool length_decides; /* the length of the body says it, once it is whole */
    struct {
        bool is;            /* the answer is a part (206), to be stored as one */
        struct range range; /* as its Content-Range says, as does `whole` */
        uint64_t whole;     /* UINT64_MAX: not known */
    } part_of;
};

#define FETCH_TAG 0x66657463u

/* For how many milliseconds a key is remembered as one whose page is larger than a stored body may be. */
#define FETCH_OVER_SIZE_MS (600 * (int64_t)1000)

/* ---- fetch.c ---- */

/* Sends the request to another origin of the site, when there is one and the budget permits it (decision
 * 075). Nothing of an answer was taken. `why`: what is wrong with this one. false: nothing was done. May end
 * the fetch, else. */
bool fetch_move(struct fetch *f, enum reason why);
/* Asks the pool for a connection; the request goes out as soon as there is one. Also for a retry, after
 * fetch_drop_connection. May end the fetch. */
void fetch_ask(struct fetch *f);
/* Restarts the origin's timer, which makes the fetch fail. In HEAD or BODY. The timer runs while the origin
 * owes something: to take bytes sent to it, or to answer. Stops it while the client pauses its upload (the
 * front limits that), and while readers are behind. */
void fetch_set_timer(struct fetch *f);
/* The upload has ended, or nobody takes it any more: the fetch counts no longer as one whose upload still
 * comes. */
void fetch_upload_came(struct fetch *f);
/* Counts the fetch as a stream if it still goes on after ten seconds. Call it when the answer has no known
 * end. In HEAD or BODY. */
void fetch_may_last(struct fetch *f);
/* Counts the fetch as a stream now, and no more among the connections in use. Needs a connection. true: it is
 * counted, now or before. false: the setting streams allows no more. */
bool fetch_count_stream(struct fetch *f);
/* Drops the ticket or the connection, if there is one, and stops the origin's timer. The connection is not
 * reused, and the fetch no longer counts as a stream. */
void fetch_drop_connection(struct fetch *f);
/* The answer is newer than what is stored, and is not stored itself: takes out the stored response, in
 * memory and on disk. */
void fetch_drop_stale(struct fetch *f);
/* Call it when the fetch did not bring what the stored response was to be revalidated with. That response
 * stays, and its next refresh may begin after refresh_backoff (CACHING.md 3.6). Does nothing without one. */
void fetch_back_off(struct fetch *f);

/* Ends the fetch, in HEAD or BODY, when the whole answer is there and the object has its head: gives the
 * connection back, seals the object, and publishes it when it is stored. */
void fetch_complete(struct fetch *f);
/* Ends the fetch in any step but OVER: drops the connection, makes the object fail, and logs what
 * is the origin's fault or a limit. `status`, 500 to 599: for readers that were sent nothing yet. */
void fetch_fail(struct fetch *f, enum reason why, int status);
/* Ends the fetch like fetch_fail, with 502: the origin's message is malformed, or over a limit. */
void fetch_fail_malformed(struct fetch *f, enum http_error fault);
/* Ends the fetch when its object is sealed or failed and its connection was given away. The fetch calls
 * nobody from now on, and the loop frees it. The others above call it. */
void fetch_over(struct fetch *f);

/* ---- fetch_kept.c ---- */

/* Does an answer with this head stand where a kept asset does: 404, 410 or a page? true: the fetch is to fail
 * with REASON_KEPT_ASSET, and requests find the asset: f->stale, or a variant that was made of one in another
 * content coding. */
bool fetch_keeps_asset(struct fetch *f, int status, const struct fields *fields);

/* ---- fetch_request.c ---- */

/* Sends those bytes of head and body that are ready, one write at a time, in HEAD or BODY. Does nothing while
 * a write is pending. May end the fetch. */
void fetch_send(struct fetch *f);
/* The connection's `written` (origin/pool.h): the pending write has ended. Goes on sending. May end the
 * fetch. */
void fetch_on_written(struct connection *c, int status);
/* The upload's `ready` (origin/upload.h), called by the request: sends what it has. May end the fetch. */
void fetch_upload_ready(struct upload *u);
/* Tells the client to send its upload, if the client still waits for that. */
void fetch_go_on(struct fetch *f);

/* ---- fetch_head.c ---- */

/* Handles the bytes in `got`: the heads of interim responses, then the answer's. Keeps them when a head is
 * not whole yet. In HEAD. May end the fetch. */
void fetch_handle_head(struct fetch *f);
/* Handles a 101 that came before the request's body was sent (early_101), now that it is. From the loop. May
 * end the fetch. */
void fetch_take_early_101(struct fetch *f);

/* The limits of an answer's head. */
struct head_limits fetch_head_limits(const struct fetch *f);
/* A lane's `head` and `bad` (origin/pool.h). May end the fetch. */
void fetch_on_head(struct connection *c, const struct response_head *h, bool ends);
void fetch_on_bad(struct connection *c, enum http_error error);

/* ---- fetch_judge.c ---- */

/* The head for the object. Its strings are copied. */
struct fetch_answer {
    int status;
    struct str reason;
    const struct fields *fields; /* end-to-end */
    int64_t declared_length;     /* of a body that is not sent (HEAD, 304); -1: none */
    int fetched_status;          /* the origin's status: 304 for a confirmed 200 */
};

/* Makes plan.rule the rule that the family has by now, and sets `provisional`. The answer is judged under it,
 * since other answers may have brought it after this fetch began. */
void fetch_update_rule(struct fetch *f);
/* Does the request whose key this fetch has take each content coding of a response with these fields? */
bool fetch_offers_codings(struct fetch *f, const struct fields *response);
#define FETCH_HEAD_COST 1024 /* bytes, for what a head takes beside its lines */
/* Returns how many bytes of the budget a head with these fields takes, at most. */
size_t fetch_head_cost(const struct fields *fields);
/* Changes the fields of the answer as the site's rules say (docs/RULES.md), before it is judged. */
void fetch_apply_rules(struct fetch *f, int status, struct fields *fields);
/* Sets *v to whether the answer may be stored, and how; calls fetch_update_rule first. In HEAD. `fields`:
 * end-to-end. The caller drops v->rule; other strings and lists of *v are the fetch's or those of
 * `fields`. */
void fetch_judge(struct fetch *f, int status, const struct fields *fields, struct verdict *v);
/* Applies the verdict to the index, in HEAD, with the connection, once. Sets `place`. When it is not to
 * store, closes the object, so that nobody else gets the answer, and tells the index what that says of
 * the key. May change *v to that, when a 2xx has brought another rule meanwhile. */
void fetch_settle(struct fetch *f, int status, struct verdict *v);
/* Sets *names to the names that a stored answer (v->store) can be purged by. `before`: the response that a
 * 304 confirmed, whose names are kept too; or NULL. The array is in the arena. */
void fetch_names(struct fetch *f, const struct verdict *v, const struct object *before,
                 struct name_list *names);
/* Gives the object its head, after fetch_settle; f->store is v->store. Takes over *body, which may be NULL,
 * and clears it. `successor_of`: the confirmed response, whose generated ETag stays; or NULL. Tells no
 * reader: the caller goes on with object_tell, fetch_complete or fetch_fail. */
void fetch_set_head(struct fetch *f, const struct fetch_answer *a, struct verdict *v, struct body **body,
                    const struct object *successor_of);

/* ---- fetch_coding.c ---- */

/* Makes the fields of a response that is to be stored those of its plain body, when it comes in a coding
 * (v->coded_in): no Content-Encoding, a weak ETag, no digests. `undo` of the fetch says how to undo that. */
void fetch_plain_fields(struct fetch *f, const struct verdict *v, struct fields *fields);
/* From now on the body's bytes are decoded. After fetch_plain_fields. false: no memory. */
bool fetch_begin_decode(struct fetch *f, const struct verdict *v);
/* Keeps the bytes in the origin's coding too, as far as there is room. */
void fetch_keep_coded(struct fetch *f, struct str data);
/* Makes a stored coding of them, before the object is sealed. */
void fetch_attach_own(struct fetch *f);
/* The object has its head, and bytes begin to come: begins the codings for those who wait (coding/pour.h). */
void fetch_begin_pours(struct fetch *f);
/* Returns the value that the origin sent in a stored response's field, before rules and codings changed it.
 * Empty: none. */
struct str fetch_origins_value(const struct response *stored, enum field_id id);
/* Once the object is stored: wants the codings that its visitor takes, and those that its predecessor has. */
void fetch_want_codings(struct fetch *f);

/* ---- surplus.c ---- */

/* `n` bytes came behind the end of the answer; 0: none. They belong to nobody: the connection is out of step
 * and gets no other request. Counts, and says it in the log (at most once in LOG_VALVE_MS for an origin). */
void fetch_note_surplus(struct fetch *f, size_t n);

/* ---- fetch_body.c ---- */

/* Returns how many bytes the object's body will have, for an answer with a length: a stored part and the rest
 * together. */
uint64_t fetch_whole_length(const struct fetch *f);
/* The answer has no more bytes: ends the fetch, on a lane when that has ended as well. */
void fetch_no_more(struct fetch *f);
/* A body that ends with its connection has ended cleanly. Ends the fetch. */
void fetch_body_ended(struct fetch *f);
/* Goes from HEAD to BODY, after fetch_settle: gives the object its head, and takes what stands in `got`
 * behind its first `head_bytes` as the beginning of the body. Drops the verdict's rule. May end the fetch. */
void fetch_begin_body(struct fetch *f, const struct fetch_answer *a, struct verdict *v, size_t head_bytes);
/* The connection's `space` (origin/pool.h): sets *p to where the next bytes go, and returns how many fit. 0:
 * no byte is wanted now. May end the fetch. */
size_t fetch_on_space(struct connection *c, char **p);
/* The connection's `data`: n bytes came, n > 0. May end the fetch. */
void fetch_on_data(struct connection *c, size_t n);
/* The notice `room`: a reader of a passing body moved on, the last reader left, one came that does not wait
 * at low priority, or an early 101 can be handled. From the loop. May end the fetch. */
void fetch_room_noticed(struct loop_notice *n);

#endif
