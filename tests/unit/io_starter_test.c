/* A process that starts a program for one that cannot: with its descriptors, its user, its rights. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "io_test.h"
#include "io/sandbox.h"
#include "io/starter.h"
#include "io/user.h"

_Noreturn static void be_shell(const char *script, int out)
{
    sigset_t none;
    sigemptyset(&none);
    (void)pthread_sigmask(SIG_SETMASK, &none, NULL);
    dup2(out, STDOUT_FILENO);
    execl("/bin/sh", "sh", "-c", script, (char *)NULL);
    _exit(127);
}

/* Runs a shell that writes to the descriptor that it is given. */
static pid_t start_shell(void *ctx, const int *fds, size_t n)
{
    if (n != 1)
        return -EINVAL;
    pid_t pid = fork();
    if (pid == 0)
        be_shell(ctx, fds[0]);
    return pid;
}

/* The same, but it becomes the shell only when the second one has been closed elsewhere. */
static pid_t start_shell_late(void *ctx, const int *fds, size_t n)
{
    char c;
    if (n != 2)
        return -EINVAL;
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    while (read(fds[1], &c, 1) > 0) {
    }
    be_shell(ctx, fds[0]);
}

static void read_line(int fd, char out[64])
{
    ssize_t n = read(fd, out, 63);
    out[n > 0 ? n : 0] = '\0';
}

static void starts_with_descriptors(void **state)
{
    (void)state;
    struct starter s;
    int ends[2], status = 0;
    char text[64];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(starter_open(&s, start_shell, (char[]){ "echo here; exit 3" }), 0);
    assert_true(starter_has_ended(&s, false, &status)); /* nothing was started */
    pid_t pid = starter_start(&s, &ends[1], 1);
    assert_true(pid > 0);
    assert_true(starter_has_ended(&s, true, &status));
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 3);
    read_line(ends[0], text);
    assert_string_equal(text, "here\n");
    /* Again, and what its function refuses. */
    assert_true(starter_start(&s, &ends[1], 1) > 0);
    assert_true(starter_has_ended(&s, true, &status));
    assert_int_equal(starter_start(&s, NULL, 0), -EINVAL);
    starter_close(&s);
    assert_int_equal(starter_start(&s, &ends[1], 1), -EPIPE);
    close(ends[0]);
    close(ends[1]);
}

static void signals_what_it_started(void **state)
{
    (void)state;
    struct starter s;
    int ends[2], status = 0;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(starter_open(&s, start_shell, (char[]){ "exec sleep 60" }), 0);
    assert_true(starter_start(&s, &ends[1], 1) > 0);
    assert_false(starter_has_ended(&s, false, &status));
    assert_int_equal(starter_start(&s, &ends[1], 1), -EBUSY);
    starter_signal(&s, SIGTERM);
    assert_true(starter_has_ended(&s, true, &status));
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGTERM);
    starter_signal(&s, SIGTERM); /* to nobody */
    starter_close(&s);
    close(ends[0]);
    close(ends[1]);
}

/* It is not yet what it is to be: the signal is not lost. */
static void signals_what_has_just_begun(void **state)
{
    (void)state;
    struct starter s;
    int ends[2], gate[2], status = 0;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(pipe2(gate, O_CLOEXEC), 0);
    assert_int_equal(starter_open(&s, start_shell_late, (char[]){ "exit 3" }), 0);
    assert_true(starter_start(&s, (int[]){ ends[1], gate[0] }, 2) > 0);
    starter_signal(&s, SIGTERM);
    close(gate[1]);
    assert_true(starter_has_ended(&s, true, &status));
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGTERM);
    starter_close(&s);
    close(gate[0]);
    close(ends[0]);
    close(ends[1]);
}

/* Who asks is another user, in a sandbox; what is started is not. */
static void what_it_starts_is_not_held(void **state)
{
    (void)state;
    struct starter s;
    struct user u;
    int ends[2], status;
    char text[64];
    if (!user_is_root())
        skip();
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(
        starter_open(&s, start_shell, (char[]){ "id -u; grep -c '^Seccomp:.*0$' /proc/self/status" }), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct sandbox files;
        int code = user_find(STR("54321:54321"), &u) != USER_FOUND || user_become(&u) != 0;
        sandbox_gain_nothing();
        (void)sandbox_begin(&files);
        (void)sandbox_hold_files(&files);
        (void)sandbox_hold_calls(NULL);
        _exit(code || starter_start(&s, &ends[1], 1) <= 0 || !starter_has_ended(&s, true, &status) ||
              status != 0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    read_line(ends[0], text);
    assert_string_equal(text, "0\n1\n");
    starter_close(&s);
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(starts_with_descriptors),
        cmocka_unit_test(signals_what_it_started),
        cmocka_unit_test(signals_what_has_just_begun),
        cmocka_unit_test(what_it_starts_is_not_held),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
