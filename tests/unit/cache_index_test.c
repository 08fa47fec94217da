/* A look-up has one answer, whatever is stored, runs or was purged; what is replaced, purged or evicted
 * leaves nothing behind; and threads that look, publish, purge and evict at once see nothing that they must
 * not. */
#include "cache_world.h"

#include <pthread.h>

#include "cache/room.h"
#include "cache/sweep.h"

static struct rule *rule_with(const char *lines)
{
    struct rule *rule;
    assert_int_equal(rule_of_response(fields_of(lines), NULL, true, &arena, &rule), RULE_OK);
    return rule;
}

static const struct page minute = { .body_bytes = 10 };

static void names_outcomes(void **state)
{
    (void)state;
    assert_str(outcome_name(OUTCOME_HIT), "hit");
    assert_str(outcome_name(OUTCOME_STALE_JOIN), "stale-join");
    assert_str(outcome_name(OUTCOME_PASS), "pass");
}

/* ---- outcomes ---- */

static void miss_join_hit(void **state)
{
    (void)state;
    struct look l = look_of("/a");
    struct found first = look_as(&l, OUTCOME_MISS);
    assert_null(first.stored);
    assert_int_equal(object_state(first.busy), OBJECT_NEW);
    assert_int_equal(first.busy->begin, l.latest);
    assert_false(first.known);
    /* Others wait for it, in every state that it has until it is there. */
    struct found second = look("/a", OUTCOME_JOIN);
    assert_ptr_equal(second.busy, first.busy);
    assert_null(second.stored);
    found_drop(&second);
    index_settle(first.busy, &l.place, NULL);
    object_answer(first.busy, &minute);
    second = look("/a", OUTCOME_JOIN);
    assert_ptr_equal(second.busy, first.busy);
    found_drop(&second);
    assert_int_equal(cache->objects, 0);
    object_seal(first.busy, false);
    assert_true(index_publish(first.busy, &l.place, 1024, now.mono_ms));
    assert_int_equal(cache->objects, 1);
    second = look("/a", OUTCOME_HIT);
    assert_ptr_equal(second.stored, first.busy);
    assert_null(second.busy);
    assert_true(second.known);
    assert_int_equal(second.age.stale_ms, -60000);
    found_drop(&second);
    found_drop(&first);
    looks("/b", OUTCOME_MISS);
}

/* Sealed and not yet published: it is what it will be. */
static void a_sealed_one_is_a_hit_at_once(void **state)
{
    (void)state;
    struct look l = look_of("/a");
    struct found f = look_as(&l, OUTCOME_MISS);
    index_settle(f.busy, &l.place, NULL);
    object_answer(f.busy, &minute);
    object_seal(f.busy, false);
    looks("/a", OUTCOME_HIT);
    assert_true(index_publish(f.busy, &l.place, 1024, now.mono_ms));
    looks("/a", OUTCOME_HIT);
    found_drop(&f);
}

static void a_failed_fetch_is_gone(void **state)
{
    (void)state;
    struct found f = look("/a", OUTCOME_MISS);
    index_withdraw(f.busy);
    object_fail(f.busy, REASON_CONNECT_FAILED, 502);
    found_drop(&f);
    f = look("/a", OUTCOME_MISS);
    /* Also between the failure and its withdrawal. */
    object_fail(f.busy, REASON_CONNECT_FAILED, 502);
    struct found other = look("/a", OUTCOME_MISS);
    assert_ptr_not_equal(other.busy, f.busy);
    index_withdraw(f.busy);
    found_drop(&f);
    found_drop(&other);
}

static void stale_is_served_and_refreshed_once(void **state)
{
    (void)state;
    store("/a", &(struct page){ .stale_while_ms = 10000 });
    now.mono_ms += 60000;
    struct look l = look_of("/a");
    struct found f = look_as(&l, OUTCOME_STALE), other = look("/a", OUTCOME_STALE_JOIN);
    assert_non_null(f.stored);
    assert_non_null(f.busy);
    assert_int_equal(f.age.stale_ms, 0);
    assert_ptr_equal(other.stored, f.stored);
    assert_null(other.busy);
    assert_false(other.backing_off);
    found_drop(&other);
    /* The refresh failed: nobody tries again for a while. */
    index_withdraw(f.busy);
    object_fail(f.busy, REASON_CONNECT_FAILED, 502);
    object_set_next_refresh(f.stored, now.mono_ms + 5000);
    other = look("/a", OUTCOME_STALE_JOIN);
    assert_true(other.backing_off);
    found_drop(&other);
    now.mono_ms += 4999;
    looks("/a", OUTCOME_STALE_JOIN);
    now.mono_ms += 1;
    found_drop(&f);
    /* The next one brings a fresh page. */
    l = look_of("/a");
    f = look_as(&l, OUTCOME_STALE);
    assert_true(object_store(f.busy, &l.place, &minute));
    f.busy = NULL;
    other = look("/a", OUTCOME_HIT);
    assert_ptr_not_equal(other.stored, f.stored);
    found_drop(&other);
    found_drop(&f);
    assert_int_equal(cache->objects, 1);
}

/* A request that starts nothing is served what is stale all the same. */
static void stale_without_a_refresh(void **state)
{
    (void)state;
    store("/a", &(struct page){ .stale_while_ms = 10000 });
    now.mono_ms += 60000;
    struct look l = look_of("/a");
    l.may_fetch = false;
    struct found f = look_as(&l, OUTCOME_STALE_JOIN);
    assert_false(f.backing_off);
    assert_null(f.busy);
    found_drop(&f);
    looks("/a", OUTCOME_STALE);
}

static void expired_waits_for_one_fetch(void **state)
{
    (void)state;
    store("/a", &(struct page){ .stale_while_ms = 10000 });
    now.mono_ms += 70001;
    struct look l = look_of("/a");
    struct found f = look_as(&l, OUTCOME_EXPIRED), other = look("/a", OUTCOME_JOIN);
    assert_non_null(f.stored);
    assert_int_equal(f.age.stale_ms, 10001);
    assert_ptr_equal(other.busy, f.busy);
    assert_ptr_equal(other.stored, f.stored); /* for when the origin fails */
    found_drop(&other);
    assert_true(object_store(f.busy, &l.place, &minute));
    f.busy = NULL;
    found_drop(&f);
    looks("/a", OUTCOME_HIT);
}

static void always_revalidated(void **state)
{
    (void)state;
    store("/a", &(struct page){ .always_revalidate = true });
    looks("/a", OUTCOME_EXPIRED);
}

