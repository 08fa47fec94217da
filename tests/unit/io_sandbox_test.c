/* The sandbox holds files and system calls, in all threads and for good. Built without sanitizers, so that
 * it is the filter of the release build which is tested: it includes the sources. */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../src/base/check.c"
#include "../../src/base/str.c"
#include "../../src/io/sandbox.c"
#include "../../src/io/sandbox_calls.c"

static char folder[] = "/tmp/io_sandbox_test.XXXXXX";

static const char *at(const char *name)
{
    static char path[4][256];
    static int turn;
    turn = (turn + 1) % 4;
    snprintf(path[turn], sizeof(path[turn]), "%s/%s", folder, name);
    return path[turn];
}

static void write_text(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "x", 1), 1);
    close(fd);
}

static int make_folder(void **state)
{
    (void)state;
    return !mkdtemp(folder) || mkdir(at("in"), 0700) || mkdir(at("out"), 0700);
}

static int remove_folder(void **state)
{
    char command[300];
    (void)state;
    snprintf(command, sizeof(command), "rm -r %s", folder);
    return system(command);
}

/* What cannot be undone is done in a child. It exits with the line of what failed; 0: all is well. */
#define EXPECT(expr)                                                                                         \
    do {                                                                                                     \
        if (!(expr))                                                                                         \
            _exit_with(__LINE__, #expr);                                                                     \
    } while (0)

static void _exit_with(int line, const char *expr)
{
    fprintf(stderr, "line %d: %s (errno %d)\n", line, expr, errno);
    _exit(1);
}

static void in_child(void (*what)(void))
{
    int status;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        what();
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail_msg("status %x", (unsigned)status);
}

static bool lacks_landlock(void)
{
    struct sandbox s;
    int status = sandbox_begin(&s);
    if (status == 0)
        close(s.fd);
    return status != 0;
}

/* ---- files ---- */

static int opens(const char *path, int flags)
{
    int fd = open(path, flags, 0600);
    if (fd < 0)
        return -errno;
    close(fd);
    return 0;
}

static void hold_in(unsigned access)
{
    struct sandbox s;
    sandbox_gain_nothing();
    EXPECT(sandbox_begin(&s) == 0);
    EXPECT(sandbox_allow(&s, at("in"), access) == 0);
    EXPECT(sandbox_allow(&s, at("nowhere"), access) == -ENOENT);
    EXPECT(sandbox_hold_files(&s) == 0);
}

static void opens_inside_alone(void)
{
    int before = open(at("out/file"), O_RDONLY);
    char c;
    hold_in(SANDBOX_READ | SANDBOX_LIST | SANDBOX_CHANGE);
    EXPECT(opens(at("in/file"), O_RDONLY) == 0);
    EXPECT(opens(at("in/new"), O_RDWR | O_CREAT) == 0);
    EXPECT(mkdir(at("in/below"), 0700) == 0);
    EXPECT(opens(at("in/below/new"), O_RDWR | O_CREAT | O_TRUNC) == 0);
    EXPECT(rename(at("in/new"), at("in/newer")) == 0);
    EXPECT(unlink(at("in/newer")) == 0);
    EXPECT(opens(at("out/file"), O_RDONLY) == -EACCES);
    EXPECT(opens(at("out/file"), O_WRONLY) == -EACCES);
    EXPECT(opens(at("out/new"), O_WRONLY | O_CREAT) == -EACCES);
    EXPECT(opens(at("out"), O_RDONLY | O_DIRECTORY) == -EACCES);
    EXPECT(opens("/etc/shadow", O_RDONLY) == -EACCES);
    EXPECT(opens(at("in/../out/file"), O_RDONLY) == -EACCES);
    EXPECT(opens(at("in/link"), O_RDONLY) == -EACCES); /* which leads to out/file */
    EXPECT(mkdir(at("out/below"), 0700) < 0 && errno == EACCES);
    EXPECT(unlink(at("out/file")) < 0 && errno == EACCES);
    EXPECT(rename(at("in/file"), at("out/moved")) < 0 && (errno == EXDEV || errno == EACCES));
    EXPECT(symlink("/etc", at("in/etc")) < 0 && errno == EACCES);
    /* What was open before stays so. */
    EXPECT(read(before, &c, 1) == 1);
}

static void reads_alone(void)
{
    hold_in(SANDBOX_READ);
    EXPECT(opens(at("in/file"), O_RDONLY) == 0);
    EXPECT(opens(at("in/file"), O_WRONLY) == -EACCES);
    EXPECT(opens(at("in/more"), O_WRONLY | O_CREAT) == -EACCES);
    EXPECT(opens(at("in"), O_RDONLY | O_DIRECTORY) == -EACCES);
}

/* As logs are rotated: somebody else renames the file, and it is made anew. */
static void appends(void)
{
    int fd;
    hold_in(SANDBOX_APPEND);
    EXPECT((fd = open(at("in/log"), O_WRONLY | O_APPEND | O_CREAT, 0600)) >= 0);
    EXPECT(write(fd, "xy", 2) == 2 && ftruncate(fd, 1) == 0);
    EXPECT(opens(at("in/log"), O_RDONLY) == -EACCES);
    EXPECT(unlink(at("in/log")) < 0 && errno == EACCES);
}

static void only_what_is_permitted_can_be_opened(void **state)
{
    (void)state;
    if (lacks_landlock())
        skip();
    write_text(at("in/file"));
    write_text(at("out/file"));
    assert_int_equal(symlink("../out/file", at("in/link")), 0);
    in_child(opens_inside_alone);
    in_child(reads_alone);
    in_child(appends);
}

/* A kernel without Landlock: nothing is held, and all calls do nothing. */
static void what_was_not_begun_holds_nothing(void **state)
{
    (void)state;
    struct sandbox none = { .fd = -1 };
    assert_int_equal(sandbox_allow(&none, "/nowhere", SANDBOX_READ), 0);
    assert_int_equal(sandbox_hold_files(&none), 0);
    assert_int_equal(opens("/etc/passwd", O_RDONLY), 0);
}

/* ---- system calls ---- */

#ifdef FRESHET_SECCOMP
static atomic_int refusals;

static void refused(void)
{
    atomic_fetch_add(&refusals, 1);
}

static void hold(void)
{
    sandbox_gain_nothing();
    EXPECT(sandbox_hold_calls(refused) == 0);
}

static void expect_refused(const char *name)
{
    uint64_t times = 0;
    bool is_first = false;
    int before = atomic_load(&refusals);
    int status = sandbox_try_call(name);
    if (status == -EINVAL && before == atomic_load(&refusals))
        return; /* this architecture has none such */
    if (status != -EPERM || atomic_load(&refusals) != before + 1)
        _exit_with(__LINE__, name);
    const char *said = sandbox_next_refused(&times, &is_first);
    EXPECT(said && strcmp(said, name) == 0 && times == 1 && is_first);
    EXPECT(!sandbox_next_refused(&times, &is_first));
}

static void refuses_calls(void)
{
    static const char *const calls[] = {
        "execve",
        "execveat",
        "fork",
        "vfork",
        "ptrace",
        "kill",
        "tkill",
        "process_vm_readv",
        "process_vm_writev",
        "pidfd_open",
        "mount",
        "umount2",
        "pivot_root",
        "chroot",
        "unshare",
        "setns",
        "bpf",
        "perf_event_open",
        "userfaultfd",
        "io_uring_setup",
        "listen",
        "init_module",
        "finit_module",
        "kexec_load",
        "reboot",
        "setuid",
        "setresuid",
        "setgid",
        "setgroups",
        "capset",
        "chmod",
        "chown",
        "fchown",
        "link",
        "symlink",
        "mknod",
        "memfd_create",
        "keyctl",
        "add_key",
        "personality",
        "swapon",
        "sethostname",
        "settimeofday",
        "clock_settime",
        "acct",
        "open_by_handle_at",
        "name_to_handle_at",
        "seccomp",
        "landlock_restrict_self",
        "setrlimit",
    };
    hold();
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
        expect_refused(calls[i]);
}

#define REFUSED(expr) (errno = 0, is_trying = true, (long)(expr) == -1 && errno == EPERM)

/* The same call is let through with some arguments and refused with others. */
static void refuses_arguments(void)
{
    hold();
    EXPECT(REFUSED(fork()));
    EXPECT(REFUSED(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0)));
    EXPECT(syscall(SYS_clone3, NULL, 0) == -1 && errno == ENOSYS);
    EXPECT(REFUSED(syscall(SYS_mmap, NULL, 4096L, PROT_READ | PROT_WRITE | PROT_EXEC,
                           MAP_PRIVATE | MAP_ANONYMOUS, -1L, 0L)));
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    EXPECT(page != MAP_FAILED);
    EXPECT(REFUSED(mprotect(page, 4096, PROT_READ | PROT_EXEC)));
    EXPECT(mprotect(page, 4096, PROT_READ) == 0);
    EXPECT(REFUSED(socket(AF_PACKET, SOCK_RAW, 0)));
    EXPECT(REFUSED(socket(AF_NETLINK, SOCK_RAW, 9))); /* audit */
    EXPECT(close(socket(AF_UNIX, SOCK_STREAM, 0)) == 0);
    EXPECT(close(socket(AF_INET, SOCK_STREAM, 0)) == 0);
    EXPECT(REFUSED(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)));
    EXPECT(prctl(PR_SET_NAME, "other", 0, 0, 0) == 0);
    EXPECT(REFUSED(syscall(SYS_tgkill, getppid(), getppid(), 0)));
    EXPECT(syscall(SYS_tgkill, getpid(), getpid(), 0) == 0);
    EXPECT(REFUSED(ioctl(0, TIOCSTI, "x")));
    int left = 0, s = socket(AF_INET, SOCK_STREAM, 0);
    EXPECT(ioctl(s, SIOCOUTQ, &left) == 0 || errno != EPERM); /* stream_unsent */
    EXPECT(close(s) == 0);
    struct rlimit limit = { 0, 0 };
    EXPECT(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    EXPECT(REFUSED(setrlimit(RLIMIT_NOFILE, &limit)));
}

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

