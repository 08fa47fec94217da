<?php
/*
 * Plugin Name: freshet
 * Description: Lets the edge cache freshet keep the pages that are the same for all visitors, and purges them when what they show changes.
 * Version: 0.1.0
 * Requires at least: 6.1
 * Requires PHP: 7.4
 * License: Apache-2.0
 * License URI: https://www.apache.org/licenses/LICENSE-2.0
 * Text Domain: freshet
 */
namespace Freshet;

defined( 'ABSPATH' ) || exit;

/* Everything of a blog: each page that is stored has this tag. */
const SITE = 'site';

/* A constant of wp-config.php, else a variable of the environment, else ''. */
function setting( $name ) {
    return defined( $name ) ? (string) constant( $name ) : (string) getenv( $name );
}

/* freshet's token, or '' when there is none. */
function token() {
    $file = setting( 'FRESHET_TOKEN_FILE' );
    $text = setting( 'FRESHET_TOKEN' );
    return trim( '' === $text && '' !== $file && is_readable( $file ) ? (string) file_get_contents( $file ) : $text );
}

/* In a network of blogs each has tags of its own. */
function tag( $name ) {
    return is_multisite() ? 'blog-' . get_current_blog_id() . '-' . $name : $name;
}

foreach ( array( 'purge', 'pending', 'events', 'pages', 'admin' ) as $part ) {
    require __DIR__ . "/inc/$part.php";
}
if ( defined( 'WP_CLI' ) && \WP_CLI ) {
    require __DIR__ . '/inc/cli.php';
}
