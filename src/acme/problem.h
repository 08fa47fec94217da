/*
 * What a CA says is wrong (RFC 7807, RFC 8555 §6.7), in words for people: what, which name, what to do.
 */
#ifndef ACME_PROBLEM_H
#define ACME_PROBLEM_H

#include <jansson.h>

#include "base/buf.h"

/* Is it this error? `name`: what stands behind urn:ietf:params:acme:error: */
bool problem_is(const json_t *problem, const char *name);
/* Appends a sentence without a full stop: what the CA says, and what helps. `challenge`: the way in which
 * names are shown to be ours ("http-01"); "": it is not about that. Cuts what is longer than a line. NULL is
 * allowed: the answer had no JSON. */
void problem_say(const json_t *problem, int status, const char *challenge, struct buf *out);

#endif
