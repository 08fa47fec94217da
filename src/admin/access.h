/*
 * Who asks the admin listener, and whether he may: finds the token of a request, compares its scopes and
 * sites with what the route needs (tbl/routes.h), and answers 401 or 403. Answers to wrong tokens wait when
 * an address sends many. On the request's worker.
 */
#ifndef ADMIN_ACCESS_H
#define ADMIN_ACCESS_H

#include "admin/routes.h"
#include "admin/token.h"
#include "cache/purge.h"

struct admin;
struct object;
struct request;

enum access_found {
    ACCESS_GOOD,
    ACCESS_NO_TOKEN,
    ACCESS_WRONG_TOKEN,
    ACCESS_EXPIRED,
    ACCESS_NO_SCOPE,
    ACCESS_NO_SITES, /* the route is for tokens of all sites */
};

/* Who asks; strings are in the request's arena. */
struct access {
    enum access_found found;
    const struct routes_row *route;
    struct token_rights rights;
    int64_t expired_wall_ms; /* with ACCESS_EXPIRED */
};

/* Sets *out. `any_field`: the fields in which clients of Fastly and Cloudflare send their token count, too. A
 * route without a scope is for everybody. Changes nothing, but notes when a token was used. */
void access_look(struct admin *a, struct request *r, enum routes_id route, bool any_field,
                 struct access *out);
/* Returns the sentence, in the request's arena, and sets *status, for one who may not. */
struct str access_problem(const struct access *access, struct request *r, int *status);

/* Notes that r->answer, which is made, is to one who may not. true: it waits, since many wrong tokens came
 * from the address, and fills `o` later (NULL: it never waits). */
bool access_refused(struct admin *a, struct request *r, const struct access *access, struct object *o);
/* The request does not wait any more. Does nothing when it does not. */
void access_leave(struct admin *a, struct request *r);

/* Brings a purge to the sites of a token: sets its site when it names none and the token has one. true: it
 * names nothing of other sites. false: *error is set; it does not tell whether a site is there. Before
 * purge_check. */
bool access_purge(const struct token_rights *rights, const struct settings *settings, struct purge *p,
                  struct arena *a, struct purge_error *error);
/* For a request that names no site: sets *site to the token's own; a token for all sites leaves it as it is.
 * false: the token has several, or its site is not there any more; *error is set. */
bool access_own_site(const struct token_rights *rights, const struct settings *settings, struct str *site,
                     struct arena *a, struct purge_error *error);
/* Sets *error to the sentence for a site that is not the token's. Returns false. */
bool access_refuse_site(const struct token_rights *rights, struct str what, struct arena *a,
                        struct purge_error *error);

#endif
