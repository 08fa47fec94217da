/* The head of a stored response: what of a received one is kept, what a client sees of it, byte for byte, and what a 304 changes
 * (CACHING.md 1.4 to 1.6, 3.6). */
#include "cache_test.h"

#include "base/mem.h"
#include "cache/response.h"

#define DATE "Date: Sun, 06 Nov 1994 08:49:37 GMT"

static struct response *made[16];
static size_t made_n;

static int free_all(void **state)
{
    while (made_n)
        response_free(made[--made_n]);
    return teardown(state);
}

static struct response *make(const struct response_plan *plan)
{
    assert_true(made_n < COUNT_OF(made));
    return made[made_n++] = response_new(plan);
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
    assert_lines(r->h1, "HTTP/1.1 200 OK\n" DATE "\ncontent-type: text/html\nETag: \"x\"\nX-Empty: \n"
                        "Cache-Control: s-maxage=60\nLast-Modified: Sat, 05 Nov 1994 08:49:37 GMT\n"
                        "Vary: Cookie\nContent-Location: /a\n");
    /* RFC 9110 §15.4.5. */
    assert_lines(r->h1_304,
                 "HTTP/1.1 304 Not Modified\n" DATE "\nETag: \"x\"\nCache-Control: s-maxage=60\n"
                 "Last-Modified: Sat, 05 Nov 1994 08:49:37 GMT\nVary: Cookie\nContent-Location: /a\n");
    assert_int_equal(r->status, 200);
    assert_str(r->reason, "OK");
    assert_int_equal(r->visible_n, r->fields.n);
    assert_str(r->validators.etag.opaque, "\"x\"");
    assert_false(r->validators.etag.weak);
    assert_int_equal(r->validators.last_modified_s, WALL_S - 86400);
    assert_int_equal(r->validators.date_s, WALL_S);
    assert_int_equal(r->declared_length, -1);
    assert_false(r->has_age);
    assert_false(r->has_default_cc);
    assert_int_equal(r->note.n, 0);
}

/* The strings point into the one allocation, whatever becomes of the received head. */
static void owns_its_strings(void **state)
{
    (void)state;
    char lines[] = DATE "\nETag: W/\"abc\"\nNetlify-Cache-Tag: secret";
    struct response *r = of("", 404, lines);
    memset(lines, 'x', sizeof(lines) - 1);
    arena_rewind(&arena);
    assert_fields(&r->fields, DATE "\nETag: W/\"abc\"\nNetlify-Cache-Tag: secret");
    assert_true(r->validators.etag.weak);
    const char *from = (const char *)r, *to = from + r->bytes;
    for (size_t i = 0; i < r->fields.n; i++)
        assert_true(r->fields.v[i].value.p >= from && r->fields.v[i].value.p + r->fields.v[i].value.n <= to);
    assert_true(r->validators.etag.opaque.p > from && r->validators.etag.opaque.p < to);
}

static void has_a_304_only_of_a_200(void **state)
{
    (void)state;
    static const int others[] = { 203, 204, 206, 301, 404 };
    for (size_t i = 0; i < COUNT_OF(others); i++)
        assert_int_equal(of("", others[i], DATE "\nETag: \"x\"")->h1_304.n, 0);
}

static void words_the_status(void **state)
{
    (void)state;
    struct response_plan p = { .status = 200, .reason = STR("Fine"), .fields = fields_of(DATE) };
    assert_lines(make(&p)->h1, "HTTP/1.1 200 Fine\n" DATE "\n");
    assert_str(make(&p)->reason, "Fine");
    p.status = 299;
    p.reason = STR_NONE;
    assert_lines(make(&p)->h1, "HTTP/1.1 299 \n" DATE "\n");
    p.status = 410;
    assert_lines(make(&p)->h1, "HTTP/1.1 410 Gone\n" DATE "\n");
}

