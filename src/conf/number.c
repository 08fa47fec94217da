#include "conf/number.h"

struct suffix {
    struct str name; /* "m" is minutes and "M" megabytes, but "512m" of memory can only mean one thing */
    int64_t size;
};

static const struct suffix byte_suffixes[] = {
    { STR_INIT(""), 1 },        { STR_INIT("K"), 1 << 10 },          { STR_INIT("M"), 1 << 20 },
    { STR_INIT("G"), 1 << 30 }, { STR_INIT("T"), (int64_t)1 << 40 },
};
static const struct suffix time_suffixes[] = {
    { STR_INIT(""), 1000 },   { STR_INIT("ms"), 1 },      { STR_INIT("s"), 1000 },
    { STR_INIT("m"), 60000 }, { STR_INIT("h"), 3600000 }, { STR_INIT("d"), 86400000 },
};
static const struct suffix count_suffixes[] = { { STR_INIT(""), 1 } };

/* Digits and a suffix of the list; what is too large for the type becomes INT64_MAX, which no range
 * allows. */
static bool parse(struct str text, const struct suffix *suffixes, size_t n, bool any_case, int64_t *out)
{
    size_t digits = 0;
    uint64_t number;
    while (digits < text.n && is_digit(text.p[digits]))
        digits++;
    if (digits == 0)
        return false;
    if (!str_to_u64(str_first(text, digits), INT64_MAX, &number))
        number = INT64_MAX;
    struct str unit = str_from_index(text, digits);
    for (size_t i = 0; i < n; i++)
        if (str_eq(unit, suffixes[i].name) || (any_case && str_eq_nocase(unit, suffixes[i].name))) {
            if (__builtin_mul_overflow((int64_t)number, suffixes[i].size, out))
                *out = INT64_MAX;
            return true;
        }
    return false;
}

bool number_parse(enum setting_type type, struct str text, int64_t *out)
{
    switch (type) {
    case TYPE_BYTES: return parse(text, byte_suffixes, COUNT_OF(byte_suffixes), true, out);
    case TYPE_TIME: return parse(text, time_suffixes, COUNT_OF(time_suffixes), false, out);
    default: return parse(text, count_suffixes, COUNT_OF(count_suffixes), false, out);
    }
}
