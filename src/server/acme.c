#include "server/acme.h"

#include <limits.h>
#include <stdio.h>

#include "acme/acme.h"
#include "acme/libcurl.h"
#include "acme/names.h"
#include "base/check.h"
#include "base/mem.h"
#include "io/notice.h"
#include "request/page.h"
#include "request/route.h"
#include "server/hook.h"

#define LOOK_MS  1000
#define BODY_MAX 1024 /* of a request of a CA, which has none */

struct process_acme {
    struct process_tls *tls;
    struct process_tls_more more;
    struct acme_owner owner;
    struct source source;
    struct acme *acme; /* NULL: not opened, or it cannot work here */
    struct loop *loop;
    struct settings *const *settings;
    struct loop_notice changed;
    struct timer look;
    struct hook hook;
    bool runs;
};

/* ---- from settings to rules ---- */

static enum order_way way_of(const struct site_settings *site)
{
    static const enum order_way ways[] = {
        [ACME_HTTP_01] = ORDER_HTTP_01, [ACME_TLS_ALPN_01] = ORDER_TLS_ALPN_01, [ACME_DNS_01] = ORDER_DNS_01
    };
    return ways[site->acme_challenge];
}

static void set_rules(struct process_acme *a, const struct settings *s)
{
    const struct process_settings *p = &s->process;
    struct buf warnings = BUF_INIT;
    struct arena arena;
    char ca_file[PATH_MAX];
    arena_init(&arena, 1024);
    struct acme_set *sets = arena_alloc(&arena, s->sites_n * sizeof(*sets));
    struct acme_rules rules = {
        .ca = { names_directory(p), p->acme_email, p->acme_eab_kid, p->acme_eab_key, NULL }, .sets = sets
    };
    if (p->acme_ca.n) {
        process_tls_path(s, p->acme_ca, ca_file);
        rules.ca.ca_file = ca_file;
    }
    for (size_t i = 0; i < s->sites_n; i++) {
        struct acme_set *set = &sets[rules.n];
        set->way = way_of(&s->sites[i]);
        names_of_site(s, &s->sites[i], &arena, &set->names, &warnings);
        rules.n += set->names.n > 0;
    }
    for (struct str rest = buf_str(&warnings), line; rest.p && (line = str_cut(&rest, '\n')).n;)
        log_warning(a->loop->log, "acme", "%.*s", STR_ARG(line));
    acme_set_rules(a->acme, &rules);
    buf_fini(&warnings);
    arena_fini(&arena);
}

/* ---- the desk ---- */

static void add_pair(void *ctx, struct pair *p)
{
    certificates_add(ctx, p, NULL);
}

static void add(struct process_tls_more *m, struct certificates *desk)
{
    struct process_acme *a = CONTAINER_OF(m, struct process_acme, more);
    if (a->acme)
        acme_each(a->acme, add_pair, desk);
}

static bool is_for(struct process_tls_more *m, const struct settings *s, const struct site_settings *site,
                   struct str host)
{
    (void)m;
    return names_has(s, site, host);
}

static bool has_proofs(void *m)
{
    struct process_acme *a = CONTAINER_OF((struct process_tls_more *)m, struct process_acme, more);
    return a->acme && proofs_any(acme_proofs(a->acme));
}

static struct ssl_ctx_st *proof(void *m, struct str name)
{
    struct process_acme *a = CONTAINER_OF((struct process_tls_more *)m, struct process_acme, more);
    return proofs_tls(acme_proofs(a->acme), name);
}

static void take_changed(struct loop_notice *n)
{
    struct process_acme *a = CONTAINER_OF(n, struct process_acme, changed);
    if (a->runs)
        process_tls_again(a->tls, *a->settings);
}

/* On the thread of ACME, here and in the next one. */
static void changed(struct acme_owner *o)
{
    notice_send(&CONTAINER_OF(o, struct process_acme, owner)->changed.notice, NULL);
}

static bool dns(struct acme_owner *o, bool put, struct str name, struct str value, struct buf *why)
{
    struct process_acme *a = CONTAINER_OF(o, struct process_acme, owner);
    return hook_run(&a->hook, put ? STR("present") : STR("cleanup"), name, value, why);
}

