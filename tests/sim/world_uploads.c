/*
 * Unsafe requests with a body. Whatever the network does to them: an origin gets each at most once; it gets a
 * whole body only if all of it was sent, byte by byte; the answer is for this one; and what it changed is no
 * longer answered with what was stored before.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "sim_net.h"
#include "world_visitor.h"

#define BODY_PIECE 4096

struct upload_of {
    unsigned id;               /* from 1 */
    struct page *page, *other; /* `other`: its answer names it, too */
    size_t bytes;
    bool broken;  /* it ends in what is no chunk */
    bool reached; /* an origin has its head */
    bool ended;   /* it has a length, or its last chunk was sent */
    int64_t answered;
    int status; /* of the origin */
    bool late;  /* it comes slowly, or stops: it may be told so */
};

static struct upload_of **uploads;
static unsigned uploads_n, uploads_cap;

static struct upload_of *new_upload(struct page *p)
{
    if (uploads_n == uploads_cap) {
        uploads_cap = uploads_cap ? uploads_cap * 2 : 256;
        uploads = realloc(uploads, uploads_cap * sizeof(struct upload_of *));
    }
    struct upload_of *u = calloc(1, sizeof(*u));
    size_t most = sim_once_in(20) ? 300000 : sim_once_in(4) ? 30000 : 2000;
    *u = (struct upload_of){ .id = uploads_n + 1, .page = p, .bytes = sim_below(most) };
    uploads[uploads_n++] = u;
    return u;
}

#define PATTERN(u) ((uint64_t)1 << 40 | (u)->id)

/* ---- who sends it ---- */

/* Waits for the word to go on. false: an answer came first, or the end. */
static bool waits_for_word(struct visitor *v)
{
    char head[4096];
    static const char word[] = "HTTP/1.1 100 ";
    int64_t until = sim_now() + PATIENCE;
    while (v->in.n < sizeof(word) - 1) {
        int64_t got = net_read(v->e, v->in.bytes + v->in.n, sizeof(v->in.bytes) - v->in.n, until);
        if (got == NET_LATE)
            sim_fail("upload for request %u: nobody says whether to go on", v->r.number);
        if (got <= 0)
            return false;
        v->in.n += (size_t)got;
    }
    return strncmp(v->in.bytes, word, sizeof(word) - 1) == 0 &&
           incoming_head(v->e, &v->in, head, sizeof(head), until) > 0;
}

/* false: it is not all sent, and no more can be. */
static bool send_bytes(struct visitor *v, struct upload_of *u, bool chunked, size_t upto)
{
    char piece[BODY_PIECE], head[32];
    size_t most = sim_once_in(4) ? 1 + sim_below(200) : BODY_PIECE;
    bool slow = sim_once_in(10);
    u->late |= slow;
    for (size_t at = 0, n; at < upto; at += n) {
        n = upto - at < most ? upto - at : most;
        sim_pattern(PATTERN(u), false, at, piece, n);
        int length = chunked ? snprintf(head, sizeof(head), "%zx\r\n", n) : 0;
        if (!net_write(v->e, head, (size_t)length, sim_now() + PATIENCE) ||
            !net_write(v->e, piece, n, sim_now() + PATIENCE) ||
            (chunked && !net_write(v->e, "\r\n", 2, sim_now() + PATIENCE)))
            return false;
        if (slow)
            fiber_nap(sim_between(0, at < 20000 ? 50 * MS : 2 * MS));
    }
    return true;
}

