/*
 * What the parts of a request (request/request*.c) share: the functions between them. Private to them.
 *
 *   request.c           its life, step by step, from its start to its end
 *   request_settings.c  the settings that a worker's requests begin with
 *   request_look.c      the key, and the question to the index
 *   request_disk.c      waiting for what is on disk
 *   request_ask.c       what the origin is asked: the visitor's own Range and conditions, or none
 *   request_fields.c    the fields that the origin is sent
 *   request_hints.c     early hints for who waits
 *   request_body.c      the request's body: collected, or handed on as an upload
 *   request_budget.c    the memory of bodies that are collected, shared between clients
 *   request_wait.c      waiting for an object, and what becomes of those who wait in vain
 *   request_send.c      the pieces of the body that go to the client
 *   request_pace.c      how fast the client takes them
 *   request_shed.c      what the request holds while its client is slow
 *
 * All run on the request's thread. A function that returns a step is called by the step that it belongs to,
 * which returns that step.
 */
#ifndef REQUEST_REQUEST_MACHINE_H
#define REQUEST_REQUEST_MACHINE_H

#include "request/request.h"

/* Returns the object whose body is sent: r->object, or the coding of it that is being made. */
static inline struct object *request_filled(const struct request *r)
{
    return r->poured ? r->poured : r->object;
}

/* A step returns it when it cannot go on now. It is entered again when something comes. */
#define STEP_WAIT STEP_COUNT

/* ---- request.c ---- */

/* Notes why the request fails, and with which status. Returns FAIL. */
static inline enum step request_fail(struct request *r, enum reason why, int status)
{
    r->reason = why;
    r->status = status;
    return STEP_FAIL;
}

/* Returns microseconds of the monotonic clock, for the durations in the log. 0: there is no log. */
static inline int64_t request_time_us(const struct request *r)
{
    return r->w->log_request ? clock_mono_us(r->w->loop->clock) : 0;
}

/* Tells the source that the request waits for its object no longer. */
void request_leave_source(struct request *r);

/* ---- request_settings.c ---- */

/* Gives the request the settings that are in force now, and takes them back when it ends. */
void request_take_settings(struct request *r);
void request_give_settings(struct request *r);

/* ---- request_look.c ---- */

/* Computes r->look.place: the key of the page under r->rule. */
void request_compute_place(struct request *r);
/* Makes `rule` the request's rule. Takes the reference over. */
void request_set_rule(struct request *r, struct rule *rule);
/* Asks the index. Sets r->found, which has references, and r->outcome. */
void request_look(struct request *r);
/* Gives back an object that the look-up began and that nobody is going to fill: those who joined it look
 * again. */
void request_undo_begun(struct request *r);
/* Drops the references in `found`, and those to the object and to the stale one. */
void request_drop_found(struct request *r);

/* ---- request_hints.c ---- */

/* The request waits for a page: tells the client its links, once, when the site says so and some are
 * known. */
void request_hint(struct request *r);

/* ---- request_disk.c ---- */

/* The look-up says that the disk may have what the request needs. true: the request waits for it to be read,
 * with others who want the same; the step is entered again afterwards, with r->reading NULL. false: it looks
 * again at once: it was read, or too much is being read, or the request has waited often enough; then what is
 * on disk counts as nothing. */
bool request_read(struct request *r);
/* Waits for no read any more. Does nothing when it does not wait. */
void request_leave_reading(struct request *r);

/* ---- request_ask.c ---- */

/* Called by the step that is about to start a fetch: does it carry the visitor's own Range and conditions,
 * since nothing of the answer will be stored, as far as can be known (CACHING.md 3.7)? */
bool request_goes_as_it_came(struct request *r);
/* Has it a field that says what it is for? No fetch whose answer may be stored carries one (CACHING.md
 * 4.8). */
static inline bool request_has_purpose(const struct request *r)
{
    return fields_has(&r->fields, FIELD_SEC_PURPOSE) || fields_has(&r->fields, FIELD_PURPOSE);
}
/* Returns why the request itself wants to go to the origin alone, or REASON_NONE. */
enum reason request_own_reason(const struct request *r);
/* The request's own fetch has brought a head. Does the answer's rule name a parameter or a cookie that the
 * fetch left out, or codings that it did not offer? Then the answer is another visitor's page, and this one
 * asks again: once only for a query and for codings, since a rule may change with each answer. */
