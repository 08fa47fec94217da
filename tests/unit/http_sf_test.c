/* Structured fields: all of the HTTP working group's test suite parses or fails as it says, and so do our own
 * cases. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <dirent.h>
#include <stdio.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/buf.h"
#include "http/sf.h"

enum kind { ITEM, LIST, DICTIONARY };

struct parsed {
    struct arena arena;
    char *copy; /* of the input, exactly sized, so that the sanitizer sees a read behind its end */
    struct sf_member item;
    struct sf_members members;
    bool ok;
};

static void parse(struct parsed *p, enum kind kind, struct str value)
{
    *p = (struct parsed){ .copy = malloc(value.n ? value.n : 1) };
    assert_non_null(p->copy);
    if (value.n)
        memcpy(p->copy, value.p, value.n);
    arena_init(&p->arena, 4096);
    struct str copy = { p->copy, value.n };
    switch (kind) {
    case ITEM: p->ok = sf_parse_item(copy, &p->arena, &p->item); break;
    case LIST: p->ok = sf_parse_list(copy, &p->arena, &p->members); break;
    case DICTIONARY: p->ok = sf_parse_dictionary(copy, &p->arena, &p->members); break;
    }
}

static void parsed_fini(struct parsed *p)
{
    arena_fini(&p->arena);
    free(p->copy);
}

/* What was parsed against what the suite expects of it. */

static bool same_text(struct str s, const json_t *want)
{
    return json_is_string(want) &&
           str_eq(s, (struct str){ json_string_value(want), json_string_length(want) });
}

/* The suite writes bytes in base32 (RFC 4648 §6). */
static bool same_base32(struct str s, const json_t *want)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    struct buf b = BUF_INIT;
    for (size_t i = 0; i < s.n; i += 5) {
        uint64_t bits = 0;
        size_t n = s.n - i < 5 ? s.n - i : 5, used = (n * 8 + 4) / 5;
        for (size_t k = 0; k < 5; k++)
            bits = bits << 8 | (k < n ? (unsigned char)s.p[i + k] : 0);
        for (size_t k = 0; k < 8; k++)
            buf_add_char(&b, k < used ? letters[bits >> (35 - 5 * k) & 31] : '=');
    }
    bool same = same_text(buf_str(&b), want);
    buf_fini(&b);
    return same;
}

static bool same_typed(const struct sf_value *v, const json_t *want)
{
    const char *type = json_string_value(json_object_get(want, "__type"));
    const json_t *value = json_object_get(want, "value");
    assert_non_null(type);
    if (strcmp(type, "token") == 0)
        return v->type == SF_TOKEN && same_text(v->text, value);
    if (strcmp(type, "binary") == 0)
        return v->type == SF_BYTES && same_base32(v->text, value);
    if (strcmp(type, "date") == 0)
        return v->type == SF_DATE && v->integer == json_integer_value(value);
    if (strcmp(type, "displaystring") == 0)
        return v->type == SF_DISPLAY && same_text(v->text, value);
    fail_msg("the suite has a type that this test does not know: %s", type);
    return false;
}

static int64_t thousandths(double d)
{
    return (int64_t)(d * 1000 + (d < 0 ? -0.5 : 0.5));
}

static bool same_value(const struct sf_value *v, const json_t *want)
{
    switch (json_typeof(want)) {
    case JSON_INTEGER: return v->type == SF_INTEGER && v->integer == json_integer_value(want);
    case JSON_REAL: return v->type == SF_DECIMAL && v->integer == thousandths(json_real_value(want));
    case JSON_STRING: return v->type == SF_STRING && same_text(v->text, want);
    case JSON_TRUE: return v->type == SF_BOOLEAN && v->boolean;
    case JSON_FALSE: return v->type == SF_BOOLEAN && !v->boolean;
    case JSON_OBJECT: return same_typed(v, want);
    default: return false;
    }
}

static bool same_params(const struct sf_member *m, const json_t *want)
{
    if (m->params_n != json_array_size(want))
        return false;
    for (size_t i = 0; i < m->params_n; i++) {
        const json_t *pair = json_array_get(want, i);
        if (!same_text(m->params[i].key, json_array_get(pair, 0)) ||
            !same_value(&m->params[i].value, json_array_get(pair, 1)))
            return false;
    }
    return true;
}

static bool same_item(const struct sf_member *m, const json_t *want)
{
    return same_value(&m->value, json_array_get(want, 0)) && same_params(m, json_array_get(want, 1));
}

