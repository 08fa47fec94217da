#include "conf/report.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"

#define QUOTE_MAX 64  /* bytes of a value that a message repeats */
#define TEXT_MAX  512 /* bytes of a message */

void report_init(struct report *r, struct arena *a, struct str file)
{
    r->arena = a;
    r->file = file;
    r->subject = STR_NONE;
    r->n = 0;
}

static void make_printable(char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)p[i] < 0x20 || p[i] == 0x7f)
            p[i] = '?';
}

void report_add(struct report *r, struct place at, const char *fmt, ...)
{
    if (r->n++ >= REPORT_MAX)
        return;
    char *text = arena_alloc(r->arena, TEXT_MAX);
    va_list ap;
    va_start(ap, fmt);
    int before = r->subject.n ? snprintf(text, TEXT_MAX, "%.*s: ", STR_ARG(r->subject)) : 0;
    CHECK(before >= 0 && before < TEXT_MAX);
    int written = vsnprintf(text + before, TEXT_MAX - (size_t)before, fmt, ap);
    va_end(ap);
    written = written < 0 ? 0 : before + written;
    size_t n = written >= TEXT_MAX ? TEXT_MAX - 1 : (size_t)written;
    make_printable(text, n);
    r->v[r->n - 1] = (struct problem){ at, { text, n } };
}

/* Where to cut so that no UTF-8 sequence is torn. */
static size_t cut_length(struct str s, size_t most)
{
    if (s.n <= most)
        return s.n;
    while (most && ((unsigned char)s.p[most] & 0xc0) == 0x80)
        most--;
    return most;
}

/* What stands before the last "@" of a URL is a user and a password: neither is repeated. A path may hold an
 * "@". */
static struct str without_credentials(struct report *r, struct str s)
{
    size_t at = s.n, slashes = 0;
    for (size_t i = 0; i < s.n; i++)
        at = s.p[i] == '@' ? i : at;
    if (at == s.n || str_index(s, ':') > at || str_starts_nocase(s, STR("unix:")))
        return s;
    while (slashes < at && !str_starts(str_from_index(s, slashes), STR("//")))
        slashes++;
    struct str scheme = slashes < at ? str_first(s, slashes + 2) : STR_NONE;
    return arena_printf(r->arena, "%.*s***%.*s", STR_ARG(scheme), STR_ARG(str_from_index(s, at)));
}

const char *report_quote(struct report *r, struct str s)
{
    s = without_credentials(r, s);
    size_t n = cut_length(s, QUOTE_MAX);
    char *p = arena_alloc(r->arena, QUOTE_MAX + sizeof("\"...\""));
    p[0] = '"';
    if (n)
        memcpy(p + 1, s.p, n);
    make_printable(p + 1, n); /* not only at the end: a NUL would end the text that this is put in */
    strcpy(p + 1 + n, n < s.n ? "...\"" : "\"");
    return p;
}

/* The file's lines in order, then the flags as they came. */
static bool stands_before(const struct problem *a, const struct problem *b)
{
    if ((a->at.flag.n != 0) != (b->at.flag.n != 0))
        return a->at.flag.n == 0;
    return a->at.flag.n == 0 && a->at.line < b->at.line;
}

static void sort_problems(struct problem *v, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        struct problem p = v[i];
        size_t at = i;
        for (; at && stands_before(&p, &v[at - 1]); at--)
            v[at] = v[at - 1];
        v[at] = p;
    }
}

static void write_problem(const struct report *r, const struct problem *p, struct buf *out)
{
    size_t start = out->n;
    buf_add(out, p->at.flag.n ? p->at.flag : r->file);
    if (p->at.line)
        buf_printf(out, ":%u", p->at.line);
    buf_add(out, STR(": "));
    buf_add(out, p->text);
    make_printable(out->p + start, out->n - start); /* flags and file names are a stranger's too */
    buf_add_char(out, '\n');
}

void report_write(struct report *r, struct buf *out)
{
    size_t n = r->n < REPORT_MAX ? r->n : REPORT_MAX;
    sort_problems(r->v, n);
    for (size_t i = 0; i < n; i++)
        write_problem(r, &r->v[i], out);
    if (r->n > n)
        buf_printf(out, "%.*s: %zu more problems are not shown\n", STR_ARG(r->file), r->n - n);
}
