/* A request proves that it is its sender's by the bytes that the sender's own package signs, and by nothing
 * that differs from them in one bit. */
#include "admin_test.h"
#include "arena_test.h"
#include "admin_webhook_test.h"

/* `body`: of `n` bytes. */
static struct webhook_proof check(const struct webhook *w, const char *target, const struct fields *fields,
                                  struct str body, int64_t now_ms)
{
    struct webhook_proof out;
    struct str error;
    struct json_t *parsed =
        w->scheme.how == WEBHOOK_MEMBER ? webhook_payload_parse(body, &arena, &error) : NULL;
    struct webhook_message m = { .method = STR("POST"),
                                 .target = str_from(target),
                                 .fields = fields,
                                 .body = body,
                                 .parsed = parsed,
                                 .now_wall_ms = now_ms };
    if (w->scheme.how == WEBHOOK_MEMBER && !parsed)
        return (struct webhook_proof){ .verdict = WEBHOOK_PROOF_MALFORMED, .said = error };
    webhook_proof_check(w, &m, &arena, &out);
    webhook_payload_free(parsed);
    return out;
}

static struct webhook_proof check_lines(const struct webhook *w, const char *lines, const char *body)
{
    struct fields fields = lines_of(&arena, lines);
    return check(w, "/hook", &fields, str_from(body), T_MS);
}

static struct webhook_proof check_vector(const struct vector *v, int64_t now_ms)
{
    struct webhook w = webhook_of(v->sender, v->secret);
    struct fields fields = lines_of(&arena, v->lines);
    return check(&w, v->target, &fields, str_from(v->body), now_ms);
}

static void every_vector_is_good(void **state)
{
    (void)state;
    bool seen[SENDER_COUNT] = { false };
    for (size_t i = 0; i < COUNT_OF(vectors); i++) {
        struct webhook_proof p = check_vector(&vectors[i], vectors[i].now_ms);
        if (p.verdict != WEBHOOK_PROOF_GOOD)
            fail_msg("vector %zu: %.*s", i, STR_ARG(p.said));
        seen[vectors[i].sender] = true;
    }
    for (enum sender s = 0; s < SENDER_COUNT; s++)
        if (!seen[s])
            fail_msg("no vector of %.*s", STR_ARG(webhook_sender_name(s)));
}

static bool is_signed(enum sender s)
{
    enum webhook_how how = webhook_scheme_of(s).how;
    return how != WEBHOOK_SECRET && how != WEBHOOK_MEMBER;
}

static void a_changed_body_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(vectors); i++) {
        const struct vector *v = &vectors[i];
        struct webhook w = webhook_of(v->sender, v->secret);
        struct fields fields = lines_of(&arena, v->lines);
        struct str body = arena_dup(&arena, str_from(v->body));
        if (!is_signed(v->sender))
            continue;
        for (size_t at = 0; at < body.n; at += 1 + body.n / 40) {
            ((char *)(uintptr_t)body.p)[at] ^= 1;
            assert_int_not_equal(check(&w, v->target, &fields, body, v->now_ms).verdict, WEBHOOK_PROOF_GOOD);
            ((char *)(uintptr_t)body.p)[at] ^= 1;
        }
        assert_int_not_equal(check(&w, v->target, &fields, str_first(body, body.n - 1), v->now_ms).verdict,
                             WEBHOOK_PROOF_GOOD);
        assert_int_equal(check(&w, v->target, &fields, STR_NONE, v->now_ms).verdict, WEBHOOK_PROOF_WRONG);
    }
}

static void another_secret_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(vectors); i++) {
        struct vector v = vectors[i];
        char *other = (char *)(uintptr_t)arena_dup(&arena, str_from(v.secret)).p;
        other[strlen(other) / 2] = other[strlen(other) / 2] == 'b' ? 'c' : 'b';
        v.secret = other;
        struct webhook_proof p = check_vector(&v, v.now_ms);
        assert_int_equal(p.verdict, WEBHOOK_PROOF_WRONG);
        assert_null(memmem(p.said.p, p.said.n, other, strlen(other)));
    }
}

