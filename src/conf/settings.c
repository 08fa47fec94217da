/*
 * From file and flags to a snapshot. A *layer* is what one place says: the top of the file, one site, the
 * flags, a profile's defaults. Each value is parsed once, where it stands; a setting of a site is then the
 * value of the first layer that gives it: flags, site, top of the file, profile.
 */
#include "conf/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/mem.h"
#include "conf/foreign.h"
#include "conf/nearest.h"
#include "conf/node.h"
#include "conf/setting.h"
#include "conf/tree.h"
#include "conf/value.h"
#include "http/url.h"

#define SITES_MAX 1000

struct entry {
    enum { ENTRY_NONE, ENTRY_GOOD, ENTRY_BAD } state; /* BAD: given, and reported */
    struct place at;
    const struct tree *node; /* NULL: a flag or a default */
    union value value;
};

struct layer {
    struct entry profile; /* .value.choice */
    struct entry v[SETTING_COUNT];
};

struct build {
    struct settings *s;
    struct arena scratch; /* the tree, the texts of problems */
    struct report report;
    struct layer top, flags;
    struct layer profiles[PROFILE_COUNT];
    const struct tree *sites; /* the node `sites:`, or NULL */
    struct entry site_name;   /* from --site: .value.text */
    struct str site;          /* the one that is being read; empty: none */
};

/* ---- one value ---- */

/* What may not be empty and was given nevertheless as nothing. */
static bool check_needed(struct build *b, const struct setting *s, const union value *v, struct place at)
{
    bool empty = (s->type == TYPE_TEXT && v->text.n == 0) || (s->type == TYPE_LIST && v->list.n == 0);
    if (s->needed && empty)
        value_problem(s, &b->report, at, "is empty; write a value");
    return !(s->needed && empty);
}

static bool read_profile(struct build *b, struct str text, struct place at, union value *out)
{
    enum profile p;
    if (setting_profile_by_name(text, &p)) {
        out->choice = (int)p;
        return true;
    }
    struct nearest near = nearest_to(text);
    for (p = 0; p < PROFILE_COUNT; p++)
        nearest_offer(&near, profile_name(p));
    struct str name = near.name.n ? near.name : STR("isr");
    report_add(&b->report, at, "%s%s is no profile (isr, rfc9111, dev); did you mean \"%.*s\"?",
               at.flag.n ? "" : "profile: ", report_quote(&b->report, text), STR_ARG(name));
    return false;
}

/* ---- the file ---- */

static bool is_first(struct build *b, const struct entry *e, const struct tree *t)
{
    if (e->state == ENTRY_NONE || !e->node)
        return true;
    report_add(&b->report, PLACE_LINE(t->line), "%s is set twice, first in line %u; remove one",
               report_quote(&b->report, t->key), e->at.line);
    return false;
}

static void put_entry(struct entry *e, bool good, const struct tree *t)
{
    e->state = good ? ENTRY_GOOD : ENTRY_BAD;
    e->at = PLACE_LINE(t->line);
    e->node = t;
}

static void report_unknown(struct build *b, struct layer *l, bool in_site, const struct tree *t)
{
    struct nearest near = nearest_to(t->key);
    for (enum setting_id id = 0; id < SETTING_COUNT; id++)
        if (!in_site || setting_table[id].scope == SCOPE_SITE)
            nearest_offer(&near, setting_table[id].name);
    nearest_offer(&near, STR("profile"));
    if (!in_site)
        nearest_offer(&near, STR("sites"));
    struct str meant = foreign_setting(t->key);
    if (meant.n && (!in_site || setting_table[setting_by_name(meant, false)].scope == SCOPE_SITE))
        near.name = meant;
    const char *quoted = report_quote(&b->report, t->key);
    if (!near.name.n) {
        report_add(&b->report, PLACE_LINE(t->line),
                   "unknown setting %s; the known ones are in docs/CONFIGURATION.md", quoted);
        return;
    }
    report_add(&b->report, PLACE_LINE(t->line), "unknown setting %s; did you mean \"%.*s\"?", quoted,
               STR_ARG(near.name));
    /* Given, though badly: nobody should read that `origin` is missing as well. */
    enum setting_id id = setting_by_name(near.name, false);
    if (id < SETTING_COUNT && l->v[id].state == ENTRY_NONE)
        l->v[id] = (struct entry){ .state = ENTRY_BAD };
}

static void read_setting(struct build *b, struct layer *l, bool in_site, const struct tree *t)
{
    enum setting_id id = setting_by_name(t->key, false);
    if (str_eq(t->key, STR("profile"))) {
        if (!is_first(b, &l->profile, t))
            return;
        struct str text = t->kind == TREE_TEXT ? t->text : STR_NONE;
        put_entry(&l->profile, read_profile(b, text, PLACE_LINE(t->line), &l->profile.value), t);
    } else if (id == SETTING_COUNT) {
        report_unknown(b, l, in_site, t);
    } else if (in_site && setting_table[id].scope == SCOPE_PROCESS) {
        report_add(&b->report, PLACE_LINE(t->line),
                   "%s belongs to the whole process; move it to the top of the file",
                   report_quote(&b->report, t->key));
    } else if (is_first(b, &l->v[id], t)) {
        const struct setting *s = &setting_table[id];
        union value *v = &l->v[id].value;
        struct node_reader n = { &b->s->arena, &b->scratch, &b->report, b->site };
        put_entry(&l->v[id], node_read(&n, s, t, v) && check_needed(b, s, v, PLACE_LINE(t->line)), t);
    }
}

