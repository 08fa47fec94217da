#include "http/cookie_names.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "http/field.h"

enum group { GROUP_HEAD, GROUP_TAIL, GROUP_REST };

struct cookie_name {
    struct str text;          /* as it was given */
    struct str before, after; /* what stands in front of the `*` and behind it; without one all is `before` */
    bool has_star;
    unsigned kinds;
    enum group group;
    unsigned bucket; /* of its group's table */
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

static unsigned bucket_of(const char *three)
{
    return ((unsigned char)three[0] * 61u + (unsigned char)three[1] * 31u + (unsigned char)three[2] * 7u) %
           COOKIE_NAMES_BUCKETS;
}

static struct cookie_name take_apart(const struct cookie_named *from)
{
    struct str text = from->name;
    size_t star = str_index(text, '*');
    struct cookie_name p = { .text = text, .kinds = from->kinds, .before = str_first(text, star) };
    p.has_star = star < text.n;
    if (p.has_star)
        p.after = str_from_index(text, star + 1);
    p.group = p.before.n >= 3 ? GROUP_HEAD : p.before.n == 0 && p.after.n >= 3 ? GROUP_TAIL : GROUP_REST;
    p.bucket = p.group == GROUP_HEAD   ? bucket_of(p.before.p)
               : p.group == GROUP_TAIL ? bucket_of(p.after.p + p.after.n - 3)
                                       : 0;
    return p;
}

static int compare(const void *a, const void *b)
{
    const struct cookie_name *x = a, *y = b;
    if (x->group != y->group)
        return x->group < y->group ? -1 : 1;
    if (x->bucket != y->bucket)
        return x->bucket < y->bucket ? -1 : 1;
    return str_cmp(x->text, y->text);
}

/* Fills the table of a group, whose names begin at place `at`. Returns where they end. */
static uint16_t fill_table(uint16_t *table, enum group group, const struct cookie_names *set, uint16_t at)
{
    for (unsigned b = 0; b < COOKIE_NAMES_BUCKETS; b++) {
        table[b] = at;
        while (at < set->n && set->v[at].group == group && set->v[at].bucket == b)
            at++;
    }
    table[COOKIE_NAMES_BUCKETS] = at;
    return at;
}

void cookie_names_make(const struct cookie_named *names, size_t n, struct arena *a, struct cookie_names *out)
{
    CHECK(n <= COOKIE_NAMES_MAX);
    struct cookie_name *v = arena_alloc(a, n * sizeof(*v) + 1);
    for (size_t i = 0; i < n; i++)
        v[i] = take_apart(&names[i]);
    qsort(v, n, sizeof(*v), compare);
    *out = (struct cookie_names){ .v = v, .n = (uint16_t)n };
    out->rest = fill_table(out->tails, GROUP_TAIL, out, fill_table(out->heads, GROUP_HEAD, out, 0));
}

static bool matches(const struct cookie_name *p, struct str cookie)
{
    size_t least = p->before.n + p->after.n;
    if (p->has_star ? cookie.n < least : cookie.n != least)
        return false;
    return str_starts(cookie, p->before) && (p->after.n == 0 || str_ends(cookie, p->after));
}

/* The first name in these places that the cookie's name matches and that has one of the kinds; `end`:
 * none. */
static unsigned match_in(const struct cookie_names *set, unsigned at, unsigned end, struct str cookie,
                         unsigned kinds)
{
    while (at < end && !((set->v[at].kinds & kinds) && matches(&set->v[at], cookie)))
        at++;
    return at;
}

struct str cookie_names_find(const struct cookie_names *set, struct str cookie, unsigned kinds)
{
    unsigned at = match_in(set, set->rest, set->n, cookie, kinds);
    if (cookie.n == 0)
        return STR_NONE;
    if (at < set->n)
        return set->v[at].text;
    if (cookie.n < 3)
        return STR_NONE;
    unsigned head = bucket_of(cookie.p), tail = bucket_of(cookie.p + cookie.n - 3);
    at = match_in(set, set->heads[head], set->heads[head + 1], cookie, kinds);
    if (at < set->heads[head + 1])
        return set->v[at].text;
    at = match_in(set, set->tails[tail], set->tails[tail + 1], cookie, kinds);
    return at < set->tails[tail + 1] ? set->v[at].text : STR_NONE;
}

static unsigned kinds_in(const struct cookie_names *set, unsigned at, unsigned end, struct str cookie)
{
    unsigned kinds = 0;
    for (; at < end; at++)
        if (matches(&set->v[at], cookie))
            kinds |= set->v[at].kinds;
    return kinds;
}

static unsigned kinds_of(const struct cookie_names *set, struct str cookie)
{
    unsigned kinds = kinds_in(set, set->rest, set->n, cookie);
    if (cookie.n < 3)
        return kinds;
    const uint16_t *head = &set->heads[bucket_of(cookie.p)],
                   *tail = &set->tails[bucket_of(cookie.p + cookie.n - 3)];
    if (head[0] < head[1])
        kinds |= kinds_in(set, head[0], head[1], cookie);
    if (tail[0] < tail[1])
        kinds |= kinds_in(set, tail[0], tail[1], cookie);
    return kinds;
}

unsigned cookie_names_scan(const struct cookie_names *set, struct str line, size_t *left)
{
    unsigned kinds = 0;
    const char *end = line.p + line.n, *piece_end;
    for (const char *p = line.p; *left > 0 && p < end; p = piece_end + 1) {
        --*left;
        piece_end = memchr(p, ';', (size_t)(end - p));
        piece_end = piece_end ? piece_end : end;
        while (p < piece_end && (*p == ' ' || *p == '\t'))
            p++;
        const char *name_end = memchr(p, '=', (size_t)(piece_end - p));
        while (name_end && name_end > p && (name_end[-1] == ' ' || name_end[-1] == '\t'))
            name_end--;
        if (name_end && name_end > p)
            kinds |= kinds_of(set, (struct str){ p, (size_t)(name_end - p) });
    }
    return kinds;
}
