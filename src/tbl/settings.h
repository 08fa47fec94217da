/*
 * Every setting: one list for the structs, the YAML reader, its errors, the example file and
 * docs/CONFIGURATION.md.
 * Columns: scope, type, name, default, least, most, class, text.
 *   scope   PROCESS (top of the file) or SITE (inside `sites:`; at the top it is the default of all sites)
 *   type    BOOL  true|false                              bool
 *           COUNT a whole number                          int64_t
 *           BYTES 4096, 64K, 256M, 2G (powers of 1024)    int64_t
 *           TIME  500ms, 10s, 5m, 2h, 1d; bare: seconds   int64_t, milliseconds
 *           TEXT  a string; "" is none                    struct str
 *           LIST  a sequence of strings, or one string    struct strs
 *           CHOICE one of the words in the most column    int, the word's place
 *           MAPS  a list of blocks, in the file only      struct maps
 *   default as it would stand in the file
 *   least, most
 *           of numbers, in the type's unit (TIME: milliseconds). CHOICE: 0 and the words. TEXT and LIST: the
 *           form of each string (conf/form.h), and 1 when the value may not be empty. BOOL: 0, 0. MAPS: the
 *           shape of an entry (conf/shape.h), and how many entries there may be
 *   class   what a change needs. SERVE: a reload, which just uses it. KEY (it changes keys) or STORE (it
 *           changes what is stored): a reload, which purges everything of the site. START: a restart
 *   text    of the documentation: what it is for, in words of docs/GLOSSARY.md
 * SETTING_SECTION(scope, title) is a heading of the documentation. A user of this list that needs no headings
 * leaves it undefined; the list undefines it at its end.
 * Profiles (isr, rfc9111, dev) are other defaults: tbl/profiles.h.
 * Users: conf/settings (structs), conf/setting (numbers, types, limits), conf/document (documentation),
 * conf/cli (flags).
 */
/* clang-format off */
#ifndef SETTING_SECTION
#define SETTING_SECTION(scope, title)
#endif

  SETTING_SECTION(PROCESS, "Listening, administration, memory")
