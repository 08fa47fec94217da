/* What each response means to the cache: every rule of CACHING.md §1 to §3 that is policy's, by its number,
 * in both profiles and at its limits. */
#include "cache_test.h"

#include "cache/policy.h"

#define ISR "profile: isr"
#define RFC "profile: rfc9111"

/* The most that there is. */
#define MOST_S ((int64_t)1 << 31)

static struct verdict verdicts[512];
static size_t verdicts_n;

static int free_all(void **state)
{
    while (verdicts_n)
        rule_unref(verdicts[--verdicts_n].rule);
    return teardown(state);
}

/* One answer: a 200 to a GET where the case says nothing else. */
struct answer {
    const char *site; /* lines of its configuration */
    const char *lines;
    int status;
    const char *request; /* its fields */
    enum method method;  /* when has_method */
    bool has_method, names_itself, bypass;
    const char *path;
    const char *query;
    const struct rule *known;
    bool provisional;
    int64_t delay_ms;
};

static struct verdict *judge_answer(const struct answer *a)
{
    struct judge in = {
        .site = site_of(a->site),
        .method = a->has_method ? a->method : METHOD_GET,
        .request = fields_of(a->request),
        .path = str_from(a->path ? a->path : "/"),
        .bypass = a->bypass,
        .query = a->query ? str_from(a->query) : STR_NONE,
        .post_names_itself = a->names_itself,
        .status = a->status ? a->status : 200,
        .response = fields_of(a->lines),
        .known = a->known,
        .provisional = a->provisional,
        .delay_ms = a->delay_ms,
        .received_wall_ms = WALL_MS,
    };
    assert_true(verdicts_n < COUNT_OF(verdicts));
    struct verdict *v = &verdicts[verdicts_n++];
    policy_judge(&in, &arena, v);
    assert_int_equal(v->store, v->reason == REASON_NONE);
    return v;
}

static void reason_is(const struct verdict *v, enum reason reason, const char *what)
{
    if (v->reason != reason)
        fail_msg("%s: \"%.*s\" instead of \"%.*s\"", what, STR_ARG(reason_detail(v->reason)),
                 STR_ARG(reason_detail(reason)));
}

#define JUDGE(...) judge_answer(&(struct answer){ __VA_ARGS__ })

/* A lifetime that is asked for with these lines, in seconds, -1: not stored. */
struct lives {
    const char *lines;
    int64_t isr_s, rfc_s;
};

static void lives_for(const struct lives *rows, size_t n)
{
    for (size_t i = 0; i < n; i++)
        for (int p = 0; p < 2; p++) {
            struct verdict *v = JUDGE(.site = p ? RFC : ISR, .lines = rows[i].lines);
            int64_t expected_s = p ? rows[i].rfc_s : rows[i].isr_s;
            if (v->store != (expected_s >= 0) || (v->store && v->fresh.lifetime_ms != expected_s * 1000))
                fail_msg("%s: %s: %s, %lld ms instead of %lld s", p ? RFC : ISR, rows[i].lines,
                         v->store ? "stored" : "not stored", (long long)v->fresh.lifetime_ms,
                         (long long)expected_s);
        }
}
#define LIVES_FOR(rows) lives_for(rows, COUNT_OF(rows))

/* Why these lines are not stored in either profile; REASON_NONE: they are. */
struct refused {
    const char *lines;
    enum reason isr, rfc;
};

static void refuses(const struct refused *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        reason_is(JUDGE(.site = ISR, .lines = rows[i].lines), rows[i].isr, rows[i].lines);
        reason_is(JUDGE(.site = RFC, .lines = rows[i].lines), rows[i].rfc, rows[i].lines);
    }
}
#define REFUSES(rows) refuses(rows, COUNT_OF(rows))

#define ETAG "\nETag: \"x\""

/* ---- §1: which header rules ---- */

/* 1.1: the first that is present, not empty and parses rules alone; nothing is merged. */
static void r1_1_the_first_header_rules_alone(void **state)
{
    (void)state;
    static const struct {
        const char *lines, *ruled_by;
        int64_t lifetime_s;
    } rows[] = {
        { "Netlify-CDN-Cache-Control: max-age=3\nCDN-Cache-Control: max-age=2\nCache-Control: max-age=1",
          "Netlify-CDN-Cache-Control", 3 },
        { "Cache-Control: max-age=1\nCDN-Cache-Control: max-age=2", "CDN-Cache-Control", 2 },
        { "Cache-Control: max-age=1", "Cache-Control", 1 },
        { "Expires: Sun, 06 Nov 1994 08:50:37 GMT", "", 60 },
        /* Empty: not there. */
        { "Netlify-CDN-Cache-Control:\nCDN-Cache-Control: max-age=2", "CDN-Cache-Control", 2 },
        { "Netlify-CDN-Cache-Control:\nCDN-Cache-Control:\nCache-Control: max-age=1", "Cache-Control", 1 },
        /* Does not parse: not there. */
        { "Netlify-CDN-Cache-Control: max-age=3;;\nCDN-Cache-Control: max-age=2", "CDN-Cache-Control", 2 },
        { "CDN-Cache-Control: Max-Age=2\nCache-Control: max-age=1", "Cache-Control", 1 },
        /* Nothing of the others counts. */
        { "CDN-Cache-Control: max-age=2\nCache-Control: no-store, private, s-maxage=9", "CDN-Cache-Control",
          2 },
        { "CDN-Cache-Control: s-maxage=2\nCache-Control: s-maxage=9, max-age=8", "CDN-Cache-Control", 2 },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct verdict *v = JUDGE(.site = ISR, .lines = rows[i].lines);
        reason_is(v, REASON_NONE, rows[i].lines);
        assert_str(v->ruled_by, rows[i].ruled_by);
        assert_int_equal(v->fresh.lifetime_ms, rows[i].lifetime_s * 1000);
    }
    /* One that rules and gives nothing is not helped out. */
    struct verdict *v = JUDGE(.site = ISR, .lines = "CDN-Cache-Control: durable\nCache-Control: s-maxage=60");
    reason_is(v, REASON_NO_PERMISSION, "durable alone");
    assert_str(v->ruled_by, "CDN-Cache-Control");
}

/* 1.1: the list is a setting. */
static void r1_1_the_list_is_a_setting(void **state)
{
    (void)state;
    static const char lines[] =
        "Surrogate-Control: max-age=5\nCDN-Cache-Control: max-age=4\nCache-Control: max-age=3";
    assert_int_equal(
        JUDGE(.site = "cdn_cache_control: [Surrogate-Control]", .lines = lines)->fresh.lifetime_ms, 5000);
    assert_int_equal(
        JUDGE(.site = "cdn_cache_control: [CDN-Cache-Control, Surrogate-Control]", .lines = lines)
            ->fresh.lifetime_ms,
        4000);
    assert_int_equal(JUDGE(.site = "cdn_cache_control: []", .lines = lines)->fresh.lifetime_ms, 3000);
}

/* 1.1: Expires counts without max-age and s-maxage, valid or not, in Cache-Control; never beside a targeted
 * field. */
static void r1_1_expires_gives_what_cache_control_does_not(void **state)
{
    (void)state;
#define IN_A_MINUTE "\nExpires: Sun, 06 Nov 1994 08:50:37 GMT"
    static const struct lives rows[] = {
        { "Cache-Control: public" IN_A_MINUTE, 60, 60 },
        { "Cache-Control:" IN_A_MINUTE, 60, 60 },
        { "Cache-Control: max-age=9" IN_A_MINUTE, 9, 9 },
        { "Cache-Control: s-maxage=9" IN_A_MINUTE, 9, 9 },
        { "Cache-Control: max-age=x" IN_A_MINUTE ETAG, 0, 0 },
        { "Cache-Control: s-maxage=-1" IN_A_MINUTE ETAG, 0, 0 },
        { "Cache-Control: max-age" IN_A_MINUTE ETAG, 0, 0 },
        /* Not a lifetime: Expires it is. */
        { "Cache-Control: stale-while-revalidate=5" IN_A_MINUTE, 60, 60 },
        { "CDN-Cache-Control: public" IN_A_MINUTE ETAG, 0, 0 },
        { "CDN-Cache-Control: durable" IN_A_MINUTE ETAG, -1, 0 },
        /* What does not parse does not rule. */
        { "CDN-Cache-Control: ;" IN_A_MINUTE, 60, 60 },
    };
    LIVES_FOR(rows);
}

/* 1.2: a targeted field is a dictionary; several lines are one. */
static void r1_2_targeted_fields_are_dictionaries(void **state)
{
    (void)state;
    static const struct lives rows[] = {
        { "Netlify-CDN-Cache-Control: s-maxage=60,stale-while-revalidate=60,durable", 60, 60 },
        { "CDN-Cache-Control: max-age=1\nCDN-Cache-Control: max-age=2", 2, 2 }, /* of duplicates the last */
        { "CDN-Cache-Control: max-age=1, s-maxage=5\ncdn-cache-control: s-maxage=6", 6, 6 },
        { "CDN-Cache-Control: max-age=60;x=1", 60, 60 },
        { "CDN-Cache-Control: max-age=2147483648", MOST_S, MOST_S },
        { "CDN-Cache-Control: max-age=999999999999999", MOST_S, MOST_S },
        /* Of the wrong type or negative: 0. */
        { "CDN-Cache-Control: max-age=-1" ETAG, 0, 0 },
        { "CDN-Cache-Control: max-age=1.5" ETAG, 0, 0 },
        { "CDN-Cache-Control: max-age=\"60\"" ETAG, 0, 0 },
        { "CDN-Cache-Control: max-age=sixty" ETAG, 0, 0 },
        { "CDN-Cache-Control: max-age" ETAG, 0, 0 },
        { "CDN-Cache-Control: s-maxage=x, max-age=60" ETAG, 0, 0 },
        /* ?0 is absent. */
        { "CDN-Cache-Control: max-age=?0, s-maxage=5", 5, 5 },
        { "CDN-Cache-Control: max-age=60, no-store=?0, private=?0", 60, 60 },
        { "CDN-Cache-Control: max-age=60, must-revalidate=?0", 60, 60 },
    };
    LIVES_FOR(rows);
    static const struct refused refusals[] = {
        { "CDN-Cache-Control: max-age=60, private=\"Set-Cookie\"", REASON_PRIVATE, REASON_PRIVATE },
        { "CDN-Cache-Control: max-age=60, no-store=(a b)", REASON_NO_STORE, REASON_NO_STORE },
        { "CDN-Cache-Control: max-age=60, no-store=5", REASON_NONE, REASON_NONE },
    };
    REFUSES(refusals);
    assert_false(
        JUDGE(.site = ISR, .lines = "CDN-Cache-Control: max-age=60, must-revalidate=?0")->fresh.never_stale);
}

