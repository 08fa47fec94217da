/*
 * Status codes' reason phrases.
 */
#ifndef HTTP_STATUS_H
#define HTTP_STATUS_H

#include "base/str.h"

/* "OK" for 200; empty when the code is not registered. */
struct str status_reason(int status);

#endif