SETTING(PROCESS, LIST,  listen,              "127.0.0.1:8080", ADDRESS, 1, START, "Addresses to serve on: ADDR:PORT, [V6]:PORT, unix:/path; :PORT or PORT alone listens on all addresses of the machine.")
SETTING(PROCESS, LIST,  https,               "", ADDRESS, 0, START, "Addresses to serve on with TLS, written like those of listen. The certificates are those of `cert`.")
SETTING(PROCESS, COUNT, https_port,          "0",              0, 65535, SERVE, "The port that visitors reach https at, for https_redirect. 0: that of the first address of https; 443 when there is none.")
SETTING(PROCESS, LIST,  proxy_protocol,      "", ADDRESS, 0, START, "Those addresses of listen and https, as they stand there, at which each connection begins with a header of the PROXY protocol (version 1 or 2) that names the visitor. Only trusted_proxies may connect there.")
SETTING(PROCESS, BOOL,  http2,               "true",           0, 0, SERVE, "Offer HTTP/2 to visitors with TLS.")
SETTING(PROCESS, BOOL,  http2_clear,         "false",          0, 0, SERVE, "Speak HTTP/2 without TLS too, with clients that begin with it (prior knowledge): for a proxy in front that does.")
SETTING(PROCESS, COUNT, http2_streams,       "100",            1, 1024, SERVE, "Requests at once on one connection of HTTP/2. A client that begins more has them refused, and may ask again. Holds for new connections, like the next two.")
SETTING(PROCESS, BYTES, http2_window,        "64K",            1024, 16777216, SERVE, "So much of one request's body is taken over HTTP/2 before its origin takes it. More for fast uploads from afar.")
SETTING(PROCESS, BYTES, http2_connection_window, "1M",         65536, 134217728, SERVE, "The same for all requests of a connection together.")
SETTING(PROCESS, TEXT,  admin,               "127.0.0.1:8081", ADDRESS, 0, START, "Address of the admin listener (purge, explain, status, metrics), written like those of listen. \"\" turns it off.")
SETTING(PROCESS, TEXT,  token,               "", SECRET, 0, START, "The admin token. Better in FRESHET_TOKEN or token_file. Empty: made on first start and kept in the state folder.")
SETTING(PROCESS, TEXT,  token_file,          "", PATH, 0, START, "A file whose first line is the admin token.")
SETTING(PROCESS, TEXT,  state,               "", PATH, 0, START, "The state folder, one for each freshet: its token, its purges and deploys. Empty: $XDG_STATE_HOME/freshet or ~/.local/state/freshet.")
SETTING(PROCESS, TEXT,  user,                "", USER, 0, START, "The user that freshet becomes, once its ports are bound and what only root may read is open: NAME or NAME:GROUP. Only for a start by root.")
SETTING(PROCESS, CHOICE, sandbox,            "on",             0, "on|off", START, "on: freshet opens only the files and makes only the system calls that it needs, as far as the kernel can hold it to that (docs/TROUBLESHOOTING.md says what to do when it refuses too much).")
SETTING(PROCESS, BOOL,  core_dumps,          "false",          0, 0, START, "true: when freshet crashes, the system may keep its memory in a file, and debuggers of its own user may look into it. Tokens and pages are in there.")
SETTING(PROCESS, COUNT, workers,             "0",              0, 256, START, "Worker threads; 0: one per core.")
SETTING(PROCESS, CHOICE, io,                 "auto",           0, "auto|io_uring|epoll", START, "How sockets are read and written: io_uring where the kernel allows it (Linux 6.1), else epoll; or just one of them.")
SETTING(PROCESS, BYTES, memory,              "256M",           1048576, 1099511627776, START, "Memory for the cache: heads, bodies, keys and index together.")
SETTING(PROCESS, BYTES, overhead,            "256M",           16777216, 1099511627776, START, "Memory for everything else: connections, requests, uploads, responses that pass through, the names of purges. Near it freshet saves, cuts off the slowest clients, answers from the cache alone, and pauses accepting, in this order.")
SETTING(PROCESS, BYTES, disk,                "1G",             0, 70368744177664, START, "Room for pages on disk, in the state folder: what does not fit in memory, and what is there again after a restart. At least 4M; 0: none. Its index has at most an eighth of `memory`: a million pages for 256M; beyond that the oldest leave.")
SETTING(PROCESS, BYTES, disk_rate,           "100M",           0, 1099511627776, START, "Bytes a second that are written to disk at most; what comes faster stays in memory alone. 0: as fast as it goes.")
SETTING(PROCESS, COUNT, kept_assets_share,   "25",             0, 90, SERVE, "Percent of `memory` that assets of earlier deploys may take, of all sites together (docs/DEPLOYS.md).")
SETTING(PROCESS, TEXT,  access_log,          "", PATH, 0, START, "Where the access log goes: a path, - for standard output, empty for none. One JSON object a line; SIGUSR1 reopens it.")
SETTING(PROCESS, LIST,  trusted_proxies,     "", NETWORK, 0, SERVE, "Networks of the proxies in front, like 10.0.0.0/8, \"::1\" or unix: freshet believes the X-Forwarded-* fields of these alone.")
SETTING(PROCESS, TEXT,  country_database,    "", PATH, 0, START, "A MaxMind DB file with countries, for `country=` in Netlify-Vary.")

  SETTING_SECTION(PROCESS, "Limits and time-outs")
