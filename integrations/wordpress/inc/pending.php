<?php
/*
 * Purges that failed. They are in one row of the options, which WordPress loads with the others, so that a request costs nothing when
 * there are none. Requests change the row at the same time: each change names the value that it replaces, and the value is new each time.
 */
namespace Freshet;

defined( 'ABSPATH' ) || exit;

const PENDING = 'freshet_pending';

/* Seconds until the second try, and the most between two of the later ones; each wait is twice the last one. */
const FIRST_WAIT = 10, LONGEST_WAIT = 300;

/* What is kept, or null: array( names, reason, since, next, tries ). */
function pending() {
    $kept = json_decode( (string) get_option( PENDING, '' ), true );
    return is_array( $kept ) && isset( $kept['names'], $kept['reason'], $kept['since'], $kept['next'], $kept['tries'] ) ? $kept : null;
}

function names_of( array $kept ) {
    $names = $kept['names'];
    return ( new Names() )->add( $names['tags'] ?? array(), $names['paths'] ?? array(), ! empty( $names['all'] ) );
}

function pending_text( Names $names, $reason, $since, $next, $tries ) {
    return wp_json_encode( array(
        'names'  => array( 'tags' => array_keys( $names->tags ), 'paths' => array_keys( $names->paths ), 'all' => $names->all ),
        'reason' => $reason, 'since' => $since, 'next' => $next, 'tries' => $tries, 'id' => wp_generate_uuid4(),
    ) );
}

/* Replaces the row's value $old by $new, null meaning no row; whether it was still $old. */
function swap( $old, $new ) {
    global $wpdb;
    if ( null === $old ) {
        $sql = $wpdb->prepare( "INSERT IGNORE INTO $wpdb->options (option_name, option_value, autoload) VALUES (%s, %s, 'yes')", PENDING, $new );
    } elseif ( null === $new ) {
        $sql = $wpdb->prepare( "DELETE FROM $wpdb->options WHERE option_name = %s AND option_value = %s", PENDING, $old );
    } else {
        $sql = $wpdb->prepare( "UPDATE $wpdb->options SET option_value = %s WHERE option_name = %s AND option_value = %s", $new, PENDING, $old );
    }
    $changed = $wpdb->query( $sql );
    foreach ( array( PENDING, 'alloptions', 'notoptions' ) as $cached ) {
        wp_cache_delete( $cached, 'options' );
    }
    return 1 === $changed;
}

/* Keeps a purge that failed, beside those that are kept already; this request does not ask again. */
function keep( Names $names, $why ) {
    remove_action( 'shutdown', __NAMESPACE__ . '\retry_at_end', 1000 );
    for ( $i = 0; $i < 5; $i++ ) {
        $old  = get_option( PENDING, null );
        $kept = pending();
        $all  = $kept ? names_of( $kept )->add( array_keys( $names->tags ), array_keys( $names->paths ), $names->all ) : $names;
        $text = pending_text( $all, $why, $kept['since'] ?? time(), $kept['next'] ?? time(), $kept['tries'] ?? 0 );
        if ( swap( $old, $text ) ) {
            return;
        }
    }
    error_log( "freshet: could not keep the purge of $names for later" );
}

/* Asks again for what is kept, when its time has come or $now. One request does it, whoever else comes meanwhile. */
function retry( $now = false ) {
    $kept = pending();
    if ( ! $kept || ( ! $now && $kept['next'] > time() ) ) {
        return;
    }
    $names = names_of( $kept );
    $next  = time() + min( LONGEST_WAIT, FIRST_WAIT * 2 ** min( $kept['tries'], 10 ) );
    $claim = pending_text( $names, $kept['reason'], $kept['since'], $next, $kept['tries'] + 1 );
    if ( ! swap( get_option( PENDING, null ), $claim ) ) {
        return;
    }
    $why = ask( $names, 2 );
    if ( null === $why ) {
        swap( $claim, null );
        error_log( "freshet purged $names after all" );
    } elseif ( $why !== $kept['reason'] ) {
        swap( $claim, pending_text( $names, $why, $kept['since'], $next, $kept['tries'] + 1 ) );
    }
}

/* Behind all that the request does for its visitor. */
function retry_at_end() {
    retry();
}
add_action( 'shutdown', __NAMESPACE__ . '\retry_at_end', 1000 );
