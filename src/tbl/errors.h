/*
 * What can be wrong with a message from a client or an origin.
 * Columns: id, status, word, limit, text.
 *   status  of the answer to a client that sent such a message; 0: no client can, only an origin
 *   word    for the access log and explain
 *   limit   of an origin's answer: the setting that raises the limit that the answer is over, or "-" when no
 *           setting does. "": the answer is over no limit, but malformed; or only a client can send it
 *   text    for people: log, error page, explain
 * An origin's answer that has one of these becomes a 502, with the reason origin-limit when it is over a
 * limit, else origin-invalid.
 * Users: http/error (enum http_error, and the columns by functions). http/head, http/framing, http/chunked
 * and http/url find errors; front and request answer clients; origin logs them.
 */
/* clang-format off */
ERROR(NONE,                       0,   "",                            "",                      "no error")
ERROR(LINE_ENDING,                400, "line-ending",                 "",                      "a line does not end in CR LF")
ERROR(REQUEST_LINE,               400, "request-line",                "",                      "malformed request line")
ERROR(STATUS_LINE,                0,   "status-line",                 "",                      "malformed status line")
ERROR(STATUS_LINE_TOO_LONG,       0,   "status-line-too-long",        "-",                     "status line of more than 8192 bytes")
ERROR(STATUS_CODE,                0,   "status-code",                 "",                      "a status that is none of 100 to 599")
ERROR(METHOD,                     400, "method",                      "",                      "malformed method")
ERROR(METHOD_REFUSED,             405, "method-refused",              "",                      "CONNECT and TRACE are not allowed here")
ERROR(VERSION,                    400, "version",                     "",                      "malformed or unknown HTTP version")
ERROR(VERSION_UNSUPPORTED,        505, "version-unsupported",         "",                      "only HTTP/1.0 and HTTP/1.1 are spoken here")
ERROR(LINE_TOO_LONG,              414, "line-too-long",               "",                      "request line too long")
ERROR(FIELD_NAME,                 400, "field-name",                  "",                      "malformed field name")
ERROR(FIELD_DISGUISED,            400, "field-disguised",             "",                      "a field name that others may read as one of framing or of a proxy, like Transfer_Encoding")
ERROR(FIELD_VALUE,                400, "field-value",                 "",                      "control character in a field value")
ERROR(FIELD_FOLDED,               400, "field-folded",                "",                      "a field value continues on the next line (obs-fold)")
ERROR(FIELDS_TOO_LARGE,           431, "fields-too-large",            "response_header_bytes", "header section too large")
ERROR(FIELDS_TOO_MANY,            431, "fields-too-many",             "response_header_count", "too many header fields")
ERROR(TARGET,                     400, "target",                      "",                      "malformed request target")
ERROR(TARGET_ENCODING,            400, "target-encoding",             "",                      "bad percent-encoding or control character in the path")
ERROR(HOST_MISSING,               400, "host-missing",                "",                      "Host is missing")
ERROR(HOST_REPEATED,              400, "host-repeated",               "",                      "more than one Host")
ERROR(HOST_INVALID,               400, "host-invalid",                "",                      "malformed Host")
ERROR(HOST_MISMATCH,              400, "host-mismatch",               "",                      "Host and request target name different hosts")
ERROR(MISDIRECTED,                421, "misdirected",                 "",                      "the certificate of this connection is not for that host; a connection of its own is")
ERROR(CONTENT_LENGTH,             400, "content-length",              "",                      "malformed Content-Length")
ERROR(CONTENT_LENGTH_REPEATED,    400, "content-length-repeated",     "",                      "more than one Content-Length")
ERROR(LENGTH_AND_ENCODING,        400, "length-and-encoding",         "",                      "both Content-Length and Transfer-Encoding")
ERROR(TRANSFER_ENCODING,          400, "transfer-encoding",           "",                      "a Transfer-Encoding other than chunked alone")
ERROR(TRANSFER_ENCODING_1_0,      400, "transfer-encoding-1-0",       "",                      "Transfer-Encoding in an HTTP/1.0 message")
ERROR(CONTENT_TYPE,               400, "content-type",                "",                      "more than one Content-Type")
ERROR(CONNECTION_NAMES,           400, "connection-names",            "",                      "Connection names a field that must not be removed")
ERROR(CONNECTION_TOO_LONG,        400, "connection-too-long",         "-",                     "Connection lists more than 64 names or 512 bytes")
ERROR(EXPECT,                     417, "expect",                      "",                      "unknown expectation")
ERROR(CHUNK_SIZE,                 400, "chunk-size",                  "",                      "malformed chunk size")
ERROR(CHUNK_EXTENSION,            400, "chunk-extension",             "",                      "malformed chunk extension")
ERROR(CHUNK_EXTENSIONS_TOO_LARGE, 400, "chunk-extensions-too-large",  "-",                     "chunk extensions of more than 16384 bytes")
ERROR(CHUNK_END,                  400, "chunk-end",                   "",                      "chunk data does not end where its size says")
ERROR(TRAILER,                    400, "trailer",                     "",                      "malformed trailer field")
ERROR(TRAILER_FORBIDDEN,          400, "trailer-forbidden",           "",                      "a trailer field that belongs into the head")
ERROR(TRAILERS_TOO_LARGE,         400, "trailers-too-large",          "-",                     "trailer section of more than 16384 bytes")
ERROR(BODY_TOO_LARGE,             413, "body-too-large",              "",                      "request body too large")
ERROR(BODY_TOO_SLOW,              408, "body-too-slow",               "",                      "the request body did not come in time")
ERROR(CODING_DAMAGED,             0,   "coding-damaged",              "",                      "the body is not in the coding that Content-Encoding says")
ERROR(CODING_BOMB,                0,   "coding-bomb",                 "-",                     "a body that becomes more than a thousand times as long when it is decoded")
ERROR(HTTP2_MESSAGE,              0,   "http2-message",               "",                      "a message that breaks the rules of HTTP/2")
ERROR(UPGRADE_UNASKED,            0,   "upgrade-unasked",             "",                      "a 101 to a request that asked for no upgrade")
ERROR(NOT_MODIFIED_UNASKED,       0,   "not-modified-unasked",        "",                      "a 304 to a request without a condition")
ERROR(INTERIMS_TOO_MANY,          0,   "interims-too-many",           "-",                     "more than 64 interim responses (1xx)")
/* clang-format on */
