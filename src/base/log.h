/*
 * Error and warning records, one line each. base/ makes the line; the sink decides where it goes (standard
 * error in the program, a list in tests). Any thread may log. The sink gets each record whole.
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

/* Writes one record: "TIME LEVEL AREA: text". Writes control characters of the text as \xHH, so that a
 * stranger's bytes cannot forge a record. Cuts the record at 2 KiB. Any thread. */
__attribute__((format(printf, 4, 5))) void log_record(struct log *log, enum log_level level, const char *area,
                                                      const char *fmt, ...);

/* Writes a time like "2026-11-22T19:06:00.123Z". Returns its length. */
size_t log_time_write(char out[32], int64_t wall_ms);

#define log_error(log, area, ...)   log_record(log, LOG_ERROR, area, __VA_ARGS__)
#define log_warning(log, area, ...) log_record(log, LOG_WARNING, area, __VA_ARGS__)
#define log_info(log, area, ...)    log_record(log, LOG_INFO, area, __VA_ARGS__)

#endif
