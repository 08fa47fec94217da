/* What was purged stays purged over a restart, and numbers only grow: rows are written, loaded and given
 * back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/mem.h"
#include "cache/epoch.h"
#include "store/facts.h"

static const struct hash_secret secret = { "a secret that everybody knows" };
static const struct clock real_clock;
static struct epochs *e;
static struct facts_rows rows;
static struct facts *facts;
static struct now now = { .mono_ms = 1000000, .wall_ms = 1800000000000 };

#define DISK_MOST 400

static struct facts_row disk[DISK_MOST];
static size_t disk_n;

/* A restart: what is on the disk is loaded into new epochs. */
static bool start(size_t names_max)
{
    enum facts_found found;
    struct buf said = BUF_INIT;
    bool good = true;
    e = epochs_new(&secret, names_max);
    rows = epochs_rows(e);
    facts = facts_open(STR_NONE, &real_clock, &rows, &found, &said);
    for (size_t i = 0; i < disk_n && good; i++)
        good = rows.load(rows.owner, &disk[i], now);
    if (!good)
        rows.forget(rows.owner);
    epochs_save_to(e, facts);
    buf_fini(&said);
    return good;
}

static void stop(void)
{
    epochs_free(e);
    facts_free(facts);
}

/* The disk: rows in the order of their latest writing, the head first. */
static void write_row(const struct facts_row *row)
{
    size_t i = 0;
    while (i < disk_n && disk[i].key != row->key)
        i++;
    if (i < disk_n && i > 0) {
        memmove(&disk[i], &disk[i + 1], (--disk_n - i) * sizeof(*disk));
        i = disk_n;
    }
    assert_true(i < DISK_MOST && row->n > 0 && (i > 0 || row->key == 0));
    disk[i] = *row;
    disk_n += i == disk_n;
}

static void (*meanwhile)(void); /* between two takes of a commit; NULL: nothing happens */

static size_t commit(void)
{
    struct facts_row taken[7];
    size_t n, all = 0;
    rows.begin(rows.owner);
    while ((n = rows.take(rows.owner, taken, 7, now)) > 0) {
        for (size_t i = 0; i < n; i++)
            write_row(&taken[i]);
        all += n;
        if (meanwhile)
            meanwhile();
    }
    return all;
}

/* A snapshot in place of all that is on the disk. Returns how many rows were given. */
static size_t snapshot(bool saves)
{
    struct facts_row given[7];
    size_t n, all = 0;
    disk_n = 0;
    rows.walk_begin(rows.owner, saves);
    while ((n = rows.walk(rows.owner, given, 7, now)) > 0) {
        for (size_t i = 0; i < n; i++)
            write_row(&given[i]);
        all += n;
        if (meanwhile)
            meanwhile();
    }
    return all;
}

static uint64_t name(uint32_t n)
{
    return (uint64_t)n << 32 | (uint64_t)0x7700;
}

static uint64_t purge(enum purge_kind kind, uint32_t n)
{
    return epochs_purge(e, kind, (uint64_t[]){ name(n) }, 1, now.mono_ms);
}

static bool is_touched(uint32_t n, uint64_t began, struct purged *out)
{
    uint32_t room[16];
    epoch_names_write(room, (uint64_t[]){ name(n) }, 1, false);
    return epochs_touched(e, (struct epoch_names){ room, 1, false, NULL, 0 }, began, began, epochs_latest(e),
                          out);
}

static int begin(void **state)
{
    (void)state;
    disk_n = 0;
    now = (struct now){ .mono_ms = 1000000, .wall_ms = 1800000000000 };
    assert_true(start(1000));
    return 0;
}

static void numbers_only_grow(void **state)
{
    (void)state;
    uint64_t last = epochs_latest(e);
    for (unsigned i = 0; i < 5; i++) {
        commit();
        for (unsigned k = 0; k < 10; k++) {
            uint64_t number = purge(PURGE_HARD, k);
            assert_true(number > last);
            last = number;
        }
        /* Whether the purges were saved or not. */
        if (i % 2)
            commit();
        stop();
        assert_true(start(1000));
        assert_true(epochs_latest(e) > last);
    }
    stop();
}

