#include "http/range.h"

/* A longer value is ignored: sixty-four ranges of the largest files are shorter. */
#define RANGE_BYTES_MAX 4096

/* One member of a range set as it was written; numbers above INT64_MAX are UINT64_MAX. */
struct spec {
    uint64_t first, last; /* a suffix: last is its length */
    bool suffix, open;    /* "-5"; "5-" */
};

/* 1*DIGIT, any number of them. */
static bool position_parse(struct str s, uint64_t *out)
{
    if (str_to_u64(s, INT64_MAX, out))
        return true;
    for (size_t i = 0; i < s.n; i++)
        if (!is_digit(s.p[i]))
            return false;
    *out = UINT64_MAX;
    return s.n > 0;
}

static bool spec_parse(struct str s, struct spec *out)
{
    size_t dash = str_index(s, '-');
    struct str first = str_first(s, dash), last = str_from_index(s, dash + 1);
    if (dash == s.n)
        return false;
    *out = (struct spec){ .suffix = first.n == 0, .open = last.n == 0 };
    if (!out->suffix && !position_parse(first, &out->first))
        return false;
    if (!out->open && !position_parse(last, &out->last))
        return false;
    if (out->suffix)
        return !out->open;
    return out->open || out->first <= out->last;
}

/* Cuts "bytes=" off; the unit has no case (RFC 9110 §14.1). */
static bool is_bytes(struct str value, struct str *set)
{
    if (value.n > RANGE_BYTES_MAX || !str_starts_nocase(value, STR("bytes=")))
        return false;
    *set = (struct str){ value.p + 6, value.n - 6 };
    return true;
}

/* The next member of the set; empty ones are skipped (RFC 9110 §5.6.1). *ok: it is well-formed. */
static bool spec_next(struct str *set, struct spec *out, bool *ok)
{
    while (set->p) {
        while (set->n && set->p[0] == ',') { /* empty members, fast */
            set->p++;
            set->n--;
        }
        struct str member = str_trim(str_cut(set, ','));
        if (member.n == 0)
            continue;
        *ok = spec_parse(member, out);
        return true;
    }
    return false;
}

/* What the member means for a representation of that length; false: nothing of it is there. */
static bool spec_resolve(const struct spec *s, uint64_t length, struct range *out)
{
    if (length == 0)
        return false;
    if (s->suffix) {
        *out = (struct range){ s->last >= length ? 0 : length - s->last, length - 1 };
        return s->last > 0;
    }
    *out = (struct range){ s->first, s->open || s->last >= length ? length - 1 : s->last };
    return s->first < length;
}

static bool overlaps_another(const struct range *r, size_t n, size_t which)
{
    for (size_t i = 0; i < n; i++)
        if (i != which && r[i].first <= r[which].last && r[which].first <= r[i].last)
            return true;
    return false;
}

/* Ranges that cost more than the whole would (RFC 9110 §17.15); a single one never does. */
static bool is_abusive(const struct range *r, size_t n, uint64_t length)
{
    uint64_t sum = 0;
    size_t overlapping = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t bytes = r[i].last - r[i].first + 1;
        if (bytes > length - sum)
            return true;
        sum += bytes;
        overlapping += overlaps_another(r, n, i);
    }
    return overlapping > 2;
}

enum range_result range_parse(struct str value, uint64_t length, struct range *out, size_t max, size_t *n)
{
    struct str set;
    struct spec s;
    bool ok;
    size_t asked = 0;
    *n = 0;
    if (!is_bytes(value, &set))
        return RANGE_IGNORE;
    while (spec_next(&set, &s, &ok)) {
        if (!ok || asked++ == max) {
            *n = 0;
            return RANGE_IGNORE;
        }
        *n += spec_resolve(&s, length, &out[*n]);
    }
    if (is_abusive(out, *n, length))
        *n = 0;
    else if (asked > 0)
        return *n ? RANGE_OK : RANGE_UNSATISFIABLE;
    return RANGE_IGNORE;
}

bool range_parse_single(struct str value, uint64_t *first, uint64_t *last, bool *open)
{
    struct str set;
    struct spec s, another;
    bool ok;
    if (!is_bytes(value, &set) || !spec_next(&set, &s, &ok) || !ok || s.suffix || s.first > INT64_MAX)
        return false;
    if (spec_next(&set, &another, &ok))
        return false;
    *first = s.first;
    *last = s.open || s.last > INT64_MAX ? INT64_MAX : s.last;
    *open = s.open;
    return true;
}

bool content_range_parse(struct str value, struct range *out, uint64_t *length)
{
    if (!str_starts_nocase(value, STR("bytes ")))
        return false;
    struct str range = { value.p + 6, value.n - 6 };
    if (str_index(range, '/') == range.n)
        return false;
    struct str first = str_cut(&range, '/'), total = range, last = first;
    first = str_cut(&last, '-');
    if (str_eq(total, STR("*")))
        *length = UINT64_MAX;
    else if (!str_to_u64(total, INT64_MAX, length))
        return false;
    return str_to_u64(first, INT64_MAX, &out->first) && str_to_u64(last, INT64_MAX, &out->last) &&
           out->first <= out->last && out->last < *length;
}

void content_range_write(struct buf *out, struct range r, uint64_t length)
{
    buf_add(out, STR("bytes "));
    buf_add_u64(out, r.first);
    buf_add_char(out, '-');
    buf_add_u64(out, r.last);
    buf_add_char(out, '/');
    if (length == UINT64_MAX)
        buf_add_char(out, '*');
    else
        buf_add_u64(out, length);
}