static void *try_one(void *arg)
{
    (void)arg;
    pthread_mutex_lock(&gate);
    pthread_mutex_unlock(&gate);
    return (void *)(intptr_t)sandbox_try_call("mount");
}

static void holds_threads(void)
{
    pthread_t before, after;
    void *of_before, *of_after;
    pthread_mutex_lock(&gate);
    EXPECT(pthread_create(&before, NULL, try_one, NULL) == 0);
    hold();
    EXPECT(pthread_create(&after, NULL, try_one, NULL) == 0);
    pthread_mutex_unlock(&gate);
    EXPECT(pthread_join(before, &of_before) == 0 && (intptr_t)of_before == -EPERM);
    EXPECT(pthread_join(after, &of_after) == 0 && (intptr_t)of_after == -EPERM);
    EXPECT(atomic_load(&refusals) == 2);
}

/* A name is found as without it: libc loads what the system is set to use. */
static void finds_names(void)
{
    struct addrinfo *found = NULL, hints = { .ai_socktype = SOCK_STREAM };
    hold();
    is_trying = true;
    EXPECT(getaddrinfo("localhost", "80", &hints, &found) == 0 && found);
    freeaddrinfo(found);
    (void)getaddrinfo("no-such-name.invalid", "80", &hints, &found);
    EXPECT(atomic_load(&refusals) == 0);
}

static void a_call_that_is_not_needed_is_refused_and_named(void **state)
{
    (void)state;
    in_child(refuses_calls);
    in_child(refuses_arguments);
    in_child(holds_threads);
    in_child(finds_names);
}
#endif

/* ---- the process ---- */

static void dumps_nothing(void)
{
    struct rlimit limit;
    sandbox_dump_nothing();
    EXPECT(prctl(PR_GET_DUMPABLE) == 0);
    EXPECT(getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_cur == 0);
    sandbox_gain_nothing();
    EXPECT(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
}

static void no_core_is_dumped_and_no_right_gained(void **state)
{
    (void)state;
    in_child(dumps_nothing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_is_permitted_can_be_opened),
        cmocka_unit_test(what_was_not_begun_holds_nothing),
#ifdef FRESHET_SECCOMP
        cmocka_unit_test(a_call_that_is_not_needed_is_refused_and_named),
#endif
        cmocka_unit_test(no_core_is_dumped_and_no_right_gained),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