/* After an end that was no crash they go on where they were. */
static void a_clean_end_skips_none(void **state)
{
    (void)state;
    commit();
    uint64_t last = purge(PURGE_HARD, 1);
    commit();
    epochs_end(e);
    assert_int_equal(commit(), 1);
    stop();
    assert_true(start(1000));
    assert_int_equal(epochs_latest(e), last);
    commit();
    assert_int_equal(purge(PURGE_HARD, 2), last + 1);
    stop();
    /* A crash then skips what may have been given. */
    assert_true(start(1000));
    assert_true(epochs_latest(e) > last + 1);
    stop();
}

static void a_purge_holds_over_a_restart(void **state)
{
    (void)state;
    struct purged p;
    commit();
    uint64_t before = epochs_latest(e);
    purge(PURGE_HARD, 1);
    purge(PURGE_INVALIDATE, 2);
    purge(PURGE_SOFT, 3);
    uint64_t after = epochs_latest(e);
    commit();
    stop();
    now.mono_ms = 5; /* another boot */
    now.wall_ms += 60000;
    assert_true(start(1000));
    assert_true(is_touched(1, before, &p) && p.hard && !p.invalidated && !p.soft);
    assert_true(is_touched(2, before, &p) && !p.hard && p.invalidated && !p.soft);
    assert_true(is_touched(3, before, &p) && !p.hard && !p.invalidated && p.soft);
    assert_int_equal(now.mono_ms - p.soft_at_ms, 60000);
    for (uint32_t i = 1; i <= 3; i++)
        assert_false(is_touched(i, after, &p));
    assert_false(is_touched(4, before, &p));
    stop();
}

static void a_page_of_an_earlier_process_is_not_cleared_by_the_journal(void **state)
{
    (void)state;
    struct purged p;
    uint64_t began = epochs_latest(e);
    purge(PURGE_HARD, 1);
    purge(PURGE_HARD, 2);
    commit();
    stop();
    assert_true(start(1000));
    assert_true(is_touched(1, began, &p) && p.hard);
    assert_false(is_touched(3, began, &p) && (p.hard || p.soft || p.invalidated));
    purge(PURGE_HARD, 3);
    assert_true(is_touched(1, began, &p) && p.hard);
    stop();
}

/* A URL without a query is the partner of its path. */
static void a_purge_of_a_partner_holds_over_a_restart(void **state)
{
    (void)state;
    struct purged p;
    uint32_t room[16];
    uint64_t began = epochs_latest(e), url = name(1) | EPOCH_PAIR;
    epochs_purge(e, PURGE_INVALIDATE, &url, 1, now.mono_ms);
    purge(PURGE_HARD, 2);
    commit();
    stop();
    assert_true(start(1000));
    epoch_names_write(room, &url, 1, false);
    struct epoch_names of = { room, 1, false, NULL, 0 };
    assert_true(epochs_touched(e, of, began, began, epochs_latest(e), &p) && p.invalidated && !p.hard);
    assert_true(is_touched(2, began, &p) && p.hard);
    stop();
}

static void soft_purges_keep_their_times(void **state)
{
    (void)state;
    struct purged p;
    uint64_t began[8];
    commit();
    for (unsigned i = 0; i < 8; i++) {
        began[i] = epochs_latest(e);
        purge(PURGE_SOFT, 9);
        now.mono_ms += 1000;
        now.wall_ms += 1000;
    }
    commit();
    stop();
    assert_true(start(1000));
    for (unsigned i = 0; i < 8; i++) {
        assert_true(is_touched(9, began[i], &p));
        assert_int_equal(now.mono_ms - p.soft_at_ms, 1000 * (8 - i));
    }
    stop();
    /* A wall clock that went back makes nothing younger. */
    now.wall_ms -= 3600000;
    assert_true(start(1000));
    assert_true(is_touched(9, began[7], &p));
    assert_true(now.mono_ms - p.soft_at_ms > (int64_t)365 * 86400 * 1000);
    stop();
}

static void what_was_not_committed_is_missing_and_nothing_else(void **state)
{
    (void)state;
    struct purged p;
    commit();
    uint64_t before = epochs_latest(e);
    purge(PURGE_HARD, 1);
    commit();
    purge(PURGE_HARD, 2);
    stop();
    assert_true(start(1000));
    assert_true(is_touched(1, before, &p));
    assert_false(is_touched(2, before, &p));
    /* The next purge of it holds for what began then, with whatever number. */
    uint64_t began = epochs_latest(e);
    purge(PURGE_HARD, 2);
    assert_true(is_touched(2, began, &p));
    assert_true(is_touched(2, before, &p));
    stop();
}

