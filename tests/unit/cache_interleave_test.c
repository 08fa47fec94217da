/* A purge that is in force at any point of a fetch's life keeps what was fetched before it from every request
 * that arrives after it: at each step, for cold pages, confirmed ones (304) and background refreshes, with
 * waiters, whichever fetch ends first, and from several threads. */
#include "cache_world.h"

#include <pthread.h>
#include <sched.h>

/* ---- a world in which the tests play fetches and visitors ---- */

enum fetch_step { BEGUN, SETTLED, HEAD, GROWN, SEALED, PUBLISHED, STEPS };

/* The data were read when it began: as old as an answer can be. */
struct fetch {
    struct object *object, *stale;
    struct body *body;
    struct place place;
    int version;
    enum fetch_step step;
};

struct visitor {
    struct look look;
    struct object *object; /* waits for it */
    bool own;
    int least; /* the oldest version that it may see */
    int saw;   /* 0: nothing yet */
    unsigned looks;
};

#define FETCHES_MAX  64
#define VISITORS_MAX 64

static struct {
    const char *url;
    uint32_t name;
    int version; /* of the data */
    int least;   /* for who arrives now */
    int64_t lifetime_ms, stale_while_ms;
    struct fetch fetches[FETCHES_MAX];
    size_t fetches_n;
    struct visitor visitors[VISITORS_MAX];
    size_t visitors_n;
} w;

/* How often what these tests are about came about. */
static size_t hits, stale_hits, joined, looked_again, begun, confirmed, not_published;

/* A response says its version where HEAD would say a length. */
static int version_of(const struct object *o)
{
    return (int)response_declared_length(o->response);
}

static struct fetch *begin_fetch(struct object *o, struct object *stale, const struct look *l)
{
    assert_true(w.fetches_n < FETCHES_MAX);
    struct fetch *f = &w.fetches[w.fetches_n++];
    *f = (struct fetch){ .object = object_ref(o), .place = l->place, .version = w.version };
    if (stale && !object_check_purged(stale, HERE, epochs_latest(cache->epochs), now.mono_ms).gone)
        f->stale = object_ref(stale);
    begun++;
    return f;
}

static void set_head(struct fetch *f)
{
    /* The validator is the version: a stored response of the same one is confirmed. */
    bool same = f->stale && version_of(f->stale) == f->version;
    struct verdict v = { .store = true,
                         .fresh = { .lifetime_ms = w.lifetime_ms, .stale_while_ms = w.stale_while_ms } };
    struct response *response =
        response_new(&cache->memory, &(struct response_plan){ .names = (uint64_t[]){ name_of_number(w.name) },
                                                              .names_n = 1,
                                                              .status = 200,
                                                              .fields = fields_of(NULL),
                                                              .received_wall_ms = now.wall_ms,
                                                              .declared_length = f->version });
    struct body *shared;
    if (same) {
        confirmed++;
        shared = object_body(f->stale);
    } else {
        f->body = body_new(&cache->memory, BODY_LENGTH_UNKNOWN);
        shared = body_ref(f->body);
    }
    if (!f->object->begun_mono_ms)
        f->object->begun_mono_ms = now.mono_ms;
    object_set_head(f->object, &(struct object_head){ .response = &response,
                                                      .body = &shared,
                                                      .verdict = &v,
                                                      .received_mono_ms = now.mono_ms,
                                                      .fetched_status = same ? 304 : 200,
                                                      .successor_of = same ? f->stale : NULL });
    object_tell(f->object);
}

/* The next step of its life; after the last it is gone. Other things are purged all the time. */
static void step(struct fetch *f)
{
    purge(PURGE_HARD, 1);
    switch (f->step) {
    case BEGUN: index_settle(f->object, &f->place, NULL); break;
    case SETTLED: set_head(f); break;
    case HEAD:
        if (f->body)
            assert_int_equal(body_append(f->body, STR("the page")), 8);
        object_tell(f->object);
        break;
    case GROWN: object_seal(f->object, false); break;
    case SEALED:
        not_published += !index_publish(f->object, &f->place, 1024, now.mono_ms);
        object_unref(f->object);
        object_unref(f->stale);
        body_unref(f->body);
        break;
    default: fail_msg("a step after the last");
    }
    f->step++;
}

static void finish_fetch(struct fetch *f)
{
    while (f->step < PUBLISHED)
        step(f);
}

