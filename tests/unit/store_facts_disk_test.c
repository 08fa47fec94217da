/* What was said to be on disk is there, whatever happens to the disk: power cuts at any moment, failures of
 * any call, torn tails, logs that are used again. And a commit costs one write and one sync. */
#include <errno.h>

#include "facts_test.h"
#include "store/facts_format.h"
#include "store/facts_machine.h"

static struct shared disk;
/* What one thread does at every byte and every call is done at some of them under the thread sanitizer, which
 * sees nothing in it. */
#ifdef __SANITIZE_THREAD__
#define EACH 16
#else
#define EACH 1
#endif

static int64_t patience_ms; /* 0: as usual */

static void start_on(struct shared *s)
{
    struct facts_options o = { &s->files, 256 << 10, patience_ms };
    assert_int_equal(open_with("f", &o), FACTS_USABLE);
    assert_int_equal(said.n, 1);
}

static void start(void)
{
    start_on(&disk);
    facts_start(facts);
}

/* After the first commit: the keeping thread makes the other log, and then does nothing until that is
 * needed. */
static void await_other_log(void)
{
    bool is_ready = false;
    while (!is_ready) {
        usleep(100);
        lock_take(&facts->lock);
        is_ready = facts->other_ready && !facts->wants_whole;
        lock_give(&facts->lock);
    }
}

/* Is a snapshot wanted, since the other log is the one that is written? */
static bool wants_whole(void)
{
    lock_take(&facts->lock);
    bool wants = facts->wants_whole;
    lock_give(&facts->lock);
    return wants;
}

static int setup(void **state)
{
    (void)state;
    alarm(300);
    patience_ms = 0;
    shared_init(&disk);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    shared_fini(&disk);
    buf_fini(&said);
    return 0;
}

/* A number as a fact, with so many bytes. */
static bool put_count(unsigned n, size_t bytes)
{
    struct buf value = BUF_INIT;
    buf_printf(&value, "%u ", n);
    memset(buf_room(&value, bytes), 'x', bytes);
    value.n += bytes;
    facts_put(facts, STR("count"), buf_str(&value));
    buf_fini(&value);
    return is_saved(facts_ask(facts));
}

/* The number that is there; 0: none. */
static unsigned count(void)
{
    struct str value = facts_get(facts, STR("count"));
    uint64_t n = 0;
    if (value.n)
        assert_true(str_to_u64(str_cut(&value, ' '), UINT32_MAX, &n));
    return (unsigned)n;
}

/* ---- what a commit costs ---- */

static void a_commit_is_one_write_and_one_sync(void **state)
{
    (void)state;
    start();
    for (unsigned i = 0; i < 20; i++) {
        uint64_t writes = shared_calls(&disk, DISK_WRITE), syncs = shared_calls(&disk, DISK_SYNC);
        set_row(i, 1);
        /* As a purge does: whoever changes a row asks, and whoever waits for it asks again. */
        uint64_t ticket = facts_ask(facts);
        assert_int_equal(facts_ask(facts), ticket);
        assert_true(is_saved(ticket));
        if (i == 0) {
            await_other_log();
            continue;
        }
        assert_int_equal(shared_calls(&disk, DISK_WRITE), writes + 1);
        assert_int_equal(shared_calls(&disk, DISK_SYNC), syncs + 1);
        /* Nothing has changed since: nobody waits. */
        assert_int_equal(facts_settled(facts, facts_ask(facts)), FACTS_SAVED);
    }
    uint64_t syncs = shared_calls(&disk, DISK_SYNC);
    facts_try_again(facts); /* nothing to try */
    assert_true(is_saved(facts_ask(facts)));
    assert_int_equal(shared_calls(&disk, DISK_SYNC), syncs);
    stop();
}

/* Those who come while a commit is under way share the next one, and nobody waits for two. */
static void a_commit_is_shared(void **state)
{
    (void)state;
    uint64_t tickets[50];
    start();
    assert_true(put("quiet", "1"));
    await_other_log();
    uint64_t syncs = shared_calls(&disk, DISK_SYNC);
    shared_hold(&disk, true);
    set_row(0, 1);
    uint64_t first = facts_ask(facts);
    shared_await(&disk);
    for (unsigned i = 0; i < COUNT_OF(tickets); i++) {
        set_row(i + 1, 1);
        tickets[i] = facts_ask(facts);
        assert_int_equal(facts_settled(facts, tickets[i]), FACTS_UNSETTLED);
    }
    assert_int_equal(facts_settled(facts, first), FACTS_UNSETTLED);
    shared_hold(&disk, false);
    assert_true(is_saved(first));
    for (unsigned i = 0; i < COUNT_OF(tickets); i++)
        assert_true(is_saved(tickets[i]));
    assert_int_equal(shared_calls(&disk, DISK_SYNC), syncs + 2);
    stop();
}