/* RFC 9110 §6.6.1: who gets a response without Date appends one. */
static void adds_a_date(void **state)
{
    (void)state;
    struct response *r = of("", 200, "X-A: 1");
    assert_lines(r->h1, "HTTP/1.1 200 OK\n" DATE "\nX-A: 1\n");
    assert_lines(r->h1_304, "HTTP/1.1 304 Not Modified\n" DATE "\n");
    assert_int_equal(r->validators.date_s, WALL_S);
    assert_true(fields_has(&r->fields, FIELD_DATE));
    /* CACHING.md 1.6: one that is there is left alone, a bad one as well. */
    assert_lines(of("", 200, "Date: yesterday")->h1, "HTTP/1.1 200 OK\nDate: yesterday\n");
}

static void leaves_out_age_and_length(void **state)
{
    (void)state;
    struct response_plan p = { .status = 200,
                               .fields = fields_of(DATE "\nAge: 7\nContent-Length: 5\nage: 8\nX-A: 1"),
                               .declared_length = 5 };
    struct response *r = make(&p);
    assert_lines(r->h1, "HTTP/1.1 200 OK\n" DATE "\nX-A: 1\n");
    assert_true(r->has_age);
    assert_false(fields_has(&r->fields, FIELD_AGE));
    assert_int_equal(r->declared_length, 5);
}

#define CDN_LINES                                                                                            \
    "Netlify-CDN-Cache-Control: s-maxage=9\nNetlify-Cache-Tag: a\nnetlify-cache-id: b\n"                     \
    "CDN-Cache-Control: s-maxage=8\nCache-Tag: c\nNetlify-Vary: query\nVary: Cookie\nCache-Control: public"

/* CACHING.md 1.4 */
static void hides_what_is_for_the_cache(void **state)
{
    (void)state;
    struct response *r = of("", 200, DATE "\n" CDN_LINES);
    assert_lines(r->h1, "HTTP/1.1 200 OK\n" DATE "\nCDN-Cache-Control: s-maxage=8\nCache-Tag: c\n"
                        "Netlify-Vary: query\nVary: Cookie\nCache-Control: public\n");
    assert_lines(r->h1_304, "HTTP/1.1 304 Not Modified\n" DATE "\nCDN-Cache-Control: s-maxage=8\n"
                            "Netlify-Vary: query\nVary: Cookie\nCache-Control: public\n");
    assert_int_equal(r->visible_n, 6);
    assert_int_equal(r->fields.n, 9); /* kept, behind the visible ones */
    assert_str(fields_value(&r->fields, FIELD_NETLIFY_CACHE_TAG), "a");
    assert_str(r->fields.v[6].name, "Netlify-CDN-Cache-Control");
    assert_str(r->fields.v[8].name, "netlify-cache-id");
}

static void strips_all_cdn_fields_when_told(void **state)
{
    (void)state;
    struct response *r = of("strip_cdn_headers: true", 200, DATE "\n" CDN_LINES);
    assert_lines(r->h1, "HTTP/1.1 200 OK\n" DATE "\nVary: Cookie\nCache-Control: public\n");
    assert_int_equal(r->fields.n, 9);
    /* Also those that settings add. */
    r = of("strip_cdn_headers: true\ncdn_cache_control: [Surrogate-Control]\ntag_headers: "
           "[\"Surrogate-Key:space\"]",
           200, DATE "\nsurrogate-control: max-age=5\nSurrogate-Key: a b\nX-A: 1");
    assert_lines(r->h1, "HTTP/1.1 200 OK\n" DATE "\nX-A: 1\n");
    r = of("cdn_cache_control: [Surrogate-Control]\ntag_headers: [\"Surrogate-Key:space\"]", 200,
           DATE "\nSurrogate-Control: max-age=5\nSurrogate-Key: a b");
    assert_lines(r->h1, "HTTP/1.1 200 OK\n" DATE "\nSurrogate-Control: max-age=5\nSurrogate-Key: a b\n");
}

