#include "http/link.h"

/* Returns the index behind the quoted string that begins at `i`, or the end. */
static size_t behind_quoted(struct str s, size_t i)
{
    for (i++; i < s.n && s.p[i] != '"'; i++)
        i += s.p[i] == '\\' && i + 1 < s.n;
    return i < s.n ? i + 1 : s.n;
}

static size_t behind_target(struct str s, size_t i)
{
    while (i < s.n && s.p[i] != '>')
        i++;
    return i < s.n ? i + 1 : s.n;
}

/* Returns the index of the first `end` outside of targets and quoted strings, or s.n. */
static size_t index_of(struct str s, char end)
{
    size_t i = 0;
    while (i < s.n && s.p[i] != end) {
        if (s.p[i] == '<')
            i = behind_target(s, i);
        else if (s.p[i] == '"')
            i = behind_quoted(s, i);
        else
            i++;
    }
    return i;
}

bool link_next(struct str *rest, struct str *link)
{
    while (rest->n) {
        size_t end = index_of(*rest, ',');
        *link = str_trim(str_first(*rest, end));
        *rest = str_from_index(*rest, end < rest->n ? end + 1 : end);
        if (link->n && link->p[0] == '<')
            return true;
    }
    return false;
}

static struct str unquoted(struct str value)
{
    if (value.n >= 2 && value.p[0] == '"' && value.p[value.n - 1] == '"')
        return (struct str){ value.p + 1, value.n - 2 };
    return value;
}

/* Relation types are separated by spaces. */
static bool has_word(struct str words, struct str word)
{
    while (words.n) {
        size_t end = str_index(words, ' ');
        if (str_eq_nocase(str_first(words, end), word))
            return true;
        words = str_from_index(words, end < words.n ? end + 1 : end);
    }
    return false;
}

bool link_has_rel(struct str link, struct str type)
{
    struct str rest = str_from_index(link, behind_target(link, 0));
    while (rest.n) {
        size_t end = index_of(rest, ';'), equals;
        struct str parameter = str_trim(str_first(rest, end));
        rest = str_from_index(rest, end < rest.n ? end + 1 : end);
        equals = str_index(parameter, '=');
        if (equals < parameter.n && str_eq_nocase(str_trim(str_first(parameter, equals)), STR("rel")))
            return has_word(unquoted(str_trim(str_from_index(parameter, equals + 1))), type);
    }
    return false;
}
