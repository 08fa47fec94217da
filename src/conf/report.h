/*
 * Problems of a configuration. They are collected while it is read, and written out together, in the order of
 * the file's lines, then the command line's. Each is one line of printable text, whatever the file held. One
 * thread uses a report.
 */
#ifndef CONF_REPORT_H
#define CONF_REPORT_H

#include "base/arena.h"
#include "base/buf.h"

#define REPORT_MAX 100 /* problems that are written; a file with more is the wrong file */

/* Where a value stands: on the command line when `flag` is not empty, else in a line of the file. Line 0: the
 * whole file. */
struct place {
    unsigned line;
    struct str flag; /* "--memory" */
};

#define PLACE_LINE(number) ((struct place){ (number), STR_NONE })
#define PLACE_FLAG(name)   ((struct place){ 0, (name) })

struct problem {
    struct place at;
    struct str text;
};

struct report {
    struct arena *arena; /* for the texts; the caller's, outlives the report */
    struct str file;
    struct str subject; /* put before each text, with a colon: "rule 3 of shop"; empty: nothing */
    size_t n;           /* problems found, with those beyond REPORT_MAX */
    struct problem v[REPORT_MAX];
};

/* Starts a report without problems. `file`: the file's name, for messages. */
void report_init(struct report *r, struct arena *a, struct str file);
/* Adds one problem: "what is wrong; what to do", without the place. Control characters become '?'. */
__attribute__((format(printf, 3, 4))) void report_add(struct report *r, struct place at, const char *fmt,
                                                      ...);
/* Returns the text in quotes for a message, cut when long, without the user and password of a URL. In the
 * arena. */
const char *report_quote(struct report *r, struct str s);
/* Appends "FILE:LINE: text\n" or "--flag: text\n" for each problem. */
void report_write(struct report *r, struct buf *out);

#endif
