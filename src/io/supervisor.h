/*
 * What supervises the process, systemd as a rule, is told how it does: the documented protocol of
 * sd_notify(3), datagrams with lines like "READY=1" to the socket that NOTIFY_SOCKET names. Without that
 * variable nothing is told. Any thread, but for opening and closing.
 */
#ifndef IO_SUPERVISOR_H
#define IO_SUPERVISOR_H

#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

struct supervisor {
    int fd; /* -1: there is none */
    struct sockaddr_un at;
    socklen_t bytes;
    int64_t watchdog_us; /* it wants WATCHDOG=1 more often than this (WATCHDOG_USEC); 0: it does not */
};

/* Reads the environment. Main's thread. */
void supervisor_open(struct supervisor *s);
void supervisor_close(struct supervisor *s);
/* Sends lines. Does not wait, and a failure is nobody's business. */
void supervisor_say(const struct supervisor *s, const char *lines);
/* The same with "RELOADING=1", and the time that belongs to it (Type=notify-reload). */
void supervisor_say_reloading(const struct supervisor *s);

#endif
