/*
 * Methods that the IANA registry calls safe: they change nothing, so their answers invalidate nothing (RFC 9110 §9.2.1, CACHING.md 5.5).
 * A method that is not here is unsafe. PRI is not: it is the preface of HTTP/2 and no request.
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
