#include "origin/upload.h"

#include <string.h>

#include "base/check.h"
#include "base/mem.h"

void upload_init(struct upload *u, struct framing framing, void *request, void (*room)(struct upload *))
{
    *u = (struct upload){ .framing = framing, .cap = UPLOAD_RING_BYTES, .request = request, .room = room };
    if (framing.kind == FRAMING_NONE || (framing.kind == FRAMING_LENGTH && framing.length == 0))
        u->state = UPLOAD_ENDED;
}

void upload_fini(struct upload *u)
{
    mem_free(u->ring);
    u->ring = NULL;
}

void upload_take_whole(struct upload *u, struct buf *whole)
{
    CHECK(!u->ring && u->state == UPLOAD_OPEN && whole->n > 0);
    u->ring = whole->p;
    u->cap = u->n = whole->n;
    u->received = whole->n;
    u->state = UPLOAD_ENDED;
    *whole = BUF_INIT;
}

void upload_take_part(struct upload *u, struct buf *part)
{
    CHECK(!u->ring && u->state == UPLOAD_OPEN && part->n <= u->cap);
    if (part->n)
        u->ring = mem_resize(part->p, u->cap);
    else
        buf_fini(part);
    u->n = u->received = part->n;
    *part = BUF_INIT;
}

void upload_resize(struct upload *u, size_t bytes)
{
    if (u->state != UPLOAD_OPEN || u->n > 0 || u->cap == bytes)
        return;
    u->shrunk = u->received > 0;
    mem_free(u->ring);
    u->ring = NULL;
    u->cap = bytes;
    u->head = 0;
}

size_t upload_space(const struct upload *u)
{
    return u->state == UPLOAD_OPEN ? u->cap - u->n : 0;
}

void upload_put(struct upload *u, struct str data)
{
    CHECK(data.n <= upload_space(u));
    if (!u->ring)
        u->ring = mem_resize(NULL, u->cap);
    u->received += data.n;
    while (data.n) {
        size_t at = (u->head + u->n) % u->cap;
        size_t run = u->cap - at < data.n ? u->cap - at : data.n;
        memcpy(u->ring + at, data.p, run);
        u->n += run;
        data = str_from_index(data, run);
    }
    if (u->ready)
        u->ready(u);
}

void upload_end(struct upload *u, enum upload_state how)
{
    if (u->state != UPLOAD_OPEN)
        return;
    u->state = how;
    if (u->ready)
        u->ready(u);
}

void upload_go_on(struct upload *u)
{
    if (!u->awaits)
        return;
    u->awaits = false;
    u->room(u);
}

unsigned upload_lease(const struct upload *u, struct iovec iov[2], size_t *bytes)
{
    *bytes = u->n;
    if (u->n == 0)
        return 0;
    size_t run = u->cap - u->head < u->n ? u->cap - u->head : u->n;
    iov[0] = (struct iovec){ u->ring + u->head, run };
    if (run == u->n)
        return 1;
    iov[1] = (struct iovec){ u->ring, u->n - run };
    return 2;
}

static void tell_of_room(struct upload *u)
{
    if (!u->waiting_for_room)
        return;
    u->waiting_for_room = false;
    u->room(u);
}

void upload_taken(struct upload *u, size_t bytes)
{
    CHECK(bytes <= u->n);
    u->head = (u->head + bytes) % u->cap;
    u->n -= bytes;
    tell_of_room(u);
}

bool upload_may_rewind(const struct upload *u)
{
    return !u->shrunk && u->received <= u->cap;
}

void upload_rewind(struct upload *u)
{
    CHECK(upload_may_rewind(u));
    u->head = 0;
    u->n = (size_t)u->received;
}

void upload_leave(struct upload *u)
{
    u->ready = NULL;
    u->fetch = NULL;
    u->unwanted = true;
    tell_of_room(u);
}