static void read_sites(struct build *b, const struct tree *t)
{
    if (b->sites) {
        report_add(&b->report, PLACE_LINE(t->line), "\"sites\" is set twice, first in line %u; remove one",
                   b->sites->line);
        return;
    }
    b->sites = t;
    if (t->kind != TREE_MAP || t->n == 0)
        report_add(&b->report, PLACE_LINE(t->line),
                   "sites: is not a block of sites; write below it NAME: and, indented, the site's settings");
    else if (t->n > SITES_MAX)
        report_add(&b->report, PLACE_LINE(t->line), "sites: %zu are too many; at most %d", t->n, SITES_MAX);
}

static bool read_top(struct build *b, const struct tree *root)
{
    if (root->kind == TREE_TEXT || root->kind == TREE_LIST) {
        report_add(&b->report, PLACE_LINE(root->line),
                   "this is not a configuration; write lines like origin: http://HOST");
        return false;
    }
    for (const struct tree *t = root->first; t; t = t->next) {
        if (str_eq(t->key, STR("sites")))
            read_sites(b, t);
        else
            read_setting(b, &b->top, false, t);
    }
    return true;
}

/* ---- the flags ---- */

static struct str override_flag(struct build *b, const struct override *o)
{
    return o->flag.n ? o->flag : arena_printf(&b->scratch, "--%.*s", STR_ARG(o->name));
}

static void report_unknown_flag(struct build *b, const struct override *o, struct place at)
{
    struct nearest near = nearest_to(o->name);
    for (enum setting_id id = 0; id < SETTING_COUNT; id++)
        nearest_offer(&near, setting_table[id].name);
    if (near.name.n)
        report_add(&b->report, at, "unknown setting; did you mean \"%.*s\"?", STR_ARG(near.name));
    else
        report_add(&b->report, at, "unknown setting; the known ones are in docs/CONFIGURATION.md");
}

/* All values given for a list, in order; empty ones count for nothing. */
static bool read_flag_list(struct build *b, enum setting_id id, const struct override *o, size_t n,
                           union value *out)
{
    struct str *texts = arena_alloc(&b->scratch, n * sizeof(*texts));
    struct place *at = arena_alloc(&b->scratch, n * sizeof(*at));
    size_t items = 0;
    for (size_t i = 0; i < n; i++) {
        if (o[i].value.n == 0 || setting_by_name(o[i].name, true) != id)
            continue;
        texts[items] = o[i].value;
        at[items++] = PLACE_FLAG(override_flag(b, &o[i]));
    }
    return value_parse_list(&setting_table[id], texts, at, items, &b->s->arena, out, &b->report);
}

static void read_flag_setting(struct build *b, enum setting_id id, const struct override *o, size_t n)
{
    const struct setting *s = &setting_table[id];
    struct entry *e = &b->flags.v[id];
    bool is_list = s->type == TYPE_LIST, good;
    if (is_list && e->state != ENTRY_NONE)
        return; /* the first took all */
    e->at = PLACE_FLAG(override_flag(b, o));
    if (is_list)
        good = read_flag_list(b, id, o, n, &e->value);
    else
        good = value_parse(s, o->value, &b->s->arena, &e->value, &b->report, e->at);
    e->state = good && check_needed(b, s, &e->value, e->at) ? ENTRY_GOOD : ENTRY_BAD;
}

static void read_flags(struct build *b, const struct override *o, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct place at = PLACE_FLAG(override_flag(b, &o[i]));
        enum setting_id id = setting_by_name(o[i].name, true);
        if (str_eq(o[i].name, STR("profile"))) {
            bool good = read_profile(b, o[i].value, at, &b->flags.profile.value);
            b->flags.profile.state = good ? ENTRY_GOOD : ENTRY_BAD;
        } else if (str_eq(o[i].name, STR("site"))) {
            b->site_name = (struct entry){ .state = ENTRY_GOOD, .at = at, .value.text = o[i].value };
        } else if (id == SETTING_COUNT) {
            report_unknown_flag(b, &o[i], at);
        } else {
            read_flag_setting(b, id, &o[i], n - i);
        }
    }
}

/* ---- the layers, one on the other ---- */

static const struct layer *profile_layer(const struct build *b, const struct layer *site)
{
    const struct layer *order[] = { &b->flags, site, &b->top };
    for (size_t i = 0; i < COUNT_OF(order); i++)
        if (order[i] && order[i]->profile.state == ENTRY_GOOD)
            return &b->profiles[order[i]->profile.value.choice];
    return &b->profiles[PROFILE_ISR];
}

/* The first layer that gives it, also badly; `site` may be NULL. Never NULL. */
static const struct entry *entry_of(const struct build *b, enum setting_id id, const struct layer *site)
{
    const struct layer *order[] = { &b->flags, site, &b->top };
    for (size_t i = 0; i < COUNT_OF(order); i++)
        if (order[i] && order[i]->v[id].state != ENTRY_NONE)
            return &order[i]->v[id];
    return &profile_layer(b, site)->v[id];
}

static void make_profiles(struct build *b)
{
    struct layer *isr = &b->profiles[PROFILE_ISR];
    for (enum profile p = 0; p < PROFILE_COUNT; p++)
        for (enum setting_id id = 0; id < SETTING_COUNT; id++) {
            struct str initial = setting_initial(id, p);
            struct entry *e = &b->profiles[p].v[id];
            e->state = ENTRY_GOOD;
            if (p != PROFILE_ISR && str_eq(initial, setting_table[id].initial))
                e->value = isr->v[id].value;
            else
                e->value = value_of_default(&setting_table[id], initial, &b->s->arena);
        }
}