SETTING(PROCESS, COUNT, connections,         "0",              0, 10000000, START, "Client connections at once, all workers together; 0: what the descriptor limit allows. At the limit freshet stops accepting.")
SETTING(PROCESS, COUNT, client_connections,  "0",              0, 10000000, SERVE, "Connections at once of one client's address (IPv6: of its /64), all workers together; more get 429. 0: a quarter of what all clients may have, and any number from this machine itself. trusted_proxies and Unix sockets have no such limit.")
SETTING(PROCESS, TIME,  header_timeout,      "10s",            100, 3600000, SERVE, "How long the head of a request may take, from its first byte or from the connection's start.")
SETTING(PROCESS, TIME,  idle_timeout,        "60s",            100, 86400000, SERVE, "How long a client's connection may be idle between requests.")
SETTING(PROCESS, TIME,  body_timeout,        "30s",            100, 3600000, SERVE, "The longest pause in a request's body.")
SETTING(PROCESS, BYTES, body_rate_min,       "256",            0, 1073741824, SERVE, "Bytes a second that a client must send of a request's body, on the average; a pause may take body_timeout. Slower clients are cut off. 0: none.")
SETTING(PROCESS, TIME,  send_timeout,        "60s",            100, 3600000, SERVE, "How long a client may take no byte of a response before it is cut off.")
SETTING(PROCESS, BYTES, send_rate_min,       "2K",             0, 1073741824, SERVE, "Bytes a second that a client must take of a stored response while memory is short; slower clients are cut off. 0: none.")
SETTING(PROCESS, TIME,  drain_timeout,       "30s",            0, 3600000, SERVE, "After SIGTERM: how long requests and tunnels may go on before freshet cuts them off.")
SETTING(PROCESS, BYTES, request_line,        "8K",             256, 65536, SERVE, "Longest request line. Longer: 414. Keep it at or below the origin's own limit.")
SETTING(PROCESS, BYTES, header_bytes,        "16K",            1024, 262144, SERVE, "Largest header section, of requests. Larger: 431.")
SETTING(PROCESS, COUNT, header_count,        "100",            8, 1000, SERVE, "Most header lines, of requests. More: 431.")
SETTING(PROCESS, BYTES, response_header_bytes, "64K",          1024, 1048576, SERVE, "Largest header section of an origin's response. Larger: 502.")
SETTING(PROCESS, COUNT, response_header_count, "256",          8, 1000, SERVE, "Most header lines of an origin's response. More: 502.")
SETTING(PROCESS, BYTES, request_body,        "1G",             0, 1099511627776, SERVE, "Largest request body. Larger: 413.")
SETTING(PROCESS, COUNT, keepalive_requests,  "100000",         1, 1000000000, SERVE, "Requests on one client connection before it is closed.")
SETTING(PROCESS, COUNT, tunnels,             "1024",           0, 1000000, SERVE, "Upgraded connections (WebSocket) at once, all workers together. More: 503.")
SETTING(PROCESS, TIME,  tunnel_timeout,      "10m",            100, 86400000, SERVE, "How long a tunnel may be silent in both directions; also how long an event stream (text/event-stream) may be silent.")
SETTING(PROCESS, COUNT, streams,             "4096",           0, 1000000, SERVE, "Answers without an end at once, all workers together: event streams (more: 503), and bodies of unknown length that pass for 10 s.")
SETTING(PROCESS, COUNT, purge_rate,          "0",              0, 1000000, SERVE, "Purge requests a second before the admin answers 429; 0: no limit. A refused purge leaves a stale page.")

  SETTING_SECTION(PROCESS, "Certificates that come by themselves (ACME)")
