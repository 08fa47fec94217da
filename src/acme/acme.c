#include "acme/acme_machine.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <stdio.h>

#include "acme/ari.h"
#include "acme/backoff.h"
#include "acme/base64url.h"
#include "acme/csr.h"
#include "acme/revoke.h"
#include "base/mem.h"
#include "io/background.h"
#include "io/system.h"
#include "tls/alpn_proof.h"
#include "tls/context.h"

#define ORDER_MS      INT64_C(900000) /* what one may take */
#define NAP_MOST_MS   INT64_C(3600000)
#define DNS_NAME_MOST 300

struct now acme_now(const struct acme *a)
{
    return clock_now(a->owner->clock);
}

uint32_t acme_chance(void)
{
    uint32_t n;
    system_random(&n, sizeof(n));
    return n;
}

/* ---- plans ---- */

static void free_plan(struct plan *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->rules.n; i++)
        want_fini(&p->wants[i]);
    arena_fini(&p->arena);
    mem_free(p);
}

static struct plan *make_plan(const struct acme_rules *rules)
{
    struct plan *p = mem_alloc(sizeof(*p));
    arena_init(&p->arena, 1024);
    const struct session_rules *ca = &rules->ca;
    p->rules = (struct acme_rules){ .ca = { .directory = arena_dup(&p->arena, ca->directory),
                                            .email = arena_dup(&p->arena, ca->email),
                                            .eab_kid = arena_dup(&p->arena, ca->eab_kid),
                                            .eab_key = arena_dup(&p->arena, ca->eab_key) },
                                    .n = rules->n };
    if (ca->ca_file &&
        (size_t)snprintf(p->ca_file, sizeof(p->ca_file), "%s", ca->ca_file) < sizeof(p->ca_file))
        p->rules.ca.ca_file = p->ca_file;
    struct acme_set *sets = arena_zero(&p->arena, (rules->n + 1) * sizeof(*sets));
    p->rules.sets = sets;
    p->wants = arena_zero(&p->arena, (rules->n + 1) * sizeof(*p->wants));
    for (size_t i = 0; i < rules->n; i++) {
        struct want *w = &p->wants[i];
        w->set.way = rules->sets[i].way;
        for (size_t k = 0; k < rules->sets[i].names.n; k++)
            arena_add_str(&p->arena, &w->set.names, arena_dup(&p->arena, rules->sets[i].names.v[k]));
        store_id(ca->directory, &w->set.names, w->id);
        sets[i] = w->set;
    }
    return p;
}

/* ---- what is kept ---- */

static struct pair *pair_of(const struct acme *a, const char *id, struct str pem, struct buf *why)
{
    return pair_new(pem, str_from(id), pem, str_from(id), acme_now(a).wall_ms, why);
}

/* The longest-lived certificate for one of the names, whatever set it was made for. */
struct search {
    const struct acme *a;
    struct want *w;
};

static bool is_for_one(const struct pair *p, const struct strs *names)
{
    for (size_t i = 0; i < names->n; i++)
        if (pair_is_for(p, names->v[i]))
            return true;
    return false;
}

static bool look_at_other(void *ctx, const char *file, struct str pem)
{
    const struct search *s = ctx;
    struct buf why = BUF_INIT;
    struct pair *p = pair_of(s->a, file, pem, &why), *before = s->w->substitute;
    buf_fini(&why);
    if (p && is_for_one(p, &s->w->set.names) && (!before || pair_until_ms(p) > pair_until_ms(before))) {
        s->w->substitute = p;
        p = before;
    }
    if (p)
        pair_unref(p);
    return true;
}

static void read_want(struct acme *a, struct want *w)
{
    struct buf why = BUF_INIT;
    int status = store_read_record(&a->store, w->id, &w->record);
    if (status < 0 && status != -ENOENT)
        log_warning(a->owner->log, "acme", "cannot read %s/%s.json: %s; begins anew", a->store.folder, w->id,
                    system_strerror(status));
    if (store_read_pem(&a->store, w->id, &w->pem) == 0)
        w->pair = pair_of(a, w->id, buf_str(&w->pem), &why);
    if (w->pem.n && !w->pair)
        log_warning(a->owner->log, "acme", "%.*s; another one is asked for", STR_ARG(buf_str(&why)));
    if (!w->pair)
        store_each_pem(&a->store, look_at_other, &(struct search){ .a = a, .w = w });
    buf_fini(&why);
}