static void look_up(struct visitor *v)
{
    struct found found;
    if (++v->looks > 4)
        fail_msg("%s: a visitor looks again and again", w.url);
    purge(PURGE_SOFT, 2);
    v->look = look_of(w.url);
    index_look(cache, &v->look, &found);
    switch (found.outcome) {
    case OUTCOME_HIT:
        hits++;
        v->saw = version_of(found.stored);
        break;
    case OUTCOME_STALE: begin_fetch(found.busy, found.stored, &v->look); /* fall through */
    case OUTCOME_STALE_JOIN:
        stale_hits++;
        v->saw = version_of(found.stored);
        break;
    case OUTCOME_JOIN:
        joined++;
        v->object = object_ref(found.busy);
        v->own = false;
        break;
    case OUTCOME_EXPIRED:
    case OUTCOME_MISS:
    case OUTCOME_PASS: {
        struct object *o = found.busy ? object_ref(found.busy) : object_new(cache, v->look.latest);
        begin_fetch(o, found.stored, &v->look);
        v->object = o;
        v->own = true;
        break;
    }
    default: fail_msg("outcome %.*s", STR_ARG(outcome_name(found.outcome)));
    }
    found_drop(&found);
}

/* As a request does when its object moved on. true: it was answered, or looked again. */
static bool go_on(struct visitor *v)
{
    struct object *o = v->object;
    if (v->saw || !o || object_state(o) == OBJECT_NEW)
        return false;
    v->object = NULL;
    if (v->own || !(o->begin < v->look.latest && index_is_outdated(o, &v->look))) {
        v->saw = version_of(o);
    } else {
        looked_again++;
        look_up(v);
    }
    object_unref(o);
    return true;
}

static void all_go_on(void)
{
    for (bool more = true; more;) {
        more = false;
        for (size_t i = 0; i < w.visitors_n; i++)
            more |= go_on(&w.visitors[i]);
    }
    for (size_t i = 0; i < w.visitors_n; i++)
        if (w.visitors[i].saw && w.visitors[i].saw < w.visitors[i].least)
            fail_msg("%s: visitor %zu saw version %d instead of %d", w.url, i, w.visitors[i].saw,
                     w.visitors[i].least);
}

static struct visitor *arrive(void)
{
    assert_true(w.visitors_n < VISITORS_MAX);
    struct visitor *v = &w.visitors[w.visitors_n++];
    *v = (struct visitor){ .least = w.least };
    look_up(v);
    all_go_on();
    return v;
}

static void finish_all(void)
{
    for (size_t i = 0; i < w.fetches_n; i++) /* visitors may begin more of them */
        while (w.fetches[i].step < PUBLISHED) {
            step(&w.fetches[i]);
            all_go_on();
        }
    for (size_t i = 0; i < w.visitors_n; i++)
        if (!w.visitors[i].saw)
            fail_msg("%s: visitor %zu waits for ever", w.url, i);
}

/* A page of its own for each order of things. */
static void begin_page(int64_t lifetime_ms, int64_t stale_while_ms)
{
    static unsigned n;
    char url[32];
    snprintf(url, sizeof(url), "/page-%u", ++n);
    memset(&w, 0, sizeof(w));
    w.url = arena_printf(&arena, "%s%c", url, 0).p;
    w.name = 1000000 + n;
    w.version = w.least = 1;
    w.lifetime_ms = lifetime_ms;
    w.stale_while_ms = stale_while_ms;
}

static void end_page(void)
{
    finish_all();
    purge(PURGE_HARD, w.name);
    struct place place = place_of(w.url, NULL, NULL);
    struct object *o = index_peek(cache, &place);
    if (o)
        index_withdraw(o);
    object_unref(o);
    arena_rewind(&arena);
}

/* ---- every order ---- */

enum kind { COLD, REVALIDATION, REFRESH };

#define NOBODY -1

/*
 * The page is fetched with version 1. At `at` the data change and a purge is in force. Somebody joined at
 * `join`. Then the fetch of who asked after the purge, if there is one, makes `ahead` steps before the older
 * one goes on.
 */
