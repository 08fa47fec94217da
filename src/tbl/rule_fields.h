/*
 * The fields of a rule (`rules:` of a site): what it matches, and what it does.
 * Columns: type, name, least, most, text; as in tbl/settings.h.
 * Users: conf/shape (names, types, limits), conf/document (documentation), site/rules (what they mean).
 */
/* clang-format off */
ENTRY_FIELD(LIST,   path,            ANY, 0, "Matches the path: * is any text within a segment, ** any text. /a/** is also /a itself.")
ENTRY_FIELD(LIST,   host,            ANY, 0, "Matches the host; * is any text.")
ENTRY_FIELD(LIST,   method,          ANY, 0, "Matches the method; GET is also HEAD.")
ENTRY_FIELD(LIST,   header,          ANY, 0, "Matches a header of the request: NAME (it is there) or NAME: VALUE; * in the value is any text.")
ENTRY_FIELD(LIST,   cookie,          ANY, 0, "Matches a cookie of the request: NAME (it is there) or NAME=VALUE; * is any text in both.")
ENTRY_FIELD(LIST,   query,           ANY, 0, "Matches the name of a query parameter; * is any text.")
ENTRY_FIELD(LIST,   status,          ANY, 0, "Matches the status of the answer: 404, 4xx.")
ENTRY_FIELD(LIST,   content_type,    ANY, 0, "Matches the media type of the answer, without parameters; * is any text.")
ENTRY_FIELD(LIST,   response_header, ANY, 0, "Matches a header of the answer, written like header.")
ENTRY_FIELD(BOOL,   bypass,          0, 0, "true: the request goes to the origin, and its answer is not stored. false: later rules do not bypass.")
ENTRY_FIELD(BOOL,   static,          0, 0, "true: the path is an asset. false: it is none, for later rules.")
ENTRY_FIELD(TEXT,   cdn_cache_control, ANY, 0, "Cache control for freshet, whatever the answer says; written like CDN-Cache-Control.")
ENTRY_FIELD(TEXT,   default_cdn_cache_control, ANY, 0, "The same, for an answer that says nothing itself: no Cache-Control, Expires, Pragma or targeted field.")
ENTRY_FIELD(LIST,   tags,            ANY, 0, "Tags to add; {1} is what the first * of the path matched.")
ENTRY_FIELD(TEXT,   vary,            ANY, 0, "What the page varies on besides, written like Netlify-Vary.")
ENTRY_FIELD(LIST,   set_header,      HEADER, 0, "Headers to set on the request to the origin: NAME: VALUE.")
ENTRY_FIELD(LIST,   remove_header,   FIELD, 0, "Headers to remove from the request.")
ENTRY_FIELD(LIST,   drop_cookie,     ANY, 0, "Cookies to remove from the request; * is any text.")
ENTRY_FIELD(LIST,   set_response_header, HEADER, 0, "Headers to set on the answer: NAME: VALUE.")
ENTRY_FIELD(LIST,   remove_response_header, FIELD, 0, "Headers to remove from the answer.")
ENTRY_FIELD(TEXT,   redirect,        ANY, 0, "Answers with a redirect to this path or URL; {1} is what the first * of the path matched.")
ENTRY_FIELD(CHOICE, redirect_status, 0, "301|302|308", "The status of the redirect; 301 when it is left out.")
/* clang-format on */
