/* The origins of two sites. An answer names its page, variant and fetch; some are late, cut, or errors. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "sim_net.h"
#include "world.h"

#define PIECE_MOST 8192

#define PORTS (SITES + 2)

/* Site a, site b by two addresses, and the other one of site a. */
static struct net_port ports[PORTS];
static const char *const addresses[PORTS] = { "10.0.0.2:80", "10.0.0.3:80", "10.0.0.4:80", "10.0.0.5:80" };
static bool is_down[PORTS];

struct address world_address(const char *text)
{
    struct address a;
    CHECK(address_parse(str_from(text), &a));
    return a;
}

/* ---- heads ---- */

int64_t incoming_head(struct net_end *e, struct incoming *in, char *head, size_t most, int64_t until)
{
    for (;;) {
        char *end = memmem(in->bytes, in->n, "\r\n\r\n", 4);
        if (end) {
            size_t n = (size_t)(end - in->bytes) + 4;
            CHECK(n < most);
            memcpy(head, in->bytes, n);
            head[n] = '\0';
            in->n -= n;
            memmove(in->bytes, in->bytes + n, in->n);
            return (int64_t)n;
        }
        CHECK(in->n < sizeof(in->bytes));
        int64_t got = net_read(e, in->bytes + in->n, sizeof(in->bytes) - in->n, until);
        if (got <= 0)
            return got;
        in->n += (size_t)got;
    }
}

const char *head_field(const char *head, const char *name, char *out, size_t most)
{
    size_t n = strlen(name);
    for (const char *line = head; (line = strchr(line, '\n')) != NULL;) {
        line++;
        if (strncasecmp(line, name, n) != 0 || line[n] != ':')
            continue;
        const char *value = line + n + 1 + strspn(line + n + 1, " ");
        size_t length = strcspn(value, "\r\n");
        snprintf(out, most, "%.*s", (int)length, value);
        return out;
    }
    return NULL;
}

/* ---- what was asked for ---- */

static unsigned number_behind(const char *text, const char *what)
{
    const char *at = text ? strstr(text, what) : NULL;
    return at ? (unsigned)strtoul(at + strlen(what), NULL, 10) : 0;
}

static struct page *page_of(const char *head, struct variant *v, bool *is_shared)
{
    char path[256], value[512];
    unsigned folder = 0, id = 0;
    if (sscanf(head, "GET %255s", path) != 1 || sscanf(path, "/d%u/p%u", &folder, &id) != 2 || id >= PAGES)
        return NULL;
    const char *language = head_field(head, "Accept-Language", value, sizeof(value));
    v->lang = (unsigned char)number_behind(language, "x-l");
    const char *cookie = head_field(head, "Cookie", value, sizeof(value));
    v->ab = (unsigned char)number_behind(cookie, "ab=");
    *is_shared =
        !strstr(path, "other=") && (!cookie || (pages[id].kind == PAGE_COOKIE && !strstr(cookie, "theme=")));
    const char *authorization = head_field(head, "Authorization", value, sizeof(value));
    v->user = (unsigned char)number_behind(authorization, "Bearer u");
    v->q = (unsigned char)number_behind(path, "q=");
    return &pages[id];
}

/* ---- answers ---- */

struct answering {
    struct net_end *e;
    struct page *page;
    struct variant v;
    struct fetch *f;
    bool chunked, closes, is_shared;
};

static void choose_windows(struct fetch *f)
{
    const struct page *p = f->page;
    bool is_long = p->kind == PAGE_YEAR || p->kind == PAGE_NO_CACHE;
    f->max_age = is_long ? 365 * 86400 * SECOND : sim_between(1, 12) * SECOND;
    int64_t swr = sim_once_in(3) ? 3600 : sim_once_in(2) ? sim_between(20, 60) : sim_between(1, 5);
    f->swr = p->kind == PAGE_SWR ? swr * SECOND : 0;
    f->sie = p->kind == PAGE_SIE ? sim_between(2, 20) * SECOND : 0;
}