/* 1.2: what does not parse is told, with the field and the byte, whatever it held and whatever came of it. */
static void r1_2_a_broken_targeted_field_is_told(void **state)
{
    (void)state;
    static const struct {
        const char *lines;
        enum reason reason;
        const char *text;
    } rows[] = {
        { "CDN-Cache-Control: Max-Age=60", REASON_TARGETED_INVALID, "CDN-Cache-Control, byte 1" },
        { "CDN-Cache-Control: max-age = 60", REASON_TARGETED_INVALID, "CDN-Cache-Control, byte 9" },
        { "CDN-Cache-Control: max-age=60,", REASON_TARGETED_INVALID, "CDN-Cache-Control, byte 11" },
        { "CDN-Cache-Control: max-age=\"60\"", REASON_TARGETED_INVALID, "CDN-Cache-Control, byte 9" },
        { "CDN-Cache-Control: max-age=1.5", REASON_TARGETED_INVALID, "CDN-Cache-Control, byte 9" },
        { "Netlify-CDN-Cache-Control: public\nNetlify-CDN-Cache-Control: max-age=60;",
          REASON_TARGETED_INVALID, "Netlify-CDN-Cache-Control, line 2, byte 12" },
        /* The first of several. */
        { "CDN-Cache-Control: A\nNetlify-CDN-Cache-Control: b c", REASON_TARGETED_INVALID,
          "Netlify-CDN-Cache-Control, byte 3" },
        /* What the next field forbids or leaves out is not what was meant. */
        { "CDN-Cache-Control: Max-Age=60\nCache-Control: private", REASON_TARGETED_INVALID,
          "CDN-Cache-Control, byte 1" },
        { "CDN-Cache-Control: Max-Age=60\nCache-Control: no-store", REASON_TARGETED_INVALID,
          "CDN-Cache-Control, byte 1" },
        { "CDN-Cache-Control: Max-Age=60\nCache-Control: max-age=0", REASON_TARGETED_INVALID,
          "CDN-Cache-Control, byte 1" },
        /* Not stored for a reason of its own, or stored after all: told beside it. */
        { "CDN-Cache-Control: Max-Age=60\nSet-Cookie: a=b", REASON_SET_COOKIE, "CDN-Cache-Control, byte 1" },
        { "CDN-Cache-Control: Max-Age=60\nVary: *\nCache-Control: s-maxage=5", REASON_VARY_STAR,
          "CDN-Cache-Control, byte 1" },
        { "CDN-Cache-Control: Max-Age=60\nCache-Control: s-maxage=5", REASON_NONE,
          "CDN-Cache-Control, byte 1" },
        { "CDN-Cache-Control: max-age=\"60\"\nETag: \"x\"", REASON_NONE, "CDN-Cache-Control, byte 9" },
        /* Nobody asked it. */
        { "Netlify-CDN-Cache-Control: max-age=5\nCDN-Cache-Control: Max-Age=60", REASON_NONE, "" },
        { "Surrogate-Control: Max-Age=60\nCache-Control: s-maxage=5", REASON_NONE, "" },
        { "CDN-Cache-Control: s-maxage=-1", REASON_NO_LIFETIME, "" },
        { "CDN-Cache-Control: durable", REASON_NO_PERMISSION, "" },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct verdict *v = JUDGE(.site = ISR, .lines = rows[i].lines);
        reason_is(v, rows[i].reason, rows[i].lines);
        struct str text = policy_broken_text(site_of(ISR), &v->broken, &arena);
        if (!str_eq(text, str_from(rows[i].text)))
            fail_msg("%s: \"%.*s\"", rows[i].lines, STR_ARG(text));
        /* The same from what is remembered of it. */
        struct broken_field again = policy_broken_unpack(policy_broken_pack(&v->broken));
        assert_str(policy_broken_text(site_of(ISR), &again, &arena), rows[i].text);
    }
    /* A visitor's own answer says nothing of the page. */
    reason_is(JUDGE(.site = ISR, .request = "Authorization: x",
                    .lines = "CDN-Cache-Control: Max-Age=60\nCache-Control: max-age=60"),
              REASON_AUTHORIZATION, "with Authorization");
    /* Beyond the room for it. */
    struct broken_field far = { 1, { .line = 1000, .lines = 1000, .byte = 2000000 } },
                        none = { 16, { 1, 1, 1 } };
    assert_str(policy_broken_text(
                   site_of(ISR),
                   &(struct broken_field){ 1, policy_broken_unpack(policy_broken_pack(&far)).at }, &arena),
               "CDN-Cache-Control, line 255, byte 1048575");
    assert_int_equal(policy_broken_pack(&none), 0);
}

/* 1.2: what does not parse is ignored whole; a word in it that forbids still forbids. */
static void r1_2_a_broken_targeted_field_still_forbids(void **state)
{
    (void)state;
#define THEN "\nCache-Control: max-age=60"
    static const struct refused rows[] = {
        { "CDN-Cache-Control: max-age=60;" THEN, REASON_NONE, REASON_NONE },
        { "CDN-Cache-Control: no-store; max-age=" THEN, REASON_TARGETED_INVALID, REASON_TARGETED_INVALID },
        { "CDN-Cache-Control: Private" THEN, REASON_TARGETED_INVALID, REASON_TARGETED_INVALID },
        { "CDN-Cache-Control: max-age=60,, no-cache" THEN, REASON_TARGETED_INVALID, REASON_TARGETED_INVALID },
        { "CDN-Cache-Control: \"no-store\",;" THEN, REASON_TARGETED_INVALID, REASON_TARGETED_INVALID },
        /* As a word: not as a part of one. */
        { "CDN-Cache-Control: no-store-me;" THEN, REASON_NONE, REASON_NONE },
        { "CDN-Cache-Control: unprivate;" THEN, REASON_NONE, REASON_NONE },
        { "CDN-Cache-Control: must-revalidate;" THEN, REASON_NONE, REASON_NONE },
        /* The next one rules, and it does not matter that it allows. */
        { "Netlify-CDN-Cache-Control: no-store;\nCDN-Cache-Control: max-age=60", REASON_TARGETED_INVALID,
          REASON_TARGETED_INVALID },
        /* Behind the one that rules nothing is asked. */
        { "Netlify-CDN-Cache-Control: max-age=60\nCDN-Cache-Control: no-store;", REASON_NONE, REASON_NONE },
    };
    REFUSES(rows);
}

/* 1.3: Cache-Control by RFC 9111 §5.2. */
static void r1_3_cache_control(void **state)
{
    (void)state;
    static const struct lives rows[] = {
        { "Cache-Control: MAX-AGE=60", 60, 60 },
        { "Cache-Control: max-age=\"60\"", 60, 60 },
        { "Cache-Control: x\nCache-Control: max-age=60", 60, 60 },
        { "Cache-Control: max-age=60\nCache-Control: max-age=120", 60, 60 }, /* of duplicates the first */
        { "Cache-Control: s-maxage=7, s-maxage=8, max-age=9", 7, 7 },
        { "Cache-Control: max-age=0060", 60, 60 },
        { "Cache-Control: max-age=2147483647", MOST_S - 1, MOST_S - 1 },
        { "Cache-Control: max-age=2147483648", MOST_S, MOST_S },
        { "Cache-Control: max-age=99999999999999999999999", MOST_S, MOST_S },
        { "Cache-Control: ext=\"max-age=5, private\", max-age=60", 60, 60 },
        /* Anything else makes it stale, never eternal. */
        { "Cache-Control: max-age=1e3" ETAG, 0, 0 },
        { "Cache-Control: max-age=6 0" ETAG, 0, 0 },
        { "Cache-Control: max-age=" ETAG, 0, 0 },
        { "Cache-Control: max-age=+60" ETAG, 0, 0 },
        { "Cache-Control: max-age =60" ETAG, 0, 0 },
        { "Cache-Control: max-age='60'" ETAG, 0, 0 },
        { "Cache-Control: max-age=x, max-age=60" ETAG, 0, 0 },
    };
    LIVES_FOR(rows);
    static const struct refused refusals[] = {
        /* Of those that conflict the most restrictive. */
        { "Cache-Control: public, private, max-age=60", REASON_PRIVATE, REASON_PRIVATE },
        { "Cache-Control: max-age=60, no-store, public", REASON_NO_STORE, REASON_NO_STORE },
        { "Cache-Control: max-age=60\nCache-Control: no-store", REASON_NO_STORE, REASON_NO_STORE },
        { "Cache-Control: max-age=60, NO-STORE", REASON_NO_STORE, REASON_NO_STORE },
        { "Cache-Control: no-store=1, max-age=60", REASON_NO_STORE, REASON_NO_STORE },
        { "Cache-Control: private=\"x, y\", max-age=60", REASON_PRIVATE, REASON_PRIVATE },
        /* What cannot be taken apart forbids what it seems to forbid. */
        { "Cache-Control: private; max-age=60", REASON_PRIVATE, REASON_PRIVATE },
    };
    REFUSES(refusals);
}

