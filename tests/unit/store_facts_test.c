/* Facts are there again after an end, whatever it was; what cannot be read is put aside, and when nothing can
 * be written all goes on in memory. On the disk of this machine. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/hash.h"
#include "facts_test.h"

static char folder[64];
static const struct facts_options usual = { .files = &file_system };

static enum facts_found open_at(const char *path)
{
    return open_with(path, &usual);
}

static void start(void)
{
    assert_int_equal(open_at(folder), FACTS_USABLE);
    facts_start(facts);
    assert_false(facts_is_failing(facts));
}

static const char *path_of(const char *name)
{
    static char path[160];
    snprintf(path, sizeof(path), "%s/%.80s", folder, name);
    return path;
}

/* Removes all that is in the folder, also what is hidden, and what a thread puts into it meanwhile. */
static void empty(void)
{
    char command[256];
    snprintf(command, sizeof(command), "until rm -rf %s 2>&-; do :; done; mkdir -m 700 %s", folder, folder);
    assert_int_equal(system(command), 0);
}

static bool is_there(const char *name)
{
    return access(path_of(name), F_OK) == 0;
}

static int setup(void **state)
{
    (void)state;
    alarm(100);
    snprintf(folder, sizeof(folder), "facts-test-%ld", (long)getpid());
    assert_int_equal(mkdir(folder, 0700), 0);
    return 0;
}

static int teardown(void **state)
{
    char command[200];
    (void)state;
    buf_fini(&said);
    snprintf(command, sizeof(command), "rm -rf %s %s-away", folder, folder);
    return system(command);
}

/* While they are paused another process has the folder, with all that was put; what is put here is in memory
 * alone, and on disk when it goes on. */
static void another_may_have_the_folder_meanwhile(void **state)
{
    (void)state;
    start();
    assert_true(put("one", "1"));
    set_row(7, 70);
    assert_true(put("two", "2"));
    assert_true(facts_is_taken(folder));
    assert_true(facts_pause(facts));
    assert_false(facts_is_taken(folder));
    assert_true(facts_is_failing(facts));
    struct facts_state now;
    facts_state(facts, &now);
    assert_string_equal(now.why, "another freshet has taken it over");
    facts_put(facts, STR("three"), STR("3"));
    uint64_t ticket = facts_ask(facts);
    assert_int_equal(facts_settled(facts, ticket), FACTS_UNSETTLED);
    set_row(8, 80);
    facts_resume(facts);
    assert_false(facts_is_failing(facts));
    assert_true(facts_is_taken(folder));
    assert_int_equal(facts_settled(facts, ticket), FACTS_SAVED);
    assert_int_equal(facts_settled(facts, facts_ask(facts)), FACTS_SAVED);
    assert_true(put("four", "4"));
    stop();
    start();
    has("one", "1");
    has("two", "2");
    has("three", "3");
    has("four", "4");
    assert_int_equal(rows.version[7], 70);
    assert_int_equal(rows.version[8], 80);
    stop();
    empty();
}

static unsigned told;

static void tell(struct facts_listener *l)
{
    (void)l;
    told++;
}

/* Another one has it for good, and says what of all that was put here is on disk. */
static void another_has_what_was_put_here(void **state)
{
    (void)state;
    for (int saves = 0; saves < 2; saves++) {
        struct facts_listener l = { .told = tell };
        start();
        assert_true(facts_pause(facts));
        facts_put(facts, STR("one"), STR("1"));
        uint64_t in_time = facts_ask(facts);
        facts_put(facts, STR("two"), STR("2"));
        uint64_t late = facts_ask(facts);
        facts_listen(facts, &l);
        told = 0;
        facts_give(facts, in_time, saves);
        assert_int_equal(told, 1);
        assert_int_equal(facts_settled(facts, in_time), saves ? FACTS_SAVED : FACTS_UNSAVED);
        assert_int_equal(facts_settled(facts, late), FACTS_UNSAVED);
        facts_unlisten(facts, &l);
        stop();
        empty();
    }
}

/* Another one has taken the folder by then: all goes on in memory. */
static void another_has_the_folder_by_then(void **state)
{
    (void)state;
    start();
    assert_true(put("one", "1"));
    assert_true(facts_pause(facts));
    char path[160];
    snprintf(path, sizeof(path), "%s/lock", folder);
    int lock = open(path, O_RDWR);
    assert_true(lock >= 0 && flock(lock, LOCK_EX | LOCK_NB) == 0);
    facts_resume(facts);
    assert_true(facts_is_failing(facts));
    close(lock);
    facts_try_again(facts);
    for (int i = 0; i < 500 && facts_is_failing(facts); i++)
        usleep(10000);
    assert_false(facts_is_failing(facts));
    stop();
    start();
    has("one", "1");
    stop();
    empty();
}

