#include "http/date.h"

#include <string.h>

#include "base/check.h"

#define DAY_S 86400
/* 0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z: what HTTP's four digits can say. */
#define FIRST_S INT64_C(-62135596800)
#define LAST_S  INT64_C(253402300799)

/* A point in time as people write it. */
struct civil {
    int64_t year;
    int month; /* 1 to 12 */
    int day;   /* of the month, from 1 */
    int hour, minute, second;
};

static const struct str months[] = {
    STR_INIT("Jan"), STR_INIT("Feb"), STR_INIT("Mar"), STR_INIT("Apr"), STR_INIT("May"), STR_INIT("Jun"),
    STR_INIT("Jul"), STR_INIT("Aug"), STR_INIT("Sep"), STR_INIT("Oct"), STR_INIT("Nov"), STR_INIT("Dec"),
};
static const struct str days[] = {
    STR_INIT("Sun"), STR_INIT("Mon"), STR_INIT("Tue"), STR_INIT("Wed"),
    STR_INIT("Thu"), STR_INIT("Fri"), STR_INIT("Sat"),
};
static const struct str long_days[] = {
    STR_INIT("Sunday"),   STR_INIT("Monday"), STR_INIT("Tuesday"),  STR_INIT("Wednesday"),
    STR_INIT("Thursday"), STR_INIT("Friday"), STR_INIT("Saturday"),
};