/* Of several digests one is good: each of its bytes counts, and each of the id and of the time. */
static void each_byte_of_standard_webhooks_counts(void **state)
{
    (void)state;
    size_t changed = 0;
    for (size_t i = 0; i < COUNT_OF(vectors); i++) {
        const struct vector *v = &vectors[i];
        if (v->sender != SENDER_standard)
            continue;
        struct webhook w = webhook_of(v->sender, v->secret);
        struct fields fields = lines_of(&arena, v->lines);
        for (size_t at = 0; at < fields.n; at++) {
            struct str whole = fields.v[at].value;
            const char *good = memmem(whole.p, whole.n, "v1,g0hM", 7);
            for (size_t k = good ? (size_t)(good - whole.p) : 0; k < whole.n; k++) {
                struct str other = arena_dup(&arena, whole);
                char *c = (char *)(uintptr_t)&other.p[k];
                *c = *c == '7' ? '8' : '7';
                fields.v[at].value = other;
                if (check(&w, v->target, &fields, str_from(v->body), v->now_ms).verdict == WEBHOOK_PROOF_GOOD)
                    fail_msg("vector %zu, field %zu, byte %zu", i, at, k);
                changed++;
            }
            fields.v[at].value = whole;
        }
        assert_int_equal(check(&w, v->target, &fields, str_from(v->body), v->now_ms).verdict,
                         WEBHOOK_PROOF_GOOD);
    }
    assert_true(changed > 150);
}

/* One character of the proof's field is another one; its end is missing; it is empty or missing; it is there
 * twice. */
static void a_changed_field_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(vectors); i++) {
        const struct vector *v = &vectors[i];
        struct webhook w = webhook_of(v->sender, v->secret);
        struct fields fields = lines_of(&arena, v->lines);
        size_t at = fields_index_of(&fields, w.scheme.field, 0);
        if (at == fields.n && w.scheme.other.n)
            at = fields_index_of(&fields, w.scheme.other, 0);
        if (at == fields.n)
            continue; /* a member of the payload */
        struct str whole = fields.v[at].value, body = str_from(v->body);
        for (size_t k = 0; k < whole.n && v->sender != SENDER_standard; k++) {
            struct str changed = arena_dup(&arena, whole);
            char *c = (char *)(uintptr_t)&changed.p[k];
            if (is_alpha(*c) || *c == ' ' || *c == ',') /* hex and Bearer in other case; what separates */
                continue;
            *c = *c == '7' ? '8' : '7';
            fields.v[at].value = changed;
            if (check(&w, v->target, &fields, body, v->now_ms).verdict == WEBHOOK_PROOF_GOOD)
                fail_msg("vector %zu, byte %zu", i, k);
        }
        fields.v[at].value = str_first(whole, whole.n - 1);
        assert_int_not_equal(check(&w, v->target, &fields, body, v->now_ms).verdict, WEBHOOK_PROOF_GOOD);
        fields.v[at].value = STR_NONE;
        assert_int_equal(check(&w, v->target, &fields, body, v->now_ms).verdict, WEBHOOK_PROOF_MISSING);
        fields.v[at].value = whole;
        fields_add(&fields, &arena, fields.v[at].name, whole);
        assert_int_equal(check(&w, v->target, &fields, body, v->now_ms).verdict, WEBHOOK_PROOF_MALFORMED);
        fields.n = 0;
        assert_int_equal(check(&w, v->target, &fields, body, v->now_ms).verdict, WEBHOOK_PROOF_MISSING);
    }
}

static void a_signed_time_may_be_five_minutes_away(void **state)
{
    (void)state;
    static const enum sender with_time[] = { SENDER_contentful, SENDER_sanity, SENDER_ghost, SENDER_hygraph,
                                             SENDER_standard };
    for (size_t i = 0; i < COUNT_OF(vectors); i++) {
        const struct vector *v = &vectors[i];
        bool has_time = false;
        for (size_t k = 0; k < COUNT_OF(with_time); k++)
            has_time |= with_time[k] == v->sender;
        assert_int_equal(has_time, v->now_ms != 0);
        if (!has_time)
            continue;
        assert_int_equal(check_vector(v, v->now_ms + 300000).verdict, WEBHOOK_PROOF_GOOD);
        assert_int_equal(check_vector(v, v->now_ms - 300000).verdict, WEBHOOK_PROOF_GOOD);
        assert_int_equal(check_vector(v, v->now_ms + 300001).verdict, WEBHOOK_PROOF_LATE);
        assert_int_equal(check_vector(v, v->now_ms - 300001).verdict, WEBHOOK_PROOF_LATE);
        struct webhook w = webhook_of(v->sender, v->secret);
        struct fields fields = lines_of(&arena, v->lines);
        w.window_ms = 0;
        assert_int_equal(check(&w, v->target, &fields, str_from(v->body), 1).verdict, WEBHOOK_PROOF_GOOD);
    }
}