static void facts_and_rows_are_there_again(void **state)
{
    (void)state;
    start();
    assert_true(put("one", "1"));
    assert_true(put("two", "2"));
    assert_true(put("one", "eins"));
    assert_true(put("gone", "x"));
    assert_true(put("gone", ""));
    set_row(7, 70);
    set_row(8, 80);
    assert_true(put("three", "3"));
    set_row(8, 81);
    stop();
    start();
    has("one", "eins");
    has("two", "2");
    has("three", "3");
    has("gone", "");
    assert_int_equal(rows.loaded, 2);
    assert_int_equal(rows.version[7], 70);
    assert_int_equal(rows.version[8], 81);
    stop();
}

/* ---- a process of its own, which ends as in a crash: without a word ---- */

#define PUTS 3

/* Runs this program again as child_main. */
static void run_child(void)
{
    pid_t child = fork();
    if (child == 0) {
        execl("/proc/self/exe", "store_facts_test", folder, (char *)NULL);
        _exit(255);
    }
    int status;
    assert_true(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static int child_main(char **argv)
{
    char value[16];
    alarm(100);
    snprintf(folder, sizeof(folder), "%s", argv[1]);
    start();
    for (unsigned i = 1; i <= PUTS; i++) {
        snprintf(value, sizeof(value), "%u", i);
        set_row(i, (unsigned char)i);
        if (!put("count", value))
            return 1;
    }
    return 0;
}

static void what_was_settled_outlives_a_crash(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 5; round++) {
        run_child();
        assert_int_equal(open_at(folder), FACTS_USABLE);
        has("count", "3");
        assert_int_equal(rows.loaded, PUTS);
        for (unsigned i = 1; i <= PUTS; i++)
            assert_int_equal(rows.version[i], i);
        facts_free(facts);
    }
}

static void only_one_process_has_the_folder(void **state)
{
    (void)state;
    start();
    struct facts *first = facts;
    assert_true(facts_is_taken(folder));
    assert_int_equal(open_at(folder), FACTS_REFUSED);
    assert_non_null(strstr(said.p, "another freshet uses the state folder"));
    facts_free(facts);
    facts = first;
    stop();
    assert_false(facts_is_taken(folder));
    start();
    stop();
}

static void without_a_folder_it_is_in_memory(void **state)
{
    (void)state;
    assert_int_equal(open_at(""), FACTS_IN_MEMORY);
    facts_start(facts);
    assert_false(put("one", "1"));
    assert_true(facts_is_failing(facts));
    stop();
    char path[96];
    snprintf(path, sizeof(path), "%s/file", folder);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fclose(f);
    assert_int_equal(open_at(path), FACTS_IN_MEMORY);
    assert_non_null(strstr(said.p, "not a directory"));
    facts_start(facts);
    assert_false(put("one", "1"));
    assert_true(facts_is_failing(facts));
    /* Later it can be used. */
    assert_int_equal(unlink(path), 0);
    recover();
    assert_true(put("two", "2"));
    stop();
    assert_int_equal(open_at(path), FACTS_USABLE);
    has("one", "1");
    has("two", "2");
    facts_free(facts);
}

/* ---- the folder goes while it is used ---- */

static void a_folder_that_is_gone_is_made_anew(void **state)
{
    char away[80];
    (void)state;
    snprintf(away, sizeof(away), "%s-away", folder);
    start();
    assert_true(put("one", "1"));
    set_row(4, 5);
    assert_true(put("two", "2"));
    /* It is moved away: what was in it does not count, and no name of it is written any more. */
    assert_int_equal(rename(folder, away), 0);
    assert_true(put("three", "3"));
    assert_true(is_there("lock") && is_there("facts.0.whole"));
    /* It is removed with all that is in it. */
    empty();
    assert_int_equal(rmdir(folder), 0);
    assert_true(put("four", "4"));
    stop();
    start();
    has("one", "1");
    has("two", "2");
    has("three", "3");
    has("four", "4");
    assert_int_equal(rows.version[4], 5);
    stop();
}

static void an_older_folder_in_its_place_does_not_count(void **state)
{
    char away[80];
    (void)state;
    snprintf(away, sizeof(away), "%s-away", folder);
    start();
    assert_true(put("one", "old"));
    stop();
    char command[300];
    snprintf(command, sizeof(command), "cp -r %s %s", folder, away);
    assert_int_equal(system(command), 0);
    start();
    assert_true(put("one", "1"));
    snprintf(command, sizeof(command), "rm -r %s && mv %s %s", folder, away, folder);
    assert_int_equal(system(command), 0);
    assert_true(put("two", "2"));
    stop();
    start();
    has("one", "1");
    has("two", "2");
    stop();
}

/* A file stands in its place: purges say that they are in memory alone, until it can be a folder again. */
static void a_file_in_its_place_is_said(void **state)
{
    char away[80];
    (void)state;
    snprintf(away, sizeof(away), "%s-away", folder);
    start();
    assert_true(put("one", "1"));
    assert_int_equal(rename(folder, away), 0);
    FILE *f = fopen(folder, "w");
    assert_non_null(f);
    fclose(f);
    assert_false(put("two", "2"));
    assert_true(facts_is_failing(facts));
    struct facts_state how;
    facts_state(facts, &how);
    assert_non_null(strstr(how.why, "directory"));
    assert_int_equal(unlink(folder), 0);
    recover();
    assert_true(put("three", "3"));
    facts_state(facts, &how);
    assert_int_equal(how.why[0], 0);
    stop();
    start();
    has("one", "1");
    has("two", "2");
    has("three", "3");
    stop();
}

/* Another process has the folder that stands there now: it is not touched. */
static void another_one_in_its_place_is_left_alone(void **state)
{
    char away[80];
    (void)state;
    snprintf(away, sizeof(away), "%s-away", folder);
    start();
    assert_true(put("one", "1"));
    struct facts *first = facts;
    assert_int_equal(rename(folder, away), 0);
    start();
    assert_true(put("one", "another"));
    struct facts *second = facts;
    facts = first;
    assert_false(put("two", "2"));
    facts_try_again(facts);
    assert_false(put("three", "3"));
    assert_true(facts_is_failing(facts));
    stop();
    facts = second;
    assert_true(put("four", "4"));
    stop();
    start();
    has("one", "another");
    has("two", "");
    has("four", "4");
    stop();
}

/* ---- files that cannot be read ---- */

static void scribble(const char *name, long at, const char *bytes, size_t n)
{
    FILE *f = fopen(path_of(name), "r+");
    assert_non_null(f);
    assert_int_equal(fseek(f, at, SEEK_SET), 0);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

/* Which snapshot is the newest one? Only one was written. */
static void a_damaged_snapshot_is_put_aside(void **state)
{
    (void)state;
    static const char noise[512] = "this is nothing of ours";
    for (long at = 0; at <= 4096; at += 4096) {
        start();
        assert_true(put("one", "1"));
        set_row(3, 4);
        stop();
        scribble("facts.0.whole", at, noise, sizeof(noise));
        assert_int_equal(open_at(folder), FACTS_USABLE);
        assert_non_null(strstr(said.p, "facts.0.whole is damaged"));
        assert_non_null(strstr(said.p, "put aside"));
        has("one", "");
        assert_int_equal(rows.loaded, 0);
        facts_start(facts);
        assert_true(put("two", "2"));
        stop();
        assert_true(is_there("facts.0.whole.damaged"));
        start();
        has("two", "2");
        has("one", "");
        stop();
        empty();
    }
}

/* A batch in the middle of the log was on disk, since others follow it that were written later. */
static void a_log_with_a_hole_is_damage(void **state)
{
    (void)state;
    start();
    for (unsigned i = 1; i <= 5; i++) {
        set_row(i, 1);
        assert_true(put("one", "1"));
    }
    stop();
    scribble("facts.0.log", 64 + 70, "x", 1);
    assert_int_equal(open_at(folder), FACTS_USABLE);
    assert_non_null(strstr(said.p, "facts.0.log is damaged"));
    has("one", "");
    assert_int_equal(rows.loaded, 0);
    facts_free(facts);
    assert_true(is_there("facts.0.log.damaged") && is_there("facts.0.whole.damaged"));
}

/* It is the first one: others follow all the same. */
static void a_log_without_its_beginning_is_damage(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        start();
        for (unsigned k = 1; k <= 5; k++) {
            set_row(k, 1);
            assert_true(put("one", "1"));
        }
        stop();
        scribble("facts.0.log", i == 0 ? 70 : 0, "x", 1); /* in its entries; in its magic */
        assert_int_equal(open_at(folder), FACTS_USABLE);
        assert_non_null(strstr(said.p, "facts.0.log is damaged"));
        has("one", "");
        facts_free(facts);
        assert_true(is_there("facts.0.log.damaged"));
        empty();
    }
}

/* The snapshot is gone, and what followed it is there. */
static void a_log_alone_is_damage(void **state)
{
    (void)state;
    start();
    assert_true(put("one", "1"));
    stop();
    assert_int_equal(unlink(path_of("facts.0.whole")), 0);
    assert_int_equal(open_at(folder), FACTS_USABLE);
    assert_non_null(strstr(said.p, "is damaged"));
    has("one", "");
    facts_free(facts);
}

/* In a snapshot, and in a log. */
static void a_row_that_nobody_wrote_is_damage(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        start();
        rows_shift = NUMBERS;
        set_row(3, 4);
        assert_true(put("one", "1"));
        if (i) { /* the folder goes, so that a snapshot follows */
            empty();
            assert_true(put("one", "2"));
        }
        stop();
        rows_shift = 0;
        assert_int_equal(open_at(folder), FACTS_USABLE);
        assert_non_null(strstr(said.p, "is damaged"));
        has("one", "");
        assert_int_equal(rows.loaded, 0);
        facts_free(facts);
    }
}

