/*
 * The access log: one line for each finished request, a JSON object. Of the request's fields it has Host,
 * X-Request-Id and the client's address, and never Authorization or Cookie. The URL stands there with its
 * whole query.
 */
#ifndef SERVER_ACCESS_LOG_H
#define SERVER_ACCESS_LOG_H

#include "io/logfile.h"
#include "request/request.h"

/* Adds the line of the finished request `r` to w->log_ctx, which is the worker's struct logfile. Meant for
 * the member log_request of struct requests, through which it is called once for each request. On the
 * worker's thread. The log file counts what it cannot write (io/logfile.h). */
void access_log_request(struct requests *w, const struct request *r);

#endif
