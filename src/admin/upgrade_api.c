#include "admin/upgrade_api.h"

#include "admin/answer.h"
#include "base/mem.h"
#include "base/notice.h"

void admin_upgrade_begun(struct admin *a)
{
    lock_take(&a->lock);
    a->upgrades++;
    a->upgrade_runs = true;
    buf_clear(&a->upgrade_error);
    lock_give(&a->lock);
}

void admin_upgrade_ended(struct admin *a, struct str error)
{
    lock_take(&a->lock);
    a->upgrade_runs = false;
    buf_clear(&a->upgrade_error);
    buf_add(&a->upgrade_error, error);
    lock_give(&a->lock);
}

/* `number`: of the upgrade that is meant; the ones before it do not count for who waits for it. */
static void answer(struct admin *a, struct request *r, int status, uint64_t begun)
{
    struct answer_writer w = { 0 };
    lock_take(&a->lock);
    bool runs = a->upgrade_runs || begun > a->upgrades;
    answer_open(&w, NULL, '{');
    answer_int(&w, "pid", a->pid);
    answer_int(&w, "upgrade", (int64_t)(begun ? begun : a->upgrades));
    answer_bool(&w, "running", runs);
    if (!runs && a->upgrade_error.n)
        answer_str(&w, "error", buf_str(&a->upgrade_error));
    answer_close(&w, '}');
    lock_give(&a->lock);
    answer_json(r, status, answer_finish(&w, &r->arena));
}

/* One that runs already is as good. */
void upgrade_api_begin(struct admin *a, struct request *r)
{
    lock_take(&a->lock);
    bool runs = a->upgrade_runs;
    uint64_t number = a->upgrades + !runs;
    lock_give(&a->lock);
    if (!runs)
        notice_send(a->upgrade_main, r->w->loop);
    answer(a, r, 202, number);
}

void upgrade_api_show(struct admin *a, struct request *r)
{
    answer(a, r, 200, 0);
}

void upgrade_api_fini(struct admin *a)
{
    buf_fini(&a->upgrade_error);
}