/* Puts the pairs where others find them. */
static void publish(struct acme *a)
{
    size_t n = 0, most = a->plan ? a->plan->rules.n : 0;
    struct pair **pairs = mem_alloc((most + 1) * sizeof(struct pair *));
    for (size_t i = 0; i < most; i++) {
        struct pair *p = a->plan->wants[i].pair ? a->plan->wants[i].pair : a->plan->wants[i].substitute;
        if (p)
            pairs[n++] = pair_ref(p);
    }
    lock_take(&a->lock);
    struct pair **before = a->pairs;
    size_t before_n = a->pairs_n;
    a->pairs = pairs;
    a->pairs_n = n;
    lock_give(&a->lock);
    for (size_t i = 0; i < before_n; i++)
        pair_unref(before[i]);
    mem_free(before);
}

/* Puts what is known of them where others find it. */
static void show_states(struct acme *a)
{
    size_t n = a->plan ? a->plan->rules.n : 0;
    struct acme_state *v = mem_alloc((n + 1) * sizeof(*v));
    for (size_t i = 0; i < n; i++) {
        const struct want *w = &a->plan->wants[i];
        const struct store_record *r = &w->record;
        v[i] = (struct acme_state){ .id = str_from(w->id),
                                    .directory = a->plan->rules.ca.directory,
                                    .names = w->set.names,
                                    .pair = w->pair,
                                    .until_ms = w->pair ? pair_until_ms(w->pair) : 0,
                                    .issued_ms = w->pair ? r->issued_ms : 0,
                                    .renew_ms = w->pair ? want_order_ms(w, acme_now(a).wall_ms) : 0,
                                    .orders = (a->order && a->of == w) || r->order.n > 0,
                                    .revokes = r->revoke.n > 0,
                                    .error = buf_str(&r->error),
                                    .failures = r->failures + r->revoke_failures,
                                    .try_ms = r->failures          ? r->try_ms
                                              : r->revoke_failures ? r->revoke_try_ms
                                                                   : 0,
                                    .asked = w->asked,
                                    .answered = w->answered,
                                    .outcome = buf_str(&w->outcome) };
    }
    states_put(&a->states, v, n, &a->totals);
    mem_free(v);
}

void acme_end_order(struct acme *a)
{
    order_free(a->order);
    if (a->order)
        session_rest(&a->session);
    a->order = NULL;
    a->of = NULL;
}

/* Another plan, or another process, goes on with it. */
static void leave_order(struct acme *a)
{
    order_leave(a->order);
    if (a->order)
        session_rest(&a->session);
    a->order = NULL;
    a->of = NULL;
}

struct want *acme_want_by_id(struct plan *p, const char *id)
{
    for (size_t i = 0; p && i < p->rules.n; i++)
        if (strcmp(p->wants[i].id, id) == 0)
            return &p->wants[i];
    return NULL;
}

/* What was asked for by hand is kept on disk, but for its number. */
static void keep_numbers(struct plan *before, struct plan *p)
{
    for (size_t i = 0; i < p->rules.n; i++) {
        struct want *w = &p->wants[i], *old = acme_want_by_id(before, w->id);
        if (!old)
            continue;
        w->asked = old->asked;
        w->answered = old->answered;
        w->wish = old->wish;
        buf_add(&w->outcome, buf_str(&old->outcome));
    }
}

/* Before its order runs: the CA may come at any moment. The record in DNS has stayed. */
static void show_again(struct acme *a, const struct want *w)
{
    struct order_proof proof;
    struct buf why = BUF_INIT;
    if (order_shown(&w->record, w->set.way, &proof) && proof.way != ORDER_DNS_01)
        (void)a->host.show(&a->host, &proof, &why);
    buf_fini(&why);
}

static void take_plan(struct acme *a, struct plan *p)
{
    struct want *same = a->of ? acme_want_by_id(p, a->of->id) : NULL;
    if (same && same->set.way == a->of->set.way)
        leave_order(a);
    else
        acme_end_order(a);
    keep_numbers(a->plan, p);
    free_plan(a->plan);
    a->plan = p;
    if (!session_set_rules(&a->session, &p->rules.ca))
        log_error(a->owner->log, "acme", "libcurl does not take the rules for %.*s",
                  STR_ARG(p->rules.ca.directory));
    for (size_t i = 0; i < p->rules.n; i++)
        read_want(a, &p->wants[i]);
    for (size_t i = 0; i < p->rules.n; i++)
        show_again(a, &p->wants[i]);
    publish(a);
    show_states(a);
}

