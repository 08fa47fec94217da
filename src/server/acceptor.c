#include "server/acceptor.h"

#include "base/mem.h"
#include "request/route.h"

/* ---- the limit ---- */

static int64_t open_here(const struct acceptor *a)
{
    return (int64_t)(a->front->open + a->handshakes.n + a->proxied.n);
}

static void check_limit(struct acceptor *a)
{
    bool full = a->choked || (a->connections_max && open_here(a) >= a->connections_max);
    if (full == a->paused || a->draining)
        return;
    a->paused = full;
    for (size_t i = 0; i < a->listeners_n; i++)
        (full ? listener_pause : listener_resume)(&a->listeners[i]);
}

static void tell_load(struct acceptor *a)
{
    atomic_store_explicit(&a->load, open_here(a), memory_order_relaxed);
}

static void choke(struct acceptor *a, bool on)
{
    if (on && !a->choked)
        count(a->front->requests->counters, COUNTER_OVERLOAD_PAUSES);
    a->choked = on;
}

/* ---- one connection ---- */

#define CONNECTION_BYTES 16384 /* that one with a request takes, at least */

/* What a connection is before anybody has read from it. */
struct arrival {
    int fd;
    struct listening how;
    bool is_old;
    struct address peer;
    struct str early; /* bytes that somebody has read; with is_old, or behind a header */
};

/* Which protocol it speaks: what the client has agreed to (ALPN); n 0: nothing. */
static struct front *choose_front(struct acceptor *a, struct str protocol)
{
    return front_of_protocol(a->front, protocol);
}

static bool begin_handshake(struct acceptor *a, const struct arrival *n)
{
    struct certificates *c = process_tls_certificates(a->tls);
    const struct tls_terms terms = {
        .context = certificates_context(c),
        .handshake_ms = a->front->requests->snapshot->settings->process.header_timeout,
        .early = n->early,
        .in_clear = choose_front(a, STR_NONE)->protocol->in_clear,
    };
    bool has_begun = handshakes_begin(&a->handshakes, n->fd, &n->peer, &terms);
    certificates_unref(c);
    return has_begun;
}

static bool begin_plain(struct acceptor *a, const struct arrival *n)
{
    struct stream *s = mem_alloc(sizeof(*s));
    if (stream_open(s, a->loop, NULL, n->fd) < 0) {
        mem_free(s);
        return false;
    }
    front_accept(choose_front(a, STR_NONE), s, &n->peer, n->early, n->is_old);
    return true;
}

static void shaken(struct handshakes *h, struct stream *s, const struct address *peer, struct str protocol)
{
    struct acceptor *a = CONTAINER_OF(h, struct acceptor, handshakes);
    front_accept(choose_front(a, protocol), s, peer, STR_NONE, false);
    tell_load(a);
}

static bool begin_header(struct acceptor *a, const struct arrival *n)
{
    int64_t ms = a->front->requests->snapshot->settings->process.header_timeout;
    return proxied_begin(&a->proxied, n->fd, &n->peer, n->how.with_tls, ms);
}

static bool begin(struct acceptor *a, const struct arrival *n)
{
    return n->how.with_header ? begin_header(a, n)
           : n->how.with_tls  ? begin_handshake(a, n)
                              : begin_plain(a, n);
}

static void take_connection(struct acceptor *a, const struct arrival *n)
{
    if (!begin(a, n)) { /* the client is gone already */
        if (a->clients)
            clients_leave(a->clients, &n->peer);
        return;
    }
    tell_load(a);
    /* Until the next look at memory, ten of which come in a second. */
    if (a->clients && !a->draining && !overload_has_room(a->front->requests->overload, CONNECTION_BYTES))
        choke(a, true);
    check_limit(a);
}

/*
 * The kernel spreads connections over the listeners by chance: of eight, one worker may get seven, and keep
 * them for hours. So who has more than another gives it what it has just accepted. Of many connections chance
 * is fair enough: a sixteenth more is no reason.
 */
