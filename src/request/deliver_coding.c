#include "coding/coder.h"
#include "request/deliver_machine.h"
#include "request/reader.h"

bool deliver_refuses_plain(const struct request *r)
{
    struct coding_weights w;
    if (accept_encoding_usual(&r->fields))
        return false;
    accept_encoding_weights(&r->fields, &w);
    return w.of[CODING_IDENTITY] == 0;
}

unsigned deliver_taken_codings(const struct request *r)
{
    struct coding_weights w;
    unsigned taken = accept_encoding_usual(&r->fields);
    if (taken || !fields_has(&r->fields, FIELD_ACCEPT_ENCODING))
        return taken ? taken : (1u << CODINGS) - 1;
    accept_encoding_weights(&r->fields, &w);
    for (enum coding c = CODING_IDENTITY; c < CODINGS; c++)
        taken |= w.of[c] ? 1u << c : 0;
    return taken;
}

enum coding deliver_wanted_coding(const struct request *r)
{
    struct coding_weights w;
    if (!r->site->compress)
        return CODING_IDENTITY;
    accept_encoding_weights(&r->fields, &w);
    enum coding wanted = accept_encoding_choose(&w, (1u << CODINGS) - 1);
    return wanted == CODINGS ? CODING_IDENTITY : wanted;
}

enum coding deliver_wished_coding(const struct request *r)
{
    bool whole = !r->head_only && !r->range.n && !r->directives.no_transform;
    return whole && fields_has(&r->fields, FIELD_ACCEPT_ENCODING) ? deliver_wanted_coding(r)
                                                                  : CODING_IDENTITY;
}

void deliver_choose_pour(struct request *r)
{
    struct coding_weights w;
    if (r->plain_alone || deliver_wished_coding(r) == CODING_IDENTITY)
        return;
    unsigned there = object_pours(r->object);
    if (!there)
        return;
    accept_encoding_weights(&r->fields, &w);
    enum coding best = accept_encoding_choose(&w, there | 1u << CODING_IDENTITY);
    if (best == CODING_IDENTITY || best == CODINGS)
        return;
    r->poured = object_pour(r->object, best);
    /* It passes: what its readers took is gone. */
    if (r->poured && reader_switch(r, r->poured) == OBJECT_CLOSED) {
        object_unref(r->poured);
        r->poured = NULL;
    }
}

/* May its body be made into codings, by the settings as they are now? */
static bool is_in_size(const struct request *r)
{
    uint64_t length = body_length(r->object->body);
    return length >= (uint64_t)r->site->compress_least && length <= (uint64_t)r->site->compress_most;
}

static void want(const struct request *r, enum coding c, bool best)
{
    if (is_in_size(r) && !object_is_closed(r->object))
        coder_want(r->w->cache->coder, r->object, c, coded_level(r->site, c, best), best);
}

/* The page is asked for often: the best level pays. */
static void want_best(const struct request *r)
{
    const struct coded *coded = r->coded;
    int64_t often = r->site->compress_often;
    if (often > 0 && atomic_load_explicit(&r->object->hits, memory_order_relaxed) >= (uint64_t)often &&
        coded_level(r->site, (enum coding)coded->coding, true) > coded->level)
        want(r, (enum coding)coded->coding, true);
}

/* By weights: what is there, and what would be better. */
static const struct coded *choose(const struct request *r, enum coding *better)
{
    struct coding_weights w;
    const struct object *o = r->object;
    unsigned there = 1u << CODING_IDENTITY, possible = there;
    for (enum coding c = CODING_GZIP; c < CODINGS; c++) {
        there |= coded_find(o, c) ? 1u << c : 0;
        possible |= coded_is_useless(o, c) ? 0 : 1u << c;
    }
    accept_encoding_weights(&r->fields, &w);
    enum coding wanted = accept_encoding_choose(&w, possible), best = accept_encoding_choose(&w, there);
    *better = wanted != CODINGS && !(there >> wanted & 1) ? wanted : CODING_IDENTITY;
    return best == CODING_IDENTITY || best == CODINGS ? NULL : coded_find(o, best);
}

void deliver_choose_coding(struct request *r)
{
    enum coding better;
    r->coded = NULL;
    if (!r->object->body || !r->site->compress || r->directives.no_transform)
        return;
    unsigned usual = accept_encoding_usual(&r->fields);
    r->coded = usual ? coded_last(r->object, usual, &better) : choose(r, &better);
    if (better != CODING_IDENTITY)
        want(r, better, false);
    if (r->coded && !r->coded->is_best)
        want_best(r);
}