/* ---- proofs ---- */

static void digest_of(struct str s, unsigned char out[EVP_MAX_MD_SIZE])
{
    CHECK(EVP_Digest(s.p, s.n, out, NULL, EVP_sha256(), NULL) == 1);
}

static bool show_tls(struct acme *a, const struct order_proof *p, struct buf *why)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    struct buf cert = BUF_INIT, key = BUF_INIT;
    int64_t now_ms = acme_now(a).wall_ms;
    digest_of(p->authorization, digest);
    csr_make_challenge(p->name, digest, now_ms / 1000, &cert, &key);
    struct pair *pair = pair_new(buf_str(&cert), p->name, buf_str(&key), p->name, now_ms, why);
    SSL_CTX *context = pair ? context_new() : NULL;
    bool shown = false;
    if (context) {
        pair_use(pair, context);
        alpn_proof_prepare(context);
        shown = proofs_show_tls(&a->proofs, p->name, context);
    }
    if (pair)
        pair_unref(pair);
    buf_fini(&cert);
    buf_fini(&key);
    return shown;
}

/* RFC 8555 §8.4 */
static bool change_dns(struct acme *a, bool put, const struct order_proof *p, struct buf *why)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    char name[DNS_NAME_MOST];
    struct buf value = BUF_INIT;
    if (!a->owner->dns) {
        buf_add(why, STR("acme_challenge is dns-01 and nobody puts records into DNS: name a program with "
                         "acme_dns_hook"));
        return false;
    }
    snprintf(name, sizeof(name), "_acme-challenge.%.*s", STR_ARG(p->name));
    digest_of(p->authorization, digest);
    base64url_add(&value, digest, 32);
    bool good = a->owner->dns(a->owner, put, str_from(name), buf_str(&value), why);
    buf_fini(&value);
    return good;
}

static bool show(struct order_host *h, const struct order_proof *p, struct buf *why)
{
    struct acme *a = CONTAINER_OF(h, struct acme, host);
    switch (p->way) {
    case ORDER_HTTP_01: return proofs_show_http(&a->proofs, p->token, p->authorization);
    case ORDER_TLS_ALPN_01: return show_tls(a, p, why);
    case ORDER_DNS_01: return change_dns(a, true, p, why);
    }
    UNREACHABLE();
}

static void hide(struct order_host *h, const struct order_proof *p)
{
    struct acme *a = CONTAINER_OF(h, struct acme, host);
    struct buf why = BUF_INIT;
    if (p->way != ORDER_DNS_01)
        proofs_hide(&a->proofs, p->way == ORDER_HTTP_01 ? p->token : p->name);
    else if (!change_dns(a, false, p, &why))
        log_warning(a->owner->log, "acme", "the record of _acme-challenge.%.*s stays in DNS: %.*s",
                    STR_ARG(p->name), STR_ARG(buf_str(&why)));
    buf_fini(&why);
}

static bool keep(struct order_host *h, struct store_record *r, struct buf *why)
{
    struct acme *a = CONTAINER_OF(h, struct acme, host);
    const struct want *w = CONTAINER_OF(r, struct want, record);
    int status = store_write_record(&a->store, w->id, r);
    if (status < 0)
        buf_printf(why, "cannot keep the order in %s: %s", a->store.folder, system_strerror(status));
    return status == 0;
}

void acme_keep_record(struct acme *a, struct want *w)
{
    struct buf why = BUF_INIT;
    if (!keep(&a->host, &w->record, &why))
        log_warning(a->owner->log, "acme", "%.*s", STR_ARG(buf_str(&why)));
    buf_fini(&why);
}

/* ---- when ---- */

static struct want *first_due(const struct acme *a, int64_t now_ms)
{
    struct want *first = NULL;
    for (size_t i = 0; a->plan && i < a->plan->rules.n; i++) {
        struct want *w = &a->plan->wants[i];
        if (!first || want_due_ms(w, now_ms) < want_due_ms(first, now_ms))
            first = w;
    }
    return first;
}

/* ---- advice ---- */

static void say_advice(struct acme *a, const struct want *w, int64_t before_ms)
{
    char text[32];
    struct buf names = BUF_INIT;
    int64_t gone = w->record.renew_ms - before_ms;
    if (gone > -60000 && gone < 60000)
        return;
    log_time_write(text, w->record.renew_ms);
    want_add_names(w, &names);
    log_info(a->owner->log, "acme", "the CA wants the certificate for %.*s to be renewed about %.16sZ",
             STR_ARG(buf_str(&names)), text);
    buf_fini(&names);
}

