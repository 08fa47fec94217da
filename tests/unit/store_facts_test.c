/* Facts are on disk when somebody was told so, whatever fails: a file that the disk has failed is not written
 * any more, a damaged one is put aside, and when nothing can be written all goes on in memory. */
#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "base/mem.h"
#include "store/facts.h"
#include "store/facts_files.h"

/* ---- a disk that fails: SQLite's own layer over files, with a counter before each write ---- */

static struct {
    sqlite3_vfs vfs;
    sqlite3_vfs *below;
    sqlite3_io_methods methods;
    _Atomic int left; /* calls until one fails; negative: none does */
    _Atomic int code; /* how it fails, and all those after it when `stays` is set */
    atomic_bool stays;
} disk = { .left = -1 };

struct disk_file {
    sqlite3_file base;
    sqlite3_file *below; /* in the memory behind this struct */
};

static sqlite3_file *below(sqlite3_file *f)
{
    return (sqlite3_file *)(void *)((char *)f + sizeof(struct disk_file));
}

static int fails(void)
{
    if (disk.left < 0)
        return SQLITE_OK;
    if (disk.left > 0) {
        disk.left--;
        return SQLITE_OK;
    }
    if (!disk.stays)
        disk.left = -1;
    return disk.code;
}

static int x_close(sqlite3_file *f)
{
    return below(f)->pMethods->xClose(below(f));
}
static int x_read(sqlite3_file *f, void *p, int n, sqlite3_int64 at)
{
    return below(f)->pMethods->xRead(below(f), p, n, at);
}
static int x_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
    int code = fails();
    return code ? code : below(f)->pMethods->xWrite(below(f), p, n, at);
}
static int x_truncate(sqlite3_file *f, sqlite3_int64 n)
{
    return below(f)->pMethods->xTruncate(below(f), n);
}
static int x_sync(sqlite3_file *f, int flags)
{
    int code = fails();
    return code ? code : below(f)->pMethods->xSync(below(f), flags);
}
static int x_size(sqlite3_file *f, sqlite3_int64 *n)
{
    return below(f)->pMethods->xFileSize(below(f), n);
}
static int x_lock(sqlite3_file *f, int how)
{
    return below(f)->pMethods->xLock(below(f), how);
}
static int x_unlock(sqlite3_file *f, int how)
{
    return below(f)->pMethods->xUnlock(below(f), how);
}
static int x_reserved(sqlite3_file *f, int *out)
{
    return below(f)->pMethods->xCheckReservedLock(below(f), out);
}
static int x_control(sqlite3_file *f, int op, void *arg)
{
    return below(f)->pMethods->xFileControl(below(f), op, arg);
}
static int x_sector(sqlite3_file *f)
{
    return below(f)->pMethods->xSectorSize(below(f));
}
static int x_device(sqlite3_file *f)
{
    return below(f)->pMethods->xDeviceCharacteristics(below(f));
}
static int x_map(sqlite3_file *f, int page, int size, int extend, void volatile **out)
{
    return below(f)->pMethods->xShmMap(below(f), page, size, extend, out);
}
static int x_shm_lock(sqlite3_file *f, int at, int n, int flags)
{
    return below(f)->pMethods->xShmLock(below(f), at, n, flags);
}
static void x_barrier(sqlite3_file *f)
{
    below(f)->pMethods->xShmBarrier(below(f));
}
static int x_unmap(sqlite3_file *f, int gone)
{
    return below(f)->pMethods->xShmUnmap(below(f), gone);
}

static int x_open(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *f, int flags, int *out)
{
    (void)vfs;
    f->pMethods = NULL;
    int code = disk.below->xOpen(disk.below, name, below(f), flags, out);
    if (code == SQLITE_OK)
        f->pMethods = &disk.methods;
    return code;
}