static bool same_member(const struct sf_member *m, const json_t *want)
{
    const json_t *items = json_array_get(want, 0);
    if (!json_is_array(items))
        return same_item(m, want);
    if (m->value.type != SF_INNER_LIST || m->items_n != json_array_size(items))
        return false;
    for (size_t i = 0; i < m->items_n; i++)
        if (!same_item(&m->items[i], json_array_get(items, i)))
            return false;
    return same_params(m, json_array_get(want, 1));
}

static bool same_members(const struct sf_members *got, enum kind kind, const json_t *want)
{
    if (got->n != json_array_size(want))
        return false;
    for (size_t i = 0; i < got->n; i++) {
        const json_t *w = json_array_get(want, i);
        if (kind == DICTIONARY) {
            if (!same_text(got->v[i].key, json_array_get(w, 0)))
                return false;
            w = json_array_get(w, 1);
        }
        if (!same_member(&got->v[i], w))
            return false;
    }
    return true;
}

/* The suite's files. */

static enum kind kind_of(const json_t *test)
{
    const char *type = json_string_value(json_object_get(test, "header_type"));
    assert_non_null(type);
    if (strcmp(type, "item") == 0)
        return ITEM;
    if (strcmp(type, "list") == 0)
        return LIST;
    assert_string_equal(type, "dictionary");
    return DICTIONARY;
}

static void join(const json_t *lines, struct buf *out)
{
    for (size_t i = 0; i < json_array_size(lines); i++) {
        const json_t *line = json_array_get(lines, i);
        if (i)
            buf_add(out, STR(", "));
        buf_add(out, (struct str){ json_string_value(line), json_string_length(line) });
    }
}

static void check_case(const char *file, const json_t *test)
{
    struct parsed p;
    struct buf raw = BUF_INIT;
    enum kind kind = kind_of(test);
    const json_t *want = json_object_get(test, "expected");
    const char *name = json_string_value(json_object_get(test, "name"));
    bool must_fail = json_is_true(json_object_get(test, "must_fail"));
    bool can_fail = json_is_true(json_object_get(test, "can_fail"));
    join(json_object_get(test, "raw"), &raw);
    parse(&p, kind, buf_str(&raw));
    if (p.ok && must_fail)
        fail_msg("%s: %s: parsed, but must fail", file, name);
    if (!p.ok && !must_fail && !can_fail)
        fail_msg("%s: %s: did not parse", file, name);
    if (p.ok && !(kind == ITEM ? same_member(&p.item, want) : same_members(&p.members, kind, want)))
        fail_msg("%s: %s: another value", file, name);
    parsed_fini(&p);
    buf_fini(&raw);
}

static size_t check_file(const char *folder, const char *file)
{
    char path[1024];
    json_error_t error;
    snprintf(path, sizeof(path), "%s/%s", folder, file);
    json_t *tests = json_load_file(path, JSON_ALLOW_NUL, &error);
    if (!json_is_array(tests))
        fail_msg("%s: %s", path, error.text);
    size_t n = json_array_size(tests);
    for (size_t i = 0; i < n; i++)
        check_case(file, json_array_get(tests, i));
    json_decref(tests);
    return n;
}

/* Beside the repository, seen from the folder that the test runs in or from this file. NULL: not there. */
static DIR *open_suite(char *folder, size_t size)
{
    const char *slash = strrchr(__FILE__, '/');
    int n = slash ? (int)(slash - __FILE__) : 0;
    const char *const places[] = { "../shared/data", "../../shared/data" };
    snprintf(folder, size, "%.*s/../../../shared/data/structured-fields", n, __FILE__);
    DIR *dir = opendir(folder);
    for (size_t i = 0; !dir && i < sizeof(places) / sizeof(places[0]); i++) {
        snprintf(folder, size, "%s/structured-fields", places[i]);
        dir = opendir(folder);
    }
    return dir;
}

static void passes_the_working_groups_suite(void **state)
{
    char folder[512];
    size_t files = 0, cases = 0;
    DIR *dir = open_suite(folder, sizeof(folder));
    (void)state;
    if (!dir) {
        print_message("skipped: the suite (httpwg/structured-field-tests) is not in ../shared/data\n");
        skip();
    }
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        if (!str_ends(str_from(e->d_name), STR(".json")))
            continue;
        cases += check_file(folder, e->d_name);
        files++;
    }
    closedir(dir);
    print_message("%zu cases of %zu files\n", cases, files);
    assert_true(cases > 500 && files >= 10);
}

