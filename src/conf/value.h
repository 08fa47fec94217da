/*
 * The value of one setting: parsed from texts, checked against its row of the table, stored in and compared between the
 * structs of conf/settings.h.
 */
#ifndef CONF_VALUE_H
#define CONF_VALUE_H

#include "conf/report.h"
#include "conf/setting.h"

#define VALUE_BYTES_MAX 4096 /* of one string */
#define VALUE_ITEMS_MAX 1000 /* of one list */

union value {
    bool yes;
    int64_t number;
    int choice;
    struct str text;
    struct strs list;
};

/* A text as it stands in the file or behind a flag, for all types but LIST. false: a problem was reported. Strings are
 * copied into `a`. */
bool value_parse(const struct setting *s, struct str text, struct arena *a, union value *out,
                 struct report *r, struct place at);
/* A LIST of n texts; at[i] is where the i-th stands. */
bool value_parse_list(const struct setting *s, const struct str *texts, const struct place *at, size_t n,
                      struct arena *a, union value *out, struct report *r);
/* The table's own default, "[a, b]" for lists; it must be right. */
union value value_of_default(const struct setting *s, struct str text, struct arena *a);

/* `base` is a struct process_settings or struct site_settings. */
void value_store(const struct setting *s, const union value *v, void *base);
bool value_equal(const struct setting *s, const void *base_a, const void *base_b);
/* A problem with a setting: "NAME: text" in the file, "text" behind a flag, which names it. */
__attribute__((format(printf, 4, 5))) void value_problem(const struct setting *s, struct report *r,
                                                         struct place at, const char *fmt, ...);

#endif
