/*
 * The access log: one JSON object a line for each finished request. Never in it: Authorization, Cookie, tokens.
 */
#ifndef SERVER_ACCESS_LOG_H
#define SERVER_ACCESS_LOG_H

#include "io/logfile.h"
#include "request/request.h"

/* As struct requests' log_request; w->log_ctx is the worker's struct logfile. */
void access_log_request(struct requests *w, const struct request *r);

#endif