/* Whoever has no secret is not told that only the time was wrong. */
static void a_wrong_digest_comes_before_an_old_time(void **state)
{
    (void)state;
    struct webhook w = webhook_of(SENDER_ghost, "other");
    assert_int_equal(check_lines(&w, vectors[7].lines, vectors[7].body).verdict, WEBHOOK_PROOF_WRONG);
    struct fields fields = lines_of(&arena, vectors[7].lines);
    assert_int_equal(check(&w, "/hook", &fields, str_from(vectors[7].body), 1).verdict, WEBHOOK_PROOF_WRONG);
}

static void contentful_signs_path_method_and_fields(void **state)
{
    (void)state;
    const struct vector *v = &vectors[0];
    struct webhook w = webhook_of(v->sender, v->secret);
    struct fields fields = lines_of(&arena, v->lines);
    assert_int_equal(check(&w, "/_edge/hooks/other", &fields, str_from(v->body), T_MS).verdict,
                     WEBHOOK_PROOF_WRONG);
    for (size_t i = 0; i < fields.n; i++) {
        struct str whole = fields.v[i].value;
        fields.v[i].value = ARENA_JOIN(&arena, whole, STR("1"));
        assert_int_not_equal(check(&w, v->target, &fields, str_from(v->body), T_MS).verdict,
                             WEBHOOK_PROOF_GOOD);
        fields.v[i].value = whole;
    }
    fields_remove_by_name(&fields, STR("x-contentful-topic"));
    assert_int_equal(check(&w, v->target, &fields, str_from(v->body), T_MS).verdict, WEBHOOK_PROOF_WRONG);
}

static void what_is_malformed_is_said(void **state)
{
    (void)state;
    static const struct {
        enum sender sender;
        const char *lines, *says;
    } rows[] = {
        { SENDER_sanity, "sanity-webhook-signature: v1=x,t=1\n", "t=TIME,v1=DIGEST" },
        { SENDER_sanity, "sanity-webhook-signature: t=1700000000000v1=x\n", "t=TIME,v1=DIGEST" },
        { SENDER_sanity, "sanity-webhook-signature: t=,v1=x\n", "not a number" },
        { SENDER_sanity, "sanity-webhook-signature: t=99999999999999999999999,v1=x\n", "not a number" },
        { SENDER_sanity, "sanity-webhook-signature: t=1700000000000,v1=\n", "another length" },
        { SENDER_sanity,
          "sanity-webhook-signature: t=1700000000000,v1=CcuPmcxS77xGrLtnu0Jr8bNeVVKUNFC0eq8HtzoZJLp\n",
          "another length, or other signs" },
        { SENDER_ghost, "X-Ghost-Signature: sha256=00\n", "sha256=DIGEST, t=TIME" },
        { SENDER_hygraph, "gcms-signature: sign=x\n", "sign=DIGEST, env=NAME, t=TIME" },
        { SENDER_github, "X-Hub-Signature-256: 01c1\n", "begins otherwise" },
        { SENDER_github, "X-Hub-Signature-256: sha1=01c1\n", "begins otherwise" },
        { SENDER_storyblok, "webhook-signature: zz0076596100110c570bb4bcbc990b3ccb7348ef\n", "other signs" },
        { SENDER_standard, "webhook-id: a\nwebhook-timestamp: 1\nwebhook-signature: v2,x\n", "v1,DIGEST" },
        { SENDER_standard, "webhook-id: a\nwebhook-signature: v2,x\n", "webhook-timestamp is missing" },
        { SENDER_contentful, "x-contentful-signature: 00\n", "x-contentful-signed-headers is missing" },
        { SENDER_contentful,
          "x-contentful-signature: 00\nx-contentful-signed-headers: a\nx-contentful-timestamp: 1\n",
          "it names itself" },
        { SENDER_datocms, "Authorization: Basic %\n", "USER:PASSWORD in base64" },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct webhook w = webhook_of(rows[i].sender, "dGVzdA==");
        struct webhook_proof p = check_lines(&w, rows[i].lines, "{}");
        if (!memmem(p.said.p, p.said.n, rows[i].says, strlen(rows[i].says)))
            fail_msg("%s: %.*s", rows[i].lines, STR_ARG(p.said));
        assert_true(p.verdict == WEBHOOK_PROOF_MALFORMED || p.verdict == WEBHOOK_PROOF_MISSING);
    }
}