/* ---- power cuts ---- */

#define COMMITS 28

static struct {
    unsigned said;  /* the latest number that was said to be on disk */
    unsigned asked; /* that was asked for */
} known[100000];

/* Commits that fill several logs, with a snapshot after each. Notes what was known after each operation. */
static void run_commits(unsigned from, unsigned to, size_t *noted)
{
    for (unsigned i = from; i <= to; i++) {
        set_row(i, (unsigned char)i);
        bool saved = put_count(i, 15000);
        assert_true(saved);
        lock_take(&disk.lock);
        assert_true(disk.disk.ops_n < COUNT_OF(known));
        /* Whatever was written until now was asked for by `i`, and only from now on it is said to be
         * there. */
        for (; *noted < disk.disk.ops_n; ++*noted) {
            known[*noted].said = i - 1;
            known[*noted].asked = i;
        }
        lock_give(&disk.lock);
        if (i % 10 == 0)
            usleep(15000); /* for the keeping thread */
    }
}

/* What is there after a cut at operation n. */
static void look_after_cut(size_t n, unsigned said_by, unsigned asked_by, uint64_t *dice)
{
    static struct shared cut;
    shared_init(&cut);
    struct disk after;
    disk_cut(&disk.disk, n, dice, &after);
    cut.disk = after;
    /* The table of operations was copied with it, and is the same. */
    start_on(&cut);
    unsigned there = count();
    if (there < said_by || there > asked_by)
        fail_msg("cut at %zu: %u is there, %u was said to be, %u was asked for", n, there, said_by, asked_by);
    for (unsigned i = 1; i <= said_by; i++)
        assert_int_equal(rows.version[i], i);
    for (unsigned i = asked_by + 1; i < NUMBERS; i++)
        assert_int_equal(rows.version[i], 0);
    facts_free(facts);
    shared_fini(&cut);
}

static void a_cut_at_any_moment_loses_nothing_that_was_said(void **state)
{
    (void)state;
    size_t noted = 0;
    uint64_t dice = 11;
    disk.disk.records = true;
    start();
    run_commits(1, COMMITS, &noted);
    stop();
    /* A second life on the same disk: logs are used again. */
    start();
    assert_int_equal(count(), COMMITS);
    lock_take(&disk.lock);
    for (; noted < disk.disk.ops_n; noted++)
        known[noted].said = known[noted].asked = COMMITS;
    lock_give(&disk.lock);
    run_commits(COMMITS + 1, 2 * COMMITS, &noted);
    stop();
    assert_true(noted > 4 * COMMITS);
    for (size_t n = 0; n < noted; n += EACH) {
        unsigned said_by = n ? known[n - 1].said : 0, asked_by = known[n].asked;
        look_after_cut(n, said_by, asked_by, NULL);
        for (unsigned i = 0; i < 2; i++)
            look_after_cut(n, said_by, asked_by, &dice);
    }
}

/* ---- a torn tail ---- */

/* Returns the file of that name. */
static struct disk_file *file_of(struct shared *s, const char *name)
{
    int i = disk_find(&s->disk, name);
    assert_true(i >= 0);
    return &s->disk.file[i];
}

/* Where the last batch of a log begins, and its bytes. */
static size_t last_batch(const struct disk_file *k, size_t *bytes)
{
    size_t at = 0, last = 0;
    uint64_t generation = 0;
    struct facts_batch b;
    *bytes = 0;
    while (facts_batch_read((struct str){ (const char *)k->data + at, k->bytes - at }, &b) == FACTS_OK &&
           (!generation || b.generation == generation)) {
        generation = b.generation;
        last = at;
        *bytes = b.bytes;
        at += b.bytes;
    }
    return last;
}

