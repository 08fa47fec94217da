/*
 * The reference model. It does not know how freshet works: only what origins answered, and when; which purges
 * were acknowledged, and when; and what a visitor asked for. Times are bounds: what was not certain is not
 * judged.
 */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "sim_clock.h"

/* The program counts in milliseconds, reads its clock once an iteration, and may be late. */
#define SLACK (2 * SECOND)
/* A stale answer for an error: so long may it have been known before the request. */
#define ERROR_AGE     (20 * SECOND)
#define RELOAD_LASTS  (10 * SECOND)
#define PURGES_KEPT   64
#define WRITTEN_AFTER (5 * SECOND)
/* So long a head may be on its way, and so come after a later one. */
#define ON_THE_WAY (8 * SECOND)

struct page pages[PAGES];

struct done_purge {
    int64_t sent, acked;
    bool soft, durable;
};
static struct {
    struct done_purge v[PURGES_KEPT];
    size_t n; /* ever */
} purges[PAGES];

static struct fetch **fetches;
static unsigned fetches_n, fetches_cap;
static struct fetch *active[512];
static size_t active_n;
static int64_t failed_at[SITES];

/* Of each page and variant for everybody the youngest stored answer that a visitor has seen, and when. */
#define WAYS 3
static struct {
    int64_t received, answered, seen;
} youngest[PAGES][WAYS * WAYS * WAYS];
static bool disk_has_trouble;
static int64_t trouble;

void model_init(void)
{
    for (unsigned i = 0; i < PAGES; i++) {
        struct page *p = &pages[i];
        *p = (struct page){ .id = i,
                            .site = i % SITES,
                            .kind = (enum page_kind)(i / SITES % PAGE_KINDS),
                            .version = 1,
                            .group = (unsigned)sim_below(GROUPS),
                            .folder = (unsigned)sim_below(FOLDERS) };
        snprintf(p->path, sizeof(p->path), "/d%u/p%u", p->folder, i);
    }
    for (unsigned i = 0; i < SITES; i++)
        failed_at[i] = -1000 * SECOND;
}

/* ---- what origins say ---- */

struct variant model_variant(const struct page *p, struct variant v)
{
    bool personal = p->kind == PAGE_PRIVATE || p->kind == PAGE_MIXED;
    return (struct variant){ .lang = p->kind == PAGE_LANG ? v.lang : 0,
                             .ab = p->kind == PAGE_COOKIE ? v.ab : 0,
                             .q = p->kind == PAGE_QUERY ? v.q : 0,
                             .user = personal ? v.user : 0 };
}

bool model_is_public(const struct page *p, struct variant v)
{
    return p->kind != PAGE_NO_STORE && p->kind != PAGE_PRIVATE && (p->kind != PAGE_MIXED || v.user == 0);
}

static bool is_same(struct variant a, struct variant b)
{
    return memcmp(&a, &b, sizeof(a)) == 0;
}

/* A herd has one fetch: a second one beside it needs a reason. */
static void check_herd(const struct fetch *f)
{
    int64_t now = sim_now();
    if (world.small_memory || now - failed_at[f->page->site] < 5 * SECOND || f->page->uploads > 0)
        return;
    for (size_t i = 0; i < active_n; i++) {
        const struct fetch *g = active[i];
        /* Who comes when its windows are over does not join it. */
        int64_t ends = g->max_age + g->swr - 2 * SECOND;
        ends = ends < 4 * SECOND ? ends : 4 * SECOND;
        if (f->page->kind == PAGE_NO_CACHE && g->answered != INT64_MAX)
            continue; /* nor who comes when its head is there */
        if (g->page == f->page && is_same(g->variant, f->variant) && g->is_active && !g->is_cut &&
            f->page->disturbed < g->received - 3 * SECOND && now < g->received + ends)
            sim_fail("fetch %u of %s while fetch %u of the same runs, for %lld ms: a herd has one", f->id,
                     f->page->path, g->id, (long long)(now - g->received) / 1000);
    }
}

