#include "acme/store.h"

#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>

#include "base/check.h"
#include "io/system.h"

#define FILE_BYTES_MAX ((size_t)1 << 20)
#define ID_HASH_BYTES  8
#define ID_NAME_MAX    64

bool store_init(struct store *s, const char *state)
{
    int n = snprintf(s->folder, sizeof(s->folder), "%s/acme", state);
    return n > 0 && (size_t)n < sizeof(s->folder);
}

/* ---- files ---- */

static int path_of(const struct store *s, const char *name, const char *end, char out[PATH_MAX])
{
    int n = snprintf(out, PATH_MAX, "%s/%s%s", s->folder, name, end);
    return n > 0 && n < PATH_MAX ? 0 : -ENAMETOOLONG;
}

static int write_file(const struct store *s, const char *name, const char *end, struct str content)
{
    char path[PATH_MAX];
    int status = path_of(s, name, end, path);
    if (status == 0)
        status = system_make_dirs(s->folder, 0700);
    return status < 0 ? status : system_write_file(path, content, 0600);
}

static int read_file(const struct store *s, const char *name, const char *end, struct buf *out)
{
    char path[PATH_MAX];
    int status = path_of(s, name, end, path);
    return status < 0 ? status : system_read_file(path, FILE_BYTES_MAX, out);
}

static void wipe(struct buf *b)
{
    if (b->n)
        OPENSSL_cleanse(b->p, b->n);
    buf_fini(b);
}

/* ---- JSON ---- */

static int read_json(const struct store *s, const char *name, json_t **out)
{
    struct buf text = BUF_INIT;
    int status = read_file(s, name, ".json", &text);
    *out = status == 0 ? json_loadb(text.n ? text.p : "", text.n, 0, NULL) : NULL;
    if (status == 0 && !json_is_object(*out)) {
        json_decref(*out);
        *out = NULL;
        status = -EINVAL;
    }
    wipe(&text);
    return status;
}

/* Takes over `root`. */
static int write_json(const struct store *s, const char *name, json_t *root)
{
    CHECK(root);
    char *text = json_dumps(root, JSON_INDENT(2));
    CHECK(text);
    int status = write_file(s, name, ".json", str_from(text));
    OPENSSL_cleanse(text, strlen(text));
    free(text);
    json_decref(root);
    return status;
}

static void take_text(const json_t *root, const char *name, struct buf *out)
{
    const json_t *v = json_object_get(root, name);
    buf_clear(out);
    if (json_is_string(v))
        buf_add(out, (struct str){ json_string_value(v), json_string_length(v) });
}

static int64_t take_number(const json_t *root, const char *name)
{
    int64_t n = json_integer_value(json_object_get(root, name));
    return n > 0 ? n : 0;
}

static json_t *text_of(const struct buf *b)
{
    json_t *v = json_stringn(b->n ? b->p : "", b->n);
    return v ? v : json_string("");
}

/* ---- hashes ---- */

static void add_hash(EVP_MD_CTX *c, struct str s)
{
    CHECK(EVP_DigestUpdate(c, s.p, s.n) == 1 && EVP_DigestUpdate(c, "", 1) == 1);
}

static void hash_hex(struct str directory, const struct strs *names, char out[2 * ID_HASH_BYTES + 1])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    CHECK(c && EVP_DigestInit_ex(c, EVP_sha256(), NULL) == 1);
    add_hash(c, directory);
    for (size_t i = 0; names && i < names->n; i++)
        add_hash(c, names->v[i]);
    CHECK(EVP_DigestFinal_ex(c, digest, NULL) == 1);
    EVP_MD_CTX_free(c);
    for (size_t i = 0; i < ID_HASH_BYTES; i++)
        snprintf(out + 2 * i, 3, "%02x", digest[i]);
}

/* ---- accounts ---- */

#define ACCOUNT_NAME_MAX 64

static void account_name(struct str directory, char out[ACCOUNT_NAME_MAX])
{
    char hash[2 * ID_HASH_BYTES + 1];
    hash_hex(directory, NULL, hash);
    snprintf(out, ACCOUNT_NAME_MAX, "account-%s", hash);
}

int store_read_account(const struct store *s, struct str directory, struct store_account *out)
{
    char name[ACCOUNT_NAME_MAX];
    json_t *root;
    account_name(directory, name);
    int status = read_json(s, name, &root);
    if (status < 0)
        return status;
    take_text(root, "key", &out->key);
    take_text(root, "url", &out->url);
    take_text(root, "email", &out->email);
    json_decref(root);
    return out->key.n ? 0 : -EINVAL;
}

int store_write_account(const struct store *s, struct str directory, const struct store_account *a)
{
    char name[ACCOUNT_NAME_MAX];
    account_name(directory, name);
    return write_json(s, name,
                      json_pack("{s:s%,s:o,s:o,s:o}", "directory", directory.p, directory.n, "url",
                                text_of(&a->url), "email", text_of(&a->email), "key", text_of(&a->key)));
}

void store_account_fini(struct store_account *a)
{
    wipe(&a->key);
    buf_fini(&a->url);
    buf_fini(&a->email);
}

