#include "deploy/deploy.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "cache/key.h"
#include "cache/named.h"
#include "coding/decode.h"
#include "deploy/errand.h"
#include "deploy/sitemap.h"
#include "deploy/top.h"
#include "deploy/worklist.h"

#define CHECK_AGAIN_MS  250
#define CHECK_LEAST_MS  1000                 /* for an answer, however short the wait */
#define SITEMAP_BYTES   ((size_t)8 << 20)    /* of one file, as sent */
#define SITEMAP_CONTENT ((uint64_t)50 << 20) /* and decoded, as sitemaps.org allows */
#define SITEMAPS_MOST   20

/* What one of the errands is for. */
enum task { TASK_CHECK, TASK_SITEMAP, TASK_PAGE, TASK_ASSET };

struct slot {
    struct errand errand;
    struct deploy *deploy;
    enum task task;
};

/*
 * Its life: check, again and again until the time is over -> look which pages are used most -> read sitemaps,
 * one after the other -> work on the lists, DEPLOY_ERRANDS at once -> switch, which main does -> over.
 */
enum phase { PHASE_CHECK, PHASE_LOOK, PHASE_SITEMAPS, PHASE_WORK, PHASE_SWITCH, PHASE_OVER };

struct deploy {
    struct link link;
    struct deploys *all;
    const struct requests *like; /* the worker's */
    struct arena arena, scratch;
    struct deploy_plan plan; /* strings in the arena; `site` is not good any more */
    struct str site, origin;
    struct str guessed_host;           /* for plan.host, while that is empty */
    const struct site_settings *ahead; /* the site's settings under the release */
    struct errands errands;
    struct slot slots[DEPLOY_ERRANDS];
    enum phase phase;
    bool given_up;
    bool later_pending;
    struct letter later;
    struct timer timer; /* the next check; the end of the work */
    int64_t check_until_ms, began_ms;
    struct top top;
    struct worklist pages, assets, sitemaps;
    struct sitemap *reading;
    size_t sitemap_urls;
    struct deploy_switch *waits_for;
    struct deploy_result result;
    void (*done)(void *ctx, const struct deploy_result *result);
    void *ctx;
};

static void go_on(struct deploy *d);

/* ---- the end ---- */

static void free_deploy(struct deploy *d)
{
    for (size_t i = 0; i < DEPLOY_ERRANDS; i++)
        errand_fini(&d->slots[i].errand);
    errands_fini(&d->errands);
    timer_stop(d->like->loop, &d->timer);
    top_fini(&d->top);
    worklist_fini(&d->pages);
    worklist_fini(&d->assets);
    worklist_fini(&d->sitemaps);
    mem_free(d->reading);
    link_remove(&d->link);
    arena_fini(&d->arena);
    arena_fini(&d->scratch);
    mem_free(d);
}

static void end(struct deploy *d)
{
    CHECK(d->errands.open == 0 && !d->waits_for && !d->later_pending);
    d->phase = PHASE_OVER;
    d->result.pages.wanted = d->pages.n;
    d->result.assets.wanted = d->assets.n;
    d->result.is_cut = d->pages.is_full || d->assets.is_full;
    if (!d->given_up)
        d->done(d->ctx, &d->result);
    free_deploy(d);
}

__attribute__((format(printf, 3, 4))) static void fail(struct deploy *d, int status, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(d->result.text, sizeof(d->result.text), fmt, ap);
    va_end(ap);
    d->result.status = status;
    log_warning(d->like->log, "deploy", "site %.*s: %s", STR_ARG(d->site), d->result.text);
    end(d);
}

/* ---- the switch ---- */

static const char *name_of(const struct ledger_release *r)
{
    return r->id[0] ? r->id : "what freshet was started with";
}

