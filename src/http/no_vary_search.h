/*
 * No-Vary-Search (draft-ietf-httpbis-no-vary-search): which parameters of a query make no other page, and
 * whether their order does. Parses it; cache/rule makes it a part of a page's rule. Pure; results live in the
 * arena.
 */
#ifndef HTTP_NO_VARY_SEARCH_H
#define HTTP_NO_VARY_SEARCH_H

#include "http/netlify_vary.h"

struct no_vary_search {
    bool any_order;     /* key-order: the order of parameters with different names does not count */
    bool keeps_listed;  /* `names` are all that count; else they are those that do not count */
    struct names names; /* decoded (query_decode), sorted, each once */
};

/* Parses `value`, all lines joined with ",". false: the field counts for nothing, since it is no dictionary,
 * a member has a type that it may not have, or it has more than `names_max` names; *out is the default then.
 * Also reads what earlier drafts and today's browsers have: `params` as a boolean, alone or beside `except`.
 * Ignores members that it does not know. */
bool no_vary_search_parse(struct str value, size_t names_max, struct arena *a, struct no_vary_search *out);

/* Returns the canonical text, equal for fields that mean the same: `key-order, params=("a" "b")`. Names are
 * percent-encoded. It parses to the same. Empty: every parameter counts, in its order, as without the
 * field. */
struct str no_vary_search_canonical(const struct no_vary_search *v, struct arena *a);

#endif
