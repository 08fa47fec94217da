#include "server/hook.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "io/background.h"
#include "io/system.h"
#include "io/user.h"

#define WORDS_MAX 1024
#define WORDS     3
#define LOOK_US   20000
#define WAIT_MS   120000

/* ---- in the starter's process ---- */

/* A value may begin with a dash, as base64url does: it is the last word, and a program takes it as it is. */
static bool is_word(const char *s, size_t n, bool may_have_dash)
{
    for (size_t i = 0; i < n; i++)
        if (!is_alpha(s[i]) && !is_digit(s[i]) && !strchr("-_.", s[i]))
            return false;
    return n > 0 && (may_have_dash || s[0] != '-');
}

/* Takes "A\0B\0C\0" apart. */
static bool read_words(char *text, size_t n, char *out[WORDS])
{
    for (size_t i = 0; i < WORDS; i++) {
        size_t length = strnlen(text, n);
        if (length == n || !is_word(text, length, i == WORDS - 1))
            return false;
        out[i] = text;
        text += length + 1;
        n -= length + 1;
    }
    return n == 0;
}

_Noreturn static void become(const struct hook *h, const char *program, char *words[WORDS])
{
    struct user user;
    sigset_t none;
    char *argv[] = { (char *)(uintptr_t)program, words[0], words[1], words[2], NULL };
    if (h->user.n && user_is_root() && (user_find(h->user, &user) != USER_FOUND || user_become(&user) < 0))
        _exit(126);
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    execv(program, argv);
    _exit(errno == ENOENT ? 127 : 126);
}

static pid_t start(void *ctx, const int *fds, size_t n)
{
    const struct hook *h = ctx;
    char text[WORDS_MAX], program[PATH_MAX], *words[WORDS];
    size_t have = 0;
    ssize_t got = 0;
    if (n != 1 || !str_to_c(h->program, program, sizeof(program)))
        return -EINVAL;
    /* All of it is in the pipe, and its other end is closed. */
    while (have < sizeof(text) && (got = read(fds[0], text + have, sizeof(text) - have)) > 0)
        have += (size_t)got;
    if (got < 0 || !read_words(text, have, words))
        return -EINVAL;
    pid_t pid = fork();
    if (pid == 0)
        become(h, program, words);
    return pid < 0 ? -errno : pid;
}

/* ---- in ours ---- */

void hook_init(struct hook *h)
{
    *h = (struct hook){ .starter = { .fd = -1 } };
}

void hook_open(struct hook *h, struct str program, struct str user)
{
    h->program = program;
    h->user = user;
    h->is_open = starter_open(&h->starter, start, h) == 0;
}

void hook_close(struct hook *h)
{
    starter_close(&h->starter);
}

static int begin(struct hook *h, struct str action, struct str name, struct str value)
{
    int ends[2];
    struct buf words = BUF_INIT;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return -errno;
    const struct str all[] = { action, name, value };
    for (size_t i = 0; i < WORDS; i++) {
        buf_add(&words, all[i]);
        buf_add_char(&words, '\0');
    }
    bool fits = words.n <= WORDS_MAX && write(ends[1], words.p, words.n) == (ssize_t)words.n;
    close(ends[1]);
    int pid = fits ? starter_start(&h->starter, ends, 1) : -EINVAL;
    close(ends[0]);
    buf_fini(&words);
    return pid;
}

static void say_end(const struct hook *h, int status, struct buf *why)
{
    buf_printf(why, "the program %.*s (acme_dns_hook) ", STR_ARG(h->program));
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
        buf_add(why, STR("is not there"));
    else if (WIFEXITED(status) && WEXITSTATUS(status) == 126)
        buf_add(why, STR("cannot be started; is it executable, by the user of freshet?"));
    else if (WIFEXITED(status))
        buf_printf(why, "ended with %d; what it has said is in the log", WEXITSTATUS(status));
    else
        buf_printf(why, "was ended by signal %d", WTERMSIG(status));
}

bool hook_run(struct hook *h, struct str action, struct str name, struct str value, struct buf *why)
{
    int status = 0, pid = begin(h, action, name, value);
    if (pid < 0) {
        buf_printf(why, "cannot start the program %.*s (acme_dns_hook): %s", STR_ARG(h->program),
                   system_strerror(pid));
        return false;
    }
    bool ended = false;
    for (int64_t us = 0; !ended && us < (int64_t)WAIT_MS * 1000; us += LOOK_US) {
        ended = starter_has_ended(&h->starter, false, &status);
        if (!ended)
            background_nap(LOOK_US);
    }
    if (!ended) {
        starter_signal(&h->starter, SIGKILL);
        (void)starter_has_ended(&h->starter, true, &status);
        buf_printf(why, "the program %.*s (acme_dns_hook) has not ended in %d s", STR_ARG(h->program),
                   WAIT_MS / 1000);
        return false;
    }
    if (status == 0)
        return true;
    say_end(h, status, why);
    return false;
}
