/*
 * Reads a setting's value from a node of the file's tree: a text, a list of texts, or for MAPS a list of
 * blocks with named fields. Pure.
 */
#ifndef CONF_NODE_H
#define CONF_NODE_H

#include "conf/tree.h"
#include "conf/value.h"

struct node_reader {
    struct arena *arena;   /* for values */
    struct arena *scratch; /* for what is not needed afterwards */
    struct report *report;
    struct str site; /* for messages about entries: "rule 3 of shop"; empty: "rule 3" */
};

/* Reads the value and checks it against the setting's row, and each field of an entry against its shape.
 * false: problems were reported, with line and field. */
bool node_read(const struct node_reader *r, const struct setting *s, const struct tree *t, union value *out);

#endif
