#include "client/report.h"

#include <stdarg.h>

#include "base/check.h"

#define LABEL_COLUMNS 12

void report_safe(FILE *to, struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        putc((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f ? '?' : s.p[i], to);
}

int report_failure(const char *verb, int code, const char *fmt, ...)
{
    char text[2048];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    fprintf(stderr, "freshet %s: ", verb);
    report_safe(stderr, (struct str){ text, n < 0                      ? 0
                                            : (size_t)n < sizeof(text) ? (size_t)n
                                                                       : sizeof(text) - 1 });
    putc('\n', stderr);
    return code;
}

void report_label(const char *name)
{
    printf("  %-*s", LABEL_COLUMNS, name);
}

void report_line(const char *name, struct str value)
{
    report_label(name);
    report_safe(stdout, value);
    putchar('\n');
}

void report_duration(int64_t seconds)
{
    static const struct {
        int64_t seconds;
        const char *name;
    } units[] = { { 31536000, "y" }, { 86400, "d" }, { 3600, "h" }, { 60, "m" } };
    for (size_t i = 0; i < COUNT_OF(units); i++) {
        if (seconds < units[i].seconds)
            continue;
        int64_t smaller = i + 1 < COUNT_OF(units) ? units[i + 1].seconds : 1;
        int64_t rest = seconds % units[i].seconds / smaller;
        printf("%lld %s", (long long)(seconds / units[i].seconds), units[i].name);
        if (rest)
            printf(" %lld %s", (long long)rest, i + 1 < COUNT_OF(units) ? units[i + 1].name : "s");
        return;
    }
    printf("%lld s", (long long)seconds);
}

void report_bytes(int64_t bytes)
{
    static const char *const units[] = { "KiB", "MiB", "GiB", "TiB" };
    double value = (double)bytes / 1024;
    size_t i = 0;
    if (bytes < 1024) {
        printf("%lld bytes", (long long)bytes);
        return;
    }
    while (value >= 1024 && i + 1 < COUNT_OF(units)) {
        value /= 1024;
        i++;
    }
    printf(value < 10 ? "%.1f %s" : "%.0f %s", value, units[i]);
}

void report_count(int64_t n, const char *one, const char *many)
{
    printf("%lld %s", (long long)n, n == 1 ? one : many);
}

void report_list(const char *name, const json_t *list)
{
    if (json_array_size(list) == 0)
        return;
    report_label(name);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *v = json_array_get(list, i);
        printf("%s", i ? ", " : "");
        report_safe(stdout, (struct str){ json_string_value(v), json_string_length(v) });
    }
    putchar('\n');
}

void report_last_error(const json_t *origin)
{
    if (member_text(origin, "last_error").n == 0)
        return;
    printf(": ");
    report_safe(stdout, member_text(origin, "last_error"));
}
