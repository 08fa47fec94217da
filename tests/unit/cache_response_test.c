/* The head of a stored response: what of a received one is kept, what a client sees of it, byte for byte, and
 * what a 304 changes (CACHING.md 1.4 to 1.6, 3.6). */
#include "cache_test.h"

#include "base/mem.h"
#include "cache/response.h"

#define DATE "Date: Sun, 06 Nov 1994 08:49:37 GMT"

static struct memory memory;
static struct response *made[32];
static size_t made_n;

static int begin(void **state)
{
    memory_init(&memory, 1 << 20);
    return setup(state);
}

/* All must have been given back, of the size that it was taken with. */
static int free_all(void **state)
{
    while (made_n)
        response_free(&memory, made[--made_n]);
    memory_fini(&memory);
    return teardown(state);
}

static struct fields fields_in(const struct response *r)
{
    struct fields f;
    response_fields(r, &arena, &f, NULL);
    return f;
}

static size_t visible_in(const struct response *r)
{
    struct fields f;
    size_t visible_n;
    response_fields(r, &arena, &f, &visible_n);
    return visible_n;
}

static struct validators validators_in(const struct response *r)
{
    struct validators v;
    response_validators(r, WALL_S, &v);
    return v;
}

static struct response *make(const struct response_plan *plan)
{
    assert_true(made_n < COUNT_OF(made));
    return made[made_n++] = response_new(&memory, plan);
}

/* "\n" becomes CR LF: the bytes as a client gets them. */
static void assert_lines(struct str s, const char *text)
{
    char *expected = arena_alloc(&arena, 2 * strlen(text) + 1), *at = expected;
    for (; *text; text++) {
        if (*text == '\n')
            *at++ = '\r';
        *at++ = *text;
    }
    *at = '\0';
    assert_str(s, expected);
}

static struct response *of(const char *yaml, int status, const char *lines)
{
    return make(&(struct response_plan){ .status = status,
                                         .fields = fields_of(lines),
                                         .site = yaml ? site_of(yaml) : NULL,
                                         .received_wall_ms = WALL_MS,
                                         .declared_length = -1 });
}

/* The fields in order, "Name: value" and "\n". */
static void assert_fields(const struct fields *f, const char *lines)
{
    struct buf b = BUF_INIT;
    for (size_t i = 0; i < f->n; i++)
        buf_printf(&b, "%s%.*s: %.*s", i ? "\n" : "", STR_ARG(f->v[i].name), STR_ARG(f->v[i].value));
    if (!str_eq(buf_str(&b), str_from(lines)))
        fail_msg("%.*s instead of %s", STR_ARG(buf_str(&b)), lines);
    buf_fini(&b);
    for (size_t i = 0; i < f->n; i++)
        assert_int_equal(f->v[i].id, field_id_of(f->v[i].name));
}

static void prepares_the_bytes(void **state)
{
    (void)state;
    struct response *r =
        of("", 200,
           DATE "\ncontent-type: text/html\nETag: \"x\"\nX-Empty:\nCache-Control: s-maxage=60\n"
                "Last-Modified: Sat, 05 Nov 1994 08:49:37 GMT\nVary: Cookie\nContent-Location: /a");
    /* What a 304 has too comes first. */
    assert_lines(response_lines(r), "ETag: \"x\"\n" DATE "\nCache-Control: s-maxage=60\n"
                                    "Last-Modified: Sat, 05 Nov 1994 08:49:37 GMT\nVary: Cookie\n"
                                    "Content-Location: /a\ncontent-type: text/html\nX-Empty: \n");
    /* RFC 9110 §15.4.5. */
    assert_lines(response_lines_304(r),
                 "ETag: \"x\"\n" DATE "\nCache-Control: s-maxage=60\n"
                 "Last-Modified: Sat, 05 Nov 1994 08:49:37 GMT\nVary: Cookie\nContent-Location: /a\n");
    assert_int_equal(r->status, 200);
    assert_str(response_reason(r), "");
    assert_int_equal(visible_in(r), 8);
    assert_int_equal(fields_in(r).n, 8);
    struct validators v = validators_in(r);
    assert_str(v.etag.opaque, "\"x\"");
    assert_false(v.etag.weak);
    assert_int_equal(v.last_modified_s, WALL_S - 86400);
    assert_int_equal(v.date_s, WALL_S);
    assert_int_equal(response_declared_length(r), -1);
    assert_str(response_value(r, FIELD_CONTENT_TYPE), "text/html");
    assert_str(response_value(r, FIELD_VARY), "Cookie");
    assert_null(response_value(r, FIELD_EXPIRES).p);
    assert_false(r->has_age);
    assert_false(r->has_default_cc);
    assert_int_equal(response_note(r).n, 0);
}

