/*
 * Limits of the tokens of the admin listener.
 * Columns: id, value, text.
 * Users: admin/token.h (enum), tests/check/routes.mjs (docs/ADMIN.md).
 */
/* clang-format off */
TOKEN_LIMIT(TOKENS,     100,  "tokens, expired ones included")
TOKEN_LIMIT(NAME_BYTES, 64,   "bytes of a token's name: letters, digits, `-`, `_` and `.`")
TOKEN_LIMIT(SITES,      32,   "sites of a token that is not for all of them")
TOKEN_LIMIT(DAYS,       3650, "days until a token expires, unless it never does")
TOKEN_LIMIT(SENDERS,    256,  "addresses whose wrong tokens are counted; one more takes the place of another")
TOKEN_LIMIT(FREE,       8,    "wrong tokens of an address that are answered at once; one is forgiven each second")
TOKEN_LIMIT(HELD,       64,   "answers to wrong tokens that wait; beyond it the answer is 429, at once")
/* clang-format on */
