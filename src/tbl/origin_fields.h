/*
 * The fields of an origin that is written as a block (`origin:` of a site).
 * Columns: type, name, least, most, text; as in tbl/settings.h.
 * Users: conf/shape (names, types, limits), conf/document (documentation), conf/node (what they mean).
 */
/* clang-format off */
ENTRY_FIELD(TEXT,  url,    ORIGIN, 1, "Where it is: http://HOST[:PORT], https://HOST[:PORT] or unix:/path/to/socket.")
ENTRY_FIELD(COUNT, weight, 1, 100, "How much it gets, beside the others; 1 when it is left out.")
ENTRY_FIELD(BOOL,  backup, 0, 0, "true: it gets requests only while no other is healthy.")
/* clang-format on */
