/*
 * A store of a million pages, by the parts of the cache alone: without connections, so that it takes seconds.
 * Two threads store and look at once, a third purges and sweeps. What is found is what was stored; what a
 * purge named before a look is not served after it; making room looks at a bounded number of pages in each
 * call; and at the end all the memory is given back.
 * Usage: million [PAGES]     prints what a page costs
 */
#include "../unit/cache_world.h"

#include <pthread.h>

#include "cache/room.h"
#include "cache/sweep.h"

#define PAGES_MOST 4000000u
#define SECTIONS   1000u /* a page belongs to one, and can be purged by it */
#define THREADS    2u
#define BODY_BYTES 300
/* What a page of one name takes beside its body (docs/decisions/032). */
#define EACH_MOST 290
/* The budget, for each page: more than one takes, so that a tenth more of them does not fit. */
#define BUDGET_EACH 700
/* What making room for one page may look at in the eviction's queues. */
#define LOOKED_AT_MOST 4096

static unsigned pages = 1000000;

static uint32_t section_of(unsigned page)
{
    return 1 + page % SECTIONS;
}

struct url {
    char text[24];
    struct look look;
};

static void ask_for(struct url *u, unsigned page)
{
    int n = snprintf(u->text, sizeof(u->text), "/page/%u", page);
    u->look = (struct look){ .place = { .primary = { u->text, (size_t)n } },
                             .request = &no_directives,
                             .now = now,
                             .latest = epochs_latest(cache->epochs),
                             .may_fetch = true,
                             .may_join = true };
    place_hash(cache, &u->look.place);
}

/* The body of a page begins with its number, so that another's is noticed. */
static void fill(struct object *o, const struct place *place, unsigned page)
{
    struct fields none = { 0 };
    uint64_t name = name_of_number(section_of(page));
    struct response *response =
        response_new(&cache->memory, &(struct response_plan){ .names = &name,
                                                              .names_n = 1,
                                                              .names_are_short = true,
                                                              .status = 200,
                                                              .fields = &none,
                                                              .declared_length = -1 });
    struct body *body = body_new(&cache->memory, BODY_BYTES);
    struct verdict v = { .store = true, .fresh = { .lifetime_ms = 3600000 } };
    char bytes[BODY_BYTES];
    memset(bytes, 'b', sizeof(bytes));
    memcpy(bytes, &page, sizeof(page));
    o->begun_mono_ms = now.mono_ms;
    index_settle(o, place, NULL);
    CHECK(body_append(body, (struct str){ bytes, sizeof(bytes) }) == sizeof(bytes));
    object_set_head(
        o, &(struct object_head){
               .response = &response, .body = &body, .verdict = &v, .received_mono_ms = now.mono_ms });
    object_tell(o);
    object_seal(o, false);
    index_publish(o, place, 1024, now.mono_ms);
}

/* true: it was there already. */
static bool store_page(unsigned page)
{
    struct url u;
    struct found f;
    ask_for(&u, page);
    index_look(cache, &u.look, &f);
    bool is_new = f.outcome == OUTCOME_MISS;
    if (is_new)
        fill(f.busy, &u.look.place, page);
    found_drop(&f);
    return !is_new;
}

static bool is_body_of(struct object *o, unsigned page)
{
    struct body *b = object_body(o);
    struct body_cursor cursor = { NULL };
    struct iovec piece;
    uint64_t bytes;
    unsigned found = ~page;
    if (b && body_length(b) == BODY_BYTES && body_lease(b, &cursor, 0, BODY_BYTES, &piece, 1, &bytes) == 1)
        memcpy(&found, piece.iov_base, sizeof(found));
    body_unref(b);
    return found == page;
}

/* Is it served, whole and the right one? Creates nothing. */
static bool find_page(unsigned page)
{
    struct url u;
    struct found f;
    ask_for(&u, page);
    u.look.may_fetch = false;
    index_look(cache, &u.look, &f);
    bool hit = f.outcome == OUTCOME_HIT;
    CHECK(!hit || is_body_of(f.stored, page));
    found_drop(&f);
    return hit;
}

/* ---- the threads ---- */

static _Atomic bool told[SECTIONS + 1]; /* the section's purge has returned */
static _Atomic bool looks_are_over;
static struct clock the_clock;

struct visitor {
    pthread_t thread;
    unsigned number;
    unsigned hits, misses, twice, too_late;
};

static void *stores(void *ctx)
{
    struct visitor *v = ctx;
    for (unsigned page = v->number; page < pages; page += THREADS) {
        v->twice += store_page(page);
        v->hits +=
            find_page(page - page % 7 + v->number % 2); /* often the other thread's; perhaps not yet there */
    }
    return NULL;
}

static void *looks_at_all(void *ctx)
{
    struct visitor *v = ctx;
    for (unsigned page = v->number; page < pages; page += THREADS) {
        bool late = atomic_load(&told[section_of(page)]), hit = find_page(page);
        v->hits += hit;
        v->misses += !hit;
        v->too_late += hit && late;
    }
    return NULL;
}

