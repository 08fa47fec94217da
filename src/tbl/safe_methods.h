/*
 * Methods that the IANA registry calls safe. They change nothing, so their answers invalidate nothing (RFC
 * 9110 §9.2.1, CACHING.md 5.5). A method without a row is unsafe. PRI has no row: it is HTTP/2's preface and
 * no request.
 * Columns: name.
 * Users: http/head (method_is_safe).
 */
/* clang-format off */
SAFE_METHOD("GET")
SAFE_METHOD("HEAD")
SAFE_METHOD("OPTIONS")
SAFE_METHOD("PROPFIND")
SAFE_METHOD("QUERY")
SAFE_METHOD("REPORT")
SAFE_METHOD("SEARCH")
SAFE_METHOD("TRACE")
/* clang-format on */
