#include "cache/purge.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cache/cache.h"
#include "cache/hints.h"
#include "cache/purge_names.h"

bool purge_refuse(struct purge_error *error, struct arena *a, int status, const char *fmt, ...)
{
    char text[800];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    CHECK(n >= 0);
    size_t bytes = (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1;
    *error = (struct purge_error){ status, arena_dup(a, (struct str){ text, bytes }), 0 };
    return false;
}

bool purge_is_text(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
            return false;
    return str_is_utf8(s);
}

bool purge_check_texts(const struct purge *p, struct arena *a, struct purge_error *error)
{
    const struct strs *lists[] = { &p->tags, &p->urls, &p->prefixes };
    for (size_t k = 0; k < COUNT_OF(lists); k++)
        for (size_t i = 0; i < lists[k]->n; i++)
            if (!purge_is_text(lists[k]->v[i]))
                return purge_refuse(error, a, 400,
                                    "what is to be purged is not UTF-8, or has a control character in it");
    return true;
}

/* Who filled it has said what it names, and nothing else. A purge of lists that lost its scope must not
 * become one of the site. */
static void check_whole(const struct purge *p)
{
    const unsigned lists = PURGE_OF_TAGS | PURGE_OF_URLS | PURGE_OF_GROUPS | PURGE_OF_PREFIXES;
    CHECK(p->scope == PURGE_OF_SITE || (p->scope && (p->scope & ~lists) == 0));
    CHECK(p->scope & PURGE_OF_TAGS || p->tags.n == 0);
    CHECK(p->scope & PURGE_OF_URLS || p->urls.n == 0);
    CHECK(p->scope & PURGE_OF_PREFIXES || p->prefixes.n == 0);
    CHECK(p->scope & PURGE_OF_GROUPS ? p->origin.n > 0 : p->groups.n == 0 && p->origin.n == 0);
    CHECK((unsigned)p->kind < PURGE_KINDS);
}

static bool is_too_long(const struct purge *p)
{
    return p->tags.n > PURGE_LIST_MAX || p->urls.n > PURGE_LIST_MAX || p->prefixes.n > PURGE_LIST_MAX ||
           p->groups.n > PURGE_LIST_MAX;
}

bool purge_is_empty(const struct purge *p)
{
    return p->scope != PURGE_OF_SITE && p->tags.n + p->urls.n + p->prefixes.n + p->groups.n == 0;
}

bool purge_check(struct purge *p, const struct settings *settings, struct arena *a, struct purge_error *error)
{
    struct purge_names none;
    check_whole(p);
    if (is_too_long(p))
        return purge_refuse(error, a, 413,
                            "more than %d tags, URLs, prefixes or groups in one purge; send them in several",
                            PURGE_LIST_MAX);
    if (!purge_names(p, settings, NULL, a, &none, error))
        return false;
    CHECK(none.n == 0 && (none.site || !(p->scope & (PURGE_OF_SITE | PURGE_OF_TAGS))));
    if (none.site)
        p->site = none.site->name;
    return true;
}

static bool same_names(const struct purge_names *a, const struct purge_names *b)
{
    return a->n == b->n && memcmp(a->v, b->v, a->n * sizeof(*a->v)) == 0;
}

static void purge_these(struct cache *c, const struct purge *p, const struct purge_names *names,
                        int64_t now_mono_ms, struct purge_result *out)
{
    uint64_t before = out->sequence;
    out->sequence = epochs_purge(c->epochs, p->kind, names->v, names->n, now_mono_ms);
    out->names += names->n;
    CHECK(out->sequence - before >= names->n);
}

bool purge_apply(struct cache *c, const struct settings *settings, const struct purge *p, int64_t now_mono_ms,
                 struct arena *a, struct purge_result *out, struct purge_error *error)
{
    struct purge_names names, again;
    check_whole(p);
    CHECK(!is_too_long(p));
    if (!purge_names(p, settings, c, a, &names, error))
        return false;
    CHECK((names.n == 0) == purge_is_empty(p));
    *out = (struct purge_result){ .sequence = epochs_latest(c->epochs) };
    if (names.n == 0)
        return true;
    purge_these(c, p, &names, now_mono_ms, out);
    if (p->scope == PURGE_OF_SITE)
        hints_forget(c, out->sequence);
    /* Which name a URL with a query is stored under depends on its resource's rule. A fetch that began
     * before the purge may have brought another rule between the look at the rule and the purge: so the
     * rules are asked again, and what they say now is purged too. A fetch that brings another rule later
     * gives its page the names of both (names_of_response). */
    if (p->urls.n) {
        CHECK(purge_names(p, settings, c, a, &again, error));
        if (!same_names(&names, &again))
            purge_these(c, p, &again, now_mono_ms, out);
    }
    return true;
}