static void made(struct loop_notice *n)
{
    struct deploy_switch *s = CONTAINER_OF(n, struct deploy_switch, made);
    struct deploy *d = s->ctx;
    bool is_refused = s->is_refused;
    deploys_forget(s);
    if (!d)
        return; /* it was given up while the notice was on its way */
    d->waits_for = NULL;
    if (is_refused) {
        fail(d, 503,
             "freshet is stopping, or the site is no longer in its configuration; nothing has changed");
        return;
    }
    d->result.is_live = true;
    log_info(d->like->log, "deploy",
             "site %.*s: %s%s is live, from %.*s (release %u; %zu pages, %zu assets warmed)",
             STR_ARG(d->site), d->plan.rollback ? "rolled back, " : "", name_of(&d->result.release),
             STR_ARG(d->origin), d->result.release.number, d->result.pages.done, d->result.assets.done);
    end(d);
}

/* What was fetched ahead is for the state of things in which it began. */
static const char *changed_meanwhile(struct deploy *d)
{
    const struct settings *now = settings_as_read(d->like->snapshot->settings),
                          *then = settings_as_read(d->errands.requests.snapshot->settings);
    const struct site_settings *site = settings_site_by_name(now, d->site);
    struct ledger_release live;
    ledger_live(&d->all->ledger, d->site, &live);
    if (!site || (now != then && site_settings_store_changed(settings_site_by_name(then, d->site), site)))
        return "the site's configuration was changed meanwhile";
    if (live.number != d->result.before.number || strcmp(live.origin, d->result.before.origin) != 0)
        return "another release went live meanwhile, or its origin was changed";
    return NULL;
}

static void ask_for_switch(struct deploy *d)
{
    const char *changed = changed_meanwhile(d);
    if (changed) {
        fail(d, 409, "%s; nothing was switched, deploy again", changed);
        return;
    }
    d->phase = PHASE_SWITCH;
    d->result.release.warm_pages = (uint32_t)d->result.pages.done;
    d->result.release.warm_assets = (uint32_t)d->result.assets.done;
    d->waits_for = deploys_ask(d->all, d->like->loop, d->site, &d->result.release, d->plan.keep_ms,
                               d->began_ms, made, d);
}

/* ---- errands ---- */

/* Takes the URL of a page apart. What has no host is asked for as most visitors would. */
static void place_page(const struct deploy *d, struct str page, struct errand_plan *out)
{
    size_t scheme = str_starts(page, STR("https://")) ? 8 : str_starts(page, STR("http://")) ? 7 : 0;
    struct str rest = str_from_index(page, scheme);
    size_t host = scheme ? str_index(rest, '/') : 0;
    out->https = scheme ? scheme == 8 : d->plan.https;
    out->host = host ? str_first(rest, host) : d->plan.host.n ? d->plan.host : d->guessed_host;
    out->target = str_from_index(rest, host);
}

static void start(struct slot *s, enum task task, struct str page)
{
    struct deploy *d = s->deploy;
    bool for_itself = task == TASK_CHECK || task == TASK_SITEMAP;
    struct errand_plan plan = {
        .site = d->ahead,
        .accept = task == TASK_PAGE ? STR("text/html,application/xhtml+xml,*/*;q=0.8") : STR_NONE,
        .is_plain = for_itself,
        .asks_origin = for_itself,
        .can_wait = !for_itself,
        .body_most = task == TASK_SITEMAP ? SITEMAP_BYTES : 0,
    };
    place_page(d, page, &plan);
    s->task = task;
    errand_start(&s->errand, &plan);
}

/* ---- the check ---- */

static void takes_too_long(struct timer *t)
{
    errand_abort(&CONTAINER_OF(t, struct deploy, timer)->slots[0].errand);
}

static struct str page_to_check(struct deploy *d)
{
    return d->plan.check.n ? d->plan.check : STR("/");
}

static void check(struct deploy *d)
{
    int64_t left_ms = d->check_until_ms - d->like->loop->now.mono_ms;
    timer_start(d->like->loop, &d->timer, left_ms > CHECK_LEAST_MS ? left_ms : CHECK_LEAST_MS,
                takes_too_long);
    start(&d->slots[0], TASK_CHECK, page_to_check(d));
}

