/*
 * Structured fields (RFC 9651): parses items, lists and dictionaries. Results live in the arena, their
 * strings there or in the input. Pure; any thread.
 */
#ifndef HTTP_SF_H
#define HTTP_SF_H

#include "base/arena.h"
#include "base/str.h"

enum sf_type {
    SF_INTEGER,
    SF_DECIMAL,
    SF_STRING,
    SF_TOKEN,
    SF_BYTES,
    SF_BOOLEAN,
    SF_DATE,
    SF_DISPLAY,
    SF_INNER_LIST
};

struct sf_value {
    enum sf_type type;
    int64_t integer; /* SF_INTEGER, SF_DATE (seconds); SF_DECIMAL: thousandths */
    bool boolean;    /* SF_BOOLEAN */
    struct str text; /* SF_STRING (unescaped), SF_TOKEN, SF_BYTES (decoded), SF_DISPLAY (decoded UTF-8) */
};

struct sf_param {
    struct str key;
    struct sf_value value;
};

struct sf_member {
    struct str key;        /* dictionaries: the key; else empty */
    struct sf_value value; /* type SF_INNER_LIST: see items */
    struct sf_param *params;
    size_t params_n;
    struct sf_member *items; /* of an inner list */
    size_t items_n;
};

struct sf_members {
    struct sf_member *v;
    size_t n;
    size_t bad_at; /* After a failure: the index of the first wrong byte. The value's length: something is
                 * missing. */
};

/* Parse `value`, the lines of the field joined with ", " (or ","). false: not well-formed as a whole; only
 * out->bad_at is valid then. Of duplicate dictionary keys and parameters the last counts, in the place of the
 * first (RFC 9651 §3.1.2, §3.2). More than every parser must support is not accepted: 1024 members, 256 items
 * of an inner list, 256 parameters of one thing. */
bool sf_parse_item(struct str value, struct arena *a, struct sf_member *out);
bool sf_parse_list(struct str value, struct arena *a, struct sf_members *out);
bool sf_parse_dictionary(struct str value, struct arena *a, struct sf_members *out);
/* Returns the dictionary's member with that key, which lives as long as `d`. NULL: absent. */
const struct sf_member *sf_get(const struct sf_members *d, struct str key);

/* Returns the six bits that a character of base64 stands for (RFC 4648 §4); -1: none. */
int sf_base64_bits(char c);
/* Appends an sf-string with its quotes, for Cache-Status details. Bytes outside 0x20 to 0x7e become '?'. */
struct buf;
void sf_write_string(struct buf *out, struct str s);

#endif