/* Names and rare things stand in front of the text, each only when it is wanted; none is in the way of
 * another. */
static void has_room_for_what_is_rare(void **state)
{
    (void)state;
    uint64_t names[40];
    size_t least = 0;
    for (size_t i = 0; i < COUNT_OF(names); i++)
        names[i] = (COUNT_OF(names) - i) << 20;
    for (unsigned rare = 0; rare < 32; rare++) {
        bool length = rare & 1, validator = rare & 2, part = rare & 4, many = rare & 8, is_short = rare & 16;
        struct response *r =
            make(&(struct response_plan){ .status = 200,
                                          .fields = fields_of(validator ? "ETag: \"x\"" : ""),
                                          .received_wall_ms = WALL_MS,
                                          .declared_length = length ? 12345 : -1,
                                          .note = STR("a note"),
                                          .names = names,
                                          .names_n = many ? COUNT_OF(names) : 1,
                                          .names_are_short = is_short,
                                          .is_part = part });
        assert_int_equal(r->has_tag, !validator && !part);
        assert_int_equal(r->has_part, part);
        if (r->has_tag)
            *response_tag(r) = (struct hash128){ .lo = UINT64_MAX, .hi = UINT64_MAX };
        if (r->has_part)
            *response_part(r) = (struct part){ UINT64_MAX, UINT64_MAX, UINT64_MAX };
        assert_int_equal(response_declared_length(r), length ? 12345 : -1);
        struct epoch_names kept = response_names(r);
        assert_int_equal(kept.n, many ? COUNT_OF(names) : 1);
        for (size_t i = 0; i < kept.n; i++)
            assert_int_equal(epoch_names_at(&kept, i), (many ? i + 1 : COUNT_OF(names)) << 20);
        assert_lines(response_lines(r), validator ? "ETag: \"x\"\n" DATE "\n" : DATE "\n");
        assert_str(response_note(r), "a note");
        /* What is not there takes nothing. */
        if (rare == 2)
            least = response_bytes(r);
        /* Of each name 4 bytes, and 3 or 1.5 more; of many one for the filter. */
        size_t of_names = many ? (is_short ? 40 * 4 + 40 + 60 : 40 * 4 + 40 + 120) : (is_short ? 6 : 7);
        if (rare > 2 && validator)
            assert_int_equal(response_bytes(r), least - 7 + of_names + (length ? 8 : 0) + (part ? 24 : 0));
    }
}

/* The strings point into the one allocation, whatever becomes of the received head. */
static void owns_its_strings(void **state)
{
    (void)state;
    char lines[] = DATE "\nETag: W/\"abc\"\nNetlify-Cache-Tag: secret";
    struct response *r = of("", 404, lines);
    memset(lines, 'x', sizeof(lines) - 1);
    arena_rewind(&arena);
    struct fields f = fields_in(r);
    assert_fields(&f, "ETag: W/\"abc\"\n" DATE "\nNetlify-Cache-Tag: secret");
    assert_true(response_etag(r).weak);
    const char *from = (const char *)r, *to = from + response_bytes(r);
    for (size_t i = 0; i < f.n; i++)
        assert_true(f.v[i].value.p >= from && f.v[i].value.p + f.v[i].value.n <= to);
    assert_true(response_etag(r).opaque.p > from && response_etag(r).opaque.p < to);
}