static bool send_whole(struct visitor *v, struct upload_of *u)
{
    char head[512];
    bool chunked = sim_once_in(3), asks = u->bytes > 0 && sim_once_in(4), cuts = sim_once_in(20);
    const struct page *p = u->page;
    u->ended = !chunked; /* its length says when it is whole */
    size_t n =
        (size_t)snprintf(head, sizeof(head), "POST %s HTTP/1.1\r\nHost: %s\r\nX-Upload: %u\r\n%s", p->path,
                         p->site ? "b.test" : "a.test", u->id, asks ? "Expect: 100-continue\r\n" : "");
    n += (size_t)(chunked ? snprintf(head + n, sizeof(head) - n, "Transfer-Encoding: chunked\r\n\r\n")
                          : snprintf(head + n, sizeof(head) - n, "Content-Length: %zu\r\n\r\n", u->bytes));
    if (!net_write(v->e, head, n, sim_now() + PATIENCE) || (asks && !waits_for_word(v)))
        return false;
    size_t upto = cuts ? sim_below(u->bytes + 1) : u->bytes;
    if (!send_bytes(v, u, chunked, upto))
        return false;
    if (cuts) {
        u->late = true;
        u->broken = chunked && sim_once_in(2);
        return u->broken && net_write(v->e, "zz\r\n", 4, sim_now() + PATIENCE);
    }
    u->ended = true;
    return !chunked || net_write(v->e, "0\r\n\r\n", 5, sim_now() + PATIENCE);
}

static void judge_upload(struct visitor *v, const char *head, int status)
{
    char wanted[64];
    const struct upload_of *u = v->upload;
    (void)head;
    sim_note("visitor %u: upload %u: %d", v->index, u->id, status);
    if (status == 200 || status == 303) {
        snprintf(wanted, sizeof(wanted), "upload %u of %zu bytes", u->id, u->bytes);
        if (v->n != strlen(wanted) || memcmp(v->body, wanted, v->n) != 0)
            sim_fail("upload %u got another answer: %.*s", u->id, (int)(v->n < 60 ? v->n : 60), v->body);
        if (!u->answered)
            sim_fail("upload %u is answered, and no origin has done it", u->id);
        figures.uploaded++;
        /* The URL of a page with a query is one of many. */
        if (u->page->kind != PAGE_QUERY)
            model_invalidated(u->page, u->answered);
        if (u->other && u->other->kind != PAGE_QUERY)
            model_invalidated(u->other, u->answered);
    } else if (status != (u->broken ? 400 : 500) && status != (u->late ? 408 : 500) && status != 500 &&
               status != 502 && status != 503 && status != 504 && status != 417) {
        sim_fail("upload %u: status %d", u->id, status);
    }
}

bool upload_send(struct visitor *v)
{
    bool keeps = false;
    struct upload_of *u = new_upload(v->r.page);
    v->upload = u;
    figures.uploads++;
    u->page->uploads++;
    sim_note("visitor %u: upload %u to %s, %zu bytes", v->index, u->id, u->page->path, u->bytes);
    bool sent = send_whole(v, u);
    /* The answer may have come before the body's end: then the connection goes. */
    enum got got = sent || sim_once_in(2) ? take_answer(v, &keeps, judge_upload) : GOT_NOTHING;
    u->page->uploads--;
    model_disturb(u->page);
    if (u->other)
        model_disturb(u->other);
    return sent && got == GOT_WHOLE && keeps;
}

/* ---- the origin ---- */

/* The next bytes of the body are what was sent. */
static void check_piece(const struct upload_of *u, const char *bytes, size_t n, size_t at)
{
    if (at + n > u->bytes)
        sim_fail("upload %u: an origin gets more than was sent", u->id);
    size_t differs = sim_pattern_differs(PATTERN(u), false, at, bytes, n);
    if (differs < n)
        sim_fail("upload %u: an origin gets another byte %zu than was sent", u->id, at + differs);
}

/* false: the connection ends first. */
static bool read_more(struct net_end *e, struct incoming *in)
{
    int64_t got = net_read(e, in->bytes + in->n, sizeof(in->bytes) - in->n, sim_now() + PATIENCE);
    if (got > 0)
        in->n += (size_t)got;
    return got > 0;
}

static void drop(struct incoming *in, size_t n)
{
    in->n -= n;
    memmove(in->bytes, in->bytes + n, in->n);
}

static bool take_piece(struct net_end *e, struct incoming *in, const struct upload_of *u, size_t n,
                       size_t *at)
{
    while (n > 0) {
        if (in->n == 0 && !read_more(e, in))
            return false;
        size_t some = in->n < n ? in->n : n;
        check_piece(u, in->bytes, some, *at);
        drop(in, some);
        *at += some;
        n -= some;
    }
    return true;
}