/* The time of before stays when it is in the window: else each question would choose anew, and the
 * earliest of many would count. */
static void take_window(struct acme *a, struct want *w, const struct ari_window *window)
{
    int64_t before = w->record.renew_ms;
    if (before < window->start_ms || before > window->end_ms)
        w->record.renew_ms = ari_in_window(window, acme_chance());
    say_advice(a, w, before);
}

/* Whatever comes of it, what was known before goes on. */
static void ask_advice(struct acme *a, struct want *w)
{
    struct session_trouble t = { .retry_after_ms = -1 };
    struct ari_window window;
    struct buf url = BUF_INIT;
    int64_t now_ms = acme_now(a).wall_ms, holds = -1;
    bool is_open = session_open(&a->session, now_ms, &t);
    struct str base = is_open ? session_url(&a->session, "renewalInfo") : STR_NONE;
    buf_printf(&url, "%.*s/", STR_ARG(base));
    if (base.n && ari_add_id(buf_str(&w->pem), &url)) {
        bool came = session_get(&a->session, buf_str(&url), now_ms, &t);
        holds = came ? backoff_retry_after(buf_str(&a->session.reply.retry_after), now_ms) : t.retry_after_ms;
        if (came && ari_read_window(buf_str(&a->session.reply.body), &window))
            take_window(a, w, &window);
    }
    if (!atomic_load(&a->stopping)) { /* else the stop is why there is no answer */
        w->record.advised_until_ms = now_ms + ari_holds_ms(holds);
        acme_keep_record(a, w);
    }
    session_rest(&a->session);
    buf_fini(&url);
    session_trouble_fini(&t);
}

/* ---- orders ---- */

static void begin_order(struct acme *a, struct want *w)
{
    struct buf id = BUF_INIT;
    if (w->pair)
        (void)ari_add_id(buf_str(&w->pem), &id);
    const struct order_rules rules = { .session = &a->session,
                                       .host = &a->host,
                                       .record = &w->record,
                                       .names = w->set.names,
                                       .way = w->set.way,
                                       .replaces = arena_dup(&a->plan->arena, buf_str(&id)),
                                       .most_ms = ORDER_MS };
    a->order = order_new(&rules, acme_now(a).wall_ms);
    a->of = w;
    a->order_mono_ms = 0;
    a->totals.orders++;
    buf_fini(&id);
}

static void say_failure(struct acme *a, const struct want *w, int64_t wait_ms)
{
    struct buf text = BUF_INIT;
    char until[32];
    buf_add(&text, w->pair ? STR("cannot renew the certificate for ") : STR("no certificate for "));
    want_add_names(w, &text);
    buf_printf(&text, ": %.*s. The next try is in ", STR_ARG(buf_str(&w->record.error)));
    want_add_span(wait_ms, &text);
    if (w->pair) {
        log_time_write(until, pair_until_ms(w->pair));
        buf_printf(&text, "; the one that is there %s good until %.10s",
                   pair_until_ms(w->pair) > acme_now(a).wall_ms ? "is" : "was", until);
    }
    log_error(a->owner->log, "acme", "%.*s", STR_ARG(buf_str(&text)));
    buf_fini(&text);
}

void acme_keep_error(struct acme *a, struct want *w, struct str text)
{
    buf_clear(&w->record.error);
    buf_add(&w->record.error, text);
    acme_keep_record(a, w);
}

/* Who has asked by hand need not wait: it goes on by itself. */
static void answer_failure(struct want *w, int64_t wait_ms)
{
    struct buf text = BUF_INIT;
    if (w->wish == WANT_REVOKE && w->record.revoke.n)
        buf_add(&text, STR("the old one is revoked when another one is there; now there is none: "));
    buf_printf(&text, "%.*s. The next try is in ", STR_ARG(buf_str(&w->record.error)));
    want_add_span(wait_ms, &text);
    want_answer(w, buf_str(&text));
    buf_fini(&text);
}