/* Prepr and others: a scheme of one's own. */
static void generic_takes_any_digest(void **state)
{
    (void)state;
    static const struct {
        struct webhook_scheme scheme;
        const char *lines, *body;
    } rows[] = {
        { { WEBHOOK_BODY, WEBHOOK_SHA1, WEBHOOK_HEX, STR_INIT("X-Sig"), STR_INIT(""), STR_INIT(""),
            STR_INIT("") },
          "X-Sig: 390076596100110c570bb4bcbc990b3ccb7348ef\n",
          "{\"action\":\"published\"}" },
        { { WEBHOOK_BODY, WEBHOOK_SHA256, WEBHOOK_BASE64, STR_INIT("X-Sig"), STR_INIT(""),
            STR_INIT("digest "), STR_INIT("") },
          "X-Sig: digest xlT6vsbdtMK4YwnaJQkNP+qXRvVDsIOzro7DXCBYf+8=\n",
          "{\"id\":1}" },
        { { WEBHOOK_BODY, WEBHOOK_SHA256, WEBHOOK_HEX, STR_INIT("Prepr-Signature"), STR_INIT(""),
            STR_INIT("sha256="), STR_INIT("") },
          "Prepr-Signature: sha256=01C1B8915A46fe1c18550d28c59c121943f7610b5f7619b7f81cbc1aebf782a8\n",
          "{\"ref\":\"refs/heads/main\"}" },
        { { WEBHOOK_MEMBER, WEBHOOK_SHA256, WEBHOOK_HEX, STR_INIT("auth.key"), STR_INIT(""), STR_INIT(""),
            STR_INIT("") },
          "",
          "{\"auth\":{\"key\":\"test\"}}" },
        { { WEBHOOK_SECRET, WEBHOOK_SHA256, WEBHOOK_HEX, STR_INIT("X-Key"), STR_INIT(""), STR_INIT("key="),
            STR_INIT("") },
          "X-Key: key=test\n",
          "{}" },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct webhook w = webhook_of(SENDER_generic, "test");
        w.scheme = rows[i].scheme;
        struct webhook_proof p = check_lines(&w, rows[i].lines, rows[i].body);
        if (p.verdict != WEBHOOK_PROOF_GOOD)
            fail_msg("row %zu: %.*s", i, STR_ARG(p.said));
        w.secret = STR("tesT");
        assert_int_equal(check_lines(&w, rows[i].lines, rows[i].body).verdict, WEBHOOK_PROOF_WRONG);
    }
}

static void a_copy_of_a_delivery_is_known(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(vectors); i++) {
        const struct vector *v = &vectors[i];
        struct webhook_proof p = check_vector(v, v->now_ms), again = check_vector(v, v->now_ms);
        bool has_id = v->now_ms || strstr(v->lines, "-Id: ") || strstr(v->lines, "-Delivery: ");
        assert_true(str_eq(p.delivery, again.delivery));
        assert_int_equal(p.delivery.n > 0, has_id);
    }
    /* A sender that tries again signs a new time for the same id. */
    struct webhook_proof one = check_vector(&vectors[17], vectors[17].now_ms);
    assert_true(str_eq(one.delivery, STR("msg_p5jXN8AQM9LWM0D4loKWxJek")));
}

