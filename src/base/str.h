/*
 * Strings with a length. A struct str never owns its bytes and is not NUL-terminated. It points into an input
 * buffer, an arena or a literal, and lives as long as that does. The empty string may have a NULL pointer.
 * Functions that ignore case know ASCII only: HTTP's tokens are ASCII, and the locale must not change their
 * meaning. Any thread; pure. Results point into the argument, never into a copy.
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
    const char *p;
    size_t n;
};

/* A list of strings. */
struct strs {
    struct str *v;
    size_t n;
};

/* STR makes a string of a literal, STR_INIT the same for static tables. */
#define STR(literal) ((struct str){ (literal), sizeof(literal) - 1 })
#define STR_INIT(literal)                                                                                    \
    {                                                                                                        \
        (literal), sizeof(literal) - 1                                                                       \
    }
/* The empty string, with p == NULL. */
#define STR_NONE ((struct str){ NULL, 0 })
/* The two arguments for printf's "%.*s". Cuts long strings at INT_MAX. */
#define STR_ARG(s) (int)((s).n > 0x7fffffff ? 0x7fffffff : (s).n), ((s).p ? (s).p : "")

/* Returns a view of a C string. NULL gives the empty string. */
struct str str_from(const char *c);
/* Are the strings equal, byte by byte? */
static inline bool str_eq(struct str a, struct str b)
{
    /* Names that are not equal often differ in their last byte, and a call is saved. */
    return a.n == b.n && (a.n == 0 || (a.p[a.n - 1] == b.p[b.n - 1] && memcmp(a.p, b.p, a.n) == 0));
}
/* Copies `s` to `out` with a NUL behind it, for the system's functions. false: it is empty, has a NUL inside,
 * which would hide what follows, or needs more than `room` bytes with its own; nothing is written then. */
bool str_to_c(struct str s, char *out, size_t room);
/* Are the strings equal when ASCII case is ignored? */
bool str_eq_nocase(struct str a, struct str b);
/* Are they the same? How long it takes depends on the length of `given` alone: nothing of a secret can be
 * measured. */
bool str_eq_secret(struct str given, struct str secret);
/* Compares by bytes: <0, 0 or >0. A prefix comes before the longer string. */
int str_cmp(struct str a, struct str b);
/* Compares two struct str as str_cmp does, for qsort and bsearch. */
int str_order(const void *a, const void *b);
/* Sorts n strings by bytes and drops those that are there twice. Returns how many are left. */
size_t str_sort_unique(struct str *v, size_t n);
/* Does `s` begin with `prefix`? */
static inline bool str_starts(struct str s, struct str prefix)
{
    return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}
/* Does `s` begin with `prefix` when ASCII case is ignored? */
bool str_starts_nocase(struct str s, struct str prefix);
/* Does `s` end with `suffix`? */
bool str_ends(struct str s, struct str suffix);
/* Returns the index of the first `c`, or s.n when there is none. */
static inline size_t str_index(struct str s, char c)
{
    const char *at = s.n ? memchr(s.p, c, s.n) : NULL;
    return at ? (size_t)(at - s.p) : s.n;
}
/* Returns the rest of `s` from index `from`. `from` above s.n gives the empty string. */
static inline struct str str_from_index(struct str s, size_t from)
{
    return from >= s.n ? STR_NONE : (struct str){ s.p + from, s.n - from };
}
/* Returns the first n bytes of `s`, or all of it. */
static inline struct str str_first(struct str s, size_t n)
{
    return (struct str){ s.p, n < s.n ? n : s.n };
}
/* Copies the bytes to `to`, which has room for them. Returns the place behind them. */
static inline char *str_put(char *to, struct str s)
{
    if (s.n)
        memcpy(to, s.p, s.n);
    return to + s.n;
}
/* Returns `s` without SP and HTAB at both ends (RFC 9110 §5.6.3, OWS). */
static inline struct str str_trim(struct str s)
{
    while (s.n && (s.p[0] == ' ' || s.p[0] == '\t')) {
        s.p++;
        s.n--;
    }
    while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
        s.n--;
    return s;
}
/* Returns the text before the first `sep`, and moves `*rest` behind that `sep`. Without a `sep` it returns
 * all of `*rest` and leaves it with p == NULL. Loop: while (rest.p) { item = str_cut(&rest, ','); ... } */
struct str str_cut(struct str *rest, char sep);

/* Parses a decimal number: digits only, at least one, with a value of at most `max`. true: *out is the value.
 * false: anything else; *out is unchanged. */
bool str_to_u64(struct str s, uint64_t max, uint64_t *out);

/* UTF-8 (RFC 3629): returns the length, 1 to 4, of the well-formed sequence at the start of `s`; 0: it is not
 * well-formed. `s` is not empty. */
size_t str_utf8_length(struct str s);
/* Is all of `s` well-formed UTF-8? */
bool str_is_utf8(struct str s);
/* Returns the longest beginning of `s`, which is UTF-8, that has at most n bytes and ends between two
 * characters of UTF-8. */
struct str str_utf8_first(struct str s, size_t n);
/* Writes the text in ISO 8859-1 to `to`, which has room for s.n bytes. Returns the length. 0: `s` is empty,
 * is not UTF-8, or has a character above U+00FF; `to` may have been written then. */
size_t str_to_latin1(struct str s, char *to);

/* Returns an ASCII capital in lower case, every other byte as it is. */
static inline char ascii_lower(char c)
{
    return (c >= 'A' && c <= 'Z') ? (char)(c | 0x20) : c;
}
/* Is it an ASCII digit; an ASCII letter? */
static inline bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}
static inline bool is_alpha(char c)
{
    char l = (char)(c | 0x20);
    return l >= 'a' && l <= 'z';
}
/* Returns the value of a hexadecimal digit in either case, or -1. */
static inline int ascii_hex_value(char c)
{
    char l = (char)(c | 0x20);
    return is_digit(c) ? c - '0' : l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
}

#endif