static void order_failed(struct acme *a, struct want *w, const struct session_trouble *t)
{
    int64_t wait_ms = backoff_ms(++w->record.failures, t->retry_after_ms, acme_chance());
    w->record.try_ms = acme_now(a).wall_ms + wait_ms;
    if (t->retry_after_ms >= 0)
        w->record.told_ms = acme_now(a).wall_ms + t->retry_after_ms;
    a->totals.failures++;
    acme_keep_error(a, w, buf_str(&t->text));
    say_failure(a, w, wait_ms);
    answer_failure(w, wait_ms);
    acme_end_order(a);
    /* What was found out of the CA may have changed. */
    (void)session_set_rules(&a->session, &a->plan->rules.ca);
}

/* Nobody serves with what the CA gave. */
static void refuse_chain(struct acme *a, struct want *w, struct buf *why)
{
    struct session_trouble t = { .text = *why, .retry_after_ms = -1 };
    buf_clear(&w->record.order);
    buf_clear(&w->record.key);
    order_failed(a, w, &t);
}

static bool is_for_all(const struct pair *p, const struct strs *names)
{
    for (size_t i = 0; i < names->n; i++)
        if (!pair_is_for(p, names->v[i]))
            return false;
    return true;
}

static void say_success(struct acme *a, const struct want *w)
{
    char until[32], renew[32];
    struct buf names = BUF_INIT;
    log_time_write(until, pair_until_ms(w->pair));
    log_time_write(renew, w->record.renew_ms);
    want_add_names(w, &names);
    log_info(a->owner->log, "acme",
             "there is a certificate for %.*s, good until %.10s; it will be renewed about %.10s",
             STR_ARG(buf_str(&names)), until, renew);
    buf_fini(&names);
}

static void take_certificate(struct acme *a, struct want *w, struct pair *p)
{
    int64_t now_ms = acme_now(a).wall_ms;
    a->totals.issued++;
    a->totals.renewed += w->pair != NULL;
    if (w->pair)
        pair_unref(w->pair);
    if (w->substitute)
        pair_unref(w->substitute);
    w->pair = p;
    w->substitute = NULL;
    w->record.failures = 0;
    w->record.try_ms = 0;
    w->record.issued_ms = now_ms;
    w->record.renew_ms = ari_without(now_ms, pair_until_ms(p), acme_chance());
    w->record.advised_until_ms = 0;
    w->record.told_ms = 0;
    w->record.wanted = false;
    buf_clear(&w->record.error);
    buf_clear(&w->record.order);
    OPENSSL_cleanse(w->record.key.p, w->record.key.n);
    buf_clear(&w->record.key);
    acme_keep_record(a, w);
    acme_end_order(a);
    say_success(a, w);
    if (w->record.revoke.n == 0)
        want_answer(w, STR_NONE);
    publish(a);
    a->owner->changed(a->owner);
}

/* On disk before it is used. */
static void order_done(struct acme *a, struct want *w)
{
    struct buf why = BUF_INIT, pem = BUF_INIT;
    struct str chain = order_chain(a->order);
    struct pair *p = pair_new(chain, STR("what the CA gave"), buf_str(&w->record.key),
                              STR("the key of the order"), acme_now(a).wall_ms, &why);
    if (p && !is_for_all(p, &w->set.names))
        buf_add(&why, STR("what the CA gave is not for all of the names"));
    int status = p && !why.n ? store_write_pem(&a->store, w->id, chain, buf_str(&w->record.key)) : 0;
    if (status < 0)
        buf_printf(&why, "cannot keep the certificate in %s: %s", a->store.folder, system_strerror(status));
    if (status == 0 && !why.n)
        (void)store_read_pem(&a->store, w->id, &pem);
    if (!why.n && p) {
        struct buf before = w->pem;
        w->pem = pem;
        buf_fini(&before);
        take_certificate(a, w, p);
    } else {
        if (p)
            pair_unref(p);
        refuse_chain(a, w, &why);
    }
    buf_fini(&why);
}

struct states *acme_states(struct acme *a)
{
    return &a->states;
}

/* Returns how long it waits. */
static int64_t run_order(struct acme *a)
{
    int64_t wait_ms = 0;
    struct now now = acme_now(a);
    if (now.mono_ms < a->order_mono_ms)
        return a->order_mono_ms - now.mono_ms;
    switch (order_step(a->order, now.wall_ms, &wait_ms)) {
    case ORDER_WAIT: break;
    case ORDER_DONE: order_done(a, a->of); return 0;
    case ORDER_FAILED:
        if (!atomic_load(&a->stopping)) /* else the stop is why */
            order_failed(a, a->of, order_trouble(a->order));
        return 0;
    }
    a->order_mono_ms = now.mono_ms + wait_ms;
    return wait_ms;
}

