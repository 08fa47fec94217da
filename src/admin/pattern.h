/*
 * Patterns in purges, as the senders of sites' plugins write them for Varnish: a closed set, read without an
 * engine for regular expressions, since strangers' bytes come here and a pattern that is half understood
 * would purge too little. Pure. Results are in the arena, or views of the text.
 */
#ifndef ADMIN_PATTERN_H
#define ADMIN_PATTERN_H

#include "conf/settings.h"

enum pattern_kind {
    PATTERN_UNKNOWN, /* none of those that are understood */
    PATTERN_ALL,     /* everything */
    PATTERN_BELOW,   /* `path` and what is below it */
    PATTERN_ONE,     /* `path` alone, with every query */
};

struct pattern {
    enum pattern_kind kind;
    struct str path; /* begins with a '/'; a * in it is written %2A */
};

/*
 * Reads a regular expression over paths:
 *
 *   .*   /.*   ^/.*$                        everything
 *   LITERAL.*   ^LITERAL(.*)$   LITERAL     below LITERAL; when no '/' ends it, below the last '/' in it
 *   ^LITERAL$   ^LITERAL(?:\?.*)?$          LITERAL
 *
 * LITERAL begins with a '/'. Its bytes stand for themselves; a \ in front of a mark is undone (preg_quote).
 * An expression that is not anchored counts as one that is anchored at its start.
 */
struct pattern pattern_of_regex(struct str text, struct arena *a);

/* Reads a path as it stands in a request's target. With a `*` in it, which may be one of a pattern or of the
 * page's own name, it is what is below the last '/' in front: that has both. `is_literal`: each `*` is of the
 * name. */
struct pattern pattern_of_path(struct str text, bool is_literal, struct arena *a);

/*
 * Reads a regular expression over a list of tags:
 *
 *   A      A|B     (A|B)(,.+)?$      (A|B)($|\,)      (^|,)(A|B)(,|$)      ((^|,)A(,|$))|((^|,)B(,|$))
 *
 * A and B are literals as above. `.*` is every tag: *all. false: it is none of these.
 */
bool pattern_of_tags(struct str text, struct arena *a, struct strs *out, bool *all);

#endif
