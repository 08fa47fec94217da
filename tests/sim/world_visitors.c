/* Visitors: they ask, wait for an answer or the connection's end, and have the model look at it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "sim_net.h"
#include "world_visitor.h"

#define VISITORS 64

static unsigned visitors_n, requests_n;
static unsigned hot_page; /* herds come to it */

/* ---- one answer ---- */

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

static unsigned etag_of(const char *head, char *value, size_t most)
{
    const char *etag = head_field(head, "ETag", value, most);
    const char *at = etag ? strstr(etag, "\"f") : NULL;
    return at ? (unsigned)strtoul(at + 2, NULL, 10) : 0;
}

/* The next time that he asks for the page, he has it. */
static void remember(struct visitor *v, const char *head)
{
    char value[128];
    unsigned id = etag_of(head, value, sizeof(value));
    if (!id || v->r.page->kind == PAGE_QUERY || strlen(value) >= sizeof(v->has.etag))
        return;
    v->has.page = v->r.page;
    v->has.variant = v->r.variant;
    v->has.fetch = id;
    strcpy(v->has.etag, value);
}

static void judge_200(struct visitor *v, const char *head, const char *how)
{
    char value[64];
    const char *coding = head_field(head, "Content-Encoding", value, sizeof(value));
    figures.answers++;
    figures.coded += coding != NULL;
    if (coding)
        decode_body(v, coding);
    model_check(&v->r, v->body, v->n, how);
    remember(v, head);
}

static void judge(struct visitor *v, const char *head, int status)
{
    char value[256], tag[128];
    const char *cache = head_field(head, "Cache-Status", value, sizeof(value));
    const char *how = cache ? cache : "";
    bool is_hit = strstr(how, "; hit") != NULL;
    figures.hits += is_hit;
    figures.stale += is_hit && strstr(cache, "ttl=-") != NULL;
    sim_note("visitor %u: request %u: %d, %zu bytes (%s)", v->index, v->r.number, status, v->n, how);
    if (status == 200) {
        judge_200(v, head, how);
    } else if (status == 206) {
        parts_judge(v, head, how);
    } else if (status == 304) {
        figures.not_modified++;
        model_check_304(&v->r, etag_of(head, tag, sizeof(tag)), how);
    } else if (status == 502 || status == 503 || status == 504) {
        figures.errors++;
    } else if (status != 416 || v->r.range_first < LEAST_BYTES) {
        sim_fail("request %u for %s: status %d", v->r.number, v->r.page->path, status);
    }
}

/* What comes before the answer itself is skipped. false: it does not come. */
static bool take_head(struct visitor *v, char *head, size_t most)
{
    do {
        int64_t n = incoming_head(v->e, &v->in, head, most, sim_now() + PATIENCE);
        if (n == NET_LATE)
            sim_fail("request %u for %s: no answer, and the connection is open", v->r.number,
                     v->r.page->path);
        if (n <= 0)
            return false;
    } while (atoi(head + 9) / 100 == 1 && atoi(head + 9) != 101);
    return true;
}

enum got take_answer(struct visitor *v, bool *keeps, void (*judges)(struct visitor *, const char *, int))
{
    char head[4096], value[64], coding[64], connection[64];
    *keeps = false;
    v->n = 0;
    if (!take_head(v, head, sizeof(head)))
        return GOT_NOTHING;
    int status = atoi(head + 9);
    model_sees(etag_of(head, value, sizeof(value)));
    const char *length = head_field(head, "Content-Length", value, sizeof(value));
    size_t bytes = length ? strtoul(length, NULL, 10) : 0;
    bool whole =
        status == 101 || status == 204 || status == 304 ||
        (length                                                                  ? take_bytes(v, bytes, true)
         : head_field(head, "Transfer-Encoding", coding, sizeof(coding)) != NULL ? take_chunks(v)
                                                                                 : take_until_end(v));
    const char *end = head_field(head, "Connection", connection, sizeof(connection));
    *keeps = whole && !(end && strcasecmp(end, "close") == 0);
    if (whole)
        judges(v, head, status);
    return whole ? GOT_WHOLE : GOT_CUT;
}