/* What the request says (rfc9111). */
static void by_the_requests_directives(void **state)
{
    (void)state;
    struct directives d = no_directives;
    store("/a", &(struct page){ .lifetime_ms = 60000 });
    struct look l = look_of("/a");
    l.request = &d;
    now.mono_ms += 5001;
    l.now = now;
    d.max_age = 5;
    struct found f = look_as(&l, OUTCOME_EXPIRED);
    index_withdraw(f.busy);
    found_drop(&f);
    d.max_age = 6;
    f = look_as(&l, OUTCOME_HIT);
    found_drop(&f);
    d.max_age = DELTA_NONE;
    d.no_cache = true;
    f = look_as(&l, OUTCOME_EXPIRED);
    index_withdraw(f.busy);
    found_drop(&f);
}

static void pass_creates_nothing(void **state)
{
    (void)state;
    int64_t families = cache->families;
    struct look l = look_of("/a");
    l.may_fetch = false;
    struct found f = look_as(&l, OUTCOME_PASS);
    assert_true(!f.busy && !f.stored && !f.known);
    found_drop(&f);
    l.may_fetch = true;
    l.authorization = true; /* not announced: nobody could join */
    f = look_as(&l, OUTCOME_PASS);
    assert_null(f.busy);
    found_drop(&f);
    l.authorization = false;
    l.may_join = false; /* it goes alone */
    f = look_as(&l, OUTCOME_PASS);
    found_drop(&f);
    assert_int_equal(cache->families, families);
    looks("/a", OUTCOME_MISS);
}

static void authorization_joins_only_what_is_for_all(void **state)
{
    (void)state;
    struct look l = look_of("/a");
    struct found f = look_as(&l, OUTCOME_MISS), other;
    l.authorization = true;
    other = look_as(&l, OUTCOME_PASS);
    found_drop(&other);
    index_settle(f.busy, &l.place, NULL);
    object_answer(f.busy, &minute);
    other = look_as(&l, OUTCOME_JOIN);
    found_drop(&other);
    object_seal(f.busy, false);
    assert_true(index_publish(f.busy, &l.place, 1024, now.mono_ms));
    other = look_as(&l, OUTCOME_HIT);
    found_drop(&other);
    found_drop(&f);
    /* It may revalidate what is stored, on its own. */
    now.mono_ms += 60000;
    l.now = now;
    other = look_as(&l, OUTCOME_PASS);
    assert_non_null(other.stored);
    assert_null(other.busy);
    found_drop(&other);
}

static void nobody_joins_what_is_closed(void **state)
{
    (void)state;
    struct found f = look("/a", OUTCOME_MISS), other;
    object_close(f.busy);
    other = look("/a", OUTCOME_PASS);
    assert_null(other.busy);
    found_drop(&other);
    index_withdraw(f.busy);
    found_drop(&f);
    looks("/a", OUTCOME_MISS);
}

static void nobody_joins_what_is_not_stored(void **state)
{
    (void)state;
    struct found f = look("/a", OUTCOME_MISS);
    object_answer(f.busy, &(struct page){ .not_stored = true });
    looks("/a", OUTCOME_PASS);
    index_withdraw(f.busy);
    found_drop(&f);
}

/* Found by the simulated world: seed 1018 of its first day. */
static void nobody_joins_what_expires_before_it_is_whole(void **state)
{
    (void)state;
    struct look l = look_of("/a");
    struct found first = look_as(&l, OUTCOME_MISS), second;
    index_settle(first.busy, &l.place, NULL);
    object_answer(first.busy, &(struct page){ .lifetime_ms = 5000, .stale_while_ms = 2000 });
    now.mono_ms += 7000; /* within the window */
    looks("/a", OUTCOME_JOIN);
    now.mono_ms++;
    second = look("/a", OUTCOME_MISS);
    assert_ptr_not_equal(second.busy, first.busy);
    /* The older one is delivered to those who have it, and does not take the place of the younger one. */
    object_answer(second.busy, &minute);
    object_seal(second.busy, false);
    assert_true(index_publish(second.busy, &l.place, 1024, now.mono_ms));
    object_seal(first.busy, false);
    assert_false(index_publish(first.busy, &l.place, 1024, now.mono_ms));
    struct found hit = look("/a", OUTCOME_HIT);
    assert_ptr_equal(hit.stored, second.busy);
    found_drop(&hit);
    found_drop(&first);
    found_drop(&second);
}

static void no_queue_for_a_while(void **state)
{
    (void)state;
    struct place p = place_of("/a", NULL, NULL);
    mark_for(&p, 1000, REASON_PRIVATE);
    struct found f = look("/a", OUTCOME_PASS);
    assert_true(f.no_queue);
    assert_false(f.known);
    found_drop(&f);
    struct index_facts facts = index_facts(cache, &p, now.mono_ms);
    assert_true(facts.known && !facts.busy);
    assert_int_equal(facts.no_queue_left_ms, 1000);
    assert_int_equal(facts.last_reason, REASON_PRIVATE);
    assert_int_equal(facts.variants, 0);
    now.mono_ms += 1000;
    f = look("/a", OUTCOME_MISS);
    assert_false(f.no_queue);
    assert_int_equal(index_facts(cache, &p, now.mono_ms).last_reason, REASON_PRIVATE); /* for explain */
    /* Nobody waits for what runs either. One that does not queue still stores. */
    looks("/a", OUTCOME_JOIN);
    mark_for(&p, 1000, REASON_PRIVATE);
    looks("/a", OUTCOME_PASS);
    assert_true(object_store(f.busy, &p, &minute));
    f.busy = NULL;
    found_drop(&f);
    looks("/a", OUTCOME_HIT);
    facts = index_facts(cache, &p, now.mono_ms);
    assert_int_equal(facts.last_reason, REASON_NONE);
    assert_int_equal(facts.no_queue_left_ms, 0);
    assert_int_equal(facts.variants, 1);
    /* Stored, so its next expiry is fetched once for all. */
    now.mono_ms += 60000;
    struct look l = look_of("/a");
    f = look_as(&l, OUTCOME_EXPIRED);
    looks("/a", OUTCOME_JOIN);
    found_drop(&f);
    facts = index_facts(cache, &(struct place){ .primary = STR("/none") }, now.mono_ms);
    assert_false(facts.known);
}

/* Of a page with another query or under another rule nothing was learnt, and nothing of another page of the
 * same key's length. */
static void a_mark_is_of_its_key_alone(void **state)
{
    (void)state;
    struct rule *rule = rule_with("Vary: Cookie");
    struct place his = place_of("/a", "cookie: login", rule), none = place_of("/a", "cookie: ", rule);
    refuse(&his, &(struct index_note){ .effect = MARK_SETS,
                                       .reason = REASON_PRIVATE,
                                       .until_ms = now.mono_ms + 60000,
                                       .has_rule = true,
                                       .learn = rule });
    struct look l = look_of("/a");
    struct found f = look_as(&l, OUTCOME_RULE);
    found_drop(&f);
    l.place = none;
    f = look_as(&l, OUTCOME_MISS);
    struct found other = look_as(&l, OUTCOME_JOIN);
    found_drop(&other);
    found_drop(&f);
    l.place = his;
    f = look_as(&l, OUTCOME_PASS);
    assert_true(f.no_queue);
    found_drop(&f);
    rule_unref(rule);
}