/* A commit takes what was unsaved when it began, each once; what is purged meanwhile is for the next. */
static void a_commit_takes_each_once(void **state)
{
    (void)state;
    commit();
    for (uint32_t i = 0; i < 100; i++)
        purge(PURGE_HARD, i % 20);
    assert_int_equal(commit(), 20);
    assert_int_equal(commit(), 0);
    purge(PURGE_HARD, 3);
    assert_int_equal(commit(), 1);
    stop();
}

static uint32_t next_name;

static void purge_more(void)
{
    for (unsigned i = 0; i < 5; i++)
        purge(PURGE_HARD, next_name++);
}

/* Whatever is purged between two takes of a commit, at the cap where each new name raises the floor: the
 * commit has all that was unsaved when it began, and ends. */
static void a_commit_has_all_that_was_unsaved(void **state)
{
    (void)state;
    struct purged p;
    stop();
    assert_true(start(150));
    for (uint32_t i = 0; i < 150; i++)
        purge(PURGE_INVALIDATE, i);
    uint64_t before = 1;
    next_name = 1000;
    meanwhile = purge_more;
    commit();
    meanwhile = NULL;
    stop();
    assert_true(start(1000));
    for (uint32_t i = 0; i < 150; i++)
        assert_true(is_touched(i, before, &p) && p.invalidated);
    assert_true(epochs_latest(e) >= 1 << 20);
    stop();
}

/* A snapshot has each name once, the one that was purged longest ago first, between two heads. */
static void a_snapshot_has_all_in_order(void **state)
{
    (void)state;
    commit();
    for (uint32_t i = 0; i < 100; i++)
        purge(PURGE_HARD, i);
    purge(PURGE_SOFT, 3);
    assert_int_equal(snapshot(false), 102);
    assert_int_equal(disk_n, 101);
    for (size_t i = 1; i < 100; i++)
        assert_true(disk[i].key == (name((uint32_t)(i <= 3 ? i - 1 : i)) >> 8) + 1);
    assert_true(disk[100].key == (name(3) >> 8) + 1);
    /* It has saved nothing, unless that was wanted. */
    assert_int_equal(commit(), 100);
    for (uint32_t i = 0; i < 100; i++)
        purge(PURGE_HARD, i);
    assert_int_equal(snapshot(true), 102);
    assert_int_equal(commit(), 0);
    stop();
    assert_true(start(1000));
    assert_int_equal(epochs_count(e), 100);
    stop();
}

/* Names come, are purged again and are forgotten, at the cap and by the sweep, between any two steps of a
 * snapshot. What a commit has written since goes on behind it. Nothing that was purged before it began is
 * untouched. */
static void a_snapshot_beside_purges_loses_nothing(void **state)
{
    (void)state;
    for (unsigned saves = 0; saves < 2; saves++) {
        struct purged p;
        stop();
        disk_n = 0;
        assert_true(start(150));
        commit();
        uint64_t before = epochs_latest(e);
        for (uint32_t i = 0; i < 150; i++)
            purge(i % 3 ? PURGE_HARD : PURGE_INVALIDATE, i);
        if (!saves)
            commit();
        next_name = 100; /* some again, then new ones, for which others are forgotten */
        meanwhile = purge_more;
        snapshot(saves);
        meanwhile = NULL;
        /* A crash now: of the purges since nothing is on the disk. */
        stop();
        assert_true(start(1000));
        for (uint32_t i = 0; i < 150; i++)
            assert_true(is_touched(i, before, &p) && (p.hard || p.invalidated));
        commit();
    }
    stop();
}

/* Names that the sweep forgets during a walk, also the one that comes next. */
static void a_walk_steps_over_what_goes(void **state)
{
    (void)state;
    struct facts_row given[3];
    size_t n, all = 0;
    uint64_t numbers[40];
    commit();
    for (uint32_t i = 0; i < 40; i++)
        numbers[i] = purge(PURGE_HARD, i);
    rows.walk_begin(rows.owner, false);
    while ((n = rows.walk(rows.owner, given, 3, now)) > 0) {
        all += n;
        epochs_forget(e, numbers[all + 2 < 40 ? all + 2 : 39]);
    }
    assert_true(all > 10 && all < 40);
    assert_int_equal(epochs_count(e), 0);
    stop();
}

