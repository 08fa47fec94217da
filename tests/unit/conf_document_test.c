// The committed documents are what the program writes, and the example is a configuration that works: as it
// stands, and with every setting in it taken out of its comment.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "conf/document.h"
#include "conf/setting.h"

/* A buffer is not NUL-terminated. */
static const char *text_in(const struct buf *b, const char *text)
{
    return b->n ? memmem(b->p, b->n, text, strlen(text)) : NULL;
}

static void read_file(const char *path, struct buf *out)
{
    FILE *f = fopen(path, "r");
    if (!f)
        fail_msg("%s cannot be read", path);
    size_t got;
    while ((got = fread(buf_room(out, 4096), 1, 4096, f)) > 0)
        out->n += got;
    fclose(f);
}

static void assert_written(const char *path, void (*make)(struct buf *))
{
    struct buf committed = BUF_INIT, made = BUF_INIT;
    read_file(path, &committed);
    make(&made);
    if (!str_eq(buf_str(&committed), buf_str(&made)))
        fail_msg("%s is not what src/tbl/settings.h says; run: BUILD/tools/document .", path);
    buf_fini(&committed);
    buf_fini(&made);
}

static void the_committed_files_are_up_to_date(void **state)
{
    (void)state;
    assert_written(SOURCE_FOLDER "/docs/CONFIGURATION.md", document_configuration);
    assert_written(SOURCE_FOLDER "/freshet.example.yaml", document_example);
}

static struct settings *parse(struct str yaml)
{
    struct buf errors = BUF_INIT;
    struct settings *s = settings_parse(yaml, STR("freshet.example.yaml"), NULL, 0, &errors);
    if (!s)
        print_message("%.*s", STR_ARG(buf_str(&errors)));
    assert_non_null(s);
    buf_fini(&errors);
    return s;
}

static void the_example_works(void **state)
{
    (void)state;
    struct buf yaml = BUF_INIT;
    document_example(&yaml);
    struct settings *s = parse(buf_str(&yaml));
    assert_int_equal(s->sites_n, 1);
    assert_true(str_eq(s->sites[0].origin_text, STR("http://127.0.0.1:3000")));
    settings_unref(s);
    buf_fini(&yaml);
}

/* Text stands behind a '#' and exactly one space. */
static bool is_setting(struct str line)
{
    return line.n >= 2 && line.p[0] == '#' && (line.p[1] != ' ' || (line.n > 2 && line.p[2] == ' '));
}

/* With every setting taken out of its comment. Adds the names of those at the top to `names`, each with its
 * colon. */
static void uncomment(struct str yaml, struct buf *out, struct buf *names)
{
    for (struct str rest = yaml; rest.p;) {
        struct str line = str_cut(&rest, '\n');
        if (is_setting(line))
            line = str_from_index(line, 1);
        buf_add(out, line);
        buf_add_char(out, '\n');
        if (line.n && line.p[0] != '#' && line.p[0] != ' ') {
            buf_add_char(names, '\n');
            buf_add(names, str_first(line, str_index(line, ':') + 1));
        }
    }
}

static void the_example_works_with_all_its_settings(void **state)
{
    (void)state;
    struct buf yaml = BUF_INIT, plain = BUF_INIT, names = BUF_INIT;
    document_example(&yaml);
    uncomment(buf_str(&yaml), &plain, &names);
    struct settings *s = parse(buf_str(&plain));
    assert_int_equal(s->sites_n, 2);

    /* The values are the defaults: all sites are as if nothing had been said. */
    struct settings *bare = parse(STR("origin: http://127.0.0.1:3000\n"));
    struct buf changed = BUF_INIT;
    assert_false(settings_start_changed(s, bare, &changed));
    s->sites[0].hosts = bare->sites[0].hosts;
    s->sites[0].origin = bare->sites[0].origin;
    s->sites[0].origin_list = bare->sites[0].origin_list;
    assert_false(site_settings_store_changed(&s->sites[0], &bare->sites[0]));
    assert_int_equal(s->sites[0].first_byte_timeout, bare->sites[0].first_byte_timeout);
    settings_unref(bare);
    settings_unref(s);
    buf_fini(&changed);

    buf_add_char(&names, '\n');
    buf_add_char(&names, '\0');
    for (enum setting_id id = 0; id < SETTING_COUNT; id++) {
        char line[64];
        snprintf(line, sizeof(line), "\n%.*s:\n", STR_ARG(setting_table[id].name));
        if (!text_in(&names, line))
            fail_msg("the example lacks%s", line);
    }
    buf_fini(&yaml);
    buf_fini(&plain);
    buf_fini(&names);
}

static void every_setting_is_documented(void **state)
{
    (void)state;
    struct buf text = BUF_INIT;
    document_configuration(&text);
    buf_add_char(&text, '\0');
    for (enum setting_id id = 0; id < SETTING_COUNT; id++) {
        char row[64];
        snprintf(row, sizeof(row), "\n| `%.*s` | ", STR_ARG(setting_table[id].name));
        if (!text_in(&text, row))
            fail_msg("there is no row for %.*s", STR_ARG(setting_table[id].name));
    }
    assert_non_null(text_in(&text, "| `memory` | `256M` | size, 1M to 1T | restart | Memory for the cache"));
    assert_non_null(text_in(&text, "| `set_cookie` | `refuse` | `refuse`, `strip`, `store` | purges | "));
    assert_non_null(text_in(&text, "| `set_cookie` | `refuse` | `store` | `refuse` |\n"));
    assert_non_null(text_in(&text, "| `store` | `true` | `true` | `false` |\n"));
    buf_fini(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_committed_files_are_up_to_date),
        cmocka_unit_test(the_example_works),
        cmocka_unit_test(the_example_works_with_all_its_settings),
        cmocka_unit_test(every_setting_is_documented),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