struct handover {
    struct letter letter;
    struct acceptor *to;
    struct arrival arrival;
    char early[];
};

static int64_t load_of(const struct acceptor *a)
{
    return atomic_load_explicit(&a->load, memory_order_relaxed) +
           atomic_load_explicit(&a->arriving, memory_order_relaxed);
}

static struct acceptor *least_loaded(struct acceptor *a)
{
    struct acceptor *least = a;
    int64_t own = load_of(a);
    for (size_t i = 0; i < a->others_n; i++)
        if (load_of(a->others[i]) < load_of(least))
            least = a->others[i];
    return own > load_of(least) + own / 16 ? least : a;
}

static void open_handover(struct letter *l)
{
    struct handover *h = CONTAINER_OF(l, struct handover, letter);
    struct acceptor *a = h->to;
    if (h->arrival.is_old && a->clients)
        clients_enter(a->clients, &h->arrival.peer);
    take_connection(a, &h->arrival);
    mem_free(h);
    atomic_fetch_sub(&a->arriving, 1);
    a->changed(a);
}

/* false: it is about to end. Either it sees that something arrives, or we see that it ends. */
static bool announce(struct acceptor *to)
{
    atomic_fetch_add(&to->arriving, 1);
    if (!atomic_load(&to->ended))
        return true;
    atomic_fetch_sub(&to->arriving, 1);
    return false;
}

static bool hand_over(struct acceptor *to, const struct arrival *n)
{
    if (!announce(to))
        return false;
    struct handover *h = mem_alloc(sizeof(*h));
    *h = (struct handover){ .letter.open = open_handover, .to = to, .arrival = *n };
    loop_post(to->loop, &h->letter);
    return true;
}

/* ---- the limit of one client ---- */

static int64_t client_most(const struct acceptor *a)
{
    int64_t most = a->front->requests->snapshot->settings->process.client_connections;
    return most ? most : a->client_most;
}

/* Proxies have connections for many visitors, and limits of their own. Which visitors these are is in heads
 * that nobody has read yet. */
static bool may_have_more(const struct acceptor *a, const struct address *peer)
{
    const struct snapshot *s = a->front->requests->snapshot;
    return route_peer_is_trusted(s, peer) ||
           (s->settings->process.client_connections == 0 && clients_is_local(peer));
}

static void say_refused(struct acceptor *a, const struct address *peer)
{
    char text[ADDRESS_TEXT_MAX], held[LOG_HELD_MAX];
    count(a->front->requests->counters, COUNTER_CLIENT_LIMIT);
    if (!log_valve_opens(a->clients_said, a->loop->now.mono_ms, held))
        return;
    size_t n = address_write_ip(peer, text);
    log_warning(a->loop->log, "acceptor",
                "client %.*s is refused: it has %lld connections (client_connections). A proxy belongs into "
                "trusted_proxies%s",
                (int)n, text, (long long)client_most(a), held);
}

/* Counts it. */
static bool is_one_too_many(struct acceptor *a, const struct address *peer)
{
    if (!a->clients || clients_enter(a->clients, peer) <= client_most(a) || may_have_more(a, peer))
        return false;
    clients_leave(a->clients, peer);
    return true;
}

static void refuse_stranger(struct acceptor *a, int fd, const struct address *peer)
{
    char text[ADDRESS_TEXT_MAX], held[LOG_HELD_MAX];
    count(a->front->requests->counters, COUNTER_PROXY_HEADERS_FAILED);
    listener_refuse(fd, STR_NONE);
    if (!a->stranger_said || !log_valve_opens(a->stranger_said, a->loop->now.mono_ms, held))
        return;
    size_t n = address_write_ip(peer, text);
    log_warning(a->loop->log, "acceptor",
                "%.*s is refused: it is none of trusted_proxies, which alone may connect to an address of "
                "proxy_protocol%s",
                n ? (int)n : 13, n ? text : "a Unix socket", held);
}