SETTING(PROCESS, TEXT,  acme_email,          "", EMAIL, 0, SERVE, "Where the CA may write to when something is wrong with the certificates. Empty: nowhere. Whoever lets freshet ask a CA agrees to its terms.")
SETTING(PROCESS, TEXT,  acme_directory,      "", DIRECTORY, 0, SERVE, "The CA that is asked: the URL of its directory, or `staging` for certificates of Let's Encrypt that no browser believes, to try things out. Empty: Let's Encrypt, when an address of https can be reached by others than this machine.")
SETTING(PROCESS, TEXT,  acme_ca,             "", PATH, 0, SERVE, "A PEM file of the authorities that sign for the CA's own server, in place of the system's: for a CA of one's own. A relative path is taken from the configuration's folder.")
SETTING(PROCESS, TEXT,  acme_eab_kid,        "", SECRET, 0, SERVE, "The name of the account that you have at the CA already (external account binding), for CAs that want it.")
SETTING(PROCESS, TEXT,  acme_eab_key,        "", SECRET, 0, SERVE, "The key to it, in base64url, as the CA gave it to you.")
SETTING(PROCESS, TEXT,  acme_dns_hook,       "", PATH, 0, START, "A program that puts records into DNS, for `acme_challenge: dns-01`. It is called as PROGRAM present NAME VALUE, and later as PROGRAM cleanup NAME VALUE; NAME is _acme-challenge.HOST, its TXT record is to have VALUE. It ends with 0 when the record can be seen.")

  SETTING_SECTION(SITE, "Site and origin")