static void merge(struct build *b, enum setting_scope scope, const struct layer *site, void *base)
{
    for (enum setting_id id = 0; id < SETTING_COUNT; id++) {
        const struct setting *s = &setting_table[id];
        const struct entry *e = entry_of(b, id, site);
        if (s->scope != scope)
            continue;
        if (e->state == ENTRY_BAD)
            b->s->start_is_broken |= scope == SCOPE_PROCESS || id == SETTING_purge_from;
        if (e->state == ENTRY_BAD && s->type != TYPE_MAPS) /* of a list of blocks, the good ones count */
            e = &b->profiles[PROFILE_ISR].v[id];
        value_store(s, &e->value, base);
    }
}

/* ---- what is made of settings ---- */

/* CACHING.md 4.7: parameters that tell where a visitor came from and never what the page shows. */
static const struct str tracking_params[] = {
    STR_INIT("utm_source"),  STR_INIT("utm_medium"), STR_INIT("utm_campaign"), STR_INIT("utm_term"),
    STR_INIT("utm_content"), STR_INIT("utm_id"),     STR_INIT("fbclid"),       STR_INIT("gclid"),
    STR_INIT("gbraid"),      STR_INIT("wbraid"),     STR_INIT("dclid"),        STR_INIT("msclkid"),
    STR_INIT("twclid"),      STR_INIT("li_fat_id"),  STR_INIT("mc_cid"),       STR_INIT("mc_eid"),
    STR_INIT("_ga"),         STR_INIT("_gl"),        STR_INIT("yclid"),        STR_INIT("_hsenc"),
    STR_INIT("_hsmi"),       STR_INIT("vero_id"),    STR_INIT("wickedid"),     STR_INIT("oly_anon_id"),
    STR_INIT("oly_enc_id"),  STR_INIT("igshid"),
};

static void finish_params(struct build *b, struct site_settings *site)
{
    const struct strs *from = &site->ignore_query;
    struct strs *to = &site->ignored_params;
    if (from->n == 0)
        return;
    to->v = arena_alloc(&b->s->arena, (from->n + COUNT_OF(tracking_params)) * sizeof(*to->v));
    bool has_tracking = false;
    for (size_t i = 0; i < from->n; i++) {
        if (str_eq(from->v[i], STR("tracking")))
            has_tracking = true;
        else
            to->v[to->n++] = query_decode(from->v[i], &b->s->arena);
    }
    for (size_t i = 0; has_tracking && i < COUNT_OF(tracking_params); i++)
        to->v[to->n++] = tracking_params[i];
    to->n = str_sort_unique(to->v, to->n);
}

/* ---- cookies ---- */

enum cookie_list { COOKIE_LIST_preview, COOKIE_LIST_logged_in, COOKIE_LIST_analytics, COOKIE_LIST_COUNT };

static const struct {
    enum cookie_list list;
    struct str name;
} known_cookies[] = {
#define COOKIE(list, name, whose) { COOKIE_LIST_##list, STR_INIT(name) },
#include "tbl/cookies.h"
#undef COOKIE
};

static bool is_cookie_list(struct str word, enum cookie_list *out)
{
    static const struct str words[] = { STR_INIT("preview"), STR_INIT("logged-in"), STR_INIT("analytics") };
    _Static_assert(COUNT_OF(words) == COOKIE_LIST_COUNT, "a word for each list");
    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (str_eq(word, words[i])) {
            *out = (enum cookie_list)i;
            return true;
        }
    return false;
}

/* Adds the names of a list of settings, and those that its words stand for. Returns their number. */
static size_t add_cookies(const struct strs *from, unsigned kind, struct cookie_named *to)
{
    bool has[COOKIE_LIST_COUNT] = { false };
    size_t n = 0;
    for (size_t i = 0; i < from->n; i++) {
        enum cookie_list list;
        if (is_cookie_list(from->v[i], &list))
            has[list] = true;
        else
            to[n++] = (struct cookie_named){ from->v[i], kind };
    }
    for (size_t i = 0; i < COUNT_OF(known_cookies); i++)
        if (has[known_cookies[i].list])
            to[n++] = (struct cookie_named){ known_cookies[i].name, kind };
    return n;
}

static void finish_cookies(struct build *b, struct site_settings *site)
{
    size_t most = site->bypass_cookies.n + site->ignore_cookies.n + 2 * COUNT_OF(known_cookies);
    struct cookie_named *v = arena_alloc(&b->s->arena, most * sizeof(*v));
    size_t n = add_cookies(&site->bypass_cookies, COOKIE_BYPASS, v);
    n += add_cookies(&site->ignore_cookies, COOKIE_IGNORED, v + n);
    cookie_names_make(v, n, &b->s->arena, &site->cookies);
}

static void finish_tag_headers(struct build *b, struct site_settings *site)
{
    site->tag_header_list = arena_alloc(&b->s->arena, site->tag_headers.n * sizeof(struct tag_header));
    for (size_t i = 0; i < site->tag_headers.n; i++)
        CHECK(!form_tag_header(site->tag_headers.v[i], &site->tag_header_list[i]));
}

static struct place place_of_item(const struct entry *e, size_t i)
{
    if (!e->node || e->node->kind != TREE_LIST)
        return e->at;
    const struct tree *item = e->node->first;
    while (i--)
        item = item->next;
    return PLACE_LINE(item->line);
}

static bool is_same_address(const struct origin_address *a, const struct origin_address *b)
{
    return a->port == b->port && str_eq(a->host_name, b->host_name) && str_eq(a->local_path, b->local_path);
}

/* A relative file is taken from the configuration's folder. */
static struct str path_from(struct str config, struct str file, struct arena *a)
{
    while (config.n && config.p[config.n - 1] != '/')
        config.n--;
    return file.n && file.p[0] != '/' ? ARENA_JOIN(a, config, file) : file;
}

