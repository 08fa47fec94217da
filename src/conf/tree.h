/*
 * A YAML file as a tree with line numbers: texts, lists and maps, nothing else. Scalars are texts, whatever YAML would
 * make of them; what they mean is decided by who wants them. Anchors, aliases, tags and several documents are refused,
 * depth, size and number of nodes are bounded, so reading costs what the file's size says.
 */
#ifndef CONF_TREE_H
#define CONF_TREE_H

#include "conf/report.h"

#define TREE_BYTES_MAX ((size_t)1 << 20)
#define TREE_NODES_MAX 20000
#define TREE_DEPTH_MAX 8

enum tree_kind { TREE_TEXT, TREE_NULL, TREE_LIST, TREE_MAP };

struct tree {
    enum tree_kind kind;
    unsigned line;                    /* 1 is the first; of a map's entry: its key's */
    struct str key;                   /* of a map's entry */
    struct str text;                  /* TREE_TEXT; any bytes, also line breaks and NUL */
    struct tree *first, *last, *next; /* children in the file's order, and the next sibling */
    size_t n;                         /* children */
};

/* Everything in the arena. NULL: not readable, and one problem was reported. An empty file is TREE_NULL. */
struct tree *tree_read(struct str yaml, struct arena *a, struct report *r);

#endif
