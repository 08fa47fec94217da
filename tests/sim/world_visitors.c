/* Visitors: they ask, wait for an answer or the connection's end, and have the model look at it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "sim_net.h"
#include "world.h"

#define VISITORS 64
/* So long without a byte, no request is left in a program that works: its own time-outs are far shorter. */
#define PATIENCE  (90 * SECOND)
#define BODY_MOST (1 << 20)

struct visitor {
    unsigned index;
    struct net_end *e;
    struct incoming in;
    struct request r;
    char *body;
    size_t n;
    bool leaves, is_slow;
};

static unsigned visitors_n, requests_n;
static unsigned hot_page; /* herds come to it */

/* ---- one answer ---- */

enum got { GOT_WHOLE, GOT_CUT, GOT_NOTHING };

/* Moves bytes from what came into the body, up to n. */
static bool take_bytes(struct visitor *v, size_t n, bool keeps)
{
    while (n > 0) {
        size_t part = v->in.n < n ? v->in.n : n;
        if (part == 0) {
            if (v->is_slow)
                fiber_nap(sim_between(0, 300 * MS));
            int64_t got = net_read(v->e, v->in.bytes, sizeof(v->in.bytes), sim_now() + PATIENCE);
            if (got == NET_LATE)
                sim_fail("request %u for %s: its body stands, %zu bytes came", v->r.number, v->r.page->path,
                         v->n);
            if (got <= 0)
                return false;
            v->in.n = (size_t)got;
            continue;
        }
        if (keeps) {
            if (v->n + part > BODY_MOST)
                sim_fail("request %u for %s: more than any origin sends", v->r.number, v->r.page->path);
            memcpy(v->body + v->n, v->in.bytes, part);
            v->n += part;
        }
        v->in.n -= part;
        memmove(v->in.bytes, v->in.bytes + part, v->in.n);
        n -= part;
    }
    return true;
}

static bool take_line(struct visitor *v, char *out, size_t most)
{
    for (size_t n = 0; n + 1 < most;) {
        if (v->in.n == 0) {
            int64_t got = net_read(v->e, v->in.bytes, sizeof(v->in.bytes), sim_now() + PATIENCE);
            if (got == NET_LATE)
                sim_fail("request %u for %s: a chunk stands", v->r.number, v->r.page->path);
            if (got <= 0)
                return false;
            v->in.n = (size_t)got;
        }
        out[n++] = v->in.bytes[0];
        memmove(v->in.bytes, v->in.bytes + 1, --v->in.n);
        out[n] = '\0';
        if (n >= 2 && out[n - 2] == '\r' && out[n - 1] == '\n')
            return true;
    }
    return false;
}

static bool take_chunks(struct visitor *v)
{
    char line[64];
    for (;;) {
        if (!take_line(v, line, sizeof(line)))
            return false;
        size_t n = strtoul(line, NULL, 16);
        if (n > 0 && (!take_bytes(v, n, true) || !take_bytes(v, 2, false)))
            return false;
        if (n == 0)
            return take_line(v, line, sizeof(line));
    }
}

/* Without a length: it ends with the connection, and a cut shows as a reset. */
static bool take_until_end(struct visitor *v)
{
    while (take_bytes(v, 1, true))
        ;
    return v->e->in.fin_arrived && !v->e->in.reset_arrived;
}

static void judge(struct visitor *v, const char *head, int status)
{
    char value[256];
    const char *cache = head_field(head, "Cache-Status", value, sizeof(value));
    bool is_hit = cache && strstr(cache, "; hit") != NULL;
    figures.hits += is_hit;
    figures.stale += is_hit && strstr(cache, "ttl=-") != NULL;
    sim_note("visitor %u: request %u: %d, %zu bytes (%s)", v->index, v->r.number, status, v->n,
             cache ? cache : "");
    if (status == 200) {
        figures.answers++;
        model_check(&v->r, v->body, v->n, cache ? cache : "");
    } else if (status == 502 || status == 503 || status == 504) {
        figures.errors++;
    } else {
        sim_fail("request %u for %s: status %d", v->r.number, v->r.page->path, status);
    }
}

static enum got take_answer(struct visitor *v, bool *keeps)
{
    static char head[16384];
    char value[64];
    *keeps = false;
    int64_t n = incoming_head(v->e, &v->in, head, sizeof(head), sim_now() + PATIENCE);
    if (n == NET_LATE)
        sim_fail("request %u for %s: no answer, and the connection is open", v->r.number, v->r.page->path);
    if (n <= 0)
        return GOT_NOTHING;
    char *mine = strdup(head); /* others read theirs meanwhile */
    const char *length = head_field(mine, "Content-Length", value, sizeof(value));
    size_t bytes = length ? strtoul(length, NULL, 10) : 0;
    char coding[64], connection[64];
    v->n = 0;
    bool whole = length ? take_bytes(v, bytes, true)
                 : head_field(mine, "Transfer-Encoding", coding, sizeof(coding)) != NULL ? take_chunks(v)
                                                                                         : take_until_end(v);
    const char *end = head_field(mine, "Connection", connection, sizeof(connection));
    *keeps = whole && !(end && strcasecmp(end, "close") == 0);
    int status = atoi(mine + 9);
    if (whole)
        judge(v, mine, status);
    free(mine);
    return whole ? GOT_WHOLE : GOT_CUT;
}

