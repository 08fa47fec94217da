/*
 * Counters and gauges, one set a worker; the reader sums them. A counter never falls; a gauge is a number of
 * what is there now.
 * Columns: id, name in /metrics (prefix freshet_), kind (counter, gauge), help.
 * Users: origin/counters (enum counter), admin (status, metrics), server/control. origin, request, front and
 * server count.
 */
/* clang-format off */
COUNTER(CONNECTIONS_ACCEPTED, "client_connections_accepted_total", counter, "Client connections accepted")
COUNTER(CONNECTIONS_OPEN,     "client_connections_open",           gauge,   "Client connections open")
COUNTER(CLIENT_LIMIT,         "client_connections_refused_total",  counter, "Client connections refused, since their address had too many")
COUNTER(REQUESTS,             "requests_total",                    counter, "Requests begun")
COUNTER(REQUESTS_OPEN,        "requests_open",                     gauge,   "Requests in flight")
COUNTER(REQUESTS_REFUSED,     "requests_refused_total",            counter, "Requests refused as malformed or over a limit")
COUNTER(HITS,                 "hits_total",                        counter, "Requests answered from a fresh stored response")
COUNTER(DISK_READS,           "disk_reads_total",                  counter, "Requests that needed something from disk")
COUNTER(DISK_READS_OPEN,      "disk_reads_open",                   gauge,   "Requests that wait for a response to be read from disk")
COUNTER(STALE_HITS,           "stale_hits_total",                  counter, "Requests answered from a stale stored response")
COUNTER(MISSES,               "misses_total",                      counter, "Requests that started a fetch which may be stored")
COUNTER(JOINS,                "joins_total",                       counter, "Requests that waited for another's fetch")
COUNTER(PASSES,               "passes_total",                      counter, "Requests that went to the origin alone")
COUNTER(REVALIDATED,          "revalidated_total",                 counter, "Stored responses confirmed by a 304")
COUNTER(REFRESHES,            "refreshes_total",                   counter, "Background refreshes started")
COUNTER(REFRESHES_FAILED,     "refreshes_failed_total",            counter, "Background refreshes that failed")
COUNTER(STORED,               "stored_total",                      counter, "Responses stored")
COUNTER(NOT_STORED,           "not_stored_total",                  counter, "Responses not stored")
COUNTER(ERRORS,               "errors_total",                      counter, "Requests answered with an error page of freshet's own")
COUNTER(ABORTS,               "client_aborts_total",               counter, "Requests whose client went away early")
COUNTER(SLOW_READERS,         "slow_readers_total",                counter, "Clients that were cut off because they read slowly while memory was short")
COUNTER(BYTES_SENT,           "response_body_bytes_total",         counter, "Bytes of response bodies sent to clients")
COUNTER(BYTES_RECEIVED,       "request_body_bytes_total",          counter, "Bytes of request bodies received")
COUNTER(FETCHES,              "fetches_total",                     counter, "Requests to origins")
COUNTER(FETCHES_OPEN,         "fetches_open",                      gauge,   "Requests to origins in flight")
COUNTER(FETCHES_FAILED,       "fetches_failed_total",              counter, "Requests to origins that failed")
COUNTER(FETCH_RETRIES,        "fetch_retries_total",               counter, "Silent retries on a dead idle connection")
COUNTER(ORIGIN_CONNECTIONS,   "origin_connections_open",           gauge,   "Connections to origins open")
COUNTER(ORIGIN_CONNECTS,      "origin_connects_total",             counter, "Connections to origins made")
COUNTER(ORIGIN_RETRIES,       "origin_retries_total",              counter, "Refused connections to origins that were tried again")
COUNTER(ORIGIN_BYTES,         "origin_body_bytes_total",           counter, "Bytes of response bodies received from origins")
COUNTER(TUNNELS_OPEN,         "tunnels_open",                      gauge,   "Upgraded connections open")
COUNTER(STREAMS_OPEN,         "streams_open",                      gauge,   "Answers without an end open")
COUNTER(VARY_IGNORED,         "vary_headers_ignored_total",        counter, "Names in Netlify-Vary: header= that were ignored")
COUNTER(SEARCH_INVALID,       "no_vary_search_invalid_total",      counter, "Responses with a No-Vary-Search that counts for nothing, since it is invalid")
COUNTER(TARGETED_INVALID,     "targeted_invalid_total",            counter, "Responses with a targeted cache-control field that does not parse")
COUNTER(PURGES_REFUSED,       "purges_refused_total",              counter, "PURGE and its like that were refused, since they came from a stranger")
COUNTER(LOG_LINES_LOST,       "access_log_lines_lost_total",       counter, "Lines of the access log that could not be written")
COUNTER(COUNTRY_MISSING,      "country_lookups_missing_total",     counter, "country= rules without a country database")
COUNTER(LOOP_STANDS,          "loop_stands_total",                 counter, "Times that a loop stood for more than a second; the log says in which request")
/* clang-format on */
