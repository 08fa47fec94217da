<?php
/* What is to be purged is collected, and purged once, at the end of the request, when all that it changes is in the database. */
namespace Freshet;

defined( 'ABSPATH' ) || exit;

/* More names than this in one request, and the whole blog is purged instead. */
const MOST_NAMES = 200;

/* What to purge: tags, paths of URLs, or all. */
final class Names {
    public $tags = array(), $paths = array(), $all = false;

    public function add( array $tags, array $paths = array(), $all = false ) {
        $this->tags  += array_fill_keys( $tags, true );
        $this->paths += array_fill_keys( $paths, true );
        $this->all    = $this->all || $all;
        if ( $this->all || count( $this->tags ) + count( $this->paths ) > MOST_NAMES ) {
            $this->tags = $this->paths = array();
            $this->all  = true;
        }
        return $this;
    }

    public function is_empty() {
        return ! $this->all && ! $this->tags && ! $this->paths;
    }

    /* As the body of a request to freshet: docs/ADMIN.md of freshet. */
    public function body() {
        $site = setting( 'FRESHET_SITE' );
        $body = '' === $site ? array() : array( 'site_id' => $site );
        if ( $this->all ) {
            return (object) ( is_multisite() ? $body + array( 'cache_tags' => array( tag( SITE ) ) ) : $body );
        }
        return (object) ( $body + array_filter( array(
            'cache_tags' => array_map( 'strval', array_keys( $this->tags ) ),
            'urls'       => array_map( 'strval', array_keys( $this->paths ) ),
        ) ) );
    }

    public function __toString() {
        return $this->all ? 'everything' : implode( ', ', array_keys( $this->tags + $this->paths ) );
    }
}

/* What this request wants purged, and whether its end has come. */
final class Wanted {
    public static $names, $is_late = false;
}
Wanted::$names = new Names();

/* Purges pages by their tags. Sites may call it for what only they know: \Freshet\purge( 'post-12' ). */
function purge( ...$names ) {
    want( array_map( __NAMESPACE__ . '\tag', $names ) );
}

/* Purges everything. */
function purge_all() {
    want( array(), array(), true );
}

function want( array $tags, array $paths = array(), $all = false ) {
    Wanted::$names->add( $tags, $paths, $all );
    if ( Wanted::$is_late ) {
        purge_wanted();
    }
}

/* Purges what was collected. A purge that fails is kept, and does not break what the request did. null, or why it failed. */
function purge_wanted() {
    $names         = Wanted::$names;
    Wanted::$names = new Names();
    if ( $names->is_empty() ) {
        return null;
    }
    $why = ask( $names );
    if ( null === $why ) {
        retry( true );
        return null;
    }
    error_log( "freshet did not purge $names: $why. It is asked again at the next request." );
    keep( $names, $why );
    return $why;
}

/* Before WordPress sends what it holds (priority 1): who saves sees the new page. */
add_action( 'shutdown', function () {
    Wanted::$is_late = true;
    purge_wanted();
}, 0 );

/* Asks freshet to purge. null when the purge is in force, else why it is not. Never throws. */
function ask( Names $names, $timeout = 5 ) {
    $token = token();
    if ( '' === $token ) {
        return __( 'FRESHET_TOKEN is not set', 'freshet' );
    }
    $where = address();
    try {
        $answer = wp_remote_post( "$where/api/v1/purge", array(
            'timeout'             => $timeout,
            'redirection'         => 0, /* the token is for nobody else */
            'limit_response_size' => 65536,
            'headers'             => array( 'Authorization' => "Bearer $token", 'Content-Type' => 'application/json' ),
            'body'                => wp_json_encode( $names->body() ),
        ) );
    } catch ( \Throwable $error ) {
        $answer = new \WP_Error( 'freshet', $error->getMessage() );
    }
    if ( is_wp_error( $answer ) ) {
        /* translators: 1: an address, 2: what went wrong */
        return sprintf( __( 'it does not answer at %1$s (%2$s)', 'freshet' ), $where, $answer->get_error_message() );
    }
    $status = wp_remote_retrieve_response_code( $answer );
    $said   = json_decode( wp_remote_retrieve_body( $answer ), true );
    if ( 202 === $status && isset( $said['sequence'] ) ) {
        return null;
    }
    $message = isset( $said['message'] ) && is_string( $said['message'] ) ? $said['message'] : __( 'this is not how freshet answers', 'freshet' );
    /* translators: 1: an address, 2: a status, 3: what freshet said */
    return sprintf( __( '%1$s answered with %2$d: %3$s', 'freshet' ), $where, $status, substr( $message, 0, 300 ) );
}

/* Where freshet's admin listener is. */
function address() {
    $text = setting( 'FRESHET_ADMIN' );
    $text = '' === $text ? 'http://127.0.0.1:8081' : $text;
    return rtrim( strpos( $text, '://' ) ? $text : "http://$text", '/' );
}
