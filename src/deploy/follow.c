#include "deploy/follow.h"

#include <string.h>

#include "base/mem.h"

#define SLICE_MS    20 /* between two slices of reading */
#define SLICE_BYTES ((uint64_t)64 << 10)

struct follow_document {
    struct link link;
    struct follow *follow;
    struct settings *settings; /* a reference, for the site */
    const struct site_settings *site;
    struct body *body; /* a reference */
    bool https;
    struct arena arena;
    struct links_document of;
    struct links *links; /* from the first slice on */
    struct decode *decode;
    struct body_cursor cursor;
    uint64_t at;
};

/* ---- what was met before ---- */

/* Was what has this hash met under the release? Else it is from now on. A collision leaves one out, or lets
 * one be met twice. */
static bool is_met(struct follow *f, uint64_t hash, const struct site_settings *site)
{
    uint64_t h = hash + site->release->number * (uint64_t)0x9e3779b97f4a7c15u;
    uint64_t *place = &f->seen[(h >> 32) % FOLLOW_SEEN];
    bool met = *place == h;
    *place = h;
    return met;
}

/* ---- fetching ---- */

static void start_errands(struct follow *f);

/* Errands go out under the settings of one document after the other. false: not before those under way are
 * over. */
static bool renew_errands(struct follow *f)
{
    struct settings *s = CONTAINER_OF(list_first(&f->targets), struct follow_target, link)->settings;
    if (f->has_errands && f->errands.requests.snapshot->settings == s)
        return true;
    if (f->has_errands && f->errands.open > 0)
        return false;
    if (f->has_errands)
        errands_fini(&f->errands);
    errands_init(&f->errands, f->like, settings_ref(s));
    f->has_errands = true;
    return true;
}

static void tell_quiet(struct follow *f)
{
    if (f->is_stopped && (!f->has_errands || f->errands.open == 0))
        f->quiet(f);
}

static void errand_done(struct errand *x)
{
    struct follow *f = x->ctx;
    if (f->is_stopped)
        tell_quiet(f);
    else
        start_errands(f);
}

static void free_target(struct follow_target *t)
{
    link_remove(&t->link);
    settings_unref(t->settings);
    mem_free(t);
}

static void start_errand(struct follow *f, struct errand *x)
{
    struct follow_target *t = CONTAINER_OF(list_first(&f->targets), struct follow_target, link);
    f->targets_n--;
    x->of = &f->errands;
    x->done = errand_done;
    x->ctx = f;
    errand_start(x, &(struct errand_plan){
                        .https = t->https, .host = t->authority, .target = t->target, .can_wait = true });
    free_target(t);
}

static void start_errands(struct follow *f)
{
    for (size_t i = 0; i < FOLLOW_ERRANDS && f->targets_n > 0; i++)
        if (!f->slots[i].errand.is_open && renew_errands(f))
            start_errand(f, &f->slots[i].errand);
}

/* ---- reading ---- */

static void found(void *ctx, struct str target)
{
    struct follow_document *d = ctx;
    struct follow *f = d->follow;
    struct str authority = d->of.authority;
    const struct hash_secret *secret = f->like->cache->secret;
    uint64_t hash = hash64(secret, authority) * 2 + d->https + hash64(secret, target);
    if (f->targets_n == FOLLOW_TARGETS || is_met(f, hash, d->site))
        return;
    struct follow_target *t = mem_alloc(sizeof(*t) + authority.n + target.n);
    char *text = (char *)(t + 1), *behind = str_put(text, authority);
    str_put(behind, target);
    link_init(&t->link);
    t->authority = (struct str){ text, authority.n };
    t->target = (struct str){ behind, target.n };
    t->https = d->https;
    t->settings = settings_ref(d->settings);
    t->site = d->site;
    list_push_back(&f->targets, &t->link);
    f->targets_n++;
}

static void free_document(struct follow_document *d)
{
    link_remove(&d->link);
    d->follow->documents_n--;
    decode_free(d->decode);
    mem_free(d->links);
    body_unref(d->body);
    settings_unref(d->settings);
    arena_fini(&d->arena);
    mem_free(d);
}

/* false: nothing more can be read. */
static bool feed(struct follow_document *d, struct str piece)
{
    struct str data;
    for (;;)
        switch (decode_next(d->decode, &piece, &data)) {
        case DECODE_DATA: links_feed(d->links, data); break;
        case DECODE_MORE: return true;
        default: return false; /* what came so far counts */
        }
}

