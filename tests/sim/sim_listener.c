/* Listening sockets (io/listener.h) over the simulated network. */
#include "io/listener.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/mem.h"
#include "sim_net.h"

#define WAITING_MOST 256

/* The sockets of one address; chance says which one gets a connection. In the process' memory. */
struct socket_set;
struct sim_socket {
    struct socket_set *set;
    struct listener *l; /* NULL: nobody accepts yet */
    struct sim_ready ready;
    struct net_end *waiting[WAITING_MOST];
    size_t n;
    bool closing;
};
struct socket_set {
    struct net_port port;
    size_t n;
    struct sim_socket v[];
};
static struct sim_socket *sockets[64];
static int socket_fds[64];

static void arrived(struct net_port *p, struct net_end *e)
{
    struct socket_set *set = CONTAINER_OF(p, struct socket_set, port);
    struct sim_socket *k = &set->v[sim_below(set->n)];
    net_fd_new(e);
    if (k->n == WAITING_MOST || k->closing) {
        net_reset(e);
        return;
    }
    k->waiting[k->n++] = e;
    if (k->l)
        sim_ready_now(&k->ready);
}

static struct sim_socket *socket_of(int fd)
{
    for (size_t i = 0; i < COUNT_OF(sockets); i++)
        if (sockets[i] && socket_fds[i] == fd)
            return sockets[i];
    UNREACHABLE();
}

void sim_listeners_forget(void)
{
    for (size_t i = 0; i < COUNT_OF(sockets); i++)
        sockets[i] = NULL;
}

int listener_sockets(const struct address *at, int *fds, size_t n, struct address *bound)
{
    struct socket_set *set = mem_alloc(sizeof(*set) + n * sizeof(set->v[0]));
    set->n = n;
    set->port.arrived = arrived;
    *bound = *at;
    for (size_t i = 0; i < n; i++) {
        set->v[i].set = set;
        fds[i] = net_fd_new(NULL);
        size_t k = 0;
        while (sockets[k])
            k++;
        CHECK(k < COUNT_OF(sockets));
        sockets[k] = &set->v[i];
        socket_fds[k] = fds[i];
    }
    net_listen(&set->port, at, true);
    return 0;
}

int listener_socket(const struct address *at, struct address *bound)
{
    int fd;
    listener_sockets(at, &fd, 1, bound);
    return fd;
}

int listener_try(const struct address *at)
{
    (void)at;
    return 0;
}

static void accept_one(struct sim_socket *k)
{
    struct net_end *e = k->waiting[0];
    k->n--;
    for (size_t i = 0; i < k->n; i++)
        k->waiting[i] = k->waiting[i + 1];
    struct address peer = e->peer->at;
    k->l->accepted(k->l, e->fd, &peer);
}

/* All of its sockets are gone: the address is free. */
static void leave_set(struct sim_socket *k)
{
    struct socket_set *set = k->set;
    size_t left = 0;
    for (size_t i = 0; i < COUNT_OF(sockets); i++) {
        if (sockets[i] == k)
            sockets[i] = NULL;
        left += sockets[i] && sockets[i]->set == set;
    }
    if (left > 0)
        return;
    net_unlisten(&set->port);
    mem_free(set);
}

static void on_ready(struct sim_ready *r)
{
    struct sim_socket *k = CONTAINER_OF(r, struct sim_socket, ready);
    struct listener *l = k->l;
    while (k->n > 0 && (l->state == LISTENER_DRAINING || !l->paused_by_owner))
        accept_one(k);
    if (l->state != LISTENER_DRAINING)
        return;
    l->state = LISTENER_CLOSING;
    net_fd_free(l->fd);
    l->fd = -1;
    sim_loop_release(r->loop);
    leave_set(k);
    l->closed(l);
}

int listener_start(struct listener *l, struct loop *loop, int fd,
                   void (*accepted)(struct listener *, int, const struct address *), void *owner)
{
    struct sim_socket *k = socket_of(fd);
    *l = (struct listener){
        .loop = loop, .state = LISTENER_OPEN, .fd = fd, .accepted = accepted, .owner = owner
    };
    link_init(&l->link);
    k->l = l;
    sim_ready_init(&k->ready, loop, on_ready);
    sim_loop_hold(loop);
    if (k->n > 0)
        sim_ready_now(&k->ready);
    return 0;
}

void listener_pause(struct listener *l)
{
    l->paused_by_owner = true;
}

void listener_resume(struct listener *l)
{
    if (!l->paused_by_owner || l->state != LISTENER_OPEN)
        return;
    l->paused_by_owner = false;
    sim_ready_now(&socket_of(l->fd)->ready);
}

void listener_close(struct listener *l, void (*closed)(struct listener *))
{
    struct sim_socket *k = socket_of(l->fd);
    l->closed = closed;
    l->state = LISTENER_DRAINING;
    /* From the set's other sockets: those that are still open get what comes. */
    k->closing = true;
    sim_ready_now(&k->ready);
}

void listener_refuse(int fd, struct str text)
{
    struct net_end *e = net_end_of(fd);
    net_send(e, text.p, text.n);
    net_close(e);
}

void listener_peer(int fd, struct address *out)
{
    *out = net_end_of(fd)->peer->at;
}

/* ---- of upgrades, which are not in this world ---- */

int listener_more(int *fds, size_t have, size_t n)
{
    (void)fds;
    (void)have;
    (void)n;
    UNREACHABLE();
}

void listener_leave(struct listener *l, void (*closed)(struct listener *))
{
    (void)l;
    (void)closed;
    UNREACHABLE();
}
