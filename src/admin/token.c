#include "admin/token.h"

#include <string.h>

#include <openssl/crypto.h>
#include <openssl/sha.h>

#define HASHED_BEFORE STR("freshet token 1\n")
#define SECRET_BEFORE STR("freshet_")
#define SAID_SITES    5

/* ---- scopes ---- */

static const struct str words[TOKEN_SCOPES] = {
#define SCOPE(id, word, text) STR_INIT(word),
#include "tbl/scopes.h"
#undef SCOPE
};

enum token_scope token_scope_of(struct str word)
{
    for (unsigned i = 0; i < TOKEN_SCOPES; i++)
        if (str_eq(word, words[i]))
            return (enum token_scope)(1u << i);
    return TOKEN_SCOPE_NONE;
}

void token_scopes_write(unsigned scopes, const char *between, struct buf *to)
{
    const char *before = "";
    for (unsigned i = 0; i < TOKEN_SCOPES; i++) {
        if (!(scopes & 1u << i))
            continue;
        buf_printf(to, "%s%.*s", before, STR_ARG(words[i]));
        before = between;
    }
}

/* ---- names and secrets ---- */

const char *token_name_check(struct str name)
{
    if (name.n == 0)
        return "is empty; write a word like ci";
    if (name.n > TOKEN_LIMIT_NAME_BYTES)
        return "is too long; a token's name has at most 64 characters";
    for (size_t i = 0; i < name.n; i++)
        if (!is_alpha(name.p[i]) && !is_digit(name.p[i]) && str_index(STR("-_."), name.p[i]) == 3)
            return "is no name for a token; write letters, digits, \"-\", \"_\" and \".\"";
    return NULL;
}

size_t token_secret(const unsigned char random[TOKEN_RANDOM_BYTES], char out[TOKEN_SECRET_MAX])
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    char *to = str_put(out, SECRET_BEFORE);
    unsigned held = 0, bits = 0;
    for (size_t i = 0; i < TOKEN_RANDOM_BYTES; i++) {
        held = held << 8 | random[i];
        for (bits += 8; bits >= 6; bits -= 6)
            *to++ = letters[held >> (bits - 6) & 63];
    }
    if (bits)
        *to++ = letters[held << (6 - bits) & 63];
    *to = '\0';
    CHECK(to < out + TOKEN_SECRET_MAX);
    return (size_t)(to - out);
}

/* What is longer is no secret of ours; it gets the hash of the empty one, which no token has. */
#define HASHED_MOST 256

void token_hash(struct str secret, unsigned char out[TOKEN_HASH_BYTES])
{
    char text[sizeof("freshet token 1\n") + HASHED_MOST];
    char *end = str_put(str_put(text, HASHED_BEFORE), secret.n <= HASHED_MOST ? secret : STR_NONE);
    SHA256((const unsigned char *)text, (size_t)(end - text), out);
    OPENSSL_cleanse(text, sizeof(text));
}

bool token_hash_is(const unsigned char a[TOKEN_HASH_BYTES], const unsigned char b[TOKEN_HASH_BYTES])
{
    return CRYPTO_memcmp(a, b, TOKEN_HASH_BYTES) == 0;
}

/* ---- the text ---- */

void token_write(const struct token *t, struct buf *to)
{
    CHECK(t->every_site == (t->sites_n == 0) && t->scopes);
    buf_printf(to, "token\t1\t%s\t", t->name);
    for (size_t i = 0; i < TOKEN_HASH_BYTES; i++)
        buf_printf(to, "%02x", t->hash[i]);
    buf_add_char(to, '\t');
    token_scopes_write(t->scopes, ",", to);
    buf_printf(to, "\t%lld\t%lld\t%s\t", (long long)t->created_wall_ms, (long long)t->expires_wall_ms,
               t->expired ? "expired" : "good");
    if (t->every_site)
        buf_add(to, STR("all"));
    else
        buf_add_u64(to, t->sites_n);
    buf_add_char(to, '\n');
    for (size_t i = 0; i < t->sites_n; i++)
        buf_printf(to, "site\t%s\n", t->sites[i]);
}

static bool read_hash(struct str s, unsigned char out[TOKEN_HASH_BYTES])
{
    if (s.n != 2 * TOKEN_HASH_BYTES)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        int digit = ascii_lower(s.p[i]) == s.p[i] ? ascii_hex_value(s.p[i]) : -1;
        if (digit < 0)
            return false;
        out[i / 2] = (unsigned char)(i % 2 ? out[i / 2] | digit : digit << 4);
    }
    return true;
}