/* ---- answers ---- */

static bool is_asked(struct source *s, struct str path)
{
    struct process_acme *a = CONTAINER_OF(s, struct process_acme, source);
    return a->acme && proofs_http(acme_proofs(a->acme), path, NULL);
}

/* It may be gone since. */
static void answer(struct source *s, struct request *r, struct object *o, bool background)
{
    struct process_acme *a = CONTAINER_OF(s, struct process_acme, source);
    struct buf body = BUF_INIT;
    CHECK(!background);
    bool is_there = proofs_http(acme_proofs(a->acme), r->key.path, &body);
    r->answer.status = is_there ? 200 : 404;
    r->answer.content_type = STR("application/octet-stream");
    r->answer.body = arena_dup(&r->arena, is_there ? buf_str(&body) : STR("not found\n"));
    buf_fini(&body);
    page_fill(r, o);
}

struct acme *process_acme_of(struct process_acme *a)
{
    return a ? a->acme : NULL;
}

struct source *process_acme_source(struct process_acme *a)
{
    return a && a->acme ? &a->source : NULL;
}

/* ---- life ---- */

struct process_acme *process_acme_new(struct process_tls *t)
{
    struct process_acme *a = mem_alloc(sizeof(*a));
    a->tls = t;
    a->more =
        (struct process_tls_more){ .add = add, .is_for = is_for, .has_proofs = has_proofs, .proof = proof };
    a->source = (struct source){ .name = STR("acme"),
                                 .is_asked = is_asked,
                                 .body_max = BODY_MAX,
                                 .budget = BUDGET_PURGES,
                                 .start = answer };
    hook_init(&a->hook);
    process_tls_set_more(t, &a->more);
    return a;
}

void process_acme_prepare(struct process_acme *a, const struct settings *s)
{
    if (!a)
        return;
    if (s->process.acme_dns_hook.n)
        hook_open(&a->hook, s->process.acme_dns_hook, s->process.user);
    /* Also when no site wants it: one may after a reload. */
    (void)libcurl_open();
}

void process_acme_open(struct process_acme *a, struct loop *l, const char *state,
                       struct settings *const *settings)
{
    struct buf why = BUF_INIT;
    if (!a)
        return;
    a->loop = l;
    a->settings = settings;
    a->owner = (struct acme_owner){
        .clock = l->clock, .log = l->log, .changed = changed, .dns = a->hook.is_open ? dns : NULL
    };
    loop_notice_init(&a->changed, l, take_changed);
    if (state[0])
        a->acme = acme_new(&a->owner, state, &why);
    else
        buf_add(&why, STR("there is no state folder; name one with --state"));
    if (a->acme) {
        set_rules(a, *settings);
        process_tls_again(a->tls, *settings);
    } else if (names_any(*settings)) {
        log_error(l->log, "acme", "no certificates come by themselves: %.*s", STR_ARG(buf_str(&why)));
    }
    buf_fini(&why);
}

static void look(struct timer *t)
{
    struct process_acme *a = CONTAINER_OF(t, struct process_acme, look);
    acme_look(a->acme);
    timer_start(a->loop, t, LOOK_MS, look);
}

void process_acme_take_over(struct process_acme *a)
{
    if (!a || !a->acme)
        return;
    acme_reread(a->acme);
    process_tls_again(a->tls, *a->settings);
}

void process_acme_start(struct process_acme *a)
{
    if (!a || !a->acme)
        return;
    a->runs = true;
    acme_start(a->acme);
    timer_start(a->loop, &a->look, LOOK_MS, look);
}

void process_acme_reload(struct process_acme *a, const struct settings *s)
{
    if (a && a->runs)
        set_rules(a, s);
}

void process_acme_stop(struct process_acme *a, bool has_heir)
{
    if (!a || !a->runs)
        return;
    a->runs = false;
    timer_stop(a->loop, &a->look);
    acme_stop(a->acme, has_heir);
}

void process_acme_free(struct process_acme *a)
{
    if (!a)
        return;
    acme_free(a->acme);
    hook_close(&a->hook);
    mem_free(a);
}