static void shows_all_of_its_own_pages(void **state)
{
    (void)state;
    struct response *r = of(NULL, 200, DATE "\nNetlify-Cache-Tag: a");
    assert_lines(r->h1, "HTTP/1.1 200 OK\n" DATE "\nNetlify-Cache-Tag: a\n");
    assert_int_equal(r->visible_n, r->fields.n);
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
            assert_true(str_ends(r->h1, STR("\r\nCache-Control: public, max-age=0, must-revalidate\r\n")));
            assert_true(
                str_ends(r->h1_304, STR("\r\nCache-Control: public, max-age=0, must-revalidate\r\n")));
        } else {
            assert_false(str_ends(r->h1, STR("must-revalidate\r\n")));
        }
        /* It is the client's alone: the stored fields do not have it. */
        assert_int_equal(fields_has(&r->fields, FIELD_CACHE_CONTROL), i == 2 || i == 3);
        p.add_default_cc = false;
        assert_false(make(&p)->has_default_cc);
        made_n--;
        response_free(made[made_n]);
        made_n--;
        response_free(made[made_n]);
    }
}

static void strips_cookies_when_told(void **state)
{
    (void)state;
    struct response_plan p = { .status = 200,
                               .fields = fields_of(DATE "\nSet-Cookie: a=1\nX-A: 1\nset-cookie2: b"),
                               .strip_cookies = true };
    struct response *r = make(&p);
    assert_lines(r->h1, "HTTP/1.1 200 OK\n" DATE "\nX-A: 1\n");
    assert_int_equal(r->fields.n, 2);
    p.strip_cookies = false;
    assert_int_equal(make(&p)->fields.n, 4);
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
        assert_int_equal(r->note.n, lengths[i]);
        assert_memory_equal(r->note.p, text, lengths[i]);
        /* Empty fields too: then nothing else makes room. */
        p.fields = fields_of(NULL);
        p.add_default_cc = true;
        assert_int_equal(make(&p)->note.n, lengths[i]);
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
    assert_int_equal(r->visible_n, 501);
    assert_int_equal(r->h1.n - r->h1_304.n, sizeof("OK") - sizeof("Not Modified"));
    p.fields = &hidden;
    r = make(&p);
    assert_int_equal(r->visible_n, 1);
    assert_int_equal(r->fields.n, 501);
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
        cmocka_unit_test_setup_teardown(prepares_the_bytes, setup, free_all),
        cmocka_unit_test_setup_teardown(owns_its_strings, setup, free_all),
        cmocka_unit_test_setup_teardown(has_a_304_only_of_a_200, setup, free_all),
        cmocka_unit_test_setup_teardown(words_the_status, setup, free_all),
        cmocka_unit_test_setup_teardown(adds_a_date, setup, free_all),
        cmocka_unit_test_setup_teardown(leaves_out_age_and_length, setup, free_all),
        cmocka_unit_test_setup_teardown(hides_what_is_for_the_cache, setup, free_all),
        cmocka_unit_test_setup_teardown(strips_all_cdn_fields_when_told, setup, free_all),
        cmocka_unit_test_setup_teardown(shows_all_of_its_own_pages, setup, free_all),
        cmocka_unit_test_setup_teardown(tells_browsers_to_ask_again, setup, free_all),
        cmocka_unit_test_setup_teardown(strips_cookies_when_told, setup, free_all),
        cmocka_unit_test_setup_teardown(carries_a_note_of_any_length, setup, free_all),
        cmocka_unit_test_setup_teardown(has_room_for_all, setup, free_all),
        cmocka_unit_test_setup_teardown(drops_hop_by_hop_fields, setup, free_all),
        cmocka_unit_test_setup_teardown(drops_what_connection_lists, setup, free_all),
        cmocka_unit_test_setup_teardown(replaces_by_name, setup, free_all),
        cmocka_unit_test_setup_teardown(keeps_what_describes_the_bytes, setup, free_all),
        cmocka_unit_test_setup_teardown(takes_cookies_only_when_told, setup, free_all),
        cmocka_unit_test_setup_teardown(does_not_keep_the_date_of_what_was_confirmed, setup, free_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
