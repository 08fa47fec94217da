#include "admin/pattern.h"

#include <string.h>

#include "base/check.h"

#define DEPTH_MAX 4 /* the deepest that is sent has 3 */

/* ---- literals ---- */

/* What has a meaning in a regular expression, when no \ stands in front. A '.' stands for itself, unless
 * something behind it repeats it. */
static bool is_mark(struct str s, size_t i)
{
    static const char marks[] = "*+?()[]{}^$|\\";
    static const char repeats[] = "*+?{";
    if (s.p[i] == '.')
        return i + 1 < s.n && memchr(repeats, s.p[i + 1], sizeof(repeats) - 1);
    return memchr(marks, s.p[i], sizeof(marks) - 1);
}

static bool is_word_char(char c)
{
    return is_alpha(c) || is_digit(c) || (unsigned char)c >= 0x80;
}

/* Takes a literal from the front of *rest, without what hides its marks. false: there is none. */
static bool take_literal(struct str *rest, struct arena *a, struct str *out)
{
    size_t n = 0, end = 0;
    for (; end < rest->n; end++) {
        if (rest->p[end] == '\\') {
            end++;
            /* \d and \w are classes. */
            if (end == rest->n || is_word_char(rest->p[end]))
                return false;
        } else if (is_mark(*rest, end)) {
            break;
        }
    }
    /* Only as much as it needs: a list may have thousands of them. */
    char *p = arena_alloc(a, end + 1);
    for (size_t i = 0; i < end; i++) {
        i += rest->p[i] == '\\';
        p[n++] = rest->p[i];
    }
    *rest = str_from_index(*rest, end);
    *out = (struct str){ p, n };
    return n > 0;
}

/* ---- paths ---- */

/* A * that stands for itself. */
static struct str hide_stars(struct str path, struct arena *a)
{
    char *p = arena_alloc(a, 3 * path.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < path.n; i++)
        if (path.p[i] == '*') {
            p[n++] = '%';
            p[n++] = '2';
            p[n++] = 'A';
        } else {
            p[n++] = path.p[i];
        }
    return (struct str){ p, n };
}

static const struct pattern unknown = { PATTERN_UNKNOWN, { NULL, 0 } };

static struct pattern below(struct str path, struct arena *a)
{
    while (path.n && path.p[path.n - 1] != '/')
        path.n--;
    if (path.n <= 1)
        return (struct pattern){ PATTERN_ALL, STR("/") };
    return (struct pattern){ PATTERN_BELOW, hide_stars(path, a) };
}

static bool cut_end(struct str *s, struct str end)
{
    if (!str_ends(*s, end))
        return false;
    s->n -= end.n;
    return true;
}

struct pattern pattern_of_path(struct str text, bool is_literal, struct arena *a)
{
    size_t star = is_literal ? text.n : str_index(text, '*');
    if (!str_starts(text, STR("/")))
        return unknown;
    if (star < text.n)
        return below(str_first(text, star), a);
    return (struct pattern){ PATTERN_ONE, hide_stars(text, a) };
}

struct pattern pattern_of_regex(struct str text, struct arena *a)
{
    static const struct str any_query[] = { STR_INIT("(?:\\?.*)?$"), STR_INIT("(\\?.*)?$"), STR_INIT("$") };
    static const struct str any[] = { STR_INIT(".*$"), STR_INIT("(.*)$"), STR_INIT(".*"), STR_INIT("(.*)") };
    struct str rest = text, path = STR_NONE;
    bool anchored = str_starts(rest, STR("^")), below_it = false, ends = false;
    rest = str_from_index(rest, anchored);
    for (size_t i = 0; i < COUNT_OF(any) && !below_it; i++)
        below_it = cut_end(&rest, any[i]);
    for (size_t i = 0; i < COUNT_OF(any_query) && !below_it && !ends; i++)
        ends = cut_end(&rest, any_query[i]);
    if (rest.n == 0)
        return below_it ? below(STR("/"), a) : unknown;
    /* An end without a start is one of any path that ends so. */
    if (!take_literal(&rest, a, &path) || rest.n || path.p[0] != '/' || (ends && !anchored))
        return unknown;
    return ends ? (struct pattern){ PATTERN_ONE, hide_stars(path, a) } : below(path, a);
}

/* ---- tags ---- */

/* Between the tags of a list. */
static const struct str begins[] = { STR_INIT("(^|,)"),   STR_INIT("(^|\\,)"), STR_INIT("(,|^)"),
                                     STR_INIT("(^|\\s)"), STR_INIT("(^| )"),   STR_INIT("^") };
static const struct str ends[] = { STR_INIT("(,|$)"),   STR_INIT("($|,)"),   STR_INIT("($|\\,)"),
                                   STR_INIT("(\\,|$)"), STR_INIT("(,.+)?$"), STR_INIT("(\\s|$)"),
                                   STR_INIT("($|\\s)"), STR_INIT("( |$)"),   STR_INIT("($| )"),
                                   STR_INIT("$") };

static void pass_one(struct str *rest, const struct str *words, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (str_starts(*rest, words[i])) {
            *rest = str_from_index(*rest, words[i].n);
            return;
        }
}

static bool pass(struct str *rest, struct str word)
{
    if (!str_starts(*rest, word))
        return false;
    *rest = str_from_index(*rest, word.n);
    return true;
}

/* SET: ALTERNATIVE|ALTERNATIVE...; an alternative is a literal, or a SET in parentheses, with a beginning and
 * an end of a tag around it. */
static bool take_set(struct str *rest, struct arena *a, struct strs *out, unsigned depth)
{
    do {
        struct str tag;
        pass_one(rest, begins, COUNT_OF(begins));
        if (pass(rest, STR("("))) {
            pass(rest, STR("?:"));
            if (depth == DEPTH_MAX || !take_set(rest, a, out, depth + 1) || !pass(rest, STR(")")))
                return false;
        } else {
            if (!take_literal(rest, a, &tag) || str_trim(tag).n == 0)
                return false;
            arena_add_str(a, out, str_trim(tag));
        }
        pass_one(rest, ends, COUNT_OF(ends));
    } while (pass(rest, STR("|")));
    return true;
}

bool pattern_of_tags(struct str text, struct arena *a, struct strs *out, bool *all)
{
    struct str rest = str_trim(text);
    *all = str_eq(rest, STR(".*")) || str_eq(rest, STR("^.*$"));
    return *all || (take_set(&rest, a, out, 0) && rest.n == 0);
}
