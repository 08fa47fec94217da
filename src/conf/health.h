/*
 * The active checks of a site's origins: the setting `health`, taken apart. Constant; any thread.
 */
#ifndef CONF_HEALTH_H
#define CONF_HEALTH_H

#include "base/arena.h"

struct maps;
struct report;

struct health_range {
    int first, last; /* statuses */
};

struct health {
    struct str path; /* begins with '/'; as it goes into the request line */
    int64_t every_ms, timeout_ms;
    int64_t fall, rise;
    const struct health_range *expect;
    size_t expect_n; /* at least 1 */
};

/* Reads the setting of a site, which has one entry at most. Strings stay those of the setting. What is wrong
 * was reported. NULL: there are no checks. */
const struct health *health_read(const struct maps *entries, struct str site, struct arena *a,
                                 struct report *report);
/* Is a status one of those that are expected? */
bool health_expects(const struct health *h, int status);

#endif
