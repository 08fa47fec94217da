#include <string.h>

#include "base/mem.h"
#include "front/h1_machine.h"

/* memory that a crowd took is given back so much later, since the next crowd may be on its way */
#define TRIM_MS 10000

struct exchange *h1_take_exchange(struct h1_front *f)
{
    bool is_new;
    struct exchange *x = stock_take(&f->exchanges, &is_new);
    if (!is_new) {
        CHECK(x->tag == EXCHANGE_TAG);
        return x;
    }
    x->tag = EXCHANGE_TAG;
    request_init(&x->request, f->front.requests, &h1_ops);
    x->in = (struct buf){ .p = x->first, .cap = IN_FIRST };
    x->table = x->few;
    x->table_cap = FIELDS_FIRST;
    return x;
}

static void free_in(struct exchange *x)
{
    if (x->in.p != x->first)
        buf_fini(&x->in);
    x->in = (struct buf){ .p = x->first, .cap = IN_FIRST };
}

void h1_grow_in(struct exchange *x, size_t room)
{
    if (x->in.p != x->first) {
        buf_room(&x->in, room);
        return;
    }
    struct buf larger = BUF_INIT;
    buf_room(&larger, x->in.n + room);
    buf_add(&larger, buf_str(&x->in));
    CHECK(larger.cap >= larger.n + room);
    x->in = larger;
}

void h1_set_table(struct exchange *x, size_t fields)
{
    if (x->table != x->few)
        mem_free(x->table);
    x->table = fields > FIELDS_FIRST ? mem_resize(NULL, fields * sizeof(*x->table)) : x->few;
    x->table_cap = fields > FIELDS_FIRST ? fields : FIELDS_FIRST;
}

static void trim(struct timer *t)
{
    stock_trim(&CONTAINER_OF(t, struct h1_front, trim)->exchanges);
}

/* The exchange goes back as it was when it was new: it keeps no memory outside of itself. */
void h1_give_exchange(struct h1 *c)
{
    struct exchange *x = c->x;
    struct h1_front *f = c->front;
    if (!x)
        return;
    CHECK(c->tag == H1_TAG && x->tag == EXCHANGE_TAG && x->request.step == STEP_DONE);
    CHECK(!x->request.settings); /* it was reset: nobody finds a visitor's data in it */
    c->x = NULL;
    free_in(x);
    h1_set_table(x, 0);
    x->at = x->head_bytes = 0;
    x->deferred_n = 0; /* of a reply that was never sent */
    stock_give(&f->exchanges, x);
    if (stock_can_trim(&f->exchanges) && !f->front.draining && !f->front.leaving &&
        !timer_is_running(&f->trim))
        timer_start(f->front.requests->loop, &f->trim, TRIM_MS, trim);
}

void h1_compact(struct exchange *x)
{
    CHECK(x->head_bytes <= x->at && x->at <= x->in.n);
    if (x->at <= x->head_bytes)
        return;
    memmove(x->in.p + x->head_bytes, x->in.p + x->at, x->in.n - x->at);
    x->in.n -= x->at - x->head_bytes;
    x->at = x->head_bytes;
}