void site_settings_origin_tls(const struct site_settings *site, struct str config_path, struct arena *a,
                              struct origin_tls *out)
{
    struct str cert = site->origin_cert, key = site->origin_key.n ? site->origin_key : cert;
    *out = (struct origin_tls){ .is_on = true,
                                .insecure = site->origin_insecure,
                                .server_name = site->origin_server_name,
                                .ca = site->origin_insecure ? STR_NONE
                                                            : path_from(config_path, site->origin_ca, a),
                                .cert = path_from(config_path, cert, a),
                                .key = path_from(config_path, key, a) };
}

/* What makes of the URL an origin with TLS. `config`: the file's path. */
static void take_tls(const struct site_settings *site, struct str config, struct arena *a,
                     struct origin_address *at)
{
    struct str host = at->tls.server_name;
    if (!at->tls.is_on)
        return;
    site_settings_origin_tls(site, config, a, &at->tls);
    if (!at->tls.server_name.n)
        at->tls.server_name = host;
}

/* Takes the texts of `origin` apart, which are good. `config`: the file's path. */
static void take_origins(struct site_settings *site, struct str config, struct arena *a)
{
    struct site_origin *list = arena_zero(a, site->origin.n * sizeof(*list));
    site->upstream = arena_zero(a, sizeof(*site->upstream));
    site->origin_text = STR_NONE;
    for (size_t i = 0; i < site->origin.n; i++) {
        CHECK(!form_origins(site->origin.v[i], a, &list[i]));
        take_tls(site, config, a, &list[i].at);
        site->origin_text = ARENA_JOIN(a, site->origin_text, i ? STR(", ") : STR_NONE, site->origin.v[i]);
    }
    site->origin_list = list;
    site->origin_address = list[0].at;
}

static void check_origins(struct build *b, const struct site_settings *site, const struct entry *e)
{
    const struct setting *s = &setting_table[SETTING_origin];
    const struct site_origin *v = site->origin_list;
    size_t backups = 0;
    for (size_t i = 0; i < site->origin.n; i++) {
        backups += v[i].is_backup;
        for (size_t k = 0; k < i; k++)
            if (is_same_address(&v[i].at, &v[k].at))
                value_problem(s, &b->report, place_of_item(e, i),
                              "%s is there twice; give it a weight instead",
                              report_quote(&b->report, site->origin.v[i]));
    }
    if (backups == site->origin.n)
        value_problem(s, &b->report, e->at,
                      "all of them are backups; leave it out of those that work always");
}

static void finish_origin(struct build *b, struct site_settings *site, const struct entry *origin,
                          struct place at)
{
    site->release = &release_first;
    if (site->origin.n > SITE_ORIGINS_MAX) {
        value_problem(&setting_table[SETTING_origin], &b->report, origin->at, "%zu are too many; at most %d",
                      site->origin.n, SITE_ORIGINS_MAX);
        site->origin.n = SITE_ORIGINS_MAX;
    }
    if (site->origin.n) {
        take_origins(site, b->s->path, &b->s->arena);
        check_origins(b, site, origin);
        return;
    }
    if (origin->state == ENTRY_BAD)
        return; /* reported where it stands */
    if (!b->report.file.n)
        report_add(&b->report, PLACE_FLAG(STR("--origin")),
                   "is missing; say where the site runs, like --origin http://127.0.0.1:3000, or name a "
                   "configuration file");
    else if (b->sites)
        report_add(&b->report, at, "site %s has no origin; add origin: http://HOST[:PORT]",
                   report_quote(&b->report, site->name));
    else
        report_add(&b->report, at, "no origin; add the line origin: http://HOST[:PORT] or give --origin");
}

#define PRELOAD_LEAST_MS INT64_C(31536000000) /* a year, as hstspreload.org has it */

/* Who sends preload asks for a place in the browsers' list. Without the rest he is refused there, or was not
 * sure. */
static void check_preload(struct build *b, const struct site_settings *site, const struct layer *l)
{
    const struct entry *e = entry_of(b, SETTING_hsts_preload, l);
    if (!site->hsts_preload || e->state == ENTRY_BAD ||
        (site->hsts >= PRELOAD_LEAST_MS && site->hsts_subdomains))
        return;
    report_add(
        &b->report, e->at,
        "hsts_preload wants hsts of 365d at least and hsts_subdomains: true, else the browsers' list does "
        "not take the site; set %s, or leave hsts_preload out",
        site->hsts_subdomains           ? "hsts: 365d"
        : site->hsts < PRELOAD_LEAST_MS ? "hsts: 365d and hsts_subdomains: true"
                                        : "hsts_subdomains: true");
}

static void check_origin_key(struct build *b, const struct site_settings *site, const struct layer *l)
{
    if (site->origin_key.n && !site->origin_cert.n)
        value_problem(&setting_table[SETTING_origin_key], &b->report, entry_of(b, SETTING_origin_key, l)->at,
                      "is the key of a certificate that is not named; set origin_cert too");
}

static void finish_hsts(struct build *b, struct site_settings *site)
{
    if (site->hsts)
        site->hsts_value = arena_printf(&b->s->arena, "max-age=%lld%s%s", (long long)(site->hsts / 1000),
                                        site->hsts_subdomains ? "; includeSubDomains" : "",
                                        site->hsts_preload ? "; preload" : "");
}

static void make_site(struct build *b, struct site_settings *site, const struct layer *l, struct str name,
                      struct place at)
{
    site->name = arena_dup(&b->s->arena, name);
    site->profile = (enum profile)(profile_layer(b, l) - b->profiles);
    merge(b, SCOPE_SITE, l, site);
    finish_origin(b, site, entry_of(b, SETTING_origin, l), at);
    check_origin_key(b, site, l);
    finish_tag_headers(b, site);
    site->checks = health_read(&site->health, site->name, &b->s->arena, &b->report);
    site->webhook_list = webhook_read(&site->webhooks, site->name, &b->s->arena, &b->report);
    finish_params(b, site);
    finish_cookies(b, site);
    check_preload(b, site, l);
    finish_hsts(b, site);
}