struct fetch *model_fetch(struct page *p, struct variant v, size_t bytes, bool is_shared)
{
    if (fetches_n == fetches_cap) {
        fetches_cap = fetches_cap ? fetches_cap * 2 : 4096;
        fetches = realloc(fetches, fetches_cap * sizeof(struct fetch *));
    }
    struct fetch *f = calloc(1, sizeof(*f));
    *f = (struct fetch){ .id = fetches_n + 1,
                         .page = p,
                         .variant = model_variant(p, v),
                         .version = p->version,
                         .bytes = bytes,
                         .received = sim_now(),
                         .answered = INT64_MAX,
                         .is_single = !model_is_public(p, v),
                         .is_shared = is_shared && model_is_public(p, v) && p->kind != PAGE_MIXED,
                         .is_active = true };
    fetches[fetches_n++] = f;
    if (f->is_shared)
        check_herd(f);
    else
        model_disturb(p); /* those who wait for it go on their own */
    for (size_t i = 0; i < active_n; i++)
        if (!active[i]->is_active)
            active[i--] = active[--active_n];
    CHECK(active_n < COUNT_OF(active));
    active[active_n++] = f;
    return f;
}

struct fetch *model_find(unsigned id)
{
    return id > 0 && id <= fetches_n ? fetches[id - 1] : NULL;
}

void model_answers(struct fetch *f)
{
    f->answered = f->first = sim_now();
    f->turned = sim_clock_turned();
}

void model_affirms(struct fetch *f, int64_t received)
{
    /* Of two at once the one that came first may be answered last. */
    f->received = received > f->received ? received : f->received;
    f->answered = sim_now();
}

void model_sees(unsigned fetch)
{
    struct fetch *f = model_find(fetch);
    if (f && !f->seen)
        f->seen = sim_now();
}

void model_failed(unsigned site)
{
    failed_at[site] = sim_now();
}

void model_disturb(struct page *p)
{
    p->disturbed = p->disturbed > sim_now() ? p->disturbed : sim_now();
}

int64_t model_trouble(void)
{
    return trouble;
}

void model_disturb_all(int64_t until)
{
    trouble = until > trouble ? until : trouble;
    for (unsigned i = 0; i < PAGES; i++)
        pages[i].disturbed = until > pages[i].disturbed ? until : pages[i].disturbed;
}

/* ---- purges ---- */

bool model_covers(const struct purging *x, const struct page *p)
{
    switch (x->of) {
    case PURGE_TAG:
    case PURGE_URL: return p->id == x->which;
    case PURGE_GROUP: return p->site == x->site && p->group == x->which;
    case PURGE_FOLDER: return p->site == x->site && p->folder == x->which;
    case PURGE_SITE: return p->site == x->site;
    }
    return false;
}

void model_purge_sent(const struct purging *x)
{
    for (unsigned i = 0; i < PAGES; i++)
        if (model_covers(x, &pages[i]))
            model_disturb(&pages[i]);
}

static void add_purge(unsigned page, struct done_purge done)
{
    purges[page].v[purges[page].n++ % PURGES_KEPT] = done;
    model_disturb(&pages[page]);
}

void model_purged(const struct purging *x, bool durable)
{
    for (unsigned i = 0; i < PAGES; i++)
        if (model_covers(x, &pages[i]))
            add_purge(i, (struct done_purge){ x->sent, sim_now(), x->soft, durable });
}

/* What the origin had been asked for before it answered is to be asked for again; who waits on disk for it,
 * nobody says. */
void model_invalidated(struct page *p, int64_t answered)
{
    add_purge(p->id, (struct done_purge){ answered, sim_now(), false, false });
}

void model_reloaded(void)
{
    for (unsigned i = 0; i < PAGES; i++)
        add_purge(i, (struct done_purge){ sim_now(), sim_now() + RELOAD_LASTS, false, true });
}

void model_restarted(void)
{
    model_disturb_all(sim_now());
    for (unsigned i = 0; i < PAGES; i++)
        for (size_t k = 0; k < PURGES_KEPT && k < purges[i].n; k++)
            if (!purges[i].v[k].durable)
                purges[i].v[k].acked = INT64_MAX; /* nobody promised more */
    /* What was stored last may be lost, and then an older one is the youngest. */
    for (unsigned i = 0; i < PAGES; i++)
        for (unsigned k = 0; k < WAYS * WAYS * WAYS; k++)
            if (disk_has_trouble || youngest[i][k].answered > sim_now() - WRITTEN_AFTER)
                youngest[i][k].received = 0;
    disk_has_trouble = false;
}

void model_disk_trouble(void)
{
    disk_has_trouble = true;
}