static int64_t left_of(const struct place *p)
{
    return index_facts(cache, p, now.mono_ms).no_queue_left_ms;
}

/* Each pass makes it last longer; no answer makes it shorter, but one that permits storing ends it. */
static void a_mark_lasts_while_it_is_used(void **state)
{
    (void)state;
    struct place p = place_of("/a", NULL, NULL);
    struct index_note keeps = { .effect = MARK_KEEPS,
                                .reason = REASON_STATUS,
                                .until_ms = now.mono_ms + 60000 };
    index_renew(cache, &p, now.mono_ms + 60000, now.mono_ms); /* there is none: none is made */
    index_mark(cache, &p, &keeps, now.mono_ms);
    assert_int_equal(left_of(&p), 0);
    assert_int_equal(index_facts(cache, &p, now.mono_ms).last_reason, REASON_STATUS);
    mark_for(&p, 60000, REASON_PRIVATE);
    index_renew(cache, &p, now.mono_ms + 120000, now.mono_ms);
    assert_int_equal(left_of(&p), 120000);
    mark_for(&p, 60000, REASON_PRIVATE);
    assert_int_equal(left_of(&p), 120000);
    now.mono_ms += 119000;
    keeps.until_ms = now.mono_ms + 60000;
    index_mark(cache, &p, &keeps, now.mono_ms);
    assert_int_equal(left_of(&p), 60000);
    assert_int_equal(index_facts(cache, &p, now.mono_ms).last_reason, REASON_PRIVATE);
    now.mono_ms += 60000;
    index_renew(cache, &p, now.mono_ms + 60000, now.mono_ms); /* it is over */
    assert_int_equal(left_of(&p), 0);
    mark_for(&p, 60000, REASON_PRIVATE);
    index_mark(cache, &p, &(struct index_note){ .effect = MARK_CLEARS, .reason = REASON_NOT_SHARED },
               now.mono_ms);
    assert_int_equal(left_of(&p), 0);
}

/* A page that is for nobody without cookies: it is tried again when the mark ends, and not before. */
static void a_mark_for_missing_cookies_ends_by_itself(void **state)
{
    (void)state;
    struct place p = place_of("/a", NULL, NULL);
    struct index_note without = {
        .effect = MARK_SETS, .reason = REASON_SET_COOKIE, .until_ms = now.mono_ms + 60000, .cookies_cut = true
    };
    struct index_note with = { .effect = MARK_CLEARS, .reason = REASON_UNKEYED_COOKIE, .is_short = true };
    index_mark(cache, &p, &without, now.mono_ms);
    index_renew(cache, &p, now.mono_ms + 120000, now.mono_ms);
    assert_int_equal(left_of(&p), 60000);
    index_mark(cache, &p, &with, now.mono_ms);
    assert_int_equal(left_of(&p), 60000);
    now.mono_ms += 60000;
    assert_int_equal(left_of(&p), 0);
    /* Another reason for the same key: an ordinary mark. */
    mark_for(&p, 60000, REASON_PRIVATE);
    index_renew(cache, &p, now.mono_ms + 120000, now.mono_ms);
    assert_int_equal(left_of(&p), 120000);
    index_mark(cache, &p, &with, now.mono_ms);
    assert_int_equal(left_of(&p), 0);
}

static bool is_settled(const char *path)
{
    struct look l = look_of(path);
    l.may_fetch = false;
    struct found f;
    index_look(cache, &l, &f);
    bool settled = f.settled;
    found_drop(&f);
    return settled;
}

/* Whether cookies may be left out: an answer for all has said what the page depends on, be it nothing. */
static void an_answer_for_all_settles_the_rule(void **state)
{
    (void)state;
    struct place p = place_of("/a", NULL, NULL);
    struct index_note note = {
        .effect = MARK_SETS, .reason = REASON_PRIVATE, .has_rule = true, .of_2xx = true
    };
    refuse(&p, &note);
    assert_false(is_settled("/a"));
    note = (struct index_note){ .effect = MARK_CLEARS, .reason = REASON_UNKEYED_COOKIE, .settles = true };
    refuse(&p, &note);
    assert_true(is_settled("/a"));
    assert_false(is_settled("/b"));
    struct found f = look("/b", OUTCOME_MISS);
    struct place b = place_of("/b", NULL, NULL);
    assert_true(object_store(f.busy, &b, &minute));
    f.busy = NULL;
    found_drop(&f);
    assert_true(is_settled("/b"));
}

/* That its head permits storing does not make a page shorter. */
static void a_page_that_was_too_large_is_until_its_length_is_known(void **state)
{
    (void)state;
    struct place p = place_of("/a", NULL, NULL);
    struct index_note clears = { .effect = MARK_CLEARS,
                                 .reason = REASON_NOT_SHARED,
                                 .until_ms = now.mono_ms + 60000 };
    mark_for(&p, 600000, REASON_TOO_LARGE);
    index_mark(cache, &p, &clears, now.mono_ms);
    assert_int_equal(left_of(&p), 600000);
    assert_int_equal(index_facts(cache, &p, now.mono_ms).last_reason, REASON_TOO_LARGE);
    clears.is_short = true;
    index_mark(cache, &p, &clears, now.mono_ms);
    assert_int_equal(left_of(&p), 0);
}

/* ---- rules and variants ---- */

static void another_rule_means_another_key(void **state)
{
    (void)state;
    struct rule *cookie = rule_with("Vary: Cookie"), *same = rule_with("Vary: Cookie"),
                *other = rule_with("Vary: X-A");
    struct look l = look_of("/a");
    struct found f = look_as(&l, OUTCOME_MISS);
    struct place final = place_of("/a", "cookie: x", cookie);
    assert_true(object_store(f.busy, &final, &minute));
    f.busy = NULL;
    found_drop(&f);
    f = look_as(&l, OUTCOME_RULE);
    assert_ptr_equal(f.rule, cookie);
    assert_true(!f.stored && !f.busy);
    found_drop(&f);
    /* An equal rule is the rule. */
    l.place = place_of("/a", "cookie: x", same);
    f = look_as(&l, OUTCOME_HIT);
    found_drop(&f);
    l.place = place_of("/a", "cookie: y", cookie);
    f = look_as(&l, OUTCOME_MISS);
    assert_true(f.known);
    /* The answer brings another rule: what is stored under the old one is not found any more. */
    final = place_of("/a", "x-a: 1", other);
    assert_true(object_store(f.busy, &final, &minute));
    f.busy = NULL;
    found_drop(&f);
    l.place = place_of("/a", "cookie: x", cookie);
    f = look_as(&l, OUTCOME_RULE);
    assert_ptr_equal(f.rule, other);
    found_drop(&f);
    l.place = final;
    f = look_as(&l, OUTCOME_HIT);
    found_drop(&f);
    /* A rule that the request remembers of a family that is forgotten. */
    l.place = place_of("/unknown", "x-a: 1", other);
    f = look_as(&l, OUTCOME_RULE);
    assert_null(f.rule);
    found_drop(&f);
    looks("/unknown", OUTCOME_MISS);
    rule_unref(cookie);
    rule_unref(same);
    rule_unref(other);
}