/* ---- hosts ---- */

struct host_seen {
    struct str pattern;
    size_t site;
    struct place at;
};

static int compare_hosts(const void *a, const void *b)
{
    const struct host_seen *x = a, *y = b;
    int c = str_cmp(x->pattern, y->pattern);
    if (c != 0)
        return c;
    return x->at.line < y->at.line ? -1 : x->at.line > y->at.line;
}

static void report_host_twice(struct build *b, const struct host_seen *first, const struct host_seen *again)
{
    const struct site_settings *sites = b->s->sites;
    const char *host = report_quote(&b->report, again->pattern);
    if (first->site == again->site)
        report_add(&b->report, again->at, "host %s is listed twice; remove one", host);
    else
        report_add(&b->report, again->at,
                   "host %s belongs to site \"%.*s\" already, in line %u; a host has one site", host,
                   STR_ARG(sites[first->site].name), first->at.line);
}

/* The table that requests look into. */
static void make_hosts(struct build *b, struct host_seen *seen, size_t n)
{
    struct settings *s = b->s;
    if (n)
        qsort(seen, n, sizeof(*seen), compare_hosts);
    s->hosts = arena_alloc(&s->arena, n * sizeof(*s->hosts));
    const struct host_seen *first = NULL;
    for (size_t i = 0; i < n; i++) {
        if (first && str_eq(first->pattern, seen[i].pattern)) {
            report_host_twice(b, first, &seen[i]);
            continue;
        }
        first = &seen[i];
        s->hosts[s->hosts_n++] = (struct host_of_site){ first->pattern, first->site };
    }
}

static size_t count_hosts(const struct settings *s)
{
    size_t n = 0;
    for (size_t i = 0; i < s->sites_n; i++)
        n += s->sites[i].hosts.n;
    return n;
}

/* `entries[i]` is where site i's hosts come from, `at[i]` where the site begins. */
static void finish_hosts(struct build *b, const struct entry *entries, const struct place *at)
{
    struct settings *s = b->s;
    struct host_seen *seen = arena_alloc(&b->scratch, count_hosts(s) * sizeof(*seen));
    size_t n = 0;
    for (size_t i = 0; i < s->sites_n; i++) {
        struct site_settings *site = &s->sites[i];
        for (size_t h = 0; h < site->hosts.n; h++)
            seen[n++] = (struct host_seen){ site->hosts.v[h], i, place_of_item(&entries[i], h) };
        if (site->hosts.n || entries[i].state == ENTRY_BAD)
            continue;
        if (!s->site_of_rest)
            s->site_of_rest = site;
        else
            report_add(&b->report, at[i],
                       "site \"%.*s\" has no hosts, and neither has \"%.*s\" in line %u; only one site can "
                       "take the rest",
                       STR_ARG(site->name), STR_ARG(s->site_of_rest->name),
                       at[s->site_of_rest - s->sites].line);
    }
    make_hosts(b, seen, n);
}

/* ---- addresses ---- */

static bool is_given(const struct entry *e)
{
    return e->at.line || e->at.flag.n;
}

static void check_listed_twice(struct build *b, const struct entry *listen, const struct setting *s)
{
    const struct strs *list = &listen->value.list;
    for (size_t i = 1; i < list->n; i++)
        for (size_t k = 0; k < i; k++) {
            if (!form_addresses_overlap(list->v[i], list->v[k]))
                continue;
            const char *again = report_quote(&b->report, list->v[i]);
            struct place at = place_of_item(listen, i);
            if (str_eq(list->v[i], list->v[k]))
                value_problem(s, &b->report, at, "%s is listed twice; remove one", again);
            else
                value_problem(s, &b->report, at, "%s overlaps with %s; remove one", again,
                              report_quote(&b->report, list->v[k]));
            break;
        }
}

/* Said where it is written, best at a flag: of a default nobody knows where it stands. */
static void report_admin_taken(struct build *b, const struct entry *admin, const struct entry *listen,
                               size_t i)
{
    bool at_admin = is_given(admin) && (admin->at.flag.n || !listen->at.flag.n);
    struct str own = at_admin ? admin->value.text : listen->value.list.v[i];
    struct str other = at_admin ? listen->value.list.v[i] : admin->value.text;
    const struct setting *s = &setting_table[at_admin ? SETTING_admin : SETTING_listen];
    struct str name = setting_table[at_admin ? SETTING_listen : SETTING_admin].name;
    struct place at = at_admin ? admin->at : place_of_item(listen, i);
    const char *quoted = report_quote(&b->report, own);
    if (str_eq(own, other))
        value_problem(s, &b->report, at, "%s is an address of %.*s as well; choose another address", quoted,
                      STR_ARG(name));
    else
        value_problem(s, &b->report, at, "%s overlaps with %s of %.*s; choose another address", quoted,
                      report_quote(&b->report, other), STR_ARG(name));
}

