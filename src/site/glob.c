#include "site/glob.h"

#include <string.h>

#include "base/check.h"

/* A pattern without `**` against a text, from the left or from the right. */
struct walk {
    struct str pattern, text;
    bool backwards, segments;
    bool whole;  /* the text has to end where the pattern does */
    size_t used; /* of the text, by the pattern */
    struct glob_captures found;
};

static char at(const struct walk *w, struct str s, size_t i)
{
    return w->backwards ? s.p[s.n - 1 - i] : s.p[i];
}

static void capture(struct walk *w, size_t star, size_t from, size_t to)
{
    size_t start = w->backwards ? w->text.n - to : from;
    w->found.v[star] = (struct str){ w->text.p + start, to - from };
}

/* Each wildcard takes as little as it can. When the text goes on differently, only the last one has to take
 * more: whatever an earlier one might give up, the last one can reach as well. */
static bool walk_matches(struct walk *w)
{
    size_t p = 0, t = 0, star = SIZE_MAX, from = 0, to = 0;
    w->found.n = 0;
    for (;;) {
        if (p < w->pattern.n && at(w, w->pattern, p) == '*') {
            CHECK(w->found.n < GLOB_STARS_MAX);
            star = p++;
            from = to = t;
            capture(w, w->found.n++, from, to);
            continue;
        }
        if (p == w->pattern.n && (!w->whole || t == w->text.n)) {
            w->used = t;
            return true;
        }
        if (p < w->pattern.n && t < w->text.n && at(w, w->pattern, p) == at(w, w->text, t)) {
            p++;
            t++;
            continue;
        }
        if (star == SIZE_MAX || to == w->text.n || (w->segments && at(w, w->text, to) == '/'))
            return false;
        t = ++to;
        p = star + 1;
        capture(w, w->found.n - 1, from, to);
    }
}

static bool is_double(struct str s, size_t i)
{
    return i + 1 < s.n && s.p[i] == '*' && s.p[i + 1] == '*';
}

/* Returns where `**` begins; s.n: nowhere. */
static size_t find_double(struct str s)
{
    size_t i = 0;
    while (i < s.n && !is_double(s, i))
        i++;
    return i;
}

static bool match_around_double(struct str pattern, size_t middle, struct str path, struct glob_captures *out)
{
    struct walk left = { .pattern = str_first(pattern, middle), .text = path, .segments = true };
    if (!walk_matches(&left))
        return false;
    struct walk right = { .pattern = str_from_index(pattern, middle + 2),
                          .text = { path.p + left.used, path.n - left.used },
                          .segments = true,
                          .backwards = true };
    if (!walk_matches(&right))
        return false;
    if (!out)
        return true;
    *out = left.found;
    out->v[out->n++] = (struct str){ path.p + left.used, path.n - left.used - right.used };
    for (size_t i = right.found.n; i-- > 0;)
        out->v[out->n++] = right.found.v[i];
    return true;
}

static bool match_plain(struct str pattern, struct str text, bool segments, struct glob_captures *out)
{
    struct walk w = { .pattern = pattern, .text = text, .segments = segments, .whole = true };
    if (!walk_matches(&w))
        return false;
    if (out)
        *out = w.found;
    return true;
}

bool glob_match_path(struct str pattern, struct str path, struct glob_captures *out)
{
    size_t middle = find_double(pattern);
    if (middle == pattern.n)
        return match_plain(pattern, path, true, out);
    if (match_around_double(pattern, middle, path, out))
        return true;
    if (!str_ends(pattern, STR("/**")) || !match_plain(str_first(pattern, pattern.n - 3), path, true, out))
        return false;
    if (out)
        out->v[out->n++] = (struct str){ path.p + path.n, 0 };
    return true;
}

bool glob_match_text(struct str pattern, struct str text)
{
    return match_plain(pattern, text, false, NULL);
}

size_t glob_stars(struct str pattern)
{
    size_t n = 0;
    for (size_t i = 0; i < pattern.n; i++)
        if (pattern.p[i] == '*') {
            n++;
            i += is_double(pattern, i);
        }
    return n;
}

const char *glob_problem(struct str pattern, bool is_path)
{
    size_t doubles = 0;
    if (is_path && (pattern.n == 0 || (pattern.p[0] != '/' && !is_double(pattern, 0))))
        return "is not a path; it begins with /";
    if (is_path && (str_index(pattern, '?') < pattern.n || str_index(pattern, '#') < pattern.n))
        return "holds a query or a fragment; a path ends before it, see the field query";
    for (size_t i = 0; i < pattern.n; i++) {
        if (!is_double(pattern, i))
            continue;
        if (!is_path)
            return "has two * beside each other; write one";
        if (++doubles > 1)
            return "has ** twice; write it once";
        if (i + 2 < pattern.n && pattern.p[i + 2] == '*')
            return "has three * beside each other; write two";
    }
    return glob_stars(pattern) > GLOB_STARS_MAX ? "has more than 9 wildcards" : NULL;
}
