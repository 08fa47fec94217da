#include "tls/tickets.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "io/system.h"

#define KEYS       3
#define NAME_BYTES 16
#define IV_BYTES   16
#define KEY_BYTES  32

struct key {
    unsigned char name[NAME_BYTES], cipher[KEY_BYTES], mac[KEY_BYTES];
};

struct tickets {
    pthread_mutex_t lock;  /* over keys and made_ms */
    struct key keys[KEYS]; /* the newest first; the first makes tickets, all read them */
    int64_t made_ms;       /* when the newest was */
    EVP_CIPHER *cipher;    /* AES-256-CBC, as OpenSSL's own tickets */
};

static int place = -1; /* of `struct tickets *` in a context */
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void make_place(void)
{
    place = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
    CHECK(place >= 0);
}

struct tickets *tickets_new(int64_t now_ms)
{
    struct tickets *t = mem_alloc(sizeof(*t));
    CHECK(pthread_mutex_init(&t->lock, NULL) == 0);
    t->cipher = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
    CHECK(t->cipher);
    system_random(t->keys, sizeof(t->keys));
    t->made_ms = now_ms;
    return t;
}

void tickets_free(struct tickets *t)
{
    if (!t)
        return;
    EVP_CIPHER_free(t->cipher);
    OPENSSL_cleanse(t->keys, sizeof(t->keys));
    pthread_mutex_destroy(&t->lock);
    mem_free(t);
}

bool tickets_rotate(struct tickets *t, int64_t now_ms)
{
    struct key fresh;
    bool is_time;
    system_random(&fresh, sizeof(fresh));
    pthread_mutex_lock(&t->lock);
    is_time = now_ms - t->made_ms >= TICKETS_ROTATE_MS;
    if (is_time) {
        memmove(&t->keys[1], &t->keys[0], (KEYS - 1) * sizeof(t->keys[0]));
        t->keys[0] = fresh;
        t->made_ms = now_ms;
    }
    pthread_mutex_unlock(&t->lock);
    OPENSSL_cleanse(&fresh, sizeof(fresh));
    return is_time;
}

/* ---- from one process to the next: a version, the newest one's age in this machine's order, the keys */

#define VERSION 1

void tickets_write(struct tickets *t, int64_t now_ms, struct buf *out)
{
    _Static_assert(1 + sizeof(int64_t) + sizeof(t->keys) == TICKETS_BYTES, "as told");
    pthread_mutex_lock(&t->lock);
    int64_t age_ms = now_ms - t->made_ms;
    buf_add_char(out, VERSION);
    buf_add(out, (struct str){ (const char *)&age_ms, sizeof(age_ms) });
    buf_add(out, (struct str){ (const char *)t->keys, sizeof(t->keys) });
    pthread_mutex_unlock(&t->lock);
}

bool tickets_read(struct tickets *t, struct str bytes, int64_t now_ms)
{
    int64_t age_ms;
    if (bytes.n != TICKETS_BYTES || bytes.p[0] != VERSION)
        return false;
    memcpy(&age_ms, bytes.p + 1, sizeof(age_ms));
    if (age_ms < 0 || age_ms > TICKETS_ROTATE_MS) /* it is time for another one */
        age_ms = TICKETS_ROTATE_MS;
    pthread_mutex_lock(&t->lock);
    memcpy(t->keys, bytes.p + 1 + sizeof(age_ms), sizeof(t->keys));
    t->made_ms = now_ms - age_ms;
    pthread_mutex_unlock(&t->lock);
    return true;
}

/* Copies the newest key, or the one with this name. -1: none has it; else its place. */
static int find(struct tickets *t, const unsigned char *name, struct key *out)
{
    int found = -1;
    pthread_mutex_lock(&t->lock);
    for (int i = 0; i < KEYS && found < 0; i++)
        if (!name || memcmp(t->keys[i].name, name, NAME_BYTES) == 0)
            found = i;
    if (found >= 0)
        *out = t->keys[found];
    pthread_mutex_unlock(&t->lock);
    return found;
}

static bool set_mac(EVP_MAC_CTX *mac, struct key *k)
{
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, k->mac, KEY_BYTES),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    return EVP_MAC_CTX_set_params(mac, params) == 1;
}

/* SSL_CTX_set_tlsext_ticket_key_evp_cb: -1: an error; 0: no such key, so a full handshake; 1: good; 2: good,
 * and a new ticket is to be made. */
static int use_key(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac,
                   int makes)
{
    struct tickets *t = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), place);
    struct key k;
    if (!t) /* the context of a CA's question (tls/alpn_proof.h), which nobody comes back to */
        return 0;
    int found = find(t, makes ? NULL : name, &k);
    /* In TLS 1.3 a ticket is used once (RFC 8446 §C.4). */
    int result = makes || (found == 0 && SSL_version(ssl) < TLS1_3_VERSION) ? 1 : 2;
    if (found < 0)
        return 0;
    if (makes) {
        memcpy(name, k.name, NAME_BYTES);
        system_random(iv, IV_BYTES);
    }
    if (EVP_CipherInit_ex(cipher, t->cipher, NULL, k.cipher, iv, makes) != 1 || !set_mac(mac, &k))
        result = -1;
    OPENSSL_cleanse(&k, sizeof(k));
    return result;
}

void tickets_use(struct tickets *t, struct ssl_ctx_st *context)
{
    pthread_once(&once, make_place);
    CHECK(SSL_CTX_set_ex_data(context, place, t) == 1);
    CHECK(SSL_CTX_set_tlsext_ticket_key_evp_cb(context, use_key) == 1);
}
