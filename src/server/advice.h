/*
 * Advice for a failure of the start: the half of a sentence behind "; ". Pure.
 */
#ifndef SERVER_ADVICE_H
#define SERVER_ADVICE_H

#include "io/address.h"

/* Take a negative code of io/ and return a literal like "stop what listens there"; the caller adds how to
 * choose another. NULL: no advice. The first is for listening at `at`, the second for the access log. */
const char *advice_listen(int status, const struct address *at);
const char *advice_log(int status);
/* The state folder, when it cannot be read or written. */
const char *advice_state(int status);
/* The file of the setting token_file, when it cannot be read. */
const char *advice_token_file(int status);

#endif