static size_t put_fields(const struct answering *a, char *out, size_t most)
{
    const struct page *p = a->page;
    const struct fetch *f = a->f;
    size_t n = 0;
    n += (size_t)snprintf(out + n, most - n,
                          "Content-Type: text/html\r\nCache-Tag: t%u, g%u\r\nETag: \"f%u\"\r\n", p->id,
                          p->group, f->id);
    if (p->kind == PAGE_NO_STORE)
        n += (size_t)snprintf(out + n, most - n, "Cache-Control: no-store\r\n");
    else if (!model_is_public(p, a->v))
        n += (size_t)snprintf(out + n, most - n, "Cache-Control: private, max-age=%lld\r\n",
                              (long long)(f->max_age / SECOND));
    else
        n += (size_t)snprintf(out + n, most - n, "CDN-Cache-Control: public, max-age=%lld",
                              (long long)(f->max_age / SECOND));
    if (p->kind == PAGE_NO_CACHE)
        n += (size_t)snprintf(out + n, most - n, ", no-cache");
    if (f->swr && !f->is_single)
        n += (size_t)snprintf(out + n, most - n, ", stale-while-revalidate=%lld",
                              (long long)(f->swr / SECOND));
    if (f->sie && !f->is_single)
        n += (size_t)snprintf(out + n, most - n, ", stale-if-error=%lld", (long long)(f->sie / SECOND));
    n += (size_t)snprintf(out + n, most - n, "\r\n");
    if (out[n - 3] == '\n')
        n -= 2; /* the line was complete */
    if (p->kind == PAGE_LANG)
        n += (size_t)snprintf(out + n, most - n, "Vary: Accept-Language\r\n");
    if (p->kind == PAGE_COOKIE)
        n += (size_t)snprintf(out + n, most - n, "Netlify-Vary: cookie=ab\r\n");
    if (p->kind == PAGE_QUERY)
        n += (size_t)snprintf(out + n, most - n, "Netlify-Vary: query=q\r\n");
    if (p->kind == PAGE_MIXED)
        n += (size_t)snprintf(out + n, most - n, "Vary: Authorization\r\n");
    if (a->closes)
        n += (size_t)snprintf(out + n, most - n, "Connection: close\r\n");
    return n;
}

static bool send_all(struct net_end *e, const char *bytes, size_t n)
{
    return net_write(e, bytes, n, sim_now() + 60 * SECOND);
}

/* In pieces, as chunks or not. From `at` on; `upto`: where it is cut. */
static bool send_body(struct answering *a, size_t at, size_t upto)
{
    char head[32];
    size_t most = sim_once_in(6) ? 1 + sim_below(300) : PIECE_MOST;
    bool slow = sim_once_in(12), crawls = a->page->kind == PAGE_NO_CACHE && sim_once_in(8);
    if (upto - at > 100000)
        most = PIECE_MOST;
    else if (crawls)
        most = 1 + (upto - at) / 8;
    else if (slow && most < (upto - at) / 200)
        most = (upto - at) / 200; /* who wants its end does not wait for ever */
    for (size_t n; at < upto; at += n) {
        n = upto - at < most ? upto - at : most;
        char *mine = malloc(n);
        model_body(a->f, at, mine, n);
        int length = a->chunked ? snprintf(head, sizeof(head), "%zx\r\n", n) : 0;
        bool sent = send_all(a->e, head, (size_t)length) && send_all(a->e, mine, n) &&
                    (!a->chunked || send_all(a->e, "\r\n", 2));
        free(mine);
        if (!sent)
            return false;
        if (slow || crawls)
            fiber_nap(sim_between(0, crawls ? 3 * SECOND : 200 * MS));
    }
    return true;
}

/* Some pages of a year's lifetime are now and then longer than a record on disk, and are sent from there. */
static size_t choose_bytes(const struct page *p)
{
    if (p->kind == PAGE_YEAR && p->id % 44 == 28 && sim_once_in(4))
        return 1100000 + sim_below(400000);
    if (sim_once_in(1000))
        return 270000 + sim_below(500000);
    if (sim_once_in(100))
        return 100 + sim_below(200000);
    return 100 + sim_below(sim_once_in(6) ? 20000 : 1500);
}

/* The latest fetch for everybody that the request has, when nothing was edited since. */
static struct fetch *still_good(const char *head, const struct page *p, struct variant v)
{
    char value[128];
    const char *etag = head_field(head, "If-None-Match", value, sizeof(value));
    struct fetch *f = model_find(number_behind(etag, "\"f"));
    struct variant wanted = model_variant(p, v);
    bool same = f && f->page == p && f->version == p->version && !f->is_single &&
                memcmp(&f->variant, &wanted, sizeof(wanted)) == 0;
    return same && f->answered != INT64_MAX ? f : NULL;
}

static bool send_304(struct answering *a, int64_t received)
{
    char out[1024];
    size_t n = (size_t)snprintf(out, sizeof(out), "HTTP/1.1 304 Not Modified\r\n");
    /* With the windows of before: who did not get this 304 has the same. */
    n += put_fields(a, out + n, sizeof(out) - n);
    n += (size_t)snprintf(out + n, sizeof(out) - n, "\r\n");
    model_affirms(a->f, received);
    figures.revalidated++;
    sim_note("origin: 304 for fetch %u of %s", a->f->id, a->page->path);
    return send_all(a->e, out, n) && !a->closes;
}