bool request_was_cut_short(struct request *r);
/* Puts back what request_reduce_query left out of the query, for another look. */
void request_restore_query(struct request *r);
/* The request's own fetch has brought a head, of what is not stored. Are the visitor's cookies, his Range or
 * his condition, which were left out, the origin's to answer? Asked once only. */
bool request_was_asked_too_little(struct request *r);

/* ---- request_body.c ---- */

/* Has the request a body: a chunked one, or one of a length above 0? */
bool request_has_body(const struct request *r);
/* Does it say "Incremental: ?1" (RFC 10036)? */
bool request_is_incremental(struct request *r);
/* Collects the body into r->collected, when it is one to be collected. Returns FETCH when it is whole, or not
 * collected, or not any more; WAIT until then, SEND when the source has answered from the head, or FAIL. */
enum step request_collect_body(struct request *r);
/* Makes r->upload, which takes the body as it comes, and what of it was collected. */
void request_make_upload(struct request *r);
/* Gives back what the body took. */
void request_drop_collected(struct request *r);
/* Another request has taken the memory of this one's body, which is not whole: a little later it fails, or
 * goes on as an upload where it can. */
void request_body_lost(struct request *r);

/* ---- request_budget.c ---- */

/* Begins to count the bytes of a body that is collected, and ends it; ending twice does no harm. */
void request_hold_begin(struct request *r);
void request_hold_end(struct request *r);
/* Counts `bytes` more, at least one. May take them from another request, by request_body_lost. false: there
 * is no room, and nothing was counted. */
bool request_hold_more(struct request *r, size_t bytes);
/* The body is whole: no other request takes its memory any more. */
void request_hold_whole(struct request *r);
/* Frees the budgets of a worker. No request is open. */
void request_budgets_fini(struct requests *w);

/* ---- request_wait.c ---- */

/* Makes the request a reader of r->object, with a timer when somebody else's fetch fills it. false: the
 * object takes no more readers; the request looks again. */
bool request_wait(struct request *r);
/* Stops waiting. Returns LOOKUP. */
enum step request_look_again(struct request *r);
/* Looks again, to ask the origin alone with the visitor's own Range and conditions. Nothing was sent to him
 * yet. His fetch ends, and its connection with it, when he was its only reader and the answer is not
 * whole. */
enum step request_ask_as_it_came(struct request *r);
/* Somebody else's fetch has brought a head: is the answer for this request too (ARCHITECTURE.md)? */
bool request_is_for_me(struct request *r);
/* It is not. Returns LOOKUP: with others once more, or apart from them. */
enum step request_waited_in_vain(struct request *r);
/* The object failed before a byte was sent. Returns LOOKUP, DELIVER (the stale response) or FAIL. */
enum step request_fetch_failed(struct request *r);

/* ---- request_send.c ---- */

/* Gives back the body and the hold on its object. */
void request_drop_body(struct request *r);
/* Was everything sent? `sealed`: the object is, and its body has `there` bytes. */
bool request_is_at_end(const struct request *r, bool sealed, uint64_t there);
/* Leases the next pieces of the body: at most `max`, r->leased bytes. *last: they are the last ones. */
unsigned request_lease(struct request *r, struct iovec *iov, unsigned max, bool *last);
/* The kernel has what was leased. */
void request_count_sent(struct request *r);
/* Nothing can be sent yet: lets the window of a passing body move on over what stands before the range. */
void request_pass_over(struct request *r);

/* ---- request_pace.c ---- */

/* A send is pending: watches that the client takes it. */
void request_watch_sending(struct request *r);
/* The step is entered again while a send is pending: watches more closely when the body has become a passing
 * one. */
void request_watch_closely(struct request *r);
/* The client waits, or is done: stops counting its object as pinned. */
static inline void request_let_go(struct request *r)
{
    if (!r->held)
        return;
    object_release(r->held);
    object_unref(r->held);
    r->held = NULL;
}

#endif