static void check_again(struct timer *t)
{
    check(CONTAINER_OF(t, struct deploy, timer));
}

static bool is_well(const struct deploy *d, const struct errand *x)
{
    if (x->reason != REASON_NONE)
        return false; /* the page is freshet's own: the origin did not answer */
    return d->plan.check.n ? x->status >= 200 && x->status < 400 : x->status >= 200 && x->status < 500;
}

static void checked(struct deploy *d, const struct errand *x)
{
    struct str page = page_to_check(d);
    timer_stop(d->like->loop, &d->timer);
    if (is_well(d, x)) {
        d->phase = PHASE_LOOK;
        go_on(d);
    } else if (d->like->loop->now.mono_ms + CHECK_AGAIN_MS <= d->check_until_ms) {
        timer_start(d->like->loop, &d->timer, CHECK_AGAIN_MS, check_again);
    } else if (x->is_aborted) {
        fail(d, 502, "%.*s did not answer %.*s in time; nothing has changed", STR_ARG(d->origin),
             STR_ARG(page));
    } else if (x->reason != REASON_NONE) {
        fail(d, 502, "%.*s did not answer %.*s: %s; nothing has changed", STR_ARG(d->origin), STR_ARG(page),
             reason_sentence(x->reason).p);
    } else {
        fail(d, 502, "%.*s answered %.*s with status %d; nothing has changed", STR_ARG(d->origin),
             STR_ARG(page), x->status);
    }
}

/* ---- which pages are used most, and under which scheme and host ---- */

static bool has_work(const struct deploy *d)
{
    return d->plan.top || d->plan.pages.n || d->plan.assets.n || d->plan.sitemap.n;
}

static void read_top(const struct deploy *d, size_t i, struct key_request *out)
{
    key_read_primary((struct str){ d->top.v[i].primary, d->top.v[i].primary_n }, out);
}

static void learn_host(struct deploy *d)
{
    struct key_request key;
    if (d->plan.host.n || d->top.n == 0)
        return;
    read_top(d, 0, &key);
    d->plan.https = key.https;
    d->plan.host = key_authority(&key, &d->arena);
}

/* Returns a page that worklists have once, however it was named. */
static struct str page_of(struct deploy *d, bool https, struct str authority, struct str target)
{
    if (https == d->plan.https && str_eq(authority, d->plan.host))
        return target;
    return ARENA_JOIN(&d->scratch, https ? STR("https://") : STR("http://"), authority, target);
}

/* Each is stored for visitors of its own scheme and host. */
static void add_top(struct deploy *d)
{
    for (size_t i = 0; i < d->top.n && i < d->plan.top; i++) {
        struct key_request key;
        arena_rewind(&d->scratch);
        read_top(d, i, &key);
        worklist_add(&d->pages, page_of(d, key.https, key_authority(&key, &d->scratch), key.path));
    }
}

/* Is it a host that the site lists, and another one than most visitors use? Where a site lists none, its app
 * may well call itself by a name that no visitor of this freshet uses. */
static bool has_own_host(const struct deploy *d, const struct named *n)
{
    const struct settings *s = d->errands.requests.snapshot->settings;
    struct str host = n->has_host ? n->host.name : STR_NONE, plan = d->plan.host;
    bool same = str_starts(plan, host) && (plan.n == host.n || plan.p[host.n] == ':');
    return host.n && !same && d->ahead != s->site_of_rest && settings_site_of_host(s, host) == d->ahead;
}

/* The app may not know its visitors' scheme, since what stands before it knows: stored pages tell. */
static struct str named_page(struct deploy *d, const struct named *n)
{
    struct str target = named_target(n, &d->scratch);
    bool https = d->plan.host.n ? d->plan.https : n->https;
    return has_own_host(d, n) ? page_of(d, https, n->host.authority, target) : target;
}

