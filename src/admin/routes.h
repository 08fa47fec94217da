/*
 * Which route of tbl/routes.h a request to the admin listener takes. Pure.
 */
#ifndef ADMIN_ROUTES_H
#define ADMIN_ROUTES_H

#include "admin/token.h"
#include "http/head.h"

enum routes_id {
#define ROUTE(id, method, path, scope, sites, text) ROUTE_##id,
#define ROUTE_LIKE(id, like, scope, sites, text)    ROUTE_##id,
#include "tbl/routes.h"
#undef ROUTE
#undef ROUTE_LIKE
    ROUTES
};

enum routes_sites { ROUTE_SITES_NONE, ROUTE_SITES_OWN, ROUTE_SITES_ALL };

/* A row of the table. */
struct routes_row {
    enum method method; /* METHOD_OTHER: it is no single one */
    struct str path;    /* empty: it has none of its own */
    enum token_scope scope;
    enum routes_sites sites;
};
extern const struct routes_row routes_rows[ROUTES];

/* Returns the route of a method and a path. ROUTES: there is none. *path_is_known: the path has routes, by
 * other methods; *allow: these, for the field Allow, in the arena. */
enum routes_id routes_find(enum method method, struct str path, struct arena *a, bool *path_is_known,
                           struct str *allow);
/* Returns "POST /api/v1/purge, GET /api/v1/status and ..." */
struct str routes_said(struct arena *a);

#endif
