/* Who edits pages and purges them by the admin's API, and a purge counts from its acknowledgement on; and who
 * edits pages and purges nothing: what is stored goes on as long as it may. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim_net.h"
#include "world.h"

#define EDITORS  2
#define PATIENCE (90 * SECOND)

static size_t write_body(const struct purging *x, char *out, size_t most)
{
    const char *site = x->site ? "b" : "a";
    int n = 0;
    switch (x->of) {
    case PURGE_TAG:
        n = snprintf(out, most, "{\"site_id\": \"%s\", \"cache_tags\": [\"t%u\"]", site, x->which);
        break;
    case PURGE_GROUP:
        n = snprintf(out, most, "{\"site_id\": \"%s\", \"cache_tags\": [\"g%u\"]", site, x->which);
        break;
    case PURGE_URL:
        n = snprintf(out, most, "{\"urls\": [\"http://%s.test%s\"]", site, pages[x->which].path);
        break;
    case PURGE_FOLDER:
        n = snprintf(out, most, "{\"prefixes\": [\"http://%s.test/d%u\"]", site, x->which);
        break;
    case PURGE_SITE: n = snprintf(out, most, "{\"site_id\": \"%s\"", site); break;
    }
    return (size_t)n + (size_t)snprintf(out + n, most - (size_t)n, "%s}", x->soft ? ", \"soft\": true" : "");
}

static void choose(struct purging *x)
{
    uint64_t dice = sim_below(20);
    unsigned page = dice % 2 ? (unsigned)sim_below(24) : (unsigned)sim_below(PAGES);
    *x = (struct purging){ .site = pages[page].site, .soft = sim_once_in(5) };
    if (dice < 11) {
        x->of = PURGE_TAG;
        x->which = page;
    } else if (dice < 14) {
        x->of = PURGE_GROUP;
        x->which = pages[page].group;
    } else if (dice < 16) {
        x->of = PURGE_FOLDER;
        x->which = pages[page].folder;
    } else if (dice < 19) {
        /* A URL of a page with a query is one of many, so that it says nothing of the others. */
        x->of = pages[page].kind == PAGE_QUERY ? PURGE_TAG : PURGE_URL;
        x->which = page;
    } else {
        x->of = PURGE_SITE;
    }
}

static void edit(const struct purging *x)
{
    for (unsigned i = 0; i < PAGES; i++)
        if (model_covers(x, &pages[i]))
            pages[i].version++;
}

/* Returns the status; 0: the connection went away. */
static int send_purge(struct net_end *e, const struct purging *x, bool *durable)
{
    char body[256], out[1024], value[64];
    struct incoming *in = calloc(1, sizeof(*in));
    char *head = malloc(16384);
    size_t n = write_body(x, body, sizeof(body));
    int length = snprintf(out, sizeof(out),
                          "POST /api/v1/purge HTTP/1.1\r\nHost: admin\r\nAuthorization: Bearer "
                          "a-token-of-the-simulation\r\nContent-Type: application/json\r\nContent-Length: "
                          "%zu\r\nConnection: close\r\n\r\n%s",
                          n, body);
    int status = 0;
    int64_t got = net_write(e, out, (size_t)length, sim_now() + PATIENCE)
                      ? incoming_head(e, in, head, 16384, sim_now() + PATIENCE)
                      : NET_RESET;
    if (got == NET_LATE)
        sim_fail("a purge is not answered: %s", body);
    if (got > 0) {
        status = atoi(head + 9);
        const char *bytes = head_field(head, "Content-Length", value, sizeof(value));
        size_t wanted = bytes ? strtoul(bytes, NULL, 10) : 0;
        while (in->n < wanted && (got = net_read(e, in->bytes + in->n, sizeof(in->bytes) - in->n - 1,
                                                 sim_now() + PATIENCE)) > 0)
            in->n += (size_t)got;
        in->bytes[in->n] = '\0';
        /* An answer that was cut says nothing of the disk; the purge is in force all the same. */
        *durable = in->n >= wanted && strstr(in->bytes, "\"durable\": true") != NULL;
        if (status != 202)
            sim_note("cms: %d %.100s for %s", status, in->bytes, body);
    }
    free(head);
    free(in);
    return status;
}

static void purge(void)
{
    struct purging x;
    bool durable = false;
    struct address self = world_address("10.2.0.1:5000"), to = world_address("10.0.0.1:81");
    choose(&x);
    edit(&x);
    struct net_end *e = net_connect(&self, &to);
    if (!e)
        return;
    x.sent = sim_now();
    model_purge_sent(&x);
    sim_note("cms: purge %d of %u, site %u%s: sent", (int)x.of, x.which, x.site, x.soft ? ", soft" : "");
    int status = send_purge(e, &x, &durable);
    net_close(e);
    if (status == 202) {
        figures.purges++;
        figures.durable += durable;
        model_purged(&x, durable);
    } else if (status != 0 && status != 503) {
        sim_fail("a purge is answered with %d", status);
    }
    model_purge_sent(&x); /* what it disturbs, it disturbs until now */
    sim_note("cms: purge %d of %u, site %u: %d%s", (int)x.of, x.which, x.site, status,
             durable ? ", durable" : "");
}

static void *work(void *arg)
{
    (void)arg;
    while (sim_now() < world.end) {
        int64_t usual = world.rare_purges ? 6 * SECOND : 400 * MS;
        fiber_nap(sim_between(20 * MS, sim_once_in(4) ? 3 * SECOND : usual));
        purge();
    }
    return NULL;
}

static void *write_pages(void *arg)
{
    (void)arg;
    while (sim_now() < world.end) {
        fiber_nap(sim_between(10 * MS, 300 * MS));
        pages[sim_once_in(2) ? sim_below(24) : sim_below(PAGES)].version++;
    }
    return NULL;
}

void cms_start(void)
{
    fiber_start("author", write_pages, NULL, false);
    for (int i = 0; i < EDITORS; i++)
        fiber_start("cms", work, NULL, false);
}
