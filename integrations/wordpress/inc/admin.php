<?php
/* For people: notices of what went wrong, and the admin bar's "Purge this page" and "Purge all". */
namespace Freshet;

defined( 'ABSPATH' ) || exit;

/* Who may purge: a page, who may edit others' posts; everything, who may change the site's options. */
function may( $what ) {
    return current_user_can( apply_filters( 'freshet_capability', 'all' === $what ? 'manage_options' : 'edit_others_posts', $what ) );
}

/* ---- Notices */

add_action( 'admin_notices', function () {
    $said = said();
    if ( '' !== $said ) {
        notice( 'info', $said );
    }
    if ( ! may( 'all' ) ) {
        return;
    }
    $kept = pending();
    if ( '' === token() ) {
        notice( 'warning', __( 'freshet stores no pages: FRESHET_TOKEN is missing in wp-config.php.', 'freshet' ) );
    } elseif ( $kept ) {
        /* translators: 1: a time, 2: a reason */
        notice( 'error', sprintf( __( 'freshet was not told at %1$s that pages changed, so visitors may see old ones: %2$s. It is asked again.', 'freshet' ),
            wp_date( 'Y-m-d H:i:s', $kept['since'] ), $kept['reason'] ) );
    }
} );

function notice( $kind, $text ) {
    printf( '<div class="notice notice-%s"><p>%s</p></div>', esc_attr( $kind ), esc_html( $text ) );
}

/* What came of the last purge that this person asked for, once. */
function said() {
    $name = 'freshet_said_' . get_current_user_id();
    $said = (string) get_transient( $name );
    if ( '' !== $said ) {
        delete_transient( $name );
    }
    return $said;
}

/* ---- The admin bar */

add_action( 'admin_bar_menu', function ( $bar ) {
    $path = page_here();
    $may  = array_filter( array( 'page' => null !== $path && may( 'page' ), 'all' => may( 'all' ) ) );
    if ( ! $may || '' === token() ) {
        return;
    }
    $said = is_admin() ? '' : said();
    $bar->add_node( array( 'id' => 'freshet', 'title' => esc_html( '' === $said ? 'freshet' : $said ) ) );
    if ( isset( $may['page'] ) ) {
        $bar->add_node( array( 'parent' => 'freshet', 'id' => 'freshet-page', 'title' => esc_html__( 'Purge this page', 'freshet' ), 'href' => link_for( 'page', $path ) ) );
    }
    if ( isset( $may['all'] ) ) {
        $bar->add_node( array( 'parent' => 'freshet', 'id' => 'freshet-all', 'title' => esc_html__( 'Purge all', 'freshet' ), 'href' => link_for( 'all' ) ) );
    }
}, 90 );

/* The path of the page that is looked at, or of the one whose post is edited; null when there is none. */
function page_here() {
    if ( ! is_admin() ) {
        return path_of( wp_unslash( $_SERVER['REQUEST_URI'] ?? '/' ) );
    }
    $screen = function_exists( 'get_current_screen' ) ? get_current_screen() : null;
    $post   = $screen && 'post' === $screen->base ? get_post() : null;
    return $post && 'publish' === $post->post_status && is_post_type_viewable( $post->post_type ) ? path_of( get_permalink( $post ) ) : null;
}

/* As freshet takes it: without a query it is the page with any; a * would be refused. */
function path_of( $url ) {
    $path = strtok( preg_replace( '#^[a-z]+://[^/]*#i', '', $url ), '?#' );
    return '/' . ltrim( str_replace( '*', '%2A', (string) $path ), '/' );
}

function link_for( $what, $path = null ) {
    $query = array( 'action' => 'freshet_purge', 'what' => $what ) + ( null === $path ? array() : array( 'path' => rawurlencode( $path ) ) );
    return wp_nonce_url( add_query_arg( $query, admin_url( 'admin-post.php' ) ), "freshet_purge_$what" );
}

add_action( 'admin_post_freshet_purge', function () {
    $what = isset( $_GET['what'] ) && 'all' === $_GET['what'] ? 'all' : 'page';
    check_admin_referer( "freshet_purge_$what" );
    if ( ! may( $what ) ) {
        wp_die( esc_html__( 'You are not allowed to purge.', 'freshet' ), 403 );
    }
    want( array(), 'page' === $what ? array( path_of( (string) wp_unslash( $_GET['path'] ?? '/' ) ) ) : array(), 'all' === $what );
    $why = purge_wanted();
    /* translators: %s: a reason */
    $said = null === $why ? __( 'freshet purged it.', 'freshet' ) : sprintf( __( 'freshet did not purge it: %s', 'freshet' ), $why );
    set_transient( 'freshet_said_' . get_current_user_id(), $said, MINUTE_IN_SECONDS );
    wp_safe_redirect( wp_get_referer() ?: home_url( '/' ) );
    exit;
} );