static void words_the_status(void **state)
{
    (void)state;
    struct response_plan p = { .status = 200, .reason = STR("Fine"), .fields = fields_of(DATE) };
    assert_lines(response_lines(make(&p)), DATE "\n");
    assert_str(response_reason(make(&p)), "Fine");
    p.reason = STR("OK"); /* its own: no byte of it is kept */
    assert_str(response_reason(make(&p)), "");
    p.status = 299;
    p.reason = STR_NONE;
    assert_lines(response_lines(make(&p)), DATE "\n");
    assert_str(response_reason(make(&p)), "");
    /* Where its lines begin is found however long the phrase is. */
    p.status = 200;
    p.fields = fields_of(DATE "\nETag: W/\"x\"");
    for (size_t n = 1; n < 70000; n += 1 + n / 2) {
        p.reason = (struct str){ memset(arena_alloc(&arena, n), 'r', n), n };
        struct response *r = make(&p);
        assert_true(str_eq(response_reason(r), p.reason));
        assert_str(response_etag(r).opaque, "\"x\"");
        assert_lines(response_lines_304(r), "ETag: W/\"x\"\n" DATE "\n");
        response_free(&memory, made[--made_n]);
    }
}

/* RFC 9110 §6.6.1: who gets a response without Date appends one. */
static void adds_a_date(void **state)
{
    (void)state;
    struct response *r = of("", 200, "X-A: 1");
    assert_lines(response_lines(r), DATE "\nX-A: 1\n");
    assert_lines(response_lines_304(r), DATE "\n");
    assert_int_equal(validators_in(r).date_s, WALL_S);
    assert_true(response_value(r, FIELD_DATE).n);
    /* CACHING.md 1.6: one that is there is left alone, a bad one as well. */
    assert_lines(response_lines(of("", 200, "Date: yesterday")), "Date: yesterday\n");
}

static void leaves_out_age_and_length(void **state)
{
    (void)state;
    struct response_plan p = { .status = 200,
                               .fields = fields_of(DATE "\nAge: 7\nContent-Length: 5\nage: 8\nX-A: 1"),
                               .declared_length = 5 };
    struct response *r = make(&p);
    assert_lines(response_lines(r), DATE "\nX-A: 1\n");
    assert_true(r->has_age);
    assert_null(response_value(r, FIELD_AGE).p);
    assert_int_equal(response_declared_length(r), 5);
}

#define CDN_LINES                                                                                            \
    "Netlify-CDN-Cache-Control: s-maxage=9\nNetlify-Cache-Tag: a\nnetlify-cache-id: b\n"                     \
    "CDN-Cache-Control: s-maxage=8\nCache-Tag: c\nNetlify-Vary: query\nVary: Cookie\nCache-Control: public"

/* CACHING.md 1.4 */
static void hides_what_is_for_the_cache(void **state)
{
    (void)state;
    struct response *r = of("", 200, DATE "\n" CDN_LINES);
    assert_lines(response_lines(r),
                 DATE "\nCDN-Cache-Control: s-maxage=8\n"
                      "Netlify-Vary: query\nVary: Cookie\nCache-Control: public\nCache-Tag: c\n");
    assert_lines(response_lines_304(r), DATE "\nCDN-Cache-Control: s-maxage=8\n"
                                             "Netlify-Vary: query\nVary: Cookie\nCache-Control: public\n");
    struct fields f = fields_in(r);
    assert_int_equal(visible_in(r), 6);
    assert_int_equal(f.n, 9); /* kept, behind the visible ones */
    assert_str(fields_value(&f, FIELD_NETLIFY_CACHE_TAG), "a");
    assert_str(f.v[6].name, "Netlify-CDN-Cache-Control");
    assert_str(f.v[8].name, "netlify-cache-id");
}