/* Two sockets share a port without an error: half of the visitors would meet the other protocol. */
static void check_https(struct build *b, const struct entry *listen, const struct entry *admin)
{
    const struct entry *https = entry_of(b, SETTING_https, NULL);
    const struct setting *s = &setting_table[SETTING_https];
    if (https->state != ENTRY_GOOD)
        return;
    check_listed_twice(b, https, s);
    for (size_t i = 0; i < https->value.list.n; i++) {
        struct str own = https->value.list.v[i], other = STR_NONE;
        for (size_t k = 0; k < listen->value.list.n; k++)
            if (form_addresses_overlap(own, listen->value.list.v[k]))
                other = listen->value.list.v[k];
        bool is_admin = !other.n && admin->value.text.n && form_addresses_overlap(own, admin->value.text);
        if (is_admin)
            other = admin->value.text;
        if (other.n)
            value_problem(s, &b->report, place_of_item(https, i),
                          "%s overlaps with %s of %s; choose another address", report_quote(&b->report, own),
                          report_quote(&b->report, other), is_admin ? "admin" : "listen");
    }
}

static bool has_text(const struct strs *list, struct str s)
{
    for (size_t i = 0; i < list->n; i++)
        if (str_eq(list->v[i], s))
            return true;
    return false;
}

/* An address at which nobody listens would leave one without it that somebody does. */
static void check_proxy_protocol(struct build *b, const struct entry *listen)
{
    const struct entry *https = entry_of(b, SETTING_https, NULL),
                       *own = entry_of(b, SETTING_proxy_protocol, NULL);
    const struct entry *trusted = entry_of(b, SETTING_trusted_proxies, NULL);
    const struct setting *s = &setting_table[SETTING_proxy_protocol];
    if (own->state != ENTRY_GOOD || https->state != ENTRY_GOOD || trusted->state != ENTRY_GOOD)
        return;
    for (size_t i = 0; i < own->value.list.n; i++)
        if (!has_text(&listen->value.list, own->value.list.v[i]) &&
            !has_text(&https->value.list, own->value.list.v[i]))
            value_problem(s, &b->report, place_of_item(own, i),
                          "%s is no address of listen or https; write it as it stands there",
                          report_quote(&b->report, own->value.list.v[i]));
    if (own->value.list.n && !trusted->value.list.n)
        value_problem(s, &b->report, place_of_item(own, 0),
                      "nobody may connect to %s, since trusted_proxies is empty; write the networks of the "
                      "proxies there",
                      report_quote(&b->report, own->value.list.v[0]));
}

/* What cannot be bound twice would be found out at the start only. */
static void check_addresses(struct build *b)
{
    const struct entry *listen = entry_of(b, SETTING_listen, NULL), *admin = entry_of(b, SETTING_admin, NULL);
    if (listen->state != ENTRY_GOOD || admin->state != ENTRY_GOOD)
        return; /* reported */
    check_listed_twice(b, listen, &setting_table[SETTING_listen]);
    check_https(b, listen, admin);
    check_proxy_protocol(b, listen);
    for (size_t i = 0; admin->value.text.n && i < listen->value.list.n; i++)
        if (form_addresses_overlap(admin->value.text, listen->value.list.v[i])) {
            report_admin_taken(b, admin, listen, i);
            return;
        }
}

/* ---- sites ---- */

static void make_only_site(struct build *b)
{
    struct settings *s = b->s;
    struct place at = PLACE_LINE(0);
    struct str name = STR("default");
    if (b->site_name.state == ENTRY_GOOD) {
        name = b->site_name.value.text;
        const char *wrong = form_site_name(name);
        if (wrong)
            report_add(&b->report, b->site_name.at, "%s %s", report_quote(&b->report, name), wrong);
    }
    s->sites = arena_zero(&s->arena, sizeof(*s->sites));
    s->sites_n = 1;
    make_site(b, s->sites, NULL, name, at);
    finish_hosts(b, entry_of(b, SETTING_hosts, NULL), &at);
}

/* These say which site is which: at the top or behind a flag they cannot be meant for several. */
static void check_shared(struct build *b)
{
    static const enum setting_id own[] = { SETTING_origin, SETTING_hosts };
    for (size_t i = 0; i < COUNT_OF(own); i++) {
        const struct entry *e = &b->flags.v[own[i]];
        if (e->state != ENTRY_NONE && b->s->sites_n > 1)
            report_add(&b->report, e->at, "the file has %zu sites; change it there", b->s->sites_n);
    }
    const struct entry *hosts = &b->top.v[SETTING_hosts];
    if (hosts->state == ENTRY_GOOD && hosts->value.list.n)
        report_add(&b->report, hosts->at,
                   "hosts: stands at the top, for all sites; move it into the site that it names");
    if (b->site_name.state == ENTRY_GOOD)
        report_add(&b->report, b->site_name.at,
                   "the file names its sites itself, under sites:; leave the flag out");
}

static void check_site_name(struct build *b, const struct tree *t)
{
    const char *wrong = form_site_name(t->key);
    if (wrong)
        report_add(&b->report, PLACE_LINE(t->line), "%s %s", report_quote(&b->report, t->key), wrong);
    for (const struct tree *u = b->sites->first; u != t; u = u->next)
        if (str_eq(u->key, t->key)) {
            report_add(&b->report, PLACE_LINE(t->line),
                       "site %s is there twice, first in line %u; rename one",
                       report_quote(&b->report, t->key), u->line);
            return;
        }
}

static void read_site(struct build *b, struct layer *l, const struct tree *t)
{
    memset(l, 0, sizeof(*l));
    check_site_name(b, t);
    b->site = t->key;
    if (t->kind == TREE_MAP)
        for (const struct tree *u = t->first; u; u = u->next)
            read_setting(b, l, true, u);
    else if (t->kind != TREE_NULL)
        report_add(&b->report, PLACE_LINE(t->line),
                   "site %s is not a block of settings; indent them below its name",
                   report_quote(&b->report, t->key));
}

