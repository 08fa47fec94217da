/* A template is filled from the payload with what is there; what is not there is said, and nothing is
 * guessed. */
#include "admin_test.h"
#include "arena_test.h"
#include "admin_webhook_test.h"

static struct str joined(const struct strs *list)
{
    struct str all = STR_NONE;
    for (size_t i = 0; i < list->n; i++)
        all = ARENA_JOIN(&arena, all, i ? STR(" | ") : STR_NONE, list->v[i]);
    return all;
}

static struct template template_of(const char *text)
{
    struct template t;
    const char *wrong = template_parse(str_from(text), &arena, &t);
    if (wrong)
        fail_msg("\"%s\" %s", text, wrong);
    return t;
}

static bool fill(enum sender sender, const char *text, struct str json, struct webhook_filled *out,
                 struct str *error)
{
    struct template t = template_of(text);
    struct webhook w = { .sender = sender, .tags = &t, .tags_n = 1 };
    struct json_t *payload = webhook_payload_parse(json, &arena, error);
    if (!payload)
        fail_msg("%.*s", STR_ARG(*error));
    bool good = webhook_payload_fill(&w, payload, &arena, out, error);
    webhook_payload_free(payload);
    return good;
}

static void templates_are_filled(void **state)
{
    (void)state;
    static const char contentful[] =
        "{\"sys\":{\"id\":\"e1\",\"type\":\"Entry\",\"contentType\":{\"sys\":{\"id\":\"book\"}}},"
        "\"fields\":{\"slug\":{\"en-US\":\"a b/\xc3\xa4\"}}}";
    static const char kontent[] =
        "{\"notifications\":[{\"data\":{\"system\":{\"id\":\"k\",\"type\":\"post\"}}},"
        "{\"data\":{\"system\":{\"id\":\"l\",\"type\":\"page\"}}}]}";
    static const struct {
        const char *json, *template, *becomes;
    } rows[] = {
        { contentful, "{sys.id}", "e1" },
        { contentful, "book-{fields.slug.en-US}", "book-a b/\xc3\xa4" },
        { contentful, "{sys.contentType.sys.id}:{sys.type}!", "book:Entry!" },
        { contentful, "books", "books" },
        { "{\"data\":{\"keys\":[1,\"two\",true]}}", "{data.keys[]}", "1 | two | true" },
        { "{\"data\":{\"keys\":[1,\"two\"]}}", "{data.keys[1]}", "two" },
        { "{\"data\":{\"keys\":[]}}", "{data.keys[]}", "" },
        /* the same [] is the same member */
        { kontent, "{notifications[].data.system.type}-{notifications[].data.system.id}", "post-k | page-l" },
        { kontent, "{notifications[0].data.system.id}", "k" },
        /* another [] is each of the other's */
        { "{\"a\":[1,2],\"b\":[3,4]}", "{a[]}{b[]}", "13 | 14 | 23 | 24" },
        { "{\"a\":[[1,2],[3]]}", "{a[][]}", "1 | 2 | 3" },
        { "[{\"id\":7},{\"id\":-8}]", "x{[].id}", "x7 | x-8" },
        { "{\"a\":9223372036854775807}", "{a}", "9223372036854775807" },
        { "{\"_id\":\"x\",\"@type\":\"t\",\"a b\":\" trimmed \"}", "{_id}{@type}{a b}", "xttrimmed" },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct webhook_filled out;
        struct str error;
        assert_true(fill(SENDER_generic, rows[i].template, str_from(rows[i].json), &out, &error));
        if (!str_eq(joined(&out.tags), str_from(rows[i].becomes)) || out.missed_n)
            fail_msg("%s: %.*s", rows[i].template, STR_ARG(joined(&out.tags)));
    }
}

static void what_is_missing_is_said(void **state)
{
    (void)state;
    static const struct {
        const char *json, *template, *becomes, *says;
    } rows[] = {
        { "{}", "{a}", "", "{a} is not there" },
        { "[]", "{a}", "", "{a} is not there" },
        { "{\"a\":{}}", "{a.b.c}", "", "{a.b.c} is not there" },
        { "{\"a\":1}", "{a.b}", "", "{a.b} is not there" },
        { "{\"a\":null}", "{a}", "", "is null" },
        { "{\"a\":1.5}", "{a}", "", "a number with a point" },
        { "{\"a\":{}}", "{a}", "", "is an object" },
        { "{\"a\":[1]}", "{a}", "", "is an array" },
        { "{\"a\":\"\"}", "x-{a}", "", "is empty" },
        { "{\"a\":\"x\\ny\"}", "{a}", "", "control character" },
        { "{\"a\":\"x\"}", "{a[]}", "", "behind what is no array" },
        { "{}", "{a[]}", "", "is not there" },
        { "{\"a\":[1]}", "{a[1]}", "", "is not there" },
        { "{\"a\":[{\"b\":1},{},{\"b\":2},{}]}", "{a[].b}", "1 | 2", "is not there" },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct webhook_filled out;
        struct str error;
        assert_true(fill(SENDER_generic, rows[i].template, str_from(rows[i].json), &out, &error));
        assert_true(str_eq(joined(&out.tags), str_from(rows[i].becomes)));
        assert_int_equal(out.missed.n, 1); /* each sentence once */
        if (!memmem(out.missed.v[0].p, out.missed.v[0].n, rows[i].says, strlen(rows[i].says)))
            fail_msg("%s: %.*s", rows[i].json, STR_ARG(out.missed.v[0]));
    }
}

