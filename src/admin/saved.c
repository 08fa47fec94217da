#include "admin/saved.h"

#include "base/mem.h"
#include "request/page.h"
#include "store/facts_desk.h"

struct saving {
    struct request *request;
    struct object *object; /* a reference; NULL: it does not wait yet */
    struct facts_wait wait;
    struct str otherwise;
    void (*undo)(struct request *r, void *ctx);
    void *ctx;
};

void saved_expect(struct request *r)
{
    if (r->saving || !r->w->facts_desk)
        return;
    r->saving = mem_alloc(sizeof(*r->saving));
    r->saving->request = r;
}

void saved_otherwise(struct request *r, struct str body)
{
    if (r->saving)
        r->saving->otherwise = body;
}

void saved_undo(struct request *r, void (*undo)(struct request *r, void *ctx), void *ctx)
{
    if (!r->saving)
        return;
    r->saving->undo = undo;
    r->saving->ctx = ctx;
}

static void forget(struct request *r)
{
    struct saving *s = r->saving;
    r->saving = NULL;
    if (s->object)
        object_unref(s->object);
    mem_free(s);
}

static void finish(struct request *r, struct object *o, bool saved)
{
    if (!saved && r->saving->undo)
        r->saving->undo(r, r->saving->ctx);
    else if (!saved && r->saving->otherwise.p)
        r->answer.body = r->saving->otherwise;
    page_fill(r, o);
    forget(r);
}

static void done(struct facts_wait *w, bool saved)
{
    struct saving *s = CONTAINER_OF(w, struct saving, wait);
    /* It is filled here: who reads it is told without a ring at the loop's own bell. */
    object_set_fetch(s->object, NULL, s->request->w->loop);
    finish(s->request, s->object, saved);
}

void saved_fill(struct request *r, struct object *o)
{
    if (!r->saving) {
        page_fill(r, o);
        return;
    }
    enum facts_settled settled = facts_desk_wait(r->w->facts_desk, &r->saving->wait, done);
    if (settled == FACTS_UNSETTLED)
        r->saving->object = object_ref(o);
    else
        finish(r, o, settled == FACTS_SAVED);
}

void saved_leave(struct request *r)
{
    if (!r->saving)
        return;
    if (r->saving->object)
        facts_desk_leave(r->w->facts_desk, &r->saving->wait);
    if (r->saving->undo)
        r->saving->undo(r, r->saving->ctx);
    forget(r);
}
