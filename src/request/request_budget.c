#include "base/hash.h"
#include "base/mem.h"
#include "request/request_machine.h"
#include "request/route.h"

/*
 * Memory for the bodies that a worker collects. Each kind of body has a budget of its own, so that strangers'
 * uploads leave room for purges and deliveries, and the other way round. When a budget is used up it is
 * shared between clients: a body that comes takes the place of one whose client holds more.
 */
#define SHARES 64 /* clients are told apart by a keyed hash: a stranger cannot choose whose share he uses */

/* Of the clients with one hash. */
struct share {
    size_t bytes;
    struct list collecting; /* their bodies that have bytes and are not whole yet, the oldest first */
};

struct budget {
    size_t bytes;
    struct share shares[SHARES];
};

/* What a request holds of a budget; in its arena. */
struct hold {
    struct link link; /* in collecting */
    struct request *request;
    struct budget *budget;
    struct share *share;
};

static const struct {
    size_t most; /* bytes of a worker */
    /* Is a client's oldest body given up for a newer one? One that is taken comes within a moment, so what
     * does not end is no sender's. */
    bool newest_wins;
} kinds[BUDGETS] = {
    [BUDGET_UPLOADS] = { (size_t)64 << 20, false },
    [BUDGET_PURGES] = { (size_t)16 << 20, false },
    [BUDGET_WEBHOOKS] = { (size_t)32 << 20, true },
};

static struct budget *budget_of(struct requests *w, enum body_budget kind)
{
    CHECK(kind < BUDGETS);
    if (w->budgets[kind])
        return w->budgets[kind];
    struct budget *b = mem_alloc(sizeof(*b));
    for (size_t i = 0; i < SHARES; i++)
        list_init(&b->shares[i].collecting);
    return w->budgets[kind] = b;
}

/* A client with IPv6 has a network of 64 bits, and as many addresses as he likes. */
static struct share *share_of(struct budget *b, struct request *r)
{
    struct str client = request_client_ip(r); /* empty: a Unix socket */
    struct address address;
    if (address_parse_ip(client, 0, &address) && address.sa.any.sa_family == AF_INET6)
        client = (struct str){ (const char *)&address.sa.v6.sin6_addr, 8 };
    return &b->shares[hash64(r->w->cache->secret, client) % SHARES];
}

void request_hold_begin(struct request *r)
{
    CHECK(!r->hold);
    struct hold *h = r->hold = arena_alloc(&r->arena, sizeof(*h));
    struct budget *b = budget_of(r->w, r->source->budget);
    *h = (struct hold){ .request = r, .budget = b, .share = share_of(b, r) };
    link_init(&h->link);
}

static void give_bytes(struct request *r)
{
    struct hold *h = r->hold;
    CHECK(h->share->bytes >= r->buffered && h->budget->bytes >= r->buffered && r->w->buffered >= r->buffered);
    h->share->bytes -= r->buffered;
    h->budget->bytes -= r->buffered;
    r->w->buffered -= r->buffered;
    r->buffered = 0;
}

/* Takes the place from another body: of the client who holds most, when that is more than this one would
 * hold; else, where the newest wins, of his own. Returns false: there is none. */
static bool make_room(struct hold *h, size_t bytes)
{
    struct share *most = h->share;
    for (size_t i = 0; i < SHARES; i++)
        if (h->budget->shares[i].bytes > most->bytes)
            most = &h->budget->shares[i];
    bool own = most == h->share || most->bytes <= h->share->bytes + bytes;
    if (own && !kinds[h->request->source->budget].newest_wins)
        return false;
    if (own)
        most = h->share;
    struct link *oldest = list_first(&most->collecting);
    if (!oldest || oldest == &h->link)
        return false;
    link_remove(oldest);
    struct request *loser = CONTAINER_OF(oldest, struct hold, link)->request;
    give_bytes(loser);
    request_body_lost(loser);
    return true;
}

/* The ceiling of everything (setting overhead). Purges come when it is reached too: they are few. */
static bool is_room_left(const struct request *r, size_t bytes)
{
    return r->source->budget == BUDGET_PURGES || overload_has_room(r->w->overload, (int64_t)bytes);
}

bool request_hold_more(struct request *r, size_t bytes)
{
    struct hold *h = r->hold;
    size_t most = kinds[r->source->budget].most;
    while (h->budget->bytes + bytes > most || !is_room_left(r, bytes))
        if (!make_room(h, bytes))
            return false;
    if (r->buffered == 0)
        list_push_back(&h->share->collecting, &h->link);
    h->share->bytes += bytes;
    h->budget->bytes += bytes;
    r->w->buffered += bytes;
    r->buffered += bytes;
    return true;
}

void request_hold_whole(struct request *r)
{
    link_remove(&r->hold->link);
}

void request_hold_end(struct request *r)
{
    if (!r->hold)
        return;
    link_remove(&r->hold->link);
    give_bytes(r);
    r->hold = NULL;
}

void request_budgets_fini(struct requests *w)
{
    CHECK(w->buffered == 0);
    for (size_t i = 0; i < BUDGETS; i++) {
        mem_free(w->budgets[i]);
        w->budgets[i] = NULL;
    }
}