static void a_newer_freshet_is_not_overwritten(void **state)
{
    (void)state;
    unsigned char head[FACTS_SECTOR];
    struct facts_whole_head h = { .generation = 1, .bytes = FACTS_BLOCK, .pieces = 1 };
    start();
    stop();
    facts_whole_head_write(&h, head);
    head[8]++; /* the version */
    uint64_t sum = hash_sum((struct str){ (const char *)head, FACTS_SECTOR - 8 });
    memcpy(head + FACTS_SECTOR - 8, &sum, sizeof(sum));
    scribble("facts.0.whole", 0, (const char *)head, sizeof(head));
    assert_int_equal(open_at(folder), FACTS_REFUSED);
    assert_non_null(strstr(said.p, "a newer freshet has used the state folder"));
    facts_free(facts);
    assert_true(is_there("facts.0.whole"));
}

/* When the folder could not be used at the start, and can be later, what nobody has read stays. */
static void what_could_not_be_read_is_not_removed(void **state)
{
    (void)state;
    char lock[96];
    start();
    assert_true(put("one", "1"));
    stop();
    snprintf(lock, sizeof(lock), "%s/lock", folder);
    assert_int_equal(unlink(lock), 0);
    assert_int_equal(mkdir(lock, 0700), 0); /* nobody can lock that */
    assert_int_equal(open_at(folder), FACTS_IN_MEMORY);
    facts_start(facts);
    assert_false(put("two", "2"));
    assert_int_equal(rmdir(lock), 0);
    recover();
    stop();
    assert_true(is_there("facts.0.whole.damaged"));
    start();
    has("one", "");
    has("two", "2");
    stop();
}