static void strips_all_cdn_fields_when_told(void **state)
{
    (void)state;
    struct response *r = of("strip_cdn_headers: true", 200, DATE "\n" CDN_LINES);
    assert_lines(response_lines(r), DATE "\nVary: Cookie\nCache-Control: public\n");
    assert_int_equal(fields_in(r).n, 9);
    /* Also those that settings add. */
    r = of("strip_cdn_headers: true\ncdn_cache_control: [Surrogate-Control]\ntag_headers: "
           "[\"Surrogate-Key:space\"]",
           200, DATE "\nsurrogate-control: max-age=5\nSurrogate-Key: a b\nX-A: 1");
    assert_lines(response_lines(r), DATE "\nX-A: 1\n");
    r = of("cdn_cache_control: [Surrogate-Control]\ntag_headers: [\"Surrogate-Key:space\"]", 200,
           DATE "\nSurrogate-Control: max-age=5\nSurrogate-Key: a b");
    assert_lines(response_lines(r), DATE "\nSurrogate-Control: max-age=5\nSurrogate-Key: a b\n");
}

static void shows_all_of_its_own_pages(void **state)
{
    (void)state;
    struct response *r = of(NULL, 200, DATE "\nNetlify-Cache-Tag: a");
    assert_lines(response_lines(r), DATE "\nNetlify-Cache-Tag: a\n");
    assert_int_equal(visible_in(r), fields_in(r).n);
}

/* CACHING.md 1.5 */
static void tells_browsers_to_ask_again(void **state)
{
    (void)state;
    static const struct {
        const char *lines;
        bool added;
    } rows[] = {
        { DATE, true },
        { DATE "\nNetlify-CDN-Cache-Control: s-maxage=60\nCDN-Cache-Control: s-maxage=60", true },
        { DATE "\nCache-Control: s-maxage=60", false },
        { DATE "\nCache-Control:", false },
        { DATE "\nExpires: 0", false },
        { DATE "\nPragma: no-cache", true },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct response_plan p = {
            .status = 200, .fields = fields_of(rows[i].lines), .site = site_of(""), .add_default_cc = true
        };
        struct response *r = make(&p);
        assert_int_equal(r->has_default_cc, rows[i].added);
        if (rows[i].added) {
            /* It ends what a 304 has too. */
            assert_true(str_ends(str_first(response_lines(r), r->validated_n),
                                 STR("\r\nCache-Control: public, max-age=0, must-revalidate\r\n")));
            assert_true(str_ends(response_lines_304(r),
                                 STR("\r\nCache-Control: public, max-age=0, must-revalidate\r\n")));
        } else {
            assert_false(str_ends(response_lines(r), STR("must-revalidate\r\n")));
        }
        /* It is the client's alone: the stored fields do not have it. */
        assert_int_equal(response_value(r, FIELD_CACHE_CONTROL).p != NULL, i == 2 || i == 3);
        p.add_default_cc = false;
        assert_false(make(&p)->has_default_cc);
        made_n--;
        response_free(&memory, made[made_n]);
        made_n--;
        response_free(&memory, made[made_n]);
    }
}

static void strips_cookies_when_told(void **state)
{
    (void)state;
    struct response_plan p = { .status = 200,
                               .fields = fields_of(DATE "\nSet-Cookie: a=1\nX-A: 1\nset-cookie2: b"),
                               .strip_cookies = true };
    struct response *r = make(&p);
    assert_lines(response_lines(r), DATE "\nX-A: 1\n");
    assert_int_equal(fields_in(r).n, 2);
    p.strip_cookies = false;
    assert_int_equal(fields_in(make(&p)).n, 4);
}

/* The longest note that the dev profile writes: sixteen tags of 8192 bytes. */
static void carries_a_note_of_any_length(void **state)
{
    (void)state;
    static const size_t lengths[] = { 0, 1, 40, 100, 200, 300, 1000, 140000 };
    char *text = mem_alloc(140000);
    memset(text, 'n', 140000);
    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        struct response_plan p = { .status = 200, .fields = fields_of(DATE), .note = { text, lengths[i] } };
        struct response *r = make(&p);
        assert_int_equal(response_note(r).n, lengths[i]);
        assert_memory_equal(response_note(r).p, text, lengths[i]);
        /* Empty fields too: then nothing else makes room. */
        p.fields = fields_of(NULL);
        p.add_default_cc = true;
        r = make(&p);
        assert_int_equal(response_note(r).n, lengths[i]);
        assert_int_equal(response_undo(r).n, 0);
        /* And what a rule changed, behind it. */
        p.undo = STR("-X: \r\n+X: 1\r\n");
        r = make(&p);
        assert_int_equal(response_note(r).n, lengths[i]);
        assert_str(response_undo(r), "-X: \r\n+X: 1\r\n");
        assert_int_equal(fields_in(r).n, 1);
    }
    mem_free(text);
}

