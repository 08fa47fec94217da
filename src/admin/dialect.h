/*
 * Purges as the plugins of sites send them (docs/PURGING.md): the methods PURGE, BAN, PURGEKEYS and
 * PURGETAGS with the fields that Varnish's users have agreed on, and GET below the setting purge_path. A
 * request of these becomes a struct purge, or is refused with a sentence: what is not understood never
 * becomes a purge of something else. Pure; results are in the arena, or views of the request.
 */
#ifndef ADMIN_DIALECT_H
#define ADMIN_DIALECT_H

#include "cache/purge.h"
#include "http/field.h"

struct dialect_request {
    struct str method;
    struct str target; /* in origin-form, as it came: path and query */
    bool is_absolute;  /* it came as a whole URL: no pattern */
    struct str host;   /* HOST[:PORT], as visitors see it; empty: none */
    const struct fields *fields;
    struct str purge_path; /* the setting; with GET alone */
};

struct dialect_purge {
    struct purge purge; /* `site` is not set */
    /* It does not go by the request's host, which may be the server's own: it is meant for the site of that
     * host, or for all that the sender may purge when no site has it. */
    bool any_host;
    struct str as; /* what it was read as, for people: "xkey" */
};

/* true: *out is set; the caller still has to call purge_check. false: *error is set. */
bool dialect_read(const struct dialect_request *r, struct arena *a, struct dialect_purge *out,
                  struct purge_error *error);

#endif