/* ---- bodies ---- */

#define BODY_HEAD 96

static size_t body_head(const struct fetch *f, char out[BODY_HEAD])
{
    int n = snprintf(out, BODY_HEAD, "F=%u P=%u L=%u C=%u Q=%u U=%u V=%u N=%zu ", f->id, f->page->id,
                     f->variant.lang, f->variant.ab, f->variant.q, f->variant.user, f->version, f->bytes);
    memset(out + n, '.', BODY_HEAD - (size_t)n);
    out[BODY_HEAD - 1] = '\n';
    return BODY_HEAD;
}

/* Of four pages one cannot be compressed. */
static bool is_text(const struct fetch *f)
{
    return f->page->id % 4 != 3;
}

void model_body(const struct fetch *f, size_t from, char *out, size_t n)
{
    char head[BODY_HEAD];
    body_head(f, head);
    sim_pattern(f->id, is_text(f), from, out, n);
    for (size_t i = 0; i < n && from + i < BODY_HEAD; i++)
        out[i] = head[from + i];
}

/* ---- what a visitor got ---- */

/* Is the fetch older than a purge that was acknowledged before the request was sent? `soft`: of that kind;
 * then *at is when the latest was acknowledged. */
static const struct done_purge *find_purge(const struct request *r, const struct fetch *f, bool soft)
{
    unsigned page = f->page->id;
    const struct done_purge *found = NULL;
    for (size_t k = 0; k < PURGES_KEPT && k < purges[page].n; k++) {
        const struct done_purge *p = &purges[page].v[k];
        if (p->soft == soft && p->acked < r->sent && f->received < p->sent &&
            (!found || p->acked > found->acked))
            found = p;
    }
    return found;
}

/* Until when may the fetch be sent, if it is stale since `since`? */
static int64_t stale_end(const struct fetch *f, int64_t since)
{
    bool errors = failed_at[f->page->site] > since - ERROR_AGE;
    int64_t window = errors && f->sie > f->swr ? f->sie : f->swr;
    return since + window;
}

static void check_age(const struct request *r, const struct fetch *f, const char *how)
{
    /* Who has a head may have it of an earlier 304 than the last. */
    bool was_known = f->answered == f->first && f->seen && r->sent > f->seen;
    if (f->page->kind == PAGE_NO_CACHE && (was_known || r->sent > f->answered + ON_THE_WAY))
        sim_fail(
            "request %u for %s got fetch %u, %lld ms after its origin was last asked, which said no-cache",
            r->number, r->page->path, f->id, (long long)(r->sent - f->answered) / 1000);
    /* A boot, and what the wall clock did since, make ages uncertain by as much. */
    int64_t turned = f->first < sim_clock_booted() ? (sim_clock_turned() - f->turned) * MS : 0;
    int64_t fresh_end = f->answered + f->max_age, end = stale_end(f, fresh_end) + turned + SLACK;
    if (strstr(how, "; collapsed"))
        end += ON_THE_WAY; /* it waited for a head that may have been as late */
    if (r->sent > end)
        sim_fail("request %u for %s got fetch %u %lld ms after its last window", r->number, r->page->path,
                 f->id, (long long)(r->sent - end + SLACK) / 1000);
    const struct done_purge *p = find_purge(r, f, true);
    if (p && r->sent > stale_end(f, p->acked) + turned + SLACK)
        sim_fail("request %u for %s got fetch %u %lld ms after a soft purge", r->number, r->page->path, f->id,
                 (long long)(r->sent - p->acked) / 1000);
}

static void check_purged(const struct request *r, const struct fetch *f)
{
    const struct done_purge *p = find_purge(r, f, false);
    if (p)
        sim_fail(
            "request %u for %s, sent at %lld, got fetch %u, received at %lld: purged at %lld to %lld (us)",
            r->number, r->page->path, (long long)r->sent, f->id, (long long)f->received, (long long)p->sent,
            (long long)p->acked);
}

static void check_bytes(const struct request *r, const struct fetch *f, size_t from, const char *bytes,
                        size_t n)
{
    char head[BODY_HEAD];
    body_head(f, head);
    size_t differs = 0, in_head = from >= BODY_HEAD ? 0 : BODY_HEAD - from < n ? BODY_HEAD - from : n;
    while (differs < in_head && bytes[differs] == head[from + differs])
        differs++;
    if (differs == in_head)
        differs += sim_pattern_differs(f->id, is_text(f), from + differs, bytes + differs, n - differs);
    if (differs < n)
        sim_fail("request %u for %s got another byte %zu than fetch %u has", r->number, r->page->path,
                 from + differs, f->id);
}