/* ---- one request ---- */

/* `has`: a page that he got, or NULL. */
static void choose(struct request *r, struct page *has)
{
    uint64_t dice = sim_below(8);
    unsigned id = dice < 2 ? hot_page : dice < 6 ? (unsigned)sim_below(24) : (unsigned)sim_below(PAGES);
    r->number = ++requests_n;
    r->page = has && sim_once_in(8) ? has : &pages[id];
    r->variant = (struct variant){ .lang = (unsigned char)sim_below(3),
                                   .ab = (unsigned char)sim_below(3),
                                   .q = (unsigned char)sim_below(3) };
    /* What is private is so also for who does not say who he is. */
    if ((r->page->kind == PAGE_PRIVATE || r->page->kind == PAGE_MIXED) && sim_once_in(2))
        r->variant.user = (unsigned char)(1 + sim_below(4));
    static const unsigned takes[] = { 0, 0, TAKES_GZIP, TAKES_GZIP | TAKES_BR,
                                      TAKES_GZIP | TAKES_BR | TAKES_ZSTD };
    r->codings = takes[sim_below(COUNT_OF(takes))];
}

/* Asks for a part, or whether what he has is still good; or both. */
static void choose_conditions(struct visitor *v)
{
    struct request *r = &v->r;
    r->if_none_match = r->if_range = 0;
    r->range_first = r->range_last = 0;
    r->several = false;
    bool has_it = v->has.fetch && v->has.page == r->page &&
                  memcmp(&v->has.variant, &r->variant, sizeof(r->variant)) == 0;
    if (sim_once_in(12)) {
        r->range_first = 1 + sim_below(sim_once_in(3) ? 600000 : LEAST_BYTES);
        r->range_last = sim_once_in(3) ? SIZE_MAX : r->range_first + sim_below(sim_once_in(2) ? 400000 : 50);
        r->several = sim_once_in(4);
        r->if_range = has_it ? v->has.fetch : 0;
    } else if (has_it) {
        r->if_none_match = v->has.fetch;
    }
}

static size_t write_conditions(const struct visitor *v, char *out, size_t most)
{
    static const char *const texts[] = {
        [0] = "",
        [TAKES_GZIP] = "Accept-Encoding: gzip\r\n",
        [TAKES_GZIP | TAKES_BR] = "Accept-Encoding: gzip, deflate, br\r\n",
        [TAKES_GZIP | TAKES_BR | TAKES_ZSTD] = "Accept-Encoding: gzip;q=0.8, br;q=0.9, zstd\r\n",
    };
    const struct request *r = &v->r;
    size_t n = (size_t)snprintf(out, most, "%s", texts[r->codings]);
    if (r->range_last) {
        n += (size_t)snprintf(out + n, most - n, "Range: bytes=%s%zu-", r->several ? "0-0," : "",
                              r->range_first);
        n += r->range_last == SIZE_MAX ? 0 : (size_t)snprintf(out + n, most - n, "%zu", r->range_last);
        n += (size_t)snprintf(out + n, most - n, "\r\n");
    }
    if (r->if_range)
        n += (size_t)snprintf(out + n, most - n, "If-Range: %s\r\n", v->has.etag);
    if (r->if_none_match)
        n += (size_t)snprintf(out + n, most - n, "If-None-Match: %s\r\n", v->has.etag);
    return n;
}

static size_t write_head(const struct visitor *v, char *out, size_t most)
{
    const struct request *r = &v->r;
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
    n += write_conditions(v, out + n, most - n);
    return n + (size_t)snprintf(out + n, most - n, "\r\n");
}

/* false: the connection is to be closed. */
static bool ask(struct visitor *v)
{
    char head[1024];
    bool keeps;
    choose(&v->r, v->has.page);
    v->r.sent = sim_now();
    figures.requests++;
    if (sim_once_in(60))
        return upload_send(v);
    if (sim_once_in(400))
        return talk_begin(v);
    choose_conditions(v);
    size_t n = write_head(v, head, sizeof(head));
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
    enum got got = take_answer(v, &keeps, judge);
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
