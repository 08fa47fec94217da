#include "sim_net.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"

#define FDS_MOST 4096
#define FD_FIRST 100

static struct list ports = { { &ports.head, &ports.head } };
static struct net_end *ends[FDS_MOST];
static bool fd_taken[FDS_MOST];

/* ---- descriptors ---- */

int net_fd_new(struct net_end *e)
{
    for (int i = 0; i < FDS_MOST; i++)
        if (!fd_taken[i]) {
            fd_taken[i] = true;
            ends[i] = e;
            if (e)
                e->fd = i + FD_FIRST;
            return i + FD_FIRST;
        }
    UNREACHABLE();
}

void net_fd_free(int fd)
{
    CHECK(fd_taken[fd - FD_FIRST]);
    fd_taken[fd - FD_FIRST] = false;
    ends[fd - FD_FIRST] = NULL;
}

struct net_end *net_end_of(int fd)
{
    CHECK(fd >= FD_FIRST && fd < FD_FIRST + FDS_MOST && fd_taken[fd - FD_FIRST]);
    return ends[fd - FD_FIRST];
}

/* ---- ports ---- */

void net_listen(struct net_port *p, const struct address *at, bool of_process)
{
    p->at = *at;
    p->of_process = of_process;
    p->open = true;
    list_push_back(&ports, &p->link);
}

void net_unlisten(struct net_port *p)
{
    if (p->open)
        link_remove(&p->link);
    p->open = false;
}

struct net_port *net_port_at(const struct address *at)
{
    LIST_EACH(l, &ports) {
        struct net_port *p = CONTAINER_OF(l, struct net_port, link);
        if (address_is_same(&p->at, at))
            return p;
    }
    return NULL;
}

/* ---- pipes ---- */

static void tell(struct net_end *e)
{
    if (e->closed)
        return;
    if (e->changed)
        e->changed(e);
    if (e->fiber)
        fiber_wake(e->fiber);
}

static void free_if_over(struct net_end *e)
{
    struct net_end *p = e->peer;
    if (!e->closed || !p->closed)
        return;
    sim_event_stop(&e->in.arrives);
    sim_event_stop(&p->in.arrives);
    free(e->in.bytes);
    free(p->in.bytes);
    free(e);
    free(p);
}

static void arrive(struct sim_event *event);

static void schedule(struct net_end *e)
{
    struct net_pipe *p = &e->in;
    if (p->arrives.place)
        return;
    int64_t at = sim_now() + 20 + sim_between(0, e->latency);
    if (sim_once_in(100))
        at += sim_between(0, 40000); /* a packet was lost, and sent again */
    at = at > p->last ? at : p->last;
    at = at > e->stands_to ? at : e->stands_to;
    p->last = at;
    sim_event_at(&p->arrives, at, arrive);
}

static void send_reset(struct net_end *to)
{
    to->in.reset = true;
    schedule(to);
}

static void arrive(struct sim_event *event)
{
    struct net_end *e = CONTAINER_OF(event, struct net_end, in.arrives);
    struct net_pipe *p = &e->in;
    if (p->reset) {
        p->reset_arrived = true;
        p->from = p->arrived = p->n = 0;
        tell(e);
        if (!e->peer->closed)
            tell(e->peer);
        return;
    }
    size_t new = p->n - p->arrived;
    if (new > 1 && (e->drips || sim_once_in(8)))
        new = 1 + sim_below(e->drips && new > 200 ? 200 : new);
    p->arrived += new;
    if (p->arrived < p->n)
        schedule(e);
    else if (p->fin)
        p->fin_arrived = true;
    if (e->closed && new > 0 && !e->peer->closed)
        send_reset(e->peer); /* nobody is there any more */
    tell(e);
}

size_t net_room(const struct net_end *e)
{
    const struct net_pipe *p = &e->peer->in;
    size_t used = p->n - p->from;
    return used < p->most ? p->most - used : 0;
}

size_t net_send(struct net_end *e, const void *bytes, size_t n)
{
    struct net_end *to = e->peer;
    struct net_pipe *p = &to->in;
    size_t room = net_room(e);
    n = n < room ? n : room;
    if (p->reset || n == 0)
        return p->reset ? n : 0; /* lost */
    if (p->from == p->n)
        p->from = p->arrived = p->n = 0;
    if (p->n + n > p->room && p->from > 0) {
        memmove(p->bytes, p->bytes + p->from, p->n - p->from);
        p->n -= p->from;
        p->arrived -= p->from;
        p->from = 0;
    }
    if (p->n + n > p->room) {
        p->room = 2 * (p->n + n);
        p->bytes = realloc(p->bytes, p->room);
    }
    memcpy(p->bytes + p->n, bytes, n);
    p->n += n;
    schedule(to);
    return n;
}