/* Our own cases: what the suite at hand leaves out. */

static void expect_fail(enum kind kind, const char *value)
{
    struct parsed p;
    parse(&p, kind, str_from(value));
    if (p.ok)
        fail_msg("%s parsed", value);
    parsed_fini(&p);
}

static void expect_bad_at(enum kind kind, const char *value, size_t at)
{
    struct parsed p;
    parse(&p, kind, str_from(value));
    if (p.ok || p.members.bad_at != at)
        fail_msg("%s: %s, at %zu instead of %zu", value, p.ok ? "parses" : "does not parse", p.members.bad_at,
                 at);
    parsed_fini(&p);
}

/* The first byte that is wrong; behind the last one when something is missing. */
static void says_where_it_does_not_parse(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        size_t at;
    } dictionaries[] = {
        { "A", 0 },
        { "Max-Age=60", 0 },
        { "max-Age=60", 4 },
        { "max-age = 60", 8 },
        { "max-age= 60", 8 },
        { "max-age=", 8 },
        { "max-age=60,", 10 },
        { "max-age=60 \t, ", 12 },
        { "max-age=60,, b", 11 },
        { "max-age=60; ", 12 },
        { "max-age=60;B", 11 },
        { "max-age=60 public", 11 },
        { "max-age=60s", 10 },
        { "max-age=-", 9 },
        { "max-age=-x", 9 },
        { "max-age=1234567890123456", 23 },
        { "max-age=1234567890123.4", 20 },
        { "max-age=1.", 10 },
        { "max-age=1.2345", 13 },
        { "  max-age=60, \"", 14 },
        { "a=\"b", 4 },
        { "a=\"b\\c\"", 5 },
        { "a=\"b\\", 5 },
        { "a=\"b\x80\"", 4 },
        { "a=:YWJj", 7 },
        { "a=:Y=:", 3 },
        { "a=?2", 3 },
        { "a=?", 3 },
        { "a=@1.5", 3 },
        { "a=%\"%zz\"", 4 },
        { "a=%\"%ff\"", 4 },
        { "a=%b", 3 },
        { "a=(b c", 6 },
        { "a=(b,c)", 4 },
        { "a=(b \x01)", 5 },
        { "a=b;1=c", 4 },
        { "1a", 0 },
        { "a, 1a", 3 },
    };
    for (size_t i = 0; i < sizeof(dictionaries) / sizeof(dictionaries[0]); i++)
        expect_bad_at(DICTIONARY, dictionaries[i].value, dictionaries[i].at);
    expect_bad_at(LIST, "a b", 2);
    expect_bad_at(LIST, "a,", 1);
    expect_bad_at(LIST, "a, \x7f", 3);
}

static void expect_text(const char *value, enum sf_type type, const char *text)
{
    struct parsed p;
    parse(&p, ITEM, str_from(value));
    if (!p.ok || p.item.value.type != type || !str_eq(p.item.value.text, str_from(text)))
        fail_msg("%s is not the text %s", value, text);
    parsed_fini(&p);
}

static void expect_number(const char *value, enum sf_type type, int64_t number)
{
    struct parsed p;
    parse(&p, ITEM, str_from(value));
    if (!p.ok || p.item.value.type != type || p.item.value.integer != number)
        fail_msg("%s is not %lld", value, (long long)number);
    parsed_fini(&p);
}

