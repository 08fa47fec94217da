/*
 * Globs: texts with wildcards, which rules compare paths, hosts, cookies and values with. In a path, `*` is
 * any text within a segment, also none, and `**`, which may stand once, any text; a `/` and `**` at the end
 * are also the path without them. In other texts `*` is any text. The time is at most the product of both
 * lengths. Pure; any thread.
 */
#ifndef SITE_GLOB_H
#define SITE_GLOB_H

#include "base/str.h"

#define GLOB_STARS_MAX 9

/* What each wildcard stood for, from left to right; views into the text. */
struct glob_captures {
    struct str v[GLOB_STARS_MAX];
    size_t n;
};

/* Returns the end of a sentence that begins with the pattern, or NULL: it is good. */
const char *glob_problem(struct str pattern, bool is_path);
/* Returns the number of wildcards. */
size_t glob_stars(struct str pattern);
/* Does the whole text match? `pattern` is good. `captures` may be NULL; it is set when the result is true. */
bool glob_match_path(struct str pattern, struct str path, struct glob_captures *captures);
bool glob_match_text(struct str pattern, struct str text);

#endif
