#include "io/supervisor.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* A path, or "@name": an abstract socket, whose first byte is a NUL. */
static bool find_socket(struct supervisor *s)
{
    const char *path = getenv("NOTIFY_SOCKET");
    size_t n = path ? strlen(path) : 0;
    if (n < 2 || n >= sizeof(s->at.sun_path) || (path[0] != '/' && path[0] != '@'))
        return false;
    s->at.sun_family = AF_UNIX;
    memcpy(s->at.sun_path, path, n);
    if (path[0] == '@')
        s->at.sun_path[0] = '\0';
    s->bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
    return true;
}

/* WATCHDOG_PID says whom it is for, when the process that was started has started this one. */
static int64_t find_watchdog(void)
{
    const char *us = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
    char *end = NULL;
    long long n = us ? strtoll(us, &end, 10) : 0;
    if (!us || end == us || *end != '\0' || n <= 0 || (pid && strtoll(pid, NULL, 10) != (long long)getpid()))
        return 0;
    return (int64_t)n;
}

void supervisor_open(struct supervisor *s)
{
    memset(s, 0, sizeof(*s));
    s->fd = find_socket(s) ? socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0) : -1;
    s->watchdog_us = s->fd >= 0 ? find_watchdog() : 0;
}

void supervisor_close(struct supervisor *s)
{
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
}

void supervisor_say(const struct supervisor *s, const char *lines)
{
    if (s->fd < 0)
        return;
    ssize_t n = sendto(s->fd, lines, strlen(lines), MSG_NOSIGNAL, (const struct sockaddr *)&s->at, s->bytes);
    (void)n;
}

void supervisor_say_reloading(const struct supervisor *s)
{
    char text[64];
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%lld",
             (long long)t.tv_sec * 1000000 + t.tv_nsec / 1000);
    supervisor_say(s, text);
}
