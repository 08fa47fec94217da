<?php
/*
 * What a page says to freshet. The page is held until it is made, so that all that its template, blocks and other plugins do counts:
 * a shortcode that sets a cookie or defines DONOTCACHEPAGE comes long after the first lines of a page.
 */
namespace Freshet;

defined( 'ABSPATH' ) || exit;

/* A page that is longer is sent as it comes, and is not stored. */
const LONGEST_PAGE = 8388608;

/* The most tags of one page, and how long their field may be; more and the page has the general ones. */
const MOST_TAGS = 100, LONGEST_FIELD = 4096;

/* What is known of the page that this request makes. */
final class Page {
    public static $is_begun = false, $is_own = false, $uses = array();
}

/* Who has one of these cookies may get a page that is for nobody else. */
function personal_cookies() {
    $names = array( LOGGED_IN_COOKIE );
    foreach ( array( 'wp-postpass_', 'comment_author_', 'comment_author_email_', 'comment_author_url_' ) as $name ) {
        $names[] = $name . COOKIEHASH;
    }
    if ( class_exists( 'WooCommerce', false ) ) {
        array_push( $names, 'woocommerce_items_in_cart', 'woocommerce_cart_hash', 'wp_woocommerce_session_' . COOKIEHASH );
    }
    return apply_filters( 'freshet_personal_cookies', $names );
}

/* ---- While the page is made */

function begin( $template = null ) {
    if ( ! Page::$is_begun && ! headers_sent() ) {
        Page::$is_begun = true;
        ob_start( null, LONGEST_PAGE );
    }
    return $template;
}
/* Not before: what a plugin sends in place of a page (a download, a file for members) is its own affair. */
add_filter( 'template_include', __NAMESPACE__ . '\begin', PHP_INT_MIN );
foreach ( array( 'rdf', 'rss', 'rss2', 'atom' ) as $feed ) {
    add_action( "do_feed_$feed", function () {
        begin();
    }, PHP_INT_MIN );
}

function uses( ...$names ) {
    Page::$uses += array_fill_keys( $names, true );
}

/* Lists beside the main one: a block of latest posts, a menu of all pages, what a theme asks for. */
add_action( 'pre_get_posts', function ( $query ) {
    if ( ! $query->is_main_query() && ! $query->get( 'p' ) && ! $query->get( 'page_id' ) ) {
        foreach ( array_diff( (array) ( $query->get( 'post_type' ) ?: 'post' ), SITE_TYPES, SILENT_TYPES ) as $type ) {
            uses( "list-$type" );
        }
    }
} );
add_filter( 'get_pages', function ( $pages, $query ) {
    uses( 'list-' . ( $query['post_type'] ?? 'page' ) );
    return $pages;
}, 10, 2 );
foreach ( array( 'get_previous_post_where', 'get_next_post_where' ) as $filter ) {
    add_filter( $filter, function ( $where, $in_same_term, $excluded, $taxonomy, $post ) {
        uses( "list-$post->post_type" );
        return $where;
    }, 10, 5 );
}
add_filter( 'getarchives_where', function ( $where, $query ) {
    uses( 'list-' . ( $query['post_type'] ?? 'post' ) );
    return $where;
}, 10, 2 );
add_action( 'pre_get_comments', function ( $query ) {
    if ( empty( $query->query_vars['post_id'] ) ) {
        uses( 'comments' );
    }
} );
/* A list of terms may have the number of their posts, and leave out those without. */
add_action( 'pre_get_terms', function ( $query ) {
    $asked      = array_filter( $query->query_vars );
    $is_list    = ! array_intersect_key( $asked, array_flip( array( 'object_ids', 'include', 'slug', 'name', 'term_taxonomy_id' ) ) );
    $taxonomies = (array) ( $asked['taxonomy'] ?? array() );
    if ( $is_list && array_filter( $taxonomies, 'is_taxonomy_viewable' ) ) {
        uses( 'terms', 'list-any' );
    }
} );
add_action( 'pre_get_users', function () {
    uses( 'authors', 'list-any' );
} );
/* A theme that asks makes two pages of one, and nothing tells freshet which. */
add_filter( 'wp_is_mobile', function ( $is_mobile ) {
    Page::$is_own = true;
    return $is_mobile;
} );

/* ---- What it is */

function is_shop_page() {
    foreach ( array( 'is_cart', 'is_checkout', 'is_account_page', 'is_wc_endpoint_url', 'edd_is_checkout' ) as $asks ) {
        if ( function_exists( $asks ) && $asks() ) {
            return true;
        }
    }
    return false;
}

function is_personal() {
    return Page::$is_own || is_user_logged_in() || array_intersect( personal_cookies(), array_keys( $_COOKIE ) )
        || is_preview() || is_customize_preview() || isset( $_GET['unapproved'] ) || is_shop_page()
        || ( defined( 'DONOTCACHEPAGE' ) && DONOTCACHEPAGE );
}

