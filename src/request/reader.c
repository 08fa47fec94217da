#include "request/reader.h"

#include "base/mem.h"

struct hub {
    struct watch watch;
    struct loop_notice notice;
    struct object *object; /* a reference */
    struct list readers;
    bool telling; /* its readers are being told: some are in another list, and it must stay */
};

struct reader {
    struct link link;
    struct hub *hub;
    struct request *request;
    uint64_t position;
};

static void free_if_empty(struct hub *h)
{
    /* A notice under way comes back here. */
    if (h->telling || !list_is_empty(&h->readers) || loop_notice_is_pending(&h->notice))
        return;
    object_unref(h->object);
    mem_free(h);
}

/* Only a passing body needs to know; a kept one with a thousand readers does not go through them all. */
static void update_slowest(struct hub *h)
{
    if (h->telling || !object_is_closed(h->object))
        return;
    uint64_t slowest = UINT64_MAX;
    LIST_EACH(l, &h->readers) {
        struct reader *reader = CONTAINER_OF(l, struct reader, link);
        slowest = reader->position < slowest ? reader->position : slowest;
    }
    atomic_store_explicit(&h->watch.slowest, slowest, memory_order_release);
    object_reader_moved(h->object, h->notice.loop);
}

static void progressed(struct loop_notice *n)
{
    struct hub *h = CONTAINER_OF(n, struct hub, notice);
    /* Each in its turn; a request may leave, or another one join, while they are told. */
    struct list turn;
    list_init(&turn);
    list_move_all(&turn, &h->readers);
    h->telling = true;
    struct link *l;
    while ((l = list_pop(&turn)) != NULL) {
        struct reader *reader = CONTAINER_OF(l, struct reader, link);
        list_push_back(&h->readers, l);
        request_wake(reader->request);
    }
    h->telling = false;
    if (!list_is_empty(&h->readers))
        update_slowest(h);
    free_if_empty(h);
}

static struct hub *hub_of(struct request *r, struct object *o)
{
    struct watch *known = object_watch_of(o, r->w->loop);
    if (known)
        return CONTAINER_OF(known, struct hub, watch);
    struct hub *h = mem_alloc(sizeof(*h));
    loop_notice_init(&h->notice, r->w->loop, progressed);
    link_init(&h->watch.link);
    h->watch.owner = r->w->loop;
    h->watch.notice = &h->notice.notice;
    h->object = object_ref(o);
    list_init(&h->readers);
    return h;
}

enum object_watch reader_join(struct request *r, struct object *o, bool own_fetch)
{
    CHECK(!r->reader);
    struct hub *h = hub_of(r, o);
    enum object_watch answer = object_watch(o, &h->watch, own_fetch);
    if (answer != OBJECT_WATCHED) {
        free_if_empty(h);
        return answer;
    }
    r->reader = arena_alloc(&r->arena, sizeof(*r->reader));
    *r->reader = (struct reader){ .hub = h, .request = r };
    link_init(&r->reader->link);
    list_push_back(&h->readers, &r->reader->link);
    return answer;
}

void reader_leave(struct request *r)
{
    struct reader *reader = r->reader;
    if (!reader)
        return;
    struct hub *h = reader->hub;
    r->reader = NULL;
    link_remove(&reader->link);
    object_unwatch(h->object, &h->watch);
    if (!list_is_empty(&h->readers))
        update_slowest(h);
    free_if_empty(h);
}

void reader_moved(struct request *r, uint64_t position)
{
    if (!r->reader || r->reader->position == position)
        return;
    r->reader->position = position;
    update_slowest(r->reader->hub);
}