SETTING(SITE, LIST,  hosts,                  "", HOSTS, 0, KEY, "Host names of this site; *.example.com for all below. Empty: every host that no other site names.")
SETTING(SITE, LIST,  cert,                   "", PATH, 0, SERVE, "Files of certificates for this site's hosts at the addresses of https: PEM, the site's own certificate first, then its chain; one of ECDSA and one of RSA may stand side by side. A changed file is taken as it comes. A relative path is taken from the configuration's folder.")
SETTING(SITE, LIST,  key,                    "", PATH, 0, SERVE, "The files of their private keys, in the same order, PEM without a password. Empty: each is in the file of its certificate.")
SETTING(SITE, BOOL,  https_redirect,         "false",          0, 0, SERVE, "true: requests in clear are redirected (308) to the same URL with https, but for those below /.well-known/acme-challenge/. Behind a trusted proxy its X-Forwarded-Proto counts.")
SETTING(SITE, TIME,  hsts,                   "0",              0, 315360000000, SERVE, "Strict-Transport-Security in answers by https: for how long browsers come by https alone (RFC 6797). Begin with 5m; 365d when all works, since nothing takes it back. 0: none. A field of the site's own counts instead.")
SETTING(SITE, BOOL,  hsts_subdomains,        "false",          0, 0, SERVE, "hsts is for all hosts below this one, too.")
SETTING(SITE, BOOL,  hsts_preload,           "false",          0, 0, SERVE, "The site may be put into the list that browsers come with (hstspreload.org). Wants hsts of 365d and hsts_subdomains; it takes months to get out of.")
SETTING(SITE, LIST,  origin,                 "", ORIGINS, 1, KEY, "Where the site runs: http://HOST[:PORT], https://HOST[:PORT] or unix:/path/to/socket; several, when it runs more than once (docs/ORIGINS.md). A reload purges only when none of them stays.")
SETTING(SITE, MAPS,  health,                 "", HEALTH, 1, SERVE, "freshet asks each origin for a path now and then, and one that does not answer as it should gets no requests while another does. Without it the answers to requests alone tell.")
SETTING(SITE, TIME,  slow_start,             "10s",            0, 3600000, SERVE, "Of several origins, one that is new or well again gets its part of the requests bit by bit, over this time. 0: all of it at once.")
SETTING(SITE, TEXT,  origin_ca,              "", PATH, 0, SERVE, "A file of the authorities (PEM) that an https:// origin's certificate must be of. Empty: those of the system.")
SETTING(SITE, TEXT,  origin_server_name,     "", SERVER, 0, SERVE, "The name that an https:// origin's certificate must be for, and that freshet asks for (SNI). Empty: the host of `origin`.")
SETTING(SITE, TEXT,  origin_cert,            "", PATH, 0, SERVE, "The certificate that freshet shows to an https:// origin that wants one, with its chain: a PEM file. Empty: none.")
SETTING(SITE, TEXT,  origin_key,             "", PATH, 0, SERVE, "The private key of origin_cert, PEM without a password. Empty: it is in the same file.")
SETTING(SITE, BOOL,  origin_insecure,        "false",          0, 0, SERVE, "true: whoever answers for an https:// origin is believed, whatever its certificate says. Only for trying out: freshet warns at each start.")
SETTING(SITE, CHOICE, origin_http2,          "off",            0, "off|auto|only", SERVE, "HTTP/2 to the origin. auto: an https:// origin is offered it (ALPN), and spoken to by what it chooses; an http:// one by HTTP/1.1. only: nothing else, and to http:// and unix: origins without being asked (prior knowledge).")
SETTING(SITE, TEXT,  host,                   "", HOST, 0, KEY, "Host that freshet sends to the origin instead of the visitor's.")
SETTING(SITE, BOOL,  end_unsafe,             "true",           0, 0, SERVE, "true: when a client leaves before the answer, freshet ends its POST, PUT, PATCH or DELETE at the origin too; false: the origin finishes it.")
SETTING(SITE, TIME,  connect_timeout,        "5s",             10, 600000, SERVE, "How long connecting to the origin may take. Over: 504.")
SETTING(SITE, TIME,  origin_retry,           "0",              0, 600000, SERVE, "How long freshet tries an idempotent request again while the origin refuses connections; 2s helps during its restart.")
SETTING(SITE, TIME,  origin_resolve,         "30s",            1000, 86400000, SERVE, "freshet resolves the origin's name again after this time. It uses the old addresses meanwhile.")
SETTING(SITE, TIME,  origin_connection_age,  "5m",             1000, 86400000, SERVE, "How long a connection to the origin gets new requests.")
SETTING(SITE, TIME,  first_byte_timeout,     "60s",            10, 3600000, SERVE, "How long the origin may take from the request sent to the head of its response. Over: 504.")
SETTING(SITE, TIME,  continue_timeout,       "1s",             0, 60000, SERVE, "A client asks whether to send its body (Expect: 100-continue): how long freshet waits for the origin's answer before it says yes. 0: at once.")
SETTING(SITE, TIME,  between_bytes_timeout,  "60s",            10, 3600000, SERVE, "The longest pause in the origin's response. Event streams have tunnel_timeout.")
SETTING(SITE, TIME,  origin_idle_timeout,    "4s",             0, 3600000, SERVE, "How long an idle connection to the origin is kept for reuse. Node closes its own after 5 s.")
SETTING(SITE, CHOICE, upload_length,         "stream",         0, "stream|buffer", SERVE, "stream: a chunked upload goes to the origin as it comes. buffer: freshet collects it first and sends it with a Content-Length, for origins that need one.")
SETTING(SITE, BYTES, upload_buffer,          "1M",             1024, 67108864, SERVE, "Largest upload that upload_length: buffer collects. Larger: 413.")
SETTING(SITE, COUNT, origin_connections,     "256",            1, 100000, SERVE, "Connections to the origin in use at once, all workers together. Uploads that still come have half of them at most. Tunnels and streams are counted apart.")
SETTING(SITE, COUNT, origin_queue,           "1024",           0, 1000000, SERVE, "Fetches that may wait for a connection to the origin; half of them uploads that still come. More: 503.")
SETTING(SITE, TIME,  queue_timeout,          "10s",            10, 600000, SERVE, "How long a fetch waits for a connection to the origin. Over: 503.")

  SETTING_SECTION(SITE, "Which headers rule")
SETTING(SITE, LIST,  cdn_cache_control,      "[Netlify-CDN-Cache-Control, CDN-Cache-Control]", FIELD, 0, STORE, "Targeted fields, best first; the first that is present and parses rules alone, else Cache-Control.")
SETTING(SITE, BOOL,  strip_cdn_headers,      "false",          0, 0, STORE, "Remove all fields meant for CDNs from responses: also CDN-Cache-Control, Cache-Tag and Netlify-Vary.")
SETTING(SITE, TEXT,  debug_secret,           "", SECRET, 0, SERVE, "A request with X-Freshet-Debug: SECRET sees the removed fields with the prefix Debug-.")

  SETTING_SECTION(SITE, "Certificates that come by themselves")