static void a_rule_is_learnt_without_a_page(void **state)
{
    (void)state;
    struct rule *rule = rule_with("Vary: Cookie");
    struct place p = place_of("/a", NULL, NULL);
    bool known, busy;
    assert_null(index_rule(cache, &p, &known, &busy));
    assert_false(known);
    learn_rule(&p, rule);
    struct rule *learnt = index_rule(cache, &p, &known, &busy);
    assert_ptr_equal(learnt, rule);
    assert_true(known && !busy);
    rule_unref(learnt);
    struct found f = look("/a", OUTCOME_RULE);
    found_drop(&f);
    /* Back to the default: then nothing is known any more. */
    learn_rule(&p, NULL);
    assert_int_equal(cache->families, 0);
    f = look("/a", OUTCOME_MISS);
    learnt = index_rule(cache, &p, &known, &busy);
    assert_true(!learnt && known && busy);
    found_drop(&f);
    rule_unref(rule);
}

/* An answer that was judged before a 2xx brought its rule does not take its place. */
static void an_error_does_not_take_the_place_of_a_rule(void **state)
{
    (void)state;
    struct rule *cookie = rule_with("Vary: Cookie"), *other = rule_with("Vary: X-A"),
                *encoding = rule_with("Vary: Accept-Encoding");
    struct look l = look_of("/a");
    struct found error = look_as(&l, OUTCOME_MISS);
    struct place under_other = place_of("/a", "x-a: 1", other), page = place_of("/a", "cookie: x", cookie);
    struct object *o = object_new(cache, l.latest);
    index_settle(o, &page, cookie);
    assert_false(index_settle_other(error.busy, &under_other, other));
    struct known_rule known = index_known_rule(cache, &page);
    assert_true(known.known && known.busy && known.of_2xx);
    assert_ptr_equal(known.rule, cookie);
    rule_unref(known.rule);
    /* Nor what is learnt of one that is not stored. */
    refuse(&under_other, &(struct index_note){ .effect = MARK_KEEPS, .has_rule = true, .learn = other });
    l.place = page;
    struct found f = look_as(&l, OUTCOME_MISS);
    found_drop(&f);
    assert_true(index_settle_other(error.busy, &page, cookie));
    object_fail(o, REASON_CANCELLED, 502);
    object_unref(o);
    index_withdraw(error.busy);
    found_drop(&error);
    /* Beside the default rule one that varies on the encoding alone is harmless. */
    l = look_of("/b");
    f = look_as(&l, OUTCOME_MISS);
    assert_true(object_store(f.busy, &l.place, &minute));
    f.busy = NULL;
    found_drop(&f);
    l.place = place_of("/b", "q", NULL);
    f = look_as(&l, OUTCOME_MISS);
    struct place coded = place_of("/b", "br", encoding), varied = place_of("/b", "x-a: 1", other);
    assert_false(index_settle_other(f.busy, &varied, other));
    assert_true(index_settle_other(f.busy, &coded, encoding));
    index_withdraw(f.busy);
    found_drop(&f);
    rule_unref(cookie);
    rule_unref(other);
    rule_unref(encoding);
}

/* Joiners of the first key do not find it under the final one's old name. */
static void a_settled_one_is_found_under_its_final_key(void **state)
{
    (void)state;
    struct rule *rule = rule_with("Vary: Cookie");
    struct look l = look_of("/a");
    struct found f = look_as(&l, OUTCOME_MISS), other;
    struct place final = place_of("/a", "cookie: x", rule);
    index_settle(f.busy, &final, rule);
    object_answer(f.busy, &minute);
    other = look_as(&l, OUTCOME_RULE);
    found_drop(&other);
    l.place = final;
    other = look_as(&l, OUTCOME_JOIN);
    assert_ptr_equal(other.busy, f.busy);
    found_drop(&other);
    l.place = place_of("/a", "cookie: y", rule);
    other = look_as(&l, OUTCOME_MISS);
    found_drop(&other);
    index_withdraw(f.busy);
    found_drop(&f);
    rule_unref(rule);
}

/* Also when hashes are equal (scenarios I10; hostile h3-09, h0-04). */
static void tells_families_and_variants_apart(void **state)
{
    (void)state;
    struct look l = look_of("/a");
    l.place = place_of("/a", "q=1", NULL);
    struct found f = look_as(&l, OUTCOME_MISS);
    assert_true(object_store(f.busy, &l.place, &minute));
    f.busy = NULL;
    found_drop(&f);
    looks("/a", OUTCOME_MISS);
    looks("/aq=1", OUTCOME_MISS);
    f = look_as(&l, OUTCOME_HIT);
    found_drop(&f);
    /* Equal hashes are not equal keys: the material is compared. */
    struct look forged = l;
    forged.place.variant = STR("q=2");
    f = look_as(&forged, OUTCOME_MISS);
    index_withdraw(f.busy);
    found_drop(&f);
    forged = l;
    forged.place.primary = STR("/b");
    f = look_as(&forged, OUTCOME_MISS);
    found_drop(&f);
}

static struct look variant(const char *url, unsigned number)
{
    struct look l = look_of(url);
    l.place = place_of(url, arena_printf(&arena, "v%u", number).p, NULL);
    return l;
}

static bool store_variant(const char *url, unsigned number, size_t variants_max)
{
    struct look l = variant(url, number);
    struct found f = look_as(&l, OUTCOME_MISS);
    index_settle(f.busy, &l.place, NULL);
    object_answer(f.busy, &minute);
    object_seal(f.busy, false);
    bool published = index_publish(f.busy, &l.place, variants_max, now.mono_ms);
    found_drop(&f);
    return published;
}

