/*
 * Netlify-Vary (CACHING.md §4, grammar there): which parts of a request make another page. Parsed into sets
 * of names; what they mean for a key is cache/rule's business. Pure; results live in the arena.
 */
#ifndef HTTP_NETLIFY_VARY_H
#define HTTP_NETLIFY_VARY_H

#include "base/arena.h"
#include "base/str.h"

struct names {
    struct str *v;
    size_t n;
};

/* One "cookie=" or "header=" name; presence: `name:presence`, cookies only. */
struct vary_name {
    struct str name;
    bool presence;
};

struct vary_names {
    struct vary_name *v;
    size_t n;
};

/* language=de+nl|en: groups of lower-case codes. */
struct vary_group {
    struct str *codes;
    size_t n;
};
struct vary_groups {
    struct vary_group *v;
    size_t n;
};

struct netlify_vary {
    bool query_all;               /* "query": the whole query */
    bool query_some;              /* "query=" was given: only `query` counts, unless query_all */
    struct names query;           /* decoded (query_decode), sorted, each once */
    struct vary_names headers;    /* lower case, sorted, each once */
    struct vary_names cookies;    /* sorted, each once; a name with and without :presence counts without */
    struct vary_groups languages; /* in the order given; codes lower-case */
    struct vary_groups countries; /* codes upper-case */
    unsigned headers_ignored;     /* names dropped because they may not be varied on (CACHING.md) */
};

/* `value`: all lines joined with ",". false: malformed, no or an unknown instruction, header=Cookie, an empty
 * name or group, or more than `names_max` names in all: the response is delivered and not stored. Words
 * without case; white space around instructions, names and '=' is allowed. A code that an earlier group has
 * is left out. Names may point into `value`. */
bool netlify_vary_parse(struct str value, size_t names_max, struct arena *a, struct netlify_vary *out);

/* The canonical text of the rule: equal for rules that mean the same, whatever their order and spacing
 * (groups keep their order, which has a meaning). Key material. It is a value that parses to the same rule;
 * `query` alone, which says what holds without it, and nothing but ignored headers give the empty text. Holds
 * no ';'. */
struct str netlify_vary_canonical(const struct netlify_vary *v, struct arena *a);

#endif
