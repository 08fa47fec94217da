<?php
/* php wordpress-install.php ROOT: fills the database of the WordPress in ROOT; prints as JSON what the test must know. */
define( 'WP_INSTALLING', true );
$_SERVER['HTTP_HOST'] = parse_url( getenv( 'SITE_URL' ), PHP_URL_HOST ) . ':' . parse_url( getenv( 'SITE_URL' ), PHP_URL_PORT );
require $argv[1] . '/wp-load.php';
require ABSPATH . 'wp-admin/includes/upgrade.php';
wp_install( 'Site', 'boss', 'boss@example.org', true, '', 'secret-of-the-boss' );
wp_insert_user( array( 'user_login' => 'reader', 'user_pass' => 'secret-of-the-reader', 'user_email' => 'reader@example.org', 'role' => 'subscriber' ) );
update_option( 'permalink_structure', '/%postname%/' );
update_option( 'comment_previously_approved', 0 );
update_option( 'comment_moderation', 1 );
delete_option( 'rewrite_rules' ); // the next request makes them

$facts = array( 'version' => $GLOBALS['wp_version'], 'fish' => wp_insert_term( 'Fish', 'category' )['term_id'] );
foreach ( array(
    'open'   => array( 'post_content' => 'open words', 'comment_status' => 'open' ),
    'closed' => array( 'post_content' => 'SECRET-WORDS', 'post_password' => 'sesame' ),
    'trout'  => array( 'post_content' => 'a trout', 'post_category' => array( $facts['fish'] ) ),
    'latest' => array( 'post_content' => '<!-- wp:latest-posts /-->', 'post_type' => 'page' ),
    'plain'  => array( 'post_content' => 'plain words', 'post_type' => 'page' ),
    'hidden' => array( 'post_content' => 'words', 'post_type' => 'page' ),
) as $name => $fields ) {
    $facts[ $name ] = wp_insert_post( $fields + array( 'post_title' => ucfirst( $name ), 'post_name' => $name, 'post_status' => 'publish', 'post_author' => 1 ) );
}
echo wp_json_encode( $facts );
