#include "acme/proofs.h"

#include <openssl/ssl.h>

#include "base/mem.h"

struct proof {
    struct buf key, body;
    SSL_CTX *context; /* NULL: of http-01 */
};

void proofs_init(struct proofs *p)
{
    *p = (struct proofs){ .n = 0 };
    lock_init(&p->lock);
}

static void free_proof(struct proof *one)
{
    buf_fini(&one->key);
    buf_fini(&one->body);
    SSL_CTX_free(one->context);
    mem_free(one);
}

void proofs_fini(struct proofs *p)
{
    for (size_t i = 0; i < PROOFS_MOST; i++)
        if (p->all[i])
            free_proof(p->all[i]);
    lock_fini(&p->lock);
}

static bool is_same(const struct proof *a, const struct proof *b)
{
    return (a->context != NULL) == (b->context != NULL) && str_eq(buf_str(&a->key), buf_str(&b->key));
}

/* In the place of one with the same key, else in a free one. */
static bool add(struct proofs *p, struct proof *one)
{
    size_t at = PROOFS_MOST;
    struct proof *before = NULL;
    lock_take(&p->lock);
    for (size_t i = PROOFS_MOST; i-- > 0 && !before;)
        if (!p->all[i] || is_same(p->all[i], one)) {
            before = p->all[i];
            at = i;
        }
    if (at < PROOFS_MOST)
        p->all[at] = one;
    lock_give(&p->lock);
    if (at < PROOFS_MOST && !before)
        atomic_fetch_add(&p->n, 1);
    if (before)
        free_proof(before);
    if (at == PROOFS_MOST)
        free_proof(one);
    return at < PROOFS_MOST;
}

bool proofs_show_http(struct proofs *p, struct str token, struct str body)
{
    struct proof *one = mem_alloc(sizeof(*one));
    buf_add(&one->key, token);
    buf_add(&one->body, body);
    return add(p, one);
}

bool proofs_show_tls(struct proofs *p, struct str name, struct ssl_ctx_st *context)
{
    struct proof *one = mem_alloc(sizeof(*one));
    buf_add(&one->key, name);
    one->context = context;
    return add(p, one);
}

void proofs_hide(struct proofs *p, struct str key)
{
    struct proof *gone = NULL;
    lock_take(&p->lock);
    for (size_t i = 0; i < PROOFS_MOST && !gone; i++)
        if (p->all[i] && str_eq(buf_str(&p->all[i]->key), key)) {
            gone = p->all[i];
            p->all[i] = NULL;
        }
    lock_give(&p->lock);
    if (!gone)
        return;
    atomic_fetch_sub(&p->n, 1);
    free_proof(gone);
}

/* Under the lock. */
static struct proof *find(struct proofs *p, struct str key, bool of_tls)
{
    for (size_t i = 0; i < PROOFS_MOST; i++) {
        struct proof *one = p->all[i];
        if (one && (one->context != NULL) == of_tls && str_eq_nocase(buf_str(&one->key), key))
            return one;
    }
    return NULL;
}

bool proofs_http(struct proofs *p, struct str path, struct buf *out)
{
    if (!proofs_any(p) || !str_starts(path, STR(PROOFS_PATH)))
        return false;
    struct str token = str_from_index(path, sizeof(PROOFS_PATH) - 1);
    lock_take(&p->lock);
    struct proof *one = find(p, token, false);
    bool good = one && str_eq(buf_str(&one->key), token); /* tokens have case */
    if (good && out)
        buf_add(out, buf_str(&one->body));
    lock_give(&p->lock);
    return good;
}

struct ssl_ctx_st *proofs_tls(struct proofs *p, struct str name)
{
    SSL_CTX *context = NULL;
    lock_take(&p->lock);
    struct proof *one = find(p, name, true);
    if (one && SSL_CTX_up_ref(one->context) == 1)
        context = one->context;
    lock_give(&p->lock);
    return context;
}