/* ---- one request ---- */

static void choose(struct request *r)
{
    uint64_t dice = sim_below(8);
    unsigned id = dice < 2 ? hot_page : dice < 6 ? (unsigned)sim_below(24) : (unsigned)sim_below(PAGES);
    r->number = ++requests_n;
    r->page = &pages[id];
    r->variant = (struct variant){ .lang = (unsigned char)sim_below(3),
                                   .ab = (unsigned char)sim_below(3),
                                   .q = (unsigned char)sim_below(3) };
    /* What is private is so also for who does not say who he is. */
    if ((r->page->kind == PAGE_PRIVATE || r->page->kind == PAGE_MIXED) && sim_once_in(2))
        r->variant.user = (unsigned char)(1 + sim_below(4));
}

static size_t write_head(const struct request *r, char *out, size_t most)
{
    size_t n = (size_t)snprintf(out, most, "GET %s", r->page->path);
    const char *mark = "?";
    if (r->variant.q && r->page->kind == PAGE_QUERY) {
        n += (size_t)snprintf(out + n, most - n, "?q=%u", r->variant.q);
        mark = "&";
    }
    if (r->page->kind == PAGE_QUERY && r->number % 3 == 0)
        n += (size_t)snprintf(out + n, most - n, "%sother=%u", mark, r->number % 7);
    n +=
        (size_t)snprintf(out + n, most - n, " HTTP/1.1\r\nHost: %s\r\n", r->page->site ? "b.test" : "a.test");
    if (r->variant.lang)
        n += (size_t)snprintf(out + n, most - n, "Accept-Language: x-l%u\r\n", r->variant.lang);
    /* Cookies that the page does not know keep its answer from being stored, until its rule is known. */
    const char *other = r->number % 10 == 0 ? "theme=dark; " : "";
    if (r->variant.ab && (r->page->kind == PAGE_COOKIE || *other))
        n += (size_t)snprintf(out + n, most - n, "Cookie: %sab=%u\r\n", other, r->variant.ab);
    if (r->variant.user)
        n += (size_t)snprintf(out + n, most - n, "Authorization: Bearer u%u\r\n", r->variant.user);
    return n + (size_t)snprintf(out + n, most - n, "\r\n");
}

/* false: the connection is to be closed. */
static bool ask(struct visitor *v)
{
    char head[512];
    bool keeps;
    choose(&v->r);
    v->r.sent = sim_now();
    size_t n = write_head(&v->r, head, sizeof(head));
    figures.requests++;
    sim_note("visitor %u: request %u: %s l%u c%u q%u u%u", v->index, v->r.number, v->r.page->path,
             v->r.variant.lang, v->r.variant.ab, v->r.variant.q, v->r.variant.user);
    if (!net_write(v->e, head, n, sim_now() + PATIENCE))
        return false;
    if (sim_once_in(150)) { /* leaves, sooner or later */
        figures.aborted++;
        model_disturb(v->r.page);
        fiber_nap(sim_between(0, 20 * MS));
        model_disturb(v->r.page);
        return false;
    }
    enum got got = take_answer(v, &keeps);
    if (got != GOT_WHOLE) {
        figures.cut++;
        model_disturb(v->r.page);
        sim_note("visitor %u: request %u: %s", v->index, v->r.number, got == GOT_CUT ? "cut" : "closed");
    }
    return got == GOT_WHOLE && keeps;
}

static void visit(struct visitor *v)
{
    char from[40];
    snprintf(from, sizeof(from), "10.1.0.%u:%u", v->index + 1, 1024 + (unsigned)sim_below(60000));
    struct address self = world_address(from), to = world_address("10.0.0.1:80");
    v->e = net_connect(&self, &to);
    v->in.n = 0;
    if (!v->e) {
        fiber_nap(sim_between(5 * MS, 100 * MS));
        return;
    }
    v->is_slow = sim_once_in(60);
    for (uint64_t i = 1 + sim_below(80); i > 0 && sim_now() < world.end && ask(v); i--)
        if (!sim_once_in(3))
            fiber_nap(sim_between(0, sim_once_in(30) ? 2 * SECOND : 20 * MS));
    net_close(v->e);
}

static void *live(void *arg)
{
    struct visitor v = { .index = (unsigned)(uintptr_t)arg };
    v.body = malloc(BODY_MOST);
    while (sim_now() < world.end)
        visit(&v);
    free(v.body);
    visitors_n--;
    return NULL;
}

static void *lead_herds(void *arg)
{
    (void)arg;
    while (sim_now() < world.end) {
        hot_page = (unsigned)sim_below(PAGES);
        fiber_nap(sim_between(20 * MS, 3 * SECOND));
    }
    visitors_n--;
    return NULL;
}

void visitors_start(void)
{
    for (unsigned i = 0; i < VISITORS; i++, visitors_n++)
        fiber_start("visitor", live, (void *)(uintptr_t)i, false);
    fiber_start("herds", lead_herds, NULL, false);
    visitors_n++;
}

bool visitors_are_there(void)
{
    return visitors_n > 0;
}
