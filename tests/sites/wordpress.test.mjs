// integrations/wordpress with WordPress itself, as docs/guides/wordpress.md says it: personal pages stay with whom they are for, behind
// freshet's lists of cookies and without them; what editors, moderators and visitors do shows at once, and purges no more than what shows
// it; a purge that fails breaks nothing and is asked again. Before the plugin is there: preset wordpress alone. CACHING.md 2.14, 4.4, 5.4.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Blog, HASH } from '../e2e/lib/blog.mjs';
import { Front, ask } from '../e2e/lib/front.mjs';
import { block, change, guide } from '../e2e/lib/guide.mjs';
import { sameInChromium } from '../e2e/lib/walk.mjs';
import { REPOSITORY, freePorts, until } from '../e2e/lib/world.mjs';

const text = guide('guides/wordpress.md');
const readme = readFileSync(join(REPOSITORY, 'integrations/wordpress/README.md'), 'utf8');
let blog, front, bare, between;

/** freshet's admin listener as the plugin sees it: `mode` is up, refuses or lies; closed, it is down. */
class Between {
  asked = 0;
  mode = 'up';

  async open(port) {
    this.server = http.createServer((request, response) => {
      this.asked++;
      if (this.mode === 'refuses') return response.writeHead(401, { 'Content-Type': 'application/json' }).end('{"code":401,"message":"not this token"}');
      if (this.mode === 'lies') return response.writeHead(200).end('<p>welcome</p>');
      request.pipe(http.request({ host: '127.0.0.1', port: front.adminPort, path: request.url, method: request.method, headers: request.headers, agent: false },
        (answer) => answer.pipe(response.writeHead(answer.statusCode, answer.headers))).on('error', () => response.destroy()));
    });
    await new Promise((resolve) => this.server.listen(port, '127.0.0.1', resolve));
    this.port = port;
  }

  close() {
    this.server.closeAllConnections();
    return new Promise((resolve) => this.server.close(resolve));
  }
}

before(async () => {
  const [port, admin] = await freePorts(2);
  const origin = `http://127.0.0.1:${port}`;
  front = await Front.start(origin, { yaml: change(block(text, 'yaml', 'preset'), ['http://127.0.0.1:3000', origin]) });
  bare = await Front.start(origin, { yaml: `origin: ${origin}\nbypass_cookies: []\nignore_cookies: []\nunkeyed_cookies: forward\n` });
  between = new Between();
  await between.open(admin);
  blog = new Blog(port);
  mkdirSync(join(blog.root, 'wp-content/mu-plugins'), { recursive: true });
  writeFileSync(join(blog.root, 'wp-content/mu-plugins/others.php'), OTHERS);
  await blog.start(`127.0.0.1:${front.port}`, change(block(text, 'php', 'FRESHET_ADMIN\', '), ['http://127.0.0.1:8081', `http://127.0.0.1:${admin}`],
    ['the token of freshet', front.token]));
}, { timeout: 120_000 });

after(async () => {
  await blog?.stop();
  await between?.close();
  for (const one of [front, bare]) await one?.stop();
});

/** What other plugins do, when a page is asked for with their name. */
const OTHERS = `<?php
add_filter( 'comment_flood_filter', '__return_false' ); // the test comments more quickly than a person may
add_filter( 'the_content', function ( $content ) {
    $long = str_repeat( 'long before what comes ', 1000 ); // PHP would have sent the head by now
    if ( isset( $_GET['shop'] ) ) { define( 'DONOTCACHEPAGE', true ); return $long; }
    if ( isset( $_GET['cookie'] ) ) { echo $long; setcookie( 'any', 'value' ); }
    if ( isset( $_GET['own'] ) ) { header( 'Cache-Control: private' ); }
    if ( isset( $_GET['mobile'] ) ) { return wp_is_mobile() ? 'small' : 'large'; }
    if ( isset( $_GET['fatal'] ) ) { echo $long; missing_function(); }
    if ( isset( $_GET['huge'] ) ) { return str_repeat( 'x', 9000000 ); }
    return $content . ( $_COOKIE['nickname'] ?? '' );
} );
if ( isset( $_GET['cart'] ) ) { function is_cart() { return true; } }
`;

