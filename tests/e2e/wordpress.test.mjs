// integrations/wordpress under PHP with what it calls of WordPress, behind freshet that has no lists of cookies: who has a cookie of
// WordPress, genuine or made up, gets pages of his own, and all that editors and moderators do purges what shows it, and no more.
// CACHING.md 4.4, 5.3. `make sites` runs the same plugin in WordPress itself.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Front, ask, end, run } from './lib/front.mjs';
import { REPOSITORY, freePorts, until } from './lib/world.mjs';

const hash = 'hash';
const cookies = [`wordpress_logged_in_${hash}`, `wp-postpass_${hash}`, `comment_author_${hash}`, `comment_author_email_${hash}`,
  `comment_author_url_${hash}`];
let front, site, port;
let said = '';

before(async () => {
  [port] = await freePorts(1);
  front = await Front.start(null, { yaml: `origin: http://127.0.0.1:${port}\nbypass_cookies: []\n` });
  site = run('php', ['-d', 'display_errors=stderr', '-d', 'output_buffering=0', '-S', `127.0.0.1:${port}`, fileURLToPath(new URL('lib/wordpress.php', import.meta.url))],
    { env: { ...process.env, PLUGIN: join(REPOSITORY, 'integrations/wordpress'), FRESHET_ADMIN: front.admin, FRESHET_TOKEN: front.token } }, (d) => (said += d));
  await until(() => `PHP: ${said}`, () => ask(port, '/missing').then(() => true, () => false), 60_000);
});

after(async () => {
  if (site) await end(site);
  await front?.stop();
  assert.doesNotMatch(said, /PHP (Warning|Fatal|Notice|Deprecated)/);
});

/** Fires an action of WordPress; what the site said: what it keeps of a purge that failed. */
const event = async (name, ...args) =>
  (await ask(port, `/event?${new URLSearchParams({ name, args: JSON.stringify(args) })}`)).text;
const post = (ID, fields = {}) => ({ ID, ...fields });

describe('personal pages', () => {
  for (const name of cookies) {
    test(`${name}, genuine or made up, neither fills nor gets the page of others`, async () => {
      const path = `/post/${cookies.indexOf(name) + 10}`;
      for (const value of ['genuine', 'made-up', '']) {
        const own = await front.own(path, { cookies: { [name]: value } });
        assert.equal(own.headers['cache-control'], 'private, no-store');
        assert.equal(own.headers['cdn-cache-control'], undefined);
      }
      assert.match((await front.miss(path)).text, /for everybody/);
      await front.own(path, { cookies: { [name]: 'genuine' } });
      assert.match((await front.hit(path)).text, /for everybody/);
    });
  }

  test('a cookie that PHP reads under another name fills nothing either', async () => {
    await front.own('/post/20', { cookies: { [`wp-postpass.${hash}`]: 'x' } });
    assert.match((await front.miss('/post/20')).text, /for everybody/);
  });

  test('other cookies share one page', async () => {
    await front.own('/post/21', { cookies: { wordpress_test_cookie: '1' } }); // what the page depends on is not known yet
    await front.miss('/post/21', { cookies: { wordpress_test_cookie: '1' } });
    await front.hit('/post/21', { cookies: { _ga: '2' } });
  });

  for (const query of ['preview=true', 'unapproved=4&moderation-hash=5', 'shop', 'cart', 'cookie', 's=word'])
    test(`?${query} is not stored`, async () => {
      for (let i = 0; i < 2; i++) await front.own(`/post/22?${query}`);
    });
});

describe('purges', () => {
  const pages = { post: '/post/7', other: '/post/8', home: '/', feed: '/feed/', list: '/category/3', above: '/category/2', latest: '/post/9?latest', missing: '/missing' };

  /** `fire` makes exactly the pages of `gone` be rendered anew. */
  async function purges(gone, fire) {
    for (const path of Object.values(pages)) await front.get(path);
    for (const path of Object.values(pages)) await front.hit(path);
    await fire();
    for (const [name, path] of Object.entries(pages)) {
      const page = await front.get(path);
      assert.match(page.cache, gone.includes(name) ? /fwd=/ : /; hit/, `${name}: ${page.cache}`);
    }
  }
  const shows = ['post', 'home', 'feed', 'list']; // all show post 7
  const lists = [...shows, 'above', 'latest', 'missing'];
  const all = [...lists, 'other'];
  const comment = { comment_post_ID: 7 };

  for (const [what, gone, name, ...args] of [
    ['a post is published', lists, 'transition_post_status', 'publish', 'draft', post(7)],
    ['a post is edited', lists, 'transition_post_status', 'publish', 'publish', post(7)],
    ['a post is moved to the trash', lists, 'transition_post_status', 'trash', 'publish', post(7)],
    ['a post is deleted', lists, 'before_delete_post', 7, post(7)],
    ['a draft is saved', [], 'transition_post_status', 'draft', 'draft', post(7)],
    ['a revision is made', [], 'transition_post_status', 'publish', 'new', post(70, { post_type: 'revision' })],
    ['a message of a form is kept', [], 'transition_post_status', 'publish', 'new', post(71, { post_type: 'message' })],
    ['an attachment is edited', lists, 'edit_attachment', 7],
    ['a post comes into a term', lists, 'set_object_terms', 7, [3], [3], 'category', false, []],
    ['a post is in the terms that it was in', [], 'set_object_terms', 7, [3], [3], 'category', false, [3]],
    ['a post gets a term of no page', [], 'set_object_terms', 7, [3], [3], 'secret', false, []],
    ['a comment is approved', shows, 'transition_comment_status', 'approved', 'unapproved', comment],
    ['a comment is moved to the trash', shows, 'transition_comment_status', 'trash', 'approved', comment],
    ['a comment that waited is spam', [], 'transition_comment_status', 'spam', 'unapproved', comment],
    ['a comment is written and approved at once', shows, 'comment_post', 7, 1],
    ['a comment is written and waits', [], 'comment_post', 7, 0],
    ['a comment is spam', [], 'comment_post', 7, 'spam'],
    ['a comment is edited', shows, 'edit_comment', 7],
    ['a term is edited', shows, 'edited_term', 3, 3, 'category'],
    ['a menu changes', all, 'wp_update_nav_menu', 3],
    ['a template changes', all, 'transition_post_status', 'publish', 'publish', post(9, { post_type: 'wp_template' })],
    ['the theme changes', all, 'switch_theme', 'x'],
    ['the name of the site changes', all, 'updated_option', 'blogname'],
    ['an option of no page changes', [], 'updated_option', 'cron'],
    ['more than can be named', all, 'purge', ...Array.from({ length: 250 }, (_, i) => `post-${1000 + i}`)],
  ])
    test(what, () => purges(gone, () => event(name, ...args)));

  test('one that freshet refuses is kept, with the reason', async () => {
    const kept = JSON.parse(await event('purge', 'x'.repeat(2000)));
    assert.match(kept.reason, /answered with 400: /);
    assert.deepEqual(kept.names.tags, ['x'.repeat(2000)]);
    assert.equal(await event('purge', 'post-7'), '');
  });
});