SETTING(SITE, CHOICE, acme,                  "on",             0, "on|off", SERVE, "on: with an address in https, and neither cert nor key, freshet gets certificates for the site's hosts from a CA (acme_directory), and renews them in time.")
SETTING(SITE, CHOICE, acme_challenge,        "http-01",        0, "http-01|tls-alpn-01|dns-01", SERVE, "How the CA sees that the hosts are yours: it asks them at port 80 (listen), at port 443 (https), or looks into DNS (acme_dns_hook; the one way for hosts with a `*`).")

  SETTING_SECTION(SITE, "What is stored")
SETTING(SITE, BOOL,  store,                  "true",           0, 0, STORE, "false: freshet stores nothing; Cache-Status says what it would have stored.")
SETTING(SITE, BOOL,  explicit_only,          "true",           0, 0, STORE, "Store only what the origin's headers permit explicitly; false: also by heuristics (RFC 9111 4.2.2).")
SETTING(SITE, BOOL,  all_statuses,           "false",          0, 0, STORE, "Store any final status with explicit permission; false: 2xx, 3xx, 404, 410, 451.")
SETTING(SITE, CHOICE, set_cookie,            "refuse",         0, "refuse|strip|store", STORE, "A response with Set-Cookie is: not stored; stored without the cookie; stored with it.")
SETTING(SITE, BOOL,  authorization_must_revalidate, "false",   0, 0, STORE, "must-revalidate permits storing answers to requests with Authorization (RFC 9111 3.5).")
SETTING(SITE, BOOL,  s_maxage_forbids_stale, "false",          0, 0, STORE, "s-maxage voids the stale windows (RFC 9111 5.2.2.10).")
SETTING(SITE, BOOL,  stale_on_error,         "false",          0, 0, STORE, "Serve stale when the origin fails, also without stale-if-error (RFC 9111 4.2.4).")
SETTING(SITE, BOOL,  client_directives,      "false",          0, 0, SERVE, "Honour Cache-Control and Pragma of requests. A visitor can then bypass the cache.")
SETTING(SITE, BOOL,  store_post,             "false",          0, 0, STORE, "Store a POST's answer for GET when its Content-Location is its own URL (RFC 9110 9.3.3).")
SETTING(SITE, BOOL,  combine_parts,          "false",          0, 0, STORE, "Store and combine partial content (RFC 9111 3.3, 3.4).")

  SETTING_SECTION(SITE, "Rules")
SETTING(SITE, MAPS,  rules,                  "", RULE, 200, STORE, "What the app does not say: a list of rules, in order; of each action the first rule that matches counts.")
SETTING(SITE, TEXT,  headers_file,           "", PATH, 0, STORE, "A file of headers by path, as static hosts have it (_headers); its lines are rules behind those of rules. A relative path is taken from the configuration's folder.")
SETTING(SITE, CHOICE, preset,                "none",           0, "none|wordpress|woocommerce|mediawiki|drupal|nextjs|static", STORE, "Ready rules for an app, behind the site's own.")

  SETTING_SECTION(SITE, "Answers")
SETTING(SITE, BOOL,  default_browser_revalidate, "true",       0, 0, STORE, "Without Cache-Control and Expires from the origin, tell browsers to ask again each time.")
SETTING(SITE, BOOL,  generate_etag,          "true",           0, 0, SERVE, "Make an ETag of the body when the origin gives no validator.")
SETTING(SITE, BOOL,  accept_ranges,          "true",           0, 0, STORE, "Say Accept-Ranges: bytes on stored pages, when the origin says nothing about ranges.")
SETTING(SITE, COUNT, ranges,                 "8",              1, 64, SERVE, "Most ranges of one request answered as multipart; with more the whole body is sent.")
SETTING(SITE, BOOL,  early_hints,            "false",          0, 0, STORE, "Tell visitors who wait for a page its links preload, modulepreload and preconnect, as its stored answer had them, before it is there (103 Early Hints; HTTP/2 only).")
SETTING(SITE, BOOL,  netlify_status,         "false",          0, 0, SERVE, "Cache-Status as Netlify writes it (\"Netlify Edge\"; hit; fwd=stale), for clients that look for it.")

  SETTING_SECTION(SITE, "Compression")