static bool is_leap(int64_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int days_of_month(int64_t year, int month)
{
    static const unsigned char usual[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    return month == 2 && is_leap(year) ? 29 : usual[month - 1];
}

/* Days of the years 1 to year - 1, for year > 0. */
static int64_t days_before_year(int64_t year)
{
    int64_t y = year - 1;
    return y * 365 + y / 4 - y / 100 + y / 400;
}

static int64_t seconds_of(const struct civil *c)
{
    int64_t day = days_before_year(c->year) + c->day - 1;
    for (int m = 1; m < c->month; m++)
        day += days_of_month(c->year, m);
    return FIRST_S + day * DAY_S + c->hour * 3600 + c->minute * 60 + c->second;
}

/* Seconds outside the years 1 to 9999 are taken as the nearest inside. *weekday: 0 is Sunday. */
static struct civil civil_of(int64_t seconds, int *weekday)
{
    int64_t s = seconds < FIRST_S ? FIRST_S : seconds > LAST_S ? LAST_S : seconds;
    int64_t day = (s - FIRST_S) / DAY_S;
    int in_day = (int)((s - FIRST_S) % DAY_S);
    struct civil c = { .hour = in_day / 3600, .minute = in_day / 60 % 60, .second = in_day % 60 };

    *weekday = (int)((day + 1) % 7); /* 0001-01-01 was a Monday */
    /* By the mean year of 365.2425 days: never a year too late, sometimes one too early. */
    c.year = day * 10000 / 3652425 + 1;
    if (day >= days_before_year(c.year + 1))
        c.year++;
    int left = (int)(day - days_before_year(c.year));
    for (c.month = 1; left >= days_of_month(c.year, c.month); c.month++)
        left -= days_of_month(c.year, c.month);
    c.day = left + 1;
    return c;
}

/* The takers cut something off the front of *s, or leave *s as it is and return false. */

static bool take(struct str *s, struct str literal)
{
    if (!str_starts_nocase(*s, literal))
        return false;
    *s = (struct str){ s->p + literal.n, s->n - literal.n };
    return true;
}

/* Exactly n digits. */
static bool take_number(struct str *s, size_t n, int *out)
{
    uint64_t value;
    if (s->n < n || !str_to_u64(str_first(*s, n), UINT64_MAX, &value))
        return false;
    *out = (int)value;
    *s = (struct str){ s->p + n, s->n - n };
    return true;
}

/* The index of the name that *s begins with, or -1. None of the names used here begins another of its
 * list. */
static int take_name(struct str *s, const struct str *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (take(s, names[i]))
            return (int)i;
    return -1;
}

static bool take_month(struct str *s, int *month)
{
    *month = take_name(s, months, COUNT_OF(months)) + 1;
    return *month > 0;
}

static bool take_year(struct str *s, int64_t *year)
{
    int y;
    if (!take_number(s, 4, &y))
        return false;
    *year = y;
    return true;
}

static bool take_time(struct str *s, struct civil *c)
{
    return take_number(s, 2, &c->hour) && take(s, STR(":")) && take_number(s, 2, &c->minute) &&
           take(s, STR(":")) && take_number(s, 2, &c->second);
}

/* The year that two digits mean: the first from now's on that ends in them, a hundred years less when that
 * is more than 50 years ahead (RFC 9110 §5.6.7). */
static int64_t full_year(int two_digits, const struct civil *c, int64_t now_s)
{
    int weekday;
    struct civil limit = civil_of(now_s, &weekday), read = *c;
    read.year = limit.year + (two_digits - limit.year % 100 + 100) % 100;
    limit.year += 50;
    return seconds_of(&read) > seconds_of(&limit) ? read.year - 100 : read.year;
}

/* " 6 Nov 1994 08:49:37 GMT", what IMF-fixdate has behind its comma. */
static bool take_imf(struct str *s, struct civil *c)
{
    return take(s, STR(" ")) && take_number(s, 2, &c->day) && take(s, STR(" ")) && take_month(s, &c->month) &&
           take(s, STR(" ")) && take_year(s, &c->year) && take(s, STR(" ")) && take_time(s, c) &&
           take(s, STR(" GMT"));
}

/* " 06-Nov-94 08:49:37 GMT" */
static bool take_rfc850(struct str *s, struct civil *c, int64_t now_s)
{
    int year;
    if (!(take(s, STR(" ")) && take_number(s, 2, &c->day) && take(s, STR("-")) && take_month(s, &c->month) &&
          take(s, STR("-")) && take_number(s, 2, &year) && take(s, STR(" ")) && take_time(s, c) &&
          take(s, STR(" GMT"))))
        return false;
    c->year = full_year(year, c, now_s);
    return true;
}

/* " Nov  6 08:49:37 1994" */
static bool take_asctime(struct str *s, struct civil *c)
{
    return take(s, STR(" ")) && take_month(s, &c->month) && take(s, STR(" ")) &&
           (take(s, STR(" ")) ? take_number(s, 1, &c->day) : take_number(s, 2, &c->day)) &&
           take(s, STR(" ")) && take_time(s, c) && take(s, STR(" ")) && take_year(s, &c->year);
}

static bool is_in_range(const struct civil *c)
{
    return c->year >= 1 && c->year <= 9999 && c->day >= 1 && c->day <= days_of_month(c->year, c->month) &&
           c->hour <= 23 && c->minute <= 59 && c->second <= 60;
}

static bool digits_at(struct str s, size_t at, size_t n, int *out)
{
    int value = 0;
    for (size_t i = at; i < at + n; i++) {
        if (!is_digit(s.p[i]))
            return false;
        value = value * 10 + (s.p[i] - '0');
    }
    *out = value;
    return true;
}

static bool name_at(struct str s, size_t at, const struct str *names, size_t n, int *index)
{
    for (size_t i = 0; i < n; i++)
        if (memcmp(s.p + at, names[i].p, 3) == 0) {
            *index = (int)i;
            return true;
        }
    return false;
}

/* "Sun, 06 Nov 1994 08:49:37 GMT", as nearly everybody writes it: read by position. false: not quite so,
 * which says nothing yet. */
static bool read_usual(struct str s, struct civil *c)
{
    int weekday, month, year;
    if (s.n != HTTP_DATE_BYTES || s.p[3] != ',' || s.p[4] != ' ' || s.p[7] != ' ' || s.p[11] != ' ' ||
        s.p[16] != ' ' || s.p[19] != ':' || s.p[22] != ':' || memcmp(s.p + 25, " GMT", 4) != 0)
        return false;
    if (!name_at(s, 0, days, COUNT_OF(days), &weekday) || !digits_at(s, 5, 2, &c->day) ||
        !name_at(s, 8, months, COUNT_OF(months), &month) || !digits_at(s, 12, 4, &year) ||
        !digits_at(s, 17, 2, &c->hour) || !digits_at(s, 20, 2, &c->minute) ||
        !digits_at(s, 23, 2, &c->second))
        return false;
    c->year = year;
    c->month = month + 1;
    return true;
}

static bool read_any(struct str s, int64_t now_s, struct civil *c)
{
    bool ok;
    /* The long names first: each begins with its short one. */
    if (take_name(&s, long_days, COUNT_OF(long_days)) >= 0)
        ok = take(&s, STR(",")) && take_rfc850(&s, c, now_s);
    else if (take_name(&s, days, COUNT_OF(days)) >= 0)
        ok = take(&s, STR(",")) ? take_imf(&s, c) : take_asctime(&s, c);
    else
        return false;
    return ok && s.n == 0;
}

bool http_date_parse(struct str s, int64_t now_s, int64_t *out)
{
    struct civil c = { 0 };
    if (s.n == 0 || (!read_usual(s, &c) && !read_any(s, now_s, &c)) || !is_in_range(&c))
        return false;
    if (c.second == 60)
        c.second = 59;
    *out = seconds_of(&c);
    return true;
}

static char *put_number(char *p, int64_t value, int digits)
{
    for (int i = digits - 1; i >= 0; i--, value /= 10)
        p[i] = (char)('0' + value % 10);
    return p + digits;
}

static char *put(char *p, struct str s)
{
    memcpy(p, s.p, s.n);
    return p + s.n;
}

void http_date_write(char out[HTTP_DATE_BYTES], int64_t seconds)
{
    int weekday;
    struct civil c = civil_of(seconds, &weekday);
    char *p = put(put(out, days[weekday]), STR(", "));
    p = put(put_number(p, c.day, 2), STR(" "));
    p = put(put(p, months[c.month - 1]), STR(" "));
    p = put(put_number(p, c.year, 4), STR(" "));
    p = put(put_number(p, c.hour, 2), STR(":"));
    p = put(put_number(p, c.minute, 2), STR(":"));
    p = put(put_number(p, c.second, 2), STR(" GMT"));
    CHECK_DEBUG(p == out + HTTP_DATE_BYTES);
}
