#include "server/handshake.h"

#include "base/check.h"
#include "base/mem.h"
#include "tls/alpn_proof.h"

struct handshake {
    struct handshakes *of;
    struct link link;
    struct stream *stream;
    struct address peer;
    int64_t begun_ms;
    bool is_proof; /* of tls-alpn-01: it is done, and ends */
};

static void end(struct handshake *k)
{
    struct handshakes *h = k->of;
    link_remove(&k->link);
    h->n--;
    count_add(h->counters, COUNTER_HANDSHAKES_OPEN, -1);
    mem_free(k);
}

static void count_facts(struct handshakes *h, const struct tls_facts *f)
{
    count(h->counters, COUNTER_HANDSHAKES);
    if (f->resumed)
        count(h->counters, COUNTER_HANDSHAKES_RESUMED);
}

static void on_connected(struct stream *s, int status)
{
    struct handshake *k = s->owner;
    struct handshakes *h = k->of;
    struct tls_facts facts;
    if (status != 0) {
        stream_close(s);
        return;
    }
    tls_facts(s, &facts);
    count_facts(h, &facts);
    if (str_eq(facts.protocol, STR(ALPN_PROOF_PROTOCOL))) { /* it has seen the certificate, and that is all */
        k->is_proof = true;
        stream_close(s);
        return;
    }
    struct address peer = k->peer;
    end(k);
    h->done(h, s, &peer, facts.protocol);
}

/* The stream is given away before anything is read. */
static size_t on_space(struct stream *s, char **p)
{
    (void)s;
    (void)p;
    return 0;
}

static void on_closed(struct stream *s)
{
    struct handshake *k = s->owner;
    struct handshakes *h = k->of;
    struct address peer = k->peer;
    if (!k->is_proof)
        count(h->counters, COUNTER_HANDSHAKES_FAILED);
    mem_free(s);
    end(k);
    h->failed(h, &peer);
}

static const struct stream_notices notices = { .connected = on_connected,
                                               .space = on_space,
                                               .closed = on_closed };

void handshakes_init(struct handshakes *h, struct loop *l, struct counters *counters)
{
    *h = (struct handshakes){ .loop = l, .counters = counters };
    list_init(&h->all);
}

bool handshakes_begin(struct handshakes *h, int fd, const struct address *peer, const struct tls_terms *terms)
{
    struct stream *s = mem_alloc(sizeof(*s));
    if (tls_accept(s, h->loop, &notices, fd, terms) < 0) {
        mem_free(s);
        return false;
    }
    struct handshake *k = mem_alloc(sizeof(*k));
    *k = (struct handshake){ .of = h, .stream = s, .peer = *peer, .begun_ms = h->loop->now.mono_ms };
    s->owner = k;
    list_push_back(&h->all, &k->link);
    h->n++;
    count_add(h->counters, COUNTER_HANDSHAKES_OPEN, 1);
    return true;
}

void handshakes_cut(struct handshakes *h, int64_t ms)
{
    LIST_EACH_SAFE(l, &h->all) {
        struct handshake *k = CONTAINER_OF(l, struct handshake, link);
        if (h->loop->now.mono_ms - k->begun_ms < ms)
            return;
        stream_close(k->stream);
    }
}
