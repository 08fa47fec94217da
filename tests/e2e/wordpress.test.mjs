// The plugin of docs/guides/wordpress.md as it stands there, under PHP with what it calls of WordPress, behind freshet: who has a
// cookie of WordPress, genuine or made up, gets pages of his own, and all that editors and moderators do purges. CACHING.md 4.4, 5.3.
// `make sites` runs the same plugin in WordPress itself.

import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Front, ask, end, run } from './lib/front.mjs';
import { block, guide } from './lib/guide.mjs';
import { freePorts, temporaryFolder, until } from './lib/world.mjs';

const folder = temporaryFolder();
const hash = 'hash';
const cookies = [`wordpress_logged_in_${hash}`, `wp-postpass_${hash}`, `comment_author_${hash}`, `comment_author_email_${hash}`,
  `comment_author_url_${hash}`];
let front, site, port;
let said = '';

before(async () => {
  writeFileSync(join(folder, 'freshet.php'), block(guide('guides/wordpress.md'), 'php', 'Plugin Name'));
  [port] = await freePorts(1);
  front = await Front.start(`http://127.0.0.1:${port}`);
  site = run('php', ['-d', 'display_errors=stderr', '-S', `127.0.0.1:${port}`, fileURLToPath(new URL('lib/wordpress.php', import.meta.url))],
    { env: { ...process.env, PLUGIN: join(folder, 'freshet.php'), FRESHET_ADMIN: front.admin, FRESHET_TOKEN: front.token } }, (d) => (said += d));
  await until(() => `PHP: ${said}`, () => ask(port, '/missing').then(() => true, () => false));
});

after(async () => {
  if (site) await end(site);
  await front?.stop();
  rmSync(folder, { recursive: true, force: true });
  assert.doesNotMatch(said, /PHP (Warning|Fatal|Notice|Deprecated)/);
});

/** Fires an action of WordPress; what the site said. */
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

  for (const query of ['preview=true', 'unapproved=4&moderation-hash=5', 'shop', 'cart', 'cookie']) {
    test(`?${query} is not stored`, async () => {
      await front.own(`/post/22?${query}`);
      await front.own(`/post/22?${query}`);
    });
  }

  test('neither searches, feeds, nor what is missing is stored', async () => {
    for (const path of ['/?s=word', '/feed/', '/missing']) await front.own(path);
  });
});

describe('purges', () => {
  /** `fire` makes exactly the pages of `gone` be rendered anew. */
  async function purges(gone, fire) {
    const pages = { post: '/post/7', other: '/post/8', home: '/', list: '/category/a' };
    for (const path of Object.values(pages)) await front.get(path);
    await fire();
    for (const [name, path] of Object.entries(pages)) {
      const page = await front.get(path);
      assert.match(page.cache, gone.includes(name) ? /fwd=/ : /; hit/, `${name}: ${page.cache}`);
    }
  }
  const lists = ['post', 'home', 'list'];
  const all = [...lists, 'other'];
  const comment = { comment_post_ID: 7 };

  for (const [what, gone, name, ...args] of [
    ['a post is published', lists, 'transition_post_status', 'publish', 'draft', post(7)],
    ['a post is edited', lists, 'transition_post_status', 'publish', 'publish', post(7)],
    ['a post is moved to the trash', lists, 'transition_post_status', 'trash', 'publish', post(7)],
    ['a post is deleted', lists, 'deleted_post', 7, post(7)],
    ['a draft is saved', [], 'transition_post_status', 'draft', 'draft', post(7)],
    ['a revision is deleted', [], 'deleted_post', 70, post(70, { post_status: 'inherit', post_type: 'revision' })],
    ['an attachment is edited', lists, 'edit_attachment', 7],
    ['a comment is approved', lists, 'transition_comment_status', 'approved', 'unapproved', comment],
    ['a comment is moved to the trash', lists, 'transition_comment_status', 'trash', 'approved', comment],
    ['a comment is written and approved at once', lists, 'comment_post', 7, 1],
    ['a comment is written and waits', [], 'comment_post', 7, 0],
    ['a comment is spam', [], 'comment_post', 7, 'spam'],
    ['a comment is edited', lists, 'edit_comment', 7],
    ['a menu changes', all, 'wp_update_nav_menu', 3],
    ['a template changes', all, 'transition_post_status', 'publish', 'publish', post(9, { post_type: 'wp_template' })],
    ['the theme changes', all, 'switch_theme', 'x'],
    ['the name of the site changes', all, 'updated_option', 'blogname'],
    ['an option of no page changes', [], 'updated_option', 'cron'],
  ])
    test(what, () => purges(gone, () => event(name, ...args)));

  test('one that freshet refuses is tried again', async () => {
    const tags = [1]; // no text, which freshet refuses
    assert.match(await event('freshet_purge', tags), /^scheduled freshet_purge \[\[1\]\]/);
    assert.equal(await event('freshet_purge', ['post-7']), '');
  });
});