const form = (fields, more = {}) => ({ method: 'POST', body: String(new URLSearchParams(fields)), ...more });
const act = (code) => blog.act(code);

async function login(name) {
  const { cookies, text } = await front.get('/wp-login.php', form({ log: name, pwd: `secret-of-the-${name}`, 'wp-submit': 'x', testcookie: '1' },
    { cookies: { wordpress_test_cookie: 'WP%20Cookie%20check' } }));
  assert.ok(cookies[`wordpress_logged_in_${HASH}`], text);
  return cookies;
}

/** The cookies of who enters the password of a post. */
async function enter() {
  const { cookies, status } = await front.get('/wp-login.php?action=postpass', form({ post_password: 'sesame' }, { headers: { Referer: `http://127.0.0.1:${front.port}/closed/` } }));
  assert.equal(status, 302);
  assert.ok(cookies[`wp-postpass_${HASH}`]);
  return cookies;
}

/** Comments at /open/, and wants cookies. */
const comment = (words, name, more = { 'wp-comment-cookies-consent': 'yes' }) => front.get('/wp-comments-post.php', form({ comment: words, author: name,
  email: `${name}@example.org`, url: '', comment_post_ID: blog.facts.open, ...more }));

/** Each is asked for until it is stored. */
async function warm(...paths) {
  for (const path of paths) await until(`${path} to be stored`, async () => /; hit/.test((await front.get(path)).cache));
}

// ---- Before the plugin is there

test('preset wordpress alone: the site works, its files are kept, and no page is', async () => {
  for (const path of ['/', '/open/', '/closed/']) for (let i = 0; i < 2; i++) assert.equal((await front.own(path)).status, 200);
  const style = '/wp-includes/css/dist/block-library/style.min.css';
  await front.miss(style);
  await front.hit(style, { cookies: { _ga: 'x' } });
  const cookies = await login('boss');
  assert.match((await front.own('/open/', { cookies })).text, /wpadminbar/);
  assert.equal((await front.own('/wp-admin/', { cookies })).status, 200);
  assert.match((await front.own('/wp-json/wp/v2/posts')).text, /"slug":"open"/);
  for (const path of ['/?s=words', '/?p=1&preview=true', '/wp-login.php']) assert.match((await front.own(path)).cache, /bypass-rule/);
});

test('preset wordpress alone: what the post\'s password opens, and what a commenter wrote, is nobody else\'s', async () => {
  const opened = await enter();
  for (let i = 0; i < 2; i++) assert.match((await front.own('/closed/', { cookies: opened })).text, /SECRET-WORDS/);
  assert.doesNotMatch((await front.get('/closed/')).text, /SECRET-WORDS/);
  const { cookies } = await comment('EARLY-COMMENT', 'eve');
  assert.match((await front.own('/open/', { cookies })).text, /eve@example\.org/);
  assert.doesNotMatch((await front.get('/open/')).text, /EARLY-COMMENT|eve@/);
});

test('it is installed as the guide says, and stores nothing before it has a token', async () => {
  assert.equal(block(readme, 'sh', 'cp -r'), block(text, 'sh', 'cp -r'));
  assert.ok(block(text, 'php', 'FRESHET_ADMIN').startsWith(block(readme, 'php', 'FRESHET_ADMIN')), 'both say the same');
  const done = spawnSync('sh', ['-c', change(block(text, 'sh', 'cp -r'), ['/var/www/html', blog.root])], { cwd: REPOSITORY, encoding: 'utf8' });
  assert.equal(done.status, 0, done.stderr);
  await act('require ABSPATH . "wp-admin/includes/plugin.php"; $error = activate_plugin( "freshet/freshet.php" ); if ( $error ) { throw new Exception( $error->get_error_message() ); }');
  const page = await front.miss('/plain/');
  assert.match(page.headers['cdn-cache-control'], /^max-age=36000, stale-while-revalidate=3600$/);
  assert.doesNotMatch(blog.said, /freshet did not purge/);
});

