#include "deploy/ledger.h"

#include <string.h>

#include "base/mem.h"
#include "deploy/ledger_saved.h"

static char *copy(struct str s)
{
    char *p = mem_alloc(s.n + 1);
    str_put(p, s);
    return p;
}

/* Under the lock. NULL: nothing was deployed there, and no settings were made of it. */
static struct ledger_site *find(const struct ledger *l, struct str name)
{
    struct ledger_site *site = l->sites;
    while (site && !str_eq(str_from(site->name), name))
        site = site->next;
    return site;
}

static struct ledger_site *find_or_add(struct ledger *l, struct str name)
{
    struct ledger_site *site = find(l, name);
    if (site)
        return site;
    site = mem_alloc(sizeof(*site));
    site->name = copy(name);
    site->releases[0].number = 1;
    site->releases_n = 1;
    site->live_since_ms = site->prepared_since_ms = INT64_MIN;
    site->next = l->sites;
    l->sites = site;
    return site;
}

struct ledger_site *ledger_site_for(struct ledger *l, struct str name)
{
    return find_or_add(l, name);
}

static struct ledger_release *live(struct ledger_site *site)
{
    CHECK(site->releases_n > 0);
    return &site->releases[site->releases_n - 1];
}

void ledger_init(struct ledger *l)
{
    lock_init(&l->lock);
    l->last = 1;
}

void ledger_fini(struct ledger *l)
{
    for (struct ledger_site *site = l->sites, *next; site; site = next) {
        next = site->next;
        mem_free(site->name);
        mem_free(site->configured);
        mem_free(site);
    }
    lock_fini(&l->lock);
}

uint32_t ledger_number(struct ledger *l)
{
    lock_take(&l->lock);
    uint32_t number = l->last == UINT32_MAX ? 0 : ++l->last;
    lock_give(&l->lock);
    return number;
}

void ledger_live(struct ledger *l, struct str name, struct ledger_release *out)
{
    lock_take(&l->lock);
    struct ledger_site *site = find(l, name);
    *out = site ? *live(site) : (struct ledger_release){ .number = 1 };
    lock_give(&l->lock);
}

bool ledger_before(struct ledger *l, struct str name, struct ledger_release *out)
{
    lock_take(&l->lock);
    struct ledger_site *site = find(l, name);
    bool is_there = site && site->releases_n > 1;
    if (is_there)
        *out = site->releases[site->releases_n - 2];
    lock_give(&l->lock);
    return is_there;
}

uint64_t ledger_deploys(struct ledger *l, struct str name)
{
    lock_take(&l->lock);
    struct ledger_site *site = find(l, name);
    uint64_t n = site ? site->deploys : 0;
    lock_give(&l->lock);
    return n;
}

/* ---- a switch ---- */

static void note_switch(struct ledger_site *site, struct release_switch s)
{
    if (site->switches_n == LEDGER_SWITCHES_MAX) {
        memmove(site->switches, site->switches + 1, (LEDGER_SWITCHES_MAX - 1) * sizeof(s));
        site->switches_n--;
    }
    site->switches[site->switches_n++] = s;
}

static bool is_before(const struct ledger_site *site, const struct ledger_release *to)
{
    return site->releases_n > 1 && site->releases[site->releases_n - 2].number == to->number;
}

static void push(struct ledger_site *site, const struct ledger_release *to)
{
    if (site->releases_n == LEDGER_RELEASES_MAX) {
        memmove(site->releases, site->releases + 1, (LEDGER_RELEASES_MAX - 1) * sizeof(*to));
        site->releases_n--;
    }
    site->releases[site->releases_n++] = *to;
}

