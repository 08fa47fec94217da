/* Field names are found without case, lists are cut outside quotes, and tables keep their order and their
 * set. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "http/field.h"

#define assert_str(s, literal)                                                                               \
    do {                                                                                                     \
        struct str got = (s);                                                                                \
        assert_int_equal(got.n, sizeof(literal) - 1);                                                        \
        assert_memory_equal(got.p, literal, sizeof(literal) - 1);                                            \
    } while (0)

/* On the heap and exactly sized, so that the sanitizer sees a read behind the name. */
static enum field_id id_of_copy(const char *name, size_t n)
{
    char *copy = malloc(n ? n : 1);
    assert_non_null(copy);
    memcpy(copy, name, n);
    enum field_id id = field_id_of((struct str){ copy, n });
    free(copy);
    return id;
}

static void finds_every_known_name_in_any_case(void **state)
{
    (void)state;
    for (unsigned id = 1; id < FIELD_COUNT; id++) {
        struct str name = field_name(id);
        char upper[64], lower[64];
        assert_true(name.n > 0 && name.n < sizeof(upper));
        for (size_t i = 0; i < name.n; i++) {
            lower[i] = ascii_lower(name.p[i]);
            upper[i] = is_alpha(name.p[i]) ? (char)(name.p[i] & ~0x20) : name.p[i];
        }
        assert_int_equal(id_of_copy(name.p, name.n), id);
        assert_int_equal(id_of_copy(upper, name.n), id);
        assert_int_equal(id_of_copy(lower, name.n), id);
    }
}

/* A byte that differs by more than its case makes another name; so does one more or one less. */
static void finds_nothing_else(void **state)
{
    (void)state;
    for (unsigned id = 1; id < FIELD_COUNT; id++) {
        struct str name = field_name(id);
        char other[64];
        memcpy(other, name.p, name.n);
        for (size_t i = 0; i < name.n; i++) {
            for (int byte = 0; byte < 256; byte++) {
                other[i] = (char)byte;
                bool same = ascii_lower(other[i]) == ascii_lower(name.p[i]);
                enum field_id found = id_of_copy(other, name.n);
                assert_true(same ? found == id : found != id);
                if (!same && found != FIELD_OTHER) /* one letter apart: TE and ... */
                    assert_true(str_eq_nocase(field_name(found), (struct str){ other, name.n }));
            }
            other[i] = name.p[i];
        }
        other[name.n] = 'x';
        assert_int_not_equal(id_of_copy(other, name.n + 1), id);
        assert_int_not_equal(id_of_copy(other, name.n - 1), id);
    }
    assert_int_equal(field_id_of(STR_NONE), FIELD_OTHER);
    assert_int_equal(field_name(FIELD_OTHER).n, 0);
}

static void knows_classes(void **state)
{
    (void)state;
    assert_int_equal(field_class_of(FIELD_OTHER), FIELD_CLASS_E);
    assert_int_equal(field_class_of(FIELD_ETAG), FIELD_CLASS_E);
    assert_int_equal(field_class_of(FIELD_CONNECTION), FIELD_CLASS_H);
    assert_int_equal(field_class_of(FIELD_X_FORWARDED_FOR), FIELD_CLASS_U);
    assert_int_equal(field_class_of(FIELD_HOST), FIELD_CLASS_F);
}

static void sees_through_other_marks(void **state)
{
    (void)state;
    static const char *const disguised[] = {
        "Content_Length",    "TRANSFER_ENCODING", "transfer_Encoding", "Keep_Alive",
        "X-Forwarded_For",   "x_forwarded_host",  "X_Original_URL",    "X_HTTP_Method-Override",
        "Proxy_Connection",  "Transfer.Encoding", "Content!Length",    "content~length",
        "Transfer`Encoding", "X|Real|IP",
    };
    static const char *const plain[] = {
        "Content-Length",
        "Accept_Encoding",
        "X_Custom",
        "X.Custom|Pipe",
        "_",
        "Content_Length_",
        "Content__Length",
        "a_name_that_is_longer_than_any_name_that_is_known_here",
    };
    for (size_t i = 0; i < COUNT_OF(disguised); i++)
        assert_true(field_name_is_disguised(str_from(disguised[i])));
    for (size_t i = 0; i < COUNT_OF(plain); i++)
        assert_false(field_name_is_disguised(str_from(plain[i])));
}

