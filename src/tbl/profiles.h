/*
 * Profiles: sets of other defaults and nothing more. `isr` has no row: it is tbl/settings.h as it stands.
 * Columns: profile, setting (of scope SITE), default as it would stand in the file.
 * Users: conf/setting, which gives the defaults to conf/settings and conf/document.
 */
/* clang-format off */
PROFILE(rfc9111, explicit_only,                 "false")
PROFILE(rfc9111, all_statuses,                  "true")
PROFILE(rfc9111, set_cookie,                    "store")
PROFILE(rfc9111, authorization_must_revalidate, "true")
PROFILE(rfc9111, s_maxage_forbids_stale,        "true")
PROFILE(rfc9111, stale_on_error,                "true")
PROFILE(rfc9111, client_directives,             "true")
PROFILE(rfc9111, store_post,                    "true")
PROFILE(rfc9111, combine_parts,                 "true")
PROFILE(rfc9111, default_browser_revalidate,    "false")
PROFILE(rfc9111, generate_etag,                 "false")
PROFILE(rfc9111, accept_ranges,                 "false")
PROFILE(rfc9111, query,                         "raw")
PROFILE(rfc9111, unkeyed_query,                 "forward")
PROFILE(rfc9111, ignore_query,                  "")
PROFILE(rfc9111, bypass_cookies,                "")
PROFILE(rfc9111, unkeyed_cookies,               "forward")
PROFILE(rfc9111, ignore_cookies,                "")
PROFILE(rfc9111, follow_assets,                 "false")
PROFILE(rfc9111, compress,                      "false")
PROFILE(dev,     compress,                      "false")
PROFILE(dev,     store,                         "false")
/* clang-format on */