static void has_thousands_of_variants(void **state)
{
    (void)state;
    enum { MANY = 5000 };
    for (unsigned i = 0; i < MANY; i++)
        assert_true(store_variant("/a", i, 1000000));
    assert_int_equal(cache->objects, MANY);
    assert_int_equal(cache->families, 1);
    for (unsigned i = 0; i < MANY; i++) {
        struct look l = variant("/a", i);
        struct found f = look_as(&l, OUTCOME_HIT);
        found_drop(&f);
    }
    /* All gone, and the family with them. */
    for (unsigned i = 0; i < MANY; i++) {
        struct look l = variant("/a", i);
        struct object *o = index_peek(cache, &l.place);
        index_withdraw(o);
        object_unref(o);
    }
    assert_int_equal(cache->families, 0);
    assert_int_equal(memory_used(&cache->memory), used_at_first);
}

/* CACHING.md, setting `variants`: the least used goes. */
static void has_a_limit_of_variants(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        now.mono_ms++;
        assert_true(store_variant("/a", i, 4));
    }
    for (unsigned i = 0; i < 4; i++)
        if (i != 2) {
            struct look l = variant("/a", i);
            struct found f = look_as(&l, OUTCOME_HIT);
            found_drop(&f);
        }
    assert_true(store_variant("/a", 4, 4));
    assert_int_equal(cache->objects, 4);
    for (unsigned i = 0; i < 5; i++) {
        struct look l = variant("/a", i);
        struct object *o = index_peek(cache, &l.place);
        assert_int_equal(o != NULL, i != 2);
        object_unref(o);
    }
    /* Of equals the oldest; never the one that has just come. */
    for (unsigned i = 100; i < 200; i++) {
        now.mono_ms++;
        assert_true(store_variant("/b", i, 1));
        struct look l = variant("/b", i);
        struct found f = look_as(&l, OUTCOME_HIT);
        found_drop(&f);
        assert_int_equal(cache->objects, 5);
    }
    for (unsigned i = 0; i < 500; i++)
        assert_true(store_variant("/c", i, 100));
    assert_int_equal(cache->objects, 105);
}

/* ---- publishing ---- */

static void replaces_the_older_one(void **state)
{
    (void)state;
    store("/a", &minute);
    struct look l = look_of("/a");
    struct found old = look_as(&l, OUTCOME_HIT);
    /* A fetch of somebody who went alone, begun later. */
    struct object *o = object_new(cache, epochs_latest(cache->epochs));
    assert_true(object_store(object_ref(o), &l.place, &minute));
    struct found f = look_as(&l, OUTCOME_HIT);
    assert_ptr_equal(f.stored, o);
    assert_null(old.stored->family);
    assert_int_equal(cache->objects, 1);
    found_drop(&f);
    found_drop(&old);
    object_unref(o);
}

static void does_not_replace_a_younger_one(void **state)
{
    (void)state;
    struct look l = look_of("/a");
    struct object *old = object_new(cache, epochs_latest(cache->epochs));
    struct found busy = look_as(&l, OUTCOME_MISS);
    purge(PURGE_HARD, 12345);
    struct object *young = object_new(cache, epochs_latest(cache->epochs));
    assert_true(object_store(object_ref(young), &l.place, &minute));
    assert_false(object_store(old, &l.place, &minute));       /* private */
    assert_false(object_store(busy.busy, &l.place, &minute)); /* in the index */
    busy.busy = NULL;
    found_drop(&busy);
    struct found f = look_as(&l, OUTCOME_HIT);
    assert_ptr_equal(f.stored, young);
    found_drop(&f);
    object_unref(young);
    assert_int_equal(cache->objects, 1);
}

/* What a request that asked an hour ago brings may have been purged by a name that is forgotten. */
static void does_not_publish_what_took_too_long(void **state)
{
    (void)state;
    struct look l = look_of("/a");
    now.mono_ms += 100000000;
    for (int late = 0; late < 2; late++) {
        struct object *o = object_new(cache, epochs_latest(cache->epochs));
        o->begun_mono_ms = now.mono_ms;
        index_settle(o, &l.place, NULL);
        object_answer(o, &minute);
        object_seal(o, false);
        assert_int_equal(index_publish(o, &l.place, 1024, now.mono_ms + 3600000 + late), !late);
        index_withdraw(o);
        object_unref(o);
    }
    /* One that was announced and then withdrawn, when it was purged say, is not seen by the sweep either. */
    struct found f = look_as(&l, OUTCOME_MISS);
    f.busy->begun_mono_ms = now.mono_ms - 3600001;
    index_settle(f.busy, &l.place, NULL);
    index_withdraw(f.busy);
    object_answer(f.busy, &minute);
    object_seal(f.busy, false);
    assert_false(index_publish(f.busy, &l.place, 1024, now.mono_ms));
    found_drop(&f);
}

static void withdraws_in_every_state(void **state)
{
    (void)state;
    struct object *private = object_new(cache, 1);
    index_withdraw(private);
    object_unref(private);
    for (int stage = 0; stage < 6; stage++) {
        struct look l = look_of("/a");
        struct found f = look_as(&l, OUTCOME_MISS);
        if (stage > 0)
            index_settle(f.busy, &l.place, NULL);
        if (stage > 1)
            object_answer(f.busy, &minute);
        if (stage == 3)
            object_fail(f.busy, REASON_CANCELLED, 502);
        if (stage > 3)
            object_seal(f.busy, false);
        if (stage > 4)
            assert_true(index_publish(f.busy, &l.place, 1024, now.mono_ms));
        index_withdraw(f.busy);
        assert_null(f.busy->family);
        assert_int_equal(f.busy->evict.queue, EVICT_NONE);
        index_withdraw(f.busy);
        if (stage < 3)
            object_fail(f.busy, REASON_CANCELLED, 502);
        assert_int_equal(cache->objects, 0);
        assert_int_equal(cache->families, 0);
        found_drop(&f);
        assert_int_equal(memory_used(&cache->memory), used_at_first);
    }
}

static void peeks_without_effect(void **state)
{
    (void)state;
    struct look l = look_of("/a");
    assert_null(index_peek(cache, &l.place));
    assert_int_equal(cache->families, 0);
    store("/a", &minute);
    now.mono_ms += 100000;
    struct object *o = index_peek(cache, &l.place);
    assert_int_equal(o->evict.uses, 0);
    object_unref(o);
}

/* ---- purges ---- */

static void a_hard_purge_makes_it_a_miss(void **state)
{
    (void)state;
    store("/a", &(struct page){ .name = 7, .body_bytes = 5000, .stale_while_ms = 1000 });
    looks("/a", OUTCOME_HIT);
    /* A request that came before the purge may have it. */
    struct look before = look_of("/a");
    purge(PURGE_HARD, 7);
    struct found f = look_as(&before, OUTCOME_HIT);
    found_drop(&f);
    looks("/a", OUTCOME_MISS);
    assert_int_equal(cache->objects, 0);
}

