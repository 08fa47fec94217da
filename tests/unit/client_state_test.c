/* The state folder is where the standard says or where it is named; what is kept in it comes back, for its
 * owner only. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/check.h"
#include "io/system.h"
#include "client/state.h"

static void expect_folder(struct str override, const char *xdg, const char *home, int status,
                          const char *path)
{
    char out[PATH_MAX] = "untouched";
    xdg ? setenv("XDG_STATE_HOME", xdg, 1) : unsetenv("XDG_STATE_HOME");
    home ? setenv("HOME", home, 1) : unsetenv("HOME");
    assert_int_equal(state_folder(override, out), status);
    if (status == 0)
        assert_string_equal(out, path);
}

static void the_folder_is_where_the_standard_says(void **state)
{
    (void)state;
    expect_folder(STR("/named"), "/x", "/h", 0, "/named");
    expect_folder(STR("relative"), NULL, NULL, 0, "relative");
    expect_folder(STR_NONE, "/x", "/h", 0, "/x/freshet");
    expect_folder(STR_NONE, NULL, "/h", 0, "/h/.local/state/freshet");
    expect_folder(STR_NONE, "", "/h", 0, "/h/.local/state/freshet");
    expect_folder(STR_NONE, "relative", "/h", 0, "/h/.local/state/freshet");
    expect_folder(STR_NONE, NULL, NULL, -ENOENT, NULL);
    expect_folder(STR_NONE, NULL, "", -ENOENT, NULL);
    char long_path[PATH_MAX + 2];
    memset(long_path, 'a', sizeof(long_path) - 1);
    long_path[0] = '/';
    long_path[sizeof(long_path) - 1] = '\0';
    expect_folder(str_from(long_path), NULL, NULL, -ENAMETOOLONG, NULL);
    long_path[PATH_MAX - 3] = '\0';
    expect_folder(STR_NONE, long_path, NULL, -ENAMETOOLONG, NULL);
}

static void what_is_written_comes_back(void **state)
{
    (void)state;
    char top[] = "/tmp/freshet-state-XXXXXX", folder[64], path[96];
    assert_non_null(mkdtemp(top));
    snprintf(folder, sizeof(folder), "%s/a/freshet", top);
    struct buf b = BUF_INIT;
    struct stat st;
    assert_int_equal(state_read_token(folder, &b), -ENOENT);
    assert_int_equal(state_read_admin(folder, &b), -ENOENT);
    assert_int_equal(state_write_token(folder, STR("secret")), 0);
    struct file_id id;
    assert_int_equal(state_write_admin(folder, STR("unix:/run/a dmin"), &id), 0);
    assert_int_equal(state_write_token(folder, STR("other")), 0);
    buf_add(&b, STR("before "));
    assert_int_equal(state_read_token(folder, &b), 0);
    assert_true(str_eq(buf_str(&b), STR("before other")));
    buf_clear(&b);
    assert_int_equal(state_read_admin(folder, &b), 0);
    assert_true(str_eq(buf_str(&b), STR("unix:/run/a dmin")));
    assert_true(stat(folder, &st) == 0 && (st.st_mode & 07777) == 0700);
    snprintf(path, sizeof(path), "%s/token", folder);
    assert_true(stat(path, &st) == 0 && (st.st_mode & 07777) == 0600);

    /* Edited by hand, or garbled. */
    static const struct {
        struct str content, line;
    } rows[] = {
        { STR_INIT("abc"), STR_INIT("abc") }, { STR_INIT("  abc \r\nnot this\n"), STR_INIT("abc") },
        { STR_INIT(""), STR_INIT("") },       { STR_INIT("\n"), STR_INIT("") },
        { STR_INIT("a b\n"), STR_INIT("") },  { STR_INIT("a\0b\n"), STR_INIT("") },
        { STR_INIT("\xff\n"), STR_INIT("") },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        buf_clear(&b);
        buf_add(&b, STR("before"));
        assert_int_equal(system_write_file(path, rows[i].content, 0600), 0);
        assert_int_equal(state_read_token(folder, &b), rows[i].line.n ? 0 : -EINVAL);
        assert_true(str_eq(str_from_index(buf_str(&b), 6), rows[i].line));
    }
    buf_fini(&b);
    unlink(path);
    snprintf(path, sizeof(path), "%s/admin", folder);
    unlink(path);
    rmdir(folder);
    snprintf(path, sizeof(path), "%s/a", top);
    rmdir(path);
    assert_int_equal(rmdir(top), 0);
}

static void an_address_is_removed_by_who_wrote_it(void **state)
{
    (void)state;
    char folder[] = "/tmp/freshet-state-XXXXXX";
    struct buf b = BUF_INIT;
    struct file_id mine, theirs;
    assert_non_null(mkdtemp(folder));
    assert_int_equal(state_write_admin(folder, STR("127.0.0.1:1"), &mine), 0);
    /* Another freshet of the same folder, even at the same address: it began when the first had let go of
     * it. */
    assert_int_equal(state_write_admin(folder, STR("127.0.0.1:1"), &theirs), 0);
    state_remove_admin(folder, &mine);
    assert_int_equal(state_read_admin(folder, &b), 0);
    state_remove_admin(folder, &theirs);
    assert_int_equal(state_read_admin(folder, &b), -ENOENT);
    state_remove_admin(folder, &theirs); /* gone already */
    buf_fini(&b);
    assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_folder_is_where_the_standard_says),
        cmocka_unit_test(what_is_written_comes_back),
        cmocka_unit_test(an_address_is_removed_by_who_wrote_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