/* ---- §2: may it be stored ---- */

/* 2.1: GET is stored; a POST only when it names itself, in rfc9111, with explicit freshness. */
static void r2_1_methods(void **state)
{
    (void)state;
    static const enum method others[] = { METHOD_HEAD,   METHOD_POST,    METHOD_PUT,
                                          METHOD_DELETE, METHOD_OPTIONS, METHOD_OTHER };
    static const char lines[] = "Cache-Control: max-age=60";
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        bool post = others[i] == METHOD_POST;
        for (int names = 0; names < 2; names++) {
            reason_is(JUDGE(.site = ISR, .lines = lines, .has_method = true, .method = others[i],
                            .names_itself = names),
                      REASON_METHOD, "isr");
            reason_is(JUDGE(.site = RFC, .lines = lines, .has_method = true, .method = others[i],
                            .names_itself = names),
                      post && names ? REASON_NONE : REASON_METHOD, "rfc9111");
        }
    }
    /* RFC 9110 §9.3.3: explicit freshness information. */
    static const struct {
        const char *lines;
        bool stored;
    } posts[] = {
        { "Cache-Control: s-maxage=60", true },
        { "Expires: Sun, 06 Nov 1994 08:50:37 GMT", true },
        { "Last-Modified: Sun, 06 Nov 1994 07:49:37 GMT", false },
        { "Cache-Control: public\nLast-Modified: Sun, 06 Nov 1994 07:49:37 GMT", false },
        { "Cache-Control: no-cache" ETAG, false },
        { "Cache-Control: public" ETAG, false },
        { "ETag: \"x\"", false },
    };
    for (size_t i = 0; i < COUNT_OF(posts); i++) {
        struct verdict *v = JUDGE(.site = RFC, .lines = posts[i].lines, .has_method = true,
                                  .method = METHOD_POST, .names_itself = true);
        if (v->store != posts[i].stored)
            fail_msg("POST with %s: %.*s", posts[i].lines, STR_ARG(reason_detail(v->reason)));
    }
}

#define MODIFIED  "\nLast-Modified: Sun, 06 Nov 1994 07:09:37 GMT" /* 6000 s before Date */
#define HEURISTIC 600

/* 2.2: isr stores only with permission; rfc9111 also by heuristics. */
static void r2_2_permission(void **state)
{
    (void)state;
    static const struct refused rows[] = {
        { "", REASON_NO_PERMISSION, REASON_NO_LIFETIME },
        { "Cache-Control: must-revalidate", REASON_NO_PERMISSION, REASON_NO_LIFETIME },
        { "Cache-Control: no-transform, x=1, immutable" ETAG, REASON_NO_PERMISSION, REASON_NONE },
        { "ETag: \"x\"", REASON_NO_PERMISSION, REASON_NONE },
        { "Pragma: x" MODIFIED, REASON_NO_PERMISSION, REASON_NONE },
        { "Cache-Control: max-age=1", REASON_NONE, REASON_NONE },
        { "Cache-Control: stale-while-revalidate=1", REASON_NONE, REASON_NONE },
        { "Cache-Control: stale-if-error=1", REASON_NONE, REASON_NONE },
        { "Cache-Control: public", REASON_NO_LIFETIME, REASON_NO_LIFETIME },
        { "Cache-Control: public" ETAG, REASON_NONE, REASON_NONE },
        { "Cache-Control: no-cache", REASON_NO_LIFETIME, REASON_NO_LIFETIME },
        { "Cache-Control: no-cache" ETAG, REASON_NONE, REASON_NONE },
        { "CDN-Cache-Control: public" MODIFIED, REASON_NONE, REASON_NONE },
        { "Expires: 0", REASON_NO_LIFETIME, REASON_NO_LIFETIME },
        { "Expires: 0" ETAG, REASON_NONE, REASON_NONE },
        { "Cache-Control: max-age=0", REASON_NO_LIFETIME, REASON_NO_LIFETIME },
        { "Cache-Control: max-age=0" ETAG, REASON_NONE, REASON_NONE },
        { "Cache-Control: max-age=0, stale-while-revalidate=0", REASON_NO_LIFETIME, REASON_NO_LIFETIME },
        { "Cache-Control: max-age=0\nETag: nonsense", REASON_NO_LIFETIME, REASON_NO_LIFETIME },
        /* A window that must-revalidate voids is none. */
        { "Cache-Control: max-age=0, stale-while-revalidate=60, must-revalidate", REASON_NO_LIFETIME,
          REASON_NO_LIFETIME },
        { "Cache-Control: max-age=0, stale-if-error=60, must-revalidate", REASON_NO_LIFETIME,
          REASON_NO_LIFETIME },
    };
    REFUSES(rows);
    /* With a validator and nothing else: always revalidated. */
    assert_int_equal(JUDGE(.site = ISR, .lines = "Cache-Control: public" ETAG)->fresh.lifetime_ms, 0);
}

/* 2.2: a tenth of the time since the last change, at most a day. */
static void r2_2_heuristics(void **state)
{
    (void)state;
#define AT "Date: Sun, 06 Nov 1994 08:49:37 GMT\n"
    static const struct lives rows[] = {
        { AT "Last-Modified: Sun, 06 Nov 1994 07:09:37 GMT", -1, HEURISTIC },
        { AT "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT", -1, 0 },
        { AT "Last-Modified: Sun, 06 Nov 1994 08:49:38 GMT", -1, 0 }, /* in the future */
        { AT "Last-Modified: Thu, 27 Oct 1994 08:49:37 GMT", -1, 86400 },
        { AT "Last-Modified: Thu, 27 Oct 1994 08:49:47 GMT", -1, 86399 },
        { AT "Last-Modified: Sun, 06 Nov 1904 08:49:37 GMT", -1, 86400 },
        { AT "Last-Modified: nonsense" ETAG, -1, 0 },
        /* Date counts, not the time of receipt. */
        { "Date: Sun, 06 Nov 1994 08:09:37 GMT" MODIFIED, -1, 360 },
        { "Expires: 0" MODIFIED, 0, 0 },
        { "Cache-Control: public" MODIFIED, 0, HEURISTIC },
    };
    LIVES_FOR(rows);
    static const int heuristic[] = { 200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501 };
    static const int never[] = { 201, 202, 302, 303, 307, 400, 403, 429, 451, 500, 502, 503, 504 };
    for (size_t i = 0; i < COUNT_OF(heuristic); i++) {
        assert_true(policy_status_is_heuristic(heuristic[i]));
        struct verdict *v = JUDGE(.site = RFC, .lines = "X: 1" MODIFIED, .status = heuristic[i]);
        assert_true(v->store);
        assert_int_equal(v->fresh.lifetime_ms, HEURISTIC * 1000);
    }
    for (size_t i = 0; i < COUNT_OF(never); i++) {
        assert_false(policy_status_is_heuristic(never[i]));
        reason_is(JUDGE(.site = RFC, .lines = "X: 1" MODIFIED, .status = never[i]), REASON_NO_PERMISSION,
                  "no permission");
        /* With public it is allowed. */
        struct verdict *v = JUDGE(.site = RFC, .lines = "Cache-Control: public" MODIFIED, .status = never[i]);
        assert_true(v->store);
        assert_int_equal(v->fresh.lifetime_ms, HEURISTIC * 1000);
    }
}

/* 2.3 */
static void r2_3_never(void **state)
{
    (void)state;
    static const struct refused rows[] = {
        { "Cache-Control: no-store, max-age=60", REASON_NO_STORE, REASON_NO_STORE },
        { "Cache-Control: private, max-age=60", REASON_PRIVATE, REASON_PRIVATE },
        { "Cache-Control: private=\"X\", max-age=60", REASON_PRIVATE, REASON_PRIVATE },
        { "Cache-Control: max-age=60\nVary: *", REASON_VARY_STAR, REASON_VARY_STAR },
        { "Cache-Control: max-age=60\nVary: Cookie\nVary: Accept, *", REASON_VARY_STAR, REASON_VARY_STAR },
        { "Cache-Control: max-age=60\nNetlify-Vary: header=Cookie", REASON_VARY_INVALID,
          REASON_VARY_INVALID },
    };
    REFUSES(rows);
    static const int never[] = { 100, 103, 199, 206, 304 };
    for (size_t i = 0; i < COUNT_OF(never); i++) {
        enum reason why = never[i] == 206 ? REASON_PARTIAL : REASON_STATUS;
        reason_is(JUDGE(.site = ISR, .lines = "Cache-Control: max-age=60", .status = never[i]), why, "isr");
        reason_is(JUDGE(.site = RFC, .lines = "Cache-Control: max-age=60", .status = never[i]), why,
                  "rfc9111");
    }
    /* must-understand with an understood status overrides no-store (RFC 9111 §5.2.2.3), and nothing else. */
    static const struct {
        int status;
        const char *lines;
        enum reason isr, rfc;
    } understood[] = {
        { 200, "Cache-Control: must-understand, no-store, max-age=60", REASON_NONE, REASON_NONE },
        { 404, "Cache-Control: no-store, must-understand, max-age=60", REASON_NONE, REASON_NONE },
        { 200, "CDN-Cache-Control: must-understand, no-store, max-age=60", REASON_NONE, REASON_NONE },
        { 299, "Cache-Control: must-understand, no-store, max-age=60", REASON_NO_STORE, REASON_NO_STORE },
        { 299, "Cache-Control: must-understand, max-age=60", REASON_NOT_UNDERSTOOD, REASON_NOT_UNDERSTOOD },
        { 299, "Cache-Control: max-age=60", REASON_NONE, REASON_NONE },
        { 599, "Cache-Control: must-understand, max-age=60", REASON_STATUS, REASON_NOT_UNDERSTOOD },
        { 200, "Cache-Control: must-understand, no-store, private, max-age=60", REASON_PRIVATE,
          REASON_PRIVATE },
        { 200, "Cache-Control: must-understand, no-store" ETAG, REASON_NO_PERMISSION, REASON_NONE },
    };
    for (size_t i = 0; i < COUNT_OF(understood); i++) {
        reason_is(JUDGE(.site = ISR, .lines = understood[i].lines, .status = understood[i].status),
                  understood[i].isr, understood[i].lines);
        reason_is(JUDGE(.site = RFC, .lines = understood[i].lines, .status = understood[i].status),
                  understood[i].rfc, understood[i].lines);
    }
}