/* The name that comes next is purged, and moves behind all others: the walk goes on with the one after it. */
static void a_walk_steps_over_what_moves(void **state)
{
    (void)state;
    struct facts_row given[3];
    size_t n, all = 0;
    commit();
    for (uint32_t i = 0; i < 40; i++)
        purge(PURGE_HARD, i);
    uint32_t next = 0;
    rows.walk_begin(rows.owner, false);
    while ((n = rows.walk(rows.owner, given, 3, now)) > 0) {
        for (size_t i = 0; i < n; i++)
            next = given[i].key ? (uint32_t)(((given[i].key - 1) << 8) >> 32) + 1 : next;
        all += n;
        if (next < 40)
            purge(PURGE_HARD, next);
    }
    assert_true(all >= 30 && next >= 39);
    assert_int_equal(epochs_count(e), 40);
    stop();
}

/* However many names are forgotten while no commit is made: none of them is kept for the disk. */
static void forgotten_names_take_no_memory(void **state)
{
    (void)state;
    stop();
    assert_true(start(100));
    for (uint32_t i = 0; i < 100; i++)
        purge(PURGE_HARD, i);
    size_t bytes = epochs_bytes(e);
    for (uint32_t i = 0; i < 50000; i++)
        purge(PURGE_HARD, i);
    assert_int_equal(epochs_count(e), 100);
    assert_true(epochs_bytes(e) <= bytes + 4096);
    assert_int_equal(commit(), 101);
    stop();
}

/* What was forgotten since a snapshot comes again with the log behind it, and does not take more room than
 * there is. */
static void a_log_with_more_names_than_fit(void **state)
{
    (void)state;
    struct purged p;
    stop();
    assert_true(start(40));
    commit();
    uint64_t before = epochs_latest(e);
    for (uint32_t i = 0; i < 200; i++) {
        purge(PURGE_HARD, i);
        commit();
    }
    assert_int_equal(disk_n, 201);
    uint64_t last = epochs_latest(e);
    /* A head that comes later, and is older, lowers no floor that the reading has raised. */
    disk[disk_n] = disk[0];
    for (size_t i = 8; i < 32; i++)
        disk[disk_n].bytes[i] = disk[0].bytes[i] = 0;
    disk_n++;
    stop();
    assert_true(start(40));
    assert_int_equal(epochs_count(e), 40);
    for (uint32_t i = 0; i < 200; i++)
        assert_true(is_touched(i, before, &p) && p.hard);
    assert_false(is_touched(199, last, &p));
    stop();
}

/* A row of a name that is there already replaces it, with its soft purges. */
static void a_row_that_comes_again_counts(void **state)
{
    (void)state;
    struct purged p;
    commit();
    purge(PURGE_SOFT, 1);
    purge(PURGE_SOFT, 1);
    commit();
    struct facts_row old = disk[1];
    uint64_t began = epochs_latest(e);
    now.mono_ms += 500;
    now.wall_ms += 500;
    purge(PURGE_SOFT, 1);
    commit();
    assert_int_equal(disk_n, 2);
    disk[2] = disk[1];
    disk[1] = old;
    disk_n = 3;
    stop();
    assert_true(start(1000));
    assert_int_equal(epochs_count(e), 1);
    assert_true(is_touched(1, began, &p) && p.soft);
    assert_int_equal(p.soft_at_ms, now.mono_ms);
    stop();
}

/* What tells new names from those that came before is a bit of their hash, which others have too. */
static void names_that_look_alike_are_all_there(void **state)
{
    (void)state;
    struct purged p;
    commit();
    uint64_t before = epochs_latest(e);
    for (uint32_t i = 0; i < 40; i++)
        purge(PURGE_HARD, 5 + (i << 14));
    commit();
    disk[disk_n] = disk[7];
    disk_n++;
    stop();
    assert_true(start(1000));
    assert_int_equal(epochs_count(e), 40);
    for (uint32_t i = 0; i < 40; i++)
        assert_true(is_touched(5 + (i << 14), before, &p) && p.hard);
    stop();
}

