/*
 * Header fields as values (RFC 9110 §5): a name, a value, and the number of a name that freshet knows. A
 * table of fields owns nothing: its strings live in the buffer or arena that they point into. Pure; any
 * thread.
 */
#ifndef HTTP_FIELD_H
#define HTTP_FIELD_H

#include "base/arena.h"
#include "base/str.h"

enum field_id {
    FIELD_OTHER, /* a name that tbl/headers.h does not list */
#define HEADER(id, name, class) FIELD_##id,
#include "tbl/headers.h"
#undef HEADER
    FIELD_COUNT
};

enum field_class {
    FIELD_CLASS_E, /* end-to-end */
    FIELD_CLASS_H, /* hop-by-hop */
    FIELD_CLASS_U, /* removed from requests of untrusted clients */
    FIELD_CLASS_F, /* framing and routing */
};

struct field {
    struct str name;  /* as received */
    struct str value; /* without white space at both ends */
    enum field_id id;
};

/* The set of known names in a table, one bit each. */
struct field_set {
    uint64_t bits[2];
};

struct fields {
    struct field *v;
    size_t n, cap;
    struct field_set present, repeated; /* repeated: on more than one line */
};

/* Add a name to the set; is it in the set? */
static inline void field_set_add(struct field_set *s, enum field_id id)
{
    s->bits[id >> 6] |= (uint64_t)1 << (id & 63);
}
static inline bool field_set_has(const struct field_set *s, enum field_id id)
{
    return s->bits[id >> 6] >> (id & 63) & 1;
}

/* Notes a line of this name in the sets. Call it after filling a line of the table without fields_add. */
static inline void fields_note(struct fields *f, enum field_id id)
{
    uint64_t bit = (uint64_t)1 << (id & 63);
    f->repeated.bits[id >> 6] |= f->present.bits[id >> 6] & bit;
    f->present.bits[id >> 6] |= bit;
}
/* Empties the sets, for a table that is filled again. */
static inline void fields_note_none(struct fields *f)
{
    f->present = f->repeated = (struct field_set){ { 0 } };
}

/* Returns the number of a name, in any ASCII case. FIELD_OTHER: unknown. */
enum field_id field_id_of(struct str name);
/* Returns "Cache-Control" for FIELD_CACHE_CONTROL; empty for FIELD_OTHER. */
struct str field_name(enum field_id id);
/* Returns the class in tbl/headers.h; FIELD_CLASS_E for FIELD_OTHER. */
enum field_class field_class_of(enum field_id id);
/* Is it the name of a framing, routing, hop-by-hop or removed field with another mark for "-"
 * (Transfer_Encoding, Content.Length)? CGI and its successors turn marks into "_" and read such a name as
 * that field, so no parser accepts it (docs/decisions/001). */
bool field_name_is_disguised(struct str name);
/* Is it VCHAR, SP, HTAB or obs-text, the bytes of a field value (RFC 9110 §5.5)? */
static inline bool is_field_text(char c)
{
    unsigned char u = (unsigned char)c;
    return (u >= 0x20 && u != 0x7f) || u == '\t';
}
/* Is it one tchar or more (RFC 9110 §5.6.2)? */
bool is_token(struct str s);
/* Is it a tchar? */
bool is_token_char(char c);

/* What a byte is in a token, for parsers' loops. 0: it may not stand in one. */
#define TOKEN_PLAIN 1 /* a letter, a digit, "-" */
#define TOKEN_MARK  2 /* another tchar */
extern const uint8_t token_chars[256];

/* Has the table a line of that known name? */
static inline bool fields_has(const struct fields *f, enum field_id id)
{
    return field_set_has(&f->present, id);
}
/* Returns the first line of that name, or NULL. */
const struct field *fields_find(const struct fields *f, enum field_id id);
/* Returns the first line's value, or the empty string. */
struct str fields_value(const struct fields *f, enum field_id id);
/* Returns the number of lines of that name. */
size_t fields_count(const struct fields *f, enum field_id id);
/* Returns the length of fields_joined, without joining. */
size_t fields_bytes(const struct fields *f, enum field_id id);
/* Looks for a line by name, known or not, in any case, from index `from` on. Returns its index, or f->n. */
size_t fields_index_of(const struct fields *f, struct str name, size_t from);
/* Returns the values of all lines of the name in order, joined with ", " (RFC 9110 §5.3). One line: its value
 * itself, no copy. None: the empty string with p == NULL (an empty line has p != NULL). */
struct str fields_joined(const struct fields *f, enum field_id id, struct arena *a);
/* Does the same with a name in any case, known or not. */
struct str fields_joined_by_name(const struct fields *f, struct str name, struct arena *a);
/* A byte of a field's value, counted from 1, as people do. `line`: which line of that name; `lines`: how many
 * there are. byte 0: none. */
struct field_spot {
    uint32_t line, lines, byte;
};
/* Returns the spot of byte `at` of the joined value; `at` its length: behind the last byte. A byte between
 * two lines counts as behind the first of them. The table has a line of that name. */
struct field_spot fields_spot(const struct fields *f, struct str name, size_t at);

/* Appends a line; grows the table in the arena. Does not copy name and value. */
void fields_add(struct fields *f, struct arena *a, struct str name, struct str value);
/* Appends a line of another table. */
void fields_add_line(struct fields *f, struct arena *a, struct field line);
/* Appends a line with a known name (field_name). Does not copy the value. */
void fields_add_id(struct fields *f, struct arena *a, enum field_id id, struct str value);
/* Removes all lines of that name. Keeps the order of the others. */
void fields_remove(struct fields *f, enum field_id id);
/* Does the same with a name in any case, known or not. */
void fields_remove_by_name(struct fields *f, struct str name);
/* Removes the lines for which drop(field, ctx) is true. */
void fields_remove_if(struct fields *f, bool (*drop)(const struct field *, void *), void *ctx);

/* Takes the next member of a comma-separated list (RFC 9110 §5.6.1), trimmed; *rest moves on. Does not count
 * commas inside quoted strings. Skips empty members. A quote that is never closed runs to the end. false: no
 * member is left. */
bool list_next(struct str *rest, struct str *member);
/* Takes the last member of a list that has no quoted strings; *rest is then the text before it. false: no
 * member is left. */
bool list_last(struct str *rest, struct str *member);
/* Is the token, in any case, a member of a line of that field? Looks at the first LIST_LOOKED_AT members of
 * each line, so that a long list costs no more than its bytes. */
bool fields_list_has(const struct fields *f, enum field_id id, struct str token);
#define LIST_LOOKED_AT 64

/* A set of names, to look names up in, in any case. `others`: those that freshet does not know. */
struct field_names {
    struct field_set known;
    struct str *others;
    size_t n;
};
/* Adds a name. The caller has made room for it in `others`. */
void field_names_add(struct field_names *s, struct str name);
/* Sorts the set. Call it after the last field_names_add and before field_names_has. */
void field_names_settle(struct field_names *s);
/* Is the line's name in the set? */
bool field_names_has(const struct field_names *s, const struct field *line);

#endif