static void parses_display_strings(void **state)
{
    (void)state;
    expect_text("%\"foo bar\"", SF_DISPLAY, "foo bar");
    expect_text("%\"\"", SF_DISPLAY, "");
    expect_text("%\"f%c3%bc%c3%bc\"", SF_DISPLAY, "f\xc3\xbc\xc3\xbc");
    expect_text("%\"a %22b%22 \\ %25\"", SF_DISPLAY, "a \"b\" \\ %");
    expect_text("%\"%e2%82%ac%f0%9f%98%80\"", SF_DISPLAY, "\xe2\x82\xac\xf0\x9f\x98\x80");
    expect_text("%\"%ed%9f%bf%ee%80%80%f4%8f%bf%bf\"", SF_DISPLAY,
                "\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf");
    static const char *const bad[] = {
        "%",
        "%\"",
        "%foo",
        "%foo\"",
        "%\"foo",
        "%'foo'",
        "% \"foo\"",
        "%\"\t\"",
        "%\"\n\"",
        "%\"\x7f\"",
        "%\"\xc3\xbc\"",
        /* Escapes: two digits, lower case. */
        "%\"%C3%BC\"",
        "%\"%c\"",
        "%\"%\"",
        "%\"%c",
        "%\"%zz\"",
        "%\"%c3%b\"",
        /* Not UTF-8: alone, cut short, too long, surrogates, too large. */
        "%\"%80\"",
        "%\"%c3\"",
        "%\"%c3%28\"",
        "%\"%a0%a1\"",
        "%\"%e2%82\"",
        "%\"%e2%28%a1\"",
        "%\"%f0%9f%98\"",
        "%\"%f0%28%8c%28\"",
        "%\"%c0%af\"",
        "%\"%c1%bf\"",
        "%\"%e0%9f%bf\"",
        "%\"%f0%8f%bf%bf\"",
        "%\"%ed%a0%80\"",
        "%\"%ed%bf%bf\"",
        "%\"%f4%90%80%80\"",
        "%\"%f5%80%80%80\"",
        "%\"%ff\"",
        "%\"%fe\"",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        expect_fail(ITEM, bad[i]);
}

static void parses_numbers_to_their_limits(void **state)
{
    (void)state;
    expect_number("999999999999999", SF_INTEGER, 999999999999999);
    expect_number("-999999999999999", SF_INTEGER, -999999999999999);
    expect_number("000000000000005", SF_INTEGER, 5);
    expect_number("-0", SF_INTEGER, 0);
    expect_number("999999999999.999", SF_DECIMAL, 999999999999999);
    expect_number("-1.5", SF_DECIMAL, -1500);
    expect_number("-0.05", SF_DECIMAL, -50);
    expect_number("0.001", SF_DECIMAL, 1);
    expect_number("@-62135596800", SF_DATE, -62135596800);
    static const char *const bad[] = { "1000000000000000",
                                       "1234567890123.0",
                                       "1.",
                                       "1.0000",
                                       ".5",
                                       "-",
                                       "--1",
                                       "- 1",
                                       "+1",
                                       "1.-5",
                                       "@",
                                       "@1.5",
                                       "@x",
                                       "@ 1",
                                       "1,",
                                       "1 2",
                                       "@@1" };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        expect_fail(ITEM, bad[i]);
}

static void decodes_base64_with_or_without_padding(void **state)
{
    (void)state;
    expect_text("::", SF_BYTES, "");
    expect_text(":Zg==:", SF_BYTES, "f");
    expect_text(":Zg:", SF_BYTES, "f");
    expect_text(":Zm8=:", SF_BYTES, "fo");
    expect_text(":Zm8:", SF_BYTES, "fo");
    expect_text(":Zm9v:", SF_BYTES, "foo");
    expect_text(":+/+/:", SF_BYTES, "\xfb\xff\xbf");
    static const char *const bad[] = { ":",      ":Zg",    ":Z:",    ":Zg=:",  ":Zg===:",   ":Zm9v=:", ":=:",
                                       ":====:", ":Z=g=:", ":Zm 8:", ":Zm-_:", ":Zm8\xff:", "Zm8=:" };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        expect_fail(ITEM, bad[i]);
}

static void leaves_strings_without_escapes_in_the_input(void **state)
{
    struct parsed p;
    (void)state;
    parse(&p, ITEM, STR("\"plain\""));
    assert_true(p.ok && p.item.value.text.p == p.copy + 1);
    parsed_fini(&p);
    expect_text("\"a\\\"b\\\\c\"", SF_STRING, "a\"b\\c");
    expect_fail(ITEM, "\"a\\b\"");
    expect_fail(ITEM, "\"a\\");
}

static void finds_members_of_dictionaries(void **state)
{
    struct parsed p;
    (void)state;
    parse(&p, DICTIONARY, STR("a=1, b;x=2;x=3, a=(1 2);y, c=?0"));
    assert_true(p.ok);
    assert_int_equal(p.members.n, 3);
    /* The last value in the first place. */
    assert_ptr_equal(sf_get(&p.members, STR("a")), &p.members.v[0]);
    assert_int_equal(p.members.v[0].value.type, SF_INNER_LIST);
    assert_int_equal(p.members.v[0].items_n, 2);
    assert_int_equal(p.members.v[0].params_n, 1);
    assert_int_equal(p.members.v[1].params_n, 1);
    assert_int_equal(p.members.v[1].params[0].value.integer, 3);
    assert_true(sf_get(&p.members, STR("b"))->value.boolean);
    assert_false(sf_get(&p.members, STR("c"))->value.boolean);
    assert_null(sf_get(&p.members, STR("d")));
    assert_null(sf_get(&p.members, STR("A")));
    parsed_fini(&p);
}

/* `piece`, with its number for %u, n times. */
static struct str repeated(struct buf *b, const char *before, const char *piece, const char *between,
                           unsigned n, const char *after)
{
    buf_clear(b);
    buf_add(b, str_from(before));
    for (unsigned i = 0; i < n; i++) {
        if (i)
            buf_add(b, str_from(between));
        buf_printf(b, piece, i);
    }
    buf_add(b, str_from(after));
    return buf_str(b);
}

static bool parses(enum kind kind, struct str value)
{
    struct parsed p;
    parse(&p, kind, value);
    parsed_fini(&p);
    return p.ok;
}

/* RFC 9651 asks for at least 1024 members, 256 items and 256 parameters: these parse, one more does not. */
static void parses_up_to_its_limits(void **state)
{
    struct buf b = BUF_INIT;
    (void)state;
    assert_true(parses(DICTIONARY, repeated(&b, "", "a%u", ",", 1024, "")));
    assert_false(parses(DICTIONARY, repeated(&b, "", "a%u", ",", 1025, "")));
    assert_true(parses(DICTIONARY, repeated(&b, "", "a%u", ",", 1024, ", a7=1")));
    assert_true(parses(LIST, repeated(&b, "", "%u", ",", 1024, "")));
    assert_false(parses(LIST, repeated(&b, "", "%u", ",", 1025, "")));
    assert_true(parses(LIST, repeated(&b, "(", "%u", " ", 256, ")")));
    assert_false(parses(LIST, repeated(&b, "(", "%u", " ", 257, ")")));
    assert_true(parses(ITEM, repeated(&b, "x;", "a%u", ";", 256, "")));
    assert_false(parses(ITEM, repeated(&b, "x;", "a%u", ";", 257, "")));
    buf_fini(&b);
}

static void nests_one_level_only(void **state)
{
    struct buf b = BUF_INIT;
    (void)state;
    assert_true(parses(LIST, STR("(1 2);a, ()")));
    expect_fail(LIST, "((1))");
    expect_fail(LIST, "(1");
    expect_fail(LIST, "(1(2))");
    expect_fail(LIST, "(1,2)");
    expect_fail(ITEM, "(1)");
    expect_fail(ITEM, "a;b=(1)");
    assert_false(parses(LIST, repeated(&b, "", "(", "", 100000, "")));
    buf_fini(&b);
}

/* Every beginning of a field that uses the whole grammar: a read behind the end would be seen, an answer is
 * given. */
static void survives_every_cut(void **state)
{
    static const char whole[] =
        "  a=1;p=\"x\\\"y\";q=:Zm9v:, b=(1 -2.5;z=@9 tok);w=?1;v, c=%\"f%c3%bc\"\t,\td=*t/o:k, e ";
    size_t good = 0;
    (void)state;
    for (size_t n = 0; n < sizeof(whole); n++)
        good += parses(DICTIONARY, (struct str){ whole, n });
    assert_true(parses(DICTIONARY, STR(whole)));
    assert_in_range(good, 10, sizeof(whole) / 2);
}

static void writes_strings(void **state)
{
    struct buf b = BUF_INIT;
    (void)state;
    sf_write_string(&b, STR("a\"b\\c\n\x7f\xc3\xbc~ "));
    assert_int_equal(b.n, strlen("\"a\\\"b\\\\c????~ \""));
    assert_memory_equal(b.p, "\"a\\\"b\\\\c????~ \"", b.n);
    buf_clear(&b);
    sf_write_string(&b, STR_NONE);
    assert_int_equal(b.n, 2);
    assert_memory_equal(b.p, "\"\"", 2);
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(passes_the_working_groups_suite),
        cmocka_unit_test(parses_display_strings),
        cmocka_unit_test(parses_numbers_to_their_limits),
        cmocka_unit_test(decodes_base64_with_or_without_padding),
        cmocka_unit_test(leaves_strings_without_escapes_in_the_input),
        cmocka_unit_test(finds_members_of_dictionaries),
        cmocka_unit_test(parses_up_to_its_limits),
        cmocka_unit_test(nests_one_level_only),
        cmocka_unit_test(survives_every_cut),
        cmocka_unit_test(says_where_it_does_not_parse),
        cmocka_unit_test(writes_strings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
