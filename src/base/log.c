#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "base/buf.h"
#include "base/check.h"

static const char *const level_names[] = { "error", "warning", "info" };

static char *put_number(char *to, int value, int digits)
{
    for (int i = digits; i-- > 0; value /= 10)
        to[i] = (char)('0' + value % 10);
    return to + digits;
}

size_t log_time_write(char out[32], int64_t wall_ms)
{
    /* Rounded down, also for a clock that stands before 1970. */
    int64_t ms = (wall_ms % 1000 + 1000) % 1000;
    time_t seconds = (time_t)((wall_ms - ms) / 1000);
    struct tm tm = { 0 };
    gmtime_r(&seconds, &tm);
    int year = tm.tm_year + 1900 < 0 ? 0 : (tm.tm_year + 1900) % 10000;
    const struct {
        int value, digits;
        char end;
    } parts[] = {
        { year, 4, '-' },      { tm.tm_mon + 1, 2, '-' }, { tm.tm_mday, 2, 'T' }, { tm.tm_hour, 2, ':' },
        { tm.tm_min, 2, ':' }, { tm.tm_sec, 2, '.' },     { (int)ms, 3, 'Z' },
    };
    char *to = out;
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        to = put_number(to, parts[i].value, parts[i].digits);
        *to++ = parts[i].end;
    }
    *to = '\0';
    return (size_t)(to - out);
}

void log_record(struct log *log, enum log_level level, const char *area, const char *fmt, ...)
{
    if (!log || level > log->most)
        return;
    char text[2048];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (n < 0)
        return;
    size_t length = (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1;

    struct buf line = BUF_INIT;
    char time[32];
    buf_add(&line, (struct str){ time, log_time_write(time, clock_now(log->clock).wall_ms) });
    buf_printf(&line, " %s %s: ", level_names[level], area);
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c < 0x20 || c == 0x7f)
            buf_printf(&line, "\\x%02x", c);
        else
            buf_add_char(&line, (char)c);
    }
    buf_add_char(&line, '\n');
    log->write(log, buf_str(&line));
    buf_fini(&line);
}

bool log_valve_opens(struct log_valve *v, int64_t now_mono_ms, char held[LOG_HELD_MAX])
{
    int64_t next = atomic_load_explicit(&v->next_ms, memory_order_relaxed);
    if (now_mono_ms < next ||
        !atomic_compare_exchange_strong_explicit(&v->next_ms, &next, now_mono_ms + LOG_VALVE_MS,
                                                 memory_order_relaxed, memory_order_relaxed)) {
        atomic_fetch_add_explicit(&v->held, 1, memory_order_relaxed);
        return false;
    }
    uint64_t n = atomic_exchange_explicit(&v->held, 0, memory_order_relaxed);
    held[0] = '\0';
    if (n)
        snprintf(held, LOG_HELD_MAX, "; %llu more since the last such line", (unsigned long long)n);
    return true;
}