static struct str page_of_plan(struct deploy *d, struct str page)
{
    struct named n;
    arena_rewind(&d->scratch);
    return named_parse(page, &d->scratch, &n) == HTTP_ERROR_NONE ? named_page(d, &n) : page;
}

static void add_plan(struct deploy *d, struct worklist *to, const struct strs *pages)
{
    for (size_t i = 0; i < pages->n; i++)
        worklist_add(to, page_of_plan(d, pages->v[i]));
}

/* For a site of which nothing is stored yet, when nobody has said how its visitors call it. */
static struct str guess_host(const struct site_settings *site)
{
    for (size_t i = 0; i < site->hosts.n; i++)
        if (!str_starts(site->hosts.v[i], STR("*")))
            return site->hosts.v[i];
    return site->origin_address.authority;
}

static void run_later(struct letter *l)
{
    struct deploy *d = CONTAINER_OF(l, struct deploy, later);
    d->later_pending = false;
    go_on(d);
}

static void go_on_later(struct deploy *d)
{
    d->later_pending = true;
    d->later.open = run_later;
    loop_defer(d->like->loop, &d->later);
}

/* false: there is more to look at. */
static bool look(struct deploy *d)
{
    if (!has_work(d) || (!d->plan.top && d->plan.host.n))
        return true;
    if (!d->top.v)
        top_init(&d->top, d->like->cache, d->site, d->plan.top ? d->plan.top : 1);
    if (top_search(&d->top, d->like->loop->clock))
        return false;
    learn_host(d);
    return true;
}

/* ---- sitemaps ---- */

static void found_url(void *ctx, enum sitemap_kind kind, struct str url)
{
    struct deploy *d = ctx;
    struct named n;
    struct arena *a = &d->scratch;
    arena_rewind(a);
    if (named_parse(url, a, &n) != HTTP_ERROR_NONE || !n.has_host ||
        settings_site_of_host(d->errands.requests.snapshot->settings, n.host.name) != d->ahead)
        return;
    struct str page = named_page(d, &n);
    if (kind == SITEMAP_PAGE)
        worklist_add(&d->pages, page);
    else if (d->sitemaps.n < SITEMAPS_MOST)
        worklist_add(&d->sitemaps, page);
    d->sitemap_urls++;
}

static bool feed(struct deploy *d, struct decode *decode, struct str body)
{
    struct str data;
    for (;;)
        switch (decode_next(decode, &body, &data)) {
        case DECODE_DATA: sitemap_feed(d->reading, data); break;
        case DECODE_MORE: return true;
        default: return false;
        }
}

static void read_sitemap(struct deploy *d, const struct errand *x)
{
    enum coding coding;
    if (x->status != 200 || x->reason != REASON_NONE || !accept_coding_from(x->coding, &coding))
        return;
    struct decode *decode = decode_new(coding, SITEMAP_CONTENT);
    if (!d->reading)
        d->reading = mem_alloc(sizeof(*d->reading));
    sitemap_init(d->reading, found_url, d);
    if (decode && feed(d, decode, buf_str(&x->body)))
        sitemap_end(d->reading);
    decode_free(decode);
}

/* ---- the work ---- */

static void time_is_over(struct timer *t)
{
    struct deploy *d = CONTAINER_OF(t, struct deploy, timer);
    d->result.warm_time_over = true;
    d->sitemaps.next = d->sitemaps.n;
    d->pages.next = d->pages.n;
    d->assets.next = d->assets.n;
    for (size_t i = 0; i < DEPLOY_ERRANDS; i++)
        errand_abort(&d->slots[i].errand); /* then go_on finds nothing to do */
}

static bool start_next(struct deploy *d, struct slot *s)
{
    struct str target;
    if (worklist_take(&d->pages, &target))
        start(s, TASK_PAGE, target);
    else if (worklist_take(&d->assets, &target))
        start(s, TASK_ASSET, target);
    else
        return false;
    return true;
}

