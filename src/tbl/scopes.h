/*
 * What a token may be for (docs/ADMIN.md). A token has one scope or more.
 * Columns: id, word, text.
 * Users: admin/token (enum scope, words), tests/check/routes.mjs (docs/ADMIN.md).
 */
/* clang-format off */
SCOPE(PURGE, "purge", "purge, by the API, by a method, and by the APIs of other caches")
SCOPE(READ,  "read",  "explain and status")
SCOPE(ADMIN, "admin", "everything: the other scopes, deploys, and the tokens themselves")
/* clang-format on */
