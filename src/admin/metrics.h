/*
 * GET /metrics: all counters and gauges as Prometheus text (exposition format 0.0.4).
 */
#ifndef ADMIN_METRICS_H
#define ADMIN_METRICS_H

#include "admin/admin.h"

/* Answers the request. On its worker's thread. */
void metrics_answer(struct admin *a, struct request *r);

/* Returns the sum of a counter over all workers. Any thread. */
int64_t metrics_sum(const struct admin *a, enum counter which);

#endif