static void the_draft_prefix_of_sanity_is_dropped(void **state)
{
    (void)state;
    struct webhook_filled out;
    struct str error;
    assert_true(fill(SENDER_sanity, "{_id}", STR("{\"_id\":\"drafts.x\"}"), &out, &error));
    assert_true(str_eq(joined(&out.tags), STR("x")));
    assert_true(fill(SENDER_sanity, "{_id}", STR("{\"_id\":\"drafts.\"}"), &out, &error));
    assert_int_equal(out.tags.n, 0);
    assert_int_equal(out.missed.n, 1);
    assert_true(fill(SENDER_sanity, "{_type}", STR("{\"_type\":\"drafts.x\"}"), &out, &error));
    assert_true(str_eq(joined(&out.tags), STR("drafts.x")));
    assert_true(fill(SENDER_generic, "{_id}", STR("{\"_id\":\"drafts.x\"}"), &out, &error));
    assert_true(str_eq(joined(&out.tags), STR("drafts.x")));
}

static struct str array_of(const char *member, size_t n)
{
    struct buf b = BUF_INIT;
    buf_add(&b, STR("{\"a\":["));
    for (size_t i = 0; i < n; i++)
        buf_printf(&b, "%s%s", i ? "," : "", member);
    buf_add(&b, STR("],\"none\":[]}"));
    struct str text = arena_dup(&arena, buf_str(&b));
    buf_fini(&b);
    return text;
}

static void everything_has_a_limit(void **state)
{
    (void)state;
    struct webhook_filled out;
    struct str error;
    assert_true(fill(SENDER_generic, "{a[]}", array_of("1", 10000), &out, &error));
    assert_int_equal(out.tags.n, 10000);
    assert_false(fill(SENDER_generic, "{a[]}", array_of("1", 10001), &out, &error));
    assert_false(fill(SENDER_generic, "{a[]}{a[]}{none[]}{a[1]}", array_of("1", 100001), &out, &error));
    assert_true(fill(SENDER_generic, "{a[].b}", array_of("1", 20000), &out, &error));
    assert_int_equal(out.missed.n, 1);
    /* a long value */
    char *text = arena_alloc(&arena, 9000);
    memset(text, 'x', 9000);
    struct str value = ARENA_JOIN(&arena, STR("{\"a\":\""), (struct str){ text, 8192 }, STR("\"}"));
    assert_true(fill(SENDER_generic, "{a}", value, &out, &error));
    assert_int_equal(out.tags.n, 1);
    assert_true(fill(SENDER_generic, "1{a}", value, &out, &error));
    assert_int_equal(out.tags.n, 0);
    assert_int_equal(out.missed.n, 1);
}

static void a_payload_must_be_json(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "", "x", "{", "{} {}", "\"text\"", "{\"a\":NaN}", "{\"a\":1,\"a\":2}", "{\"a\":\"\xff\"}"
    };
    struct str error = STR_NONE;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        error = STR_NONE;
        assert_null(webhook_payload_parse(str_from(bad[i]), &arena, &error));
        assert_true(error.n > 0);
    }
    struct str deep = STR_NONE;
    for (size_t i = 0; i < 65; i++)
        deep = ARENA_JOIN(&arena, STR("["), deep, STR("]"));
    assert_null(webhook_payload_parse(deep, &arena, &error));
    struct json_t *j = webhook_payload_parse(str_first(str_from_index(deep, 1), 128), &arena, &error);
    assert_non_null(j);
    webhook_payload_free(j);
}