// ---- Pages

test('pages that are the same for all are stored, with tags of what they show', async () => {
  for (const path of ['/', '/open/', '/closed/', '/trout/', '/category/fish/', '/author/boss/', '/feed/', '/comments/feed/', '/open/feed/']) {
    await front.get(path);
    await front.hit(path);
  }
  assert.doesNotMatch((await front.hit('/closed/')).text, /SECRET-WORDS/);
  const tags = async (path) => (await front.hit(path)).headers['cache-tag'].split(', ');
  const { open, trout, fish } = blog.facts;
  const has = async (path, ...wanted) => assert.deepEqual(wanted.filter((tag) => !wanted.length || !tagsNow.includes(tag)), [], `${path}: ${tagsNow}`);
  let tagsNow;
  for (const [path, ...wanted] of [
    ['/', 'home', `post-${open}`, `post-${trout}`, `term-${fish}`, 'author-1', 'site'],
    ['/trout/', `post-${trout}`, `term-${fish}`, 'author-1', 'site'],
    ['/category/fish/', `term-${fish}`, `list-term-${fish}`, `post-${trout}`],
    ['/author/boss/', 'author-1', 'list-author-1'],
    ['/feed/', 'feed', `post-${open}`],
    ['/comments/feed/', 'feed', 'comments'],
    ['/open/feed/', 'feed', `post-${open}`],
  ]) {
    tagsNow = await tags(path);
    await has(path, ...wanted);
    assert.equal(new Set(tagsNow).size, tagsNow.length, `${path}: ${tagsNow}`);
  }
});

test('what another plugin keeps for one visitor is not stored, however late it says so', async () => {
  for (const query of ['shop', 'cookie', 'own', 'mobile', 'fatal', 'cart', 'huge', 'replytocom=1', 'preview=true', 'unapproved=4&moderation-hash=5'])
    for (let i = 0; i < 2; i++) await front.own(`/hidden/?${query}`);
  assert.equal((await front.own('/hidden/?fatal')).status, 500);
  assert.equal((await front.own('/hidden/?huge')).status, 200);
  for (let i = 0; i < 2; i++) await front.own('/?s=word');
});

test('a cookie that the plugin does not know is shown to nobody', async () => {
  assert.match((await front.own('/hello-world/', { cookies: { nickname: 'ANN-COOKIE' } })).text, /ANN-COOKIE/);
  assert.doesNotMatch((await front.miss('/hello-world/', { cookies: { nickname: 'ANN-COOKIE' } })).text, /ANN-COOKIE/);
  assert.doesNotMatch((await front.hit('/hello-world/')).text, /ANN-COOKIE/);
});

// ---- Whose pages: behind freshet with its lists, and with none

