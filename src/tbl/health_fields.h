/*
 * The fields of the active checks of a site's origins (`health:`).
 * Columns: type, name, least, most, text; as in tbl/settings.h.
 * Users: conf/shape (names, types, limits), conf/document (documentation), conf/health (what they mean).
 */
/* clang-format off */
ENTRY_FIELD(TEXT,  path,    ANY, 1, "What each origin is asked for by GET: /healthz.")
ENTRY_FIELD(TIME,  every,   500, 3600000, "The time between two checks; 5s when it is left out.")
ENTRY_FIELD(TIME,  timeout, 100, 600000, "How long a check may take; 2s when it is left out.")
ENTRY_FIELD(LIST,  expect,  ANY, 0, "Statuses of one that is up: 200, 2xx, 200-399. 2xx and 3xx when it is left out.")
ENTRY_FIELD(COUNT, fall,    1, 100, "After so many failed checks in a row it is down; 3 when it is left out.")
ENTRY_FIELD(COUNT, rise,    1, 100, "After so many good checks in a row it is up again; 2 when it is left out.")
/* clang-format on */