static void a_soft_purge_makes_it_stale(void **state)
{
    (void)state;
    store("/a", &(struct page){ .name = 7, .stale_while_ms = 1000 });
    store("/b", &(struct page){ .name = 7 });
    purge(PURGE_SOFT, 7);
    now.mono_ms += 1000;
    looks("/a", OUTCOME_STALE);
    looks("/b", OUTCOME_EXPIRED);
    now.mono_ms += 1;
    store("/c", &(struct page){ .name = 7, .stale_while_ms = 1000 });
    looks("/c", OUTCOME_HIT);
    struct found f = look("/a", OUTCOME_JOIN); /* beyond its window, and the refresh runs */
    assert_int_equal(f.age.stale_ms, 1001);
    assert_false(f.invalidated);
    found_drop(&f);
}

static void an_invalidated_one_is_revalidated(void **state)
{
    (void)state;
    store("/a", &(struct page){ .name = 7, .stale_while_ms = 1000 });
    purge(PURGE_INVALIDATE, 7);
    struct found f = look("/a", OUTCOME_EXPIRED);
    assert_true(f.invalidated);
    assert_non_null(f.stored);
    found_drop(&f);
}

/* A fetch begun before the purge is for those who asked before it, and for nobody after it; its end stores
 * nothing. */
static void a_purge_detaches_a_running_fetch(void **state)
{
    (void)state;
    struct look before = look_of("/a");
    struct found f = look_as(&before, OUTCOME_MISS), other, mine;
    index_settle(f.busy, &before.place, NULL);
    object_answer(f.busy, &(struct page){ .name = 7 });
    purge(PURGE_HARD, 7);
    other = look_as(&before, OUTCOME_JOIN);
    assert_ptr_equal(other.busy, f.busy);
    found_drop(&other);
    struct look after = look_of("/a");
    mine = look_as(&after, OUTCOME_MISS);
    assert_ptr_not_equal(mine.busy, f.busy);
    other = look_as(&after, OUTCOME_JOIN);
    assert_ptr_equal(other.busy, mine.busy);
    found_drop(&other);
    object_seal(f.busy, false);
    assert_false(index_publish(f.busy, &before.place, 1024, now.mono_ms));
    found_drop(&f);
    assert_true(object_store(mine.busy, &after.place, &(struct page){ .name = 7 }));
    mine.busy = NULL;
    found_drop(&mine);
    looks("/a", OUTCOME_HIT);
    assert_int_equal(cache->objects, 1);
}

/* The same when the answer's names are not known at the purge: the end of the fetch sees it. */
static void a_purge_before_the_head_counts(void **state)
{
    (void)state;
    struct look l = look_of("/a");
    struct found f = look_as(&l, OUTCOME_MISS), other;
    purge(PURGE_HARD, 7);
    /* It may turn out to be joinable: who waits looks again at its head. */
    struct look after = look_of("/a");
    other = look_as(&after, OUTCOME_JOIN);
    index_settle(f.busy, &l.place, NULL);
    object_answer(f.busy, &(struct page){ .name = 7 });
    assert_true(index_is_outdated(f.busy, &after));
    assert_false(index_is_outdated(f.busy, &l));
    object_seal(f.busy, false);
    assert_false(index_publish(f.busy, &l.place, 1024, now.mono_ms));
    found_drop(&f);
    found_drop(&other);
    looks("/a", OUTCOME_MISS);
}

/* A refresh that began before a purge does not revive what was purged. */
static void a_refresh_does_not_revive(void **state)
{
    (void)state;
    store("/a", &(struct page){ .name = 7, .stale_while_ms = 100000 });
    now.mono_ms += 60000;
    struct look l = look_of("/a");
    struct found f = look_as(&l, OUTCOME_STALE);
    purge(PURGE_HARD, 7);
    assert_false(object_store(f.busy, &l.place, &(struct page){ .name = 7 }));
    f.busy = NULL;
    found_drop(&f);
    looks("/a", OUTCOME_MISS);
    assert_int_equal(cache->objects, 0);
}

/* A purge between the look and the start of the fetch is not missed: the fetch begins at the request's
 * number. */
static void a_fetch_begins_when_its_request_came(void **state)
{
    (void)state;
    struct look l = look_of("/a");
    purge(PURGE_HARD, 7);
    struct found f = look_as(&l, OUTCOME_MISS);
    assert_int_equal(f.busy->begin, l.latest);
    assert_false(object_store(f.busy, &l.place, &(struct page){ .name = 7 }));
    f.busy = NULL;
    found_drop(&f);
}

/* ---- eviction ---- */

static void makes_room(void **state)
{
    (void)state;
    world_end(NULL);
    world_begin_with(1 << 20);
    for (int i = 0; i < 1000; i++) {
        assert_true(room_make(cache, 6000));
        store(arena_printf(&arena, "/%d", i).p, &(struct page){ .body_bytes = 5000 });
        assert_true(memory_used(&cache->memory) <= 1 << 20);
    }
    assert_true(cache->objects > 120 && cache->objects < 200);
    assert_int_equal(cache->evicted, 1000 - cache->objects);
    assert_int_equal(cache->families, cache->objects);
    /* All of it, and not a byte more than there is. */
    assert_true(room_make(cache, (1 << 20) - 200000));
    assert_false(room_make(cache, 1 << 20));
    assert_int_equal(cache->objects, 0);
    assert_int_equal(evict_count(cache->evict), 0);
}

static void store_strangers(unsigned from, unsigned to)
{
    for (unsigned i = from; i < to; i++) {
        room_make(cache, 6000);
        store(arena_printf(&arena, "/%u", i).p, &(struct page){ .body_bytes = 5000 });
    }
}

/* A page that proved its worth does not have to prove it again when it is refreshed. */
static void a_refreshed_page_keeps_its_place(void **state)
{
    (void)state;
    world_end(NULL);
    world_begin_with(1 << 20);
    for (unsigned i = 0; i < 140; i++) {
        struct str url = arena_printf(&arena, "/often/%u", i);
        store(url.p, &(struct page){ .body_bytes = 5000, .lifetime_ms = 1000 });
        looks(url.p, OUTCOME_HIT);
        looks(url.p, OUTCOME_HIT);
    }
    store_strangers(0, 200);
    now.mono_ms += 1000;
    struct look l = look_of("/often/7");
    struct found f = look_as(&l, OUTCOME_EXPIRED);
    assert_int_equal(f.stored->evict.queue, EVICT_MAIN);
    assert_true(object_store(f.busy, &l.place, &(struct page){ .body_bytes = 5000 }));
    f.busy = NULL;
    found_drop(&f);
    store_strangers(200, 400);
    looks("/often/7", OUTCOME_HIT);
    assert_int_equal(evict_count(cache->evict), cache->objects);
}

