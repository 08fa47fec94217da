/*
 * Netlify-Vary (grammar: CACHING.md §4): which parts of a request select another page. Parses it into sets of
 * names; cache/rule makes keys of them. Pure; results live in the arena.
 */
#ifndef HTTP_NETLIFY_VARY_H
#define HTTP_NETLIFY_VARY_H

#include "base/arena.h"
#include "base/str.h"

/* A list of names. */
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

/* Parses `value`, all lines joined with ",". false: do not store the response; the value is malformed, has no
 * instruction or an unknown one, header=Cookie, an empty name or group, or more than `names_max` names in
 * all. Words in any case; white space may stand around instructions, names and '='. Leaves out a code that an
 * earlier group has. Names may point into `value`. */
bool netlify_vary_parse(struct str value, size_t names_max, struct arena *a, struct netlify_vary *out);

/* Returns the rule's canonical text, for keys: equal for rules that mean the same, whatever their order and
 * spacing (groups keep their order, which has a meaning). The text is a value that parses to the same rule,
 * and holds no ';'. It is empty for `query` alone, which is the default, and when only ignored headers were
 * named. */
struct str netlify_vary_canonical(const struct netlify_vary *v, struct arena *a);

#endif