SETTING(SITE, BOOL,  compress,               "true",           0, 0, KEY, "Ask the origin for pages without compression, once for all visitors, and compress what is stored: br, zstd or gzip, as each visitor takes it. false: each set of codings that visitors accept is another page of the origin's.")
SETTING(SITE, LIST,  compress_types,         "[text/*, application/json, application/*+json, application/javascript, application/x-javascript, application/xml, application/*+xml, application/wasm, image/svg+xml, image/x-icon, image/bmp, font/ttf, font/otf, application/vnd.ms-fontobject]", MEDIA_TYPE, 0, STORE, "Types that are compressed; one * stands for any characters.")
SETTING(SITE, BYTES, compress_least,         "512",            0, 1073741824, STORE, "Shorter bodies are not compressed.")
SETTING(SITE, BYTES, compress_most,          "8M",             1024, 67108864, SERVE, "Longer bodies are not compressed.")
SETTING(SITE, COUNT, compress_often,         "64",             0, 1000000000, SERVE, "From this many hits on a page is compressed once more, with the best level. 0: never.")
SETTING(SITE, COUNT, compress_br,            "5",              0, 11, SERVE, "Level of br at first.")
SETTING(SITE, COUNT, compress_br_best,       "11",             0, 11, SERVE, "Level of br for pages that are asked for often.")
SETTING(SITE, COUNT, compress_zstd,          "6",              1, 19, SERVE, "Level of zstd at first.")
SETTING(SITE, COUNT, compress_zstd_best,     "19",             1, 19, SERVE, "Level of zstd for pages that are asked for often.")
SETTING(SITE, COUNT, compress_gzip,          "6",              1, 9, SERVE, "Level of gzip at first.")
SETTING(SITE, COUNT, compress_gzip_best,     "9",              1, 9, SERVE, "Level of gzip for pages that are asked for often.")

  SETTING_SECTION(SITE, "Cache key")
SETTING(SITE, CHOICE, query,                 "sorted",         0, "sorted|raw", KEY, "How the whole query is compared: parameters in any order, or byte for byte.")
SETTING(SITE, CHOICE, unkeyed_query,         "strip",          0, "strip|forward", KEY, "Query parameters that the page's rule leaves out: removed from the request to the origin, or forwarded.")
SETTING(SITE, LIST,  ignore_query,           "[tracking]", PARAM, 0, KEY, "Query parameters removed from key and request; `tracking` is the list of the known ones.")
SETTING(SITE, CHOICE, unkeyed_cookies,       "strip",          0, "strip|forward", KEY, "Cookies that the page's rule leaves out: removed from the request to the origin, or forwarded.")
SETTING(SITE, LIST,  ignore_cookies,         "[analytics]", COOKIE, 0, KEY, "Cookies that never count: removed from key and request. NAME, with one * for any characters; `analytics` is the list of the known ones.")

  SETTING_SECTION(SITE, "Visitors who are somebody")
SETTING(SITE, LIST,  bypass_cookies,         "[preview, logged-in]", COOKIE, 0, STORE, "A request with such a cookie passes: it is neither answered from the cache nor stored, but for assets. NAME, with one * for any characters; `preview` and `logged-in` are lists of the known ones.")
SETTING(SITE, BOOL,  private_vetoes,         "false",          0, 0, STORE, "private or no-store in Cache-Control forbids storing also beside a targeted field that permits it (RFC 9213 says the targeted field alone counts).")
SETTING(SITE, LIST,  asset_prefixes,         "[/_next/static/, /_nuxt/, /_app/immutable/, /_astro/, /assets/]", FOLDER, 0, STORE, "Where the site's build keeps its scripts, styles and pictures. One that begins with /_ counts below any folder too.")

  SETTING_SECTION(SITE, "Tags and purges")
