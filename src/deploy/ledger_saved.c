#include "deploy/ledger_saved.h"

#include <string.h>

#include "base/mem.h"
#include "store/facts.h"

#define NUMBER_KEY STR("releases")
#define SITE_KEY   "deploys "

/* Numbers that were given in the last moments of a process may be missing on disk. */
#define NUMBERS_SKIPPED 64

/* ---- writing ---- */

static int64_t wall_of(int64_t mono_ms, struct now now)
{
    int64_t wall_ms = now.wall_ms - (now.mono_ms - mono_ms);
    return wall_ms < 0 ? 0 : wall_ms; /* a clock that was never set */
}

void ledger_write(const struct ledger_site *site, struct now now, struct buf *to)
{
    buf_printf(to, "ledger\t1\t%llu\n", (unsigned long long)site->deploys);
    buf_printf(to, "configured\t%s\n", site->configured ? site->configured : "");
    for (size_t i = 0; i < site->releases_n; i++) {
        const struct ledger_release *r = &site->releases[i];
        buf_printf(to, "release\t%u\t%lld\t%u\t%u\t%s\t%s\n", r->number, (long long)r->live_since_wall_ms,
                   r->warm_pages, r->warm_assets, r->id, r->origin);
    }
    for (size_t i = 0; i < site->switches_n; i++)
        buf_printf(to, "switch\t%lld\t%lld\n", (long long)wall_of(site->switches[i].at_ms, now),
                   (long long)site->switches[i].keep_ms);
}

static void put_number(const struct ledger *l)
{
    struct buf text = BUF_INIT;
    buf_add_u64(&text, l->last);
    facts_put(l->facts, NUMBER_KEY, buf_str(&text));
    buf_fini(&text);
}

void ledger_save(const struct ledger *l, const struct ledger_site *site, struct now now)
{
    struct buf key = BUF_INIT, text = BUF_INIT;
    if (!l->facts)
        return;
    put_number(l);
    buf_printf(&key, SITE_KEY "%s", site->name);
    ledger_write(site, now, &text);
    if (text.n <= FACTS_VALUE_MAX)
        facts_put(l->facts, buf_str(&key), buf_str(&text));
    facts_ask(l->facts); /* whoever asked for the deploy may be gone */
    buf_fini(&key);
    buf_fini(&text);
}

/* ---- reading ---- */

#define FIELDS_MAX 7

/* Cuts a line into its fields. Returns how many; 0: there are more. */
static size_t fields_of(struct str line, struct str out[FIELDS_MAX])
{
    for (size_t n = 0; n < FIELDS_MAX; n++) {
        out[n] = str_cut(&line, '\t');
        if (!line.p)
            return n + 1;
    }
    return 0;
}

static bool read_u32(struct str s, uint32_t *out)
{
    uint64_t n;
    bool good = str_to_u64(s, UINT32_MAX, &n);
    *out = good ? (uint32_t)n : 0;
    return good;
}

static bool read_ms(struct str s, int64_t *out)
{
    uint64_t n;
    bool good = str_to_u64(s, INT64_MAX / 4, &n);
    *out = good ? (int64_t)n : 0;
    return good;
}

/* Into an array of room + 1 bytes. */
static bool read_text(struct str s, size_t room, char *out)
{
    if (s.n > room)
        return false;
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
            return false;
    str_put(out, s);
    out[s.n] = '\0';
    return true;
}

static bool read_release(const struct str f[FIELDS_MAX], struct ledger_site *site)
{
    struct ledger_release *r = &site->releases[site->releases_n];
    if (site->releases_n == LEDGER_RELEASES_MAX)
        return false;
    site->releases_n++;
    return read_u32(f[1], &r->number) && r->number > 0 && read_ms(f[2], &r->live_since_wall_ms) &&
           read_u32(f[3], &r->warm_pages) && read_u32(f[4], &r->warm_assets) &&
           read_text(f[5], LEDGER_ID_MAX, r->id) && read_text(f[6], LEDGER_ORIGIN_MAX, r->origin);
}

/* A wall clock that went back makes nothing younger: what lies ahead of it was at its time. */
static bool read_switch(const struct str f[FIELDS_MAX], struct now now, struct ledger_site *site)
{
    struct release_switch *s = &site->switches[site->switches_n];
    int64_t wall_ms;
    if (site->switches_n == LEDGER_SWITCHES_MAX || !read_ms(f[1], &wall_ms) || !read_ms(f[2], &s->keep_ms))
        return false;
    s->at_ms = wall_ms < now.wall_ms ? now.mono_ms - (now.wall_ms - wall_ms) : now.mono_ms;
    site->switches_n++;
    return true;
}

static bool read_line(struct str line, struct now now, struct ledger_site *site)
{
    struct str f[FIELDS_MAX];
    size_t n = fields_of(line, f);
    if (n == 7 && str_eq(f[0], STR("release")))
        return read_release(f, site);
    if (n == 3 && str_eq(f[0], STR("switch")))
        return read_switch(f, now, site);
    if (n == 2 && str_eq(f[0], STR("configured")) && !site->configured) {
        char *text = mem_alloc(f[1].n + 1);
        bool good = read_text(f[1], f[1].n, text);
        site->configured = text;
        return good;
    }
    return false;
}

bool ledger_read(struct str text, struct now now, struct ledger_site *site)
{
    struct ledger_site read = { .live_since_ms = INT64_MIN, .prepared_since_ms = INT64_MIN };
    struct str f[FIELDS_MAX], first = str_cut(&text, '\n');
    bool good = fields_of(first, f) == 3 && str_eq(f[0], STR("ledger")) && str_eq(f[1], STR("1")) &&
                str_to_u64(f[2], INT64_MAX, &read.deploys);
    while (good && text.n)
        good = read_line(str_cut(&text, '\n'), now, &read);
    /* The last line ends, too. */
    good = good && text.p && read.releases_n > 0 && read.configured;
    if (!good) {
        mem_free(read.configured);
        return false;
    }
    if (!read.configured[0]) {
        mem_free(read.configured);
        read.configured = NULL;
    }
    if (read.switches_n)
        read.live_since_ms = read.prepared_since_ms = read.switches[read.switches_n - 1].at_ms;
    read.name = site->name;
    read.next = site->next;
    *site = read;
    return true;
}

void ledger_load(struct ledger *l, struct facts *f, const struct settings *settings, struct now now,
                 struct buf *said)
{
    uint64_t last = 0;
    struct buf key = BUF_INIT;
    if (str_to_u64(facts_get(f, NUMBER_KEY), UINT32_MAX, &last) && last > l->last)
        l->last = (uint32_t)(last < UINT32_MAX - NUMBERS_SKIPPED ? last + NUMBERS_SKIPPED : UINT32_MAX);
    for (size_t i = 0; i < settings->sites_n; i++) {
        struct str name = settings->sites[i].name;
        buf_clear(&key);
        buf_printf(&key, SITE_KEY "%.*s", STR_ARG(name));
        struct str text = facts_get(f, buf_str(&key));
        if (text.n && !ledger_read(text, now, ledger_site_for(l, name)))
            buf_printf(
                said,
                "%ssite %.*s: what was deployed cannot be read in the state folder and is forgotten: its "
                "origin is that of the configuration",
                said->n ? "; " : "", STR_ARG(name));
    }
    buf_fini(&key);
    l->facts = f;
    put_number(l);
}
