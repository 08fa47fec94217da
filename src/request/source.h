/*
 * A source fills the object of a request. The origin is a source; an internal site is another. The request
 * machine uses no more of a source than stands here: it never tests which source it has. All functions are
 * called on the request's thread.
 */
#ifndef REQUEST_SOURCE_H
#define REQUEST_SOURCE_H

#include "cache/object.h"
#include "http/error.h"

struct request;
struct target;

/* Whose memory the bodies take that are collected (request_budget.c): one kind does not starve another. */
enum body_budget { BUDGET_UPLOADS, BUDGET_PURGES, BUDGET_WEBHOOKS, BUDGETS };

struct source {
    struct str name; /* for people */
    /*
     * Called by the route step, once for each request, with its parsed target. Authority, host and path are
     * in the request, normalised. Finds whose request it is (r->site), the query of its key, and whether it
     * passes the cache (r->pass). Returns HTTP_ERROR_NONE, or what is wrong with the request; it may also set
     * r->reason and r->status, and so refuse the request. request/route.h has two: for a source whose answers
     * are cached, and for one that answers each request by itself.
     */
    enum http_error (*route)(struct request *r, const struct target *t);
    /* For requests.challenges: is the request for this path its own? */
    bool (*is_asked)(struct source *s, struct str path);
    /* Cache-Status (RFC 9211) says how its answers came. */
    bool has_cache_status;
    /* > 0: it takes a request's body whole, up to so many bytes (more: 413), as r->collected. 0: it takes the
     * body as it comes, from r->upload. */
    size_t body_max;
    enum body_budget budget;
    /* With body_max: called before the body of a request is taken, once. Decides what the head decides. true:
     * it has made r->answer, and nobody reads the body. false: the body is taken, up to r->body_most bytes if
     * the source sets that; or it sets r->body_unwanted, and `start` follows at once, without the body. NULL:
     * the head decides nothing. */
    bool (*from_head)(struct source *s, struct request *r);
    /*
     * Begins to fill `o`, which is NEW. The source ends with object_set_head and object_seal, or with
     * object_fail: inside this call, or later from the loop; then it takes its own reference to `o`. Readers
     * learn of the end from the object. `o` is r->object. With `background` it is another object, for which
     * nobody waits: the source then keeps what it needs of the request, which may end before it. Called at
     * most once for each object.
     */
    void (*start)(struct source *s, struct request *r, struct object *o, bool background);
    /* The request stops waiting for its object, or its client is gone. The source fills the object
     * nevertheless, when others read it. Also called when nothing was started, and more than once. NULL:
     * it does not want to know. */
    void (*leave)(struct source *s, struct request *r);
};

#endif
