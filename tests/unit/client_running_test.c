/* A freshet that runs is found by what it says in the runtime folder, until it ends, however it ends; a
 * folder into which somebody else may write is neither believed nor written to. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/check.h"
#include "io/system.h"
#include "client/running.h"

static char folder[64];
static struct running v[RUNNING_MAX];

static int set_up(void **state)
{
    (void)state;
    char top[] = "/tmp/freshet-running-XXXXXX";
    assert_non_null(mkdtemp(top));
    snprintf(folder, sizeof(folder), "%s/it", top);
    return setenv("FRESHET_RUNTIME_DIR", folder, 1);
}

static int tear_down(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof(command), "rm -rf %.60s", folder);
    command[strlen(command) - 3] = '\0'; /* what it stands in */
    return system(command);
}

/* A process that is shown and lives until it is killed. */
static pid_t start(const char *admin, const char *state)
{
    int ready[2];
    char byte;
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0) {
        static struct presence p;
        byte = (char)(running_show(&p, str_from(admin), state) == 0);
        if (write(ready[1], &byte, 1) == 1)
            for (;;)
                pause();
        _exit(1);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(byte, 1);
    close(ready[0]);
    close(ready[1]);
    return pid;
}

static void stop(pid_t pid)
{
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static size_t files(void)
{
    char command[128];
    unsigned n = 0;
    snprintf(command, sizeof(command), "ls -A %s | wc -l", folder);
    FILE *f = popen(command, "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%u", &n), 1);
    pclose(f);
    return n;
}

static void those_that_live_are_found(void **state)
{
    (void)state;
    struct stat st;
    assert_int_equal(running_find(v), 0); /* no folder yet */
    pid_t first = start("127.0.0.1:1", "/state/a \"b\"");
    assert_int_equal(running_find(v), 1);
    assert_int_equal(v[0].pid, first);
    assert_string_equal(v[0].admin, "127.0.0.1:1");
    assert_string_equal(v[0].state, "/state/a \"b\"");
    assert_int_equal(v[0].owner, geteuid());
    assert_true(stat(folder, &st) == 0 && (st.st_mode & 07777) == 0700);

    char here[PATH_MAX], expected[2 * PATH_MAX];
    assert_non_null(getcwd(here, sizeof(here)));
    pid_t second = start("unix:/run/admin", "relative");
    assert_int_equal(running_find(v), 2);
    snprintf(expected, sizeof(expected), "%s/relative", here);
    assert_string_equal(v[v[0].pid == second ? 0 : 1].state, expected);

    /* Killed: its file is no sign of life, and goes. */
    stop(first);
    assert_int_equal(files(), 2);
    assert_int_equal(running_find(v), 1);
    assert_int_equal(v[0].pid, second);
    assert_int_equal(files(), 1);
    stop(second);

    struct presence p;
    assert_int_equal(running_show(&p, STR("[::1]:8081"), "/s"), 0);
    assert_int_equal(files(), 1); /* the second one's is gone */
    assert_int_equal(running_find(v), 1);
    presence_withdraw(&p);
    assert_int_equal(files(), 0);
    presence_withdraw(&p);
}

/* What else may lie there. */
static void other_files_are_passed_over(void **state)
{
    (void)state;
    struct presence p[3];
    char path[256], target[256];
    static const char *const texts[] = { "",
                                         "{}",
                                         "{\"pid\":1,\"admin\":\"\",\"state\":\"/x\"}",
                                         "{\"pid\":1,\"admin\":\"a\",\"state\":\"relative\"}",
                                         "{\"pid\":0,\"admin\":\"a\",\"state\":\"/x\"}",
                                         "{\"pid\":1,\"admin\":\"a\\u0000b\",\"state\":\"/x\"}",
                                         "[1" };
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        assert_int_equal(presence_show(&p[0], folder, str_from(texts[i])), 0);
        assert_int_equal(running_find(v), 0);
        presence_withdraw(&p[0]);
    }
    /* A link, also to what is good and locked; a pipe nobody writes to; a folder. */
    char other[96];
    snprintf(other, sizeof(other), "%s-other", folder);
    assert_int_equal(presence_show(&p[0], other, STR("{\"pid\":1,\"admin\":\"a\",\"state\":\"/x\"}")), 0);
    snprintf(target, sizeof(target), "%s/%s", other, p[0].name);
    snprintf(path, sizeof(path), "%s/link", folder);
    assert_int_equal(symlink(target, path), 0);
    snprintf(path, sizeof(path), "%s/pipe", folder);
    assert_int_equal(mkfifo(path, 0600), 0);
    snprintf(path, sizeof(path), "%s/folder", folder);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(running_find(v), 0);
    presence_withdraw(&p[0]);
    assert_int_equal(files(), 3);
}

