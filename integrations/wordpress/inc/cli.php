<?php
/* wp freshet purge */
namespace Freshet;

defined( 'ABSPATH' ) || exit;

/**
 * Purges pages from the cache freshet.
 *
 * ## OPTIONS
 *
 * [<tag>...]
 * : Tags of pages, such as post-12, term-3, home.
 *
 * [--path=<path>]
 * : The path of a page.
 *
 * [--all]
 * : Everything.
 */
function cli_purge( $tags, $options ) {
    if ( ! $tags && ! isset( $options['path'] ) && ! isset( $options['all'] ) ) {
        \WP_CLI::error( 'Say what: tags, --path=PATH or --all.' );
    }
    $names = ( new Names() )->add( array_map( __NAMESPACE__ . '\tag', $tags ),
        isset( $options['path'] ) ? array( path_of( $options['path'] ) ) : array(), isset( $options['all'] ) );
    $why   = ask( $names );
    if ( null !== $why ) {
        \WP_CLI::error( "freshet did not purge $names: $why" );
    }
    \WP_CLI::success( "freshet purged $names." );
}
\WP_CLI::add_command( 'freshet purge', __NAMESPACE__ . '\cli_purge' );
