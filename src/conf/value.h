/*
 * The value of one setting: parses it from texts, checks it against its row of the table, and stores and
 * compares it in the structs of conf/settings.h.
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
    struct maps maps;
};

/* Parses a text of the file or of a flag, for all types but LIST. MAPS have no text but the
 * empty one. Copies strings into `a`. false: a problem
 * was reported. */
bool value_parse(const struct setting *s, struct str text, struct arena *a, union value *out,
                 struct report *r, struct place at);
/* Parses a LIST of n texts; at[i] is the place of the i-th. false: a problem was reported. */
bool value_parse_list(const struct setting *s, const struct str *texts, const struct place *at, size_t n,
                      struct arena *a, union value *out, struct report *r);
/* Returns the value of a default from the table, "[a, b]" for lists. The default must be valid. */
union value value_of_default(const struct setting *s, struct str text, struct arena *a);

/* Store a value, and compare the setting in two structs. `base` is a struct process_settings or a struct
 * site_settings, as the setting's scope says. */
void value_store(const struct setting *s, const union value *v, void *base);
bool value_equal(const struct setting *s, const void *base_a, const void *base_b);
/* Appends the value: equal ones give equal bytes, different ones different bytes. */
void value_bytes(const struct setting *s, const void *base, struct buf *out);
/* Reports a problem with a setting: "NAME: text" in the file; "text" for a flag, since the place names it. */
__attribute__((format(printf, 4, 5))) void value_problem(const struct setting *s, struct report *r,
                                                         struct place at, const char *fmt, ...);

#endif
