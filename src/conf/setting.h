/*
 * The settings as a table, made of tbl/settings.h and tbl/profiles.h, for the reader, the command line and
 * the documentation. Constant; any thread.
 */
#ifndef CONF_SETTING_H
#define CONF_SETTING_H

#include "base/buf.h"
#include "conf/form.h"
#include "conf/settings.h"
#include "conf/shape.h"

enum setting_scope { SCOPE_PROCESS, SCOPE_SITE };
enum setting_type {
    TYPE_BOOL,
    TYPE_COUNT,
    TYPE_BYTES,
    TYPE_TIME,
    TYPE_TEXT,
    TYPE_LIST,
    TYPE_CHOICE,
    TYPE_MAPS
};
enum setting_class { CLASS_SERVE, CLASS_KEY, CLASS_STORE, CLASS_START };

enum setting_id {
#define SETTING(scope, type, name, ...) SETTING_##name,
#include "tbl/settings.h"
#undef SETTING
    SETTING_COUNT
};

#define PROFILE_COUNT 3

struct setting {
    enum setting_scope scope;
    enum setting_type type;
    struct str name;
    struct str initial;  /* the default as it would stand in the file */
    int64_t least, most; /* COUNT, BYTES, TIME; most: of MAPS, the entries */
    struct str words;    /* CHOICE: "a|b|c" */
    enum text_form form; /* TEXT, LIST */
    bool needed;         /* TEXT, LIST: may not be empty */
    enum shape_id shape; /* MAPS: of each entry; else SHAPE_COUNT */
    enum setting_class class;
    struct str text;
    size_t offset; /* in struct process_settings or struct site_settings */
};

extern const struct setting setting_table[SETTING_COUNT];

/* Finds a setting. `flag`: '-' stands for '_' too. SETTING_COUNT: there is none of that name. */
enum setting_id setting_by_name(struct str name, bool flag);
/* Returns the default under a profile, as it would stand in the file. */
struct str setting_initial(enum setting_id id, enum profile p);
/* Finds a profile. false: there is none of that name. */
bool setting_profile_by_name(struct str name, enum profile *out);
/* Appends a number as people write it in the file: "256M", "10s", "100ms", "4096". `type`: COUNT, BYTES or
 * TIME. `number`: not negative; bytes, or milliseconds. */
void setting_write_number(enum setting_type type, int64_t number, struct buf *out);

#endif
