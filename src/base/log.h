/*
 * Error and warning records: one line each, for the person at three in the morning. base/ makes the line; where
 * it goes is the sink's business (standard error in the program, a list in tests). Any thread may log; a record
 * reaches the sink whole.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/clock.h"
#include "base/str.h"

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO };

struct log {
    /* Called with one whole line, newline included, on the logging thread. */
    void (*write)(struct log *log, struct str line);
    const struct clock *clock;
    enum log_level most; /* records above this level are dropped */
};

/* "TIME LEVEL AREA: text". Control characters in the text are written as \xHH, so that a stranger's bytes cannot
 * forge a record. Cut at 2 KiB. */
__attribute__((format(printf, 4, 5))) void log_record(struct log *log, enum log_level level, const char *area,
                                                      const char *fmt, ...);

/* "2026-11-22T19:06:00.123Z" into at least 32 bytes; returns its length. */
size_t log_time_write(char out[32], int64_t wall_ms);

#define log_error(log, area, ...)   log_record(log, LOG_ERROR, area, __VA_ARGS__)
#define log_warning(log, area, ...) log_record(log, LOG_WARNING, area, __VA_ARGS__)
#define log_info(log, area, ...)    log_record(log, LOG_INFO, area, __VA_ARGS__)

#endif