static void accepted(struct listener *l, int fd, const struct address *peer)
{
    struct acceptor *a = l->owner;
    const struct arrival n = { .fd = fd, .how = a->listening[l - a->listeners], .peer = *peer };
    if (n.how.with_header && !route_peer_is_trusted(a->front->requests->snapshot, peer)) {
        refuse_stranger(a, fd, peer);
        return;
    }
    if (is_one_too_many(a, peer)) {
        say_refused(a, peer);
        bool speaks_http = !n.how.with_tls && !n.how.with_header;
        listener_refuse(fd, speaks_http ? choose_front(a, STR_NONE)->protocol->refusal : STR_NONE);
        return;
    }
    struct acceptor *to = a->draining ? a : least_loaded(a);
    if (to == a || !hand_over(to, &n))
        take_connection(a, &n);
}

bool acceptor_take(struct acceptor *a, int fd, struct str early)
{
    if (!announce(a))
        return false;
    struct handover *h = mem_alloc(sizeof(*h) + early.n);
    *h = (struct handover){ .letter.open = open_handover, .to = a, .arrival = { .fd = fd, .is_old = true } };
    h->arrival.early = (struct str){ h->early, early.n };
    str_put(h->early, early);
    listener_peer(fd, &h->arrival.peer);
    loop_post(a->loop, &h->letter);
    return true;
}

static void connection_closed(struct acceptor *a, const struct address *peer)
{
    if (a->clients)
        clients_leave(a->clients, peer);
    tell_load(a);
    check_limit(a);
    a->changed(a);
}

static void front_closed(struct front *f, const struct address *peer)
{
    connection_closed(f->owner, peer);
}

/* ---- who came by a proxy that names him ---- */

static bool proxied_named(struct proxied *p, const struct address *peer, const struct address *visitor)
{
    struct acceptor *a = CONTAINER_OF(p, struct acceptor, proxied);
    if (!a->clients)
        return true;
    clients_leave(a->clients, peer);
    if (clients_enter(a->clients, visitor) <= client_most(a) || may_have_more(a, visitor))
        return true;
    say_refused(a, visitor);
    return false;
}

static void proxied_done(struct proxied *p, struct stream *s, const struct address *visitor, struct str early)
{
    struct acceptor *a = CONTAINER_OF(p, struct acceptor, proxied);
    front_accept(choose_front(a, STR_NONE), s, visitor, early, false);
    tell_load(a);
}

static void proxied_done_for_tls(struct proxied *p, int fd, const struct address *visitor, struct str early)
{
    struct acceptor *a = CONTAINER_OF(p, struct acceptor, proxied);
    const struct arrival n = { .fd = fd, .how.with_tls = true, .peer = *visitor, .early = early };
    take_connection(a, &n);
    a->changed(a); /* it may have been the last one, and gone already */
}

static void proxied_failed(struct proxied *p, const struct address *peer)
{
    connection_closed(CONTAINER_OF(p, struct acceptor, proxied), peer);
}

static void handshake_failed(struct handshakes *h, const struct address *peer)
{
    connection_closed(CONTAINER_OF(h, struct acceptor, handshakes), peer);
}

/* ---- when memory or connections are short ---- */

#define LOOKS_MOST    512 /* connections in a call */
#define IDLE_SHORT_MS 1000

static bool is_crowded(const struct acceptor *a)
{
    return a->connections_max && load_of(a) * 4 >= a->connections_max * 3;
}

bool acceptor_needs_relief(const struct acceptor *a)
{
    return is_crowded(a) || a->choked;
}

/* Of connections, the last eighth is kept free for those who come. */
static unsigned places_wanted(const struct acceptor *a)
{
    int64_t open = open_here(a), over = open * 8 - a->connections_max * 7;
    return a->connections_max && over >= 0 ? (unsigned)(over / 8) + 1 : 0;
}

static uint32_t connections_of(void *ctx, const struct address *peer)
{
    struct acceptor *a = ctx;
    /* A proxy has connections for many visitors. */
    bool is_proxy = route_peer_is_trusted(a->front->requests->snapshot, peer);
    return is_proxy || !a->clients ? 1 : clients_count(a->clients, peer);
}

