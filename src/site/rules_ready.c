#include "base/check.h"
#include "conf/node.h"
#include "site/rules_machine.h"

/* The presets. None gives a lifetime to what may be one visitor's: their defaults only speak where the answer
 * is silent, they never force, and what a visitor changes or buys is bypassed. */
static const struct {
    struct str name, yaml;
} presets[] = {
    { STR_INIT("none"), STR_INIT("") },
#define PRESET(name, yaml) { STR_INIT(name), STR_INIT(yaml) },
#include "tbl/presets.h"
#undef PRESET
};

struct str rules_preset_name(int preset)
{
    CHECK(preset >= 0 && (size_t)preset < COUNT_OF(presets));
    return presets[preset].name;
}

struct maps rules_of_preset(int preset, struct arena *a)
{
    static const struct setting *row = &setting_table[SETTING_rules];
    struct report report;
    struct arena scratch;
    union value v = { .maps = { NULL, 0 } };
    CHECK(preset >= 0 && (size_t)preset < COUNT_OF(presets));
    if (!presets[preset].yaml.n)
        return v.maps;
    arena_init(&scratch, 16384);
    report_init(&report, &scratch, STR("preset"));
    struct tree *tree = tree_read(presets[preset].yaml, &scratch, &report);
    struct node_reader reader = { a, &scratch, &report, presets[preset].name };
    CHECK(tree && node_read(&reader, row, tree, &v)); /* a unit test reads each */
    arena_fini(&scratch);
    return v.maps;
}
