#include "admin/routes.h"

const struct routes_row routes_rows[ROUTES] = {
#define ROUTE(id, method, path, scope, sites, text)                                                          \
    [ROUTE_##id] = { METHOD_##method, STR_INIT(path), TOKEN_SCOPE_##scope, ROUTE_SITES_##sites },
#define ROUTE_LIKE(id, like, scope, sites, text)                                                             \
    [ROUTE_##id] = { METHOD_OTHER, STR_INIT(""), TOKEN_SCOPE_##scope, ROUTE_SITES_##sites },
#include "tbl/routes.h"
#undef ROUTE
#undef ROUTE_LIKE
};

static struct str method_said(enum method m)
{
    return m == METHOD_GET ? STR("GET") : m == METHOD_POST ? STR("POST") : STR("DELETE");
}

static bool takes(const struct routes_row *row, enum method method)
{
    return row->method == method || (row->method == METHOD_GET && method == METHOD_HEAD);
}

enum routes_id routes_find(enum method method, struct str path, struct arena *a, bool *path_is_known,
                           struct str *allow)
{
    *path_is_known = false;
    *allow = STR_NONE;
    for (enum routes_id i = 0; i < ROUTES; i++) {
        const struct routes_row *row = &routes_rows[i];
        if (row->path.n == 0 || !str_eq(path, row->path))
            continue;
        if (takes(row, method))
            return i;
        struct str said = row->method == METHOD_GET ? STR("GET, HEAD") : method_said(row->method);
        *allow = *path_is_known ? ARENA_JOIN(a, *allow, STR(", "), said) : said;
        *path_is_known = true;
    }
    return ROUTES;
}

struct str routes_said(struct arena *a)
{
    struct str said = STR_NONE;
    size_t left = 0;
    for (enum routes_id i = 0; i < ROUTES; i++)
        left += routes_rows[i].path.n > 0;
    for (enum routes_id i = 0; i < ROUTES; i++) {
        if (routes_rows[i].path.n == 0)
            continue;
        struct str between = !said.n ? STR_NONE : left == 1 ? STR(" and ") : STR(", ");
        said =
            ARENA_JOIN(a, said, between, method_said(routes_rows[i].method), STR(" "), routes_rows[i].path);
        left--;
    }
    return said;
}