/* The same digest in another spelling is the same delivery, and another body is another one. */
static void a_copy_is_known_by_what_is_proven(void **state)
{
    (void)state;
    static const struct {
        enum sender sender;
        const char *one, *copy;
    } rows[] = {
        { SENDER_sanity,
          "sanity-webhook-signature: t=1700000000000,v1=CcuPmcxS77xGrLtnu0Jr8bNeVVKUNFC0eq8HtzoZJLo",
          "sanity-webhook-signature: t=1700000000000, , v1=CcuPmcxS77xGrLtnu0Jr8bNeVVKUNFC0eq8HtzoZJLo" },
        { SENDER_ghost,
          "X-Ghost-Signature: sha256=196869cd25f86d68c539ac29162b636a80ef7285d71aec7c3a15a7c317bc83e3, "
          "t=1700000000000",
          "X-Ghost-Signature: "
          "sha256=196869CD25F86D68C539AC29162B636A80EF7285D71AEC7C3A15A7C317BC83E3,t=1700000000000" },
        { SENDER_github,
          "X-Hub-Signature-256: sha256=01c1b8915a46fe1c18550d28c59c121943f7610b5f7619b7f81cbc1aebf782a8\n"
          "X-GitHub-Delivery: g1",
          "X-Hub-Signature-256: sha256=01C1B8915A46FE1C18550D28C59C121943F7610B5F7619B7F81CBC1AEBF782A8\n"
          "X-GitHub-Delivery: g1" },
        { SENDER_hygraph,
          "gcms-signature: sign=X8i5yGY2Rsd/nonCrw5p4LHQWv1V+MDWnAi19RFAxOI=, env=master, t=1700000000000",
          "gcms-signature: sign=X8i5yGY2Rsd/nonCrw5p4LHQWv1V+MDWnAi19RFAxOI=,env=master,t=1700000000000" },
        { SENDER_contentful,
          "x-contentful-signed-headers: x-contentful-signed-headers,x-contentful-timestamp\n"
          "x-contentful-timestamp: 1700000000000\n"
          "x-contentful-signature: 3a3dba63d02f3000e9ed66317cc0e1772d9e642ebb12133c84e5aabd8d796000",
          "x-contentful-signed-headers: x-contentful-timestamp , X-Contentful-Signed-Headers\n"
          "x-contentful-timestamp: 1700000000000\n"
          "x-contentful-signature: 3A3DBA63D02F3000E9ED66317CC0E1772D9E642EBB12133C84E5AABD8D796000" },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct vector *v = vectors;
        while (v->sender != rows[i].sender ||
               (v->sender == SENDER_contentful && strcmp(v->target, "/hook?") != 0))
            v++;
        struct vector one = *v, copy = *v;
        one.lines = rows[i].one;
        copy.lines = rows[i].copy;
        struct webhook_proof p = check_vector(&one, T_MS), q = check_vector(&copy, T_MS);
        if (p.verdict != WEBHOOK_PROOF_GOOD || q.verdict != WEBHOOK_PROOF_GOOD)
            fail_msg("row %zu: %.*s%.*s", i, STR_ARG(p.said), STR_ARG(q.said));
        if (p.delivery.n == 0 || !str_eq(p.delivery, q.delivery))
            fail_msg("row %zu is another delivery", i);
    }
}

static void a_secret_must_suit_its_sender(void **state)
{
    (void)state;
    struct webhook_scheme standard = webhook_scheme_of(SENDER_standard),
                          github = webhook_scheme_of(SENDER_github);
    char *text = arena_alloc(&arena, 2000);
    memset(text, 'a', 2000);
    assert_null(webhook_proof_secret(&github, STR("x"), &arena));
    assert_null(webhook_proof_secret(&github, (struct str){ text, 1024 }, &arena));
    assert_non_null(webhook_proof_secret(&github, (struct str){ text, 1025 }, &arena));
    assert_non_null(webhook_proof_secret(&github, STR_NONE, &arena));
    assert_null(webhook_proof_secret(&standard, STR("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), &arena));
    assert_non_null(webhook_proof_secret(&standard, STR("whsec_"), &arena));
    assert_non_null(webhook_proof_secret(&standard, STR("whsec_a-b"), &arena));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_vector_is_good),
        cmocka_unit_test(a_changed_body_is_refused),
        cmocka_unit_test(another_secret_is_refused),
        cmocka_unit_test(a_changed_field_is_refused),
        cmocka_unit_test(a_signed_time_may_be_five_minutes_away),
        cmocka_unit_test(a_wrong_digest_comes_before_an_old_time),
        cmocka_unit_test(contentful_signs_path_method_and_fields),
        cmocka_unit_test(what_is_malformed_is_said),
        cmocka_unit_test(generic_takes_any_digest),
        cmocka_unit_test(a_copy_of_a_delivery_is_known),
        cmocka_unit_test(a_copy_is_known_by_what_is_proven),
        cmocka_unit_test(each_byte_of_standard_webhooks_counts),
        cmocka_unit_test(a_secret_must_suit_its_sender),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