/* RFC 9111 4: of several that would do the most recent one; what a visitor has seen of the cache, no later
 * one sees something older. But of a body that is on its way somebody may have a part, and then it is cut. */
static void check_youngest(const struct request *r, const struct fetch *f, bool is_whole, const char *how)
{
    bool is_hit = strstr(how, "; hit") != NULL;
    if (!f->is_shared || (!is_hit && (!is_whole || !strstr(how, "; stored"))))
        return;
    unsigned way = (f->variant.lang * WAYS + f->variant.ab) * WAYS + f->variant.q;
    CHECK(way < WAYS * WAYS * WAYS);
    if (is_hit && r->sent > youngest[f->page->id][way].seen &&
        f->answered + ON_THE_WAY < youngest[f->page->id][way].received)
        sim_fail(
            "request %u for %s got fetch %u, answered at %lld: a visitor has seen one asked for at %lld (us)",
            r->number, r->page->path, f->id, (long long)f->answered,
            (long long)youngest[f->page->id][way].received);
    if (f->received <= youngest[f->page->id][way].received)
        return;
    youngest[f->page->id][way].received = f->received;
    youngest[f->page->id][way].answered = f->answered;
    youngest[f->page->id][way].seen = sim_now();
}

/* All but the bytes. */
static void check_fetch(const struct request *r, struct fetch *f, bool is_whole, const char *how)
{
    bool is_hit = strstr(how, "; hit") != NULL;
    if (f->page != r->page)
        sim_fail("request %u for %s got %s (fetch %u)", r->number, r->page->path, f->page->path, f->id);
    struct variant wanted = model_variant(r->page, r->variant);
    if (!is_same(f->variant, wanted))
        sim_fail(
            "request %u for %s got fetch %u of user %u, language %u, cookie %u, q %u instead of %u %u %u %u",
            r->number, r->page->path, f->id, f->variant.user, f->variant.lang, f->variant.ab, f->variant.q,
            wanted.user, wanted.lang, wanted.ab, wanted.q);
    if (f->is_single && (is_hit || (f->request && f->request != r->number)))
        sim_fail("request %u for %s got fetch %u, which was for another request alone", r->number,
                 r->page->path, f->id);
    f->request = r->number;
    check_purged(r, f);
    check_age(r, f, how);
    check_youngest(r, f, is_whole, how);
}

void model_check(const struct request *r, const char *body, size_t n, const char *how)
{
    unsigned id = 0;
    char start[24];
    snprintf(start, sizeof(start), "%.*s", (int)(n < 20 ? n : 20), body);
    struct fetch *f = sscanf(start, "F=%u ", &id) == 1 ? model_find(id) : NULL;
    if (!f)
        sim_fail("request %u for %s got what no origin has sent: \"%s\"", r->number, r->page->path, start);
    if (n != f->bytes)
        sim_fail("request %u for %s got %zu bytes of fetch %u as a whole, which has %zu", r->number,
                 r->page->path, n, f->id, f->bytes);
    check_bytes(r, f, 0, body, n);
    check_fetch(r, f, true, how);
}

static struct fetch *named(const struct request *r, unsigned id)
{
    struct fetch *f = model_find(id);
    if (!f)
        sim_fail("request %u for %s got an ETag that no origin has sent", r->number, r->page->path);
    return f;
}

void model_check_part(const struct request *r, unsigned id, size_t from, const char *bytes, size_t n,
                      const char *how)
{
    struct fetch *f = named(r, id);
    if (r->if_range && r->if_range != id)
        sim_fail("request %u for %s got a part of fetch %u, and has one of fetch %u", r->number,
                 r->page->path, id, r->if_range);
    check_bytes(r, f, from, bytes, n);
    check_fetch(r, f, false, how);
}

void model_check_304(const struct request *r, unsigned id, const char *how)
{
    if (id != r->if_none_match)
        sim_fail("request %u for %s got a 304 for fetch %u, and has fetch %u", r->number, r->page->path, id,
                 r->if_none_match);
    check_fetch(r, named(r, id), false, how);
}