static bool take_chunk_head(struct net_end *e, struct incoming *in, size_t *n)
{
    char *end;
    while (!(end = memmem(in->bytes, in->n, "\r\n", 2)))
        if (!read_more(e, in))
            return false;
    *n = strtoul(in->bytes, NULL, 16);
    drop(in, (size_t)(end - in->bytes) + 2);
    return true;
}

static bool take_end_of_chunk(struct net_end *e, struct incoming *in)
{
    while (in->n < 2)
        if (!read_more(e, in))
            return false;
    drop(in, 2);
    return true;
}

/* true: by its framing the body is whole. */
static bool take_body(struct net_end *e, struct incoming *in, const struct upload_of *u, const char *head,
                      size_t *at)
{
    char value[64];
    bool slow = sim_once_in(20);
    const char *length = head_field(head, "Content-Length", value, sizeof(value));
    if (length) {
        if (strtoul(length, NULL, 10) != u->bytes)
            sim_fail("upload %u: an origin is told of another length: %s", u->id, length);
        return take_piece(e, in, u, u->bytes, at);
    }
    for (size_t n;;) {
        if (!take_chunk_head(e, in, &n) || !take_piece(e, in, u, n, at) || !take_end_of_chunk(e, in))
            return false;
        if (n == 0)
            return true;
        if (slow)
            fiber_nap(sim_between(0, 10 * MS));
    }
}

static bool say(struct net_end *e, const char *text)
{
    return net_write(e, text, strlen(text), sim_now() + PATIENCE);
}

static void edit(struct upload_of *u)
{
    u->page->version++;
    if (sim_once_in(3)) { /* of the same site */
        u->other = &pages[(u->page->id + SITES * (1 + sim_below(20))) % PAGES];
        u->other->version++;
    }
}

static bool answer(struct net_end *e, struct upload_of *u)
{
    char body[64], out[512], location[64] = "";
    bool fails = sim_once_in(12);
    fiber_nap(sim_between(50, 20 * MS));
    if (!fails)
        edit(u);
    if (u->other)
        snprintf(location, sizeof(location), "Location: %s\r\n", u->other->path);
    int length = snprintf(body, sizeof(body), "upload %u of %zu bytes", u->id, u->bytes);
    snprintf(out, sizeof(out), "HTTP/1.1 %s\r\n%sContent-Length: %d\r\n\r\n%s",
             fails      ? "500 No"
             : u->other ? "303 See Other"
                        : "200 OK",
             location, length, body);
    u->answered = fails ? 0 : sim_now();
    sim_note("origin: upload %u is %s", u->id, fails ? "refused" : "done");
    model_disturb(u->page);
    return say(e, out);
}

static bool serve(struct net_end *e, struct incoming *in, const char *head, struct upload_of *u)
{
    char value[64];
    size_t at = 0;
    if (head_field(head, "Expect", value, sizeof(value))) {
        fiber_nap(sim_between(50, sim_once_in(10) ? 3 * SECOND : 5 * MS));
        if (sim_once_in(8)) {
            say(e, "HTTP/1.1 417 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            return false;
        }
        if (!sim_once_in(4) && !say(e, "HTTP/1.1 100 Continue\r\n\r\n"))
            return false;
    }
    if (!take_body(e, in, u, head, &at))
        return false;
    if (!u->ended || at != u->bytes)
        sim_fail("upload %u: an origin gets %zu bytes as a whole, of %zu%s", u->id, at, u->bytes,
                 u->ended ? "" : " that were not all sent");
    return answer(e, u);
}

bool upload_serve(struct net_end *e, struct incoming *in, const char *head)
{
    char value[64];
    const char *number = head_field(head, "X-Upload", value, sizeof(value));
    unsigned id = number ? (unsigned)strtoul(number, NULL, 10) : 0;
    if (id == 0 || id > uploads_n)
        sim_fail("an origin gets an upload that nobody has sent: %.100s", head);
    struct upload_of *u = uploads[id - 1];
    if (u->reached)
        sim_fail("upload %u comes to an origin a second time", u->id);
    u->reached = true;
    u->page->uploads++;
    sim_note("origin: upload %u", u->id);
    bool keeps = serve(e, in, head, u);
    u->page->uploads--;
    model_disturb(u->page);
    return keeps;
}
