/* The text of a token, as the disk gives it (admin/token.h): what is read is written as it was, byte by byte,
 * so there is one text for a token; and what is refused leaves nothing. */
#include <string.h>

#include "admin/token.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t n);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t n)
{
    static const struct token none;
    struct str text = { (const char *)data, n };
    struct token t;
    struct token_rights rights;
    struct arena arena;
    if (!token_read(text, &t)) {
        CHECK(memcmp(&t, &none, sizeof(t)) == 0);
        return 0;
    }
    struct buf again = BUF_INIT;
    token_write(&t, &again);
    CHECK(str_eq(buf_str(&again), text));
    CHECK(t.scopes && t.scopes < 1u << TOKEN_SCOPES && !token_name_check(str_from(t.name)));
    CHECK(t.every_site == (t.sites_n == 0) && t.sites_n <= TOKEN_LIMIT_SITES);
    CHECK(t.created_wall_ms >= 0 && t.expires_wall_ms >= 0);
    arena_init(&arena, 4096);
    token_rights_of(&t, &arena, &rights);
    CHECK(rights.sites.n == t.sites_n && rights.every_site == t.every_site);
    for (size_t i = 0; i < t.sites_n; i++)
        CHECK(t.sites[i][0] && token_may_site(&rights, str_from(t.sites[i])));
    CHECK(token_may_site(&rights, STR("\t")) == t.every_site);
    arena_fini(&arena);
    buf_fini(&again);
    return 0;
}