static void *purges_half(void *ctx)
{
    (void)ctx;
    for (uint32_t section = 1; section <= SECTIONS / 2; section++) {
        purge(PURGE_HARD, section);
        atomic_store(&told[section], true);
        cache_sweep(cache, &the_clock, 500);
    }
    while (!atomic_load(&looks_are_over))
        cache_sweep(cache, &the_clock, 500);
    return NULL;
}

/* Runs `does` on all threads, with `beside` on one more when it is there. Returns the sums. */
static struct visitor together(void *(*does)(void *), void *(*beside)(void *))
{
    struct visitor v[THREADS] = { 0 }, sum = { 0 };
    pthread_t other;
    atomic_store(&looks_are_over, false);
    if (beside)
        assert_int_equal(pthread_create(&other, NULL, beside, NULL), 0);
    for (unsigned i = 0; i < THREADS; i++) {
        v[i].number = i;
        assert_int_equal(pthread_create(&v[i].thread, NULL, does, &v[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(v[i].thread, NULL);
        sum.hits += v[i].hits;
        sum.misses += v[i].misses;
        sum.twice += v[i].twice;
        sum.too_late += v[i].too_late;
    }
    atomic_store(&looks_are_over, true);
    if (beside)
        pthread_join(other, NULL);
    return sum;
}

/* ---- the tests, one after the other on one cache ---- */

static void all_are_stored(void **state)
{
    (void)state;
    struct visitor sum = together(stores, NULL);
    assert_int_equal(sum.twice, 0);
    assert_int_equal(cache->objects, pages);
    int64_t each = (memory_used(&cache->memory) - used_at_first) / pages;
    print_message("%u pages of %d bytes take %lld bytes each\n", pages, BODY_BYTES, (long long)each);
    assert_in_range(each, BODY_BYTES + 250, BODY_BYTES + EACH_MOST);
}

static void purges_hold_while_all_are_looked_at(void **state)
{
    (void)state;
    struct visitor sum = together(looks_at_all, purges_half);
    assert_int_equal(sum.hits + sum.misses, pages);
    assert_int_equal(sum.too_late, 0);
    sum = together(looks_at_all, NULL);
    assert_int_equal(sum.too_late, 0);
    assert_int_equal(sum.misses, pages / SECTIONS * (SECTIONS / 2));
}

static void they_come_again(void **state)
{
    (void)state;
    struct visitor sum = together(stores, NULL);
    assert_int_equal(sum.twice, pages - pages / SECTIONS * (SECTIONS / 2));
    assert_int_equal(cache->objects, pages);
}

/* All were used lately, so the eviction finds nothing cold; a tenth of them is asked for again and again. */
static void making_room_is_bounded(void **state)
{
    (void)state;
    unsigned hot = 0, most = 0, all = pages;
    for (unsigned page = 0; all - pages < pages / 2; page = (page + 10) % pages) {
        uint64_t before = evict_looked_at(cache->evict);
        assert_true(room_make(cache, 2000));
        uint64_t looked_at = evict_looked_at(cache->evict) - before;
        most = looked_at > most ? (unsigned)looked_at : most;
        assert_false(store_page(all++));
        find_page(page);
        find_page((page + pages / 2) % pages);
    }
    for (unsigned page = 0; page < pages; page += 10)
        hot += find_page(page);
    print_message("%llu evicted, %u looked at in one call at most; %u of %u hot pages stayed\n",
                  (unsigned long long)cache->evicted, most, hot, pages / 10);
    assert_true(cache->evicted > pages / 10);
    assert_in_range(most, 1, LOOKED_AT_MOST);
    assert_in_range(hot, pages / 10 * 95 / 100, pages / 10);
    assert_true(memory_used(&cache->memory) <= cache->memory.budget_bytes);
}

static void all_is_given_back(void **state)
{
    (void)state;
    for (uint32_t section = 1; section <= SECTIONS; section++)
        purge(PURGE_HARD, section);
    while (cache->objects > 0)
        cache_sweep(cache, &the_clock, 2000);
    atomic_fetch_add(&the_clock.mono_shift_ms,
                     2 * 3600000); /* what is known of families without a page goes, too */
    while (cache->families > 0)
        cache_sweep(cache, &the_clock, 2000);
}

static int begin(void **state)
{
    (void)state;
    world_begin_with((int64_t)pages * BUDGET_EACH);
    now = clock_now(&the_clock);
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_are_stored),    cmocka_unit_test(purges_hold_while_all_are_looked_at),
        cmocka_unit_test(they_come_again),   cmocka_unit_test(making_room_is_bounded),
        cmocka_unit_test(all_is_given_back),
    };
    if (argc > 1)
        pages = (unsigned)strtoul(argv[1], NULL, 10) / SECTIONS * SECTIONS;
    if (pages < SECTIONS * 10 || pages > PAGES_MOST) {
        fprintf(stderr, "million: PAGES is a number from %u to %u\n", SECTIONS * 10, PAGES_MOST);
        return 2;
    }
    return cmocka_run_group_tests(tests, begin, world_end);
}
