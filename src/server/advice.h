/*
 * What a person can do about a failure of the start: the half of a sentence behind "; ". Pure.
 */
#ifndef SERVER_ADVICE_H
#define SERVER_ADVICE_H

#include "io/address.h"

/* Both take a negative code of io/ and return a literal, "stop what listens there", behind which the caller says how to
 * choose another; NULL: there is nothing else to say. */
const char *advice_listen(int status, const struct address *at);
const char *advice_log(int status);

#endif
