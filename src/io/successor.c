#include "io/successor.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/channel.h"
#include "io/system.h"

extern char **environ;

/* ---- where the program is ---- */

static bool is_program(const char *path)
{
    return access(path, X_OK) == 0;
}

static bool find_in_path(const char *name, char out[PATH_MAX])
{
    char path[PATH_MAX];
    const char *all = getenv("PATH");
    struct str rest = all ? str_from(all) : STR_NONE;
    while (rest.p && rest.n) {
        struct str folder = str_cut(&rest, ':');
        int n = snprintf(path, sizeof(path), "%.*s/%s", STR_ARG(folder.n ? folder : STR(".")), name);
        if (n > 0 && (size_t)n < sizeof(path) && is_program(path))
            return system_absolute(path, out) == 0;
    }
    return false;
}

static void find(const char *argv0, char out[PATH_MAX])
{
    bool found =
        argv0 && argv0[0] &&
        (strchr(argv0, '/') ? system_absolute(argv0, out) == 0 && is_program(out) : find_in_path(argv0, out));
    if (found)
        return;
    ssize_t n = readlink("/proc/self/exe", out, PATH_MAX - 1);
    out[n > 0 ? n : 0] = '\0';
}

/* ---- starting it ---- */

static bool is_ours(const char *variable, const char *name)
{
    size_t n = strlen(name);
    return strncmp(variable, name, n) == 0 && variable[n] == '=';
}

/* The environment without what was meant for this process alone. `first` comes in front. */
static char **make_environment(char *first)
{
    static const char *const left_out[] = { SUCCESSOR_VARIABLE, "WATCHDOG_PID", "LISTEN_PID", "LISTEN_FDS",
                                            "LISTEN_FDNAMES" };
    size_t n = 0, m = 1;
    while (environ[n])
        n++;
    char **out = mem_alloc((n + 2) * sizeof(*out));
    out[0] = first;
    for (size_t i = 0; i < n; i++) {
        bool out_of = false;
        for (size_t k = 0; k < sizeof(left_out) / sizeof(left_out[0]); k++)
            out_of |= is_ours(environ[i], left_out[k]);
        if (!out_of)
            out[m++] = environ[i];
    }
    out[m] = NULL;
    return out;
}

/* A descriptor that is duplicated to itself stays open in the new process, and in it alone. */
static int spawn(pid_t *pid, const char *program, char *const argv[], int channel, int errors)
{
    char variable[64];
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    snprintf(variable, sizeof(variable), SUCCESSOR_VARIABLE "=%d", channel);
    char **environment = make_environment(variable);
    sigemptyset(&none);
    sigfillset(&all);
    int status = posix_spawn_file_actions_init(&actions);
    if (status == 0)
        status = posix_spawnattr_init(&attributes);
    if (status == 0)
        status = posix_spawn_file_actions_adddup2(&actions, channel, channel);
    if (status == 0)
        status = posix_spawn_file_actions_adddup2(&actions, errors, STDERR_FILENO);
    if (status == 0)
        status = posix_spawnattr_setsigmask(&attributes, &none);
    if (status == 0)
        status = posix_spawnattr_setsigdefault(&attributes, &all);
    if (status == 0)
        status = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    if (status == 0)
        status = posix_spawn(pid, program, &actions, &attributes, argv, environment);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    mem_free(environment);
    return -status;
}

/* In the starter: a channel and a pipe. */
static pid_t start(void *ctx, const int *fds, size_t n)
{
    struct successor *s = ctx;
    pid_t pid;
    int status = n == 2 ? spawn(&pid, s->program, s->argv, fds[0], fds[1]) : -EINVAL;
    return status < 0 ? status : pid;
}

void successor_init(struct successor *s, char *const argv[])
{
    *s = (struct successor){ .argv = argv, .channel = -1, .errors = -1 };
    find(argv[0], s->program);
    starter_open(&s->starter, start, s); /* when it fails, that is said when it is needed */
}

void successor_fini(struct successor *s)
{
    successor_close_errors(s);
    starter_close(&s->starter);
}

static void close_both(int ends[2])
{
    close(ends[0]);
    close(ends[1]);
}

int successor_start(struct successor *s)
{
    int channel[2], errors[2];
    if (!s->program[0])
        return -ENOENT;
    int status = channel_pair(channel);
    if (status < 0)
        return status;
    if (pipe2(errors, O_CLOEXEC) != 0) {
        status = -errno;
        close_both(channel);
        return status;
    }
    fcntl(errors[0], F_SETFL, O_NONBLOCK);
    pid_t pid = starter_start(&s->starter, (int[]){ channel[1], errors[1] }, 2);
    close(channel[1]);
    close(errors[1]);
    if (pid < 0) {
        close(channel[0]);
        close(errors[0]);
        return pid;
    }
    s->pid = pid;
    s->channel = channel[0];
    s->errors = errors[0];
    return 0;
}

bool successor_has_ended(struct successor *s, char *why, size_t room)
{
    int status;
    if (s->pid == 0 || !starter_has_ended(&s->starter, false, &status))
        return false;
    s->pid = 0;
    if (status < 0)
        snprintf(why, room, "nobody knows how");
    else if (WIFSIGNALED(status))
        snprintf(why, room, "signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        snprintf(why, room, "exit code %d", WEXITSTATUS(status));
    return true;
}

void successor_signal(const struct successor *s, int signo)
{
    if (s->pid > 0)
        starter_signal(&s->starter, signo);
}

bool successor_is_first(void)
{
    return getpid() == 1;
}

void successor_kill(struct successor *s)
{
    int status;
    if (s->pid == 0)
        return;
    starter_signal(&s->starter, SIGKILL);
    (void)starter_has_ended(&s->starter, true, &status);
    s->pid = 0;
}

void successor_close_errors(struct successor *s)
{
    if (s->errors >= 0)
        close(s->errors);
    s->errors = -1;
}

size_t successor_errors(struct successor *s, char *to, size_t room)
{
    ssize_t n;
    if (s->errors < 0)
        return 0;
    do {
        n = read(s->errors, to, room);
    } while (n < 0 && errno == EINTR);
    return n > 0 ? (size_t)n : 0;
}

/* ---- in the new process ---- */

int successor_channel(void)
{
    const char *text = getenv(SUCCESSOR_VARIABLE);
    uint64_t fd;
    bool good = text && str_to_u64(str_from(text), INT_MAX, &fd) && fcntl((int)fd, F_SETFD, FD_CLOEXEC) == 0;
    unsetenv(SUCCESSOR_VARIABLE);
    /* Standard error is a pipe to the old one, which may crash: that must not end this one, too. */
    if (good)
        signal(SIGPIPE, SIG_IGN);
    return good ? (int)fd : -1;
}

void successor_set_errors(int fd)
{
    dup2(fd, STDERR_FILENO);
    close(fd);
}
