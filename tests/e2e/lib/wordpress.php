<?php
/*
 * What integrations/wordpress calls of WordPress, for `php -S ADDRESS wordpress.php`: the plugin is the folder in PLUGIN, and sees the
 * pages below. /event?name=N&args=JSON fires an action of WordPress, as an editor's request does. Lists show
 * post 7, which is in term 3, which is below term 2, whose list shows post 8.
 */
const COOKIEHASH = 'hash', LOGGED_IN_COOKIE = 'wordpress_logged_in_hash', ABSPATH = '/', DAY_IN_SECONDS = 86400, MINUTE_IN_SECONDS = 60;
define( 'FRESHET_ADMIN', getenv( 'FRESHET_ADMIN' ) );
define( 'FRESHET_TOKEN', getenv( 'FRESHET_TOKEN' ) );

class WP_Post {
    public $post_status = 'publish', $post_type = 'post', $post_author = '1';
    public function __construct( public $ID, $fields = array() ) {
        foreach ( $fields as $name => $value ) {
            $this->$name = $value;
        }
    }
}
class WP_User {}
class WP_Post_Type {}
class WP_Term {
    public function __construct( public $term_id ) {}
}
class WP_Error {
    public function __construct( public $code, public $message ) {}
    public function get_error_message() {
        return $this->message;
    }
}
/* The one row that the plugin keeps, for this request. */
class Database {
    public $options = 'options', $row = '';
    public function prepare( $sql, ...$values ) {
        return array( $sql, $values );
    }
    public function query( $query ) {
        $this->row = array( 'I' => $query[1][1], 'U' => $query[1][0], 'D' => '' )[ $query[0][0] ];
        return 1;
    }
}
$wpdb     = new Database();
$path     = parse_url( $_SERVER['REQUEST_URI'], PHP_URL_PATH );
$actions  = array();
$wp_query = (object) array( 'posts' => array( new WP_Post( is_singular() ? get_queried_object_id() : ( page_is( '#^/category/2#' ) ? 8 : 7 ) ) ) );

/* ---- Hooks */

function add_action( $name, $what, $priority = 10, $arguments = 1 ) {
    $GLOBALS['actions'][ $name ][] = array( $what, $arguments, $priority );
}
function remove_action( $name, $what, $priority ) {
    $GLOBALS['actions'][ $name ] = array_filter( $GLOBALS['actions'][ $name ], fn( $hook ) => $hook[0] !== $what );
}
function add_filter( $name, $what, $priority = 10, $arguments = 1 ) {
    add_action( $name, $what, $priority, $arguments );
}
function apply_filters( $name, $value, ...$more ) {
    $hooks = $GLOBALS['actions'][ $name ] ?? array();
    usort( $hooks, fn( $a, $b ) => $a[2] <=> $b[2] );
    foreach ( $hooks as list( $what, $n ) ) {
        $value = $what( ...array_slice( array( $value, ...$more ), 0, $n ) );
    }
    return $value;
}
function do_action( $name, ...$args ) {
    $hooks = $GLOBALS['actions'][ $name ] ?? array();
    usort( $hooks, fn( $a, $b ) => $a[2] <=> $b[2] );
    foreach ( $hooks as list( $what, $n ) ) {
        $what( ...array_slice( $args, 0, $n ) );
    }
}

/* ---- Pages */

/* Only a genuine cookie signs in. */
function is_user_logged_in() {
    return 'genuine' === ( $_COOKIE[ LOGGED_IN_COOKIE ] ?? '' );
}
function page_is( $kind ) {
    return 1 === preg_match( $kind, $GLOBALS['path'] );
}
function is_preview() {
    return isset( $_GET['preview'] );
}
function is_404() {
    return page_is( '#^/missing#' );
}
function is_search() {
    return isset( $_GET['s'] );
}
function is_feed() {
    return page_is( '#^/feed#' );
}
function is_home() {
    return page_is( '#^/(feed/)?$#' );
}
function is_singular() {
    return page_is( '#^/post/#' );
}
function is_customize_preview() {
    return false;
}
function is_trackback() {
    return false;
}
function is_date() {
    return false;
}
function is_comment_feed() {
    return false;
}
function is_multisite() {
    return false;
}
function get_queried_object() {
    return page_is( '#^/category/#' ) ? new WP_Term( (int) substr( $GLOBALS['path'], 10 ) ) : null;
}
function get_queried_object_id() {
    return (int) substr( $GLOBALS['path'], 6 );
}
function wp_get_nocache_headers() {
    return array( 'Cache-Control' => 'no-cache, must-revalidate, max-age=0' );
}