/* ---- records ---- */

void store_id(struct str directory, const struct strs *names, char out[STORE_ID_MAX])
{
    char hash[2 * ID_HASH_BYTES + 1], first[ID_NAME_MAX + 1];
    struct str name = str_first(names->n ? names->v[0] : STR_NONE, ID_NAME_MAX);
    hash_hex(directory, names, hash);
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        first[i] = is_alpha(c) || is_digit(c) || c == '-' || (c == '.' && i > 0) ? c : '_';
    }
    first[name.n] = '\0';
    snprintf(out, STORE_ID_MAX, "%s-%s", first, hash);
}

int store_read_record(const struct store *s, const char *id, struct store_record *out)
{
    json_t *root;
    int status = read_json(s, id, &root);
    if (status < 0)
        return status;
    take_text(root, "order", &out->order);
    take_text(root, "key", &out->key);
    take_text(root, "error", &out->error);
    take_text(root, "shown_name", &out->shown_name);
    take_text(root, "shown_token", &out->shown_token);
    take_text(root, "shown_authorization", &out->shown_authorization);
    out->failures = (unsigned)(take_number(root, "failures") & 0xffff);
    out->try_ms = take_number(root, "try_ms");
    out->issued_ms = take_number(root, "issued_ms");
    out->renew_ms = take_number(root, "renew_ms");
    out->advised_until_ms = take_number(root, "advised_until_ms");
    out->told_ms = take_number(root, "told_ms");
    out->wanted = json_is_true(json_object_get(root, "wanted"));
    take_text(root, "revoke", &out->revoke);
    out->reason = (unsigned)(take_number(root, "reason") & 0xff);
    out->revoke_failures = (unsigned)(take_number(root, "revoke_failures") & 0xffff);
    out->revoke_try_ms = take_number(root, "revoke_try_ms");
    json_decref(root);
    return 0;
}

int store_write_record(const struct store *s, const char *id, const struct store_record *r)
{
    json_t *root = json_pack("{s:o,s:o,s:o,s:i,s:I,s:I,s:I,s:I,s:I}", "order", text_of(&r->order), "key",
                             text_of(&r->key), "error", text_of(&r->error), "failures", (int)r->failures,
                             "try_ms", (json_int_t)r->try_ms, "issued_ms", (json_int_t)r->issued_ms,
                             "renew_ms", (json_int_t)r->renew_ms, "advised_until_ms",
                             (json_int_t)r->advised_until_ms, "told_ms", (json_int_t)r->told_ms);
    bool good = root && (!r->wanted || json_object_set_new(root, "wanted", json_true()) == 0);
    json_t *revoke = r->revoke.n ? json_pack("{s:o,s:i,s:i,s:I}", "revoke", text_of(&r->revoke), "reason",
                                             (int)r->reason, "revoke_failures", (int)r->revoke_failures,
                                             "revoke_try_ms", (json_int_t)r->revoke_try_ms)
                                 : json_object();
    json_t *shown = r->shown_name.n ? json_pack("{s:o,s:o,s:o}", "shown_name", text_of(&r->shown_name),
                                                "shown_token", text_of(&r->shown_token),
                                                "shown_authorization", text_of(&r->shown_authorization))
                                    : json_object();
    good = good && revoke && shown && json_object_update(root, revoke) == 0 &&
           json_object_update(root, shown) == 0;
    json_decref(revoke);
    json_decref(shown);
    CHECK(good);
    return write_json(s, id, root);
}

void store_record_fini(struct store_record *r)
{
    buf_fini(&r->order);
    wipe(&r->key);
    buf_fini(&r->error);
    buf_fini(&r->revoke);
    buf_fini(&r->shown_name);
    buf_fini(&r->shown_token);
    buf_fini(&r->shown_authorization);
}

/* ---- certificates ---- */

int store_read_pem(const struct store *s, const char *id, struct buf *out)
{
    return read_file(s, id, ".pem", out);
}

int store_write_pem(const struct store *s, const char *id, struct str chain, struct str key)
{
    struct buf both = BUF_INIT;
    buf_add(&both, chain);
    if (chain.n && chain.p[chain.n - 1] != '\n')
        buf_add_char(&both, '\n');
    buf_add(&both, key);
    int status = write_file(s, id, ".pem", buf_str(&both));
    wipe(&both);
    return status;
}

void store_each_pem(const struct store *s, bool (*look)(void *ctx, const char *file, struct str pem),
                    void *ctx)
{
    struct buf pem = BUF_INIT;
    const struct dirent *e;
    bool goes_on = true;
    DIR *d = opendir(s->folder);
    while (d && goes_on && (e = readdir(d)) != NULL) {
        buf_clear(&pem);
        if (str_ends(str_from(e->d_name), STR(".pem")) && read_file(s, e->d_name, "", &pem) == 0)
            goes_on = look(ctx, e->d_name, buf_str(&pem));
    }
    if (d)
        closedir(d);
    wipe(&pem);
}

void store_pem_path(const struct store *s, const char *id, char out[PATH_MAX])
{
    if (path_of(s, id, ".pem", out) < 0)
        out[0] = '\0';
}