const leaks = (name, which) => {
  test(`${name}: a protected post is for those who have its password`, async () => {
    const cookies = await enter();
    const path = '/closed/?visit';
    // Before anything of it is stored, and after.
    for (let i = 0; i < 2; i++) {
      const page = await which().own(path, { cookies });
      assert.match(page.text, /SECRET-WORDS/);
      assert.match(page.headers['cache-control'], /private, no-store/);
      assert.equal(page.headers['cdn-cache-control'], undefined);
      assert.doesNotMatch((await which().get(path)).text, /SECRET-WORDS/);
    }
    assert.doesNotMatch((await which().hit(path)).text, /SECRET-WORDS/);
    assert.doesNotMatch((await which().own(path, { cookies: { [`wp-postpass_${HASH}`]: 'made-up' } })).text, /SECRET-WORDS/);
  });

  test(`${name}: a commenter's name and address, and what waits for approval, are shown to nobody else`, async () => {
    const { cookies, headers } = await comment(`WORDS-${name}`, `ann-${name}`);
    assert.ok(cookies[`comment_author_${HASH}`], JSON.stringify(headers));
    const path = '/open/?visit';
    for (let i = 0; i < 2; i++) {
      const own = await which().own(path, { cookies });
      assert.match(own.text, new RegExp(`WORDS-${name}`));
      assert.match(own.text, new RegExp(`ann-${name}@example\\.org`));
      assert.doesNotMatch((await which().get(path)).text, /WORDS-|@example/);
    }
    assert.doesNotMatch((await which().hit(path)).text, /WORDS-|@example/);
    // Who wants no cookies is shown his comment by a link.
    const shy = await comment(`SHY-${name}`, `bob-${name}`, {});
    const link = new URL(shy.headers.location);
    for (let i = 0; i < 2; i++) assert.match((await which().own(link.pathname + link.search)).text, new RegExp(`SHY-${name}`));
  });

  test(`${name}: who is logged in has his own pages, and a forged cookie fills none`, async () => {
    const cookies = await login('boss');
    const path = '/trout/?visit';
    for (let i = 0; i < 2; i++) {
      assert.match((await which().own(path, { cookies })).text, /wpadminbar/);
      assert.doesNotMatch((await which().own(path, { cookies: { [`wordpress_logged_in_${HASH}`]: 'forged' } })).text, /wpadminbar/);
      assert.doesNotMatch((await which().get(path)).text, /wpadminbar/);
    }
    await which().hit(path);
    const preview = (await ask(blog.port, '/wp-json/', { headers: { Host: `127.0.0.1:${front.port}` } })).status;
    assert.equal(preview, 200);
  });
};
leaks('lists', () => front);
leaks('none', () => bare);

test('clicked through in Chromium, it is as without freshet', { timeout: 900_000 }, () => sameInChromium({ direct: blog.port, front: front.port, most: 4,
  wanted: (path) => /^\/((open|closed|trout|plain|hello-world|category\/fish|author\/boss)\/)?$/.test(path) }));

// ---- What changes

/** `code` makes exactly the pages of `gone` be made anew; resolves to the first of these. */
async function purges(code, gone, kept = []) {
  await warm(...gone, ...kept);
  await (typeof code === 'string' ? act(code) : code());
  const first = await front.miss(gone[0]);
  for (const path of gone.slice(1)) assert.match((await front.get(path)).cache, /fwd=/, path);
  for (const path of kept) await front.hit(path);
  return first.text;
}

test('an edited post is new wherever it is shown, and nothing else is', async () => {
  const page = await purges('wp_update_post( array( "ID" => id( "trout" ), "post_title" => "EDITED" ) );',
    ['/trout/', '/', '/category/fish/', '/feed/', '/author/boss/', '/latest/'], ['/open/', '/plain/', '/closed/']);
  assert.match(page, /EDITED/);
  assert.match((await front.get('/')).text, /EDITED/);
  assert.match((await front.get('/latest/')).text, /EDITED/);
});

test('a post that gets a password, or a picture, or is for members only', async () => {
  assert.doesNotMatch(await purges('wp_update_post( array( "ID" => id( "hidden" ), "post_password" => "x" ) );', ['/hidden/']), /words/);
  await purges('wp_update_post( array( "ID" => id( "hidden" ), "post_password" => "" ) );', ['/hidden/']);
  await purges('update_post_meta( id( "trout" ), "_thumbnail_id", 1 );', ['/trout/', '/'], ['/open/']);
  await warm('/hidden/');
  await act('wp_update_post( array( "ID" => id( "hidden" ), "post_status" => "private" ) );');
  assert.equal((await front.get('/hidden/')).status, 404);
  await act('wp_update_post( array( "ID" => get_posts( "name=hidden&post_type=page&post_status=private" )[0]->ID, "post_status" => "publish" ) );');
  assert.equal((await front.get('/hidden/')).status, 200);
});

test('a draft, a revision and an option of no page purge nothing', async () => {
  await warm('/', '/trout/', '/latest/');
  const before = between.asked;
  await act('wp_insert_post( array( "post_title" => "Draft", "post_status" => "draft" ) ); wp_save_post_revision( id( "trout" ) ); update_option( "some_option", "x" );'
    + 'set_transient( "x", "y", 60 );');
  assert.equal(between.asked, before);
  for (const path of ['/', '/trout/', '/latest/']) await front.hit(path);
});

