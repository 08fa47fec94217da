/* Files are read whole or not at all and replaced whole or not at all; folders, randomness, limits and cores
 * are what the system says. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "io_test.h"
#include "io/system.h"

static char folder[] = "/tmp/io_system_test.XXXXXX";

static const char *in_folder(const char *name)
{
    static char path[2][256];
    static int turn;
    turn = !turn;
    snprintf(path[turn], sizeof(path[turn]), "%s/%s", folder, name);
    return path[turn];
}

static int files_in_folder(void)
{
    int n = 0;
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    for (struct dirent *d; (d = readdir(dir)) != NULL;)
        n += d->d_name[0] != '.';
    closedir(dir);
    return n;
}

static mode_t mode_of(const char *path)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return st.st_mode & 07777;
}

static void expect_file(const char *path, const char *text)
{
    struct buf b = BUF_INIT;
    assert_int_equal(system_read_file(path, 1 << 20, &b), 0);
    assert_int_equal(b.n, strlen(text));
    assert_memory_equal(b.p, text, b.n);
    buf_fini(&b);
}

static void writes_and_reads_files(void **state)
{
    (void)state;
    const char *path = in_folder("file");
    mode_t before = umask(077);
    assert_int_equal(system_write_file(path, STR("first\n"), 0644), 0);
    umask(before);
    assert_int_equal(mode_of(path), 0644);
    expect_file(path, "first\n");
    assert_int_equal(system_write_file(path, STR("2"), 0600), 0);
    assert_int_equal(mode_of(path), 0600);
    expect_file(path, "2");
    assert_int_equal(system_write_file(path, STR_NONE, 0600), 0);

    struct buf b = BUF_INIT;
    buf_add(&b, STR("kept"));
    assert_int_equal(system_read_file(path, 0, &b), 0);
    assert_int_equal(b.n, 4);
    assert_int_equal(files_in_folder(), 1);
    unlink(path);
    buf_fini(&b);
}

static void reads_up_to_the_limit(void **state)
{
    (void)state;
    static char text[40000];
    static const size_t sizes[] = { 0, 1, 16383, 16384, 16385, 40000 };
    const char *path = in_folder("big");
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (char)('a' + i % 26);
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        struct buf b = BUF_INIT;
        size_t n = sizes[i];
        buf_add(&b, STR("kept"));
        assert_int_equal(system_write_file(path, (struct str){ text, n }, 0600), 0);
        assert_int_equal(system_read_file(path, n, &b), 0);
        assert_int_equal(b.n, 4 + n);
        assert_memory_equal(b.p, "kept", 4);
        assert_memory_equal(b.p + 4, text, n);
        if (n > 0) {
            assert_int_equal(system_read_file(path, n - 1, &b), -EFBIG);
            assert_int_equal(b.n, 4 + n);
        }
        buf_fini(&b);
    }
    unlink(path);
    struct buf b = BUF_INIT;
    assert_int_equal(system_read_file(path, 10, &b), -ENOENT);
    assert_int_equal(system_read_file(folder, 10, &b), -EISDIR);
    assert_int_equal(system_read_file("/dev/zero", 100000, &b), -EFBIG); /* it has no end */
    assert_int_equal(b.n, 0);
    assert_int_equal(system_read_file("/proc/self/stat", 4096, &b), 0); /* and this no size */
    assert_true(b.n > 0);
    buf_fini(&b);
}

static void a_failed_write_leaves_the_old_file(void **state)
{
    (void)state;
    struct rlimit before, little;
    const char *path = in_folder("file");
    assert_int_equal(system_write_file(path, STR("old"), 0600), 0);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    little = (struct rlimit){ .rlim_cur = 2, .rlim_max = before.rlim_max };
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
    assert_int_equal(system_write_file(path, STR("new one"), 0600), -EFBIG);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    expect_file(path, "old");
    assert_int_equal(system_write_file(in_folder("nowhere/file"), STR("x"), 0600), -ENOENT);
    assert_int_equal(files_in_folder(), 1); /* nothing half-made stays */
    unlink(path);
}

static void makes_folders(void **state)
{
    (void)state;
    struct stat st;
    mode_t before = umask(0);
    assert_int_equal(system_make_dirs(in_folder("a/b//c/"), 0700), 0);
    umask(before);
    assert_int_equal(mode_of(in_folder("a")), 0700);
    assert_int_equal(stat(in_folder("a/b/c"), &st), 0);
    assert_true(S_ISDIR(st.st_mode));
    assert_int_equal(system_make_dirs(in_folder("a/b/c"), 0755), 0);
    assert_int_equal(mode_of(in_folder("a/b/c")), 0700); /* what is there stays as it is */
    assert_int_equal(system_write_file(in_folder("a/file"), STR("x"), 0600), 0);
    assert_int_equal(system_make_dirs(in_folder("a/file"), 0700), -ENOTDIR);
    assert_int_equal(system_make_dirs(in_folder("a/file/d"), 0700), -ENOTDIR);
    assert_int_equal(system_make_dirs("", 0700), -ENOENT);
    assert_int_equal(system_make_dirs("/", 0700), 0);
    assert_int_equal(system_make_dirs("/proc/nowhere", 0700), -ENOENT);
    unlink(in_folder("a/file"));
    rmdir(in_folder("a/b/c"));
    rmdir(in_folder("a/b"));
    rmdir(in_folder("a"));
}

static void randomness_differs(void **state)
{
    (void)state;
    unsigned char a[64] = { 0 }, b[64] = { 0 };
    system_random(a, sizeof(a));
    system_random(b, sizeof(b));
    assert_memory_not_equal(a, b, sizeof(a));
    system_random(a, 0);
}

static void reads_quotas(void **state)
{
    static const struct {
        const char *text;
        unsigned cores;
    } rows[] = {
        { "max 100000\n", 0 },
        { "100000 100000\n", 1 },
        { "150000 100000\n", 2 },
        { "50000 100000", 1 },
        { "400000 100000\n", 4 },
        { "400001 100000\n", 5 },
        { "0 100000\n", 1 },
        { "", 0 },
        { "100000\n", 0 },
        { "100000 0\n", 0 },
        { "-1 100000\n", 0 },
        { "99999999999999999999 1\n", 0 },
        { "4294967295 1\n", 4294967295u },
        { "4294967296 1\n", 4294967295u },
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (system_quota_cores(str_from(rows[i].text)) != rows[i].cores)
            fail_msg("%s", rows[i].text);
    unsigned cores = system_cores();
    assert_true(cores >= 1 && cores <= (unsigned)sysconf(_SC_NPROCESSORS_CONF));
}

static void raises_the_limit_of_files(void **state)
{
    (void)state;
    struct rlimit before, now;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    struct rlimit lower = { .rlim_cur = 64, .rlim_max = before.rlim_max };
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &lower), 0);
    uint64_t files = system_raise_files_limit();
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &now), 0);
    assert_true(files == now.rlim_cur && now.rlim_cur == before.rlim_max && now.rlim_max == before.rlim_max);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_and_reads_files),
        cmocka_unit_test(reads_up_to_the_limit),
        cmocka_unit_test(a_failed_write_leaves_the_old_file),
        cmocka_unit_test(makes_folders),
        cmocka_unit_test(randomness_differs),
        cmocka_unit_test(reads_quotas),
        cmocka_unit_test(raises_the_limit_of_files),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
