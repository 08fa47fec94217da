/* What the tests of objects and the index share: a cache without fetches and requests, whose parts the tests
 * play. */
#ifndef CACHE_WORLD_H
#define CACHE_WORLD_H

#include "cache_test.h"

#include "base/mem.h"
#include "cache/hints.h"
#include "cache/index.h"

static const struct hash_secret secret = { "a secret that everybody knows" };
static struct cache *cache;
static struct now now;

/* The primary key of objects that no purge by prefix concerns. */
#define HERE STR_NONE
static int64_t used_at_first;

static const struct directives no_directives = { .max_age = DELTA_NONE,
                                                 .s_maxage = DELTA_NONE,
                                                 .stale_while_revalidate = DELTA_NONE,
                                                 .stale_if_error = DELTA_NONE,
                                                 .max_stale = DELTA_NONE,
                                                 .min_fresh = DELTA_NONE };

static inline int world_begin_with(int64_t budget_bytes)
{
    setup(NULL);
    cache = cache_new(&secret, budget_bytes);
    now = (struct now){ .mono_ms = 1000000, .wall_ms = WALL_MS };
    used_at_first = memory_used(&cache->memory);
    return 0;
}

static inline int world_begin(void **state)
{
    (void)state;
    return world_begin_with((int64_t)1 << 30);
}

/* cache_free step by step: between the last two nothing may be charged any more. */
static inline int world_end(void **state)
{
    index_fini(cache);
    for (size_t i = 0; i < CACHE_FILLS; i++)
        lock_fini(&cache->fills[i].lock);
    evict_free(cache->evict);
    hints_free(cache->hints);
    epochs_free(cache->epochs);
    int64_t left = memory_used(&cache->memory), passing = cache->memory.passing_bytes;
    int64_t objects = cache->objects, families = cache->families;
    memory_fini(&cache->memory);
    mem_free(cache);
    teardown(state);
    assert_int_equal(left, 0);
    assert_int_equal(passing, 0);
    assert_int_equal(objects, 0);
    assert_int_equal(families, 0);
    return 0;
}

static inline struct place place_of(const char *url, const char *variant, const struct rule *rule)
{
    struct place p = { .primary = str_from(url), .variant = str_from(variant), .rule = rule };
    place_hash(cache, &p);
    return p;
}

/* A request as the index sees it; what a test needs to be otherwise it changes. */
static inline struct look look_of(const char *url)
{
    return (struct look){ .place = place_of(url, NULL, NULL),
                          .request = &no_directives,
                          .now = now,
                          .latest = epochs_latest(cache->epochs),
                          .may_fetch = true,
                          .may_join = true };
}

static inline void found_drop(struct found *f)
{
    object_unref(f->stored);
    object_unref(f->busy);
    rule_unref(f->rule);
    *f = (struct found){ 0 };
}

/* The outcome must be this one. References are the caller's. */
static inline struct found look_as(const struct look *l, enum outcome expected)
{
    struct found f;
    index_look(cache, l, &f);
    if (f.outcome != expected)
        fail_msg("%.*s: %.*s instead of %.*s", STR_ARG(l->place.primary), STR_ARG(outcome_name(f.outcome)),
                 STR_ARG(outcome_name(expected)));
    return f;
}

static inline struct found look(const char *url, enum outcome expected)
{
    struct look l = look_of(url);
    return look_as(&l, expected);
}

/* The outcome must be this one and nothing else is of interest. */
static inline void looks(const char *url, enum outcome expected)
{
    struct found f = look(url, expected);
    found_drop(&f);
}

/* A name as a small number, which no hash is. */
static inline uint64_t name_of_number(uint32_t n)
{
    return (uint64_t)n << 32;
}

/* What an answer brings; zero is a fresh page for a minute. */
struct page {
    int64_t lifetime_ms; /* 0: a minute; -1: none */
    int64_t stale_while_ms, stale_error_ms;
    bool always_revalidate, foreground, not_stored, is_part;
    uint32_t name; /* it can be purged by; 0: none */
    size_t body_bytes;
    const char *lines;
    int status;
};

/* NEW -> HEAD, and the body's bytes. The object's own reference stays the caller's. */
static inline void object_answer(struct object *o, const struct page *p)
{
    if (!o->begun_mono_ms)
        o->begun_mono_ms = now.mono_ms;
    struct response *response = response_new(
        &cache->memory, &(struct response_plan){ .names = (uint64_t[]){ name_of_number(p->name) },
                                                 .names_are_short = true,
                                                 .names_n = p->name != 0,
                                                 .is_part = p->is_part,
                                                 .status = p->status ? p->status : 200,
                                                 .fields = fields_of(p->lines),
                                                 .received_wall_ms = now.wall_ms,
                                                 .declared_length = -1 });
    struct body *body = body_new(&cache->memory, BODY_LENGTH_UNKNOWN);
    struct verdict v = { .store = !p->not_stored,
                         .fresh = { .lifetime_ms = p->lifetime_ms < 0 ? 0
                                                   : p->lifetime_ms   ? p->lifetime_ms
                                                                      : 60000,
                                    .stale_while_ms = p->stale_while_ms,
                                    .stale_error_ms = p->stale_error_ms,
                                    .always_revalidate = p->always_revalidate,
                                    .foreground = p->foreground } };
    char bytes[4096];
    memset(bytes, 'b', sizeof(bytes));
    if (p->not_stored)
        body_pass(body);
    for (size_t left = p->body_bytes; left > 0;) {
        size_t n = left < sizeof(bytes) ? left : sizeof(bytes);
        assert_int_equal(body_append(body, (struct str){ bytes, n }), n);
        left -= n;
    }
    object_set_head(o, &(struct object_head){ .response = &response,
                                              .body = &body,
                                              .verdict = &v,
                                              .received_mono_ms = now.mono_ms,
                                              .fetched_status = p->status ? p->status : 200 });
    assert_null(response);
    assert_null(body);
    object_tell(o);
}

/* Head, body, seal, publish under the same key; gives the reference back. */
static inline bool object_store(struct object *o, const struct place *place, const struct page *p)
{
    index_settle(o, place, (struct rule *)(uintptr_t)place->rule);
    object_answer(o, p);
    object_seal(o, false);
    bool published = index_publish(o, place, 1024, now.mono_ms);
    object_unref(o);
    return published;
}

/* A page that was not there is fetched and stored. */
static inline void store(const char *url, const struct page *p)
{
    struct look l = look_of(url);
    struct found f = look_as(&l, OUTCOME_MISS);
    assert_true(object_store(f.busy, &l.place, p));
    f.busy = NULL;
    found_drop(&f);
}

/* An answer of that place which is not stored: it may bring a rule, or make a mark. */
static inline void refuse(const struct place *place, const struct index_note *note)
{
    struct object *o = object_new(cache, epochs_latest(cache->epochs));
    index_refuse(o, place, note, now.mono_ms);
    object_fail(o, REASON_CANCELLED, 502);
    object_unref(o);
}

static inline void learn_rule(const struct place *place, const struct rule *rule)
{
    refuse(place,
           &(struct index_note){ .effect = MARK_CLEARS, .has_rule = true, .of_2xx = true, .learn = rule });
}

static inline void mark_for(const struct place *place, int64_t ms, enum reason reason)
{
    refuse(place,
           &(struct index_note){ .effect = MARK_SETS, .reason = reason, .until_ms = now.mono_ms + ms });
}

static inline uint64_t purge(enum purge_kind kind, uint32_t name)
{
    return epochs_purge(cache->epochs, kind, (uint64_t[]){ name_of_number(name) }, 1, now.mono_ms);
}

#endif
