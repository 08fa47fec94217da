/*
 * Templates of webhooks: a text in which {PATH} stands for a value of a JSON payload, like
 * "book-{fields.slug.en-US}" or "post-{data.keys[]}". Pure; any thread. admin/webhook_payload.h fills them.
 *
 *   PATH  one or more names with a dot between them; a name may be followed by [] (each member of the array)
 *         or [N] (member N, counted from 0). A PATH that begins with [] or [N] is of a payload that is an
 *         array.
 *   NAME  any bytes but . [ ] { } and control characters
 */
#ifndef CONF_TEMPLATE_H
#define CONF_TEMPLATE_H

#include "base/arena.h"

#define TEMPLATE_BYTES_MAX 1024
#define TEMPLATE_PATHS_MAX 16
#define TEMPLATE_STEPS_MAX 32 /* of one PATH; a dot or a [ may be one */
#define TEMPLATE_EACH_MAX  4  /* [] in one template */

struct template_step {
    enum { TEMPLATE_NAME, TEMPLATE_INDEX, TEMPLATE_EACH } kind;
    struct str name;
    size_t index;
};

/* A literal text, and behind it a value, when it has steps. */
struct template_piece {
    struct str literal;
    struct str path; /* as it was written */
    struct template_step *steps;
    size_t steps_n;
};

struct template
{
    struct str text; /* as it was written */
    struct template_piece *pieces;
    size_t n;
};

/* Parses a template, which is copied into `a`. NULL: *out is set. Else the end of a sentence that begins with
 * the template in quotes: what is wrong with it; a literal. */
const char *template_parse(struct str text, struct arena *a, struct template *out);

/* Parses a PATH alone. Returns what template_parse returns. */
const char *template_parse_path(struct str path, struct arena *a, struct template_piece *out);

#endif