/* WordPress or another plugin has said already that the page is for one visitor. What WordPress says of each 404 does not count. */
function is_forbidden() {
    $usual = is_404() ? 'cache-control: ' . strtolower( wp_get_nocache_headers()['Cache-Control'] ?? '' ) : '';
    foreach ( array_map( 'strtolower', headers_list() ) as $line ) {
        if ( $line !== $usual && preg_match( '/^(set-cookie:|cache-control:.*(private|no-store|no-cache))/', $line ) ) {
            return true;
        }
    }
    return false;
}

/* A fatal error in the middle of a page leaves half of it. */
function is_broken() {
    $error = error_get_last();
    return $error && $error['type'] & ( E_ERROR | E_PARSE | E_CORE_ERROR | E_COMPILE_ERROR | E_USER_ERROR | E_RECOVERABLE_ERROR );
}

function is_stored() {
    if ( is_forbidden() || is_broken() || is_search() || is_trackback() || isset( $_GET['replytocom'] ) || '' === token() ) {
        return false;
    }
    return http_response_code() === ( is_404() ? 404 : 200 ) && apply_filters( 'freshet_is_stored', true );
}

/*
 * Forms have nonces, which are good for half their life at least: the page goes before. max-age and not s-maxage, which would let freshet
 * store an answer to a request with Authorization.
 */
function lifetime() {
    $most = (int) ( apply_filters( 'nonce_life', DAY_IN_SECONDS, -1 ) / 2 );
    $said = is_404() ? 'max-age=60' : sprintf( 'max-age=%d, stale-while-revalidate=%d', $most * 5 / 6, $most / 12 );
    return (string) apply_filters( 'freshet_cache_control', $said );
}

/* ---- Its tags */

function tags() {
    $tags = array_merge( array_keys( Page::$uses ), is_404() ? array( '404' ) : shown(), is_404() ? array() : lists() );
    if ( is_feed() ) {
        $tags[] = 'feed';
    }
    $tags = array_unique( apply_filters( 'freshet_tags', $tags ) );
    if ( count( $tags ) >= MOST_TAGS || strlen( implode( ', ', array_map( __NAMESPACE__ . '\tag', $tags ) ) ) > LONGEST_FIELD ) {
        $tags = array( 'list-any', 'terms', 'authors', 'comments' );
    }
    $tags[] = SITE;
    return array_map( __NAMESPACE__ . '\tag', $tags );
}

/* The posts of the page, with their authors and terms. */
function shown() {
    global $wp_query;
    $tags = array();
    foreach ( (array) $wp_query->posts as $post ) {
        if ( $post instanceof \WP_Post ) {
            array_push( $tags, "post-$post->ID", "author-$post->post_author" );
            foreach ( get_object_taxonomies( $post->post_type ) as $taxonomy ) {
                foreach ( terms_of( $post->ID, $taxonomy ) as $term ) {
                    $tags[] = "term-$term->term_id";
                }
            }
        }
    }
    return $tags;
}

/* The lists that the page is. */
function lists() {
    $tags = array();
    $what = get_queried_object();
    if ( is_home() ) {
        $tags[] = 'home';
    }
    if ( $what instanceof \WP_Term ) {
        array_push( $tags, "term-$what->term_id", "list-term-$what->term_id" );
    } elseif ( $what instanceof \WP_User ) {
        array_push( $tags, "author-$what->ID", "list-author-$what->ID" );
    } elseif ( $what instanceof \WP_Post_Type ) {
        $tags[] = "list-$what->name";
    } elseif ( $what instanceof \WP_Post && ! is_singular() ) {
        $tags[] = "post-$what->ID"; /* the page that stands for the list of posts */
    }
    if ( is_date() ) {
        $tags[] = 'list-date';
    }
    /* Any other list, by several terms or by what a plugin thought of. */
    if ( ! is_singular() && ( ! $tags || terms_asked() > 1 ) ) {
        $tags[] = 'list-any';
    }
    return is_comment_feed() ? array_merge( $tags, array( 'comments' ) ) : $tags;
}

function terms_asked() {
    global $wp_query;
    return array_sum( array_map( function ( $asked ) {
        return count( (array) ( $asked['terms'] ?? array() ) );
    }, $wp_query->tax_query->queried_terms ?? array() ) );
}

/* ---- When it is made; before WordPress sends what is held (priority 1) */

add_action( 'shutdown', function () {
    if ( ! Page::$is_begun || headers_sent() || 'GET' !== ( $_SERVER['REQUEST_METHOD'] ?? '' ) ) {
        return;
    }
    header( 'Netlify-Vary: cookie=' . implode( '|', personal_cookies() ) );
    if ( is_personal() ) {
        array_map( 'header_remove', array( 'CDN-Cache-Control', 'Netlify-CDN-Cache-Control', 'Cache-Tag' ) );
        header( 'Cache-Control: private, no-store' );
    } elseif ( is_stored() && '' !== lifetime() ) {
        if ( ! preg_grep( '/^(netlify-)?cdn-cache-control:/i', headers_list() ) ) {
            header( 'CDN-Cache-Control: ' . lifetime() );
        }
        header( 'Cache-Tag: ' . implode( ', ', tags() ) );
    }
}, 0 );
