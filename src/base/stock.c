#include "base/stock.h"

#include <stdint.h>

#include "base/check.h"
#include "base/mem.h"
#include "base/pages.h"

#define LINE ((size_t)64) /* of a processor's cache */

struct returned {
    struct returned *next;
};

struct chunk {
    struct link link; /* in `open` or `whole`, while it has pieces to give */
    struct returned *returned;
    char *unused; /* pieces from here on were never given */
    size_t given; /* pieces that are out */
    _Alignas(64) char pieces[];
};

static struct chunk *chunk_of(const void *piece)
{
    return (struct chunk *)((uintptr_t)piece & ~(uintptr_t)(STOCK_CHUNK - 1));
}

static bool has_unused(const struct stock *s, const struct chunk *c)
{
    return c->unused + s->piece <= (const char *)c + STOCK_CHUNK;
}

void stock_init(struct stock *s, size_t piece_bytes)
{
    *s = (struct stock){ .piece = (piece_bytes + LINE - 1) & ~(LINE - 1) };
    CHECK(piece_bytes >= sizeof(struct returned) && s->piece <= STOCK_CHUNK / 8);
    list_init(&s->open);
    list_init(&s->whole);
}

static void put_whole(struct stock *s, struct chunk *c)
{
    link_remove(&c->link);
    list_push_front(&s->whole, &c->link);
    s->whole_n++;
}

/* Whole chunks beyond so many, the oldest first. */
static void drop_beyond(struct stock *s, size_t keep)
{
    while (s->whole_n > keep) {
        struct chunk *c = CONTAINER_OF(s->whole.head.prev, struct chunk, link);
        CHECK(c->given == 0);
        link_remove(&c->link);
        s->whole_n--;
        s->chunks--;
        pages_unmap(c, STOCK_CHUNK);
    }
}

void stock_fini(struct stock *s)
{
    drop_beyond(s, 0);
    CHECK(s->chunks == 0); /* else somebody still has a piece */
}

void stock_trim(struct stock *s)
{
    drop_beyond(s, STOCK_SPARE);
}

void stock_trim_all(struct stock *s)
{
    drop_beyond(s, 0);
}

/* The first chunk fills page by page: a server that is not busy needs a few of its pieces. */
static struct chunk *add_chunk(struct stock *s)
{
    struct chunk *c = pages_map(STOCK_CHUNK, s->chunks > 0);
    if (!c)
        mem_out(STOCK_CHUNK);
    link_init(&c->link);
    c->unused = c->pieces;
    s->chunks++;
    return c;
}

/* One that has a piece to give, in `open`. */
static struct chunk *open_chunk(struct stock *s)
{
    struct link *l = list_first(&s->open);
    if (l)
        return CONTAINER_OF(l, struct chunk, link);
    l = list_pop(&s->whole);
    s->whole_n -= l != NULL;
    struct chunk *c = l ? CONTAINER_OF(l, struct chunk, link) : add_chunk(s);
    list_push_front(&s->open, &c->link);
    return c;
}

void *stock_take(struct stock *s, bool *is_new)
{
    struct chunk *c = open_chunk(s);
    void *piece = c->returned;
    *is_new = !piece;
    if (piece) {
        c->returned = c->returned->next;
    } else {
        piece = c->unused;
        c->unused += s->piece;
    }
    c->given++;
    if (!c->returned && !has_unused(s, c))
        link_remove(&c->link);
    return piece;
}

void stock_give(struct stock *s, void *piece)
{
    struct chunk *c = chunk_of(piece);
    struct returned *r = piece;
    CHECK(c->given > 0);
    r->next = c->returned;
    c->returned = r;
    if (--c->given == 0)
        put_whole(s, c);
    else if (!link_is_in(&c->link))
        list_push_front(&s->open, &c->link);
}
