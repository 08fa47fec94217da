<?php
/* WordPress runs this when the plugin is deleted. */
defined( 'WP_UNINSTALL_PLUGIN' ) || exit;
delete_option( 'freshet_pending' );