static void register_disk(void)
{
    disk.below = sqlite3_vfs_find(NULL);
    disk.vfs = *disk.below;
    disk.vfs.pNext = NULL;
    disk.vfs.zName = "a disk that fails";
    disk.vfs.szOsFile = (int)sizeof(struct disk_file) + disk.below->szOsFile;
    disk.vfs.xOpen = x_open;
    disk.methods = (sqlite3_io_methods){ 2,        x_close, x_read,     x_write,    x_truncate, x_sync,
                                         x_size,   x_lock,  x_unlock,   x_reserved, x_control,  x_sector,
                                         x_device, x_map,   x_shm_lock, x_barrier,  x_unmap };
    assert_int_equal(sqlite3_vfs_register(&disk.vfs, 1), SQLITE_OK);
}

/* ---- the owner of rows: numbers, each with a version ---- */

#define NUMBERS 300

static struct {
    unsigned char version[NUMBERS]; /* 0: it has no row */
    bool unsaved[NUMBERS], due[NUMBERS];
    unsigned loaded;
} rows;
static struct lock rows_lock;

static bool load(void *owner, const struct facts_row *row, struct now now)
{
    (void)owner;
    (void)now;
    if (row->key >= NUMBERS || row->n != 1)
        return false;
    rows.version[row->key] = row->bytes[0];
    rows.loaded++;
    return true;
}

static void forget(void *owner)
{
    (void)owner;
    memset(rows.version, 0, sizeof(rows.version));
    rows.loaded = 0;
}

static void begin(void *owner)
{
    (void)owner;
    lock_take(&rows_lock);
    for (size_t i = 0; i < NUMBERS; i++)
        rows.due[i] = rows.unsaved[i];
    lock_give(&rows_lock);
}

static size_t take(void *owner, struct facts_row *out, size_t most, struct now now)
{
    size_t n = 0;
    (void)owner;
    (void)now;
    lock_take(&rows_lock);
    for (size_t i = 0; i < NUMBERS && n < most; i++) {
        if (!rows.due[i])
            continue;
        rows.due[i] = rows.unsaved[i] = false;
        out[n++] = (struct facts_row){ .key = i, .n = rows.version[i] > 0, .bytes = { rows.version[i] } };
    }
    lock_give(&rows_lock);
    return n;
}

static void again(void *owner)
{
    (void)owner;
    lock_take(&rows_lock);
    for (size_t i = 0; i < NUMBERS; i++)
        rows.unsaved[i] = rows.version[i] > 0;
    lock_give(&rows_lock);
}

static void set_row(size_t i, unsigned char version)
{
    lock_take(&rows_lock);
    rows.version[i] = version;
    rows.unsaved[i] = true;
    lock_give(&rows_lock);
}

/* ---- the world ---- */

static const struct facts_rows owner = { NULL, load, forget, begin, take, again };
static const struct clock real_clock;
static char folder[64];
static struct facts *facts;
static struct buf said;

static enum facts_found open_at(const char *path)
{
    enum facts_found found;
    memset(&rows, 0, sizeof(rows));
    buf_clear(&said);
    facts = facts_open(str_from(path), &real_clock, &owner, &found, &said);
    return found;
}

static void start(void)
{
    assert_int_equal(open_at(folder), FACTS_USABLE);
    facts_start(facts);
}

static void stop(void)
{
    facts_stop(facts);
    facts_free(facts);
    facts = NULL;
}

/* Puts a fact, and waits for its commit. */
static bool put(const char *key, const char *value)
{
    facts_put(facts, str_from(key), str_from(value));
    uint64_t ticket = facts_ask(facts);
    enum facts_settled settled;
    while ((settled = facts_settled(facts, ticket)) == FACTS_UNSETTLED)
        usleep(100);
    return settled == FACTS_SAVED;
}

static bool is_good(void)
{
    struct facts_state state;
    facts_state(facts, &state);
    return !state.is_failing;
}

/* Until the facts are on disk again. */
static void recover(void)
{
    for (unsigned i = 0; i < 100000 && !is_good(); i++) {
        facts_try_again(facts);
        usleep(100);
    }
    assert_true(is_good());
}

static void has(const char *key, const char *value)
{
    struct str got = facts_get(facts, str_from(key));
    assert_true(str_eq(got, str_from(value)));
}

static int setup(void **state)
{
    (void)state;
    alarm(100);
    disk.left = -1;
    lock_init(&rows_lock);
    snprintf(folder, sizeof(folder), "facts-test-%ld", (long)getpid());
    assert_int_equal(mkdir(folder, 0700), 0);
    return 0;
}

