#include "base/mem.h"
#include "base/pages.h"
#include "cache/disk.h"
#include "request/request_machine.h"

/*
 * A read of a page or of a family's rule, and the requests of this worker that wait for it. All that want the
 * same wait for one read.
 */
struct reading {
    struct link link; /* in `of` */
    struct readings *of;
    struct disk_read read;
    struct loop_notice done;
    struct list waiting; /* of requests, by request->reading_link */
    bool is_late;        /* somebody has waited in vain: nobody else does */
    char texts[];        /* the strings of read.place */
};

#define READINGS_MOST 256 /* of a worker; who comes then goes to the origin */

static struct reading *find(struct requests *w, const struct place *p, bool is_rule)
{
    LIST_EACH(l, &w->readings->all) {
        struct reading *it = CONTAINER_OF(l, struct reading, link);
        const struct place *its = &it->read.place;
        if (it->read.is_rule == is_rule && hash128_eq(its->hash, p->hash) &&
            (is_rule || (its->variant_hash == p->variant_hash && str_eq(its->variant, p->variant))) &&
            str_eq(its->primary, p->primary))
            return it;
    }
    return NULL;
}

/* Those that wait go on; each of them may end, or end others. */
static void read_is_done(struct loop_notice *n)
{
    struct reading *it = CONTAINER_OF(n, struct reading, done);
    struct link *l;
    link_remove(&it->link);
    it->of->n--;
    while ((l = list_pop(&it->waiting)) != NULL) {
        struct request *r = CONTAINER_OF(l, struct request, reading_link);
        r->reading = NULL;
        timer_stop(r->w->loop, &r->timer);
        /* The index has it by now. Else it is not asked for again. */
        if (!it->read.has_read)
            r->look.may_read = false;
        struct counters *counters = r->w->counters;
        request_wake(r);
        /* Afterwards: whoever does not wait any more has looked again. */
        count_add(counters, COUNTER_DISK_READS_OPEN, -1);
    }
    mem_free(it);
}

/* The disk stands: what is on it counts as nothing. */
static void read_takes_too_long(struct timer *t)
{
    struct request *r = CONTAINER_OF(t, struct request, timer);
    CHECK(r->tag == REQUEST_TAG && r->step == STEP_LOOKUP && r->reading);
    r->reading->is_late = true;
    request_leave_reading(r);
    r->look.may_read = false;
    request_wake(r);
}

static struct reading *begin(struct request *r, bool is_rule)
{
    struct requests *w = r->w;
    struct place *p = &r->look.place;
    size_t variant_n = is_rule ? 0 : p->variant.n;
    struct reading *it = mem_alloc(sizeof(*it) + p->primary.n + variant_n);
    it->of = w->readings;
    it->read.place = *p;
    it->read.place.rule = NULL;
    it->read.place.primary = (struct str){ it->texts, p->primary.n };
    it->read.place.variant = (struct str){ it->texts + p->primary.n, variant_n };
    str_put(str_put(it->texts, p->primary), is_rule ? STR_NONE : p->variant);
    it->read.is_rule = is_rule;
    it->read.variants_max = (size_t)r->site->variants;
    list_init(&it->waiting);
    loop_notice_init(&it->done, w->loop, read_is_done);
    it->read.job.done = &it->done.notice;
    link_init(&it->link);
    list_push_back(&it->of->all, &it->link);
    it->of->n++;
    disk_read_start(w->cache->disk, &it->read);
    return it;
}

/* Most of what is asked for often is in the page cache: then nobody waits, and no thread is woken. false: the
 * disk must be waited for. */
static bool read_at_hand(struct request *r, bool is_rule)
{
    struct readings *all = r->w->readings;
    if (!all->room)
        all->room = pages_map(DISK_ROOM_AT_HAND, false);
    struct disk_read read = { .place = r->look.place,
                              .is_rule = is_rule,
                              .variants_max = (size_t)r->site->variants };
    read.place.rule = NULL;
    if (!all->room || !disk_read_at_hand(r->w->cache->disk, &read, all->room))
        return false;
    r->look.may_read = read.has_read;
    return true;
}

#define READS_MOST   2 /* of a request: the rule and the page */
#define READ_MOST_MS 1000

bool request_read(struct request *r)
{
    CHECK(!r->reading && r->found.outcome == OUTCOME_DISK);
    bool is_rule = r->found.reads_rule;
    struct reading *it = find(r->w, &r->look.place, is_rule);
    if (r->reads++ >= READS_MOST || (it && it->is_late) || (!it && r->w->readings->n >= READINGS_MOST)) {
        r->look.may_read = false;
        return false;
    }
    count(r->w->counters, COUNTER_DISK_READS);
    if (!it && read_at_hand(r, is_rule))
        return false;
    if (!it)
        it = begin(r, is_rule);
    count_add(r->w->counters, COUNTER_DISK_READS_OPEN, 1);
    r->reading = it;
    link_init(&r->reading_link);
    list_push_back(&it->waiting, &r->reading_link);
    timer_start(r->w->loop, &r->timer, READ_MOST_MS, read_takes_too_long);
    return true;
}

void request_leave_reading(struct request *r)
{
    if (!r->reading)
        return;
    link_remove(&r->reading_link);
    r->reading = NULL;
    timer_stop(r->w->loop, &r->timer);
    count_add(r->w->counters, COUNTER_DISK_READS_OPEN, -1);
}

void readings_init(struct readings *of)
{
    list_init(&of->all);
    of->n = 0;
    of->room = NULL;
}

void readings_fini(struct readings *of)
{
    struct link *l;
    while ((l = list_pop(&of->all)) != NULL) {
        struct reading *it = CONTAINER_OF(l, struct reading, link);
        CHECK(list_is_empty(&it->waiting));
        mem_free(it);
        of->n--;
    }
    if (of->room)
        pages_unmap(of->room, DISK_ROOM_AT_HAND);
}