/* What somebody reads is counted until he has it. */
static void an_evicted_body_is_counted_while_it_is_read(void **state)
{
    (void)state;
    world_end(NULL);
    world_begin_with(1 << 20);
    store("/a", &(struct page){ .body_bytes = 600000 });
    struct found f = look("/a", OUTCOME_HIT);
    int64_t used = memory_used(&cache->memory);
    assert_false(room_make(cache, 600000));
    assert_true(memory_used(&cache->memory) > used - 1000);
    looks("/a", OUTCOME_MISS);
    found_drop(&f);
    assert_true(room_make(cache, 600000));
}

static void busy_objects_are_not_evicted(void **state)
{
    (void)state;
    struct found f = look("/a", OUTCOME_MISS);
    index_settle(f.busy, &(struct place){ .primary = STR("/a"), .hash = place_of("/a", NULL, NULL).hash },
                 NULL);
    object_answer(f.busy, &minute);
    assert_false(room_make(cache, (size_t)1 << 31));
    looks("/a", OUTCOME_JOIN);
    index_withdraw(f.busy);
    object_fail(f.busy, REASON_CANCELLED, 502);
    found_drop(&f);
}

/* Of a URL whose answers are not stored something is remembered in a small part of the memory: a stranger who
 * asks for many long ones must not take the place of pages. */
static void what_is_remembered_of_strange_urls_is_bounded(void **state)
{
    (void)state;
    struct rule *rule = rule_with("Vary: Cookie");
    world_end(NULL);
    world_begin_with(16 << 20);
    char url[8001];
    memset(url, 'x', 8000);
    url[8000] = '\0';
    for (unsigned i = 0; i < 20000; i++) {
        char number[16];
        int n = snprintf(number, sizeof(number), "/%u", i);
        memcpy(url, number, (size_t)n);
        struct place p = place_of(url, NULL, NULL);
        refuse(&p, &(struct index_note){ .effect = MARK_SETS,
                                         .reason = REASON_STATUS,
                                         .until_ms = now.mono_ms + 60000,
                                         .has_rule = true,
                                         .learn = rule });
    }
    assert_true(memory_used(&cache->memory) - used_at_first < 2 << 20);
    assert_true(room_make(cache, 13 << 20));
    /* Short ones have their place. */
    struct place p = place_of("/short", NULL, NULL);
    learn_rule(&p, rule);
    struct found f = look("/short", OUTCOME_RULE);
    found_drop(&f);
    rule_unref(rule);
}

static const char *url_of(unsigned i)
{
    static char url[32];
    snprintf(url, sizeof(url), "/%u", i * 2654435761u);
    return url;
}

static void holds_a_hundred_thousand_objects(void **state)
{
    (void)state;
    enum { MANY = 100000 };
    for (unsigned i = 0; i < MANY; i++) {
        store(url_of(i), &(struct page){ .name = i % 100 + 1 });
        if (i % 1000 == 0)
            arena_rewind(&arena);
    }
    assert_int_equal(cache->objects, MANY);
    assert_int_equal(cache->families, MANY);
    assert_int_equal(evict_count(cache->evict), MANY);
    for (unsigned i = 0; i < MANY; i++)
        looks(url_of(i), OUTCOME_HIT);
    /* One purge for a thousand of them. */
    purge(PURGE_HARD, 8);
    for (unsigned i = 0; i < MANY; i++) {
        struct look l = look_of(url_of(i));
        l.may_fetch = false;
        struct found f = look_as(&l, i % 100 == 7 ? OUTCOME_PASS : OUTCOME_HIT);
        found_drop(&f);
    }
    assert_int_equal(cache->objects, MANY - MANY / 100);
}

/* ---- threads ---- */

enum { THREADS = 4, STEPS = 4000, URLS = 40, NAMES = 8 };

struct crowd {
    _Atomic uint64_t told[NAMES + 1]; /* the latest hard purge of a name that has returned */
    struct clock clock;
    atomic_bool over;
};

struct worker {
    struct crowd *c;
    unsigned number;
    pthread_t thread;
    struct arena arena;
    unsigned hits, stored, refused, old, wrong;
};

static uint64_t dice(uint64_t *now_at, uint64_t below)
{
    *now_at = *now_at * 6364136223846793005u + 1442695040888963407u;
    return (*now_at >> 33) % below;
}

/* The fetch of one object: head, body, seal, publish; or it fails. */
static void fill(struct worker *w, struct object *o, const struct place *p, uint32_t name, uint64_t *at,
                 const struct now *n)
{
    struct fields none = { 0 };
    struct response *response =
        response_new(&cache->memory, &(struct response_plan){ .names = (uint64_t[]){ name_of_number(name) },
                                                              .names_n = 1,
                                                              .names_are_short = true,
                                                              .status = 200,
                                                              .fields = &none });
    struct body *body = body_new(&cache->memory, BODY_LENGTH_UNKNOWN), *mine = body_ref(body);
    struct verdict v = { .store = true, .fresh = { .lifetime_ms = 50000, .stale_while_ms = 50000 } };
    char bytes[700];
    memset(bytes, 'b', sizeof(bytes));
    uint64_t how = dice(at, 10);
    o->begun_mono_ms = n->mono_ms;
    if (how == 0) {
        response_free(&cache->memory, response);
        body_unref(body);
        index_withdraw(o);
        object_fail(o, REASON_CONNECT_FAILED, 502);
    } else {
        index_settle(o, p, NULL);
        object_set_head(
            o, &(struct object_head){
                   .response = &response, .body = &body, .verdict = &v, .received_mono_ms = n->mono_ms });
        object_tell(o);
        room_make(cache, 5000);
        for (uint64_t k = dice(at, 6); k > 0; k--)
            body_append(mine, (struct str){ bytes, sizeof(bytes) });
        if (how == 1) {
            index_withdraw(o);
            object_fail(o, REASON_ORIGIN_CLOSED, 502);
        } else {
            object_seal(o, how == 2);
            if (index_publish(o, p, 3, n->mono_ms))
                w->stored++;
            else
                w->refused++;
        }
    }
    body_unref(mine);
}

