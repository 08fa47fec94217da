/*
 * Error and warning records, one line each. base/ makes the line; the sink decides where it goes (standard
 * error in the program, a list in tests). Any thread may log. The sink gets each record whole.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdatomic.h>

#include "base/clock.h"
#include "base/str.h"

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO };

struct log {
    /* Called with one whole line, newline included, on the logging thread; several threads may call at once.
     * The line is good during the call. */
    void (*write)(struct log *log, struct str line);
    const struct clock *clock;
    enum log_level most; /* records above this level are dropped */
};

/* Writes one record: "TIME LEVEL AREA: text". Writes control characters of the text as \xHH, so that a
 * stranger's bytes cannot forge a record. Cuts the text at 2047 bytes. Does nothing when `log` is NULL or the
 * level is above log->most. `area` names the part of freshet that speaks. */
__attribute__((format(printf, 4, 5))) void log_record(struct log *log, enum log_level level, const char *area,
                                                      const char *fmt, ...);

/* For records that each request of a crowd would write: one is written in LOG_VALVE_MS, the others are
 * counted. Zero it before its first use. */
#define LOG_VALVE_MS 10000
struct log_valve {
    _Atomic int64_t next_ms; /* monotonic */
    _Atomic uint64_t held;   /* records counted since the last one written */
};
#define LOG_HELD_MAX 64
/* May the record be written? true: `held` is the end of its text, with a NUL: "", or "; 5 more since the last
 * such line". false: the record is counted, and `held` is unchanged. Any thread. */
bool log_valve_opens(struct log_valve *v, int64_t now_mono_ms, char held[LOG_HELD_MAX]);

/* Writes a time like "2026-11-22T19:06:00.123Z", and a NUL. Returns its length without the NUL. Pure. */
size_t log_time_write(char out[32], int64_t wall_ms);

#define log_error(log, area, ...)   log_record(log, LOG_ERROR, area, __VA_ARGS__)
#define log_warning(log, area, ...) log_record(log, LOG_WARNING, area, __VA_ARGS__)
#define log_info(log, area, ...)    log_record(log, LOG_INFO, area, __VA_ARGS__)

#endif