/* A log is read in the order in which it was written, which need not be that of the purges. */
static void the_oldest_is_forgotten_first_whatever_was_read_first(void **state)
{
    (void)state;
    struct purged p;
    stop();
    assert_true(start(16));
    commit();
    for (uint32_t i = 1; i <= 16; i++)
        purge(PURGE_HARD, i);
    uint64_t first = epochs_latest(e) - 15;
    commit();
    assert_int_equal(disk_n, 17);
    struct facts_row oldest = disk[1];
    memmove(&disk[1], &disk[2], 15 * sizeof(*disk));
    disk[16] = oldest;
    stop();
    assert_true(start(16));
    assert_int_equal(epochs_floor(e), 0);
    uint64_t now_is = epochs_latest(e);
    purge(PURGE_HARD, 99);
    assert_int_equal(epochs_floor(e), first);
    assert_true(is_touched(1, first - 1, &p) && p.hard);
    assert_false(is_touched(1, first, &p));
    assert_true(is_touched(2, first, &p) && p.hard);
    assert_true(now_is >= first + 15);
    stop();
}

static void floors_hold_over_a_restart(void **state)
{
    (void)state;
    struct purged p;
    stop();
    assert_true(start(16));
    commit();
    uint64_t before = epochs_latest(e);
    for (uint32_t i = 0; i < 40; i++)
        purge(i < 30 ? PURGE_HARD : PURGE_INVALIDATE, i);
    assert_int_equal(epochs_count(e), 16);
    uint64_t floor = epochs_floor(e);
    commit();
    stop();
    assert_true(start(16));
    assert_int_equal(epochs_count(e), 16);
    assert_int_equal(epochs_floor(e), floor);
    assert_true(is_touched(999, before, &p) && p.hard);
    /* With less memory than before, more of them are forgotten, and more counts as purged. */
    stop();
    disk_n = 0;
    assert_true(start(300));
    commit();
    before = epochs_latest(e);
    for (uint32_t i = 0; i < 100; i++)
        purge(PURGE_HARD, i);
    commit();
    stop();
    assert_true(start(16));
    assert_int_equal(epochs_count(e), 16);
    for (uint32_t i = 0; i < 100; i++)
        assert_true(is_touched(i, before, &p) && p.hard);
    stop();
}

/* Whatever the bytes of a row are, it is refused or makes a purge. */
static void rows_that_nobody_wrote(void **state)
{
    (void)state;
    commit();
    purge(PURGE_HARD, 1);
    purge(PURGE_SOFT, 1);
    commit();
    stop();
    struct facts_row good[2] = { disk[0], disk[1] };
    assert_int_equal(disk_n, 2);
    for (size_t r = 0; r < 2; r++) {
        for (size_t n = 0; n < FACTS_ROW_MAX; n++) {
            memcpy(disk, good, sizeof(good));
            if (n == disk[r].n)
                continue;
            disk[r].n = n;
            bool taken = start(1000);
            assert_true(!taken || (r == 1 && n == 16));
            stop();
        }
        for (size_t i = 0; i < good[r].n; i++) {
            memcpy(disk, good, sizeof(good));
            disk[r].bytes[i] = 0xff;
            start(1000);
            assert_true(epochs_latest(e) < INT64_MAX / 2);
            stop();
        }
    }
    memcpy(disk, good, sizeof(good));
    disk[1].key = UINT64_MAX;
    assert_false(start(1000));
    stop();
    /* Names without a head: nothing says which numbers were given. */
    disk[0] = good[1];
    disk_n = 1;
    assert_false(start(1000));
    stop();
}

#define TEST(name) cmocka_unit_test_setup(name, begin)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(numbers_only_grow),
        TEST(a_clean_end_skips_none),
        TEST(a_purge_holds_over_a_restart),
        TEST(a_page_of_an_earlier_process_is_not_cleared_by_the_journal),
        TEST(a_purge_of_a_partner_holds_over_a_restart),
        TEST(soft_purges_keep_their_times),
        TEST(what_was_not_committed_is_missing_and_nothing_else),
        TEST(a_commit_takes_each_once),
        TEST(a_commit_has_all_that_was_unsaved),
        TEST(a_snapshot_has_all_in_order),
        TEST(a_snapshot_beside_purges_loses_nothing),
        TEST(a_walk_steps_over_what_goes),
        TEST(a_walk_steps_over_what_moves),
        TEST(forgotten_names_take_no_memory),
        TEST(a_log_with_more_names_than_fit),
        TEST(a_row_that_comes_again_counts),
        TEST(names_that_look_alike_are_all_there),
        TEST(the_oldest_is_forgotten_first_whatever_was_read_first),
        TEST(floors_hold_over_a_restart),
        TEST(rows_that_nobody_wrote),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