/* One request: looks, checks what it gets, fills what it is given. */
static void ask(struct worker *w, uint64_t *at)
{
    char url[16], variant_text[16];
    uint64_t u = dice(at, URLS) * dice(at, URLS) / URLS, name = 1 + u % NAMES;
    snprintf(url, sizeof(url), "/%u", (unsigned)(u / 2));
    snprintf(variant_text, sizeof(variant_text), "v%u", (unsigned)(u % 2));
    struct look l = { .place = { .primary = str_from(url), .variant = str_from(variant_text) },
                      .request = &no_directives,
                      .may_fetch = dice(at, 10) > 0,
                      .may_join = dice(at, 10) > 0,
                      .authorization = dice(at, 20) == 0 };
    place_hash(cache, &l.place);
    uint64_t told = atomic_load(&w->c->told[name]);
    l.now = clock_now(&w->c->clock);
    l.latest = epochs_latest(cache->epochs);
    struct found f;
    index_look(cache, &l, &f);
    bool serves = f.outcome == OUTCOME_HIT || f.outcome == OUTCOME_STALE || f.outcome == OUTCOME_STALE_JOIN;
    if (f.stored) {
        /* A purge that had returned before the request came holds. */
        if (f.stored->begin < told)
            w->old++;
        if (!str_eq(object_variant(f.stored), l.place.variant) || object_state(f.stored) != OBJECT_SEALED)
            w->wrong++;
        struct body *b = object_body(f.stored);
        w->wrong += !b || (body_length(b) % 700);
        body_unref(b);
    }
    w->hits += serves;
    w->wrong += serves && !f.stored;
    switch (f.outcome) {
    case OUTCOME_MISS:
    case OUTCOME_EXPIRED:
    case OUTCOME_STALE:
        w->wrong += object_state(f.busy) != OBJECT_NEW;
        fill(w, f.busy, &l.place, name, at, &l.now);
        break;
    case OUTCOME_PASS:
        if (l.may_fetch) {
            struct object *o = object_new(cache, l.latest);
            fill(w, o, &l.place, name, at, &l.now);
            object_unref(o);
        }
        break;
    case OUTCOME_JOIN: w->wrong += !f.busy; break;
    default: break;
    }
    object_unref(f.stored);
    object_unref(f.busy);
    rule_unref(f.rule);
}

static void *ask_on_and_on(void *ctx)
{
    struct worker *w = ctx;
    uint64_t at = w->number + 1;
    for (int step = 0; step < STEPS; step++) {
        ask(w, &at);
        if (dice(&at, 100) == 0) {
            uint64_t name = 1 + dice(&at, NAMES), hash = name_of_number((uint32_t)name),
                     number = epochs_purge(cache->epochs, PURGE_HARD, &hash, 1, 0);
            uint64_t before = atomic_load(&w->c->told[name]);
            while (before < number && !atomic_compare_exchange_weak(&w->c->told[name], &before, number))
                ;
        }
        if (dice(&at, 50) == 0) {
            uint64_t name = name_of_number(1 + (uint32_t)dice(&at, NAMES));
            epochs_purge(cache->epochs, dice(&at, 2) ? PURGE_SOFT : PURGE_INVALIDATE, &name, 1,
                         clock_now(&w->c->clock).mono_ms);
        }
    }
    return NULL;
}

static void *sweep_on_and_on(void *ctx)
{
    struct crowd *c = ctx;
    while (!atomic_load(&c->over)) {
        /* Time flies: pages expire and names are forgotten while the others look. But no fetch may take an
         * hour. */
        atomic_fetch_add(&c->clock.mono_shift_ms, 10000);
        cache_sweep(cache, &c->clock, 500);
    }
    return NULL;
}

static void threads_look_publish_purge_and_evict(void **state)
{
    (void)state;
    world_end(NULL);
    world_begin_with(100000); /* room for about forty */
    static struct crowd c;
    memset(&c, 0, sizeof(c));
    struct worker workers[THREADS] = { 0 };
    pthread_t sweeper;
    unsigned hits = 0, stored = 0;
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i].c = &c;
        workers[i].number = i;
        assert_int_equal(pthread_create(&workers[i].thread, NULL, ask_on_and_on, &workers[i]), 0);
    }
    assert_int_equal(pthread_create(&sweeper, NULL, sweep_on_and_on, &c), 0);
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(workers[i].thread, NULL);
        assert_int_equal(workers[i].old, 0);
        assert_int_equal(workers[i].wrong, 0);
        hits += workers[i].hits;
        stored += workers[i].stored;
    }
    atomic_store(&c.over, true);
    pthread_join(sweeper, NULL);
    print_message("%u hits, %u stored, %llu evicted, %llu swept\n", hits, stored,
                  (unsigned long long)cache->evicted, (unsigned long long)cache->swept);
    assert_true(hits > 100 && stored > 100 && cache->evicted > 10);
    assert_int_equal(evict_count(cache->evict), cache->objects);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, world_begin, world_end)
    const struct CMUnitTest tests[] = {
        T(names_outcomes),
        T(miss_join_hit),
        T(a_sealed_one_is_a_hit_at_once),
        T(a_failed_fetch_is_gone),
        T(stale_is_served_and_refreshed_once),
        T(stale_without_a_refresh),
        T(expired_waits_for_one_fetch),
        T(always_revalidated),
        T(by_the_requests_directives),
        T(pass_creates_nothing),
        T(authorization_joins_only_what_is_for_all),
        T(nobody_joins_what_is_closed),
        T(nobody_joins_what_is_not_stored),
        T(a_mark_for_missing_cookies_ends_by_itself),
        T(an_answer_for_all_settles_the_rule),
        T(nobody_joins_what_expires_before_it_is_whole),
        T(no_queue_for_a_while),
        T(a_mark_is_of_its_key_alone),
        T(a_mark_lasts_while_it_is_used),
        T(a_page_that_was_too_large_is_until_its_length_is_known),
        T(another_rule_means_another_key),
        T(a_rule_is_learnt_without_a_page),
        T(an_error_does_not_take_the_place_of_a_rule),
        T(a_settled_one_is_found_under_its_final_key),
        T(tells_families_and_variants_apart),
        T(has_thousands_of_variants),
        T(has_a_limit_of_variants),
        T(replaces_the_older_one),
        T(does_not_replace_a_younger_one),
        T(does_not_publish_what_took_too_long),
        T(withdraws_in_every_state),
        T(peeks_without_effect),
        T(a_hard_purge_makes_it_a_miss),
        T(a_soft_purge_makes_it_stale),
        T(an_invalidated_one_is_revalidated),
        T(a_purge_detaches_a_running_fetch),
        T(a_purge_before_the_head_counts),
        T(a_refresh_does_not_revive),
        T(a_fetch_begins_when_its_request_came),
        T(makes_room),
        T(a_refreshed_page_keeps_its_place),
        T(an_evicted_body_is_counted_while_it_is_read),
        T(busy_objects_are_not_evicted),
        T(what_is_remembered_of_strange_urls_is_bounded),
        T(holds_a_hundred_thousand_objects),
        T(threads_look_publish_purge_and_evict),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
