<?php
/* What changes, and which tags that purges. The tags of pages are in pages.php. */
namespace Freshet;

defined( 'ABSPATH' ) || exit;

/* Types of posts that are a part of all pages, and those that are a part of none. */
const SITE_TYPES   = array( 'wp_template', 'wp_template_part', 'wp_navigation', 'wp_block', 'wp_global_styles', 'nav_menu_item', 'custom_css' );
const SILENT_TYPES = array( 'revision', 'oembed_cache', 'customize_changeset', 'user_request' );

/* Options that all pages show. */
const OPTIONS = '/^(siteurl|home|blogname|blogdescription|blog_public|site_icon|site_logo|stylesheet|template|active_plugins|widget_.*'
    . '|sidebars_widgets|theme_mods_.*|sticky_posts|posts_per_page|posts_per_rss|rss_use_excerpt|show_on_front|page_on_front|page_for_posts'
    . '|wp_page_for_privacy_policy|permalink_structure|category_base|tag_base|date_format|time_format|timezone_string|gmt_offset|start_of_week'
    . '|WPLANG|show_avatars|avatar_.*|comments_per_page|default_comments_page|comment_order|page_comments|thread_comments.*'
    . '|comment_registration|require_name_email|close_comments_.*|show_comments_cookies_opt_in)$/';

/* ---- Posts */

add_action( 'transition_post_status', function ( $new, $old, $post ) {
    if ( is_post_status_viewable( $new ) || is_post_status_viewable( $old ) ) {
        post_changed( $post );
    }
}, 10, 3 );
add_action( 'before_delete_post', function ( $id, $post ) {
    if ( is_post_status_viewable( $post->post_status ) ) {
        post_changed( $post );
    }
}, 10, 2 );
/* Its author was another one. */
add_action( 'post_updated', function ( $id, $after, $before ) {
    if ( $after->post_author !== $before->post_author ) {
        purge( "list-author-$before->post_author" );
    }
}, 10, 3 );
/* Attachments have no status of their own. */
foreach ( array( 'add_attachment', 'edit_attachment', 'delete_attachment' ) as $event ) {
    add_action( $event, function ( $id ) {
        post_changed( get_post( $id ) );
    } );
}

function post_changed( $post ) {
    $type = $post->post_type;
    if ( in_array( $type, apply_filters( 'freshet_site_types', SITE_TYPES ), true ) ) {
        purge( SITE );
    } elseif ( ! in_array( $type, SILENT_TYPES, true ) ) {
        purge( "post-$post->ID", "list-$type", 'list-any' );
        if ( is_post_type_viewable( $type ) ) {
            purge( 'home', 'feed', 'list-date', "list-author-$post->post_author", '404' );
            foreach ( get_object_taxonomies( $type ) as $taxonomy ) {
                purge_lists( wp_list_pluck( terms_of( $post->ID, $taxonomy ), 'term_id' ), $taxonomy );
            }
        }
    }
}

/* The terms of a post in a taxonomy that has pages. */
function terms_of( $id, $taxonomy ) {
    $terms = is_taxonomy_viewable( $taxonomy ) ? get_the_terms( $id, $taxonomy ) : array();
    return is_array( $terms ) ? $terms : array();
}

/* The lists of these terms, and of those above them, which show their posts too. */
function purge_lists( array $terms, $taxonomy ) {
    foreach ( $terms as $term ) {
        foreach ( array_merge( array( $term ), get_ancestors( $term, $taxonomy, 'taxonomy' ) ) as $id ) {
            purge( "list-term-$id" );
        }
    }
}

add_action( 'set_object_terms', function ( $id, $terms, $now, $taxonomy, $append, $before ) {
    $changed = array_merge( array_diff( $now, $before ), array_diff( $before, $now ) );
    $post    = $changed && is_taxonomy_viewable( $taxonomy ) ? get_post( $id ) : null;
    if ( $post && in_array( $taxonomy, get_object_taxonomies( $post->post_type ), true ) && is_post_status_viewable( $post->post_status ) ) {
        post_changed( $post );
        foreach ( $changed as $term_taxonomy_id ) {
            $term = get_term_by( 'term_taxonomy_id', $term_taxonomy_id );
            purge_lists( $term ? array( $term->term_id ) : array(), $taxonomy );
        }
    }
}, 10, 6 );

/* The editor sets these without saving the post. */
foreach ( array( 'added_post_meta', 'updated_post_meta', 'deleted_post_meta' ) as $event ) {
    add_action( $event, function ( $meta, $id, $name ) {
        $post = in_array( $name, array( '_thumbnail_id', '_wp_page_template' ), true ) ? get_post( $id ) : null;
        if ( $post && is_post_status_viewable( $post->post_status ) ) {
            post_changed( $post );
        }
    }, 10, 3 );
}

/* ---- Comments: approved, unapproved, spam, trash and back, deleted */

function comment_changed( $comment ) {
    purge( "post-$comment->comment_post_ID", 'comments' );
}
add_action( 'transition_comment_status', function ( $new, $old, $comment ) {
    if ( 'approved' === $new || 'approved' === $old ) {
        comment_changed( $comment );
    }
}, 10, 3 );
add_action( 'comment_post', function ( $id, $approved ) {
    if ( 1 === (int) $approved && 'spam' !== $approved ) {
        comment_changed( get_comment( $id ) );
    }
}, 10, 2 );
add_action( 'edit_comment', function ( $id ) {
    comment_changed( get_comment( $id ) );
} );

/* ---- Terms and people */

foreach ( array( 'created_term', 'edited_term', 'delete_term' ) as $event ) {
    add_action( $event, function ( $id, $term_taxonomy_id, $taxonomy ) {
        if ( is_taxonomy_viewable( $taxonomy ) ) {
            purge( "term-$id", "list-term-$id", 'terms' );
        }
    }, 10, 3 );
}
add_action( 'profile_update', function ( $id ) {
    purge( "author-$id", "list-author-$id", 'authors' );
} );
add_action( 'deleted_user', function ( $id, $heir ) {
    purge( "author-$id", "list-author-$id", 'authors' );
    if ( $heir ) {
        purge( "list-author-$heir" );
    }
}, 10, 2 );

/* ---- What shows on all pages */

foreach ( array( 'customize_save_after', 'wp_create_nav_menu', 'wp_update_nav_menu', 'wp_delete_nav_menu' ) as $event ) {
    add_action( $event, function () {
        purge( SITE );
    } );
}
/* These change scripts and styles too, which have no tags. */
foreach ( array( 'switch_theme', 'permalink_structure_changed', 'activated_plugin', 'deactivated_plugin', 'upgrader_process_complete' ) as $event ) {
    add_action( $event, function () {
        purge_all();
    } );
}
foreach ( array( 'added_option', 'updated_option', 'deleted_option' ) as $event ) {
    add_action( $event, function ( $name ) {
        if ( preg_match( OPTIONS, $name ) ) {
            purge( SITE );
        }
    } );
}