static int teardown(void **state)
{
    char command[128];
    (void)state;
    buf_fini(&said);
    lock_fini(&rows_lock);
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    return system(command);
}

/* ---- tests ---- */

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
    set_row(9, 90);
    assert_true(put("three", "3"));
    set_row(9, 0);
    stop();
    start();
    has("one", "eins");
    has("two", "2");
    has("three", "3");
    has("gone", "");
    assert_int_equal(rows.loaded, 2);
    assert_int_equal(rows.version[7], 70);
    assert_int_equal(rows.version[8], 80);
    stop();
}

/* ---- a process of its own, which ends as in a crash: without a word ---- */

#define PUTS 3

/* Runs this program again as child_main, with these arguments. Returns its status. */
static int run_child(int at, int code, bool recovers)
{
    char text[3][16];
    snprintf(text[0], sizeof(text[0]), "%d", at);
    snprintf(text[1], sizeof(text[1]), "%d", code);
    snprintf(text[2], sizeof(text[2]), "%d", recovers);
    pid_t child = fork();
    if (child == 0) {
        execl("/proc/self/exe", "store_facts_test", folder, text[0], text[1], text[2], (char *)NULL);
        _exit(255);
    }
    int status;
    assert_true(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status));
    assert_int_not_equal(WEXITSTATUS(status), 255);
    return WEXITSTATUS(status);
}

static uint32_t newest(void)
{
    uint32_t numbers[FACTS_FILES_MOST];
    int n = facts_files(folder, numbers);
    assert_true(n > 0);
    return numbers[0];
}

/* PUTS commits, while the disk fails at the call `at`; then, if it shall, it recovers. Returns the last one
 * that was said to be on disk; and 64: the disk failed; 128: the facts went on in another file. */
static int child_main(char **argv)
{
    char value[16];
    int settled = 0, at = atoi(argv[2]), code = atoi(argv[3]);
    bool recovers = atoi(argv[4]) == 1;
    alarm(100);
    lock_init(&rows_lock);
    snprintf(folder, sizeof(folder), "%s", argv[1]);
    start();
    uint32_t number = newest();
    disk.left = at;
    disk.code = code;
    for (unsigned i = 1; i <= PUTS; i++) {
        snprintf(value, sizeof(value), "%u", i);
        set_row(i, (unsigned char)i);
        if (put("count", value))
            settled = (int)i;
    }
    bool failed = disk.left < 0 && at >= 0;
    disk.left = -1;
    if (recovers) {
        recover();
        if (!put("after", "yes"))
            return 255;
    }
    return settled | (failed ? 64 : 0) | (newest() != number ? 128 : 0);
}

static void what_was_settled_outlives_a_crash(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 5; round++) {
        assert_int_equal(run_child(-1, 0, false), PUTS);
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
    assert_int_equal(open_at(folder), FACTS_REFUSED);
    assert_non_null(strstr(said.p, "another freshet uses the state folder"));
    facts_free(facts);
    facts = first;
    stop();
    start();
    stop();
}

