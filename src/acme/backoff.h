/*
 * How long until the next try at a CA after one that has failed. Pure; any thread.
 */
#ifndef ACME_BACKOFF_H
#define ACME_BACKOFF_H

#include "base/str.h"

/* The longest wait, also when a CA asks for more: what it asks for may be a mistake. */
#define BACKOFF_MOST_MS INT64_C(604800000)

/*
 * Returns the wait in milliseconds. `failures`: how many tries in a row have failed, this one included; from
 * one minute up to half a day, so that a name costs at most four tries in its first hour, where CAs allow
 * five. retry_after_ms: what the CA asked for, which is never cut short; -1: nothing. `chance`: random; up to
 * a quarter is added, so that many machines that failed together do not come back together.
 */
int64_t backoff_ms(unsigned failures, int64_t retry_after_ms, uint32_t chance);

/* Reads a Retry-After field (RFC 9110 §10.2.3): seconds, or a date. Returns milliseconds, at most
 * BACKOFF_MOST_MS; -1: it is neither. now_ms: wall-clock. */
int64_t backoff_retry_after(struct str value, int64_t now_ms);

#endif
