#include "coding/coder.h"

#include "base/mem.h"
#include "cache/room.h"
#include "coding/encode.h"
#include "coding/pour.h"
#include "io/background.h"

#define THREADS_MOST 8
/* A coded body has to save a sixteenth, and its own head's bytes. */
#define SAVES_PART  16
#define SAVES_LEAST 64
/* Room that is made for a coding's head, and for what it hangs on. */
#define HEAD_ROOM ((size_t)2048)
/* How much of the body is encoded between two looks at whether it pays. */
#define LEASE_BYTES ((uint64_t)65536)

struct job {
    struct link link;
    struct object *object; /* with a reference */
    enum coding coding;
    int level;
    bool best;
};

struct coder {
    struct cache *cache;
    struct lock lock;
    struct list quick, best; /* of struct job */
    uint64_t bytes;          /* of the bodies of both, and of those being encoded */
    size_t jobs;
    struct coder_figures figures; /* under the lock */
    struct pours *pours;
    unsigned threads_n;
    struct background *threads[THREADS_MOST];
};

/* ---- one body ---- */

/* What is made, in pieces of memory that may be refused. */
struct output {
    char *p;
    size_t n, room;
};

static bool output_add(struct output *to, struct str data)
{
    if (data.n > to->room - to->n)
        return false;
    str_put(to->p + to->n, data);
    to->n += data.n;
    return true;
}

enum made { MADE_GOOD, MADE_USELESS, MADE_FAILED };

/* Encodes a piece, and ends the body when it is the last one. */
static enum made encode_piece(struct encode *e, struct str in, bool last, struct output *to)
{
    struct str data;
    for (;;)
        switch (encode_next(e, &in, last, &data)) {
        case ENCODE_DATA:
            if (!output_add(to, data))
                return MADE_USELESS;
            break;
        case ENCODE_MORE:
        case ENCODE_ENDED: return MADE_GOOD;
        case ENCODE_NO_MEMORY: return MADE_FAILED;
        }
}

static enum made encode_body(struct encode *e, const struct body *from, struct output *to)
{
    struct body_cursor cursor = { NULL };
    uint64_t at = 0, end = body_length(from), bytes;
    enum made made = MADE_GOOD;
    while (at < end && made == MADE_GOOD) {
        struct iovec iov;
        body_lease(from, &cursor, at, end - at < LEASE_BYTES ? end : at + LEASE_BYTES, &iov, 1, &bytes);
        at += bytes;
        made = encode_piece(e, (struct str){ iov.iov_base, iov.iov_len }, at == end, to);
    }
    return made;
}

/* Returns the coded bytes as a body that is charged; NULL: no memory. */
static struct body *body_of(struct cache *c, struct str bytes)
{
    struct body *b = NULL;
    if (bytes.n <= BODY_WHOLE_MAX) {
        if (room_keeps(c, 0, body_whole_cost(bytes.n) + HEAD_ROOM))
            b = body_new_whole(&c->memory, bytes.n);
    } else if (room_keeps(c, 0, bytes.n + bytes.n / 64 + HEAD_ROOM)) {
        b = body_new(&c->memory, bytes.n);
    }
    if (b && body_append(b, bytes) == bytes.n)
        return b;
    body_unref(b);
    return NULL;
}

static enum made make(struct coder *k, const struct job *j, struct body **out)
{
    const struct body *from = j->object->body;
    const struct coded *now = coded_find(j->object, j->coding);
    uint64_t length = body_length(from), most = length - length / SAVES_PART;
    most = most > SAVES_LEAST ? most - SAVES_LEAST : 0;
    /* The better level takes the place of the quick one only when it is shorter. */
    if (now && body_length(now->body) <= most)
        most = body_length(now->body) - 1;
    if (most == 0)
        return MADE_USELESS;
    struct output to = { .p = mem_try((size_t)most), .room = (size_t)most };
    struct encode *e = to.p ? encode_new(j->coding, j->level, length) : NULL;
    enum made made = e ? encode_body(e, from, &to) : MADE_FAILED;
    encode_free(e);
    if (made == MADE_GOOD) {
        *out = body_of(k->cache, (struct str){ to.p, to.n });
        made = *out ? MADE_GOOD : MADE_FAILED;
    }
    mem_free(to.p);
    return made;
}

/* ---- the queue ---- */

static struct job *job_of(struct link *l)
{
    return CONTAINER_OF(l, struct job, link);
}

static struct job *take(struct coder *k)
{
    lock_take(&k->lock);
    struct link *l = list_pop(&k->quick);
    if (!l)
        l = list_pop(&k->best);
    lock_give(&k->lock);
    return l ? job_of(l) : NULL;
}

