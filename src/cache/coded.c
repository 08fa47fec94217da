#include "cache/coded.h"

#include "base/check.h"

/* Of one coding. FINAL: nothing more is made of it. */
enum { CODED_IDLE, CODED_BUSY, CODED_FINAL };

#define MADE (CODINGS - CODING_GZIP)

struct codings {
    _Atomic(struct coded *) of[MADE];
    _Atomic uint8_t state[MADE];
};

static struct codings *codings_of(const struct object *o)
{
    if (!o->response->has_codings)
        return NULL;
    return atomic_load_explicit(&response_codings(o->response)->all, memory_order_acquire);
}

static size_t place_of(enum coding coding)
{
    CHECK(coding >= CODING_GZIP && coding < CODINGS);
    return (size_t)(coding - CODING_GZIP);
}

static struct coded *coded_in(const struct codings *all, size_t at)
{
    return atomic_load_explicit(&all->of[at], memory_order_acquire);
}

const struct coded *coded_find(const struct object *o, enum coding coding)
{
    const struct codings *all = codings_of(o);
    return all ? coded_in(all, place_of(coding)) : NULL;
}

const struct coded *coded_last(const struct object *o, unsigned of, enum coding *better)
{
    const struct codings *all = codings_of(o);
    *better = CODING_IDENTITY;
    for (enum coding c = CODING_BR; c > CODING_IDENTITY; c--) {
        size_t at = c - CODING_GZIP;
        if (!(of >> c & 1))
            continue;
        const struct coded *coded = all ? coded_in(all, at) : NULL;
        if (coded)
            return coded;
        if (*better == CODING_IDENTITY &&
            (!all || atomic_load_explicit(&all->state[at], memory_order_acquire) != CODED_FINAL))
            *better = c;
    }
    return NULL;
}

bool coded_is_useless(const struct object *o, enum coding coding)
{
    const struct codings *all = codings_of(o);
    size_t at = place_of(coding);
    return all && atomic_load_explicit(&all->state[at], memory_order_acquire) == CODED_FINAL &&
           !coded_in(all, at);
}

int coded_level(const struct site_settings *site, enum coding coding, bool best)
{
    switch (coding) {
    case CODING_BR: return (int)(best ? site->compress_br_best : site->compress_br);
    case CODING_ZSTD: return (int)(best ? site->compress_zstd_best : site->compress_zstd);
    default: return (int)(best ? site->compress_gzip_best : site->compress_gzip);
    }
}

/* ---- memory ---- */

static size_t cost_of(const struct coded *x)
{
    size_t bytes = 0;
    for (; x; x = x->older)
        bytes += memory_cost(sizeof(*x)) + memory_cost(response_bytes(x->response)) + body_charged(x->body);
    return bytes;
}

/* Bodies charge themselves. */
static int64_t charge_of(const struct coded *x)
{
    return (int64_t)(memory_cost(sizeof(*x)) + memory_cost(response_bytes(x->response)));
}

size_t coded_charged(const struct object *o)
{
    const struct codings *all = codings_of(o);
    size_t bytes = all ? memory_cost(sizeof(*all)) : 0;
    for (size_t i = 0; all && i < MADE; i++)
        bytes += cost_of(coded_in(all, i));
    return bytes;
}

static void count_bytes(struct cache *c, int64_t bytes)
{
    atomic_fetch_add_explicit(&c->coded_bytes, bytes, memory_order_relaxed);
}

static void free_coded(struct cache *c, struct coded *x)
{
    while (x) {
        struct coded *older = x->older;
        memory_charge(&c->memory, -charge_of(x));
        count_bytes(c, -charge_of(x) - (int64_t)body_charged(x->body));
        atomic_fetch_sub_explicit(&c->coded, 1, memory_order_relaxed);
        response_free(&c->memory, x->response);
        body_unref(x->body);
        memory_give(&c->memory, x, sizeof(*x));
        x = older;
    }
}

void coded_free(struct cache *c, struct codings *all)
{
    if (!all)
        return;
    for (size_t i = 0; i < MADE; i++)
        free_coded(c, atomic_load_explicit(&all->of[i], memory_order_acquire));
    memory_charge(&c->memory, -(int64_t)memory_cost(sizeof(*all)));
    memory_give(&c->memory, all, sizeof(*all));
}

struct codings *coded_take(struct object *o)
{
    if (!o->response || !o->response->has_codings)
        return NULL;
    return atomic_exchange_explicit(&response_codings(o->response)->all, NULL, memory_order_acq_rel);
}

/* Of several threads that come at once one makes it. */
static struct codings *codings_made(struct object *o)
{
    struct memory *m = &object_cache(o)->memory;
    struct codings *all = codings_of(o), *none = NULL;
    if (all)
        return all;
    all = memory_zero(m, sizeof(*all));
    if (!atomic_compare_exchange_strong_explicit(&response_codings(o->response)->all, &none, all,
                                                 memory_order_acq_rel, memory_order_acquire)) {
        memory_give(m, all, sizeof(*all));
        return none;
    }
    memory_charge(m, (int64_t)memory_cost(sizeof(*all)));
    object_weigh(o);
    return all;
}

/* ---- making ---- */

bool coded_claim(struct object *o, enum coding coding, bool best)
{
    CHECK(object_state(o) == OBJECT_SEALED && o->stored);
    uint8_t idle = CODED_IDLE;
    size_t at = place_of(coding);
    struct codings *all = codings_made(o);
    const struct coded *now = coded_in(all, at);
    if (now && (!best || now->is_best))
        return false;
    return atomic_compare_exchange_strong_explicit(&all->state[at], &idle, CODED_BUSY, memory_order_acq_rel,
                                                   memory_order_relaxed);
}