static const struct directives no_directives = { .max_age = DELTA_NONE,
                                                 .s_maxage = DELTA_NONE,
                                                 .stale_while_revalidate = DELTA_NONE,
                                                 .stale_if_error = DELTA_NONE,
                                                 .max_stale = DELTA_NONE,
                                                 .min_fresh = DELTA_NONE };

/* May it be reused so long after it was received? */
static enum reuse reuse_after(const struct verdict *v, int64_t ms)
{
    return policy_reuse(&v->fresh, policy_age(&v->fresh, ms, -1), false, &no_directives);
}

static bool error_covered_after(const struct verdict *v, int64_t ms)
{
    return policy_stale_on_error(&v->fresh, policy_age(&v->fresh, ms, -1), false, &no_directives);
}

/* 2.4: no-cache is stored and never reused without asking. */
static void r2_4_no_cache(void **state)
{
    (void)state;
    static const char *const all[] = {
        "Cache-Control: no-cache, max-age=60",
        "Cache-Control: no-cache=\"X\", max-age=60",
        "CDN-Cache-Control: no-cache, s-maxage=60, stale-while-revalidate=60",
    };
    for (size_t i = 0; i < COUNT_OF(all); i++)
        for (int p = 0; p < 2; p++) {
            struct verdict *v = JUDGE(.site = p ? RFC : ISR, .lines = all[i]);
            assert_true(v->store && v->fresh.always_revalidate && v->fresh.never_stale);
            assert_int_equal(reuse_after(v, 0), REUSE_REVALIDATE);
            assert_int_equal(reuse_after(v, 61000), REUSE_REVALIDATE);
            assert_false(error_covered_after(v, 0));
        }
    /* Only in the header that rules. */
    struct verdict *v = JUDGE(.site = ISR, .lines = "CDN-Cache-Control: max-age=60\nCache-Control: no-cache");
    assert_int_equal(reuse_after(v, 0), REUSE_FRESH);
}

/* 2.5: an answer to a request with Authorization needs more. */
static void r2_5_authorization(void **state)
{
    (void)state;
    static const struct refused rows[] = {
        { "Cache-Control: max-age=60", REASON_AUTHORIZATION, REASON_AUTHORIZATION },
        { "Cache-Control: public, max-age=60", REASON_NONE, REASON_NONE },
        { "Cache-Control: s-maxage=60", REASON_NONE, REASON_NONE },
        { "Cache-Control: must-revalidate, max-age=60", REASON_AUTHORIZATION, REASON_NONE },
        { "Cache-Control: proxy-revalidate, max-age=60", REASON_AUTHORIZATION, REASON_AUTHORIZATION },
        { "CDN-Cache-Control: max-age=60\nCache-Control: public", REASON_AUTHORIZATION,
          REASON_AUTHORIZATION },
        { "CDN-Cache-Control: max-age=60, public", REASON_NONE, REASON_NONE },
        { "Cache-Control: public=1, max-age=60", REASON_AUTHORIZATION, REASON_AUTHORIZATION },
        { "Expires: Sun, 06 Nov 1994 08:50:37 GMT", REASON_AUTHORIZATION, REASON_AUTHORIZATION },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        for (int p = 0; p < 2; p++) {
            struct verdict *v =
                JUDGE(.site = p ? RFC : ISR, .lines = rows[i].lines, .request = "Authorization: Basic eA==");
            reason_is(v, p ? rows[i].rfc : rows[i].isr, rows[i].lines);
            assert_true(v->fresh.foreground);
        }
    /* It is refreshed in the foreground only. */
    struct verdict *v = JUDGE(.site = ISR, .lines = "Cache-Control: s-maxage=60, stale-while-revalidate=60",
                              .request = "Authorization: Basic eA==");
    assert_int_equal(reuse_after(v, 59999), REUSE_FRESH);
    assert_int_equal(reuse_after(v, 60000), REUSE_REVALIDATE);
    assert_true(error_covered_after(v, 119000));
    assert_false(JUDGE(.site = ISR, .lines = "Cache-Control: s-maxage=60")->fresh.foreground);
}

#define EIGHT       "x,x,x,x,x,x,x,x,"
#define SIXTY_FOUR  EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT
#define CONTROL_64  "Cache-Control: " SIXTY_FOUR
#define WAS_CHANGED "\nLast-Modified: Sat, 05 Nov 1994 08:49:37 GMT"

/* 4.9: what stands behind 64 members may only forbid. It may be a lifetime of 0. It is no must-revalidate:
 * that would permit storing what was asked for with Authorization. */
static void r4_9_long_lists_only_forbid(void **state)
{
    (void)state;
    static const char *const lines[] = {
        CONTROL_64 "max-age=0" WAS_CHANGED,
        CONTROL_64 "s-maxage=0" WAS_CHANGED,
        "Cache-Control: max-age=60, " SIXTY_FOUR "s-maxage=0" WAS_CHANGED,
        "Cache-Control: max-age=60\n" CONTROL_64 "x" WAS_CHANGED,
    };
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        struct verdict *v = JUDGE(.site = RFC, .lines = lines[i]);
        reason_is(v, REASON_NONE, lines[i]);
        assert_int_equal(reuse_after(v, 0), REUSE_REVALIDATE);
        assert_false(error_covered_after(v, 0));
        reason_is(JUDGE(.site = RFC, .lines = lines[i], .request = "Authorization: Basic eA=="),
                  REASON_AUTHORIZATION, lines[i]);
    }
}

/* 2.6 */
static void r2_6_cookies(void **state)
{
    (void)state;
    static const char *const cookies[] = { "Cache-Control: max-age=60\nSet-Cookie: a=1",
                                           "Cache-Control: max-age=60\nSet-Cookie2: a=1",
                                           "Netlify-CDN-Cache-Control: public, max-age=60\nset-cookie: a=1" };
    for (size_t i = 0; i < COUNT_OF(cookies); i++) {
        reason_is(JUDGE(.site = ISR, .lines = cookies[i]), REASON_SET_COOKIE, cookies[i]);
        reason_is(JUDGE(.site = RFC, .lines = cookies[i]), REASON_NONE, cookies[i]);
        reason_is(JUDGE(.site = "set_cookie: store", .lines = cookies[i]), REASON_NONE, cookies[i]);
        struct verdict *v = JUDGE(.site = "set_cookie: strip", .lines = cookies[i]);
        reason_is(v, REASON_NONE, cookies[i]);
        assert_true(v->strip_cookies);
        assert_false(JUDGE(.site = "set_cookie: store", .lines = cookies[i])->strip_cookies);
        reason_is(JUDGE(.site = RFC "\nset_cookie: refuse", .lines = cookies[i]), REASON_SET_COOKIE,
                  cookies[i]);
    }
}

/* 2.7: statuses with explicit permission. */
static void r2_7_statuses(void **state)
{
    (void)state;
    for (int s = 200; s < 600; s++) {
        bool isr = (s < 400 && s != 206 && s != 304) || s == 404 || s == 410 || s == 451;
        bool rfc = s != 206 && s != 304;
        verdicts_n = 0; /* there is no rule in them */
        bool stored = JUDGE(.site = ISR, .lines = "Cache-Control: max-age=60", .status = s)->store;
        if (stored != isr)
            fail_msg("isr: %d", s);
        stored = JUDGE(.site = RFC, .lines = "Cache-Control: max-age=60", .status = s)->store;
        if (stored != rfc)
            fail_msg("rfc9111: %d", s);
        while (settings_made_n)
            settings_unref(settings_made[--settings_made_n]);
    }
    /* Without an explicit lifetime isr stores no error. */
    static const char *const vague[] = { "Cache-Control: public" ETAG,
                                         "Cache-Control: stale-while-revalidate=60",
                                         "Cache-Control: no-cache" ETAG, "Cache-Control: stale-if-error=60" };
    for (size_t i = 0; i < COUNT_OF(vague); i++) {
        reason_is(JUDGE(.site = ISR, .lines = vague[i], .status = 404), REASON_STATUS, vague[i]);
        reason_is(JUDGE(.site = ISR, .lines = vague[i], .status = 301), REASON_NONE, vague[i]);
        reason_is(JUDGE(.site = RFC, .lines = vague[i], .status = 404), REASON_NONE, vague[i]);
    }
    reason_is(JUDGE(.site = ISR, .lines = "Expires: Sun, 06 Nov 1994 08:50:37 GMT", .status = 404),
              REASON_NONE, "Expires");
}

/* 2.8: always stale, always refreshed in the background. */
static void r2_8_max_age_0_with_a_window(void **state)
{
    (void)state;
    static const char *const all[] = { "Cache-Control: max-age=0, stale-while-revalidate=60",
                                       "Netlify-CDN-Cache-Control: s-maxage=0, stale-while-revalidate=60" };
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        struct verdict *v = JUDGE(.site = ISR, .lines = all[i]);
        reason_is(v, REASON_NONE, all[i]);
        assert_int_equal(reuse_after(v, 0), REUSE_STALE);
        assert_int_equal(reuse_after(v, 60000), REUSE_STALE);
        assert_int_equal(reuse_after(v, 60001), REUSE_REVALIDATE);
    }
}