static bool send_200(struct answering *a)
{
    char out[1024];
    size_t n = (size_t)snprintf(out, sizeof(out), "HTTP/1.1 200 OK\r\n"), upto = a->f->bytes;
    n += put_fields(a, out + n, sizeof(out) - n);
    n +=
        (size_t)(a->chunked ? snprintf(out + n, sizeof(out) - n, "Transfer-Encoding: chunked\r\n\r\n")
                            : snprintf(out + n, sizeof(out) - n, "Content-Length: %zu\r\n\r\n", a->f->bytes));
    if (sim_once_in(40)) {
        a->f->is_cut = true;
        upto = sim_below(a->f->bytes);
    }
    model_answers(a->f);
    sim_note("origin: fetch %u of %s: head, version %u, %zu bytes%s", a->f->id, a->page->path, a->f->version,
             a->f->bytes, a->f->is_cut ? ", will be cut" : "");
    bool whole = send_all(a->e, out, n) && send_body(a, 0, upto) && !a->f->is_cut &&
                 (!a->chunked || send_all(a->e, "0\r\n\r\n", 5));
    a->f->is_cut |= !whole;
    a->f->is_active = false;
    if (!whole) {
        model_failed(a->page->site);
        model_disturb(a->page);
    }
    return whole && !a->closes;
}

/* ---- a part ---- */

/* The latest fetch of each page and variant of which a part was sent. */
static struct fetch *parted[PAGES];

/* What a part was asked for of: the page as it is now. */
static struct fetch *fetch_for_part(const struct answering *a)
{
    struct fetch *f = parted[a->page->id];
    struct variant wanted = model_variant(a->page, a->v);
    if (f && !f->is_single && f->version == a->page->version &&
        memcmp(&f->variant, &wanted, sizeof(wanted)) == 0)
        return f;
    f = model_fetch(a->page, a->v, choose_bytes(a->page), false);
    choose_windows(f);
    f->is_active = false;
    parted[a->page->id] = f;
    return f;
}

/* The range that the head asks for, if it is one that this origin answers. */
static bool has_range(const char *head, size_t *first, size_t *last)
{
    char value[128], etag[64];
    const char *range = head_field(head, "Range", value, sizeof(value));
    *last = SIZE_MAX;
    return range && !strchr(range, ',') && !head_field(head, "If-Range", etag, sizeof(etag)) &&
           sscanf(range, "bytes=%zu-%zu", first, last) >= 1;
}

static bool send_206(struct answering *a, int64_t received, size_t first, size_t last)
{
    char out[1024];
    struct fetch *f = a->f;
    bool is_new = f->answered == INT64_MAX;
    size_t n = (size_t)snprintf(out, sizeof(out), "HTTP/1.1 206 Partial Content\r\n"), upto;
    last = last < f->bytes ? last : f->bytes - 1;
    upto = last + 1;
    n += put_fields(a, out + n, sizeof(out) - n);
    n += (size_t)snprintf(out + n, sizeof(out) - n,
                          "Content-Range: bytes %zu-%zu/%zu\r\nContent-Length: %zu\r\n\r\n", first, last,
                          f->bytes, last - first + 1);
    if (sim_once_in(20))
        upto = first + sim_below(last - first + 1);
    a->chunked = false;
    if (is_new)
        model_answers(f);
    model_affirms(f, received);
    model_disturb(a->page); /* those who waited for the whole go on their own */
    sim_note("origin: fetch %u of %s: %zu to %zu of %zu bytes%s", f->id, a->page->path, first, last, f->bytes,
             upto <= last ? ", will be cut" : "");
    bool whole = send_all(a->e, out, n) && send_body(a, first, upto) && upto == last + 1;
    if (!whole) {
        model_failed(a->page->site);
        model_disturb(a->page);
    }
    return whole && !a->closes;
}

static bool send_error(struct answering *a)
{
    static const char text[] = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 5\r\nCache-Control: "
                               "no-store\r\n\r\nbusy\n";
    model_failed(a->page->site);
    model_disturb(a->page);
    sim_note("origin: 503 for %s", a->page->path);
    return send_all(a->e, text, sizeof(text) - 1);
}

static void be_late(struct page *p)
{
    if (sim_once_in(800)) {
        model_failed(p->site);
        model_disturb(p);
        fiber_nap(sim_between(SECOND, 12 * SECOND)); /* beyond the time-outs */
        model_failed(p->site);
        return;
    }
    fiber_nap(sim_once_in(20) ? sim_between(5 * MS, 800 * MS) : sim_between(50, 5 * MS));
}

/* As an origin may, it answers with a part, or with all of it. */
static bool answers_part(struct answering *a, const char *head, int64_t received, bool *keeps)
{
    size_t first, last;
    if (!has_range(head, &first, &last) || sim_once_in(3))
        return false;
    be_late(a->page);
    a->f = fetch_for_part(a);
    a->f->version = a->page->version;
    if (first >= a->f->bytes || last < first)
        return false;
    *keeps = send_206(a, received, first, last);
    return true;
}

