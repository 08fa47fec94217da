#include "sim.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define LINES      (1 << 17)
#define LINE_BYTES 200

static char lines[LINES][LINE_BYTES];
#define ERRORS_SHOWN 3000
FILE *sim_out;
static int errors = -1;
static uint64_t noted, digest = 14695981039346656037u;
void (*sim_on_failure)(void);

static void mix(const char *p)
{
    for (; *p; p++)
        digest = (digest ^ (unsigned char)*p) * 1099511628211u;
}

void sim_note(const char *format, ...)
{
    char *line = lines[noted++ % LINES];
    int n = snprintf(line, LINE_BYTES, "%9lld.%03lld ", (long long)(sim_now() / 1000),
                     (long long)(sim_now() % 1000));
    va_list args;
    va_start(args, format);
    vsnprintf(line + n, LINE_BYTES - (size_t)n, format, args);
    va_end(args);
    mix(line);
}

uint64_t sim_digest(void)
{
    return digest;
}

void sim_keep_errors(void)
{
    sim_out = fdopen(dup(STDERR_FILENO), "w");
    errors = memfd_create("errors", 0);
    dup2(errors, STDERR_FILENO);
}

/* The last of what the program said by itself: a check that failed, a report of a sanitizer. */
static void show_errors(void)
{
    static char text[ERRORS_SHOWN];
    off_t end = lseek(errors, 0, SEEK_END), from = end > ERRORS_SHOWN ? end - ERRORS_SHOWN : 0;
    ssize_t n = pread(errors, text, ERRORS_SHOWN, from);
    if (n > 0)
        fprintf(sim_out, "  standard error:\n%.*s\n", (int)n, text);
}

/* The program's log is a part of the trace. */
ssize_t __wrap_write(int fd, const void *bytes, size_t n);
ssize_t __wrap_write(int fd, const void *bytes, size_t n)
{
    (void)fd;
    sim_note("log: %.*s", (int)(n > 0 ? n - 1 : 0), (const char *)bytes);
    return (ssize_t)n;
}

void sim_show_trace(void)
{
    const char *most = getenv("SIM_TRACE");
    uint64_t n = most ? strtoull(most, NULL, 10) : 60;
    n = n < LINES ? n : LINES;
    for (uint64_t i = noted > n ? noted - n : 0; i < noted; i++)
        fprintf(sim_out, "  %s\n", lines[i % LINES]);
    show_errors();
}

void sim_fail(const char *format, ...)
{
    va_list args;
    fprintf(sim_out, "--- sim: failed: the last events (ms of simulated time):\n");
    sim_show_trace();
    fprintf(sim_out, "sim: at %lld ms: ", (long long)sim_now() / 1000);
    va_start(args, format);
    vfprintf(sim_out, format, args);
    va_end(args);
    fprintf(sim_out, "\n");
    if (sim_on_failure)
        sim_on_failure();
    fflush(NULL);
    exit(1);
}
