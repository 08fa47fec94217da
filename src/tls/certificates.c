#include "tls/certificates.h"

#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/mem.h"
#include "io/address.h"
#include "tls/alpn_proof.h"
#include "tls/context.h"

#define NAME_MOST 253 /* RFC 1035 §2.3.4, as text */

enum { KIND_RSA, KIND_OTHER, KINDS = CERTIFICATES_KINDS };

struct entry {
    struct str name;
    char *bytes;
    struct pair *pairs[KINDS];
    SSL_CTX *context; /* with these pairs; after the seal */
};

struct certificates {
    struct certificates_rules rules;
    struct entry *entries; /* sorted by name after the seal */
    size_t n;
    struct entry unnamed; /* for clients that name nobody */
    /* By certificates_unref. OpenSSL counts references where the thread sanitizer sees nothing: by this it
     * sees that whoever frees comes later. */
    atomic_uint given_back;
    /* Of each handshake, until its name is known. Its references are the desk's. */
    SSL_CTX *root;
};

/* ---- names ---- */

static struct entry *find(const struct certificates *c, struct str name)
{
    size_t from = 0, to = c->n;
    while (from < to) {
        size_t middle = (from + to) / 2;
        int order = str_cmp(name, c->entries[middle].name);
        if (order == 0)
            return &c->entries[middle];
        if (order < 0)
            to = middle;
        else
            from = middle + 1;
    }
    return NULL;
}

/* The exact name, else the wildcard for its first label. */
static struct entry *find_host(const struct certificates *c, struct str host)
{
    char lower[NAME_MOST + 2];
    if (host.n && host.p[host.n - 1] == '.')
        host.n--;
    if (host.n == 0 || host.n > NAME_MOST)
        return NULL;
    for (size_t i = 0; i < host.n; i++)
        lower[i + 1] = ascii_lower(host.p[i]);
    struct str name = { lower + 1, host.n };
    struct entry *e = find(c, name);
    size_t dot = str_index(name, '.');
    if (e || dot == 0 || dot == name.n)
        return e;
    lower[dot] = '*'; /* in place of the label's last byte */
    return find(c, (struct str){ lower + dot, name.n + 1 - dot });
}

/* ---- making ---- */

static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *n,
                           const unsigned char *offered, unsigned offered_n, void *arg)
{
    const struct certificates *c = arg;
    unsigned char *chosen = NULL;
    (void)ssl;
    int result = SSL_select_next_proto(&chosen, n, (const unsigned char *)c->rules.protocols.p,
                                       (unsigned)c->rules.protocols.n, offered, offered_n);
    *out = chosen;
    return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

static struct entry *entry_for(struct certificates *c, struct str name)
{
    for (size_t i = 0; i < c->n; i++)
        if (str_eq_nocase(c->entries[i].name, name))
            return &c->entries[i];
    c->entries = mem_resize(c->entries, (c->n + 1) * sizeof(*c->entries));
    struct entry *e = &c->entries[c->n++];
    *e = (struct entry){ .bytes = mem_alloc(name.n + 1) };
    for (size_t i = 0; i < name.n; i++)
        e->bytes[i] = ascii_lower(name.p[i]);
    e->name = (struct str){ e->bytes, name.n };
    return e;
}

static void put(struct entry *e, struct pair *p)
{
    struct pair **place = &e->pairs[pair_is_rsa(p) ? KIND_RSA : KIND_OTHER];
    if (!*place)
        *place = pair_ref(p);
}

static void add_names(struct certificates *c, struct pair *p, const struct strs *names)
{
    for (size_t i = 0; i < names->n; i++)
        if (names->v[i].n && names->v[i].n <= NAME_MOST)
            put(entry_for(c, names->v[i]), p);
}

static bool has_same_names(const struct pair *a, const struct pair *b)
{
    struct strs x = pair_names(a), y = pair_names(b);
    for (size_t i = 0; i < x.n && x.n == y.n; i++)
        if (!str_eq(x.v[i], y.v[i]))
            return false;
    return x.n == y.n;
}

void certificates_add(struct certificates *c, struct pair *p, const struct strs *hosts)
{
    struct strs own = pair_names(p);
    const struct pair *first =
        c->unnamed.pairs[KIND_RSA] ? c->unnamed.pairs[KIND_RSA] : c->unnamed.pairs[KIND_OTHER];
    CHECK(!c->unnamed.context);
    add_names(c, p, &own);
    if (hosts)
        add_names(c, p, hosts);
    if (!first || has_same_names(first, p))
        put(&c->unnamed, p);
}

static int by_name(const void *a, const void *b)
{
    return str_cmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
}

/* A handshake goes from `root` to the context of the name; OpenSSL asks now this one, now that. */
static void set_rules(struct certificates *c, SSL_CTX *context)
{
    SSL_CTX_set_alpn_select_cb(context, choose_protocol, c);
    tickets_use(c->rules.tickets, context);
}

static void make_context(struct certificates *c, struct entry *e)
{
    e->context = context_new();
    set_rules(c, e->context);
    for (int kind = 0; kind < KINDS; kind++)
        if (e->pairs[kind])
            pair_use(e->pairs[kind], e->context);
}

/* Many names have the same pairs, mostly those before them. */
static void share_context(struct certificates *c, struct entry *e)
{
    for (size_t i = 0; i < c->n && c->entries[i].context; i++) {
        const struct entry *other = &c->entries[i];
        if (memcmp(other->pairs, e->pairs, sizeof(e->pairs)) == 0) {
            e->context = other->context;
            SSL_CTX_up_ref(e->context);
            return;
        }
    }
    make_context(c, e);
}

void certificates_seal(struct certificates *c)
{
    for (size_t i = 0; i < c->n; i++)
        share_context(c, &c->entries[i]);
    if (c->n)
        qsort(c->entries, c->n, sizeof(*c->entries), by_name);
    make_context(c, &c->unnamed);
}

/* ---- handshakes ---- */

/* An address is no name of a host (RFC 6066 §3): who asks for one names nobody. In a URL IPv6 has
 * brackets. */
static bool is_address(struct str host)
{
    struct address ip;
    return str_starts(host, STR("[")) || address_parse_ip(host, 0, &ip);
}

/* The host that the client asks for. */
static struct str asked_name(const SSL *ssl)
{
    struct str name = str_from(SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name));
    return name.p && is_address(name) ? STR_NONE : name;
}