static void start_errands(struct deploy *d)
{
    for (size_t i = 0; i < DEPLOY_ERRANDS; i++)
        if (!d->slots[i].errand.is_open && !start_next(d, &d->slots[i]))
            return;
}

static void count_errand(struct deploy *d, const struct slot *s)
{
    const struct errand *x = &s->errand;
    struct deploy_count *count = s->task == TASK_PAGE ? &d->result.pages : &d->result.assets;
    bool good = x->status >= 200 && x->status < 400 && x->reason == REASON_NONE;
    count->done += good;
    count->failed += !good && !x->is_aborted;
}

static void errand_done(struct errand *x)
{
    struct slot *s = CONTAINER_OF(x, struct slot, errand);
    struct deploy *d = s->deploy;
    if (!d->given_up)
        switch (s->task) {
        case TASK_CHECK: checked(d, x); return;
        case TASK_SITEMAP: read_sitemap(d, x); break;
        default: count_errand(d, s); break;
        }
    go_on(d);
}

/* ---- what is next ---- */

static void begin_lists(struct deploy *d)
{
    add_plan(d, &d->pages, &d->plan.pages);
    add_top(d);
    add_plan(d, &d->assets, &d->plan.assets);
    if (d->plan.sitemap.n)
        worklist_add(&d->sitemaps, page_of_plan(d, d->plan.sitemap));
    timer_start(d->like->loop, &d->timer, d->plan.warm_ms, time_is_over);
    d->phase = PHASE_SITEMAPS;
}

/* Is there nothing to do, from the beginning or by now? */
static bool is_decided(const struct deploy *d)
{
    return d->given_up || d->result.was_live || d->result.text[0];
}

/* Decides it when something has ended. Nothing is, while errands are under way that it waits for. */
static void go_on(struct deploy *d)
{
    struct str target;
    if (is_decided(d)) {
        if (d->errands.open == 0 && !d->later_pending)
            end(d);
        return;
    }
    if (d->phase == PHASE_CHECK) {
        check(d);
        return;
    }
    if (d->phase == PHASE_LOOK) {
        if (!look(d)) {
            go_on_later(d);
            return;
        }
        begin_lists(d);
    }
    if (d->phase == PHASE_SITEMAPS) {
        if (worklist_take(&d->sitemaps, &target)) {
            start(&d->slots[0], TASK_SITEMAP, target);
            return;
        }
        d->result.sitemap_failed = d->plan.sitemap.n && d->sitemap_urls == 0;
        d->phase = PHASE_WORK;
    }
    CHECK(d->phase == PHASE_WORK);
    start_errands(d);
    if (d->errands.open > 0)
        return;
    timer_stop(d->like->loop, &d->timer);
    ask_for_switch(d);
}

/* ---- the beginning ---- */

static struct strs copy_list(const struct strs *from, struct arena *a)
{
    struct strs to = { arena_alloc(a, (from->n + 1) * sizeof(*to.v)), from->n };
    for (size_t i = 0; i < from->n; i++)
        to.v[i] = arena_dup(a, from->v[i]);
    return to;
}

static void copy_plan(struct deploy *d, const struct deploy_plan *plan)
{
    d->plan = *plan;
    d->plan.check = arena_dup(&d->arena, plan->check);
    d->plan.host = arena_dup(&d->arena, plan->host);
    d->plan.sitemap = arena_dup(&d->arena, plan->sitemap);
    d->site = arena_dup(&d->arena, plan->site->name);
    d->pages = d->assets = d->sitemaps =
        (struct worklist){ .arena = &d->arena, .secret = d->like->cache->secret };
    d->plan.pages = copy_list(&plan->pages, &d->arena);
    d->plan.assets = copy_list(&plan->assets, &d->arena);
}

static void put_text(char *to, size_t room, struct str s)
{
    CHECK(s.n < room);
    *str_put(to, s) = '\0';
}

