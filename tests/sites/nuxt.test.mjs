// integrations/nuxt with Nuxt itself: routeRules say what freshet keeps, Nitro's own cache is off, pages are purged with their data, and what is
// somebody's own is never stored.

import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { App } from '../e2e/lib/app.mjs';
import { ask } from '../e2e/lib/front.mjs';
import { reach } from '../e2e/lib/reach.mjs';
import { block, change } from '../e2e/lib/guide.mjs';
import { sameInChromium } from '../e2e/lib/walk.mjs';
import { REPOSITORY, until } from '../e2e/lib/world.mjs';

let app, front, words;

before(async () => {
  app = new App('nuxt', { packages: ['client', 'nuxt'], link: false, env: { NUXT_TELEMETRY_DISABLED: '1' } });
  words = join(app.folder, 'words');
  app.env.WORDS = words;
  writeFileSync(words, 'first words');
  const readme = readFileSync(join(REPOSITORY, 'integrations/nuxt/README.md'), 'utf8');
  const put = (name, text) => {
    mkdirSync(dirname(join(app.root, name)), { recursive: true });
    writeFileSync(join(app.root, name), text);
  };
  put('nuxt.config.ts', change(block(readme, 'ts', 'nuxt.config.ts'), ["    '/news'", "    '/api/private': { swr: 60 },\n    '/api/posts/1': { cache: { maxAge: 60, varies: ['x-plan'] } },\n    '/news'"]));
  put('server/api/webhook.post.ts', block(readme, 'ts', 'webhook.post.ts'));
  put('app/pages/blog/[id].vue', block(readme, 'vue', '[id].vue'));
  await app.build([join(app.root, 'node_modules/nuxt/bin/nuxt.mjs'), 'build']);
  front = await app.behindFreshet();
  await start();
}, { timeout: 600_000 });

after(() => app?.stop());

const start = (env) => app.start([join(app.root, '.output/server/index.mjs')], env);
const hook = (id) => ask(app.port, '/api/webhook', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ id }) });
const DATA = '/_payload.json';

test('freshet finds the scripts and styles of the build from its first page', async () => {
  const { files, found, nowhere } = await reach(app.port, join(app.root, '.output/public/_nuxt'), '/_nuxt/');
  assert.deepEqual(files.filter((name) => !found.includes(name)), []);
  assert.deepEqual(nowhere, []);
});

test('isr: a page and its data, until purged by tag', async () => {
  for (const path of ['/blog/1', `/blog/1${DATA}`]) {
    const { text } = await front.miss(path);
    const page = await front.hit(path);
    assert.equal(page.text, text);
    assert.match(page.cache, /ttl=(3600|35\d\d)/);
    assert.deepEqual(page.headers['cache-tag'].split(','), ['path:/blog/1', 'post-1']);
  }
  await front.get('/blog/2');
  writeFileSync(words, 'second words');
  assert.equal((await hook('1')).text, 'done');
  for (const path of ['/blog/1', `/blog/1${DATA}`]) assert.match((await front.miss(path)).text, /second words/);
  await front.hit('/blog/2');
});

test('swr: kept under the path, without a second cache behind it', async () => {
  for (const path of ['/news', `/news${DATA}`]) await front.miss(path);
  assert.match((await front.hit('/news')).cache, /ttl=(60|59)/);
  writeFileSync(words, 'third words');
  const made = new Set();
  for (let i = 0; i < 3; i++) made.add((await ask(app.port, '/news')).text);
  assert.equal(made.size, 3);
  await hook('news');
  for (const path of ['/news', `/news${DATA}`]) assert.match((await front.miss(path)).text, /third words/);
});

test('prerender: files, until purged', async () => {
  for (const path of ['/', DATA]) {
    await front.miss(path);
    assert.match((await front.hit(path)).cache, /ttl=3153\d{4}/);
  }
  assert.equal((await front.get('/')).headers['cache-tag'], 'path:/');
});

test('a narrower rule turns it off, and what is private is never stored', async () => {
  for (const path of ['/blog/mine', `/blog/mine${DATA}`, '/api/private', '/blog/../nowhere']) for (let i = 0; i < 2; i++) await front.own(path);
  await front.get('/blog/3');
  for (const session of ['ann', 'bob'])
    for (const path of ['/blog/3', `/blog/3${DATA}`, '/news']) {
      const page = await front.own(path, { cookies: { session } });
      assert.match(page.headers['cache-control'], /private/);
    }
  await front.hit('/blog/3');
});

test('what a cache rule varies on', async () => {
  const plan = (name) => ({ headers: { 'X-Plan': name } });
  const first = await front.miss('/api/posts/1', plan('a'));
  assert.notEqual((await front.miss('/api/posts/1', plan('b'))).text, first.text);
  assert.equal((await front.hit('/api/posts/1', plan('a'))).text, first.text);
});

test('a page whose data is away', async () => {
  for (const path of ['/blog/broken', `/blog/broken${DATA}`]) for (let i = 0; i < 2; i++) assert.equal((await front.own(path)).status, 503);
});

test('clicked through in Chromium, it is as without freshet', { timeout: 1_800_000 }, async () => {
  for (const id of ['1', '2', 'news']) assert.equal((await hook(id)).text, 'done'); // the words have changed since
  await sameInChromium({ direct: app.port, front: front.port });
});

test('a webhook whose purge fails, fails', async () => {
  await app.halt();
  await start({ FRESHET_TOKEN: 'wrong' });
  assert.equal((await hook('1')).status, 500);
  await until('the log', () => /refused to purge with 401/.test(app.said));
});