static void one_order(enum kind kind, enum purge_kind purge_kind, bool window, enum fetch_step at, int join,
                      int ahead)
{
    begin_page(kind == COLD ? 60000 : 1000, window ? 3600000 : 0);
    if (kind != COLD) {
        arrive();
        finish_all();
        now.mono_ms += 2000;
        w.fetches_n = w.visitors_n = 0;
    }
    arrive();
    assert_int_equal(w.fetches_n, 1);
    struct fetch *older = &w.fetches[0];
    for (int s = BEGUN;; s++) {
        if (s == join)
            arrive();
        if (s == (int)at)
            break;
        step(older);
        all_go_on();
    }
    w.version = 2;
    bool may_be_stale = purge_kind == PURGE_SOFT && window;
    purge(purge_kind, w.name);
    w.least = may_be_stale ? 1 : 2;
    arrive();
    for (int s = 0; s < ahead; s++)
        for (size_t i = 1; i < w.fetches_n; i++)
            if (w.fetches[i].step < PUBLISHED) {
                step(&w.fetches[i]);
                all_go_on();
                arrive();
                break;
            }
    while (older->step < PUBLISHED) {
        step(older);
        all_go_on();
        arrive();
    }
    finish_all();
    /* In the end the new version is there, and stays. */
    for (int more = 0; more < 3; more++) {
        arrive();
        finish_all();
    }
    assert_int_equal(arrive()->saw, 2);
    end_page();
}

static void a_purge_at_each_step(void **state)
{
    (void)state;
    for (int kind = COLD; kind <= REFRESH; kind++)
        for (int purge_kind = PURGE_HARD; purge_kind < PURGE_KINDS; purge_kind++)
            for (int window = kind == REFRESH; window <= (kind != REVALIDATION); window++)
                for (int at = BEGUN; at <= PUBLISHED; at++)
                    for (int join = NOBODY; join <= at; join++)
                        for (int ahead = 0; ahead <= STEPS; ahead++)
                            one_order((enum kind)kind, (enum purge_kind)purge_kind, window,
                                      (enum fetch_step)at, join, ahead);
    assert_true(hits > 100 && stale_hits > 100 && joined > 100 && looked_again > 100 && begun > 100);
    assert_true(confirmed > 100 && not_published > 100);
}

/* Purges of other things change nothing: one fetch, and all others wait for it or hit. */
static void a_purge_of_something_else(void **state)
{
    (void)state;
    for (int at = BEGUN; at <= PUBLISHED; at++) {
        begin_page(60000, 0);
        arrive();
        for (int s = BEGUN; s < at; s++)
            step(&w.fetches[0]);
        purge(PURGE_HARD, 7);
        purge(PURGE_SOFT, 8);
        arrive();
        finish_all();
        assert_int_equal(arrive()->saw, 1);
        assert_int_equal(w.fetches_n, 1);
        end_page();
    }
}

/* Three fetches of three versions, purged in between, may be published in any order: the youngest stays. */
static void published_in_any_order(void **state)
{
    (void)state;
    static const int orders[6][3] = { { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 },
                                      { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 } };
    for (int soft = 0; soft < 2; soft++)
        for (size_t order = 0; order < COUNT_OF(orders); order++) {
            begin_page(60000, 0);
            for (int i = 0; i < 3; i++) {
                arrive();
                assert_int_equal(w.fetches_n, i + 1);
                /* With its head it is known to be purged, so that the next one begins its own. */
                step(&w.fetches[i]);
                step(&w.fetches[i]);
                all_go_on();
                purge(soft ? PURGE_SOFT : PURGE_HARD, w.name);
                w.least = ++w.version;
            }
            arrive();
            finish_fetch(&w.fetches[3]);
            all_go_on();
            for (int i = 0; i < 3; i++) {
                finish_fetch(&w.fetches[orders[order][i]]);
                assert_int_equal(arrive()->saw, 4);
            }
            assert_int_equal(w.fetches_n, 4);
            end_page();
        }
}

/* ---- threads ---- */

#define PAGES         8
#define THREADS       3
#define THREAD_VISITS 6000

static struct {
    _Atomic int version, least;
    char url[16];
    uint32_t name;
} pages[PAGES];
static atomic_size_t threads_done;
static atomic_int wrong;

struct tourist {
    pthread_t thread;
    unsigned dice;
    size_t hits, joined, begun;
};

static unsigned throw(unsigned *dice)
{
    *dice = *dice * 1103515245u + 12345u;
    return *dice >> 16;
}