/* 2.9: s-maxage with a window; what voids windows in both profiles. */
static void r2_9_s_maxage_and_windows(void **state)
{
    (void)state;
    static const struct {
        const char *lines;
        bool isr, rfc;
    } rows[] = {
        { "Cache-Control: s-maxage=1, stale-while-revalidate=60, stale-if-error=70", true, false },
        { "CDN-Cache-Control: s-maxage=1, stale-while-revalidate=60, stale-if-error=70", true, false },
        { "Cache-Control: max-age=1, stale-while-revalidate=60, stale-if-error=70", true, true },
        { "Cache-Control: max-age=1, stale-while-revalidate=60, stale-if-error=70, must-revalidate", false,
          false },
        { "Cache-Control: max-age=1, stale-while-revalidate=60, stale-if-error=70, proxy-revalidate", false,
          false },
        { "Cache-Control: max-age=1, stale-while-revalidate=60, stale-if-error=70, no-cache", false, false },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        for (int p = 0; p < 2; p++) {
            struct verdict *v = JUDGE(.site = p ? RFC : ISR, .lines = rows[i].lines);
            bool holds = p ? rows[i].rfc : rows[i].isr;
            assert_true(v->store);
            assert_int_equal(v->fresh.never_stale, !holds);
            assert_int_equal(v->fresh.stale_while_ms, holds ? 60000 : 0);
            assert_int_equal(v->fresh.stale_error_ms, holds ? 70000 : 0);
            assert_int_equal(reuse_after(v, 1000), holds ? REUSE_STALE : REUSE_REVALIDATE);
            assert_int_equal(error_covered_after(v, 1000), holds);
        }
}

/* 2.10 */
static void r2_10_a_bare_window_is_a_year(void **state)
{
    (void)state;
    assert_int_equal(JUDGE(.site = ISR, .lines = "Cache-Control: s-maxage=1, stale-while-revalidate")
                         ->fresh.stale_while_ms,
                     31536000000);
    assert_int_equal(JUDGE(.site = ISR, .lines = "CDN-Cache-Control: s-maxage=1, stale-while-revalidate")
                         ->fresh.stale_while_ms,
                     31536000000);
    /* Not a number is no window, not an endless one. */
    assert_int_equal(JUDGE(.site = ISR, .lines = "Cache-Control: s-maxage=1, stale-while-revalidate=x")
                         ->fresh.stale_while_ms,
                     0);
    assert_int_equal(
        JUDGE(.site = ISR, .lines = "Cache-Control: s-maxage=1, stale-if-error")->fresh.stale_error_ms, 0);
}

/* 2.11: the origin answered from a stale copy. */
static void r2_11_nextjs_stale(void **state)
{
    (void)state;
    static const char lines[] =
        "Cache-Control: s-maxage=60, stale-while-revalidate=30\nx-nextjs-cache: STALE";
    struct verdict *v = JUDGE(.site = ISR, .lines = lines);
    assert_true(v->store);
    assert_int_equal(reuse_after(v, 0), REUSE_STALE);
    assert_int_equal(reuse_after(v, 30000), REUSE_STALE);
    assert_int_equal(reuse_after(v, 30001), REUSE_REVALIDATE);
    v = JUDGE(.site = ISR, .lines = "Cache-Control: s-maxage=60\nx-nextjs-cache: HIT");
    assert_int_equal(reuse_after(v, 59999), REUSE_FRESH);
}

static const char *tags_lines(const char *before, unsigned n, const char *field, unsigned ids)
{
    struct buf b = BUF_INIT;
    buf_printf(&b, "Cache-Control: max-age=60\n%s", before);
    for (unsigned i = 0; i < n; i++)
        buf_printf(&b, "%s%u", i ? "," : field, i);
    for (unsigned i = 0; i < ids; i++)
        buf_printf(&b, "%si%u", i ? "," : "\nNetlify-Cache-ID: ", i);
    buf_add_char(&b, '\0');
    const char *text = arena_dup(&arena, buf_str(&b)).p;
    buf_fini(&b);
    return text;
}

/* 2.13: a page that could not be purged must not stay. 500 tags and 500 cache IDs of 1024 bytes each. */
static void r2_13_tag_limits(void **state)
{
    (void)state;
    static const struct {
        unsigned tags, ids;
        enum reason reason;
    } rows[] = {
        { 500, 0, REASON_NONE },       { 501, 0, REASON_TAGS_LIMIT }, { 0, 500, REASON_NONE },
        { 0, 501, REASON_TAGS_LIMIT }, { 500, 500, REASON_NONE },     { 500, 501, REASON_TAGS_LIMIT },
        { 501, 1, REASON_TAGS_LIMIT },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct verdict *v =
            JUDGE(.site = ISR, .lines = tags_lines("", rows[i].tags, "Cache-Tag: ", rows[i].ids));
        reason_is(v, rows[i].reason, "so many tags");
        if (v->store)
            assert_int_equal(v->tags.n, rows[i].tags + rows[i].ids);
    }
    char tag[1026];
    memset(tag, 't', sizeof(tag));
    static const char *const fields[] = { "Cache-Tag", "Netlify-Cache-ID", "Netlify-Cache-Tag" };
    for (size_t i = 0; i < COUNT_OF(fields); i++) {
        struct str fits =
            arena_printf(&arena, "Cache-Control: max-age=60\n%s: a, %.*s ,b", fields[i], 1024, tag);
        struct str over =
            arena_printf(&arena, "Cache-Control: max-age=60\n%s: a, %.*s ,b", fields[i], 1025, tag);
        reason_is(JUDGE(.site = ISR, .lines = fits.p), REASON_NONE, "1024 bytes");
        reason_is(JUDGE(.site = ISR, .lines = over.p), REASON_TAGS_LIMIT, "1025 bytes");
    }
    /* Settings. */
    reason_is(JUDGE(.site = "tags: 0", .lines = "Cache-Control: max-age=60\nCache-Tag: a"), REASON_TAGS_LIMIT,
              "none allowed");
    reason_is(JUDGE(.site = "tags: 0", .lines = "Cache-Control: max-age=60"), REASON_NONE, "none there");
    reason_is(JUDGE(.site = "tag_bytes: 2", .lines = "Cache-Control: max-age=60\nCache-Tag: ab"), REASON_NONE,
              "2 bytes");
    reason_is(JUDGE(.site = "tag_bytes: 2", .lines = "Cache-Control: max-age=60\nCache-Tag: abc"),
              REASON_TAGS_LIMIT, "3 bytes");
}

/* The profile dev stores nothing and says what would have been stored. */
static void dev_would_store(void **state)
{
    (void)state;
    struct verdict *v =
        JUDGE(.site = "profile: dev", .lines = "Cache-Control: s-maxage=300\nCache-Tag: a, B");
    reason_is(v, REASON_DEV, "would be stored");
    assert_int_equal(v->fresh.lifetime_ms, 300000);
    assert_int_equal(v->tags.n, 2);
    reason_is(JUDGE(.site = "profile: dev", .lines = "Cache-Control: private"), REASON_PRIVATE, "would not");
}

/* ---- §3: how long ---- */

/* 3.1: which of them. */
static void r3_1_lifetimes(void **state)
{
    (void)state;
    static const struct lives rows[] = {
        { "Cache-Control: max-age=1, s-maxage=2", 2, 2 },
        { "Cache-Control: s-maxage=0, max-age=60" ETAG, 0, 0 },
        { AT "Expires: Sun, 06 Nov 1994 08:49:38 GMT", 1, 1 },
        { AT "Expires: Sun, 06 Nov 1994 08:49:37 GMT" ETAG, 0, 0 },
        { AT "Expires: Sun, 06 Nov 1994 08:49:36 GMT" ETAG, 0, 0 },
        { "Date: Sun, 06 Nov 1994 08:48:37 GMT\nExpires: Sun, 06 Nov 1994 08:49:37 GMT", 60, 60 },
        /* The three forms. */
        { AT "Expires: Sunday, 06-Nov-94 08:50:37 GMT", 60, 60 },
        { AT "Expires: Sun Nov  6 08:50:37 1994", 60, 60 },
        { AT "Expires: SUN, 06 nov 1994 08:50:37 gmt", 60, 60 },
        { AT "Expires: Sun, 06 Nov 9999 08:49:37 GMT", MOST_S, MOST_S },
        /* Nothing else. */
        { AT "Expires: Sun, 6 Nov 1994 08:50:37 GMT" ETAG, 0, 0 },
        { AT "Expires: Sun, 06 Nov 1994 08:50:37 UTC" ETAG, 0, 0 },
        { AT "Expires: 1994-11-06T08:50:37Z" ETAG, 0, 0 },
        { AT "Expires: -1" ETAG, 0, 0 },
        { AT "Expires:" ETAG, 0, 0 },
        /* Two lines, also equal ones: already expired. */
        { AT "Expires: Sun, 06 Nov 1994 08:50:37 GMT\nExpires: Sun, 06 Nov 1994 08:50:37 GMT" ETAG, 0, 0 },
        /* Date missing or invalid: the time of receipt. */
        { "Expires: Sun, 06 Nov 1994 08:50:37 GMT", 60, 60 },
        { "Date: today\nExpires: Sun, 06 Nov 1994 08:50:37 GMT", 60, 60 },
    };
    LIVES_FOR(rows);
}

/* 3.2: RFC 9111 §4.2.3. */
static void r3_2_age_on_arrival(void **state)
{
    (void)state;
    static const struct {
        const char *lines;
        int64_t delay_ms, age_ms;
    } rows[] = {
        { AT, 0, 0 },
        { "Age: 7", 0, 7000 },
        { "Age: 7", 250, 7250 },
        { "Age: 7", -250, 7000 },
        /* The origin's Date says when it was made; the larger of the two counts. */
        { "Date: Sun, 06 Nov 1994 08:49:07 GMT", 0, 30000 },
        { "Date: Sun, 06 Nov 1994 08:49:07 GMT\nAge: 7", 0, 30000 },
        { "Date: Sun, 06 Nov 1994 08:49:07 GMT\nAge: 31", 100, 31100 },
        { "Date: Sun, 06 Nov 1994 08:49:07 GMT", 5000, 30000 },
        { "Date: Sun, 06 Nov 1994 08:50:37 GMT", 0, 0 }, /* from the future */
        { "Date: Sun, 06 Nov 1904 08:49:37 GMT", 0, MOST_S * 1000 },
        { "Date: nonsense\nAge: 3", 0, 3000 },
        /* Digits only, the first member of the first line. */
        { "Age: 7, 8", 0, 7000 },
        { "Age: 7\nAge: 9", 0, 7000 },
        { "Age: x, 8", 0, 0 },
        { "Age: -7", 0, 0 },
        { "Age: 7.5", 0, 0 },
        { "Age: 7 8", 0, 0 },
        { "Age: \"7\"", 0, 0 },
        { "Age:", 0, 0 },
        { "Age: 2147483648", 0, MOST_S * 1000 },
        { "Age: 2147483649", 1000, MOST_S * 1000 },
        { "Age: 99999999999999999999999999", 1000, MOST_S * 1000 },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct verdict *v = JUDGE(.site = ISR, .lines = rows[i].lines, .delay_ms = rows[i].delay_ms);
        if (v->fresh.age_ms != rows[i].age_ms)
            fail_msg("%s, %lld ms: %lld instead of %lld", rows[i].lines, (long long)rows[i].delay_ms,
                     (long long)v->fresh.age_ms, (long long)rows[i].age_ms);
    }
    /* What arrives old has less left. */
    struct verdict *v = JUDGE(.site = ISR, .lines = "Cache-Control: max-age=60\nAge: 40");
    assert_int_equal(reuse_after(v, 19999), REUSE_FRESH);
    assert_int_equal(reuse_after(v, 20000), REUSE_REVALIDATE);
}

/* 3.2, 3.3: time that passed; a worker's clock that is read a moment earlier makes nothing younger. */
static void r3_3_age_in_the_store(void **state)
{
    (void)state;
    struct freshness f = { .lifetime_ms = 60000, .age_ms = 5000 };
    struct age age = policy_age(&f, 0, -1);
    assert_int_equal(age.age_ms, 5000);
    assert_int_equal(age.stale_ms, -55000);
    age = policy_age(&f, 55000, -1);
    assert_int_equal(age.age_ms, 60000);
    assert_int_equal(age.stale_ms, 0);
    age = policy_age(&f, -20, -1);
    assert_int_equal(age.age_ms, 5000);
    f.age_ms = 0;
    age = policy_age(&f, -20, -1);
    assert_int_equal(age.age_ms, 0);
}

/* 5.3: a soft purge makes stale from then on, and never lengthens a life. */
static void r5_3_soft_purges(void **state)
{
    (void)state;
    struct freshness f = { .lifetime_ms = 60000, .age_ms = 0, .stale_while_ms = 10000 };
    assert_int_equal(policy_age(&f, 1000, 0).stale_ms, 0);
    assert_int_equal(policy_age(&f, 1000, 500).stale_ms, 500);
    assert_int_equal(policy_age(&f, 1000, 500).age_ms, 1000);
    /* It was stale for longer already. */
    assert_int_equal(policy_age(&f, 69000, 500).stale_ms, 9000);
    assert_int_equal(policy_reuse(&f, policy_age(&f, 1000, 0), false, &no_directives), REUSE_STALE);
    assert_int_equal(policy_reuse(&f, policy_age(&f, 1000, 10000), false, &no_directives), REUSE_STALE);
    assert_int_equal(policy_reuse(&f, policy_age(&f, 1000, 10001), false, &no_directives), REUSE_REVALIDATE);
    f.stale_while_ms = 0;
    assert_int_equal(policy_reuse(&f, policy_age(&f, 1000, 0), false, &no_directives), REUSE_REVALIDATE);
}

/* 3.4: fresh, then stale and refreshed behind the visitor's back, then wait. */
static void r3_4_stale_while_revalidate(void **state)
{
    (void)state;
    struct verdict *v = JUDGE(.site = ISR, .lines = "Cache-Control: s-maxage=60, stale-while-revalidate=30");
    assert_int_equal(reuse_after(v, 0), REUSE_FRESH);
    assert_int_equal(reuse_after(v, 59999), REUSE_FRESH);
    assert_int_equal(reuse_after(v, 60000), REUSE_STALE);
    assert_int_equal(reuse_after(v, 90000), REUSE_STALE);
    assert_int_equal(reuse_after(v, 90001), REUSE_REVALIDATE);
    v = JUDGE(.site = ISR, .lines = "Cache-Control: s-maxage=60");
    assert_int_equal(reuse_after(v, 59999), REUSE_FRESH);
    assert_int_equal(reuse_after(v, 60000), REUSE_REVALIDATE);
    v = JUDGE(.site = ISR, .lines = "Cache-Control: s-maxage=60, stale-while-revalidate=99999999999");
    assert_int_equal(v->fresh.stale_while_ms, MOST_S * 1000);
    assert_int_equal(reuse_after(v, MOST_S * 1000), REUSE_STALE);
    /* 5.5: what an unsafe method invalidated is asked for, however fresh. */
    assert_int_equal(policy_reuse(&v->fresh, policy_age(&v->fresh, 0, -1), true, &no_directives),
                     REUSE_REVALIDATE);
    assert_false(policy_stale_on_error(&v->fresh, policy_age(&v->fresh, 0, -1), true, &no_directives));
}

/* 3.5: when the origin fails. */
static void r3_5_stale_if_error(void **state)
{
    (void)state;
    static const struct {
        const char *lines;
        int64_t isr_ms, rfc_ms; /* how long after the lifetime of 60 s; -1: never */
    } rows[] = {
        { "Cache-Control: max-age=60, stale-if-error=20", 20000, 20000 },
        /* The longer of the two. */
        { "Cache-Control: max-age=60, stale-if-error=20, stale-while-revalidate=30", 30000, 30000 },
        { "Cache-Control: max-age=60, stale-if-error=40, stale-while-revalidate=30", 40000, 40000 },
        { "Cache-Control: max-age=60, stale-while-revalidate=30", 30000, MOST_S * 1000 },
        { "Cache-Control: max-age=60", -1, MOST_S * 1000 },
        { "Cache-Control: max-age=60, stale-if-error=0", -1, -1 },
        { "Cache-Control: max-age=60, stale-if-error=20, must-revalidate", -1, -1 },
        { "Cache-Control: s-maxage=60, stale-if-error=20", 20000, -1 },
        { "Cache-Control: s-maxage=60", -1, -1 },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        for (int p = 0; p < 2; p++) {
            struct verdict *v = JUDGE(.site = p ? RFC : ISR, .lines = rows[i].lines);
            int64_t window = p ? rows[i].rfc_ms : rows[i].isr_ms;
            bool at_once = error_covered_after(v, 60000), last = error_covered_after(v, 60000 + window),
                 beyond = error_covered_after(v, 60001 + window);
            if (at_once != (window >= 0) || (window >= 0 && (!last || beyond)))
                fail_msg("%s, %s", p ? RFC : ISR, rows[i].lines);
        }
    /* The request may allow more (rfc9111). */
    struct directives asks = no_directives;
    asks.stale_if_error = 100;
    struct verdict *v = JUDGE(.site = ISR, .lines = "Cache-Control: max-age=60, stale-if-error=20");
    assert_true(policy_stale_on_error(&v->fresh, policy_age(&v->fresh, 160000, -1), false, &asks));
    assert_false(policy_stale_on_error(&v->fresh, policy_age(&v->fresh, 160001, -1), false, &asks));
    asks.stale_if_error = 10;
    assert_true(policy_stale_on_error(&v->fresh, policy_age(&v->fresh, 80000, -1), false, &asks));
    /* Never what must be asked for. */
    asks.no_cache = true;
    assert_false(policy_stale_on_error(&v->fresh, policy_age(&v->fresh, 60000, -1), false, &asks));
    for (int s = 100; s < 600; s++)
        assert_int_equal(policy_status_is_failure(s), s == 500 || s == 502 || s == 503 || s == 504);
}

/* ---- 6.6: what the request says ---- */

static struct directives request_directives(const char *site, const char *lines)
{
    struct directives d;
    policy_request_directives(site_of(site), fields_of(lines), &d);
    return d;
}

static void r6_6_requests_do_not_bust_the_cache(void **state)
{
    (void)state;
    struct directives d =
        request_directives(ISR, "Cache-Control: no-cache, no-store, max-age=0, max-stale, min-fresh=9");
    assert_memory_equal(&d, &no_directives, sizeof(d));
    d = request_directives(ISR, "Pragma: no-cache");
    assert_false(d.no_cache);
    /* only-if-cached apart. */
    d = request_directives(ISR, "Cache-Control: max-age=0, Only-If-Cached");
    assert_true(d.only_if_cached);
    assert_false(d.no_cache);
    assert_int_equal(d.max_age, DELTA_NONE);
}

static void r6_6_rfc9111_honours_requests(void **state)
{
    (void)state;
    struct directives d = request_directives(
        RFC, "Cache-Control: no-cache, only-if-cached, max-age=5, max-stale=6, min-fresh=7");
    assert_true(d.no_cache && d.only_if_cached);
    assert_int_equal(d.max_age, 5);
    assert_int_equal(d.max_stale, 6);
    assert_int_equal(d.min_fresh, 7);
    assert_true(request_directives(RFC, "Cache-Control: no-store").no_store);
    assert_int_equal(request_directives(RFC, "Cache-Control: max-stale").max_stale, DELTA_ANY);
    /* RFC 9111 §5.4: Pragma counts when there is no Cache-Control. */
    assert_true(request_directives(RFC, "Pragma: x, No-Cache").no_cache);
    assert_false(request_directives(RFC, "Pragma: no-cache\nCache-Control: max-age=60").no_cache);
    assert_false(request_directives(RFC, "Pragma: x").no_cache);
}

static enum reuse asked(const struct freshness *f, int64_t age_ms, const char *lines)
{
    struct directives d = request_directives(RFC, lines);
    return policy_reuse(f, policy_age(f, age_ms, -1), false, &d);
}

static void r6_6_reuse_as_asked_for(void **state)
{
    (void)state;
    struct freshness f = { .lifetime_ms = 60000 };
    assert_int_equal(asked(&f, 0, "Cache-Control: no-cache"), REUSE_REVALIDATE);
    assert_int_equal(asked(&f, 5000, "Cache-Control: max-age=5"), REUSE_FRESH);
    assert_int_equal(asked(&f, 5001, "Cache-Control: max-age=5"), REUSE_REVALIDATE);
    assert_int_equal(asked(&f, 55000, "Cache-Control: min-fresh=5"), REUSE_FRESH);
    assert_int_equal(asked(&f, 55001, "Cache-Control: min-fresh=5"), REUSE_REVALIDATE);
    assert_int_equal(asked(&f, 65000, "Cache-Control: max-stale=5"), REUSE_FRESH);
    assert_int_equal(asked(&f, 65001, "Cache-Control: max-stale=5"), REUSE_REVALIDATE);
    assert_int_equal(asked(&f, 9999999, "Cache-Control: max-stale"), REUSE_FRESH);
    assert_int_equal(asked(&f, 60000, "Cache-Control: max-stale=x"), REUSE_REVALIDATE);
    f.never_stale = true;
    assert_int_equal(asked(&f, 59999, "Cache-Control: max-stale"), REUSE_FRESH);
    assert_int_equal(asked(&f, 60000, "Cache-Control: max-stale"), REUSE_REVALIDATE);
    f = (struct freshness){ .lifetime_ms = 60000, .stale_while_ms = 10000 };
    assert_int_equal(asked(&f, 60000, "Cache-Control: max-stale=5"), REUSE_STALE);
    assert_int_equal(asked(&f, 60000, "Cache-Control: max-age=61"), REUSE_STALE);
}

/* ---- 4.5, 4.6: the rule ---- */

static struct rule *rule_with(const char *lines)
{
    struct rule *rule;
    assert_int_equal(rule_of_response(fields_of(lines), NULL, true, &arena, &rule), RULE_OK);
    return rule;
}

static void r4_6_the_rule_after_an_answer(void **state)
{
    (void)state;
#define STORE "Cache-Control: max-age=60\n"
    struct verdict *v = JUDGE(.site = ISR, .lines = STORE "Vary: Cookie");
    assert_true(v->store && v->rule_changed);
    assert_str(rule_text(v->rule), "vary: cookie");
    v = JUDGE(.site = ISR, .lines = "Cache-Control: max-age=60");
    assert_true(v->store && !v->rule_changed);
    assert_null(v->rule);

    struct rule *known = rule_with("Vary: Cookie\nNetlify-Vary: query=a");
    /* Without the field it inherits; with it the part is new. */
    v = JUDGE(.site = ISR, .lines = "Cache-Control: max-age=60", .known = known);
    assert_ptr_equal(v->rule, known);
    assert_false(v->rule_changed);
    v = JUDGE(.site = ISR, .lines = STORE "Vary: X-A", .known = known);
    assert_str(rule_text(v->rule), "query=a; vary: x-a");
    assert_true(v->rule_changed);
    /* Learnt also when the answer may not be stored. */
    v = JUDGE(.site = ISR, .lines = "Cache-Control: no-store\nVary: X-A", .known = known);
    assert_false(v->store);
    assert_true(v->rule_changed);
    /* Another status than 2xx is stored under the known rule, if it names no more. */
    v = JUDGE(.site = ISR, .lines = STORE "Vary: Cookie", .known = known, .status = 404);
    reason_is(v, REASON_NONE, "names the same");
    assert_ptr_equal(v->rule, known);
    v = JUDGE(.site = ISR, .lines = STORE "Vary: X-A", .known = known, .status = 404);
    reason_is(v, REASON_VARY_CONFLICT, "names more");
    assert_ptr_equal(v->rule, known);
    assert_false(v->rule_changed);
    reason_is(JUDGE(.site = ISR, .lines = STORE "Vary: Cookie", .status = 301), REASON_VARY_CONFLICT,
              "the default rule of a 2xx");
    rule_unref(known);
}

/* As long as no 2xx has brought a rule, any status brings its own; a 2xx takes nothing over. */
static void r4_6_where_no_rule_of_a_2xx_is_known(void **state)
{
    (void)state;
    struct verdict *v = JUDGE(.site = ISR, .lines = STORE "Vary: Cookie", .status = 301, .provisional = true);
    reason_is(v, REASON_NONE, "nothing known");
    assert_true(v->rule_changed);
    assert_str(rule_text(v->rule), "vary: cookie");
    v = JUDGE(.site = ISR, .lines = STORE "Netlify-Vary: query=a", .status = 404, .query = "b=1",
              .provisional = true);
    reason_is(v, REASON_UNKEYED_QUERY, "parameters that its rule leaves out");
    assert_str(rule_text(v->rule), "query=a");

    struct rule *known = rule_with("Vary: Cookie, X-A");
    static const char *const no_more[] = { "", "Vary: Cookie", "Vary: X-A, Cookie" };
    for (size_t i = 0; i < COUNT_OF(no_more); i++) {
        const char *lines = arena_printf(&arena, STORE "%s", no_more[i]).p;
        v = JUDGE(.site = ISR, .lines = lines, .known = known, .status = 404, .provisional = true);
        reason_is(v, REASON_NONE, no_more[i]);
        assert_ptr_equal(v->rule, known);
        assert_false(v->rule_changed);
    }
    v = JUDGE(.site = ISR, .lines = STORE "Vary: X-B", .known = known, .status = 404, .provisional = true);
    reason_is(v, REASON_NONE, "names more");
    assert_str(rule_text(v->rule), "vary: x-b");

    v = JUDGE(.site = ISR, .lines = "Cache-Control: max-age=60", .known = known, .provisional = true);
    assert_true(v->store && v->rule_changed);
    assert_null(v->rule);
    /* The same rule, and from now on it is a 2xx's. */
    v = JUDGE(.site = ISR, .lines = STORE "Vary: Cookie, X-A", .known = known, .provisional = true);
    assert_true(rule_equal(v->rule, known) && v->rule_changed);
    rule_unref(known);
}

static void r4_5_parameters_that_the_rule_leaves_out(void **state)
{
    (void)state;
    static const char lines[] = STORE "Netlify-Vary: query=a";
    reason_is(JUDGE(.site = ISR, .lines = lines, .query = "a=1"), REASON_NONE, "listed");
    reason_is(JUDGE(.site = ISR, .lines = lines), REASON_NONE, "no query");
    struct verdict *v = JUDGE(.site = ISR, .lines = lines, .query = "a=1&b=2");
    reason_is(v, REASON_UNKEYED_QUERY, "left out");
    assert_true(v->rule_changed);
    reason_is(JUDGE(.site = "unkeyed_query: forward", .lines = lines, .query = "a=1&b=2"), REASON_NONE,
              "forward");
    reason_is(JUDGE(.site = RFC, .lines = lines, .query = "b=2"), REASON_NONE, "rfc9111");
    reason_is(JUDGE(.site = ISR, .lines = STORE "Netlify-Vary: query", .query = "b=2"), REASON_NONE,
              "the whole query");
}

static void r4_5_cookies_that_the_rule_leaves_out(void **state)
{
    (void)state;
    static const char named[] = STORE "Netlify-Vary: cookie=a|b:presence";
    static const struct {
        const char *lines, *cookie;
        bool stored;
    } rows[] = {
        { STORE, "", true },
        { STORE, "Cookie: a=1", false },
        { STORE, "Cookie: ;", true },
        { STORE, "Cookie: a", false },
        { named, "Cookie: a=1", true },
        { named, "Cookie: a=1; b=2; a=3", true },
        { named, "Cookie: a=1; c=2", false },
        { named, "Cookie: a=1\nCookie: c=2", false },
        { named, "Cookie: A=1", false },
        { STORE "Vary: Cookie", "Cookie: c=2", true },
        { STORE "Vary: Accept-Encoding", "Cookie: c=2", false },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct verdict *v = JUDGE(.site = ISR, .lines = rows[i].lines, .request = rows[i].cookie);
        reason_is(v, rows[i].stored ? REASON_NONE : REASON_UNKEYED_COOKIE, rows[i].cookie);
        reason_is(JUDGE(.site = RFC, .lines = rows[i].lines, .request = rows[i].cookie), REASON_NONE,
                  "rfc9111");
    }
    reason_is(JUDGE(.site = "unkeyed_cookies: forward", .lines = STORE, .request = "Cookie: a=1"),
              REASON_NONE, "forward");
    /* What forbids storing says more. */
    reason_is(JUDGE(.site = ISR, .lines = "Cache-Control: private", .request = "Cookie: a=1"), REASON_PRIVATE,
              "private");
}

#define ASSET "Cache-Control: public, max-age=31536000, immutable\nContent-Type: text/javascript"

static void r2_14_assets(void **state)
{
    (void)state;
    static const struct {
        const char *path, *lines, *request;
        int status;
        bool is;
    } rows[] = {
        { "/a.js", ASSET, "", 200, true },
        { "/a.js", ASSET "\nVary: Accept-Encoding, Origin", "", 200, true },
        { "/a.js", ASSET "\nVary: Cookie", "", 200, false },
        { "/a.js", ASSET "\nNetlify-Vary: cookie=a", "", 200, false },
        { "/a.js", ASSET "\nSet-Cookie: a=1", "", 200, false },
        { "/a.js", ASSET, "Authorization: Basic eA==", 200, false },
        { "/a.js", "CDN-Cache-Control: max-age=60\nCache-Control: private, immutable\nContent-Type: text/css",
          "", 200, false },
        { "/a.js", ASSET, "", 404, false },
        { "/a.js", ASSET, "", 206, false },
        { "/a.js", "Cache-Control: immutable", "", 200, false }, /* of no type */
        { "/a", "Cache-Control: immutable\nContent-Type: text/html; charset=utf-8", "", 200, false },
        { "/a", "Cache-Control: immutable\nContent-Type: TEXT/X-COMPONENT", "", 200, false },
        { "/a.json", "Cache-Control: immutable\nContent-Type: application/json", "", 200, false },
        { "/_nuxt/builds/meta/1.json", "Cache-Control: immutable\nContent-Type: application/json", "", 200,
          true },
        { "/_nuxt/builds/latest.json", "Cache-Control: immutable\nContent-Type: text/plain", "", 200, false },
        { "/_app/version.json", ASSET, "", 200, false },
        { "/__manifest", ASSET, "", 200, false },
        { "/sw.js", ASSET, "", 200, false },
        { "/a.js", "Cache-Control: max-age=31536000\nContent-Type: text/css", "", 200, false },
        { "/assets/a.css", "Cache-Control: max-age=2592000\nContent-Type: text/css", "", 200, true },
        { "/assets/a.css", "Cache-Control: max-age=2591999\nContent-Type: text/css", "", 200, false },
        { "/base/_astro/a.css", "Cache-Control: max-age=2592000\nContent-Type: text/css", "", 200, true },
        { "/base/assets/a.css", "Cache-Control: max-age=2592000\nContent-Type: text/css", "", 200, false },
        { "/assets", "Cache-Control: max-age=2592000\nContent-Type: text/css", "", 200, false },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct verdict *v = JUDGE(.site = ISR, .path = rows[i].path, .lines = rows[i].lines,
                                  .request = rows[i].request, .status = rows[i].status);
        if (v->is_asset != rows[i].is)
            fail_msg("%s: %s, %s", rows[i].path, rows[i].lines, rows[i].request);
    }
    assert_false(JUDGE(.site = ISR, .lines = ASSET, .has_method = true, .method = METHOD_HEAD)->is_asset);
}

static void r2_14_somebody(void **state)
{
    (void)state;
    reason_is(JUDGE(.site = ISR, .lines = STORE, .bypass = true), REASON_BYPASS_COOKIE, "a page");
    reason_is(JUDGE(.site = ISR, .lines = STORE, .bypass = true, .request = "Cookie: a=1"),
              REASON_BYPASS_COOKIE, "whatever cookies he has");
    reason_is(JUDGE(.site = ISR, .lines = "Cache-Control: private", .bypass = true), REASON_PRIVATE,
              "private");
    reason_is(
        JUDGE(.site = ISR, .path = "/_astro/a.js", .lines = ASSET, .bypass = true, .request = "Cookie: a=1"),
        REASON_NONE, "a build's asset");
    reason_is(JUDGE(.site = ISR, .path = "/a.js", .lines = ASSET, .request = "Cookie: a=1"),
              REASON_UNKEYED_COOKIE, "an asset that no build made");
}

static void r2_3_private_vetoes(void **state)
{
    (void)state;
    static const char both[] = "CDN-Cache-Control: max-age=60\nCache-Control: private";
    struct verdict *v = JUDGE(.site = ISR, .lines = both);
    reason_is(v, REASON_NONE, "the targeted field rules");
    assert_true(v->overrules);
    reason_is(JUDGE(.site = "private_vetoes: true", .lines = both), REASON_PRIVATE_VETO, "private");
    reason_is(JUDGE(.site = "private_vetoes: true",
                    .lines = "CDN-Cache-Control: max-age=60\nCache-Control: no-store"),
              REASON_PRIVATE_VETO, "no-store");
    v = JUDGE(.site = "private_vetoes: true",
              .lines = "CDN-Cache-Control: max-age=60\nCache-Control: no-cache");
    reason_is(v, REASON_NONE, "no-cache");
    assert_false(v->overrules);
    reason_is(JUDGE(.site = "private_vetoes: true",
                    .lines = "CDN-Cache-Control: private\nCache-Control: max-age=60"),
              REASON_PRIVATE, "the targeted field itself");
}

static void r4_counts_headers_that_are_not_varied_on(void **state)
{
    (void)state;
    assert_int_equal(
        JUDGE(.site = ISR, .lines = STORE "Netlify-Vary: header=Accept|X-A|User-Agent")->vary_ignored, 2);
    assert_int_equal(JUDGE(.site = ISR, .lines = STORE "Vary: X")->vary_ignored, 0);
}

/* ---- 5.1, 5.2: tags and groups ---- */

static void tags_are(const char *site, const char *lines, const char *expected)
{
    struct str text = arena_printf(&arena, STORE "%s", lines);
    struct verdict *v = JUDGE(.site = site, .lines = text.p);
    struct buf b = BUF_INIT;
    reason_is(v, REASON_NONE, lines);
    for (size_t i = 0; i < v->tags.n; i++)
        buf_printf(&b, "%s%.*s", i ? "|" : "", STR_ARG(v->tags.v[i]));
    for (size_t i = 0; i < v->groups.n; i++)
        buf_printf(&b, "|group %.*s", STR_ARG(v->groups.v[i]));
    if (!str_eq(buf_str(&b), str_from(expected)))
        fail_msg("%s: %.*s", lines, STR_ARG(buf_str(&b)));
    buf_fini(&b);
}

static void r5_1_tags(void **state)
{
    (void)state;
    tags_are(ISR, "Cache-Tag: Book-1,books , a b ,,gr\xc3\xbcn", "book-1|books|a b|gr\xc3\xbcn");
    tags_are(ISR, "Cache-Tag: a\nCache-Tag: b", "a|b");
    /* Not merged. */
    tags_are(ISR, "Cache-Tag: a\nNetlify-Cache-Tag: b", "b");
    tags_are(ISR, "X: 1", "");
    tags_are("tag_headers: [\"Surrogate-Key:space\"]", "Surrogate-Key: a  b,c\td\nCache-Tag: x", "a|b,c|d");
    tags_are("tag_headers: [\"xkey:either\"]", "xkey: a b,c , d\nXKEY: e", "a|b|c|d|e");
    tags_are("tag_headers: [Cache-Tag, Edge-Tag]", "edge-tag: a b, C", "a b|c");
    tags_are("tag_headers: []", "Cache-Tag: a", "");
}

static void r5_2_ids_and_groups(void **state)
{
    (void)state;
    tags_are(ISR, "Netlify-Cache-ID: P1, p2\nCache-Tag: t", "t|p1|p2");
    tags_are(ISR, "Cache-Groups: \"Scripts\", \"a\";x=1, token, 5", "|group Scripts|group a");
    tags_are(ISR, "Cache-Groups: \"a\"\nCache-Groups: \"b\"", "|group a|group b");
    tags_are(ISR, "Cache-Groups: \"a", ""); /* does not parse */
    struct buf b = BUF_INIT;
    buf_printf(&b, STORE "Cache-Groups: \"g\"");
    for (int i = 1; i < 65; i++)
        buf_printf(&b, ", \"g%d\"", i);
    buf_add_char(&b, '\0');
    reason_is(JUDGE(.site = ISR, .lines = b.p), REASON_TAGS_LIMIT, "65 groups");
    buf_fini(&b);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, free_all)
    const struct CMUnitTest tests[] = {
        T(r1_1_the_first_header_rules_alone),
        T(r1_1_the_list_is_a_setting),
        T(r1_1_expires_gives_what_cache_control_does_not),
        T(r1_2_targeted_fields_are_dictionaries),
        T(r1_2_a_broken_targeted_field_is_told),
        T(r1_2_a_broken_targeted_field_still_forbids),
        T(r1_3_cache_control),
        T(r2_1_methods),
        T(r2_2_permission),
        T(r2_2_heuristics),
        T(r2_3_never),
        T(r2_4_no_cache),
        T(r2_5_authorization),
        T(r4_9_long_lists_only_forbid),
        T(r2_6_cookies),
        T(r2_7_statuses),
        T(r2_8_max_age_0_with_a_window),
        T(r2_9_s_maxage_and_windows),
        T(r2_10_a_bare_window_is_a_year),
        T(r2_11_nextjs_stale),
        T(r2_13_tag_limits),
        T(dev_would_store),
        T(r3_1_lifetimes),
        T(r3_2_age_on_arrival),
        T(r3_3_age_in_the_store),
        T(r5_3_soft_purges),
        T(r3_4_stale_while_revalidate),
        T(r3_5_stale_if_error),
        T(r6_6_requests_do_not_bust_the_cache),
        T(r6_6_rfc9111_honours_requests),
        T(r6_6_reuse_as_asked_for),
        T(r4_6_the_rule_after_an_answer),
        T(r4_6_where_no_rule_of_a_2xx_is_known),
        T(r4_5_cookies_that_the_rule_leaves_out),
        T(r2_14_assets),
        T(r2_14_somebody),
        T(r2_3_private_vetoes),
        T(r4_5_parameters_that_the_rule_leaves_out),
        T(r4_counts_headers_that_are_not_varied_on),
        T(r5_1_tags),
        T(r5_2_ids_and_groups),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
