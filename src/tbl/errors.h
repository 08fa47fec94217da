/*
 * What can be wrong with a message from a client or an origin.
 * Columns: id, status for a client that sent it, text for people (log, error page, `freshet explain`).
 * From an origin every one of them is a 502.
 * Users: http/head, http/framing, http/chunked, http/url (results); front (answer); origin (log).
 */
/* clang-format off */
ERROR(NONE,                  0,   "no error")
ERROR(LINE_ENDING,           400, "a line does not end in CR LF")
ERROR(REQUEST_LINE,          400, "malformed request line")
ERROR(STATUS_LINE,           400, "malformed status line")
ERROR(METHOD,                400, "malformed method")
ERROR(METHOD_REFUSED,        405, "CONNECT and TRACE are not allowed here")
ERROR(VERSION,               400, "malformed or unknown HTTP version")
ERROR(VERSION_UNSUPPORTED,   505, "only HTTP/1.0 and HTTP/1.1 are spoken here")
ERROR(LINE_TOO_LONG,         414, "request line too long")
ERROR(FIELD_NAME,            400, "malformed field name")
ERROR(FIELD_VALUE,           400, "control character in a field value")
ERROR(FIELD_FOLDED,          400, "a field value continues on the next line (obs-fold)")
ERROR(FIELDS_TOO_LARGE,      431, "header section too large")
ERROR(FIELDS_TOO_MANY,       431, "too many header fields")
ERROR(TARGET,                400, "malformed request target")
ERROR(TARGET_ENCODING,       400, "bad percent-encoding or control character in the path")
ERROR(HOST_MISSING,          400, "Host is missing")
ERROR(HOST_REPEATED,         400, "more than one Host")
ERROR(HOST_INVALID,          400, "malformed Host")
ERROR(HOST_MISMATCH,         400, "Host and request target name different hosts")
ERROR(CONTENT_LENGTH,        400, "malformed or repeated Content-Length")
ERROR(LENGTH_AND_ENCODING,   400, "both Content-Length and Transfer-Encoding")
ERROR(TRANSFER_ENCODING,     400, "malformed or unknown Transfer-Encoding")
ERROR(TRANSFER_ENCODING_1_0, 400, "Transfer-Encoding in an HTTP/1.0 message")
ERROR(CONTENT_TYPE,          400, "more than one Content-Type")
ERROR(CONNECTION_NAMES,      400, "Connection names a field that must not be removed")
ERROR(EXPECT,                417, "unknown expectation")
ERROR(CHUNK_SIZE,            400, "malformed chunk size")
ERROR(CHUNK_EXTENSION,       400, "malformed or too long chunk extension")
ERROR(CHUNK_END,             400, "chunk data does not end where its size says")
ERROR(TRAILER,               400, "malformed or forbidden trailer field")
ERROR(BODY_TOO_LARGE,        413, "request body too large")
/* clang-format on */