static void a_tail_torn_at_any_byte_is_found(void **state)
{
    (void)state;
    start();
    for (unsigned i = 1; i <= 5; i++) {
        set_row(i, (unsigned char)i);
        assert_true(put_count(i, 40));
    }
    stop();
    struct disk_file *log = file_of(&disk, "f/facts.0.log");
    size_t bytes, at = last_batch(log, &bytes);
    unsigned char *good = malloc(bytes);
    assert_non_null(good);
    assert_true(at > 0 && bytes >= 128);
    memcpy(good, log->data + at, bytes);
    for (size_t torn = 0; torn <= bytes; torn += EACH) {
        for (unsigned way = 0; way < 4; way++) {
            memcpy(log->data + at, good, bytes);
            if (way == 0) /* the rest was not written */
                memset(log->data + at + torn, 0, bytes - torn);
            else if (way == 1) /* or other bytes stand there */
                memset(log->data + at + torn, 0xa5, bytes - torn);
            else if (way == 2) /* or the beginning is missing */
                memset(log->data + at, 0, torn);
            else if (torn < bytes) /* or one bit is wrong */
                log->data[at + torn] ^= (unsigned char)(1 << torn % 8);
            bool is_whole = memcmp(log->data + at, good, bytes) == 0;
            start_on(&disk);
            assert_int_equal(count(), is_whole ? 5 : 4);
            assert_int_equal(rows.version[5], is_whole ? 5 : 0);
            assert_int_equal(rows.version[4], 4);
            facts_free(facts);
        }
    }
    free(good);
}

/* A length that reaches beyond the end of the file is no end of the log: later batches follow. */
static void a_batch_that_is_too_long_is_damage(void **state)
{
    (void)state;
    struct facts_options o = { &disk.files, 256 << 10, patience_ms };
    start();
    for (unsigned i = 1; i <= 5; i++)
        assert_true(put_count(i, 40));
    stop();
    struct facts_batch b;
    struct disk_file *log = file_of(&disk, "f/facts.0.log");
    assert_int_equal(facts_batch_read((struct str){ (const char *)log->data, log->bytes }, &b), FACTS_OK);
    log->data[b.bytes + 42] = 7; /* 458,752 bytes more */
    assert_int_equal(
        facts_batch_read((struct str){ (const char *)log->data + b.bytes, log->bytes - b.bytes }, &b),
        FACTS_CUT);
    assert_int_equal(open_with("f", &o), FACTS_USABLE);
    assert_non_null(strstr(said.p, "facts.0.log is damaged"));
    facts_free(facts);
}

/* Behind the batches of this life stand whole ones of an earlier one, with right sums and serials that
 * go on. */
static void what_stands_in_a_log_since_before_is_not_taken(void **state)
{
    (void)state;
    uint64_t generation = 0;
    for (unsigned life = 1; life <= 6; life++) {
        start();
        assert_int_equal(count(), life == 1 ? 0 : 1000 * (life - 1) + 1);
        assert_int_equal(rows.version[7 - life], 0);
        for (unsigned i = 7 - life; i >= 1; i--)
            assert_true(put_count(1000 * life + i, 20)); /* each life writes one batch less */
        stop();
        struct facts_batch b;
        struct disk_file *log = file_of(&disk, "f/facts.0.log");
        assert_int_equal(facts_batch_read((struct str){ (const char *)log->data, log->bytes }, &b), FACTS_OK);
        assert_true(b.generation >> 24 > generation >> 24);
        generation = b.generation;
    }
}

/* ---- failures ---- */

static const struct {
    enum disk_kind kind;
    int status;
} failures[] = {
    { DISK_WRITE, -EIO },   { DISK_WRITE, -ENOSPC }, { DISK_WRITE, DISK_SHORT }, { DISK_SYNC, -EIO },
    { DISK_SYNC, -ENOSPC }, { DISK_OPEN, -EMFILE },  { DISK_SYNC_FOLDER, -EIO }, { DISK_WRITE, -EINVAL },
};

/* A life in which one call fails, and after it a cut that loses all that was not synced. Returns how many
 * such calls there were. */
static uint64_t one_call_fails(size_t which, uint64_t after, uint64_t times)
{
    shared_init(&disk);
    disk.disk.records = true;
    start();
    shared_fail(&disk, failures[which].kind, after, times, failures[which].status);
    unsigned said_by = 0;
    for (unsigned i = 1; i <= 12; i++) {
        set_row(i, (unsigned char)i);
        if (put_count(i, 40000))
            said_by = i;
    }
    uint64_t calls = shared_calls(&disk, failures[which].kind);
    shared_fail(&disk, failures[which].kind, 0, 0, 0);
    lock_take(&disk.lock);
    size_t n = disk.disk.ops_n;
    lock_give(&disk.lock);
    recover();
    set_row(13, 13);
    assert_true(put_count(13, 10));
    stop();
    look_after_cut(n, said_by, 12, NULL);
    look_after_cut(disk.disk.ops_n, 13, 13, NULL);
    shared_fini(&disk);
    return calls;
}

