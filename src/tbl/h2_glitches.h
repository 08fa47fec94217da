/*
 * What an HTTP/2 client may do, but not often: it costs us more than the client (RFC 9113 §10.5). Columns:
 * id, burst, per_s, text.
 *   burst  so many at once on one connection
 *   per_s  so many each second in the long run
 *   text   what the client did too often, for the log and the debug data of GOAWAY
 * One more than that ends the connection with ENHANCE_YOUR_CALM. What a client has reason to do is taken
 * back: some for each request that begins, some for each DATA frame that we send (http/h2_calm.c). A browser
 * stays below a tenth of each. Users: http/h2_calm (enum h2_glitch, and the columns).
 */
/* clang-format off */
H2_GLITCH(RESET_BY_CLIENT,   200,  20, "streams reset before their answer (CVE-2023-44487)")
H2_GLITCH(RESET_BY_US,       100,  10, "streams that were wrong or refused (CVE-2025-8671)")
H2_GLITCH(SETTINGS,           32,   2, "SETTINGS frames (CVE-2019-9515)")
H2_GLITCH(PING,               64,   8, "PING frames (CVE-2019-9512)")
H2_GLITCH(PRIORITY,          512, 100, "PRIORITY and PRIORITY_UPDATE frames")
H2_GLITCH(EMPTY,              64,   4, "frames with neither content nor end of stream (CVE-2019-9518)")
H2_GLITCH(TINY_WINDOW,      1024,  64, "WINDOW_UPDATE frames of less than 1024 bytes (CVE-2019-9511)")
H2_GLITCH(ON_CLOSED,        1024,  64, "frames on closed streams")
H2_GLITCH(UNKNOWN,           256,  16, "frames of unknown types")
H2_GLITCH(LARGE_HEAD,         32,   2, "heads over a limit (CVE-2016-6581)")
H2_GLITCH(TABLE_SIZE,         64,   4, "changes of the HPACK table's size, which empty it")
/* clang-format on */
