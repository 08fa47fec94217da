/*
 * Presets: ready rules for the setting preset, as they would stand under `rules:`.
 * Columns: name, rules. The names and their order are those of the row preset in tbl/settings.h.
 * Users: site/rules_ready.
 */
/* clang-format off */
#define PRESET_WORDPRESS \
    "- path: ['/wp-admin/**', /wp-login.php, /wp-cron.php, /xmlrpc.php, /wp-signup.php, /wp-activate.php,\n" \
    "         /wp-comments-post.php, '/wp-json/**']\n" \
    "  bypass: true\n" \
    "- query: [preview, preview_id, s, doing_wp_cron, customize_changeset_uuid, rest_route,\n" \
    "          replytocom]\n" \
    "  bypass: true\n" \
    "- cookie: ['wordpress_logged_in_*', 'wordpress_sec_*', 'wp-postpass_*', 'comment_author_*']\n" \
    "  path: ['!/wp-content/**', '!/wp-includes/**']\n" \
    "  bypass: true\n" \
    "- path: ['/wp-content/**', '/wp-includes/**']\n" \
    "  content_type: [text/css, text/javascript, application/javascript, 'image/*', 'font/*']\n" \
    "  default_cdn_cache_control: max-age=86400, stale-while-revalidate=86400\n"
PRESET("wordpress", PRESET_WORDPRESS)
PRESET("woocommerce",
    "- path: ['/cart/**', '/checkout/**', '/my-account/**', '/wc-api/**', '/addons/**']\n"
    "  bypass: true\n"
    "- query: [add-to-cart, remove_item, undo_item, wc-ajax, wc-api, order-pay, order-received,\n"
    "          download_file]\n"
    "  bypass: true\n"
    "- cookie: ['woocommerce_items_in_cart', 'woocommerce_cart_hash', 'wp_woocommerce_session_*',\n"
    "           'woocommerce_recently_viewed', 'store_notice*']\n"
    "  path: ['!/wp-content/**', '!/wp-includes/**']\n"
    "  bypass: true\n"
    PRESET_WORDPRESS)
PRESET("mediawiki",
    "- query: [action, oldid, diff, veaction, returnto, printable, useskin, uselang, debug, token]\n"
    "  path: ['!/load.php', '!/**/load.php']\n"
    "  bypass: true\n"
    "- path: ['/**/Special:*', '/**/api.php', '/api.php', '/rest.php/**', '/*/rest.php/**']\n"
    "  bypass: true\n"
    "- cookie: ['*UserID', '*UserName', '*Token', '*_session', 'UseDC', 'UseCDNCache', '*BlockID']\n"
    "  path: ['!/load.php', '!/**/load.php', '!/resources/**', '!/*/resources/**', '!/images/**',\n"
    "         '!/*/images/**']\n"
    "  bypass: true\n")
PRESET("drupal",
    "- path: ['/admin/**', '/user/**', '/node/add/**', '/node/*/edit', /batch,\n"
    "         '/cron/**', '/update.php/**', /system/ajax, '/system/files/**', '/session/**',\n"
    "         /core/install.php, /core/authorize.php]\n"
    "  bypass: true\n"
    "- cookie: ['SESS*', 'SSESS*', 'NO_CACHE']\n"
    "  path: ['!/core/**', '!/themes/**', '!/modules/**', '!/sites/*/files/**']\n"
    "  bypass: true\n"
    "- path: ['/core/**', '/themes/**', '/modules/**', '/sites/*/files/css/*',\n"
    "         '/sites/*/files/js/*']\n"
    "  content_type: [text/css, text/javascript, application/javascript, 'image/*', 'font/*']\n"
    "  default_cdn_cache_control: max-age=86400, stale-while-revalidate=86400\n")
PRESET("nextjs",
    "- cookie: [__prerender_bypass, __next_preview_data]\n"
    "  path: '!/_next/static/**'\n"
    "  bypass: true\n"
    "- path: '/api/draft/**'\n"
    "  bypass: true\n"
    "- path: '/_next/static/**'\n"
    "  static: true\n")
PRESET("static",
    "- header: Authorization\n"
    "  bypass: true\n"
    "- content_type: [text/html, text/plain, application/xml, text/xml, application/rss+xml]\n"
    "  response_header: '!Set-Cookie'\n"
    "  default_cdn_cache_control: max-age=60, stale-while-revalidate=86400, stale-if-error=86400\n"
    "- content_type: [text/css, text/javascript, application/javascript, 'image/*', 'font/*',\n"
    "                 application/wasm]\n"
    "  response_header: '!Set-Cookie'\n"
    "  default_cdn_cache_control: max-age=3600, stale-while-revalidate=86400, stale-if-error=86400\n")
#undef PRESET_WORDPRESS
/* clang-format on */
