/*
 * The reason phrases of status codes.
 */
#ifndef HTTP_STATUS_H
#define HTTP_STATUS_H

#include "base/str.h"

/* Returns "OK" for 200; empty when the code is not registered. Any thread. */
struct str status_reason(int status);

#endif