static void a_folder_of_others_is_not_trusted(void **state)
{
    (void)state;
    struct presence p;
    static const mode_t modes[] = { 0770, 0707, 0777, 01777 };
    assert_int_equal(running_show(&p, STR("a"), "/x"), 0);
    for (size_t i = 0; i < COUNT_OF(modes); i++) {
        struct presence q;
        assert_int_equal(chmod(folder, modes[i]), 0);
        assert_int_equal(running_find(v), 0);
        assert_int_equal(running_show(&q, STR("a"), "/x"), -EPERM);
    }
    assert_int_equal(chmod(folder, 0755), 0);
    assert_int_equal(running_find(v), 1);
    /* A link in its place. */
    char link[128];
    struct presence q;
    snprintf(link, sizeof(link), "%s-link", folder);
    assert_int_equal(symlink(folder, link), 0);
    setenv("FRESHET_RUNTIME_DIR", link, 1);
    assert_int_equal(running_find(v), 0);
    assert_true(running_show(&q, STR("a"), "/x") < 0);
    setenv("FRESHET_RUNTIME_DIR", folder, 1);
    if (geteuid() == 0) { /* another user's: root may read it, and writes nothing there */
        presence_withdraw(&p);
        assert_int_equal(chown(folder, 1, 1), 0);
        assert_int_equal(running_show(&q, STR("a"), "/x"), -EPERM);
        /* A third one does not even read it. In a process of its own: who changes his user can no longer be
         * debugged. */
        char top[64];
        snprintf(top, sizeof(top), "%.*s", (int)(strlen(folder) - strlen("/it")), folder);
        assert_int_equal(chmod(top, 0755), 0);
        pid_t pid = fork();
        if (pid == 0)
            _exit(seteuid(2) == 0 && presence_each(folder, true, NULL, NULL) == -EPERM ? 0 : 1);
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
        assert_int_equal(chown(folder, 0, 0), 0);
    } else {
        presence_withdraw(&p);
    }
}

/* Whoever may write a file for root to read must not lead it to a token that he may not read himself. */
static void a_token_belongs_to_who_named_it(void **state)
{
    (void)state;
    char path[256], own[64];
    struct presence p;
    snprintf(own, sizeof(own), "%.50s-state", folder);
    assert_int_equal(mkdir(own, 0700), 0);
    snprintf(path, sizeof(path), "%s/token", own);
    assert_int_equal(running_show(&p, STR("a"), own), 0);
    assert_int_equal(running_find(v), 1);
    assert_false(v[0].owns_token); /* none */
    assert_int_equal(system_write_file(path, STR("t\n"), 0600), 0);
    assert_int_equal(running_find(v), 1);
    assert_true(v[0].owns_token);
    if (geteuid() == 0) {
        assert_int_equal(chown(path, 1, 1), 0);
        assert_int_equal(running_find(v), 1);
        assert_false(v[0].owns_token);
        /* Of another user's freshet root must know by the token that it is his. */
        char file[256];
        snprintf(file, sizeof(file), "%s/%s", folder, p.name);
        assert_int_equal(chown(file, 2, 2) | chown(folder, 2, 2), 0);
        assert_int_equal(running_find(v), 0);
        assert_int_equal(chown(file, 1, 1) | chown(folder, 1, 1), 0);
        assert_int_equal(running_find(v), 1);
        assert_true(v[0].owns_token);
        assert_int_equal(chown(file, 0, 0) | chown(folder, 0, 0), 0);
    }
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("/etc/hostname", path), 0);
    assert_int_equal(running_find(v), 1);
    assert_false(v[0].owns_token);
    presence_withdraw(&p);
}

static void an_empty_name_is_no_folder(void **state)
{
    (void)state;
    struct presence p;
    setenv("FRESHET_RUNTIME_DIR", "", 1);
    assert_int_equal(running_show(&p, STR("a"), "/x"), -ENOENT);
    assert_int_equal(running_find(v), 0);
}

/* Without the variable: the runtime folder of the user comes first. */
static void the_folder_is_where_the_standard_says(void **state)
{
    (void)state;
    struct presence p;
    struct stat st;
    char at[256];
    unsetenv("FRESHET_RUNTIME_DIR");
    assert_int_equal(mkdir(folder, 0700), 0);
    setenv("XDG_RUNTIME_DIR", folder, 1);
    assert_int_equal(running_show(&p, STR("127.0.0.1:77"), folder), 0);
    snprintf(at, sizeof(at), "%s/freshet/%s", folder, p.name);
    assert_int_equal(stat(at, &st), 0);
    size_t n = running_find(v), mine = 0; /* others may run on this machine */
    for (size_t i = 0; i < n; i++)
        mine += v[i].pid == getpid() && strcmp(v[i].admin, "127.0.0.1:77") == 0;
    assert_int_equal(mine, 1);
    /* All of it another user's, token and all: root reads it where root has named it, not where a user may
     * put it. */
    if (geteuid() == 0) {
        char theirs[96], token[96];
        snprintf(theirs, sizeof(theirs), "%s/freshet", folder);
        snprintf(token, sizeof(token), "%s/token", folder);
        assert_int_equal(system_write_file(token, STR("t\n"), 0600), 0);
        assert_int_equal(chown(token, 1, 1) | chown(at, 1, 1) | chown(theirs, 1, 1), 0);
        n = running_find(v);
        for (size_t i = 0; i < n; i++)
            assert_int_not_equal(v[i].pid, getpid());
        setenv("FRESHET_RUNTIME_DIR", theirs, 1);
        assert_int_equal(running_find(v), 1);
        unsetenv("FRESHET_RUNTIME_DIR");
    }
    presence_withdraw(&p);
    unsetenv("XDG_RUNTIME_DIR");
}

int main(void)
{
#define EACH(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        EACH(those_that_live_are_found),         EACH(other_files_are_passed_over),
        EACH(a_folder_of_others_is_not_trusted), EACH(a_token_belongs_to_who_named_it),
        EACH(an_empty_name_is_no_folder),        EACH(the_folder_is_where_the_standard_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