static void set_state(struct codings *all, size_t at, uint8_t state)
{
    CHECK(atomic_exchange_explicit(&all->state[at], state, memory_order_acq_rel) == CODED_BUSY);
}

void coded_give_up(struct object *o, enum coding coding, bool useless)
{
    struct codings *all = codings_of(o);
    size_t at = place_of(coding);
    CHECK(all);
    struct coded *now = coded_in(all, at);
    if (now && useless)
        atomic_store_explicit(&now->is_best, true, memory_order_relaxed);
    set_state(all, at, useless ? CODED_FINAL : CODED_IDLE);
}

static struct etag plain_etag(const struct object *o, char room[OBJECT_TAG_BYTES])
{
    struct etag tag = response_etag(o->response);
    if (!tag.opaque.n && o->has_generated_etag)
        tag.opaque = object_generated_etag(o, room);
    return tag;
}

struct response *coded_head(const struct object *o, enum coding coding, int level, bool weak)
{
    struct arena a;
    char room[OBJECT_TAG_BYTES];
    arena_init(&a, 256);
    struct etag plain = plain_etag(o, room);
    plain.weak |= weak;
    struct str etag = plain.opaque.n ? etag_of_coding(plain, coding, level, &a) : STR_NONE;
    struct response *r =
        response_of_coding(&object_cache(o)->memory, o->response, accept_codings[coding], etag);
    arena_fini(&a);
    return r;
}

/* Takes over the response and *body. */
static struct coded *coded_new(const struct object *o, enum coding coding, int level, bool best,
                               struct response *response, struct body **body)
{
    struct memory *m = &object_cache(o)->memory;
    struct coded *x = memory_zero(m, sizeof(*x));
    CHECK(*body);
    x->response = response;
    x->body = *body;
    *body = NULL;
    x->coding = (uint8_t)coding;
    x->level = (uint8_t)level;
    atomic_init(&x->is_best, best);
    memory_charge(m, charge_of(x));
    return x;
}

/* From here on others may read it. */
static void publish(struct object *o, struct codings *all, size_t at, struct coded *x)
{
    struct cache *c = object_cache(o);
    int64_t bytes = charge_of(x) + (int64_t)body_charged(x->body);
    x->older = coded_in(all, at);
    atomic_fetch_add_explicit(&c->coded, 1, memory_order_relaxed);
    count_bytes(c, bytes);
    atomic_store_explicit(&all->of[at], x, memory_order_release);
    object_weigh(o);
}

static void attach(struct object *o, enum coding coding, int level, bool best, bool weak, struct body **body)
{
    struct codings *all = codings_of(o);
    size_t at = place_of(coding);
    CHECK(all);
    publish(o, all, at, coded_new(o, coding, level, best, coded_head(o, coding, level, weak), body));
    set_state(all, at, best ? CODED_FINAL : CODED_IDLE);
}

void coded_attach(struct object *o, enum coding coding, int level, bool best, struct body **body)
{
    attach(o, coding, level, best, false, body);
}

void coded_attach_poured(struct object *o, enum coding coding, int level, struct body **body)
{
    attach(o, coding, level, false, true, body);
}

/* The origin's, with its tag. */
static void attach_own(struct object *o, enum coding coding, struct str etag, struct body **body)
{
    struct codings *all = codings_of(o);
    size_t at = place_of(coding);
    struct response *r =
        response_of_coding(&object_cache(o)->memory, o->response, accept_codings[coding], etag);
    publish(o, all, at, coded_new(o, coding, CODED_OWN, true, r, body));
    set_state(all, at, CODED_FINAL);
}

void coded_keep_own(struct object *o, enum coding coding, struct str etag, struct body **body)
{
    struct codings *all = codings_made(o);
    CHECK(object_state(o) == OBJECT_HEAD && o->stored);
    /* nobody else looks yet */
    atomic_store_explicit(&all->state[place_of(coding)], CODED_BUSY, memory_order_relaxed);
    attach_own(o, coding, etag, body);
}

void coded_inherit(struct object *o, const struct object *from)
{
    const struct codings *theirs = codings_of(from);
    if (!theirs || !o->response->has_codings || o->body != from->body)
        return;
    for (enum coding c = CODING_GZIP; c < CODINGS; c++) {
        size_t at = place_of(c);
        struct coded *x = coded_in(theirs, at);
        bool useless = coded_is_useless(from, c);
        if ((!x && !useless) || !coded_claim(o, c, false))
            continue;
        struct body *body = x ? body_ref(x->body) : NULL;
        if (!body)
            coded_give_up(o, c, true);
        else if (x->level == CODED_OWN)
            attach_own(o, c, response_value(x->response, FIELD_ETAG), &body);
        else
            attach(o, c, x->level, x->is_best, x->response->etag_is_weak, &body);
    }
}

unsigned coded_all(const struct object *o)
{
    const struct codings *all = codings_of(o);
    unsigned set = 0;
    for (enum coding c = CODING_GZIP; all && c < CODINGS; c++)
        if (coded_in(all, place_of(c)) ||
            atomic_load_explicit(&all->state[place_of(c)], memory_order_acquire) == CODED_BUSY)
            set |= 1u << c;
    return set;
}