SETTING(SITE, LIST,  tag_headers,            "[Netlify-Cache-Tag, Cache-Tag]", TAG_HEADER, 0, STORE, "Response fields with cache tags, the first present counts. NAME, or NAME:space, NAME:either for other separators than a comma.")
SETTING(SITE, COUNT, tags,                   "500",            0, 10000, STORE, "Most tags of one response; a response with more is not stored.")
SETTING(SITE, COUNT, tag_bytes,              "1024",           1, 8192, STORE, "Longest tag; a response with a longer one is not stored.")
SETTING(SITE, LIST,  purge_from,             "", NETWORK, 0, SERVE, "Networks whose PURGE, BAN, PURGEKEYS and PURGETAGS requests to the site itself purge it; others get 405. Behind a trusted proxy the visitor's address counts.")
SETTING(SITE, TEXT,  purge_path,             "", URL_PATH, 0, SERVE, "Below this path GET purges, for the networks of purge_from: with /purge, GET /purge/blog/ purges /blog/ (Nginx Helper).")
SETTING(SITE, MAPS,  webhooks,               "", WEBHOOK, 50, SERVE, "Webhooks of a CMS or shop that purge this site: a list, each with its path, sender, secret and what to purge. docs/WEBHOOKS.md.")
SETTING(SITE, BOOL,  invalidate_unsafe,      "true",           0, 0, SERVE, "After an answered POST, PUT, PATCH or DELETE, stored responses for its URL must be revalidated (RFC 9111 4.4).")

  SETTING_SECTION(SITE, "Deploys")
SETTING(SITE, TIME,  keep_assets,            "7d",             0, 2592000000, SERVE, "How long the assets of a release are kept after a deploy has replaced it, for pages that visitors still have open. `freshet deploy --keep` says otherwise for one deploy.")
SETTING(SITE, BOOL,  follow_assets,          "true",           0, 0, SERVE, "Fetch the files below `asset_prefixes` that stored pages, scripts and style sheets link to, though nobody has asked for them yet, so that a deploy cannot take them from visitors who have their page open.")
SETTING(SITE, BOOL,  stale_across_deploys,   "false",          0, 0, SERVE, "true: when the origin fails, a page of an earlier release may be served stale, as far as its windows permit it.")

  SETTING_SECTION(SITE, "Bodies and variants")
SETTING(SITE, BYTES, object_bytes,           "64M",            0, 1099511627776, STORE, "Largest stored body. Larger ones pass through.")
SETTING(SITE, BYTES, window_bytes,           "256K",           16384, 67108864, SERVE, "Buffer of a response that is not stored, ahead of its slowest reader.")
SETTING(SITE, TIME,  window_stall,           "30s",            100, 3600000, SERVE, "How long a client may take no byte of a response that is not stored; meanwhile it holds up the origin.")
SETTING(SITE, COUNT, variants,               "1024",           1, 1000000, SERVE, "Most variants of one URL path; beyond it the least used is removed.")

  SETTING_SECTION(SITE, "Waiting and refreshing")
SETTING(SITE, COUNT, waiters,                "20000",          0, 1000000, SERVE, "Requests that may wait for one fetch. More go to the origin on their own.")
SETTING(SITE, TIME,  wait_timeout,           "30s",            1, 3600000, SERVE, "How long a request waits for another's fetch. Then it goes to the origin on its own, and its answer is not stored.")
SETTING(SITE, TIME,  refresh_backoff,        "5s",             0, 3600000, SERVE, "How long freshet waits after a failed background refresh before it tries again.")
SETTING(SITE, TIME,  no_queue_time,          "60s",            0, 86400000, SERVE, "For this long after an answer that could not be shared, requests for its page go to the origin in parallel.")
#undef SETTING_SECTION
/* clang-format on */