/* In the order of the table, each once. */
static bool read_scopes(struct str s, unsigned *out)
{
    *out = 0;
    while (s.p) {
        unsigned scope = token_scope_of(str_cut(&s, ','));
        if (scope <= *out)
            return false;
        *out |= scope;
    }
    return true;
}

/* As it is written: no zeros in front. */
static bool read_number(struct str s, uint64_t most, uint64_t *out)
{
    return str_to_u64(s, most, out) && (s.n == 1 || s.p[0] != '0');
}

static bool read_ms(struct str s, int64_t *out)
{
    uint64_t n = 0;
    bool good = read_number(s, INT64_MAX / 4, &n);
    *out = (int64_t)n;
    return good;
}

static bool read_sites(struct str text, struct token *t)
{
    for (size_t i = 0; i < t->sites_n; i++) {
        struct str line = str_cut(&text, '\n'), word = str_cut(&line, '\t');
        if (!text.p || !str_eq(word, STR("site")) || line.n == 0 || line.n > TOKEN_SITE_MAX)
            return false;
        for (size_t k = 0; k < line.n; k++)
            if ((unsigned char)line.p[k] <= 0x20 || line.p[k] == 0x7f)
                return false;
        *str_put(t->sites[i], line) = '\0';
    }
    return text.p && text.n == 0;
}

static bool read_head(struct str line, struct token *t)
{
    struct str f[9];
    uint64_t sites = 0;
    for (size_t i = 0; i < COUNT_OF(f); i++)
        f[i] = str_cut(&line, '\t');
    /* All nine are there, and no more. */
    if (line.p || !f[8].p || !str_eq(f[0], STR("token")) || !str_eq(f[1], STR("1")) || token_name_check(f[2]))
        return false;
    *str_put(t->name, f[2]) = '\0';
    t->expired = str_eq(f[7], STR("expired"));
    t->every_site = str_eq(f[8], STR("all"));
    bool good = read_hash(f[3], t->hash) && read_scopes(f[4], &t->scopes) &&
                read_ms(f[5], &t->created_wall_ms) && read_ms(f[6], &t->expires_wall_ms) &&
                (t->expired || str_eq(f[7], STR("good"))) &&
                (t->every_site || (read_number(f[8], TOKEN_LIMIT_SITES, &sites) && sites > 0));
    t->sites_n = (size_t)sites;
    return good;
}

bool token_read(struct str text, struct token *out)
{
    memset(out, 0, sizeof(*out));
    struct str line = str_cut(&text, '\n');
    if (text.p && read_head(line, out) && read_sites(text, out))
        return true;
    memset(out, 0, sizeof(*out));
    return false;
}

/* ---- rights ---- */

const struct token_rights token_rights_all = { .scopes = TOKEN_SCOPE_ADMIN, .every_site = true };

void token_rights_of(const struct token *t, struct arena *a, struct token_rights *out)
{
    *out = (struct token_rights){ .name = arena_dup(a, str_from(t->name)),
                                  .scopes = t->scopes,
                                  .every_site = t->every_site };
    for (size_t i = 0; i < t->sites_n; i++)
        arena_add_str(a, &out->sites, arena_dup(a, str_from(t->sites[i])));
}

bool token_may(const struct token_rights *r, enum token_scope scope)
{
    return scope == TOKEN_SCOPE_NONE || (r->scopes & ((unsigned)scope | TOKEN_SCOPE_ADMIN)) != 0;
}

bool token_may_site(const struct token_rights *r, struct str site)
{
    for (size_t i = 0; i < r->sites.n; i++)
        if (str_eq(r->sites.v[i], site))
            return true;
    return r->every_site;
}

struct str token_called(const struct token_rights *r, struct arena *a)
{
    return r->name.n ? ARENA_JOIN(a, STR("the token \""), r->name, STR("\"")) : STR("the admin token");
}

struct str token_sites_said(const struct token_rights *r, struct arena *a)
{
    struct str said = STR_NONE;
    for (size_t i = 0; i < r->sites.n && i < SAID_SITES; i++)
        said = ARENA_JOIN(a, said, i ? STR(", ") : STR_NONE, r->sites.v[i]);
    return r->sites.n > SAID_SITES ? ARENA_JOIN(a, said, STR(", ...")) : said;
}
