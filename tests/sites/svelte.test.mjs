// integrations/sveltekit with SvelteKit itself: pages and their __data.json are kept and purged together, after an action and by tag; what is
// somebody's own or broken is never stored.

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { App } from '../e2e/lib/app.mjs';
import { ask } from '../e2e/lib/front.mjs';
import { reach } from '../e2e/lib/reach.mjs';
import { block, change } from '../e2e/lib/guide.mjs';
import { REPOSITORY } from '../e2e/lib/world.mjs';
import { sameInChromium } from '../e2e/lib/walk.mjs';

let app, front, words;

before(async () => {
  app = new App('svelte', { packages: ['client', 'sveltekit'] });
  words = join(app.folder, 'words');
  app.env.WORDS = words;
  writeFileSync(words, 'first words');
  const readme = readFileSync(join(REPOSITORY, 'integrations/sveltekit/README.md'), 'utf8');
  writeFileSync(join(app.root, 'src/hooks.server.js'), change(block(readme, 'js', 'hooks.server.js'),
    ["    '/guestbook'", ['quiet', 'broken', 'stream', 'away'].map((name) => `    '/${name}': { ttl: 600 },\n`).join('') + "    '/guestbook'"]));
  writeFileSync(join(app.root, 'src/routes/blog/[slug]/+page.server.js'), block(readme, 'js', '+page.server.js'));
  await app.build([join(app.root, 'node_modules/vite/bin/vite.js'), 'build']);
  front = await app.behindFreshet();
  await start();
}, { timeout: 300_000 });

after(() => app?.stop());

const start = (env) => app.start([join(app.root, 'build/index.js')], { PROTOCOL_HEADER: 'x-forwarded-proto', ...env });
const sign = (base = front.port) => ask(base, '/guestbook?/sign', { method: 'POST', body: 'a=1', headers: { Origin: `http://127.0.0.1:${base}`, 'X-Forwarded-Proto': 'http' } });
const DATA = '/__data.json?x-sveltekit-invalidated=11';

test('freshet finds the scripts and styles of the build from its first page', async () => {
  const { files, found, nowhere } = await reach(app.port, join(app.root, 'build/client/_app/immutable'), '/_app/immutable/');
  assert.deepEqual(files.filter((name) => !found.includes(name)), []);
  assert.deepEqual(nowhere, []);
});

test('a page and its data are kept, with tags of route, load and path', async () => {
  for (const path of ['/blog/a', `/blog/a${DATA}`]) {
    const { text } = await front.miss(path);
    const page = await front.hit(path);
    assert.equal(page.text, text);
    assert.match(page.cache, /ttl=86\d\d\d/);
    assert.deepEqual(page.headers['cache-tag'].split(','), ['path:/blog/a', 'blog', 'post-a', 'author-ann']);
  }
});

test('an action purges the page and its data, and nothing else', async () => {
  await front.get('/blog/b');
  for (const path of ['/guestbook', `/guestbook${DATA}`]) {
    await front.miss(path);
    await front.hit(path);
  }
  assert.equal((await sign()).status, 200);
  assert.match((await front.miss('/guestbook')).text, /1 entries/);
  assert.match((await front.miss(`/guestbook${DATA}`)).text, /\[\{"entries":1\},1\]/);
  await front.hit('/blog/b');
});

test('tags and paths are purged from elsewhere', async () => {
  const purge = async (what) => assert.match((await ask(app.port, '/hook', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(what) })).text, /^site/);
  for (const what of [{ tags: ['author-ann'] }, { tags: ['post-c'] }, { path: '/blog/c' }, { path: '/blog/c/' }]) {
    for (const path of ['/blog/c', `/blog/c${DATA}`]) {
      await front.get(path);
      await front.hit(path);
    }
    writeFileSync(words, `words before ${JSON.stringify(what).replaceAll('"', '')}`);
    await purge(what);
    for (const path of ['/blog/c', `/blog/c${DATA}`]) assert.ok((await front.miss(path)).text.includes('words before'));
  }
});

test('what is somebody\'s own is never stored', async () => {
  await front.get('/blog/d');
  for (const session of ['ann', 'bob'])
    for (const path of ['/blog/d', `/blog/d${DATA}`, '/own', `/own${DATA}`]) {
      const page = await front.own(path, { cookies: { session } });
      assert.match(page.text, new RegExp(session));
      assert.match(page.headers['cache-control'], /private/);
    }
  assert.match((await front.hit('/blog/d')).text, /nobody/);
  for (const path of ['/quiet', `/quiet${DATA}`]) for (let i = 0; i < 2; i++) await front.own(path);
});

test('the name in a cookie, which the layout of all pages shows, is given to nobody else', async () => {
  const [ann, bob] = ['ANN-COOKIE', 'BOB-COOKIE'].map((user) => ({ cookies: { user, theme: 'dark' } }));
  // A route that the hook knows, whose `personal` leaves the cookie out, and one that says itself that it may be stored.
  for (const path of ['/blog/e', `/blog/e${DATA}`, '/own?e', `/own${DATA}&e`]) {
    // Whoever comes first before anything is known of the page gets his own, which is not stored.
    if (path.startsWith('/blog')) assert.match((await front.own(path, ann)).text, /ANN-COOKIE/);
    // From then on it is made without the cookie, for the visitor who has it as well.
    for (const visitor of [ann, {}, bob, ann]) assert.doesNotMatch((await front.get(path, visitor)).text, /(ANN|BOB)-COOKIE/, path);
    assert.match((await front.hit(path, bob)).text, /you/);
  }
});

test('a route that is not named says itself what it wants', async () => {
  for (const path of ['/own', `/own${DATA}`]) {
    await front.miss(path);
    await front.hit(path);
  }
  for (let i = 0; i < 2; i++) await front.own('/');
});

test('what is broken, and data that still streams, is never stored; a redirect is', async () => {
  for (const path of ['/broken', `/broken${DATA}`, `/stream${DATA}`]) for (let i = 0; i < 2; i++) await front.own(path);
  assert.equal((await front.get(`/broken${DATA}`)).status, 200);
  await front.miss('/away');
  assert.equal((await front.hit('/away')).headers.location, '/blog/a');
});

test('clicked through in Chromium, it is as without freshet', { timeout: 900_000 }, () => sameInChromium({ direct: app.port, front: front.port }));

test('an action whose purge fails is an error', async () => {
  await app.halt();
  await start({ FRESHET_TOKEN: 'wrong' });
  assert.equal((await sign(app.port)).status, 500);
  assert.match(app.said, /refused to purge with 401/);
});