/* true: there is more of it. */
static bool read_slice(struct follow_document *d)
{
    struct iovec iov[8];
    uint64_t end = body_length(d->body), bytes = 0,
             to = end - d->at > SLICE_BYTES ? d->at + SLICE_BYTES : end;
    if (!d->links) {
        d->links = mem_alloc(sizeof(*d->links));
        links_init(d->links, &d->of, found, d);
    }
    unsigned n = body_lease(d->body, &d->cursor, d->at, to, iov, COUNT_OF(iov), &bytes);
    for (unsigned i = 0; i < n; i++)
        if (!feed(d, (struct str){ iov[i].iov_base, iov[i].iov_len }))
            return false;
    d->at += bytes;
    return n > 0 && d->at < end;
}

static void read_on(struct timer *t)
{
    struct follow *f = CONTAINER_OF(t, struct follow, timer);
    struct link *first = list_first(&f->documents);
    if (!first)
        return;
    struct follow_document *d = CONTAINER_OF(first, struct follow_document, link);
    if (!read_slice(d)) {
        links_end(d->links);
        free_document(d);
    }
    start_errands(f);
    if (!list_is_empty(&f->documents))
        timer_start(f->like->loop, &f->timer, SLICE_MS, read_on);
}

static bool may_have_links(const struct object *o, enum coding *coding)
{
    return o->response->status == 200 && o->body && !body_distance(o->body) && !object_is_partial(o) &&
           links_may_have(response_value(o->response, FIELD_CONTENT_TYPE)) &&
           accept_coding_from(response_value(o->response, FIELD_CONTENT_ENCODING), coding);
}

void follow_stored(struct follow *f, const struct fetch_plan *plan, struct object *o)
{
    enum coding coding;
    if (!plan->site->follow_assets || f->is_stopped || f->documents_n == FOLLOW_DOCUMENTS ||
        !may_have_links(o, &coding) || is_met(f, plan->place.hash.lo, plan->site))
        return;
    struct decode *decode = decode_new(coding, FOLLOW_BYTES);
    if (!decode)
        return;
    struct follow_document *d = mem_alloc(sizeof(*d));
    arena_init(&d->arena, 1024);
    d->of = (struct links_document){ .site = plan->site,
                                     .authority = key_authority(&plan->key, &d->arena),
                                     .path = arena_dup(&d->arena, plan->key.path) };
    d->follow = f;
    d->settings = settings_ref(plan->settings);
    d->site = plan->site;
    d->https = plan->key.https;
    d->body = object_body(o);
    d->decode = decode;
    link_init(&d->link);
    list_push_back(&f->documents, &d->link);
    f->documents_n++;
    if (!timer_is_running(&f->timer))
        timer_start(f->like->loop, &f->timer, SLICE_MS, read_on);
}

void follow_init(struct follow *f, const struct requests *like)
{
    f->like = like;
    list_init(&f->documents);
    list_init(&f->targets);
}

/* Are these the settings that are in force by now, as far as the site goes? */
static bool is_in_force(const struct settings *s, const struct site_settings *site,
                        const struct settings *now)
{
    const struct site_settings *same = settings_site_by_name(now, site->name);
    return same && same->release->number == site->release->number &&
           settings_as_read(s) == settings_as_read(now);
}

void follow_forget(struct follow *f, const struct settings *now)
{
    LIST_EACH_SAFE(l, &f->documents) {
        struct follow_document *d = CONTAINER_OF(l, struct follow_document, link);
        if (!is_in_force(d->settings, d->site, now))
            free_document(d);
    }
    LIST_EACH_SAFE(l, &f->targets) {
        struct follow_target *t = CONTAINER_OF(l, struct follow_target, link);
        if (is_in_force(t->settings, t->site, now))
            continue;
        free_target(t);
        f->targets_n--;
    }
}

bool follow_stop(struct follow *f)
{
    f->is_stopped = true;
    timer_stop(f->like->loop, &f->timer);
    LIST_EACH_SAFE(l, &f->documents)
        free_document(CONTAINER_OF(l, struct follow_document, link));
    LIST_EACH_SAFE(l, &f->targets)
        free_target(CONTAINER_OF(l, struct follow_target, link));
    f->targets_n = 0;
    for (size_t i = 0; i < FOLLOW_ERRANDS; i++)
        errand_abort(&f->slots[i].errand);
    return !f->has_errands || f->errands.open == 0;
}

void follow_fini(struct follow *f)
{
    CHECK(f->documents_n == 0 && f->targets_n == 0);
    for (size_t i = 0; i < FOLLOW_ERRANDS; i++)
        errand_fini(&f->slots[i].errand);
    if (f->has_errands)
        errands_fini(&f->errands);
}