void acceptor_relieve(struct acceptor *a, enum overload_step step, int64_t bytes)
{
    struct counters *counters = a->front->requests->counters;
    const struct process_settings *p = &a->front->requests->snapshot->settings->process;
    struct front_shed_done done = { 0 };
    struct front_shed how = { .step = step, .looks = LOOKS_MOST, .connections_of = connections_of, .ctx = a };
    how.places = places_wanted(a);
    how.bytes = step >= OVERLOAD_CUT ? bytes : 0;
    how.idle_ms =
        how.places || step >= OVERLOAD_REFUSE ? IDLE_SHORT_MS : front_idle_saved_ms(p->idle_timeout);
    if (how.places && how.step < OVERLOAD_CUT)
        how.step = OVERLOAD_CUT;
    if (how.step >= OVERLOAD_CUT)
        handshakes_cut(&a->handshakes, IDLE_SHORT_MS);
    if (how.step >= OVERLOAD_CUT)
        proxied_cut(&a->proxied, IDLE_SHORT_MS);
    if (!a->draining && (step > OVERLOAD_NONE || is_crowded(a)))
        front_shed(a->front, &how, &done);
    count_add(counters, COUNTER_OVERLOAD_IDLE, done.idle);
    count_add(counters, COUNTER_OVERLOAD_CUTS, done.cut);
    choke(a, step == OVERLOAD_PAUSE && done.cut == 0 && done.slow == 0);
    check_limit(a);
}

/* ---- life ---- */

void acceptor_init(struct acceptor *a, struct loop *l, struct front *front)
{
    *a = (struct acceptor){ .loop = l, .front = front };
    front->closed = front_closed;
    front->owner = a;
    handshakes_init(&a->handshakes, l, front->requests->counters);
    a->handshakes.done = shaken;
    a->handshakes.failed = handshake_failed;
    proxied_init(&a->proxied, l, front->requests->counters);
    a->proxied.named = proxied_named;
    a->proxied.done = proxied_done;
    a->proxied.done_for_tls = proxied_done_for_tls;
    a->proxied.failed = proxied_failed;
}

void acceptor_fini(struct acceptor *a)
{
    CHECK(acceptor_is_quiet(a));
    front_free(a->front);
}

int acceptor_listen(struct acceptor *a, int fd, struct listening how)
{
    CHECK(a->listeners_n < ACCEPTOR_LISTENERS_MAX && (a->tls || !how.with_tls));
    a->listening[a->listeners_n] = how;
    int status = listener_start(&a->listeners[a->listeners_n], a->loop, fd, accepted, a);
    if (status < 0)
        return status;
    a->listeners_n++;
    a->listeners_open++;
    return 0;
}

static void listener_closed(struct listener *l)
{
    struct acceptor *a = l->owner;
    a->listeners_open--;
    a->changed(a);
}

void acceptor_drain(struct acceptor *a)
{
    CHECK(!a->draining);
    a->draining = true;
    for (size_t i = 0; i < a->listeners_n; i++)
        listener_close(&a->listeners[i], listener_closed);
    front_drain(a->front);
}

void acceptor_leave(struct acceptor *a, bool (*drains)(const struct acceptor *a, size_t i))
{
    CHECK(!a->draining);
    a->draining = true;
    for (size_t i = 0; i < a->listeners_n; i++)
        (drains(a, i) ? listener_close : listener_leave)(&a->listeners[i], listener_closed);
    front_leave(a->front);
}

void acceptor_close_all(struct acceptor *a)
{
    proxied_cut(&a->proxied, 0);
    handshakes_cut(&a->handshakes, 0);
    front_close_all(a->front);
}

bool acceptor_end(struct acceptor *a)
{
    atomic_store(&a->ended, true);
    if (atomic_load(&a->arriving) == 0)
        return true;
    atomic_store(&a->ended, false);
    return false;
}
