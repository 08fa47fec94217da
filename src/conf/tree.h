/*
 * A YAML file as a tree with line numbers: texts, lists and maps, nothing else. Every scalar is a text,
 * whatever YAML would make of it; the reader of a value decides its type. Refuses anchors, aliases, tags and
 * several documents. Depth, size and number of nodes have limits, so reading costs what the file's size
 * suggests.
 */
#ifndef CONF_TREE_H
#define CONF_TREE_H

#include "conf/report.h"

#define TREE_BYTES_MAX  ((size_t)1 << 20)
#define TREE_NODES_MAX  20000
#define TREE_QUOTED(n)  #n
#define TREE_TEXT(n)    TREE_QUOTED(n)
#define TREE_NODES_TEXT TREE_TEXT(TREE_NODES_MAX)
#define TREE_DEPTH_MAX  8 /* lists and maps inside each other */

enum tree_kind { TREE_TEXT, TREE_NULL, TREE_LIST, TREE_MAP };

struct tree {
    enum tree_kind kind;
    unsigned line;                    /* from 1; of a map's entry: its key's */
    struct str key;                   /* of a map's entry */
    struct str text;                  /* TREE_TEXT; any bytes, also line breaks and NUL */
    struct tree *first, *last, *next; /* children in the file's order, and the next sibling */
    size_t n;                         /* children */
};

/* Parses `yaml`, the content of a file. Returns its root; everything is in the arena. NULL: it cannot be
 * read, and one problem was reported. An empty file is TREE_NULL. */
struct tree *tree_read(struct str yaml, struct arena *a, struct report *r);

#endif
