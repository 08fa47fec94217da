// docs/guides/wordpress.md with WordPress itself: Debian's, with a MariaDB of its own, served by PHP's own server.
// Personal pages stay with whom they are for, and what an editor or moderator does shows at once. CACHING.md 4.4, 5.4.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Front, ask, end, run } from '../e2e/lib/front.mjs';
import { block, change, guide } from '../e2e/lib/guide.mjs';
import { freePorts, temporaryFolder, until } from '../e2e/lib/world.mjs';

const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const text = guide('guides/wordpress.md');
const folder = temporaryFolder();
const root = join(folder, 'site');
const children = [];
let said = '';
let front, facts, sitePort;

const hear = (d) => (said += d);
const sql = join(folder, 'sql');

function php(script, ...args) {
  const made = spawnSync('php', [here(script), root, ...args], { encoding: 'utf8', env: { ...process.env, SITE_URL: `http://127.0.0.1:${front.port}` } });
  assert.equal(made.status, 0, made.stdout + made.stderr);
  return made.stdout;
}

/** Does what an editor does, with WordPress' own functions; the plugin purges before this returns. */
const act = (code) => php('wordpress-act.php', code);

async function startDatabase() {
  mkdirSync(sql);
  const asWhom = process.getuid() === 0 ? ['--user=root'] : [];
  const made = spawnSync('mariadb-install-db', ['--no-defaults', `--datadir=${sql}/data`, '--auth-root-authentication-method=normal', '--skip-test-db', ...asWhom], { encoding: 'utf8' });
  assert.equal(made.status, 0, made.stdout + made.stderr);
  children.push(run('/usr/sbin/mariadbd', ['--no-defaults', `--datadir=${sql}/data`, `--socket=${sql}/socket`, '--skip-networking',
    '--innodb-flush-log-at-trx-commit=0', '--innodb-buffer-pool-size=32M', ...asWhom], {}, hear));
  await until(() => `the database\n${said}`, () => spawnSync('mariadb', ['--no-defaults', `--socket=${sql}/socket`, '-uroot', '-e', 'CREATE DATABASE IF NOT EXISTS wp']).status === 0, 60_000);
}

function writeSite() {
  cpSync('/usr/share/wordpress', root, { recursive: true, dereference: true, filter: (from) => !/\.htaccess$/.test(from) });
  mkdirSync(join(root, 'wp-content/mu-plugins'), { recursive: true });
  writeFileSync(join(root, 'wp-content/mu-plugins/freshet.php'), block(text, 'php', 'Plugin Name'));
  // The test comments more quickly than a person may.
  writeFileSync(join(root, 'wp-content/mu-plugins/quick.php'), "<?php add_filter( 'comment_flood_filter', '__return_false' );");
  const told = change(block(text, 'php', 'FRESHET_ADMIN\', '), ['http://127.0.0.1:8081', front.admin], ['the token of freshet', front.token]);
  writeFileSync(join(root, 'wp-config.php'), `<?php
define( 'DB_NAME', 'wp' ); define( 'DB_USER', 'root' ); define( 'DB_PASSWORD', '' ); define( 'DB_HOST', 'localhost:${sql}/socket' );
define( 'DB_CHARSET', 'utf8mb4' ); define( 'WP_HTTP_BLOCK_EXTERNAL', true ); define( 'WP_ACCESSIBLE_HOSTS', '127.0.0.1' ); define( 'DISABLE_WP_CRON', true );
define( 'AUTH_KEY', 'a' ); define( 'SECURE_AUTH_KEY', 'b' ); define( 'LOGGED_IN_KEY', 'c' ); define( 'NONCE_KEY', 'd' );
define( 'WP_HOME', 'http://127.0.0.1:${front.port}' ); define( 'WP_SITEURL', 'http://127.0.0.1:${front.port}' );
define( 'WP_DEFAULT_THEME', 'twentytwentythree' );
${told}
$table_prefix = 'wp_';
if ( ! defined( 'ABSPATH' ) ) define( 'ABSPATH', __DIR__ . '/' );
require_once ABSPATH . 'wp-settings.php';
`);
}

before(async () => {
  [sitePort] = await freePorts(1);
  front = await Front.start(`http://127.0.0.1:${sitePort}`);
  writeSite();
  await startDatabase();
  facts = JSON.parse(php('wordpress-install.php'));
  children.push(run('php', ['-S', `127.0.0.1:${sitePort}`, '-t', root], {}, hear));
  await until(() => `WordPress\n${said}`, () => ask(sitePort, '/wp-login.php').then((r) => r.status === 200, () => false));
  console.log(`WordPress ${facts.version}`);
}, { timeout: 120_000 });

