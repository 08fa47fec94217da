/*
 * "Did you mean ...?": the known name that is closest to a mistyped one. Candidates are offered one by one.
 */
#ifndef CONF_NEAREST_H
#define CONF_NEAREST_H

#include "base/str.h"

struct nearest {
    struct str wanted;
    struct str name; /* the best so far; empty when none is near enough to be meant */
    unsigned edits;
};

struct nearest nearest_to(struct str wanted);
/* `name` must live as long as the struct. '-' and '_' count as the same, case does not count. */
void nearest_offer(struct nearest *n, struct str name);
/* Single characters inserted, left out, exchanged or swapped with their neighbour to turn a into b; more than `most`, or
 * names of more than 64 bytes: most + 1. */
unsigned edit_distance(struct str a, struct str b, unsigned most);

#endif