static void tells_tokens(void **state)
{
    (void)state;
    static const char tchars[] =
        "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    for (int byte = 0; byte < 256; byte++) {
        bool is = byte != 0 && strchr(tchars, byte) != NULL;
        assert_int_equal(is_token_char((char)byte), is);
        char in_name[] = { 'a', (char)byte, 'b' };
        assert_int_equal(is_token((struct str){ in_name, 3 }), is);
    }
    assert_false(is_token(STR_NONE));
    assert_true(is_token(STR("x")));
}

static void keeps_a_table(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 256);
    struct fields f = { 0 };
    for (int i = 0; i < 40; i++) /* grows more than once */
        fields_add(&f, &a, arena_printf(&a, "X-%d", i), arena_printf(&a, "%d", i));
    fields_add(&f, &a, STR("vARY"), STR("a"));
    fields_add(&f, &a, STR("x-7"), STR("seven"));
    fields_add_id(&f, &a, FIELD_VARY, STR("b"));
    fields_add(&f, &a, STR("ETag"), STR_NONE);
    assert_int_equal(f.n, 44);

    assert_true(fields_has(&f, FIELD_VARY));
    assert_false(fields_has(&f, FIELD_AGE));
    assert_str(fields_find(&f, FIELD_VARY)->value, "a");
    assert_str(fields_find(&f, FIELD_VARY)->name, "vARY");
    assert_null(fields_find(&f, FIELD_AGE));
    assert_null(fields_value(&f, FIELD_AGE).p);
    assert_str(fields_value(&f, FIELD_VARY), "a");
    assert_int_equal(fields_count(&f, FIELD_VARY), 2);
    assert_int_equal(fields_count(&f, FIELD_AGE), 0);
    assert_int_equal(fields_index_of(&f, STR("X-7"), 0), 7);
    assert_int_equal(fields_index_of(&f, STR("X-7"), 8), 41);
    assert_int_equal(fields_index_of(&f, STR("X-7"), 42), 44);
    assert_int_equal(fields_index_of(&f, STR("Vary"), 0), 40);
    assert_int_equal(fields_index_of(&f, STR("none"), 0), 44);

    assert_str(fields_joined(&f, FIELD_VARY, &a), "a, b");
    assert_int_equal(fields_bytes(&f, FIELD_VARY), 4);
    assert_int_equal(fields_bytes(&f, FIELD_AGE), 0);
    assert_str(fields_joined_by_name(&f, STR("x-7"), &a), "7, seven");
    assert_ptr_equal(fields_joined_by_name(&f, STR("x-8"), &a).p, f.v[8].value.p);
    assert_null(fields_joined(&f, FIELD_AGE, &a).p);
    assert_null(fields_joined_by_name(&f, STR("none"), &a).p);
    assert_non_null(fields_joined(&f, FIELD_ETAG, &a).p); /* there, and empty */
    assert_int_equal(fields_joined(&f, FIELD_ETAG, &a).n, 0);
    fields_add_id(&f, &a, FIELD_ETAG, STR_NONE);
    assert_str(fields_joined(&f, FIELD_ETAG, &a), ", ");
    assert_int_equal(fields_bytes(&f, FIELD_ETAG), 2);

    fields_remove(&f, FIELD_VARY);
    assert_false(fields_has(&f, FIELD_VARY));
    assert_true(fields_has(&f, FIELD_ETAG));
    fields_remove_by_name(&f, STR("X-7"));
    fields_remove_by_name(&f, STR("etag"));
    assert_false(fields_has(&f, FIELD_ETAG));
    assert_int_equal(f.n, 39);
    for (size_t i = 0; i < f.n; i++)
        assert_true(str_eq(f.v[i].value, arena_printf(&a, "%zu", i < 7 ? i : i + 1)));
    arena_fini(&a);
}