/* OpenSSL calls it for each handshake, also of a client that sends no name. */
static int name_known(SSL *ssl, int *alert, void *arg)
{
    struct certificates *c = arg;
    struct str name = asked_name(ssl);
    if (SSL_get_SSL_CTX(ssl) != c->root) /* that of a proof */
        return SSL_TLSEXT_ERR_OK;
    const struct entry *e = name.p ? find_host(c, name) : c->n ? &c->unnamed : NULL;
    if (!e) {
        *alert = SSL_AD_UNRECOGNIZED_NAME;
        if (c->rules.unknown)
            c->rules.unknown(c->rules.ctx, name);
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    return SSL_set_SSL_CTX(ssl, e->context) ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* Before anything else is looked at. */
static int hello_came(SSL *ssl, int *alert, void *arg)
{
    struct certificates *c = arg;
    struct str name;
    (void)alert;
    if (!c->rules.has_proofs || !c->rules.has_proofs(c->rules.ctx) || !alpn_proof_is_asked(ssl, &name))
        return SSL_CLIENT_HELLO_SUCCESS;
    SSL_CTX *proof = c->rules.proof(c->rules.ctx, name);
    if (!proof)
        return SSL_CLIENT_HELLO_SUCCESS; /* the protocol is refused like any that is unknown */
    bool good = SSL_set_SSL_CTX(ssl, proof) != NULL;
    SSL_CTX_free(proof);
    return good ? SSL_CLIENT_HELLO_SUCCESS : SSL_CLIENT_HELLO_ERROR;
}

/* ---- life ---- */

static int place = -1; /* of `struct certificates *` in `root` */
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* The last connection has gone: nothing asks the desk any more. */
static void root_freed(void *parent, void *ptr, CRYPTO_EX_DATA *data, int index, long number, void *arg)
{
    struct certificates *c = ptr;
    (void)parent;
    (void)data;
    (void)index;
    (void)number;
    (void)arg;
    if (!c)
        return;
    (void)atomic_load_explicit(&c->given_back, memory_order_acquire);
    c->entries = mem_resize(c->entries, (c->n + 1) * sizeof(*c->entries));
    c->entries[c->n++] = c->unnamed;
    for (size_t i = 0; i < c->n; i++) {
        SSL_CTX_free(c->entries[i].context);
        for (int kind = 0; kind < KINDS; kind++)
            if (c->entries[i].pairs[kind])
                pair_unref(c->entries[i].pairs[kind]);
        mem_free(c->entries[i].bytes);
    }
    mem_free(c->entries);
    mem_free(c);
}

static void make_place(void)
{
    place = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, root_freed);
    CHECK(place >= 0);
}

struct certificates *certificates_new(const struct certificates_rules *rules)
{
    struct certificates *c = mem_alloc(sizeof(*c));
    pthread_once(&once, make_place);
    c->rules = *rules;
    c->root = context_new();
    CHECK(SSL_CTX_set_ex_data(c->root, place, c) == 1);
    SSL_CTX_set_tlsext_servername_callback(c->root, name_known);
    SSL_CTX_set_tlsext_servername_arg(c->root, c);
    if (rules->has_proofs)
        SSL_CTX_set_client_hello_cb(c->root, hello_came, c);
    set_rules(c, c->root);
    return c;
}

struct certificates *certificates_ref(struct certificates *c)
{
    SSL_CTX_up_ref(c->root);
    return c;
}

void certificates_unref(struct certificates *c)
{
    if (!c)
        return;
    SSL_CTX *root = c->root;
    atomic_fetch_add_explicit(&c->given_back, 1, memory_order_release);
    SSL_CTX_free(root);
}

/* ---- questions ---- */

bool certificates_has(const struct certificates *c, struct str host)
{
    return find(c, host) || find_host(c, host);
}

void certificates_pairs(const struct certificates *c, struct str host,
                        const struct pair *out[CERTIFICATES_KINDS])
{
    const struct entry *e = host.n == 0 || is_address(host) ? &c->unnamed : find(c, host);
    if (!e)
        e = find_host(c, host);
    for (int kind = 0; kind < KINDS; kind++)
        out[kind] = e ? e->pairs[kind] : NULL;
}

int64_t certificates_until_ms(const struct certificates *c, const struct pair **p)
{
    int64_t first = INT64_MAX;
    *p = NULL;
    for (size_t i = 0; i <= c->n; i++)
        for (int kind = 0; kind < KINDS; kind++) {
            const struct pair *other = (i < c->n ? &c->entries[i] : &c->unnamed)->pairs[kind];
            if (other && pair_until_ms(other) < first) {
                first = pair_until_ms(other);
                *p = other;
            }
        }
    return first;
}

struct ssl_ctx_st *certificates_context(const struct certificates *c)
{
    return c->root;
}