test('what is published appears, and where nothing was; what is in the trash is gone', async () => {
  await front.get('/new/');
  assert.equal((await front.hit('/new/')).status, 404);
  const home = await purges('wp_insert_post( array( "post_title" => "BRAND-NEW", "post_name" => "new", "post_status" => "publish", "post_content" => "x", "post_author" => 1 ) );',
    ['/', '/feed/', '/latest/', '/category/uncategorized/'], ['/trout/', '/plain/', '/category/fish/']);
  assert.match(home, /BRAND-NEW/);
  assert.equal((await front.miss('/new/')).status, 200);
  const gone = await purges('wp_trash_post( id( "new" ) );', ['/', '/new/', '/latest/'], ['/trout/']);
  assert.doesNotMatch(gone, /BRAND-NEW/);
  assert.equal((await front.get('/new/')).status, 404);
  await act('wp_insert_post( array( "post_title" => "Short", "post_name" => "short", "post_status" => "publish", "post_content" => "x" ) );');
  await purges('wp_delete_post( id( "short" ), true );', ['/short/', '/']);
});

test('a post that moves to another category leaves one list and comes into another', async () => {
  await act('wp_insert_term( "Birds", "category" ); wp_insert_term( "Gulls", "category", array( "parent" => get_cat_ID( "Birds" ) ) );');
  await front.get('/category/birds/gulls/');
  await purges('wp_set_post_categories( id( "trout" ), array( get_cat_ID( "Gulls" ) ) );', ['/category/fish/', '/trout/'], ['/open/']);
  await warm('/category/birds/', '/category/birds/gulls/');
  assert.match((await front.get('/category/birds/')).text, /EDITED/);
  await purges('wp_set_post_categories( id( "trout" ), array( get_cat_ID( "Fish" ) ) );', ['/category/birds/', '/category/birds/gulls/'], ['/open/']);
});

test('a term or a person with another name', async () => {
  const renamed = await purges('wp_update_term( get_cat_ID( "Fish" ), "category", array( "name" => "RENAMED-TERM" ) );', ['/trout/', '/category/fish/'], ['/open/', '/plain/']);
  assert.match(renamed, /RENAMED-TERM/);
  assert.match(await purges('wp_update_user( array( "ID" => 1, "display_name" => "RENAMED-BOSS" ) );', ['/trout/', '/author/boss/', '/'], []), /RENAMED-BOSS/);
  await warm('/trout/');
  await act('wp_update_user( array( "ID" => 2, "display_name" => "Somebody who wrote nothing" ) );');
  await front.hit('/trout/');
});

test('a comment shows when it is approved, until it is trash', async () => {
  const find = '$id = get_comments( array( "status" => "any", "fields" => "ids", "search" => "MY-COMMENT" ) )[0] ?? 0; ';
  await warm('/open/');
  const before = between.asked;
  const { cookies } = await comment('MY-COMMENT', 'carl');
  assert.equal(between.asked, before, 'one that waits purges nothing');
  assert.doesNotMatch((await front.get('/open/')).text, /MY-COMMENT/); // asked for again, since the answer to the form leads there
  const shown = await purges(`${find} wp_set_comment_status( $id, "approve" );`, ['/open/', '/comments/feed/'], ['/trout/', '/plain/']);
  assert.match(shown, /MY-COMMENT/);
  assert.doesNotMatch(shown, /carl@example/);
  assert.match((await front.own('/open/', { cookies })).text, /carl@example/);
  assert.match(await purges(`${find} wp_update_comment( array( "comment_ID" => $id, "comment_content" => "MY-COMMENT edited" ) );`, ['/open/']), /MY-COMMENT edited/);
  assert.doesNotMatch(await purges(`${find} wp_set_comment_status( $id, "hold" );`, ['/open/']), /MY-COMMENT/);
  assert.match(await purges(`${find} wp_set_comment_status( $id, "approve" );`, ['/open/']), /MY-COMMENT/);
  assert.doesNotMatch(await purges(`${find} wp_trash_comment( $id );`, ['/open/']), /MY-COMMENT/);
});

