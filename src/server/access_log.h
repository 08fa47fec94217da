/*
 * The access log: one JSON object a line for each finished request. It never holds Authorization, Cookie or
 * tokens.
 */
#ifndef SERVER_ACCESS_LOG_H
#define SERVER_ACCESS_LOG_H

#include "io/logfile.h"
#include "request/request.h"

/* The log_request of struct requests; w->log_ctx is the worker's struct logfile. On the worker's thread. */
void access_log_request(struct requests *w, const struct request *r);

#endif
