#include "front/front.h"

#include "base/mem.h"
#include "front/h1.h"
#include "front/h2.h"

/* ---- counting ---- */

static void count_open(struct front *f, int by)
{
    f->open += (size_t)by;
    if (f->whole)
        f->whole->open += (size_t)by;
    count_add(f->requests->counters, COUNTER_CONNECTIONS_OPEN, by);
}

void front_began(struct front *f)
{
    count_open(f, 1);
    count(f->requests->counters, COUNTER_CONNECTIONS_ACCEPTED);
}

void front_ended(struct front *f, const struct address *peer)
{
    CHECK(f->open > 0);
    count_open(f, -1);
    struct front *told = f->whole ? f->whole : f;
    if (told->closed)
        told->closed(told, peer);
}

void front_move(struct front *from, struct front *to, struct stream *s, const struct address *peer,
                struct str early)
{
    front_accept(to, s, peer, early, false);
    count_open(from, -1);
    count_add(from->requests->counters, COUNTER_CONNECTIONS_ACCEPTED, -1); /* it counted twice */
}

/* ---- the front of all protocols ---- */

enum { PART_H1, PART_H2, PARTS };

struct all_front {
    struct front front;
    struct front *parts[PARTS];
};

static struct all_front *all_of(struct front *f)
{
    return CONTAINER_OF(f, struct all_front, front);
}

static void accept_stream(struct front *f, struct stream *s, const struct address *peer, struct str early,
                          bool is_old)
{
    front_accept(all_of(f)->parts[PART_H1], s, peer, early, is_old);
}

static void drain(struct front *f)
{
    for (int i = 0; i < PARTS; i++)
        front_drain(all_of(f)->parts[i]);
}

static void left(struct front *part, int fd, const struct address *peer, struct str early)
{
    part->whole->left(part->whole, fd, peer, early);
}

static void leave(struct front *f)
{
    for (int i = 0; i < PARTS; i++) {
        all_of(f)->parts[i]->left = left;
        front_leave(all_of(f)->parts[i]);
    }
}

static void close_all(struct front *f)
{
    for (int i = 0; i < PARTS; i++)
        front_close_all(all_of(f)->parts[i]);
}

/* Each gives up its part of what is wanted, by the number of its connections. */
static void shed(struct front *f, const struct front_shed *how, struct front_shed_done *done)
{
    *done = (struct front_shed_done){ 0 };
    for (int i = 0; i < PARTS; i++) {
        struct front *part = all_of(f)->parts[i];
        struct front_shed some = *how;
        struct front_shed_done one;
        if (part->open == 0)
            continue;
        double share = (double)part->open / (double)f->open;
        some.bytes = (int64_t)((double)how->bytes * share);
        some.places = (unsigned)((double)how->places * share + 0.5);
        some.looks = (unsigned)((double)how->looks * share) + 1;
        front_shed(part, &some, &one);
        done->idle += one.idle;
        done->cut += one.cut;
        done->slow += one.slow;
    }
}

static void free_all(struct front *f)
{
    CHECK(f->open == 0);
    for (int i = 0; i < PARTS; i++)
        front_free(all_of(f)->parts[i]);
    mem_free(all_of(f));
}

struct front *front_of_protocol(struct front *whole, struct str protocol)
{
    if (whole->protocol->accept != accept_stream)
        return whole;
    return all_of(whole)->parts[str_eq(protocol, STR("h2")) ? PART_H2 : PART_H1];
}

struct front *front_new(struct requests *requests)
{
    static struct front_protocol protocol = {
        .name = STR_INIT("HTTP"),
        .accept = accept_stream,
        .drain = drain,
        .leave = leave,
        .close_all = close_all,
        .shed = shed,
        .free = free_all,
    };
    struct all_front *f = mem_alloc(sizeof(*f));
    f->front = (struct front){ .protocol = &protocol, .requests = requests };
    f->parts[PART_H1] = h1_front_new(requests);
    f->parts[PART_H2] = h2_front_new(requests);
    for (int i = 0; i < PARTS; i++)
        f->parts[i]->whole = &f->front;
    return &f->front;
}