after(async () => {
  for (const child of children.reverse()) await end(child);
  await front?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const form = (fields) => ({ method: 'POST', body: String(new URLSearchParams(fields)) });

test('pages that are the same for all are stored', async () => {
  for (const path of ['/', '/open/', '/closed/']) {
    await front.miss(path);
    await front.hit(path);
  }
  assert.doesNotMatch((await front.hit('/closed/')).text, /SECRET-WORDS/);
});

test('a protected post is for those who have its password', async () => {
  const { cookies, status } = await front.get('/wp-login.php?action=postpass', { ...form({ post_password: 'sesame' }), headers: { Referer: `http://127.0.0.1:${front.port}/closed/` } });
  assert.equal(status, 302);
  assert.ok(cookies[`wp-postpass_${facts.hash}`]);
  const page = await front.own('/closed/', { cookies });
  assert.match(page.text, /SECRET-WORDS/);
  assert.equal(page.headers['cache-control'], 'private, no-store');
  assert.doesNotMatch((await front.get('/closed/')).text, /SECRET-WORDS/);
  // Also when nothing of it is stored.
  act('wp_update_post( array( "ID" => $facts["closed"], "post_title" => "Closed again" ) );');
  assert.match((await front.own('/closed/', { cookies })).text, /SECRET-WORDS/);
  assert.doesNotMatch((await front.miss('/closed/')).text, /SECRET-WORDS/);
});

test('a comment is seen by its author, and by all when it is approved, until it is trash', async () => {
  await front.hit('/open/');
  const { cookies, headers } = await front.get('/wp-comments-post.php', form({ comment: 'MY-COMMENT', author: 'Ann', email: 'ann@example.org',
    url: '', comment_post_ID: facts.open, 'wp-comment-cookies-consent': 'yes' }));
  assert.ok(cookies[`comment_author_${facts.hash}`], JSON.stringify(headers));
  const own = await front.own('/open/', { cookies });
  assert.match(own.text, /MY-COMMENT/);
  assert.match(own.text, /ann@example\.org/);
  assert.doesNotMatch((await front.get('/open/')).text, /MY-COMMENT|ann@example/);
  // Who wants no cookies is shown his comment by a link.
  const shy = await front.get('/wp-comments-post.php', form({ comment: 'SHY-COMMENT', author: 'Bob', email: 'bob@example.org', url: '', comment_post_ID: facts.open }));
  const link = new URL(shy.headers.location);
  assert.match((await front.own(link.pathname + link.search)).text, /SHY-COMMENT/);

  const comment = '$id = get_comments( array( "status" => "any", "fields" => "ids", "search" => "MY-COMMENT" ) )[0] ?? 0; ';
  act(`${comment} wp_set_comment_status( $id, "approve" );`);
  assert.match((await front.miss('/open/')).text, /MY-COMMENT/);
  await front.hit('/open/');
  act(`${comment} wp_update_comment( array( "comment_ID" => $id, "comment_content" => "MY-COMMENT edited" ) );`);
  assert.match((await front.miss('/open/')).text, /MY-COMMENT edited/);
  act(`${comment} wp_trash_comment( $id );`);
  assert.doesNotMatch((await front.miss('/open/')).text, /MY-COMMENT/);
});

test('editors have their own pages, and a forged cookie fills none of theirs', async () => {
  const login = await front.get('/wp-login.php', { ...form({ log: 'editor', pwd: 'secret-of-the-editor', 'wp-submit': 'x', testcookie: '1' }),
    cookies: { wordpress_test_cookie: 'WP%20Cookie%20check' } });
  const name = `wordpress_logged_in_${facts.hash}`;
  assert.ok(login.cookies[name], login.text);
  const forged = await front.own('/open/', { cookies: { [name]: 'forged' } });
  assert.doesNotMatch(forged.text, /wp-admin-bar/);
  const editor = await front.own('/open/', { cookies: { [name]: login.cookies[name] } });
  assert.match(editor.text, /wpadminbar/);
  assert.doesNotMatch((await front.get('/open/')).text, /wpadminbar/);
});

test('lists and home follow what is published, trashed and deleted', async () => {
  await front.get('/');
  await front.hit('/');
  act('$GLOBALS["made"] = wp_insert_post( array( "post_title" => "BRAND-NEW", "post_name" => "new", "post_status" => "publish", "post_content" => "x" ) );');
  assert.match((await front.miss('/')).text, /BRAND-NEW/);
  await front.miss('/new/');
  await front.hit('/new/');
  act('wp_trash_post( get_page_by_path( "new", OBJECT, "post" )->ID );');
  assert.doesNotMatch((await front.miss('/')).text, /BRAND-NEW/);
  assert.equal((await front.own('/new/')).status, 404);
  await front.hit('/open/');
  act('wp_delete_post( $facts["open"], true );');
  assert.equal((await front.own('/open/')).status, 404);
  await front.miss('/');
  await front.hit('/');
  act('update_option( "blogname", "Renamed" );');
  assert.match((await front.miss('/')).text, /Renamed/);
});

test('a purge that fails is scheduled again', async () => {
  const said = act('remove_all_filters( "pre_http_request" ); add_filter( "pre_http_request", fn() => new WP_Error( "down" ) ); wp_update_post( array( "ID" => $facts["closed"], "post_title" => "Third" ) ); '
    + 'add_action( "shutdown", function () { echo wp_next_scheduled( "freshet_purge", array( array( "post-" . $GLOBALS["facts"]["closed"], "lists" ) ) ) ? "SCHEDULED" : "LOST"; }, 99 );');
  assert.match(said, /SCHEDULED/);
  await front.get('/closed/');
  await front.hit('/closed/');
  act('do_action_ref_array( "freshet_purge", array( array( "post-" . $facts["closed"], "lists" ) ) );');
  assert.match((await front.miss('/closed/')).text, /Third/);
});