static void make_sites(struct build *b)
{
    struct settings *s = b->s;
    if (b->sites->kind != TREE_MAP || b->sites->n == 0 || b->sites->n > SITES_MAX)
        return; /* reported */
    s->sites_n = b->sites->n;
    s->sites = arena_zero(&s->arena, s->sites_n * sizeof(*s->sites));
    struct entry *hosts = arena_alloc(&b->scratch, s->sites_n * sizeof(*hosts));
    struct place *at = arena_alloc(&b->scratch, s->sites_n * sizeof(*at));
    struct layer *l = arena_alloc(&b->scratch, sizeof(*l));
    check_shared(b);
    size_t i = 0;
    for (const struct tree *t = b->sites->first; t; t = t->next, i++) {
        at[i] = PLACE_LINE(t->line);
        read_site(b, l, t);
        make_site(b, &s->sites[i], l, t->key, at[i]);
        hosts[i] = *entry_of(b, SETTING_hosts, l);
    }
    finish_hosts(b, hosts, at);
}

/* ---- all of it ---- */

/* false: it is no configuration. */
static bool make_settings(struct build *b, struct str yaml, const struct override *overrides, size_t n)
{
    make_profiles(b);
    read_flags(b, overrides, n);
    const struct tree *root = tree_read(yaml, &b->scratch, &b->report);
    if (!root || !read_top(b, root))
        return false; /* what such a file lacks is not worth saying */
    merge(b, SCOPE_PROCESS, NULL, &b->s->process);
    check_addresses(b);
    if (b->sites)
        make_sites(b);
    else
        make_only_site(b);
    return true;
}

static struct settings *look(struct str yaml, struct str name, const struct override *overrides, size_t n,
                             struct buf *errors)
{
    struct settings *s = mem_alloc(sizeof(*s));
    struct build *b = mem_alloc(sizeof(*b));
    atomic_init(&s->refs, 1);
    arena_init(&s->arena, 16384);
    arena_init(&b->scratch, 65536);
    s->path = arena_dup(&s->arena, name);
    b->s = s;
    report_init(&b->report, &b->scratch, s->path);
    bool is_one = make_settings(b, yaml, overrides, n);
    s->is_broken = b->report.n > 0;
    report_write(&b->report, errors);
    arena_fini(&b->scratch);
    mem_free(b);
    if (is_one)
        return s;
    settings_unref(s);
    return NULL;
}

static struct settings *refuse_broken(struct settings *s)
{
    if (!s || !s->is_broken)
        return s;
    settings_unref(s);
    return NULL;
}

struct settings *settings_parse(struct str yaml, struct str name, const struct override *overrides, size_t n,
                                struct buf *errors)
{
    return refuse_broken(look(yaml, name, overrides, n, errors));
}

/* The whole file, or one byte more than a configuration may have. false: errno says why. */
static bool read_file(const char *path, struct buf *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t got = 1;
    while (got > 0 && out->n <= TREE_BYTES_MAX) {
        do
            got = read(fd, buf_room(out, 65536), 65536);
        while (got < 0 && errno == EINTR);
        if (got > 0)
            out->n += (size_t)got;
    }
    int error = errno;
    close(fd);
    errno = error;
    return got >= 0;
}

/* A relative name is taken from the configuration's folder. */
static bool read_headers_file(struct settings *s, struct site_settings *site, struct buf *errors)
{
    struct buf name = BUF_INIT, text = BUF_INIT;
    size_t folder = s->path.n;
    while (folder && s->path.p[folder - 1] != '/')
        folder--;
    if (site->headers_file.p[0] != '/')
        buf_add(&name, str_first(s->path, folder));
    buf_add(&name, site->headers_file);
    buf_add_char(&name, '\0');
    bool good = read_file(name.p, &text);
    if (!good)
        buf_printf(errors, "%s: cannot be read: %s; it is the headers_file of site %.*s\n", name.p,
                   strerror(errno), STR_ARG(site->name));
    else if (text.n > TREE_BYTES_MAX) {
        buf_printf(errors, "%s: larger than %zu bytes; this is not a file of headers\n", name.p,
                   TREE_BYTES_MAX);
        good = false;
    }
    site->headers_text = good ? arena_dup(&s->arena, buf_str(&text)) : STR_NONE;
    buf_fini(&name);
    buf_fini(&text);
    return good;
}

static void read_headers_files(struct settings *s, struct buf *errors)
{
    for (size_t i = 0; i < s->sites_n; i++)
        if (s->sites[i].headers_file.n && !read_headers_file(s, &s->sites[i], errors))
            s->is_broken = true;
}

struct settings *settings_look(const char *path, const struct override *overrides, size_t n,
                               struct buf *errors)
{
    struct buf yaml = BUF_INIT;
    struct settings *s = NULL;
    if (!path)
        s = look(STR_NONE, STR_NONE, overrides, n, errors);
    else if (read_file(path, &yaml))
        s = look(buf_str(&yaml), str_from(path), overrides, n, errors);
    else
        buf_printf(errors, "%s: cannot be read: %s\n", path, strerror(errno));
    buf_fini(&yaml);
    if (s)
        read_headers_files(s, errors);
    return s;
}

struct settings *settings_read(const char *path, const struct override *overrides, size_t n,
                               struct buf *errors)
{
    return refuse_broken(settings_look(path, overrides, n, errors));
}

bool settings_errors_name_flag(struct str errors)
{
    while (errors.p)
        if (str_starts(str_cut(&errors, '\n'), STR("--")))
            return true;
    return false;
}

struct settings *settings_ref(struct settings *s)
{
    CHECK(atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed) > 0);
    return s;
}