/* Many fields, all of which stand in the 304 too, and all of which are hidden. */
static void has_room_for_all(void **state)
{
    (void)state;
    struct fields seen = { 0 }, hidden = { 0 };
    for (int i = 0; i < 500; i++) {
        fields_add(&seen, &arena, STR("Vary"), arena_printf(&arena, "X-%d", i));
        fields_add(&hidden, &arena, STR("Netlify-Cache-Tag"), arena_printf(&arena, "t-%d", i));
    }
    struct response_plan p = { .status = 200, .fields = &seen, .site = site_of(""), .add_default_cc = true };
    struct response *r = make(&p);
    assert_int_equal(visible_in(r), 501);
    assert_int_equal(response_lines(r).n, response_lines_304(r).n);
    p.fields = &hidden;
    r = make(&p);
    assert_int_equal(visible_in(r), 1);
    assert_int_equal(fields_in(r).n, 501);
}

/* ---- what is end-to-end (CACHING.md 1.6) ---- */

static void end_to_end(const char *received, const char *kept)
{
    struct fields out;
    response_end_to_end(fields_of(received), &arena, &out);
    assert_fields(&out, kept);
}

static void drops_hop_by_hop_fields(void **state)
{
    (void)state;
    end_to_end("A: 1\nConnection: close\nKeep-Alive: timeout=5\nProxy-Authenticate: "
               "x\nProxy-Authentication-Info: x\n"
               "Proxy-Authorization: x\nProxy-Connection: x\nTE: trailers\nTransfer-Encoding: "
               "chunked\nUpgrade: h2c\n"
               "Content-Length: 3\nTrailer: X\nB: 2",
               "A: 1\nB: 2");
    end_to_end("a: 1\nTRANSFER-ENCODING: x\nkeep-alive: x", "a: 1");
    end_to_end("", "");
    /* End-to-end, whatever else we do with them. */
    end_to_end("Age: 1\nDate: x\nNetlify-Cache-Tag: a\nSet-Cookie: a=1\nSet-Cookie: b=2\nContent-Encoding: "
               "br\nWarning: x",
               "Age: 1\nDate: x\nNetlify-Cache-Tag: a\nSet-Cookie: a=1\nSet-Cookie: b=2\nContent-Encoding: "
               "br\nWarning: x");
}

static void drops_what_connection_lists(void **state)
{
    (void)state;
    end_to_end("Connection: x-a, close\nX-A: 1\nX-B: 2\nx-a: 3", "X-B: 2");
    end_to_end("X-A: 1\nX-B: 2\nX-C: 3\nConnection: close\nConnection: X-B ,, X-C", "X-A: 1");
    end_to_end("Connection: ETag\nETag: \"x\"\nX-A: 1", "X-A: 1");
    /* A part of a name is another name. */
    end_to_end("Connection: X\nX-A: 1", "X-A: 1");
}

/* ---- 304 (CACHING.md 3.6, RFC 9111 §3.2) ---- */

static void merge(const char *stored, const char *update, bool keep_cookies, const char *merged)
{
    struct fields out;
    response_merge_304(fields_of(stored), fields_of(update), keep_cookies, &arena, &out);
    assert_fields(&out, merged);
}

static void replaces_by_name(void **state)
{
    (void)state;
    merge(DATE "\nA: 1\nB: 1\na: 2\nC: 1", "Date: new\nA: 3\nD: 4", true,
          "B: 1\nC: 1\nDate: new\nA: 3\nD: 4");
    merge("Date: old\nCache-Control: max-age=1\nCache-Control: public", "Date: new\ncache-control: max-age=2",
          true, "Date: new\ncache-control: max-age=2");
    merge("Date: old\nCache-Tag: a\nExpires: x\nLast-Modified: y\nVary: z\nETag: \"1\"",
          "Date: new\nETag: \"2\"\nVary: w\nAge: 5", true,
          "Cache-Tag: a\nExpires: x\nLast-Modified: y\nDate: new\nETag: \"2\"\nVary: w\nAge: 5");
}

