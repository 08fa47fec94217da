#include "coding/coder.h"
#include "request/deliver_machine.h"

bool deliver_refuses_plain(const struct request *r)
{
    struct coding_weights w;
    accept_encoding_weights(&r->fields, &w);
    return w.of[CODING_IDENTITY] == 0;
}

/* May its body be made into codings, by the settings as they are now? */
static bool is_in_size(const struct request *r)
{
    uint64_t length = body_length(r->object->body);
    return length >= (uint64_t)r->site->compress_least && length <= (uint64_t)r->site->compress_most;
}

static void want(const struct request *r, enum coding c, bool best)
{
    if (is_in_size(r))
        coder_want(r->w->cache->coder, r->object, c, coded_level(r->site, c, best), best);
}

/* The page is asked for often: the best level pays. */
static bool is_worth_best(const struct request *r, const struct coded *coded, enum coding c)
{
    int64_t often = r->site->compress_often;
    return !coded->is_best && often > 0 &&
           atomic_load_explicit(&r->object->hits, memory_order_relaxed) >= (uint64_t)often &&
           coded_level(r->site, c, true) > coded->level;
}

/* The codings that are there, and those that may come to be. */
static unsigned find(const struct object *o, unsigned *possible)
{
    unsigned there = 1u << CODING_IDENTITY;
    *possible = there;
    for (enum coding c = CODING_GZIP; c < CODINGS; c++) {
        there |= coded_find(o, c) ? 1u << c : 0;
        *possible |= coded_is_useless(o, c) ? 0 : 1u << c;
    }
    return there;
}

void deliver_choose_coding(struct request *r)
{
    struct coding_weights w;
    struct object *o = r->object;
    unsigned possible;
    r->coded = NULL;
    if (!o->body || !r->site || !r->site->compress)
        return;
    accept_encoding_weights(&r->fields, &w);
    if (r->directives.no_transform)
        return;
    unsigned there = find(o, &possible);
    enum coding wanted = accept_encoding_choose(&w, possible), best = accept_encoding_choose(&w, there);
    if (wanted != CODING_IDENTITY && wanted != CODINGS && !(there >> wanted & 1))
        want(r, wanted, false);
    if (best == CODING_IDENTITY || best == CODINGS)
        return;
    r->coded = coded_find(o, best);
    if (is_worth_best(r, r->coded, best))
        want(r, best, true);
}
