/*
 * What the verbs print for people: lines of a report on standard output, and what went wrong on standard
 * error. Main thread.
 */
#ifndef CLIENT_REPORT_H
#define CLIENT_REPORT_H

#include <jansson.h>
#include <stdio.h>

#include "base/str.h"

/* Exit codes of the verbs. */
enum { CLIENT_DONE = 0, CLIENT_FAILED = 1, CLIENT_WRONG_USAGE = 2 };

/* Prints `s`, with a ? for each control character: what others wrote (tags, fields) must not steer the
 * terminal. */
void report_safe(FILE *to, struct str s);
/* Prints "freshet VERB: ..." and a line break on standard error; cuts the text at 2047 bytes. Returns
 * `code`. */
__attribute__((format(printf, 3, 4))) int report_failure(const char *verb, int code, const char *fmt, ...);

/* Prints the name of a line, padded to a column. The caller prints the rest and the line break. */
void report_label(const char *name);
/* Prints a whole line: its name and its value. */
void report_line(const char *name, struct str value);
/* Prints a line with the strings of `list`. Prints nothing when it is empty or no array. */
void report_list(const char *name, const json_t *list);
/* Prints "3 h 12 m", "48 s": two units at most. No line break, here and below. */
void report_duration(int64_t seconds);
/* Prints "512 bytes", "1.5 KiB". */
void report_bytes(int64_t bytes);
/* Prints "1 page", "2 pages". */
void report_count(int64_t n, const char *one, const char *many);

/* Prints ": " and the last error of an origin in status or explain. Prints nothing when it has none. */
void report_last_error(const json_t *origin);

/* A member of an answer. One that is missing, or of another type, is empty, 0 or false. The string belongs to
 * the object. */
static inline struct str member_text(const json_t *object, const char *name)
{
    const json_t *v = json_object_get(object, name);
    return (struct str){ json_string_value(v), json_string_length(v) };
}
static inline int64_t member_number(const json_t *object, const char *name)
{
    return (int64_t)json_integer_value(json_object_get(object, name));
}
static inline bool member_is(const json_t *object, const char *name)
{
    return json_is_true(json_object_get(object, name));
}

#endif