/* Exactly four fields describe the stored bytes: neither replaced nor added. */
static void keeps_what_describes_the_bytes(void **state)
{
    (void)state;
    merge("Date: d\nContent-Length: 1\nContent-Encoding: br\nContent-Type: text/html\nContent-Range: bytes "
          "0-0/1",
          "Date: d\nContent-Length: 2\nContent-Encoding: gzip\nContent-Type: text/plain\nContent-Range: "
          "bytes 1-1/2",
          true,
          "Content-Length: 1\nContent-Encoding: br\nContent-Type: text/html\nContent-Range: bytes "
          "0-0/1\nDate: d");
    merge("Date: d",
          "Date: d\nContent-Length: 2\nContent-Encoding: gzip\nContent-Type: text/plain\nContent-Range: x",
          true, "Date: d");
    merge("Date: d\nContent-Language: en\nContent-Location: /a\nContent-Disposition: x\nContent-MD5: y",
          "Date: d\nContent-Language: nl\nContent-Location: /b\nContent-Disposition: z\nContent-MD5: w", true,
          "Date: d\nContent-Language: nl\nContent-Location: /b\nContent-Disposition: z\nContent-MD5: w");
}

static void takes_cookies_only_when_told(void **state)
{
    (void)state;
    merge("Date: d\nSet-Cookie: a=1", "Date: d\nSet-Cookie: a=2\nSet-Cookie2: b", false,
          "Set-Cookie: a=1\nDate: d");
    merge("Date: d\nSet-Cookie: a=1", "Date: d\nSet-Cookie: a=2\nSet-Cookie2: b", true,
          "Date: d\nSet-Cookie: a=2\nSet-Cookie2: b");
}

/* RFC 9110 §6.6.1: a 304 without Date was made when it was received, not when the stored response was. */
static void does_not_keep_the_date_of_what_was_confirmed(void **state)
{
    (void)state;
    merge("Date: old\nA: 1", "B: 2", true, "A: 1\nB: 2");
    merge("Date: old\nA: 1", "", false, "A: 1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(prepares_the_bytes, begin, free_all),
        cmocka_unit_test_setup_teardown(owns_its_strings, begin, free_all),
        cmocka_unit_test_setup_teardown(has_room_for_what_is_rare, begin, free_all),
        cmocka_unit_test_setup_teardown(words_the_status, begin, free_all),
        cmocka_unit_test_setup_teardown(adds_a_date, begin, free_all),
        cmocka_unit_test_setup_teardown(leaves_out_age_and_length, begin, free_all),
        cmocka_unit_test_setup_teardown(hides_what_is_for_the_cache, begin, free_all),
        cmocka_unit_test_setup_teardown(strips_all_cdn_fields_when_told, begin, free_all),
        cmocka_unit_test_setup_teardown(shows_all_of_its_own_pages, begin, free_all),
        cmocka_unit_test_setup_teardown(tells_browsers_to_ask_again, begin, free_all),
        cmocka_unit_test_setup_teardown(strips_cookies_when_told, begin, free_all),
        cmocka_unit_test_setup_teardown(carries_a_note_of_any_length, begin, free_all),
        cmocka_unit_test_setup_teardown(has_room_for_all, begin, free_all),
        cmocka_unit_test_setup_teardown(drops_hop_by_hop_fields, begin, free_all),
        cmocka_unit_test_setup_teardown(drops_what_connection_lists, begin, free_all),
        cmocka_unit_test_setup_teardown(replaces_by_name, begin, free_all),
        cmocka_unit_test_setup_teardown(keeps_what_describes_the_bytes, begin, free_all),
        cmocka_unit_test_setup_teardown(takes_cookies_only_when_told, begin, free_all),
        cmocka_unit_test_setup_teardown(does_not_keep_the_date_of_what_was_confirmed, begin, free_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
