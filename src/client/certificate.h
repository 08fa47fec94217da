/* A certificate of an answer (docs/ADMIN.md) for people. Main thread. */
#ifndef CLIENT_CERTIFICATE_H
#define CLIENT_CERTIFICATE_H

#include <jansson.h>

/* Prints lines, each behind `label` or, but for the first, an empty one; NULL: without labels. Prints nothing
 * for an empty list. */
void certificate_print(const char *label, const json_t *certificates);

#endif