static void forget(struct coder *k, struct job *j)
{
    lock_take(&k->lock);
    k->bytes -= body_length(j->object->body);
    k->jobs--;
    lock_give(&k->lock);
    object_unref(j->object);
    mem_free(j);
}

static void note(struct coder *k, const struct job *j, enum made made, uint64_t bytes)
{
    struct coder_figures *f = &k->figures;
    lock_take(&k->lock);
    if (made == MADE_GOOD) {
        f->made[j->coding]++;
        f->bytes_in += body_length(j->object->body);
        f->bytes_out += bytes;
    }
    f->useless += made == MADE_USELESS;
    f->failed += made == MADE_FAILED;
    lock_give(&k->lock);
}

static void count_poured(void *ctx, enum coding coding, bool useless, uint64_t bytes_in, uint64_t bytes_out)
{
    struct coder *k = ctx;
    lock_take(&k->lock);
    k->figures.useless += useless;
    k->figures.made[coding] += !useless;
    k->figures.bytes_in += useless ? 0 : bytes_in;
    k->figures.bytes_out += useless ? 0 : bytes_out;
    lock_give(&k->lock);
}

struct pours *coder_pours(struct coder *k)
{
    return k ? k->pours : NULL;
}

static int64_t step(void *ctx)
{
    struct coder *k = ctx;
    struct body *body = NULL;
    struct job *j = take(k);
    if (!j)
        return BACKGROUND_IDLE;
    enum made made = make(k, j, &body);
    note(k, j, made, body ? body_length(body) : 0);
    if (body)
        coded_attach(j->object, j->coding, j->level, j->best, &body);
    else
        coded_give_up(j->object, j->coding, made == MADE_USELESS);
    forget(k, j);
    return 0;
}

static bool enqueue(struct coder *k, struct job *j)
{
    uint64_t bytes = body_length(j->object->body);
    lock_take(&k->lock);
    bool has_room = k->jobs < CODER_JOBS_MOST && bytes <= CODER_BYTES_MOST - k->bytes;
    if (has_room) {
        k->jobs++;
        k->bytes += bytes;
        list_push_back(j->best ? &k->best : &k->quick, &j->link);
    } else {
        k->figures.forgotten++;
    }
    lock_give(&k->lock);
    return has_room;
}

void coder_want(struct coder *k, struct object *o, enum coding coding, int level, bool best)
{
    if (!k || !o->body || body_distance(o->body))
        return;
    /* It is there or being made, as hits find that come meanwhile. A pour that is not over becomes it. */
    if ((!best && (coded_all(o) >> coding & 1)) || (object_pours(o) >> coding & 1) ||
        !coded_claim(o, coding, best))
        return;
    struct job *j = mem_alloc(sizeof(*j));
    *j = (struct job){ .object = object_ref(o), .coding = coding, .level = encode_level(coding, level) };
    j->best = best;
    link_init(&j->link);
    if (enqueue(k, j)) {
        for (unsigned i = 0; i < k->threads_n; i++)
            background_wake(k->threads[i]);
        return;
    }
    coded_give_up(o, coding, false);
    object_unref(o);
    mem_free(j);
}

/* ---- its life ---- */

struct coder *coder_start(struct cache *c, unsigned threads)
{
    struct coder *k = mem_alloc(sizeof(*k));
    k->cache = c;
    lock_init(&k->lock);
    list_init(&k->quick);
    list_init(&k->best);
    threads = threads < 1 ? 1 : threads > THREADS_MOST ? THREADS_MOST : threads;
    while (k->threads_n < threads && (k->threads[k->threads_n] = background_start("coder", step, k)) != NULL)
        k->threads_n++;
    k->pours = pours_start(c, threads, count_poured, k);
    if (k->threads_n > 0)
        return k;
    pours_stop(k->pours);
    lock_fini(&k->lock);
    mem_free(k);
    return NULL;
}

void coder_stop(struct coder *k)
{
    struct job *j;
    if (!k)
        return;
    pours_stop(k->pours);
    for (unsigned i = 0; i < k->threads_n; i++)
        background_stop(&k->threads[i]);
    while ((j = take(k)) != NULL) {
        coded_give_up(j->object, j->coding, false);
        forget(k, j);
    }
    lock_fini(&k->lock);
    mem_free(k);
}

void coder_figures(struct coder *k, struct coder_figures *out)
{
    lock_take(&k->lock);
    *out = k->figures;
    out->waiting = (int64_t)k->jobs;
    lock_give(&k->lock);
    out->waiting += (int64_t)pours_now(k->pours);
}
