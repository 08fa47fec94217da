#include "conf/health.h"

#include <stdarg.h>
#include <stdio.h>

#include "conf/report.h"
#include "conf/setting.h"
#include "conf/shape.h"

#define EVERY_MS       5000
#define TIMEOUT_MS     2000
#define FALL           3
#define RISE           2
#define PATH_MAX_BYTES 1024
#define EXPECT_MAX     32

struct reader {
    const struct map *entry;
    struct report *report;
    struct arena *arena;
};

__attribute__((format(printf, 3, 4))) static void problem(const struct reader *r, enum health_field id,
                                                          const char *fmt, ...)
{
    unsigned line = r->entry->v[id].line;
    va_list ap;
    char text[512];
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    report_add(r->report, PLACE_LINE(line ? line : r->entry->line), "%.*s: %s",
               STR_ARG(shape_table[SHAPE_HEALTH].fields[id].name), text);
}

static int64_t number_or(const struct reader *r, enum health_field id, int64_t otherwise)
{
    const struct map_value *v = &r->entry->v[id];
    return v->line ? v->number : otherwise;
}

static bool is_path(struct str s)
{
    bool good = s.n > 0 && s.n <= PATH_MAX_BYTES && s.p[0] == '/';
    for (size_t i = 0; good && i < s.n; i++)
        good = s.p[i] > 0x20 && s.p[i] < 0x7f && s.p[i] != '#';
    return good;
}

static bool is_status(struct str s, int *out)
{
    uint64_t n;
    bool good = s.n == 3 && str_to_u64(s, 599, &n) && n >= 200;
    if (good)
        *out = (int)n;
    return good;
}

/* "200", "2xx", "200-399" */
static bool read_range(struct str s, struct health_range *out)
{
    if (s.n == 3 && s.p[0] >= '2' && s.p[0] <= '5' && str_eq_nocase(str_from_index(s, 1), STR("xx"))) {
        out->first = (s.p[0] - '0') * 100;
        out->last = out->first + 99;
        return true;
    }
    struct str last = s, first = str_cut(&last, '-');
    if (!is_status(first, &out->first))
        return false;
    out->last = out->first;
    return !last.p || (is_status(last, &out->last) && out->last >= out->first);
}

static void read_expect(const struct reader *r, struct health *h)
{
    static const struct health_range usual = { 200, 399 };
    const struct strs *list = &r->entry->v[HEALTH_FIELD_expect].list;
    h->expect = &usual;
    h->expect_n = 1;
    if (list->n == 0)
        return;
    if (list->n > EXPECT_MAX) {
        problem(r, HEALTH_FIELD_expect, "%zu entries are too many; at most %d", list->n, EXPECT_MAX);
        return;
    }
    struct health_range *v = arena_zero(r->arena, list->n * sizeof(*v));
    for (size_t i = 0; i < list->n; i++)
        if (!read_range(list->v[i], &v[i]))
            problem(r, HEALTH_FIELD_expect, "%s is no status; write 200, 2xx or 200-399",
                    report_quote(r->report, list->v[i]));
    h->expect = v;
    h->expect_n = list->n;
}

const struct health *health_read(const struct maps *entries, struct str site, struct arena *a,
                                 struct report *report)
{
    if (entries->n == 0 || entries->v[0].has_mistake)
        return NULL;
    struct reader r = { &entries->v[0], report, a };
    struct health *h = arena_zero(a, sizeof(*h));
    report->subject = arena_printf(report->arena, "health of %.*s", STR_ARG(site));
    h->path = r.entry->v[HEALTH_FIELD_path].text;
    h->every_ms = number_or(&r, HEALTH_FIELD_every, EVERY_MS);
    h->timeout_ms = number_or(&r, HEALTH_FIELD_timeout, TIMEOUT_MS);
    h->fall = number_or(&r, HEALTH_FIELD_fall, FALL);
    h->rise = number_or(&r, HEALTH_FIELD_rise, RISE);
    if (!is_path(h->path))
        problem(&r, HEALTH_FIELD_path, "%s is no path; write it like /healthz",
                report_quote(report, h->path));
    read_expect(&r, h);
    report->subject = STR_NONE;
    return h;
}

bool health_expects(const struct health *h, int status)
{
    for (size_t i = 0; i < h->expect_n; i++)
        if (status >= h->expect[i].first && status <= h->expect[i].last)
            return true;
    return false;
}
