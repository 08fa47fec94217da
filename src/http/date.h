/*
 * HTTP dates (RFC 9110 §5.6.7). Pure; the time is an argument.
 */
#ifndef HTTP_DATE_H
#define HTTP_DATE_H

#include "base/str.h"

/* IMF-fixdate, RFC 850 and asctime forms; day and month names and GMT in any case; exact spacing and digit
 * counts; the day of the week is not compared with the date, the fields' ranges are checked (second 60 is
 * taken as 59). A two-digit year more than 50 years after `now_s` is in the past (RFC 9110 §5.6.7). *out:
 * seconds since 1970, may be negative; years 1 to 9999. false: not a date. */
bool http_date_parse(struct str s, int64_t now_s, int64_t *out);

/* "Sun, 06 Nov 1994 08:49:37 GMT": exactly 29 bytes, no NUL. Years outside 1 to 9999 are clamped. */
#define HTTP_DATE_BYTES 29
void http_date_write(char out[HTTP_DATE_BYTES], int64_t seconds);

#endif
