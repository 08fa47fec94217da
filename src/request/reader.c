#include "request/reader.h"

#include "base/mem.h"

/* So many are told in one turn of the loop. Of ten thousand that wait for a page, the first have their
 * answers while the others are told, and their memory (their requests' cache lines, the ring's places) is
 * used again for the next. */
#ifdef FRESHET_DEBUG
#define TOLD_MOST 3 /* tests have no thousands */
#else
#define TOLD_MOST 256
#endif

/* Type tags: each while the struct lives. */
#define HUB_TAG    0x68756220u
#define READER_TAG 0x72656164u

/* The watch of one object and worker, and the requests there that it wakes. */
struct hub {
    unsigned tag;
    struct watch watch;
    struct loop_notice notice;
    struct letter more;    /* tells the rest */
    struct object *object; /* a reference */
    struct list readers;   /* readers that have been told everything */
    struct list untold;    /* readers that will be told: `more` is pending */
    bool more_pending;
    bool telling; /* the hub must stay */
};

struct reader {
    unsigned tag;
    struct link link;
    struct hub *hub;
    struct request *request;
    uint64_t position;
};

static void free_if_empty(struct hub *h)
{
    CHECK(h->tag == HUB_TAG);
    /* A pending notice comes back here. */
    if (h->telling || !list_is_empty(&h->readers) || h->more_pending || loop_notice_is_pending(&h->notice))
        return;
    CHECK(list_is_empty(&h->untold) && !link_is_in(&h->watch.link));
    h->tag = 0;
    object_unref(h->object);
    mem_free(h);
}

/* Only a passing body needs to know: a kept one with a thousand readers does not look at each of them. */
static void update_slowest(struct hub *h)
{
    if (h->telling || h->more_pending || !object_is_closed(h->object))
        return; /* some are being told: update when all have been */
    uint64_t slowest = UINT64_MAX, furthest = 0;
    LIST_EACH(l, &h->readers) {
        struct reader *reader = CONTAINER_OF(l, struct reader, link);
        slowest = reader->position < slowest ? reader->position : slowest;
        furthest = reader->position > furthest ? reader->position : furthest;
    }
    atomic_store_explicit(&h->watch.slowest, slowest, memory_order_release);
    atomic_store_explicit(&h->watch.furthest, furthest, memory_order_release);
    object_reader_moved(h->object, h->notice.loop);
}

/* The thousands that waited are in the processor's cache no more. While one is told, the memory of the
 * next comes: first what leads to its request, then the request. */
static void fetch_ahead(struct hub *h)
{
    struct link *next = list_first(&h->untold);
    if (!next)
        return;
    if (next->next != &h->untold.head)
        __builtin_prefetch(next->next);
    const struct request *r = CONTAINER_OF(next, struct reader, link)->request;
    for (const char *line = (const char *)r; line < (const char *)&r->reply.extra; line += 64)
        __builtin_prefetch(line, 1);
}

/* Tells each in its turn. A request may leave, or another one join, meanwhile. */
static void tell_some(struct hub *h)
{
    struct link *l;
    CHECK(h->tag == HUB_TAG && !h->telling && !h->more_pending);
    h->telling = true;
    for (unsigned i = 0; i < TOLD_MOST && (l = list_pop(&h->untold)) != NULL; i++) {
        struct reader *reader = CONTAINER_OF(l, struct reader, link);
        CHECK(reader->tag == READER_TAG && reader->hub == h && reader->request->reader == reader);
        list_push_back(&h->readers, l);
        fetch_ahead(h);
        request_wake(reader->request);
    }
    h->telling = false;
    if (!list_is_empty(&h->untold)) {
        /* Posted, not deferred: a deferred letter would come before the kernel gets what these have sent. */
        h->more_pending = true;
        loop_post(h->notice.loop, &h->more);
        return;
    }
    if (!list_is_empty(&h->readers))
        update_slowest(h);
    free_if_empty(h);
}

static void open_more(struct letter *l)
{
    struct hub *h = CONTAINER_OF(l, struct hub, more);
    CHECK(h->tag == HUB_TAG && h->more_pending);
    h->more_pending = false;
    tell_some(h);
}

static void progressed(struct loop_notice *n)
{
    struct hub *h = CONTAINER_OF(n, struct hub, notice);
    CHECK(h->tag == HUB_TAG);
    list_move_all(&h->untold, &h->readers);
    if (!h->more_pending)
        tell_some(h);
}

static struct hub *hub_of(struct request *r, struct object *o)
{
    struct watch *known = object_watch_of(o, r->w->loop);
    if (known)
        return CONTAINER_OF(known, struct hub, watch);
    struct hub *h = mem_alloc(sizeof(*h));
    h->tag = HUB_TAG;
    loop_notice_init(&h->notice, r->w->loop, progressed);
    link_init(&h->watch.link);
    h->watch.owner = r->w->loop;
    h->watch.notice = &h->notice.notice;
    h->object = object_ref(o);
    h->more.open = open_more;
    list_init(&h->readers);
    list_init(&h->untold);
    return h;
}

enum object_watch reader_join(struct request *r, struct object *o, bool own_fetch)
{
    CHECK(r->tag == REQUEST_TAG && !r->reader);
    struct hub *h = hub_of(r, o);
    CHECK(h->tag == HUB_TAG && h->object == o);
    enum object_watch answer = object_watch(o, &h->watch, own_fetch);
    if (answer != OBJECT_WATCHED) {
        free_if_empty(h);
        return answer;
    }
    r->reader = arena_alloc(&r->arena, sizeof(*r->reader));
    *r->reader = (struct reader){ .tag = READER_TAG, .hub = h, .request = r };
    link_init(&r->reader->link);
    list_push_back(&h->readers, &r->reader->link);
    return answer;
}

enum object_watch reader_switch(struct request *r, struct object *o)
{
    struct reader *before = r->reader, *now;
    r->reader = NULL;
    enum object_watch answer = reader_join(r, o, false);
    now = r->reader;
    r->reader = before;
    if (answer == OBJECT_CLOSED)
        return answer;
    reader_leave(r);
    r->reader = now;
    return answer;
}

void reader_leave(struct request *r)
{
    struct reader *reader = r->reader;
    if (!reader)
        return;
    struct hub *h = reader->hub;
    CHECK(reader->tag == READER_TAG && h->tag == HUB_TAG && reader->request == r);
    reader->tag = 0;
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
    CHECK(r->reader->tag == READER_TAG && position > r->reader->position);
    r->reader->position = position;
    update_slowest(r->reader->hub);
}