/* false: the connection ends. */
static bool answer(struct net_end *e, struct incoming *in, const char *head)
{
    char value[128];
    if (strncmp(head, "POST ", 5) == 0)
        return upload_serve(e, in, head);
    if (strncmp(head, "GET /talk ", 10) == 0) {
        talk_serve(e, in, head);
        return false;
    }
    struct answering a = { .e = e, .chunked = sim_once_in(3), .closes = sim_once_in(30) };
    int64_t received = sim_now();
    if (strncmp(head, "GET /up ", 8) == 0) {
        static const char up[] = "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n";
        fiber_nap(sim_between(50, sim_once_in(20) ? 2 * SECOND : 5 * MS));
        net_write(e, up, sizeof(up) - 1, sim_now() + 60 * SECOND);
        return false;
    }
    a.page = page_of(head, &a.v, &a.is_shared);
    if (!a.page)
        sim_fail("an origin got a strange request: %.100s", head);
    figures.fetches++;
    bool keeps;
    if (answers_part(&a, head, received, &keeps))
        return keeps;
    a.is_shared &= !head_field(head, "Range", value, sizeof(value));
    struct fetch *good = still_good(head, a.page, a.v);
    if (good && !sim_once_in(20)) {
        a.f = good;
        be_late(a.page);
        /* It may have been edited meanwhile: as a real origin does, it looks when it answers. */
        if (good->version == a.page->version)
            return send_304(&a, received);
    }
    a.f = model_fetch(a.page, a.v, choose_bytes(a.page), a.is_shared);
    a.f->received = received;
    choose_windows(a.f);
    sim_note("origin: fetch %u of %s (l%u c%u q%u u%u)", a.f->id, a.page->path, a.v.lang, a.v.ab, a.v.q,
             a.v.user);
    be_late(a.page);
    a.f->version = a.page->version;
    if (!sim_once_in(60))
        return send_200(&a);
    a.f->is_active = false;
    return send_error(&a);
}

static void *serve(void *arg)
{
    struct net_end *e = arg;
    struct incoming *in = calloc(1, sizeof(*in));
    char *head = calloc(1, 16384);
    int64_t idle = sim_between(3, 9) * SECOND;
    while (incoming_head(e, in, head, 16384, sim_now() + idle) > 0 && answer(e, in, head))
        ;
    bool may_reset = strncmp(head, "GET /talk ", 10) != 0; /* that would take back what was said */
    free(head);
    free(in);
    if (!may_reset || sim_once_in(2))
        net_close(e);
    else
        net_reset(e);
    return NULL;
}

static void arrived(struct net_port *p, struct net_end *e)
{
    (void)p;
    fiber_start("origin", serve, e, false);
}

void origins_start(void)
{
    for (size_t i = 0; i < COUNT_OF(ports); i++) {
        struct address a = world_address(addresses[i]);
        ports[i].arrived = arrived;
        net_listen(&ports[i], &a, false);
    }
}

void origins_down(unsigned site, bool other, bool down)
{
    unsigned port = other ? PORTS - 1 : site;
    if (is_down[port] == down)
        return;
    is_down[port] = down;
    struct address a = world_address(addresses[port]);
    model_failed(site);
    model_disturb_all(sim_now());
    if (down)
        net_unlisten(&ports[port]);
    else
        net_listen(&ports[port], &a, false);
}

/* ---- what the network and the names do to who connects ---- */

int64_t sim_connect_takes(const struct address *to, int *status)
{
    unsigned site = address_is_same(to, &ports[0].at) || address_is_same(to, &ports[PORTS - 1].at) ? 0 : 1;
    *status = 0;
    if (sim_once_in(300)) { /* packets are lost, for longer than anybody waits */
        model_failed(site);
        *status = UV_ETIMEDOUT;
        return 100 * SECOND;
    }
    if (!net_port_at(to))
        model_failed(site);
    return sim_between(50, sim_once_in(20) ? 300 * MS : MS);
}

int sim_resolve(const char *name, struct address *out, size_t most, int64_t *after_us)
{
    CHECK(strcmp(name, "origin-b.test") == 0 && most >= 2);
    *after_us = sim_between(MS, sim_once_in(30) ? 3 * SECOND : 30 * MS);
    if (sim_once_in(25)) {
        model_failed(1);
        return UV_EAI_AGAIN;
    }
    out[0] = world_address("10.0.0.3:0");
    out[1] = world_address("10.0.0.4:0");
    return sim_once_in(2) ? 1 : 2;
}