static int fill(struct object *o, const struct place *place, size_t page, unsigned *dice)
{
    int version = atomic_load(&pages[page].version);
    struct verdict v = { .store = true, .fresh = { .lifetime_ms = 60000 } };
    struct fields none = { .n = 0 };
    struct response *response = response_new(
        &cache->memory, &(struct response_plan){ .names = (uint64_t[]){ name_of_number(pages[page].name) },
                                                 .names_n = 1,
                                                 .status = 200,
                                                 .fields = &none,
                                                 .received_wall_ms = WALL_MS,
                                                 .declared_length = version });
    struct body *body = body_new(&cache->memory, BODY_LENGTH_UNKNOWN), *shared = body_ref(body);
    index_settle(o, place, NULL);
    if (throw(dice) & 1)
        sched_yield();
    object_set_head(o, &(struct object_head){ .response = &response,
                                              .body = &shared,
                                              .verdict = &v,
                                              .received_mono_ms = now.mono_ms,
                                              .fetched_status = 200 });
    if (throw(dice) & 1)
        sched_yield();
    body_append(body, STR("the page"));
    object_seal(o, false);
    if (throw(dice) & 1)
        sched_yield();
    index_publish(o, place, 1024, now.mono_ms);
    body_unref(body);
    return version;
}

/* The version that the request sees, 0: it has to look again. */
static int visit_once(struct tourist *t, size_t page)
{
    struct look l = { .place = place_of(pages[page].url, NULL, NULL),
                      .request = &no_directives,
                      .now = now,
                      .latest = epochs_latest(cache->epochs),
                      .may_fetch = true,
                      .may_join = true };
    struct found f;
    int version = 0;
    index_look(cache, &l, &f);
    if (f.outcome == OUTCOME_HIT) {
        t->hits++;
        version = version_of(f.stored);
    } else if (f.outcome == OUTCOME_JOIN) {
        t->joined++;
        while (object_state(f.busy) == OBJECT_NEW)
            sched_yield();
        if (!(f.busy->begin < l.latest && index_is_outdated(f.busy, &l)))
            version = version_of(f.busy);
    } else {
        t->begun++;
        if (!f.busy)
            f.busy = object_new(cache, l.latest);
        version = fill(f.busy, &l.place, page, &t->dice);
    }
    found_drop(&f);
    return version;
}

static void *visit(void *arg)
{
    struct tourist *t = arg;
    for (int i = 0; i < THREAD_VISITS; i++) {
        size_t page = throw(&t->dice) % PAGES;
        int least = atomic_load(&pages[page].least), saw;
        while ((saw = visit_once(t, page)) == 0)
            ;
        if (saw < least)
            atomic_fetch_add(&wrong, 1);
    }
    atomic_fetch_add(&threads_done, 1);
    return NULL;
}

static void purges_while_threads_visit(void **state)
{
    (void)state;
    struct tourist tourists[THREADS] = { { .dice = 0 } };
    unsigned dice = 99;
    size_t hit = 0, waited = 0, filled = 0;
    threads_done = 0;
    wrong = 0;
    for (size_t i = 0; i < PAGES; i++) {
        snprintf(pages[i].url, sizeof(pages[i].url), "/thread-%zu", i);
        pages[i].name = 5000 + i;
        pages[i].version = pages[i].least = 1;
    }
    for (unsigned i = 0; i < THREADS; i++) {
        tourists[i].dice = i + 1;
        assert_int_equal(pthread_create(&tourists[i].thread, NULL, visit, &tourists[i]), 0);
    }
    while (atomic_load(&threads_done) < THREADS) {
        size_t page = throw(&dice) % PAGES;
        int version = atomic_fetch_add(&pages[page].version, 1) + 1;
        purge(throw(&dice) & 1 ? PURGE_HARD : PURGE_SOFT, pages[page].name);
        atomic_store(&pages[page].least, version);
        for (unsigned i = throw(&dice) % 64; i > 0; i--)
            sched_yield();
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(tourists[i].thread, NULL);
        hit += tourists[i].hits;
        waited += tourists[i].joined;
        filled += tourists[i].begun;
    }
    assert_int_equal(wrong, 0);
    assert_true(hit > 0 && filled > 0);
    (void)waited; /* on one core nobody may ever have to wait */
}

#define T(name) cmocka_unit_test_setup_teardown(name, world_begin, world_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_purge_at_each_step),
        T(a_purge_of_something_else),
        T(published_in_any_order),
        T(purges_while_threads_visit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
