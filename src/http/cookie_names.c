#include "http/cookie_names.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "http/field.h"

struct cookie_name {
    struct str text;          /* as it was given */
    struct str before, after; /* what stands in front of the `*` and behind it; without one all is `before` */
    bool has_star;
    /* The nearest in front of it in the order whose `before` this one's begins with; itself: none. */
    uint16_t shorter;
};

const char *cookie_names_problem(struct str name)
{
    size_t stars = 0;
    for (size_t i = 0; i < name.n; i++) {
        stars += name.p[i] == '*';
        if (!is_token((struct str){ name.p + i, 1 }))
            return "is not the name of a cookie; write its name alone, and one * where it goes on as it "
                   "likes";
    }
    return stars > 1 ? "has more than one *" : NULL;
}

static struct cookie_name take_apart(struct str text)
{
    size_t star = str_index(text, '*');
    return (struct cookie_name){
        .text = text,
        .before = str_first(text, star),
        .after = star < text.n ? str_from_index(text, star + 1) : STR_NONE,
        .has_star = star < text.n,
    };
}

/* Those without a beginning come last. */
static int compare(const void *a, const void *b)
{
    const struct cookie_name *x = a, *y = b;
    if ((x->before.n == 0) != (y->before.n == 0))
        return x->before.n == 0 ? 1 : -1;
    int c = str_cmp(x->before, y->before);
    return c ? c : str_cmp(x->text, y->text);
}

/* In the order of bytes everything between a string and one that begins with it begins with it too. */
static void link_shorter(struct cookie_name *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        size_t k = i;
        v[i].shorter = (uint16_t)i;
        if (i == 0)
            continue;
        for (k = i - 1; !str_starts(v[i].before, v[k].before) && v[k].shorter != k;)
            k = v[k].shorter;
        if (str_starts(v[i].before, v[k].before))
            v[i].shorter = (uint16_t)k;
    }
}

void cookie_names_make(const struct str *names, size_t n, struct arena *a, struct cookie_names *out)
{
    CHECK(n <= COOKIE_NAMES_MAX);
    struct cookie_name *v = arena_alloc(a, n * sizeof(*v) + 1);
    *out = (struct cookie_names){ .v = v, .n = n };
    for (size_t i = 0; i < n; i++)
        v[i] = take_apart(names[i]);
    qsort(v, n, sizeof(*v), compare);
    size_t at = 0;
    for (unsigned c = 0; c < 256; c++) {
        out->from[c] = (uint16_t)at;
        while (at < n && v[at].before.n && (unsigned char)v[at].before.p[0] == c)
            at++;
    }
    out->from[256] = out->ends = (uint16_t)at;
    link_shorter(v, at);
}

static bool matches(const struct cookie_name *p, struct str cookie)
{
    size_t least = p->before.n + p->after.n;
    if (p->has_star ? cookie.n < least : cookie.n != least)
        return false;
    return str_starts(cookie, p->before) &&
           memcmp(cookie.p + cookie.n - p->after.n, p->after.p ? p->after.p : "", p->after.n) == 0;
}

struct str cookie_names_find(const struct cookie_names *set, struct str cookie)
{
    if (cookie.n == 0)
        return STR_NONE;
    unsigned first = (unsigned char)cookie.p[0];
    size_t from = set->from[first], low = from, high = set->from[first + 1];
    /* Behind all whose beginning is not behind the name. */
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (str_cmp(set->v[mid].before, cookie) <= 0)
            low = mid + 1;
        else
            high = mid;
    }
    for (size_t i = low; i > from;) {
        i--;
        if (matches(&set->v[i], cookie))
            return set->v[i].text;
        if (set->v[i].shorter == i)
            break;
        i = (size_t)set->v[i].shorter + 1;
    }
    for (size_t i = set->ends; i < set->n; i++)
        if (matches(&set->v[i], cookie))
            return set->v[i].text;
    return STR_NONE;
}
