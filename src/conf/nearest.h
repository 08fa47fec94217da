/*
 * "Did you mean ...?": finds the known name that is closest to a mistyped one. The caller offers the known
 * names one by one. Pure.
 */
#ifndef CONF_NEAREST_H
#define CONF_NEAREST_H

#include "base/str.h"

struct nearest {
    struct str wanted;
    struct str name; /* the best so far; empty: none is near enough */
    unsigned edits;
};

/* Starts the search for a name like `wanted`, which must live as long as the struct. */
struct nearest nearest_to(struct str wanted);
/* Offers a name, which must live as long as the struct. '-' and '_' count as equal; case does not count. */
void nearest_offer(struct nearest *n, struct str name);
/* Returns how many single characters must be inserted, left out, exchanged, or swapped with their neighbour
 * to turn a into b. More than `most`, or a name of more than 64 bytes: most + 1. */
unsigned edit_distance(struct str a, struct str b, unsigned most);

#endif
