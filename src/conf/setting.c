#include "conf/setting.h"

#include <inttypes.h>

#include "base/check.h"
#include "conf/columns.h"

#define OFFSET_PROCESS(name) offsetof(struct process_settings, name)
#define OFFSET_SITE(name)    offsetof(struct site_settings, name)

const struct setting setting_table[SETTING_COUNT] = {
#define SETTING(scope_, type_, name_, initial_, least_, most_, class_, text_)                                \
    {                                                                                                        \
        .scope = SCOPE_##scope_,                                                                             \
        .type = TYPE_##type_,                                                                                \
        .name = STR_INIT(#name_),                                                                            \
        .initial = STR_INIT(initial_),                                                                       \
        .least = LEAST_##type_(least_),                                                                      \
        .most = MOST_##type_(most_),                                                                         \
        .words = WORDS_##type_(most_),                                                                       \
        .form = FORM_OF_##type_(least_),                                                                     \
        .needed = NEEDED_##type_(most_),                                                                     \
        .shape = SHAPE_OF_##type_(least_),                                                                   \
        .class = CLASS_##class_,                                                                             \
        .text = STR_INIT(text_),                                                                             \
        .offset = OFFSET_##scope_(name_),                                                                    \
    },
#include "tbl/settings.h"
#undef SETTING
};

static const struct str profile_names[PROFILE_COUNT] = {
    [PROFILE_ISR] = STR_INIT("isr"),
    [PROFILE_RFC9111] = STR_INIT("rfc9111"),
    [PROFILE_DEV] = STR_INIT("dev"),
};

#define PROFILE_OF_rfc9111 PROFILE_RFC9111
#define PROFILE_OF_dev     PROFILE_DEV

static const struct {
    enum profile profile;
    enum setting_id id;
    struct str initial;
} profile_table[] = {
#define PROFILE(profile_, setting_, initial_)                                                                \
    { PROFILE_OF_##profile_, SETTING_##setting_, STR_INIT(initial_) },
#include "tbl/profiles.h"
#undef PROFILE
};

static bool same_name(struct str typed, struct str name, bool flag)
{
    if (typed.n != name.n)
        return false;
    for (size_t i = 0; i < name.n; i++)
        if (typed.p[i] != name.p[i] && !(flag && typed.p[i] == '-' && name.p[i] == '_'))
            return false;
    return true;
}

enum setting_id setting_by_name(struct str name, bool flag)
{
    enum setting_id id = 0;
    while (id < SETTING_COUNT && !same_name(name, setting_table[id].name, flag))
        id++;
    return id;
}

struct str setting_initial(enum setting_id id, enum profile p)
{
    for (size_t i = 0; i < COUNT_OF(profile_table); i++)
        if (profile_table[i].id == id && profile_table[i].profile == p)
            return profile_table[i].initial;
    return setting_table[id].initial;
}

bool setting_profile_by_name(struct str name, enum profile *out)
{
    for (enum profile p = 0; p < PROFILE_COUNT; p++)
        if (str_eq(name, profile_names[p])) {
            *out = p;
            return true;
        }
    return false;
}

struct str profile_name(enum profile p)
{
    CHECK((unsigned)p < PROFILE_COUNT);
    return profile_names[p];
}

struct unit {
    int64_t size;
    const char *name;
};

static const struct unit byte_units[] = {
    { (int64_t)1 << 40, "T" }, { 1 << 30, "G" }, { 1 << 20, "M" }, { 1 << 10, "K" }, { 1, "" }
};
static const struct unit time_units[] = {
    { 86400000, "d" }, { 3600000, "h" }, { 60000, "m" }, { 1000, "s" }, { 1, "ms" }
};

/* In the largest unit that leaves no rest. */
static void write_in_units(const struct unit *u, int64_t number, struct buf *out)
{
    while (number % u->size != 0)
        u++;
    buf_printf(out, "%" PRId64 "%s", number / u->size, u->name);
}

void setting_write_number(enum setting_type type, int64_t number, struct buf *out)
{
    if (number == 0 || type == TYPE_COUNT)
        buf_printf(out, "%" PRId64, number);
    else
        write_in_units(type == TYPE_BYTES ? byte_units : time_units, number, out);
}
