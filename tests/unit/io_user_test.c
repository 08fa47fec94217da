/* Users by name and number, and becoming one. */
#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io_test.h"
#include "io/user.h"

static void finds_users(void **state)
{
    (void)state;
    struct user u;
    assert_int_equal(user_find(STR("root"), &u), USER_FOUND);
    assert_int_equal(u.uid, 0);
    assert_int_equal(u.gid, 0);
    assert_true(u.is_named);
    assert_string_equal(u.name, "root");
    assert_int_equal(user_find(STR("0"), &u), USER_FOUND);
    assert_string_equal(u.name, "root");
    assert_int_equal(user_find(STR("root:12345"), &u), USER_FOUND);
    assert_int_equal(u.gid, 12345);
    assert_int_equal(user_find(STR("54321:root"), &u), USER_FOUND);
    assert_int_equal(u.uid, 54321);
    assert_int_equal(u.gid, 0);
    assert_false(u.is_named);
    assert_string_equal(u.name, "54321");
}

static void refuses_what_is_no_user(void **state)
{
    (void)state;
    struct user u;
    assert_int_equal(user_find(STR("no-such-user-here"), &u), USER_UNKNOWN);
    assert_int_equal(user_find(STR(""), &u), USER_UNKNOWN);
    assert_int_equal(user_find(STR(":root"), &u), USER_UNKNOWN);
    assert_int_equal(user_find(STR("root:no-such-group-here"), &u), USER_GROUP_UNKNOWN);
    assert_int_equal(user_find(STR("root:"), &u), USER_GROUP_UNKNOWN);
    assert_int_equal(user_find(STR("54321"), &u), USER_GROUP_MISSING);
    /* To the kernel it would mean: stay who you are. */
    assert_int_equal(user_find(STR("4294967295:0"), &u), USER_UNKNOWN);
    assert_int_equal(user_find(STR("0:4294967295"), &u), USER_GROUP_UNKNOWN);
}

static int become_in_child(const struct user *u)
{
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        gid_t groups[8];
        if (user_become(u) != 0)
            _exit(1);
        bool good = user_is_now(u) && !user_is_root() && setuid(0) != 0 && setgid(0) != 0;
        /* Of the groups that root had none is left. */
        int n = getgroups(8, groups);
        for (int i = 0; i < n; i++)
            good &= groups[i] != 0;
        _exit(good ? 0 : 2);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 100;
}

static void becomes_a_user_for_good(void **state)
{
    (void)state;
    struct user nobody, number;
    if (!user_is_root())
        skip();
    assert_int_equal(user_find(STR("nobody"), &nobody), USER_FOUND);
    assert_int_equal(become_in_child(&nobody), 0);
    assert_int_equal(user_find(STR("54321:54322"), &number), USER_FOUND);
    assert_int_equal(become_in_child(&number), 0);
}

static void gives_folders_that_it_makes(void **state)
{
    (void)state;
    char base[] = "/tmp/io_user_test.XXXXXX", path[64], sub[128];
    struct user u;
    struct stat st;
    if (!user_is_root())
        skip();
    assert_non_null(mkdtemp(base));
    assert_int_equal(user_find(STR("54321:54322"), &u), USER_FOUND);
    snprintf(path, sizeof(path), "%s/a", base);
    snprintf(sub, sizeof(sub), "%s/b", path);
    assert_int_equal(user_make_folder(&u, sub), 0);
    assert_int_equal(stat(sub, &st), 0);
    assert_int_equal(st.st_uid, 54321);
    assert_int_equal(st.st_gid, 54322);
    assert_int_equal(user_owns(&u, sub), 0);
    /* Those above are root's, and so is one that was there. */
    assert_int_equal(user_owns(&u, path), -EACCES);
    assert_int_equal(user_make_folder(&u, path), 0);
    assert_int_equal(user_owns(&u, path), -EACCES);
    snprintf(sub, sizeof(sub), "%s/nothing", path);
    assert_int_equal(user_owns(&u, sub), -ENOENT);
    snprintf(sub, sizeof(sub), "rm -r %s", base);
    assert_int_equal(system(sub), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_users),
        cmocka_unit_test(refuses_what_is_no_user),
        cmocka_unit_test(becomes_a_user_for_good),
        cmocka_unit_test(gives_folders_that_it_makes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