size_t net_there(const struct net_end *e)
{
    return e->in.arrived - e->in.from;
}

size_t net_take(struct net_end *e, void *to, size_t n)
{
    size_t there = net_there(e);
    n = n < there ? n : there;
    memcpy(to, e->in.bytes + e->in.from, n);
    e->in.from += n;
    if (n > 0)
        tell(e->peer); /* there is room */
    return n;
}

void net_fin(struct net_end *e)
{
    struct net_pipe *p = &e->peer->in;
    if (p->fin)
        return;
    p->fin = true;
    schedule(e->peer);
}

static void forget(struct net_end *e)
{
    e->closed = true;
    e->fiber = NULL;
    e->changed = NULL;
    if (e->fd >= 0)
        net_fd_free(e->fd);
    e->fd = -1;
}

void net_close(struct net_end *e)
{
    CHECK(!e->closed);
    bool unread = e->in.n > e->in.from;
    forget(e);
    if (unread && !e->peer->closed)
        send_reset(e->peer);
    else
        net_fin(e);
    free_if_over(e);
}

void net_reset(struct net_end *e)
{
    CHECK(!e->closed);
    forget(e);
    if (!e->peer->closed)
        send_reset(e->peer);
    free_if_over(e);
}

void net_cut(struct net_end *e)
{
    if (!e->closed)
        send_reset(e);
    if (!e->peer->closed)
        send_reset(e->peer);
}

struct net_end *net_any(void)
{
    int first = (int)sim_below(FDS_MOST);
    for (int i = 0; i < FDS_MOST; i++) {
        struct net_end *e = ends[(first + i) % FDS_MOST];
        if (e && !e->closed)
            return e;
    }
    return NULL;
}

bool net_cut_any(void)
{
    struct net_end *e = net_any();
    if (e)
        net_cut(e);
    return e != NULL;
}

void net_process_gone(void)
{
    LIST_EACH_SAFE(l, &ports) {
        struct net_port *p = CONTAINER_OF(l, struct net_port, link);
        if (p->of_process)
            net_unlisten(p);
    }
    for (int i = 0; i < FDS_MOST; i++) {
        if (!fd_taken[i])
            continue;
        if (ends[i])
            net_reset(ends[i]);
        else
            net_fd_free(i + FD_FIRST);
    }
}

/* ---- connections ---- */

struct net_end *net_join(const struct address *from, struct net_port *p)
{
    struct net_end *a = calloc(1, sizeof(*a)), *b = calloc(1, sizeof(*b));
    a->peer = b;
    b->peer = a;
    a->fd = b->fd = -1;
    a->at = *from;
    b->at = p->at;
    static const size_t rooms[] = { 4096, 16384, 65536, 262144 };
    a->in.most = b->in.most = rooms[sim_below(COUNT_OF(rooms))];
    a->latency = b->latency = sim_once_in(10) ? 20000 : 400;
    if (sim_once_in(40))
        (sim_once_in(2) ? a : b)->drips = true;
    p->arrived(p, b);
    return a;
}

struct net_end *net_connect(const struct address *from, const struct address *to)
{
    fiber_nap(sim_between(30, 600));
    struct net_port *p = net_port_at(to);
    if (!p)
        return NULL;
    struct net_end *e = net_join(from, p);
    e->fiber = fiber_self();
    return e;
}

int64_t net_read(struct net_end *e, void *to, size_t n, int64_t until)
{
    e->fiber = fiber_self();
    for (;;) {
        size_t got = net_take(e, to, n);
        if (got > 0)
            return (int64_t)got;
        if (e->in.reset_arrived)
            return NET_RESET;
        if (e->in.fin_arrived)
            return NET_END;
        if (sim_now() >= until)
            return NET_LATE;
        fiber_park(until);
    }
}

bool net_write(struct net_end *e, const void *bytes, size_t n, int64_t until)
{
    e->fiber = fiber_self();
    for (;;) {
        size_t sent = net_send(e, bytes, n);
        bytes = (const char *)bytes + sent;
        n -= sent;
        if (e->in.reset_arrived)
            return false;
        if (n == 0)
            return true;
        if (sim_now() >= until)
            return false;
        fiber_park(until);
    }
}
