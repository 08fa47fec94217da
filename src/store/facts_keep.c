#include "store/facts_machine.h"

/* What is written beside commits leaves the disk to them most of the time: a piece takes about a
 * millisecond. */
#define PACE_US  8000 /* between two pieces of a snapshot, or of a log that grows */
#define RETRY_US 2000000

/* ---- a snapshot ---- */

/* Copies the walk's next fact. false: there is none. */
static bool next_fact(struct facts *f, struct facts_pour *p)
{
    struct fact *x = NULL;
    lock_take(&f->lock);
    while (!x && f->walk != &f->all.head) {
        x = CONTAINER_OF(f->walk, struct fact, link);
        f->walk = f->walk->next;
        if (p->saves)
            link_remove(&x->unsaved);
        if (x->value.n == 0) {
            if (p->saves)
                facts_drop(f, x);
            x = NULL;
        }
    }
    if (x) {
        buf_add(&p->key, x->key);
        buf_add(&p->value, x->value);
    }
    lock_give(&f->lock);
    return x != NULL;
}

/* false: the piece is full. */
static bool pour_facts(struct facts *f, struct facts_pour *p)
{
    while (p->key.n || next_fact(f, p)) {
        if (!facts_writer_fact(&p->whole.piece, buf_str(&p->key), buf_str(&p->value)))
            return false;
        buf_clear(&p->key);
        buf_clear(&p->value);
    }
    p->has_facts = true;
    return true;
}

/* false: the piece is full. */
static bool pour_rows(struct facts *f, struct facts_pour *p)
{
    struct facts_row rows[FACTS_BATCH_ROWS];
    struct facts_writer *w = &p->whole.piece;
    while (w->room - w->n >= FACTS_ROWS_ROOM) {
        size_t n = f->rows.walk(f->rows.owner, rows, FACTS_BATCH_ROWS, clock_now(f->clock));
        for (size_t i = 0; i < n; i++)
            CHECK(facts_writer_row(w, &rows[i]));
        if (n == 0)
            return true;
    }
    return false;
}

/* What changed during the walk need not be in it, and what was on disk of it before may be in nothing that
 * the snapshot leaves: so the snapshot counts only when the change is on disk as well. Beside commits that is
 * the next one's work; else the rows that are unsaved follow here. false: not yet, or the piece is full. */
static bool pour_changed(struct facts *f, struct facts_pour *p)
{
    struct facts_row rows[FACTS_BATCH_ROWS];
    struct facts_writer *w = &p->whole.piece;
    if (!p->has_walked && p->saves)
        f->rows.begin(f->rows.owner);
    if (!p->has_walked && !p->saves)
        p->ticket = facts_ask(f);
    p->has_walked = true;
    if (!p->saves)
        return atomic_load(&f->saved) >= p->ticket;
    while (w->room - w->n >= FACTS_ROWS_ROOM) {
        size_t n = f->rows.take(f->rows.owner, rows, FACTS_BATCH_ROWS, clock_now(f->clock));
        for (size_t i = 0; i < n; i++)
            CHECK(facts_writer_row(w, &rows[i]));
        if (n == 0)
            return true;
    }
    return false;
}

int facts_pour_begin(struct facts *f, uint64_t generation, uint64_t serial, bool saves)
{
    struct facts_pour *p = &f->pour;
    enum facts_file file = f->has_whole && f->newest == FACTS_WHOLE_0 ? FACTS_WHOLE_1 : FACTS_WHOLE_0;
    p->is_open = true;
    p->saves = saves;
    p->has_facts = p->has_walked = false;
    buf_clear(&p->key);
    buf_clear(&p->value);
    lock_take(&f->lock);
    f->walk = f->all.head.next;
    lock_give(&f->lock);
    f->rows.walk_begin(f->rows.owner, saves);
    int status = facts_whole_begin(&p->whole, &f->disk, file, generation, serial, f->whole_room);
    if (status < 0)
        facts_pour_end(f);
    return status;
}

static int pour_last(struct facts *f)
{
    struct facts_pour *p = &f->pour;
    int status = facts_whole_end(&p->whole);
    if (status < 0)
        return status;
    f->has_whole = true;
    f->newest = p->whole.file;
    f->whole_bytes = p->whole.head.bytes;
    p->is_open = false;
    return 1;
}

int facts_pour_step(struct facts *f)
{
    struct facts_pour *p = &f->pour;
    bool has_all =
        (p->has_facts || pour_facts(f, p)) && (p->has_walked || pour_rows(f, p)) && pour_changed(f, p);
    int status = has_all ? pour_last(f) : facts_whole_flush(&p->whole);
    if (status < 0)
        facts_pour_end(f);
    return status;
}

void facts_pour_end(struct facts *f)
{
    if (f->pour.is_open)
        facts_whole_abort(&f->pour.whole);
    f->pour.is_open = false;
}

/* ---- the thread ---- */

static bool wants_whole(struct facts *f, uint64_t *generation, uint64_t *serial)
{
    lock_take(&f->lock);
    bool wants = f->wants_whole;
    *generation = f->keep_generation;
    *serial = f->keep_serial;
    lock_give(&f->lock);
    return wants;
}

static int64_t keep_whole(struct facts *f, uint64_t generation, uint64_t serial)
{
    int status = f->pour.is_open ? 0 : facts_pour_begin(f, generation, serial, false);
    if (status == 0)
        status = facts_pour_step(f);
    if (status < 0)
        return RETRY_US; /* as long as there is room in the log nothing is lost */
    if (status == 0)
        return PACE_US;
    lock_take(&f->lock);
    f->wants_whole = false;
    lock_give(&f->lock);
    return 0;
}

uint64_t facts_keep_target(const struct facts *f, uint64_t bytes)
{
    uint64_t target = f->log_first;
    while (target < FACTS_LOG_MOST && (target < bytes || target < 2 * f->whole_bytes))
        target *= 2;
    return target;
}

/* Until the other log can be written next. */
static int64_t make_ready(struct facts *f, enum facts_file other, uint64_t target)
{
    int status = facts_disk_open(&f->disk, other, true);
    if (status == 0)
        status = facts_disk_grow(&f->disk, other, target, f->zeros);
    if (status == 0)
        return PACE_US;
    if (status < 0) {
        facts_disk_remove(&f->disk, other);
        return RETRY_US;
    }
    lock_take(&f->lock);
    f->other_ready = true;
    lock_give(&f->lock);
    return BACKGROUND_IDLE;
}

int64_t facts_keep_step(void *ctx)
{
    struct facts *f = ctx;
    uint64_t generation, serial;
    if (wants_whole(f, &generation, &serial))
        return keep_whole(f, generation, serial);
    lock_take(&f->lock);
    bool ready = f->other_ready;
    enum facts_file other = f->other;
    uint64_t target = f->other_bytes;
    lock_give(&f->lock);
    return ready ? BACKGROUND_IDLE : make_ready(f, other, target);
}
