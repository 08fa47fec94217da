/*
 * A token of the admin listener as a value: what is kept of it, its text on disk, its secret's hash, and
 * whom it lets do what. Pure, any thread.
 *
 * The secret is 256 random bits, and is shown once. What is kept is one SHA-256 of it, with a prefix, so
 * that it is the hash of nothing else. A slow hash is for secrets that can be guessed, and 2^256 cannot be
 * tried at any speed (docs/decisions/061).
 */
#ifndef ADMIN_TOKEN_H
#define ADMIN_TOKEN_H

#include "base/arena.h"
#include "base/buf.h"

enum token_limit {
#define TOKEN_LIMIT(id, value, text) TOKEN_LIMIT_##id = (value),
#include "tbl/token_limits.h"
#undef TOKEN_LIMIT
};

enum token_scope_number {
#define SCOPE(id, word, text) TOKEN_NUMBER_##id,
#include "tbl/scopes.h"
#undef SCOPE
    TOKEN_SCOPES
};
/* As bits, for a set of them. */
enum token_scope {
    TOKEN_SCOPE_NONE = 0,
#define SCOPE(id, word, text) TOKEN_SCOPE_##id = 1 << TOKEN_NUMBER_##id,
#include "tbl/scopes.h"
#undef SCOPE
};

#define TOKEN_HASH_BYTES   32
#define TOKEN_RANDOM_BYTES 32  /* of a secret */
#define TOKEN_SECRET_MAX   64  /* bytes of a secret as text, at most */
#define TOKEN_SITE_MAX     128 /* bytes of a site's name (conf/form.h) */

struct token {
    char name[TOKEN_LIMIT_NAME_BYTES + 1]; /* NUL-terminated, as are the sites */
    unsigned char hash[TOKEN_HASH_BYTES];
    unsigned scopes; /* of enum token_scope; never none */
    bool every_site;
    bool expired; /* it was seen to be, so it is, whatever the wall clock says */
    int64_t created_wall_ms;
    int64_t expires_wall_ms; /* 0: never */
    size_t sites_n;          /* 0 with every_site, else at least 1 */
    char sites[TOKEN_LIMIT_SITES][TOKEN_SITE_MAX + 1];
};

/*
 * The text of a token, as the disk has it. Lines of fields with a tab between them, each ends with a line
 * feed:
 *
 *   token  1  NAME  HASH  SCOPES  CREATED_MS  EXPIRES_MS  good|expired  all|NUMBER OF SITES
 *   site  NAME                                so many of them
 *
 * HASH is 64 lower-case hexadecimal digits, SCOPES words with a comma between them, in the order of the
 * table. How many sites follow stands before them, so that a text that was cut is not a token for more.
 */
void token_write(const struct token *t, struct buf *to);
/* true: *out is set. false: it is no such text. */
bool token_read(struct str text, struct token *out);

/* Makes the text of a secret of TOKEN_RANDOM_BYTES random bytes, with a NUL. Returns its length. */
size_t token_secret(const unsigned char random[TOKEN_RANDOM_BYTES], char out[TOKEN_SECRET_MAX]);
/* Returns in `out` the hash that is kept of a secret. */
void token_hash(struct str secret, unsigned char out[TOKEN_HASH_BYTES]);
/* Are the hashes equal? Takes the same time for any two. */
bool token_hash_is(const unsigned char a[TOKEN_HASH_BYTES], const unsigned char b[TOKEN_HASH_BYTES]);

/* NULL: it may be a token's name. Else the end of a sentence, "is ...; write ...". */
const char *token_name_check(struct str name);
/* Returns the scope of a word; TOKEN_SCOPE_NONE: there is none such. */
enum token_scope token_scope_of(struct str word);
/* Appends the words of a set, with `between` between them. */
void token_scopes_write(unsigned scopes, const char *between, struct buf *to);

/* What whoever asks may do. Strings are in the arena of the request, or literals. */
struct token_rights {
    struct str name; /* of the token; empty: the one that freshet was started with */
    unsigned scopes;
    bool every_site;
    struct strs sites;
};

/* Everything everywhere: what the token has that freshet was started with. */
extern const struct token_rights token_rights_all;
void token_rights_of(const struct token *t, struct arena *a, struct token_rights *out);
/* Is the scope among them? The scope admin has all others. */
bool token_may(const struct token_rights *r, enum token_scope scope);
bool token_may_site(const struct token_rights *r, struct str site);
/* Returns "the token \"ci\"", or "the admin token". In the arena. */
struct str token_called(const struct token_rights *r, struct arena *a);
/* Returns "shop, blog", cut after a few. In the arena. */
struct str token_sites_said(const struct token_rights *r, struct arena *a);

#endif
