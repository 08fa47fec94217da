/* What the tests of cache/ share: an arena, heads from text, settings from YAML. */
#ifndef CACHE_TEST_H
#define CACHE_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/check.h"
#include "conf/settings.h"
#include "http/field.h"

/* Sun, 06 Nov 1994 08:49:37 GMT */
#define WALL_S  ((int64_t)784111777)
#define WALL_MS (WALL_S * 1000)

static struct arena arena;
static struct settings *settings_made[512];
static size_t settings_made_n;

static int setup(void **state)
{
    (void)state;
    arena_init(&arena, 16384);
    alarm(150); /* a test that waits for what never comes must end */
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_fini(&arena);
    while (settings_made_n)
        settings_unref(settings_made[--settings_made_n]);
    return 0;
}

static inline void assert_str(struct str s, const char *text)
{
    if (!str_eq(s, str_from(text)))
        fail_msg("\"%.*s\" instead of \"%s\"", STR_ARG(s), text);
}

/* A site with these lines in its configuration; lives until the test ends. */
static inline const struct site_settings *site_of(const char *yaml)
{
    struct buf text = BUF_INIT, errors = BUF_INIT;
    buf_printf(&text, "origin: http://127.0.0.1:1\n%s\n", yaml);
    struct settings *s = settings_parse(buf_str(&text), STR("test"), NULL, 0, &errors);
    if (!s)
        fail_msg("%.*s", STR_ARG(buf_str(&errors)));
    assert_true(settings_made_n < COUNT_OF(settings_made));
    settings_made[settings_made_n++] = s;
    buf_fini(&text);
    buf_fini(&errors);
    return &s->sites[0];
}

/* Fields from "Name: value" lines, "\n" between them; NULL: none. */
static inline struct fields *fields_of(const char *text)
{
    struct fields *f = arena_zero(&arena, sizeof(*f));
    struct str rest = text && *text ? str_from(text) : STR_NONE;
    while (rest.p) {
        struct str line = str_cut(&rest, '\n');
        size_t colon = str_index(line, ':');
        if (line.n == 0)
            continue;
        assert_true(colon < line.n);
        fields_add(f, &arena, str_first(line, colon), str_trim(str_from_index(line, colon + 1)));
    }
    return f;
}

#endif