/* The n-th call fails, for all n; disk_test.h checks that nothing is written or synced after a failure.
 * scenarios Q5, Q6 */
static void whichever_call_fails(void **state)
{
    (void)state;
    shared_fini(&disk);
    for (size_t which = 0; which < COUNT_OF(failures); which++)
        for (uint64_t n = 1, calls = 1; n <= calls && n < 40; n += EACH)
            calls = one_call_fails(which, n, 1);
    shared_init(&disk);
}

/* All calls fail for a while: purges go on, nothing piles up, and all is there afterwards. */
static void a_disk_that_stays_broken(void **state)
{
    (void)state;
    for (size_t which = 0; which < COUNT_OF(failures); which++) {
        start();
        assert_true(put("one", "1"));
        await_other_log();
        shared_fail(&disk, failures[which].kind, 1, 100000, failures[which].status);
        if (failures[which].kind == DISK_OPEN || failures[which].kind == DISK_SYNC_FOLDER)
            shared_fail(&disk, DISK_SYNC, 1, 1, -EIO); /* so that a file is wanted */
        assert_false(put("two", "2"));
        for (unsigned i = 0; i < 40; i++) {
            facts_try_again(facts);
            usleep(200);
            set_row(i, 9);
            facts_put(facts, STR("three"), STR("3"));
            assert_int_equal(facts_settled(facts, facts_ask(facts)), FACTS_UNSAVED);
        }
        for (int i = 0; i < DISK_KINDS; i++)
            shared_fail(&disk, (enum disk_kind)i, 0, 0, 0);
        recover();
        stop();
        start_on(&disk);
        has("one", "1");
        has("two", "2");
        has("three", "3");
        assert_int_equal(rows.loaded, 40);
        facts_free(facts);
        shared_fini(&disk);
        shared_init(&disk);
    }
}

/* ---- a disk that stands still ---- */

static void a_disk_that_stands_still_holds_up_no_start_and_no_end(void **state)
{
    (void)state;
    struct facts_state how;
    patience_ms = 200;
    shared_hold(&disk, true);
    start(); /* comes back */
    assert_true(facts_is_failing(facts));
    facts_state(facts, &how);
    assert_non_null(strstr(how.why, "has not answered"));
    set_row(1, 1);
    assert_int_equal(facts_settled(facts, facts_ask(facts)), FACTS_UNSAVED);
    assert_false(facts_stop(facts)); /* so does this */
    shared_hold(&disk, false);
    /* It answers after all. */
    while (!facts_stop(facts))
        usleep(100);
    facts_free(facts);
    patience_ms = 0; /* from here on nothing is to take long */
    start();
    assert_int_equal(rows.version[1], 1);
    assert_false(facts_is_failing(facts));
    stop();
}

static void what_came_while_it_stood_still_is_saved_when_it_goes_on(void **state)
{
    (void)state;
    patience_ms = 200;
    shared_hold(&disk, true);
    start();
    set_row(1, 1);
    uint64_t ticket = facts_ask(facts);
    assert_int_equal(facts_settled(facts, ticket), FACTS_UNSAVED);
    shared_hold(&disk, false);
    for (unsigned i = 0; i < 100000 && facts_settled(facts, ticket) != FACTS_SAVED; i++)
        usleep(100);
    assert_int_equal(facts_settled(facts, ticket), FACTS_SAVED);
    while (!facts_stop(facts))
        usleep(100);
    facts_free(facts);
}

/* ---- logs and snapshots ---- */

/* Both logs are used in turn, and grow; snapshots stand for those that are over. */
/* Whether both snapshots were made. */
static bool snapshots_are_there(void)
{
    lock_take(&disk.lock);
    bool are_there =
        disk_find(&disk.disk, "f/facts.0.whole") >= 0 && disk_find(&disk.disk, "f/facts.1.whole") >= 0;
    lock_give(&disk.lock);
    return are_there;
}

static void logs_are_used_in_turn(void **state)
{
    (void)state;
    unsigned last = 0;
    start();
    /* 5 MB in all, and more as long as the thread that makes the snapshots lags behind. */
    while (last < 400 || (!snapshots_are_there() && last < 4000)) {
        last++;
        set_row(last % NUMBERS, (unsigned char)(last % 250 + 1));
        assert_true(put_count(last, 12000));
        if (last % 8 == 0)
            usleep(3000);
    }
    stop();
    assert_true(snapshots_are_there());
    struct disk_file *one = file_of(&disk, "f/facts.0.log"), *two = file_of(&disk, "f/facts.1.log");
    assert_true(one->bytes + two->bytes > 1 << 20 && one->bytes <= 32 << 20 && two->bytes <= 32 << 20);
    start();
    assert_int_equal(count(), last);
    assert_int_equal(rows.version[last % NUMBERS], last % 250 + 1);
    assert_int_equal(rows.loaded, NUMBERS);
    stop();
}

