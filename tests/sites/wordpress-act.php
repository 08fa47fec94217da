<?php
/* php wordpress-act.php ROOT CODE: does with the WordPress in ROOT what CODE says, as a request of its own; id( NAME ) is a post's. */
$_SERVER['HTTP_HOST'] = parse_url( getenv( 'SITE_URL' ), PHP_URL_HOST ) . ':' . parse_url( getenv( 'SITE_URL' ), PHP_URL_PORT );
require $argv[1] . '/wp-load.php';
function id( $name ) {
    $post = get_page_by_path( $name, OBJECT, array( 'post', 'page' ) );
    return $post ? $post->ID : 0;
}
eval( $argv[2] );
