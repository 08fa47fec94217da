/*
 * HTTP dates (RFC 9110 §5.6.7). Pure; the time is an argument.
 */
#ifndef HTTP_DATE_H
#define HTTP_DATE_H

#include "base/str.h"

/* Parses an IMF-fixdate, RFC 850 or asctime date (RFC 9110 §5.6.7). true: *out is in seconds since 1970,
 * perhaps negative; years are 1 to 9999. false: no date. Names of days and months and GMT may be in any case;
 * spacing and the number of digits must be exact. Checks the range of each part (second 60 counts as 59), but
 * not the day of the week. A two-digit year more than 50 years after `now_s` is in the past. */
bool http_date_parse(struct str s, int64_t now_s, int64_t *out);

/* Writes "Sun, 06 Nov 1994 08:49:37 GMT": exactly 29 bytes, no NUL. Years outside 1 to 9999 are clamped. */
#define HTTP_DATE_BYTES 29
void http_date_write(char out[HTTP_DATE_BYTES], int64_t seconds);

#endif