static void without_a_folder_it_is_in_memory(void **state)
{
    (void)state;
    assert_int_equal(open_at(""), FACTS_IN_MEMORY);
    facts_start(facts);
    assert_false(put("one", "1"));
    assert_false(is_good());
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
    assert_false(facts_is_failing(facts) == false);
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

/* Writes into the middle of the newest file. */
static void scribble(long at, const char *bytes, size_t n)
{
    struct buf path = BUF_INIT;
    facts_file_path(folder, newest(), &path);
    FILE *f = fopen(path.p, "r+");
    assert_non_null(f);
    assert_int_equal(fseek(f, at, SEEK_SET), 0);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
    buf_fini(&path);
}

static void a_damaged_file_is_put_aside(void **state)
{
    (void)state;
    static const char noise[8192] = "this is no database";
    for (long at = 0; at <= 4096; at += 4096) {
        start();
        assert_true(put("one", "1"));
        set_row(3, 4);
        stop();
        uint32_t number = newest();
        scribble(at, noise, sizeof(noise));
        assert_int_equal(open_at(folder), FACTS_USABLE);
        assert_non_null(strstr(said.p, "was put aside"));
        has("one", "");
        assert_int_equal(rows.loaded, 0);
        facts_start(facts);
        assert_true(put("two", "2"));
        stop();
        struct buf aside = BUF_INIT;
        facts_file_path(folder, number, &aside);
        buf_printf(&aside, ".damaged");
        buf_add_char(&aside, '\0');
        assert_int_equal(access(aside.p, F_OK), 0);
        buf_fini(&aside);
        start();
        has("two", "2");
        stop();
    }
}

static void a_row_that_nobody_wrote_is_damage(void **state)
{
    (void)state;
    start();
    set_row(3, 4);
    assert_true(put("one", "1"));
    stop();
    struct buf path = BUF_INIT;
    sqlite3 *db;
    facts_file_path(folder, newest(), &path);
    assert_int_equal(sqlite3_open(path.p, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "INSERT INTO row VALUES(5000, x'01')", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    buf_fini(&path);
    assert_int_equal(open_at(folder), FACTS_USABLE);
    assert_non_null(strstr(said.p, "has a row that freshet never wrote"));
    has("one", "");
    assert_int_equal(rows.loaded, 0);
    facts_free(facts);
}

static void a_newer_freshet_is_not_overwritten(void **state)
{
    (void)state;
    start();
    stop();
    struct buf path = BUF_INIT;
    sqlite3 *db;
    facts_file_path(folder, newest(), &path);
    assert_int_equal(sqlite3_open(path.p, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "PRAGMA user_version=2", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    assert_int_equal(open_at(folder), FACTS_REFUSED);
    assert_non_null(strstr(said.p, "a newer freshet has used the state folder"));
    facts_free(facts);
    assert_int_equal(access(path.p, F_OK), 0);
    buf_fini(&path);
}

/* When the folder could not be used at the start, and can be later, the file that nobody has read stays. */
static void what_could_not_be_read_is_not_removed(void **state)
{
    (void)state;
    struct buf aside = BUF_INIT;
    char lock[96];
    start();
    assert_true(put("one", "1"));
    stop();
    facts_file_path(folder, newest(), &aside);
    buf_printf(&aside, ".damaged");
    buf_add_char(&aside, '\0');
    snprintf(lock, sizeof(lock), "%s/lock", folder);
    assert_int_equal(unlink(lock), 0);
    assert_int_equal(mkdir(lock, 0700), 0); /* nobody can lock that */
    assert_int_equal(open_at(folder), FACTS_IN_MEMORY);
    facts_start(facts);
    assert_false(put("two", "2"));
    assert_int_equal(rmdir(lock), 0);
    recover();
    stop();
    assert_int_equal(access(aside.p, F_OK), 0);
    start();
    has("one", "");
    has("two", "2");
    stop();
    buf_fini(&aside);
}

/* A file whose first commit was never made does not count. */
static void an_unfinished_file_does_not_count(void **state)
{
    (void)state;
    start();
    assert_true(put("one", "1"));
    stop();
    uint32_t whole = newest(), numbers[FACTS_FILES_MOST];
    assert_int_equal(facts_file_make(folder, whole + 5), 0);
    start();
    has("one", "1");
    stop();
    set_row(0, 0);
    start();
    assert_int_equal(facts_files(folder, numbers), 2);
    stop();
}

/* After whichever write or sync the disk fails: nothing that was settled is lost in a crash, nobody waits,
 * and later all is on disk again. */
static void whichever_write_fails(int code, bool gives_file_up)
{
    int status = 64;
    unsigned failures = 0;
    for (int at = 0; status & 64; at++) {
        bool recovers = at % 2; /* every other one ends as in a crash */
        status = run_child(at, code, recovers);
        failures += (status & 64) != 0;
        start();
        unsigned least = recovers ? PUTS : (unsigned)status & 63;
        for (unsigned i = 1; i <= PUTS; i++)
            assert_true(rows.version[i] == i || (i > least && rows.version[i] == 0));
        uint64_t count = 0;
        str_to_u64(facts_get(facts, STR("count")), PUTS, &count);
        assert_true(count >= least);
        has("after", recovers ? "yes" : "");
        if ((status & 64) && recovers)
            assert_int_equal((status & 128) != 0, gives_file_up);
        facts_put(facts, STR("after"), STR_NONE);
        facts_put(facts, STR("count"), STR_NONE);
        for (unsigned i = 1; i <= PUTS; i++)
            set_row(i, 0);
        stop();
    }
    assert_true(failures > 7);
}

/* scenarios Q6 */
static void a_file_that_the_disk_failed_is_given_up(void **state)
{
    (void)state;
    whichever_write_fails(SQLITE_IOERR_FSYNC, true);
}

static void a_full_disk_keeps_its_file(void **state)
{
    (void)state;
    whichever_write_fails(SQLITE_FULL, false);
}

/* The disk stays broken for a while: purges go on, and the files do not pile up. */
static void a_disk_that_stays_broken(void **state)
{
    (void)state;
    static const int codes[] = { SQLITE_IOERR_FSYNC, SQLITE_FULL };
    for (size_t k = 0; k < COUNT_OF(codes); k++) {
        uint32_t numbers[FACTS_FILES_MOST];
        start();
        assert_true(put("one", "1"));
        disk.code = codes[k];
        disk.stays = true;
        disk.left = 0;
        assert_false(put("two", "2"));
        for (unsigned i = 0; i < 40; i++) {
            facts_try_again(facts);
            usleep(200);
            set_row(i, 9);
            facts_put(facts, STR("three"), STR("3"));
            assert_int_equal(facts_settled(facts, facts_ask(facts)), FACTS_UNSAVED);
        }
        assert_true(facts_files(folder, numbers) <= 2);
        disk.left = -1;
        recover();
        assert_int_equal(facts_files(folder, numbers), 1);
        stop();
        start();
        has("one", "1");
        has("two", "2");
        has("three", "3");
        assert_int_equal(rows.loaded, 40);
        for (unsigned i = 0; i < 40; i++)
            set_row(i, 0);
        facts_put(facts, STR("two"), STR_NONE);
        facts_put(facts, STR("three"), STR_NONE);
        stop();
    }
}

/* What is written is copied from the log into the database meanwhile, so that the log does not grow. */
static void the_log_stays_short(void **state)
{
    (void)state;
    static char big[60000]; /* fifteen pages of the log */
    struct buf path = BUF_INIT;
    struct stat st;
    start();
    for (unsigned i = 0; i < 250; i++) {
        memset(big, 'a' + (int)(i % 26), sizeof(big));
        set_row(i, (unsigned char)(i % 250 + 1));
        facts_put(facts, STR("big"), (struct str){ big, sizeof(big) });
        uint64_t ticket = facts_ask(facts);
        while (facts_settled(facts, ticket) == FACTS_UNSETTLED)
            usleep(100);
        assert_int_equal(facts_settled(facts, ticket), FACTS_SAVED);
    }
    facts_file_path(folder, newest(), &path);
    buf_printf(&path, "-wal");
    buf_add_char(&path, '\0');
    assert_int_equal(stat(path.p, &st), 0);
    assert_true(st.st_size < 12000000); /* of 15 MB that were written */
    buf_fini(&path);
    stop();
    start();
    assert_int_equal(rows.loaded, 250);
    assert_true(str_eq(facts_get(facts, STR("big")), (struct str){ big, sizeof(big) }));
    stop();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(facts_and_rows_are_there_again),
        TEST(what_was_settled_outlives_a_crash),
        TEST(only_one_process_has_the_folder),
        TEST(without_a_folder_it_is_in_memory),
        TEST(a_damaged_file_is_put_aside),
        TEST(a_row_that_nobody_wrote_is_damage),
        TEST(a_newer_freshet_is_not_overwritten),
        TEST(what_could_not_be_read_is_not_removed),
        TEST(an_unfinished_file_does_not_count),
        TEST(a_file_that_the_disk_failed_is_given_up),
        TEST(a_full_disk_keeps_its_file),
        TEST(a_disk_that_stays_broken),
        TEST(the_log_stays_short),
    };
    register_disk();
    if (argc == 5)
        _exit(child_main(argv));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
