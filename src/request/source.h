/*
 * What fills the object of a request: the origin, the admin site; later a folder of assets, a disk. The
 * request machine knows no more of it than stands here. All functions are called on the request's thread.
 */
#ifndef REQUEST_SOURCE_H
#define REQUEST_SOURCE_H

#include "cache/object.h"

struct request;

struct source {
    struct str name; /* for people */
    /* What it answers may be stored and given to others: requests look into the cache first, join each
     * other's objects, and Cache-Status tells of it. Else each request is answered by itself alone. */
    bool is_shared;
    /* > 0: it takes a request's body whole, up to so many bytes (more: 413), as r->collected. 0: it takes
     * it as it comes (r->upload). */
    size_t body_max;
    /*
     * Begins to fill `o`, which is NEW: at once, or later from the loop. It ends with object_seal or
     * object_fail, each told by the object. `o` is r->object, or with `background` another one that nobody
     * waits for: then the source keeps what it needs of the request, which may be over before it is done. At
     * most once for each object.
     */
    void (*start)(struct source *s, struct request *r, struct object *o, bool background);
    /* The request waits for its object no longer, or its client is gone. The object is filled
     * nevertheless, when others read it. Also called when nothing was started, and more than once. NULL:
     * of no interest. */
    void (*leave)(struct source *s, struct request *r);
};

#endif