/* ---- the thread ---- */

/* The same, for the set that is due first. */
static int64_t run_first(struct acme *a)
{
    int64_t now_ms = acme_now(a).wall_ms;
    struct want *w = first_due(a, now_ms);
    if (!w)
        return NAP_MOST_MS;
    int64_t wait_ms = want_due_ms(w, now_ms) - now_ms;
    if (wait_ms > 0)
        return wait_ms < NAP_MOST_MS ? wait_ms : NAP_MOST_MS;
    if (want_order_ms(w, now_ms) <= now_ms)
        begin_order(a, w);
    else
        ask_advice(a, w);
    return 0;
}

static int64_t step(void *ctx)
{
    struct acme *a = ctx;
    lock_take(&a->lock);
    struct plan *next = a->next;
    a->next = NULL;
    lock_give(&a->lock);
    if (next) {
        take_plan(a, next);
        a->owner->changed(a->owner);
    }
    if (atomic_load(&a->stopping))
        return BACKGROUND_IDLE;
    acme_take_wishes(a);
    struct want *w = acme_to_revoke(a);
    int64_t wait_ms = w ? 0 : a->order ? run_order(a) : run_first(a);
    if (w)
        acme_revoke(a, w);
    show_states(a);
    atomic_store(&a->due_mono_ms, acme_now(a).mono_ms + wait_ms);
    return wait_ms * 1000;
}

void acme_look(struct acme *a)
{
    bool is_due = acme_now(a).mono_ms >= atomic_load(&a->due_mono_ms) || atomic_load(&a->is_asked);
    if (a->thread && is_due)
        background_wake(a->thread);
}

/* ---- life ---- */

struct acme *acme_new(struct acme_owner *owner, const char *state, struct buf *why)
{
    struct acme *a = mem_alloc(sizeof(*a));
    a->owner = owner;
    a->host = (struct order_host){ .show = show, .hide = hide, .keep = keep };
    bool is_named = store_init(&a->store, state);
    if (is_named && session_init(&a->session, &a->store)) {
        lock_init(&a->lock);
        proofs_init(&a->proofs);
        states_init(&a->states);
        a->wishes = mem_alloc(ACME_ASKED_MOST * sizeof(*a->wishes));
        return a;
    }
    buf_add(why, is_named ? libcurl_trouble() : STR("the name of the state folder is too long"));
    mem_free(a);
    return NULL;
}

void acme_set_rules(struct acme *a, const struct acme_rules *rules)
{
    struct plan *p = make_plan(rules);
    if (!a->thread) {
        take_plan(a, p);
        return;
    }
    lock_take(&a->lock);
    struct plan *unread = a->next;
    a->next = p;
    lock_give(&a->lock);
    free_plan(unread);
    background_wake(a->thread);
}

void acme_reread(struct acme *a)
{
    CHECK(!a->thread);
    if (a->plan)
        take_plan(a, make_plan(&a->plan->rules));
}

void acme_start(struct acme *a)
{
    a->thread = background_start("acme", step, a);
    if (!a->thread)
        log_error(a->owner->log, "acme", "the system has no thread for it: certificates are not renewed");
}

void acme_stop(struct acme *a, bool has_heir)
{
    a->has_heir = a->has_heir || has_heir;
    atomic_store(&a->stopping, true);
    session_stop(&a->session);
    background_stop(&a->thread);
}

void acme_free(struct acme *a)
{
    if (!a)
        return;
    acme_stop(a, false);
    (a->has_heir ? leave_order : acme_end_order)(a);
    free_plan(a->plan);
    free_plan(a->next);
    for (size_t i = 0; i < a->pairs_n; i++)
        pair_unref(a->pairs[i]);
    mem_free(a->pairs);
    session_fini(&a->session);
    proofs_fini(&a->proofs);
    states_fini(&a->states);
    mem_free(a->wishes);
    lock_fini(&a->lock);
    mem_free(a);
}

void acme_each(struct acme *a, void (*take)(void *ctx, struct pair *p), void *ctx)
{
    lock_take(&a->lock);
    for (size_t i = 0; i < a->pairs_n; i++)
        take(ctx, a->pairs[i]);
    lock_give(&a->lock);
}

struct proofs *acme_proofs(struct acme *a)
{
    return &a->proofs;
}