/* ---- What is stored in WordPress */

function is_post_type_viewable( $type ) {
    return in_array( $type, array( 'post', 'page', 'attachment' ), true );
}
function is_post_status_viewable( $status ) {
    return 'publish' === $status;
}
function is_taxonomy_viewable( $taxonomy ) {
    return 'category' === $taxonomy;
}
function get_object_taxonomies( $type ) {
    return array( 'category', 'secret' );
}
function get_the_terms( $id, $taxonomy ) {
    return 7 === (int) $id ? array( new WP_Term( 3 ) ) : false;
}
function get_ancestors( $term ) {
    return 3 === $term ? array( 2 ) : array();
}
function get_term_by( $field, $id ) {
    return new WP_Term( $id );
}
function wp_list_pluck( $list, $field ) {
    return array_column( $list, $field );
}
function get_post( $id ) {
    return new WP_Post( $id );
}
function get_comment( $id ) {
    return (object) array( 'comment_post_ID' => $id );
}
function get_option( $name, $else = false ) {
    return '' === $GLOBALS['wpdb']->row ? $else : $GLOBALS['wpdb']->row;
}
function wp_cache_delete() {}
function wp_generate_uuid4() {
    return bin2hex( random_bytes( 16 ) );
}

/* ---- The web */

function __( $text ) {
    return $text;
}
function is_wp_error( $what ) {
    return $what instanceof WP_Error;
}
function wp_json_encode( $value ) {
    return json_encode( $value );
}
function wp_remote_post( $url, $options ) {
    $fields = '';
    foreach ( $options['headers'] as $name => $value ) {
        $fields .= "$name: $value\r\n";
    }
    $http = array( 'method' => 'POST', 'header' => $fields, 'content' => $options['body'], 'ignore_errors' => true );
    $body = file_get_contents( $url, false, stream_context_create( array( 'http' => $http ) ) );
    return false === $body ? new WP_Error( 'down', 'no connection' ) : array( $http_response_header, $body );
}
function wp_remote_retrieve_response_code( $answer ) {
    return (int) substr( $answer[0][0], 9, 3 );
}
function wp_remote_retrieve_body( $answer ) {
    return $answer[1];
}

require getenv( 'PLUGIN' ) . '/freshet.php';

if ( '/event' === $path ) {
    $args = array_map( function ( $value ) {
        return is_array( $value ) && ! array_is_list( $value ) ? ( isset( $value['comment_post_ID'] ) ? (object) $value : new WP_Post( $value['ID'], $value ) ) : $value;
    }, json_decode( $_GET['args'], true ) );
    if ( 'purge' === $_GET['name'] ) {
        \Freshet\purge( ...$args );
    } else {
        do_action( $_GET['name'], ...$args );
    }
    do_action( 'shutdown' );
    echo $wpdb->row;
    return;
}
http_response_code( is_404() ? 404 : 200 );
is_feed() ? do_action( 'do_feed_rss2' ) : apply_filters( 'template_include', '' );
if ( isset( $_GET['shop'] ) ) { /* what other plugins do while a page is made */
    header( 'Cache-Control: no-cache, no-store' );
}
if ( isset( $_GET['cart'] ) ) {
    echo str_repeat( 'long ', 5000 );
    define( 'DONOTCACHEPAGE', true );
}
if ( isset( $_GET['cookie'] ) ) {
    echo str_repeat( 'long ', 5000 );
    setcookie( 'any', 'value' );
}
if ( isset( $_GET['latest'] ) ) {
    do_action( 'pre_get_posts', new class() {
        public function is_main_query() {
            return false;
        }
        public function get( $what ) {
            return '';
        }
    } );
}
echo $path . ' for ' . ( $_SERVER['HTTP_COOKIE'] ?? 'everybody' ) . ' at ' . microtime( true );
do_action( 'shutdown' );