/* Which release this deploy makes live. false: there is none, and the result says why. */
static bool find_release(struct deploy *d, const struct deploy_plan *plan)
{
    struct ledger *l = &d->all->ledger;
    struct ledger_release *to = &d->result.release;
    ledger_live(l, d->site, &d->result.before);
    if (plan->rollback) {
        if (ledger_before(l, d->site, to))
            return true;
        d->result.status = 409;
        snprintf(d->result.text, sizeof(d->result.text), "there is no release to go back to");
        return false;
    }
    *to = (struct ledger_release){ .number = ledger_number(l) };
    memcpy(to->origin, d->result.before.origin, sizeof(to->origin));
    if (plan->origin.n)
        put_text(to->origin, sizeof(to->origin), plan->origin);
    if (plan->id.n)
        put_text(to->id, sizeof(to->id), plan->id);
    else
        snprintf(to->id, sizeof(to->id), "%u", to->number);
    CHECK(to->number != 0);
    return true;
}

/* The same again, as a step of a pipeline that is repeated? */
static bool is_same(const struct deploy *d, const struct deploy_plan *plan)
{
    const struct ledger_release *live = &d->result.before;
    return !plan->rollback && plan->id.n && str_eq(str_from(live->id), plan->id) &&
           (!plan->origin.n || str_eq(str_from(live->origin), plan->origin));
}

/* Also one that was given up when main had been asked for its switch: that is made, and changes what the next
 * one finds. */
static bool is_under_way(struct deploys *all, struct str site)
{
    LIST_EACH(l, &all->open)
        if (str_eq(CONTAINER_OF(l, struct deploy, link)->site, site))
            return true;
    return deploys_is_pending(all, site);
}

struct deploy *deploy_start(struct deploys *all, const struct requests *like, struct settings *in_force,
                            const struct deploy_plan *plan,
                            void (*done)(void *ctx, const struct deploy_result *result), void *ctx)
{
    if (is_under_way(all, plan->site->name))
        return NULL;
    struct deploy *d = mem_alloc(sizeof(*d));
    d->all = all;
    d->like = like;
    d->done = done;
    d->ctx = ctx;
    arena_init(&d->arena, 4096);
    arena_init(&d->scratch, 4096);
    copy_plan(d, plan);
    link_init(&d->link);
    list_push_back(&all->open, &d->link);
    bool found = find_release(d, plan);
    d->result.was_live = found && is_same(d, plan);
    if (d->result.was_live)
        d->result.release = d->result.before;
    struct settings *ahead = found ? ledger_settings_with(&all->ledger, in_force, d->site, &d->result.release)
                                   : settings_ref(in_force);
    d->ahead = settings_site_by_name(ahead, d->site);
    d->origin = d->ahead->origin_text;
    d->guessed_host = guess_host(d->ahead);
    errands_init(&d->errands, like, ahead);
    for (size_t i = 0; i < DEPLOY_ERRANDS; i++) {
        d->slots[i].deploy = d;
        d->slots[i].errand.of = &d->errands;
        d->slots[i].errand.done = errand_done;
    }
    d->began_ms = d->like->loop->now.mono_ms;
    d->check_until_ms = d->began_ms + plan->wait_ms;
    go_on_later(d);
    return d;
}

void deploy_give_up(struct deploy *d)
{
    CHECK(!d->given_up && d->phase != PHASE_OVER);
    d->given_up = true;
    timer_stop(d->like->loop, &d->timer);
    if (d->waits_for) {
        struct deploy_switch *s = d->waits_for;
        d->waits_for = NULL;
        if (!deploys_abandon(d->all, s))
            s->ctx = NULL;
    }
    for (size_t i = 0; i < DEPLOY_ERRANDS; i++)
        errand_abort(&d->slots[i].errand);
    if (d->errands.open == 0 && !d->later_pending)
        end(d);
}
