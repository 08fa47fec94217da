#include "request/parts.h"
#include "request/reader.h"
#include "request/request_machine.h"
#include "request/window.h"

#define LEASE_FIRST ((uint64_t)1 << 20)
#define LEASE_NEXT  ((uint64_t)1 << 18) /* once the client turned out to be slow */

void request_drop_body(struct request *r)
{
    request_let_go(r);
    if (r->poured)
        reader_leave(r);
    object_unref(r->poured);
    r->poured = NULL;
    if (r->view)
        window_leave(r);
    CHECK(!r->body_held || r->body);
    if (r->body_held)
        body_unref(r->body);
    r->body = NULL;
    r->body_held = false;
}

bool request_is_at_end(const struct request *r, bool sealed, uint64_t there)
{
    if (r->parts)
        return r->parts->at == r->parts->n;
    return r->at >= r->end || (sealed && r->at >= there);
}

/* Apart, so that all others pay a test. */
static __attribute__((noinline)) unsigned lease_distant(struct request *r, uint64_t to, struct iovec *piece)
{
    if (!window_lease(r, to, piece))
        return 0;
    r->leased = piece->iov_len;
    return 1;
}

/* Pieces of the body from r->at on; r->leased bytes. */
static inline unsigned lease(struct request *r, uint64_t to, struct iovec *iov, unsigned max)
{
    if (__builtin_expect(body_distance(r->body) != NULL, false))
        return lease_distant(r, to, iov);
    return body_lease(r->body, &r->cursor, r->at, to, iov, max, &r->leased);
}

/* Pieces of a body that is one run of bytes. */
static unsigned lease_run(struct request *r, struct iovec *iov, unsigned max, bool *last)
{
    bool sealed =
        object_state(request_filled(r)) == OBJECT_SEALED; /* before the length: then the length is final */
    uint64_t there = r->body ? body_length(r->body) : 0;
    uint64_t to = there < r->end ? there : r->end;
    uint64_t most = r->bytes_sent ? LEASE_NEXT : LEASE_FIRST;
    unsigned n = 0;
    CHECK(r->at <= r->end);
    if (to > r->at + most)
        to = r->at + most;
    if (r->at < to)
        n = lease(r, to, iov, max);
    uint64_t then = r->at + r->leased;
    *last = then >= r->end || (sealed && then >= there);
    return n;
}

/* Several ranges: the header of the current part when the part is new, then a run of its bytes. The tail
 * follows the last part. */
static unsigned lease_parts(struct request *r, struct iovec *iov, unsigned max, bool *last)
{
    struct parts *p = r->parts;
    CHECK(p->at < p->n && r->at < r->end && max > 2);
    struct part_of_many *part = &p->v[p->at];
    unsigned n = !p->head_sent;
    uint64_t to = r->at + LEASE_NEXT < r->end ? r->at + LEASE_NEXT : r->end;
    iov[0] = (struct iovec){ (char *)(uintptr_t)part->head.p, part->head.n };
    unsigned pieces = lease(r, to, iov + n, max - n - 1);
    if (pieces == 0)
        return 0;
    n += pieces;
    *last = r->at + r->leased == r->end && p->at + 1 == p->n;
    if (*last)
        iov[n++] = (struct iovec){ (char *)(uintptr_t)p->tail.p, p->tail.n };
    return n;
}

unsigned request_lease(struct request *r, struct iovec *iov, unsigned max, bool *last)
{
    CHECK(!r->sending && !r->last_sent);
    r->leased = 0;
    if (r->parts)
        return lease_parts(r, iov, max, last);
    return lease_run(r, iov, max, last);
}

/* The next part, when the current one is sent. */
static void go_to_next_part(struct request *r)
{
    struct parts *p = r->parts;
    CHECK(p->at < p->n && r->at <= r->end);
    p->head_sent = true;
    if (r->at < r->end || ++p->at == p->n)
        return;
    const struct part_of_many *next = &p->v[p->at];
    p->head_sent = false;
    r->cursor.block = NULL;
    r->at = next->range.first;
    r->end = next->range.last + 1;
}

void request_count_sent(struct request *r)
{
    uint64_t n = r->leased;
    CHECK(!r->sending && n <= r->end - r->at);
    r->head_sent = true;
    r->leased = 0;
    r->at += n;
    r->bytes_sent += n;
    count_add(r->w->counters, COUNTER_BYTES_SENT, (int64_t)n);
    if (r->parts)
        go_to_next_part(r);
    else if (n)
        reader_moved(r, r->at);
}

/* With the cursor, and never before the bytes that are there. */
void request_pass_over(struct request *r)
{
    struct iovec iov;
    uint64_t there = r->body ? body_length(r->body) : 0, bytes;
    CHECK(!r->body || !body_distance(r->body));
    if (r->parts || there == 0 || there > r->at)
        return;
    body_lease(r->body, &r->cursor, there - 1, there, &iov, 1, &bytes);
    reader_moved(r, there);
}
