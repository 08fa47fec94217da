/*
 * GET /metrics: all counters and gauges as Prometheus text (exposition format 0.0.4). Call these functions
 * between admin_init and admin_fini.
 */
#ifndef ADMIN_METRICS_H
#define ADMIN_METRICS_H

#include "admin/admin.h"

/* Sets r->answer to a 200 with the text; its strings are in the request's arena. On the request's thread. */
void metrics_answer(struct admin *a, struct request *r);

/* Returns the sum of a counter or gauge over all workers, without requests to the admin listener. Any
 * thread. */
int64_t metrics_sum(const struct admin *a, enum counter which);

/* For the other files of this room: begins a metric, whose name has freshet_ put before it; adds one with its
 * one value; adds a label's value, in which backslash, quote and line feed are escaped. */
void metrics_begin(struct buf *b, const char *name, const char *kind, const char *help);
void metrics_add(struct buf *b, const char *name, const char *kind, int64_t value, const char *help);
void metrics_add_label(struct buf *b, struct str value);

#endif