/* What an earlier freshet kept in a database is left alone. */
static void a_database_does_not_disturb(void **state)
{
    (void)state;
    FILE *f = fopen(path_of("facts.7.db"), "w");
    assert_non_null(f);
    fclose(f);
    start();
    assert_true(put("one", "1"));
    stop();
    start();
    has("one", "1");
    stop();
    assert_true(is_there("facts.7.db"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(facts_and_rows_are_there_again),
        TEST(another_may_have_the_folder_meanwhile),
        TEST(another_has_what_was_put_here),
        TEST(another_has_the_folder_by_then),
        TEST(what_was_settled_outlives_a_crash),
        TEST(only_one_process_has_the_folder),
        TEST(without_a_folder_it_is_in_memory),
        TEST(a_folder_that_is_gone_is_made_anew),
        TEST(an_older_folder_in_its_place_does_not_count),
        TEST(a_file_in_its_place_is_said),
        TEST(another_one_in_its_place_is_left_alone),
        TEST(a_damaged_snapshot_is_put_aside),
        TEST(a_log_with_a_hole_is_damage),
        TEST(a_log_without_its_beginning_is_damage),
        TEST(a_log_alone_is_damage),
        TEST(a_row_that_nobody_wrote_is_damage),
        TEST(a_newer_freshet_is_not_overwritten),
        TEST(what_could_not_be_read_is_not_removed),
        TEST(a_database_does_not_disturb),
    };
    if (argc == 2)
        _exit(child_main(argv));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