static bool is_short(const struct field *line, void *ctx)
{
    return line->value.n < *(size_t *)ctx;
}

static void removes_what_it_is_told(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 256);
    struct fields f = { 0 };
    fields_add_id(&f, &a, FIELD_AGE, STR("1"));
    fields_add_id(&f, &a, FIELD_VARY, STR("long"));
    fields_add_id(&f, &a, FIELD_AGE, STR("12345"));
    fields_add_id(&f, &a, FIELD_DATE, STR("x"));
    size_t least = 3;
    assert_int_equal(fields_count(&f, FIELD_AGE), 2);
    fields_remove_if(&f, is_short, &least);
    assert_int_equal(fields_count(&f, FIELD_AGE), 1);
    assert_ptr_equal(fields_joined(&f, FIELD_AGE, &a).p, f.v[1].value.p);
    assert_int_equal(f.n, 2);
    assert_str(f.v[0].value, "long");
    assert_str(f.v[1].value, "12345");
    assert_true(fields_has(&f, FIELD_VARY));
    assert_true(fields_has(&f, FIELD_AGE));
    assert_false(fields_has(&f, FIELD_DATE));
    arena_fini(&a);
}

static void cuts_lists(void **state)
{
    (void)state;
    static const struct {
        const char *list;
        const char *members; /* each behind a '>' */
    } rows[] = {
        { "", "" },
        { " , ,\t,", "" },
        { "a", ">a" },
        { "a,b", ">a>b" },
        { " a b ,\tc\t,,d ", ">a b>c>d" },
        { "\"a,b\",c", ">\"a,b\">c" },
        { "x=\"a\\\",b\", c", ">x=\"a\\\",b\">c" },
        { "x=\"a\\\\\",b", ">x=\"a\\\\\">b" },
        { "a\\,b", ">a\\>b" }, /* outside quotes a backslash is a byte like others */
        { "a,\"b,c", ">a>\"b,c" },
        { "a,\"b\\", ">a>\"b\\" },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct str rest = str_from(rows[i].list), member, left = str_from(rows[i].members);
        while (list_next(&rest, &member)) {
            assert_true(left.n > member.n && left.p[0] == '>');
            assert_memory_equal(left.p + 1, member.p, member.n);
            left = str_from_index(left, 1 + member.n);
        }
        assert_int_equal(left.n, 0);
        assert_false(list_next(&rest, &member));
    }
}

static void looks_into_all_lines_of_a_list(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 256);
    struct fields f = { 0 };
    assert_false(fields_list_has(&f, FIELD_CONNECTION, STR("close")));
    fields_add_id(&f, &a, FIELD_CONNECTION, STR("keep-alive, \"close\""));
    fields_add_id(&f, &a, FIELD_VARY, STR("close"));
    fields_add_id(&f, &a, FIELD_CONNECTION, STR("x, Upgrade "));
    assert_true(fields_list_has(&f, FIELD_CONNECTION, STR("Keep-Alive")));
    assert_true(fields_list_has(&f, FIELD_CONNECTION, STR("upgrade")));
    assert_false(fields_list_has(&f, FIELD_CONNECTION, STR("close")));
    assert_false(fields_list_has(&f, FIELD_CONNECTION, STR("keep")));
    arena_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_every_known_name_in_any_case),
        cmocka_unit_test(finds_nothing_else),
        cmocka_unit_test(knows_classes),
        cmocka_unit_test(sees_through_other_marks),
        cmocka_unit_test(tells_tokens),
        cmocka_unit_test(keeps_a_table),
        cmocka_unit_test(removes_what_it_is_told),
        cmocka_unit_test(cuts_lists),
        cmocka_unit_test(looks_into_all_lines_of_a_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
