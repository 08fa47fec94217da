<?php
/* php wordpress-install.php ROOT: fills the database of the WordPress in ROOT; prints as JSON what the test must know. */
define( 'WP_INSTALLING', true );
$_SERVER['HTTP_HOST'] = parse_url( getenv( 'SITE_URL' ), PHP_URL_HOST ) . ':' . parse_url( getenv( 'SITE_URL' ), PHP_URL_PORT );
require $argv[1] . '/wp-load.php';
require ABSPATH . 'wp-admin/includes/upgrade.php';
wp_install( 'Site', 'editor', 'editor@example.org', true, '', 'secret-of-the-editor' );
update_option( 'permalink_structure', '/%postname%/' );
update_option( 'comment_previously_approved', 0 );
update_option( 'comment_moderation', 1 );
$GLOBALS['wp_rewrite']->init();
flush_rewrite_rules();
$open   = wp_insert_post( array( 'post_title' => 'Open', 'post_name' => 'open', 'post_status' => 'publish', 'post_content' => 'open words', 'comment_status' => 'open' ) );
$closed = wp_insert_post( array( 'post_title' => 'Closed', 'post_name' => 'closed', 'post_status' => 'publish', 'post_content' => 'SECRET-WORDS', 'post_password' => 'sesame' ) );
echo wp_json_encode( array( 'open' => $open, 'closed' => $closed, 'hash' => md5( get_option( 'siteurl' ) ), 'version' => $GLOBALS['wp_version'] ) );
