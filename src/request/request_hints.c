/*
 * Early Hints (RFC 8297): who waits for a page is told at once what its stored answer said that a browser may
 * fetch early (cache/hints.h).
 */
#include "cache/hints.h"
#include "request/request_machine.h"

/* Browsers take hints when they go to a page; for what a script asks for they are of no use. */
static bool goes_to_page(const struct request *r)
{
    struct str mode = fields_value(&r->fields, FIELD_SEC_FETCH_MODE);
    return r->method == METHOD_GET && (mode.n == 0 || str_eq(mode, STR("navigate")));
}

void request_hint(struct request *r)
{
    bool waits = r->outcome == OUTCOME_MISS || r->outcome == OUTCOME_EXPIRED || r->outcome == OUTCOME_JOIN;
    if (r->hinted || !r->site || !r->site->early_hints || !r->front->takes_hints || r->pass || r->head_sent ||
        !waits || !goes_to_page(r))
        return;
    r->hinted = true;
    struct buf links = BUF_INIT;
    if (hints_find(r->w->cache, &r->look.place, &links)) {
        struct fields fields = { 0 };
        fields_add_id(&fields, &r->arena, FIELD_LINK, buf_str(&links));
        if (r->front->interim(r, 103, &fields))
            count(r->w->counters, COUNTER_EARLY_HINTS);
    }
    buf_fini(&links);
}
