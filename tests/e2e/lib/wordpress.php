<?php
/*
 * What the plugin of docs/guides/wordpress.md calls of WordPress, for `php -S ADDRESS wordpress.php`: the plugin is the file
 * in PLUGIN, and sees the pages below. /event?name=N&args=JSON fires an action of WordPress, as an editor's request does.
 */
const COOKIEHASH = 'hash', LOGGED_IN_COOKIE = 'wordpress_logged_in_hash';
define( 'FRESHET_ADMIN', getenv( 'FRESHET_ADMIN' ) );
define( 'FRESHET_TOKEN', getenv( 'FRESHET_TOKEN' ) );

class WP_Post {
    public $post_status = 'publish', $post_type = 'post';
    public function __construct( public $ID, $fields = array() ) {
        foreach ( $fields as $name => $value ) {
            $this->$name = $value;
        }
    }
}

$path    = parse_url( $_SERVER['REQUEST_URI'], PHP_URL_PATH );
$actions = array();

function add_action( $name, $what, $priority = 10, $arguments = 1 ) {
    $GLOBALS['actions'][ $name ][] = array( $what, $arguments );
}
function do_action( $name, ...$args ) {
    foreach ( $GLOBALS['actions'][ $name ] ?? array() as list( $what, $n ) ) {
        $what( ...array_slice( $args, 0, $n ) );
    }
}
/* Only a genuine cookie signs in. */
function is_user_logged_in() {
    return 'genuine' === ( $_COOKIE[ LOGGED_IN_COOKIE ] ?? '' );
}
function is_preview() {
    return isset( $_GET['preview'] );
}
function page_is( $kind ) {
    return 1 === preg_match( $kind, $GLOBALS['path'] );
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
    return page_is( '#^/$#' );
}
function is_front_page() {
    return is_home();
}
function is_archive() {
    return page_is( '#^/category/#' );
}
function is_singular() {
    return page_is( '#^/post/#' );
}
function get_queried_object_id() {
    return (int) substr( $GLOBALS['path'], 6 );
}
function is_post_type_viewable( $type ) {
    return in_array( $type, array( 'post', 'page', 'attachment' ), true );
}
function get_comment( $id ) {
    return (object) array( 'comment_post_ID' => $id );
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
    file_get_contents( $url, false, stream_context_create( array( 'http' => $http ) ) );
    return $http_response_header ?? array();
}
function wp_remote_retrieve_response_code( $answer ) {
    return (int) substr( $answer[0] ?? '', 9, 3 );
}
function wp_schedule_single_event( $when, $what, $args ) {
    echo 'scheduled ' . $what . ' ' . json_encode( $args ) . "\n";
}

require getenv( 'PLUGIN' );

if ( '/event' === $path ) {
    $args = array_map( function ( $value ) {
        return is_array( $value ) && ! array_is_list( $value ) ? ( isset( $value['comment_post_ID'] ) ? (object) $value : new WP_Post( $value['ID'], $value ) ) : $value;
    }, json_decode( $_GET['args'], true ) );
    do_action( $_GET['name'], ...$args );
    do_action( 'shutdown' );
    return;
}
http_response_code( is_404() ? 404 : 200 );
do_action( 'template_redirect' );
if ( isset( $_GET['shop'] ) ) { /* what other plugins do while a page is made */
    header( 'Cache-Control: no-cache, no-store' );
}
if ( isset( $_GET['cart'] ) ) {
    define( 'DONOTCACHEPAGE', true );
}
if ( isset( $_GET['cookie'] ) ) {
    setcookie( 'any', 'value' );
}
echo $path . ' for ' . ( $_SERVER['HTTP_COOKIE'] ?? 'everybody' ) . ' at ' . microtime( true );