void ledger_switch(struct ledger *l, struct str name, const struct ledger_release *to, int64_t keep_ms,
                   int64_t prepared_since_ms, struct now now)
{
    lock_take(&l->lock);
    struct ledger_site *site = find_or_add(l, name);
    if (is_before(site, to))
        site->releases_n--;
    else
        push(site, to);
    live(site)->live_since_wall_ms = now.wall_ms;
    note_switch(site, (struct release_switch){ now.mono_ms, keep_ms });
    site->live_since_ms = now.mono_ms;
    site->prepared_since_ms = prepared_since_ms;
    site->deploys++;
    ledger_save(l, site, now);
    lock_give(&l->lock);
}

/* ---- settings ---- */

/* A release as settings have it, in the arena. */
struct drawn {
    struct release release;
    uint32_t stored[LEDGER_RELEASES_MAX + 1];
    char id[LEDGER_ID_MAX + 1];
    char origin[LEDGER_ORIGIN_MAX + 1];
    struct release_switch switches[LEDGER_SWITCHES_MAX];
};

/* Under the lock. `ahead`: a release that is not live; NULL: the live one is drawn. */
static struct site_release draw(struct ledger_site *site, const struct ledger_release *ahead, struct arena *a)
{
    const struct ledger_release *of = ahead ? ahead : live(site);
    struct drawn *d = arena_zero(a, sizeof(*d));
    size_t n = 0;
    memcpy(d->id, of->id, sizeof(d->id));
    memcpy(d->origin, of->origin, sizeof(d->origin));
    memcpy(d->switches, site->switches, site->switches_n * sizeof(*d->switches));
    for (; n < site->releases_n; n++)
        d->stored[n] = site->releases[n].number;
    if (ahead)
        d->stored[n++] = ahead->number;
    d->release = (struct release){ .number = of->number,
                                   .id = str_from(d->id),
                                   .live_since_ms = ahead ? INT64_MAX : site->live_since_ms,
                                   .prepared_since_ms = ahead ? INT64_MAX : site->prepared_since_ms,
                                   .switches = d->switches,
                                   .switches_n = site->switches_n,
                                   .stored = d->stored,
                                   .stored_n = n };
    return (struct site_release){ &d->release, str_from(d->origin) };
}

static struct settings *make(struct ledger *l, struct settings *read, struct str name,
                             const struct ledger_release *ahead)
{
    struct arena a;
    arena_init(&a, 16384);
    struct site_release *v = arena_zero(&a, read->sites_n * sizeof(*v));
    for (size_t i = 0; i < read->sites_n; i++) {
        bool is_ahead = ahead && str_eq(read->sites[i].name, name);
        v[i] = draw(find_or_add(l, read->sites[i].name), is_ahead ? ahead : NULL, &a);
    }
    struct settings *s = settings_with_releases(read, v);
    arena_fini(&a);
    return s;
}

/* The origin of a deploy counts until the file names another one. true: it did. */
static bool take_configured(struct ledger_site *site, struct str origin)
{
    bool differs = site->configured && !str_eq(str_from(site->configured), origin);
    if (!site->configured || differs) {
        mem_free(site->configured);
        site->configured = copy(origin);
    }
    bool overruled = differs && live(site)->origin[0];
    if (differs)
        for (size_t i = 0; i < site->releases_n; i++)
            site->releases[i].origin[0] = '\0';
    return overruled;
}

struct settings *ledger_settings(struct ledger *l, struct settings *read, struct now now, struct str *changed)
{
    bool any = false;
    lock_take(&l->lock);
    for (size_t i = 0; i < read->sites_n; i++) {
        struct ledger_site *site = find_or_add(l, read->sites[i].name);
        if (take_configured(site, read->sites[i].origin_text)) {
            *changed = read->sites[i].name;
            ledger_save(l, site, now);
        }
        any |= site->deploys > 0;
    }
    struct settings *s = any ? make(l, read, STR_NONE, NULL) : settings_ref(read);
    lock_give(&l->lock);
    return s;
}

struct settings *ledger_settings_with(struct ledger *l, struct settings *in_force, struct str name,
                                      const struct ledger_release *to)
{
    lock_take(&l->lock);
    struct settings *s = make(l, settings_as_read(in_force), name, to);
    lock_give(&l->lock);
    return s;
}