/* RFC 8259 permits what each of these languages writes, and it says nothing of the fields that count. */
static void what_other_languages_write_is_read(void **state)
{
    (void)state;
    static const struct {
        const char *json, *path, *value, *missing;
    } rows[] = {
        { "{\"x\":\"\\ud800\",\"id\":\"a\"}", "id", "a", NULL },
        { "{\"x\":\"\\udc00\\ud83d\\ude00\\ud83d\"}", "x", "\xef\xbf\xbd\xf0\x9f\x98\x80\xef\xbf\xbd", NULL },
        { "{\"x\":\"\\ud83d\\u0041\"}", "x",
          "\xef\xbf\xbd"
          "A",
          NULL },
        { "{\"x\":\"\\\\ud800\"}", "x", "\\ud800", NULL },
        { "{\"\\ud800\":1,\"id\":\"a\"}", "id", "a", NULL },
        { "{\"x\":\"a\\u0000b\",\"id\":\"a\"}", "id", "a", NULL },
        { "{\"x\":\"a\\u0000b\"}", "x", NULL, "has a control character" },
        { "{\"\\u0000\":1,\"id\":\"a\"}", "id", "a", NULL },
        { "{\"id\":123456789012345678901234567890}", "id", "123456789012345678901234567890", NULL },
        { "{\"id\":-9223372036854775809}", "id", "-9223372036854775809", NULL },
        { "{\"id\":9007199254740993}", "id", "9007199254740993", NULL },
        { "{\"id\":999999999999999999}", "id", "999999999999999999", NULL },
        { "{\"id\":[1000000000000000000]}", "id", NULL,
          "is an array; write [] behind its name for each member" },
        { "{\"x\":1e999,\"y\":-0.1E+9,\"z\":-1e-999,\"id\":7}", "id", "7", NULL },
        { "{\"id\":1e999}", "id", NULL, "is a number with a point" },
        { "{\"id\":0}", "id", "0", NULL },
        { "{\"x\":\"1e999 \\\" 01 \\n\",\"id\":-1}", "x", "1e999 \" 01 \n", "has a control character" },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct str error = STR_NONE;
        struct webhook_text text;
        struct json_t *j = webhook_payload_parse(str_from(rows[i].json), &arena, &error);
        if (!j)
            fail_msg("%s: %.*s", rows[i].json, STR_ARG(error));
        webhook_payload_at(j, str_from(rows[i].path), &arena, &text);
        if (rows[i].missing ? !text.missing || strcmp(text.missing, rows[i].missing) != 0
                            : text.missing || !str_eq(text.value, str_from(rows[i].value)))
            fail_msg("%s: %.*s, %s", rows[i].json, STR_ARG(text.value), text.missing ? text.missing : "");
        webhook_payload_free(j);
    }
    static const char *const bad[] = { "{\"a\":01}",    "{\"a\":1.}",        "{\"a\":--1}",
                                       "{\"a\":-}",     "{\"a\":1e}",        "{\"a\":00000000000000000000}",
                                       "{\"a\":.5}",    "{\"a\":\"\\u12\"}", "{\"a\":\"\\x\"}",
                                       "{\"a\":\"",     "{\"a\":\"\\",       "{\"a\":1e5.5}",
                                       "{\"a\":1.5.5}", "{\"a\":\"\\ud800" };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct str error = STR_NONE;
        if (webhook_payload_parse(str_from(bad[i]), &arena, &error))
            fail_msg("%s is taken", bad[i]);
    }
}

static void a_bad_template_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } rows[] = {
        { "", "is empty" },
        { "{", "{ without a }" },
        { "a}b", "} without a {" },
        { "{{a}}", "two braces" },
        { "{}", "empty name" },
        { "{a.}", "empty name" },
        { "{.a}", "empty name" },
        { "{a..b}", "empty name" },
        { "{a[}", "[ without a number" },
        { "{a[x]}", "[ without a number" },
        { "{a[-1]}", "[ without a number" },
        { "{a[100000]}", "[ without a number" },
        { "{a[]b}", "goes on behind a ]" },
        { "{a]}", "no name has" },
        { "{a.[]}", "empty name" },
        { "a\nb", "control character" },
        { "{a[][][][][]}", "more than 4 []" },
        { "{a}{a}{a}{a}{a}{a}{a}{a}{a}{a}{a}{a}{a}{a}{a}{a}{a}", "more than 16 {" },
        { "{a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a}", "goes too deep" },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct template t;
        const char *wrong = template_parse(str_from(rows[i].text), &arena, &t);
        if (!wrong || !strstr(wrong, rows[i].says))
            fail_msg("%s: %s", rows[i].text, wrong ? wrong : "taken");
    }
    char *text = arena_alloc(&arena, 2000);
    struct template t;
    memset(text, 'x', 2000);
    assert_null(template_parse((struct str){ text, 1024 }, &arena, &t));
    assert_non_null(template_parse((struct str){ text, 1025 }, &arena, &t));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(templates_are_filled),
        cmocka_unit_test(what_is_missing_is_said),
        cmocka_unit_test(the_draft_prefix_of_sanity_is_dropped),
        cmocka_unit_test(everything_has_a_limit),
        cmocka_unit_test(a_payload_must_be_json),
        cmocka_unit_test(what_other_languages_write_is_read),
        cmocka_unit_test(a_bad_template_is_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