void settings_unref(struct settings *s)
{
    if (atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
        return;
    struct settings *read = s->read;
    arena_fini(&s->arena);
    mem_free(s);
    if (read)
        settings_unref(read);
}

/* ---- deploys ---- */

static const struct release *copy_release(const struct release *r, struct arena *a)
{
    struct release *copy = arena_alloc(a, sizeof(*copy));
    *copy = *r;
    copy->id = arena_dup(a, r->id);
    struct release_switch *switches = arena_zero(a, r->switches_n * sizeof(*switches) + 1);
    uint32_t *stored = arena_zero(a, r->stored_n * sizeof(*stored) + 1);
    for (size_t i = 0; i < r->switches_n; i++)
        switches[i] = r->switches[i];
    for (size_t i = 0; i < r->stored_n; i++)
        stored[i] = r->stored[i];
    copy->switches = switches;
    copy->stored = stored;
    return copy;
}

struct settings *settings_with_releases(struct settings *read, const struct site_release *v)
{
    struct settings *from = settings_as_read(read), *s = mem_alloc(sizeof(*s));
    const size_t at = offsetof(struct settings, arena);
    /* All but the count, which others change meanwhile. */
    memcpy((char *)s + at, (const char *)from + at, sizeof(*s) - at);
    atomic_init(&s->refs, 1);
    arena_init(&s->arena, 4096);
    s->read = settings_ref(from);
    s->sites = arena_alloc(&s->arena, s->sites_n * sizeof(*s->sites));
    for (size_t i = 0; i < s->sites_n; i++) {
        struct site_settings *site = &s->sites[i];
        *site = from->sites[i];
        site->release = copy_release(v[i].release, &s->arena);
        if (&from->sites[i] == from->site_of_rest)
            s->site_of_rest = site;
        if (!v[i].origin.n)
            continue;
        struct str *only = arena_alloc(&s->arena, sizeof(*only));
        *only = arena_dup(&s->arena, v[i].origin);
        site->origin = (struct strs){ only, 1 };
        take_origins(site, s->path, &s->arena);
    }
    return s;
}

/* ---- questions ---- */

/* Patterns sort before names: '*' is less than whatever a name may begin with. */
static int compare_pattern(struct str pattern, bool below, struct str name)
{
    bool is_below = pattern.p[0] == '*';
    if (is_below != below)
        return is_below ? -1 : 1;
    return str_cmp(below ? str_from_index(pattern, 2) : pattern, name);
}

/* The site that lists `name`, or, with `below`, "*.name". */
static const struct site_settings *site_that_lists(const struct settings *s, bool below, struct str name)
{
    size_t low = 0, high = s->hosts_n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int c = compare_pattern(s->hosts[mid].pattern, below, name);
        if (c == 0)
            return &s->sites[s->hosts[mid].site];
        if (c < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

const struct site_settings *settings_site_of_host(const struct settings *s, struct str host)
{
    const struct site_settings *site = site_that_lists(s, false, host);
    bool has_patterns = s->hosts_n && s->hosts[0].pattern.p[0] == '*';
    for (struct str rest = host; !site && has_patterns && rest.p;) {
        str_cut(&rest, '.');
        if (rest.p)
            site = site_that_lists(s, true, rest);
    }
    return site ? site : s->site_of_rest;
}

const struct site_settings *settings_site_by_name(const struct settings *s, struct str name)
{
    for (size_t i = 0; i < s->sites_n; i++)
        if (str_eq(s->sites[i].name, name))
            return &s->sites[i];
    return NULL;
}

/* Does a change of it change keys, or what is stored? */
static bool counts_for_store(const struct setting *s)
{
    return s->scope == SCOPE_SITE && (s->class == CLASS_KEY || s->class == CLASS_STORE);
}

static bool have_common_origin(const struct site_settings *a, const struct site_settings *b)
{
    for (size_t i = 0; i < a->origin.n; i++)
        for (size_t k = 0; k < b->origin.n; k++)
            if (is_same_address(&a->origin_list[i].at, &b->origin_list[k].at))
                return true;
    return false;
}

bool site_settings_store_changed(const struct site_settings *a, const struct site_settings *b)
{
    for (enum setting_id id = 0; id < SETTING_COUNT; id++)
        if (counts_for_store(&setting_table[id]) && id != SETTING_origin &&
            !value_equal(&setting_table[id], a, b))
            return true;
    return !have_common_origin(a, b) || !str_eq(a->headers_text, b->headers_text);
}

/* Which origins there are; not their order, nor what each one gets. */
static void add_origin_bytes(const struct site_settings *site, struct buf *out)
{
    struct str v[SITE_ORIGINS_MAX];
    size_t n = 0;
    for (; n < site->origin.n; n++) {
        const struct origin_address *at = &site->origin_list[n].at;
        v[n] = at->local_path.n ? at->local_path : at->authority;
    }
    n = str_sort_unique(v, n);
    for (size_t i = 0; i < n; i++)
        buf_printf(out, "origin %zu:%.*s", v[i].n, STR_ARG(v[i]));
}

void site_settings_store_bytes(const struct site_settings *site, struct buf *out)
{
    add_origin_bytes(site, out);
    for (enum setting_id id = 0; id < SETTING_COUNT; id++)
        if (counts_for_store(&setting_table[id]) && id != SETTING_origin) {
            buf_add(out, setting_table[id].name);
            value_bytes(&setting_table[id], site, out);
        }
    buf_add(out, site->headers_text);
}

bool settings_start_changed(const struct settings *a, const struct settings *b, struct buf *names)
{
    bool any = false;
    for (enum setting_id id = 0; id < SETTING_COUNT; id++) {
        const struct setting *s = &setting_table[id];
        if (s->class != CLASS_START || value_equal(s, &a->process, &b->process))
            continue;
        CHECK(s->scope == SCOPE_PROCESS);
        buf_add(names, any ? STR(", ") : STR(""));
        buf_add(names, s->name);
        any = true;
    }
    return any;
}
