<?php
/* php wordpress-act.php ROOT CODE: does with the WordPress in ROOT what CODE says, as a request of its own. */
$_SERVER['HTTP_HOST'] = parse_url( getenv( 'SITE_URL' ), PHP_URL_HOST ) . ':' . parse_url( getenv( 'SITE_URL' ), PHP_URL_PORT );
require $argv[1] . '/wp-load.php';
$facts = array();
foreach ( array( 'open', 'closed' ) as $name ) {
    $post           = get_page_by_path( $name, OBJECT, 'post' );
    $facts[ $name ] = $post ? $post->ID : 0;
}
eval( $argv[2] );
