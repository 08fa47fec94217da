/*
 * Why a response was not stored, not reused, or not made: the `detail` of Cache-Status (RFC 9211 §2.8), the
 * `reason` of the access log, the sentence of `freshet explain`.
 * Columns: id, detail, waiters, mark, sentence.
 *   waiters  What requests do that wait for a fetch with this end. A waiter with another key under the rule
 *            that the answer brought always looks again.
 *            GO    The answer is not stored: all waiters ask the origin at once, in parallel, since the next
 *                  answer would not be for all either. No answer came: all get the same error.
 *            LOOK  The waiters look again and one of them fetches for the others: the next answer may be for
 *                  all.
 *            SAME  All waiters get the same error. This reason never comes with an answer.
 *   mark     What the answer does to the mark of its key (cache/mark.h), which later requests meet.
 *            SETS    Requests do not wait for each other, as long as answers renew the mark.
 *            CLEARS  Such answers may be stored, so requests wait for each other.
 *            KEEPS   The answer says nothing about the page: the mark stays as it is.
 *   sentence What would change it.
 * Those of verdicts are among the first 64 (cache/object.h).
 * Users: cache/policy (verdicts), request (Cache-Status, errors, waiting), origin/fetch_judge (marks),
 * admin/explain.
 */
/* clang-format off */
REASON(NONE,              "",                   LOOK, CLEARS, "")
REASON(METHOD,            "method",             GO,   KEEPS,  "only GET is stored; this method passes")
REASON(BYPASS_RULE,       "bypass-rule",        GO,   KEEPS,  "a rule of the site says bypass; explain names it")
REASON(REDIRECT_RULE,     "redirect-rule",      SAME, KEEPS,  "a rule of the site redirects; explain names it")
REASON(REQUEST_BODY,      "request-body",       GO,   KEEPS,  "a GET or HEAD with a body passes")
REASON(UPGRADE,           "upgrade",            GO,   KEEPS,  "an upgraded connection passes")
REASON(NO_STORE,          "no-store",           GO,   SETS,   "the ruling header says no-store; remove it to store the page")
REASON(REQUEST_NO_STORE,  "request-no-store",   GO,   KEEPS,  "the request says no-store (honoured by client_directives)")
REASON(PRIVATE,           "private",            GO,   SETS,   "the ruling header says private; say public, or s-maxage, when the page is the same for all")
REASON(PRIVATE_VETO,      "private-veto",       GO,   SETS,   "Cache-Control says private or no-store, and the setting private_vetoes lets it overrule the targeted field")
REASON(SET_COOKIE,        "set-cookie",         GO,   SETS,   "the response sets a cookie; leave it out on pages for everyone, or see the setting set_cookie")
REASON(AUTHORIZATION,     "authorization",      LOOK, KEEPS,  "the request has Authorization and the ruling header has neither public nor s-maxage")
REASON(CONNECTION_AUTH,   "connection-auth",    GO,   SETS,   "the origin logs its visitors in by connection (NTLM, Negotiate): each visitor has a connection of its own, and nothing of it is stored")
REASON(NO_PERMISSION,     "no-permission",      GO,   SETS,   "nothing permits storing: send Netlify-CDN-Cache-Control or CDN-Cache-Control with max-age, or Cache-Control with s-maxage")
REASON(NO_LIFETIME,       "no-lifetime",        GO,   SETS,   "no lifetime, no stale window and no validator: send s-maxage, stale-while-revalidate or an ETag")
REASON(STATUS,            "status",             GO,   SETS,   "responses of this status are not stored (setting all_statuses)")
REASON(PARTIAL,           "partial",            GO,   SETS,   "a 206 is not a whole page")
REASON(NOT_UNDERSTOOD,    "must-understand",    GO,   SETS,   "must-understand with a status that is not known")
REASON(VARY_STAR,         "vary-star",          GO,   SETS,   "Vary: * makes every request another page")
REASON(VARY_INVALID,      "vary-invalid",       GO,   SETS,   "Netlify-Vary does not parse; mend it, a typo must not share one visitor's page")
REASON(VARY_CONFLICT,     "vary-conflict",      GO,   SETS,   "an answer other than 2xx names more in Vary or Netlify-Vary than the page's 2xx answers do")
REASON(UNKEYED_QUERY,     "unkeyed-query",      LOOK, CLEARS, "the request had query parameters that the page's rule leaves out; the next one stores")
REASON(UNKEYED_COOKIE,    "unkeyed-cookie",     LOOK, CLEARS, "the request had cookies that the page's rule leaves out; the next one is asked without them and stored. A page that depends on a cookie says so: Netlify-Vary: cookie=NAME")
REASON(BYPASS_COOKIE,     "bypass-cookie",      LOOK, KEEPS,  "the request has a cookie of the setting bypass_cookies: whoever is logged in or previews passes")
REASON(TAGS_LIMIT,        "tags-limit",         GO,   SETS,   "too many or too long cache tags: it could not be purged by all of them")
REASON(TARGETED_INVALID,  "targeted-invalid",   GO,   SETS,   "a targeted field does not parse and was ignored; directives are in lower case, without spaces around =, no comma is last, seconds are bare digits")
REASON(ASSET_MISSING,     "asset-missing",      GO,   SETS,   "the origin does not have this file of a build: below asset_prefixes a 404 is never stored, since during a deploy it may have it a moment later")
REASON(TOO_LARGE,         "too-large",          GO,   SETS,   "the body is larger than the setting object_bytes")
REASON(NO_MEMORY,         "no-memory",          GO,   KEEPS,  "no room in memory could be made for it")
REASON(DISK_FAILED,       "disk-failed",        SAME, KEEPS,  "a part of the stored response cannot be read from disk any more: its delivery was cut off; the next request asks the origin")
REASON(PURGED,            "purged",             LOOK, KEEPS,  "purged since it was stored; the next request brings a new one")
REASON(NOT_SHARED,        "not-shared",         LOOK, CLEARS, "a request that did not wait for another's fetch: its answer is not stored")
REASON(DEV,               "dev",                GO,   SETS,   "the setting store is false (profile dev)")
REASON(RANGE,             "range",              GO,   KEEPS,  "the page is known as too large or not shareable; its ranges pass")
REASON(REFRESHING,        "refreshing",         SAME, KEEPS,  "stale, a refresh runs in the background")
REASON(STALE_ERROR,       "stale-error",        SAME, KEEPS,  "stale, the origin failed")
REASON(STALE_BACKOFF,     "refresh-backoff",    SAME, KEEPS,  "stale, the last refresh failed and the next waits a little")
REASON(KEPT_ASSET,        "kept-asset",         LOOK, KEEPS,  "an asset of an earlier deploy, kept for pages that visitors still have open (setting keep_assets)")
REASON(ONLY_IF_CACHED,    "only-if-cached",     SAME, KEEPS,  "the request wants a stored response only and there is none")
REASON(HTTPS_REDIRECT,    "https-redirect",     SAME, KEEPS,  "the request came in clear, and the setting https_redirect sends such visitors to https")
REASON(NO_SITE,           "unknown-host",       SAME, KEEPS,  "no site of the configuration has this host")
REASON(BAD_REQUEST,       "bad-request",        SAME, KEEPS,  "the request is malformed")
REASON(LOOP,              "loop",               SAME, KEEPS,  "the request came through this freshet already")
REASON(CONNECT_FAILED,    "connect-failed",     SAME, KEEPS,  "the origin does not accept connections")
REASON(NO_SOCKET,         "no-socket",          SAME, KEEPS,  "freshet got no socket from the system; raise the limit of open files (LimitNOFILE, ulimit -n)")
REASON(ORIGIN_TLS,        "origin-tls",         SAME, KEEPS,  "no trusted TLS connection to the origin could be made")
REASON(ORIGIN_HTTP2,      "origin-http2",       SAME, KEEPS,  "the origin does not speak HTTP/2 as origin_http2 wants it")
REASON(CONNECT_TIMEOUT,   "connect-timeout",    SAME, KEEPS,  "the origin did not accept a connection in time")
REASON(RESOLVE_FAILED,    "resolve-failed",     SAME, KEEPS,  "the origin's host name has no address")
REASON(FIRST_BYTE_TIMEOUT,"first-byte-timeout", SAME, KEEPS,  "the origin did not answer in time")
REASON(BETWEEN_TIMEOUT,   "between-bytes-timeout", SAME, KEEPS,  "the origin paused too long in its answer")
REASON(ORIGIN_CLOSED,     "origin-closed",      SAME, KEEPS,  "the origin closed the connection before its answer was whole")
REASON(ORIGIN_INVALID,    "origin-invalid",     SAME, KEEPS,  "the origin's answer is malformed")
REASON(ORIGIN_LIMIT,      "origin-limit",       SAME, KEEPS,  "the origin's answer is over a limit of freshet's")
REASON(ORIGIN_STATUS,     "origin-error",       SAME, KEEPS,  "the origin answered with an error")
REASON(QUEUE_FULL,        "origin-queue-full",  SAME, KEEPS,  "too many requests wait for a connection to the origin")
REASON(QUEUE_TIMEOUT,     "origin-queue-timeout", SAME, KEEPS,  "waited too long for a connection to the origin")
REASON(ORIGIN_DRAINED,    "origin-drained",     SAME, KEEPS,  "all origins of the site are drained: freshet origin undrain")
REASON(GAVE_WAY,          "gave-way",           LOOK, KEEPS,  "a prefetch gave its place in the queue for the origin to a visitor's request")
REASON(TUNNEL_LIMIT,      "tunnel-limit",       SAME, KEEPS,  "too many upgraded connections")
REASON(STREAM_LIMIT,      "stream-limit",       SAME, KEEPS,  "too many answers without an end; see the setting streams")
REASON(DRAINING,          "draining",           LOOK, KEEPS,  "freshet is stopping")
REASON(HANDED_OVER,       "handed-over",        GO,   KEEPS,  "another freshet has taken over, and this one ends: what it was still asked, it asks the origin")
REASON(CLIENT_GONE,       "client-gone",        LOOK, KEEPS,  "the client went away before the answer was whole")
REASON(SLOW_READER,       "slow-reader",        SAME, KEEPS,  "memory was short and the client took less than the setting send_rate_min of a stored response")
REASON(SLOW_BODY,         "slow-body",          SAME, KEEPS,  "the client sent less of the request's body than the setting body_rate_min")
REASON(OVERLOAD,          "overload",           SAME, KEEPS,  "freshet is short of memory or connections: it gives up the slowest clients and answers from the cache alone; see the setting overhead")
REASON(CANCELLED,         "cancelled",          LOOK, KEEPS,  "nobody waits for the answer any more")
REASON(UPLOAD_FAILED,     "upload-failed",      SAME, KEEPS,  "the request's body did not arrive whole")
/* clang-format on */