test('menus, widgets, the theme and the name of the site show on all pages', async () => {
  const all = ['/open/', '/', '/plain/', '/feed/'];
  assert.match(await purges('wp_insert_post( array( "post_type" => "wp_navigation", "post_status" => "publish", "post_title" => "menu", '
    + '"post_content" => "<!-- wp:navigation-link {\\"label\\":\\"MENU-LINK\\",\\"url\\":\\"/plain/\\"} /-->" ) );', all), /MENU-LINK/);
  await purges('$menu = wp_create_nav_menu( "Classic" ); wp_update_nav_menu_item( $menu, 0, array( "menu-item-title" => "x", "menu-item-url" => "/", "menu-item-status" => "publish" ) );', all);
  await purges('update_option( "widget_text", array( 2 => array( "text" => "x" ), "_multiwidget" => 1 ) );', all);
  assert.match(await purges('update_option( "blogname", "RENAMED-SITE" );', all), /RENAMED-SITE/);
  const style = '/wp-includes/css/dist/block-library/style.min.css';
  await purges('do_action( "switch_theme", "x" );', [...all, style]);
});

test('a change that names too much purges all, in one request', async () => {
  const before = between.asked;
  await purges('for ( $i = 0; $i < 300; $i++ ) { \\Freshet\\purge( "post-" . ( 100000 + $i ) ); }', ['/open/', '/plain/']);
  assert.equal(between.asked, before + 1);
});

// ---- By hand

const linkOf = (page, name) => new URL(new RegExp(`id='wp-admin-bar-freshet-${name}'[^>]*><a[^>]*href='([^']*)'`).exec(page.text)?.[1].replaceAll('&#038;', '&').replaceAll('&amp;', '&')
  ?? assert.fail(`no link ${name} in ${page.text.slice(-3000)}`));
const follow = (link, cookies, query = link.search) => front.own(link.pathname + query, { cookies, headers: { Referer: `http://127.0.0.1:${front.port}/plain/` } });

test('the admin bar purges the page, and all, for whom may, once', async () => {
  const boss = await login('boss');
  const page = linkOf(await front.own('/plain/', { cookies: boss }), 'page');
  await purges(async () => assert.equal((await follow(page, boss)).status, 302), ['/plain/'], ['/open/', '/']);
  assert.match((await front.own('/plain/', { cookies: boss })).text, /freshet purged it\./);
  assert.doesNotMatch((await front.own('/plain/', { cookies: boss })).text, /freshet purged it\./);
  const all = linkOf(await front.own('/plain/', { cookies: boss }), 'all');
  await purges(() => follow(all, boss), ['/open/', '/', '/plain/', '/wp-includes/css/dist/block-library/style.min.css']);
  // The page of the post that is edited.
  const edit = linkOf(await front.own(`/wp-admin/post.php?post=${blog.facts.trout}&action=edit`, { cookies: boss }), 'page');
  await purges(() => follow(edit, boss), ['/trout/'], ['/plain/']);
});

test('nobody else purges: neither a reader, nor a link without its nonce', async () => {
  await warm('/plain/');
  const [boss, reader] = [await login('boss'), await login('reader')];
  assert.doesNotMatch((await front.own('/plain/', { cookies: reader })).text, /freshet-page|freshet-all/);
  const page = linkOf(await front.own('/plain/', { cookies: boss }), 'page');
  const before = between.asked;
  assert.equal((await follow(page, reader)).status, 403);
  assert.equal((await follow(page, {})).status, 400);
  assert.equal((await follow(page, boss, page.search.replace(/_wpnonce=\w+/, '_wpnonce=forged'))).status, 403);
  assert.equal((await follow(page, boss, page.search.replace('what=page', 'what=all'))).status, 403);
  assert.equal(between.asked, before);
  await front.hit('/plain/');
});

