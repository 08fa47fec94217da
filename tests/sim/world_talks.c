/*
 * Tunnels: after a 101 both sides say what they have to say, and end. Each hears exactly what the other has
 * said, in order; and the end only behind all of it, as long as nothing went wrong on the way.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "sim_net.h"
#include "world_visitor.h"

struct side {
    size_t most; /* it has to say */
    size_t said, heard;
    bool has_ended; /* it has said all */
};

struct talk {
    unsigned id; /* from 1 */
    int64_t began;
    bool is_cut;          /* by a side of it */
    struct side sides[2]; /* the visitor, the origin */
};

static struct talk **talks;
static unsigned talks_n, talks_cap;

static struct talk *new_talk(void)
{
    if (talks_n == talks_cap) {
        talks_cap = talks_cap ? talks_cap * 2 : 64;
        talks = realloc(talks, talks_cap * sizeof(struct talk *));
    }
    struct talk *t = calloc(1, sizeof(*t));
    *t = (struct talk){ .id = talks_n + 1, .began = sim_now() };
    for (int i = 0; i < 2; i++)
        t->sides[i].most = sim_below(sim_once_in(4) ? 100000 : 3000);
    talks[talks_n++] = t;
    return t;
}

/* What a side says. */
static uint64_t pattern(const struct talk *t, int side)
{
    return (uint64_t)2 << 40 | 2 * t->id | (unsigned)side;
}

static void check_heard(struct talk *t, int side, const char *bytes, size_t n)
{
    struct side *me = &t->sides[side], *other = &t->sides[!side];
    if (me->heard + n > other->said)
        sim_fail("tunnel %u: side %d hears more than was said", t->id, side);
    size_t differs = sim_pattern_differs(pattern(t, !side), false, me->heard, bytes, n);
    if (differs < n)
        sim_fail("tunnel %u: side %d hears another byte %zu than was said", t->id, side, me->heard + differs);
    me->heard += n;
}

/* The other side says no more: has it said so, and is all of it here? */
static void check_end(const struct talk *t, int side)
{
    const struct side *other = &t->sides[!side];
    bool good = other->has_ended && t->sides[side].heard == other->said;
    if (!good && !t->is_cut && model_trouble() < t->began)
        sim_fail("tunnel %u: side %d hears the end after %zu bytes; %zu were said%s", t->id, side,
                 t->sides[side].heard, other->said, other->has_ended ? "" : ", and not all");
}

/* true: something was said. */
static bool say_some(struct net_end *e, struct talk *t, int side)
{
    struct side *me = &t->sides[side];
    char piece[2048];
    size_t n = 1 + sim_below(sizeof(piece)), room = net_room(e);
    n = n < room ? n : room;
    n = n < me->most - me->said ? n : me->most - me->said;
    sim_pattern(pattern(t, side), false, me->said, piece, n);
    me->said += n;
    if (n > 0 && net_send(e, piece, n) != n)
        sim_fail("a tunnel's bytes have no room");
    if (me->said < me->most)
        return n > 0;
    me->has_ended = true;
    net_fin(e);
    return true;
}

/* Says and hears until both have ended, or the connection has. */
static void converse(struct net_end *e, struct incoming *in, struct talk *t, int side)
{
    struct side *me = &t->sides[side];
    char bytes[4096];
    bool heard_end = false, cuts = sim_once_in(20), slow = sim_once_in(4);
    int64_t until = sim_now() + PATIENCE;
    check_heard(t, side, in->bytes, in->n);
    in->n = 0;
    e->fiber = fiber_self();
    while (!e->in.reset_arrived && !(heard_end && me->has_ended)) {
        size_t n = net_take(e, bytes, sizeof(bytes));
        bool moved = n > 0;
        check_heard(t, side, bytes, n);
        if (n == 0 && e->in.fin_arrived && !heard_end) {
            check_end(t, side);
            moved = heard_end = true;
        }
        if (!me->has_ended && !e->in.reset_arrived)
            moved |= say_some(e, t, side);
        if (cuts && sim_once_in(10)) {
            t->is_cut = true;
            return;
        }
        if (slow && moved) /* else it would miss that something came */
            fiber_nap(sim_between(0, 50 * MS));
        until = moved ? sim_now() + PATIENCE : until;
        if (!moved && !fiber_park(until))
            sim_fail("tunnel %u: side %d hears nothing any more: it said %zu of %zu, heard %zu of %zu%s%s",
                     t->id, side, me->said, me->most, me->heard, t->sides[!side].said,
                     me->has_ended ? ", has ended" : "", heard_end ? ", heard the end" : "");
    }
    if (e->in.reset_arrived && !t->is_cut && model_trouble() < t->began)
        sim_fail("tunnel %u: side %d is cut off, after it heard %zu bytes of %zu", t->id, side, me->heard,
                 t->sides[!side].said);
    figures.talked += heard_end && me->has_ended;
}

/* ---- the visitor ---- */

static void judge_101(struct visitor *v, const char *head, int status)
{
    (void)head;
    v->is_upgraded = status == 101;
    sim_note("visitor %u: tunnel: %d", v->index, status);
    if (status != 101 && status != 403 && status != 502 && status != 503 && status != 504)
        sim_fail("a tunnel was asked for, and status %d came", status);
}

bool talk_begin(struct visitor *v)
{
    char head[256];
    bool keeps;
    struct talk *t = new_talk();
    figures.tunnels++;
    sim_note("visitor %u: tunnel %u", v->index, t->id);
    int n = snprintf(head, sizeof(head),
                     "GET /talk HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                     "X-Talk: %u\r\n\r\n",
                     v->r.page->site ? "b.test" : "a.test", t->id);
    v->is_upgraded = false;
    if (!net_write(v->e, head, (size_t)n, sim_now() + PATIENCE))
        return false;
    enum got got = take_answer(v, &keeps, judge_101);
    if (v->is_upgraded)
        converse(v->e, &v->in, t, 0);
    return !v->is_upgraded && got == GOT_WHOLE && keeps;
}

/* ---- the origin ---- */

void talk_serve(struct net_end *e, struct incoming *in, const char *head)
{
    char value[64];
    static const char yes[] = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
                              "Upgrade: websocket\r\n\r\n";
    static const char no[] = "HTTP/1.1 403 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    const char *number = head_field(head, "X-Talk", value, sizeof(value));
    unsigned id = number ? (unsigned)strtoul(number, NULL, 10) : 0;
    if (id == 0 || id > talks_n)
        sim_fail("an origin gets a tunnel that nobody has asked for: %.100s", head);
    struct talk *t = talks[id - 1];
    fiber_nap(sim_between(50, 5 * MS));
    bool accepts = !sim_once_in(10);
    if (!net_write(e, accepts ? yes : no, accepts ? sizeof(yes) - 1 : sizeof(no) - 1, sim_now() + PATIENCE))
        return;
    if (accepts)
        converse(e, in, t, 1);
}
