/*
 * The fields of a webhook (`webhooks:` of a site): who sends it, how it proves itself, and what it purges.
 * Columns: type, name, least, most, text; as in tbl/settings.h.
 * Users: conf/shape (names, types, limits), conf/document (documentation), conf/webhook (what they mean).
 */
/* clang-format off */
ENTRY_FIELD(TEXT,   path,        URL_PATH, 1, "Where the sender posts to, at the site itself: /hooks/cms. Such requests never reach the origin.")
ENTRY_FIELD(CHOICE, sender,      0, "contentful|sanity|storyblok|strapi|directus|payload|datocms|prismic|ghost|hygraph|shopify|woocommerce|github|kontent|standard|generic", "Who sends it; generic when it is left out. docs/WEBHOOKS.md has a recipe for each.")
ENTRY_FIELD(TEXT,   secret,      SECRET, 0, "The secret that the sender knows as well. Better in secret_file or secret_env.")
ENTRY_FIELD(TEXT,   secret_file, PATH, 0, "A file whose first line is the secret.")
ENTRY_FIELD(TEXT,   secret_env,  ANY, 0, "The name of an environment variable that holds the secret.")
ENTRY_FIELD(TEXT,   header,      FIELD, 0, "The header with the secret or the digest, when it is not the sender's usual one.")
ENTRY_FIELD(TEXT,   member,      ANY, 0, "generic: the payload's member that holds the secret: auth.key.")
ENTRY_FIELD(CHOICE, digest,      0, "sha1|sha256", "generic: the header holds an HMAC of the body, by this digest, and not the secret itself.")
ENTRY_FIELD(CHOICE, coding,      0, "hex|base64|base64url", "generic: how the digest is written; hex when it is left out.")
ENTRY_FIELD(TEXT,   prefix,      ANY, 0, "generic: what stands before the digest or secret in the header: sha256=.")
ENTRY_FIELD(TIME,   window,      0, 86400000, "Most that a signed time may differ from this machine's clock; 5m when it is left out. 0: any time.")
ENTRY_FIELD(LIST,   tags,        ANY, 0, "Tags to purge; {NAME.NAME} is a value of the payload, NAME[] each member of an array.")
ENTRY_FIELD(LIST,   urls,        ANY, 0, "URLs or paths to purge, written like tags.")
ENTRY_FIELD(BOOL,   everything,  0, 0, "true: purge the whole site.")
ENTRY_FIELD(BOOL,   soft,        0, 0, "true: what is purged may still be served as stale.")
/* clang-format on */