/* A row that changes while a snapshot is made, and whose change is not on disk yet, need not be in the
 * snapshot: so that does not count before. Else what was said of the row earlier would be gone after a
 * cut. */
static void a_snapshot_waits_for_what_changed_meanwhile(void **state)
{
    (void)state;
    disk.disk.records = true;
    start();
    set_row(5, 50);
    assert_true(put("one", "1"));
    await_other_log();
    rows_gate = true;
    for (unsigned i = 0; !wants_whole(); i++) /* more would fill both, and wait at the gate itself */
        assert_true(put_count(i, 20000));
    while (!rows_waiting)
        usleep(100);
    lock_take(&disk.lock);
    disk.held_file = disk_find(&disk.disk, "f/facts.1.log");
    lock_give(&disk.lock);
    shared_hold(&disk, true);
    set_row(5, 51);
    uint64_t ticket = facts_ask(facts);
    shared_await(&disk);
    rows_gate = false;
    usleep(100000); /* for the snapshot, if it does not wait */
    lock_take(&disk.lock);
    size_t n = disk.disk.ops_n;
    lock_give(&disk.lock);
    shared_hold(&disk, false);
    assert_true(is_saved(ticket));
    stop();
    static struct shared cut;
    shared_init(&cut);
    struct disk after;
    disk_cut(&disk.disk, n, NULL, &after);
    cut.disk = after;
    start_on(&cut);
    assert_int_equal(rows.version[5], 50);
    facts_free(facts);
    shared_fini(&cut);
}

/* The same for a new beginning, which is made while nothing else is written. */
static void a_new_beginning_has_what_changed_meanwhile(void **state)
{
    (void)state;
    start();
    set_row(5, 50);
    assert_true(put("one", "1"));
    await_other_log(); /* else its sync may be the one that fails */
    rows_gate = true;
    shared_fail(&disk, DISK_SYNC, 1, 1, -EIO);
    set_row(6, 60);
    uint64_t ticket = facts_ask(facts);
    while (!rows_waiting)
        usleep(100);
    set_row(5, 51);
    rows_gate = false;
    while (facts_settled(facts, ticket) == FACTS_UNSETTLED)
        usleep(50);
    assert_true(is_saved(ticket));
    stop();
    /* The logs are gone: the snapshot alone has it. */
    for (const char *const *name = (const char *const[]){ "f/facts.0.log", "f/facts.1.log", NULL }; *name;
         name++)
        disk.disk.files.remove(&disk.disk.files, *name);
    start_on(&disk);
    assert_true(rows.version[5] >= 50);
    assert_int_equal(rows.version[6], 60);
    facts_free(facts);
}

/* So much at once that no log has room for it. */
static void what_is_too_long_for_a_log_goes_into_a_snapshot(void **state)
{
    (void)state;
    static char big[65536];
    memset(big, 'b', sizeof(big));
    start();
    for (unsigned i = 0; i < 40; i++) {
        char key[16];
        snprintf(key, sizeof(key), "big %u", i);
        facts_put(facts, str_from(key), (struct str){ big, sizeof(big) });
    }
    assert_true(is_saved(facts_ask(facts)));
    stop();
    start();
    assert_true(str_eq(facts_get(facts, STR("big 0")), (struct str){ big, sizeof(big) }));
    assert_true(str_eq(facts_get(facts, STR("big 39")), (struct str){ big, sizeof(big) }));
    stop();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_commit_is_one_write_and_one_sync),
        TEST(a_commit_is_shared),
        TEST(a_cut_at_any_moment_loses_nothing_that_was_said),
        TEST(a_tail_torn_at_any_byte_is_found),
        TEST(a_batch_that_is_too_long_is_damage),
        TEST(what_stands_in_a_log_since_before_is_not_taken),
        TEST(whichever_call_fails),
        TEST(a_disk_that_stays_broken),
        TEST(a_disk_that_stands_still_holds_up_no_start_and_no_end),
        TEST(what_came_while_it_stood_still_is_saved_when_it_goes_on),
        TEST(logs_are_used_in_turn),
        TEST(a_snapshot_waits_for_what_changed_meanwhile),
        TEST(a_new_beginning_has_what_changed_meanwhile),
        TEST(what_is_too_long_for_a_log_goes_into_a_snapshot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