test('wp freshet purge', async () => {
  const wp = (args) => act(`define( "WP_CLI", true );
    class WP_CLI { static $verbs; static function add_command( $name, $what ) { self::$verbs[ $name ] = $what; }
      static function error( $text ) { echo "Error: $text"; exit; } static function success( $text ) { echo "Success: $text"; } }
    require WP_PLUGIN_DIR . "/freshet/inc/cli.php"; (WP_CLI::$verbs["freshet purge"])( ${args} );`);
  await purges(async () => assert.match(await wp('array(), array( "path" => "/plain/" )'), /Success: freshet purged \/plain\//), ['/plain/'], ['/open/']);
  await purges(() => wp('array( "post-" . id( "open" ) ), array()'), ['/open/'], ['/plain/']);
  await purges(() => wp('array(), array( "all" => true )'), ['/open/', '/plain/']);
  assert.match(await wp('array(), array()'), /Error: Say what/);
});

// ---- When freshet does not purge

const notices = async (cookies) => [...(await front.own('/wp-admin/', { cookies })).text.matchAll(/<div class="notice notice-error"><p>([^<]*)/g)].map((m) => m[1]).filter((t) => t.includes('freshet'));
const edit = (title) => act(`echo wp_update_post( array( "ID" => id( "plain" ), "post_title" => "${title}" ) );`);

test('freshet is down: the post is saved, who may is told why, and it is purged with the next request', async () => {
  const boss = await login('boss');
  await warm('/plain/');
  await between.close();
  assert.equal(await edit('SAVED-ANYWAY'), String(blog.facts.plain));
  assert.doesNotMatch((await front.hit('/plain/')).text, /SAVED-ANYWAY/);
  const [told] = await notices(boss);
  assert.match(told, /freshet was not told at .* it does not answer at http:\/\/127\.0\.0\.1:\d+/);
  assert.deepEqual(await notices(await login('reader')), []);
  await between.open(between.port);
  // It was asked again by the requests above, and waits; a purge that succeeds takes it along.
  await act('\\Freshet\\purge( "post-1" );');
  assert.match((await front.miss('/plain/')).text, /SAVED-ANYWAY/);
  assert.deepEqual(await notices(boss), []);
});

test('freshet says no: it is asked once more by the next request, then waits', async () => {
  const boss = await login('boss');
  for (const [mode, why] of [['refuses', /answered with 401: not this token/], ['lies', /answered with 200: this is not how freshet answers/]]) {
    await warm('/plain/');
    between.mode = mode;
    const before = between.asked;
    await edit(`NOT-YET-${mode}`);
    assert.equal(between.asked, before + 1);
    for (let i = 0; i < 4; i++) await front.get(`/wp-login.php?${i}`);
    assert.equal(between.asked, before + 2);
    assert.match((await notices(boss))[0], why);
    between.mode = 'up';
    // As if its time had come.
    await act('global $wpdb; $kept = json_decode( get_option( "freshet_pending" ), true ); $kept["next"] = 0; update_option( "freshet_pending", wp_json_encode( $kept ) );');
    assert.match((await front.miss('/plain/')).text, new RegExp(`NOT-YET-${mode}`));
    assert.deepEqual(await notices(boss), []);
  }
});

test('purges that fail at the same time are all kept', async () => {
  await warm('/plain/', '/open/', '/trout/', '/closed/');
  between.mode = 'refuses';
  await Promise.all(['plain', 'open', 'trout', 'closed'].map((name) => act(`\\Freshet\\purge( "post-" . id( "${name}" ) );`)));
  for (const path of ['/plain/', '/open/', '/trout/', '/closed/']) await front.hit(path);
  between.mode = 'up';
  await act('\\Freshet\\purge( "post-1" );');
  for (const path of ['/plain/', '/open/', '/trout/', '/closed/']) await front.miss(path);
});

test('without a token nothing is stored, and who may is told', async () => {
  const boss = await login('boss');
  blog.configure('');
  for (let i = 0; i < 2; i++) await front.own('/plain/?no-token');
  assert.match((await front.own('/wp-admin/', { cookies: boss })).text, /freshet stores no pages: FRESHET_TOKEN is missing/);
});
