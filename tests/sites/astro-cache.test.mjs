// integrations/astro with Astro itself: Astro.cache and routeRules through freshet, invalidation by tag and by path, and what is never stored.

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { App } from '../e2e/lib/app.mjs';
import { ask } from '../e2e/lib/front.mjs';
import { reach } from '../e2e/lib/reach.mjs';
import { block, change } from '../e2e/lib/guide.mjs';
import { REPOSITORY, until } from '../e2e/lib/world.mjs';

let app, front, built;

const readme = readFileSync(join(REPOSITORY, 'integrations/astro/README.md'), 'utf8');

before(async () => {
  app = new App('astro-cache', { modules: 'astro', packages: ['client', 'astro'], env: { ASTRO_TELEMETRY_DISABLED: '1' } });
  writeFileSync(join(app.root, 'astro.config.mjs'), change(block(readme, 'js', 'astro.config.mjs'), ["'/blog/[...path]'", "'/rule/[...path]'"], ["['blog']", "['rules']"],
    ['  routeRules: {', "  security: { checkOrigin: false },\n  routeRules: {\n    '/_server-islands/[...all]': { maxAge: 300 },\n    '/none': { maxAge: 300 },\n    '/account': { maxAge: 300 },"]));
  built = await app.build([join(app.root, 'node_modules/astro/bin/astro.mjs'), 'build']);
  front = await app.behindFreshet();
  await app.start([join(app.root, 'dist/server/entry.mjs')]);
}, { timeout: 300_000 });

after(() => app.stop());

const invalidate = (what) => ask(app.port, '/webhook', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(what) });

test('a build with islands and without ASTRO_KEY is warned of', async () => {
  assert.match(built, /no ASTRO_KEY was set/);
  const again = await app.build([join(app.root, 'node_modules/astro/bin/astro.mjs'), 'build'], { ASTRO_KEY: 'oJ8zkVz1X0Bqu4dWZSCS7B0ufVLpx1QBgxNUPGVuUwU=' });
  assert.doesNotMatch(again, /ASTRO_KEY/);
});

test('freshet finds the scripts and styles of the build from a page', async () => {
  const { files, found, nowhere } = await reach(app.port, join(app.root, 'dist/client/_astro'), '/_astro/', '/chunks');
  assert.deepEqual(files.filter((name) => !found.includes(name)), []);
  assert.deepEqual(nowhere, []);
});

test('Astro.cache and routeRules keep pages, and visitors see nothing of it', async () => {
  const { text } = await front.miss('/books/1');
  const page = await front.hit('/books/1');
  assert.equal(page.text, text);
  assert.match(page.cache, /ttl=86\d\d\d/);
  for (const name of ['cdn-cache-control', 'netlify-cdn-cache-control', 'cache-tag', 'netlify-cache-tag']) assert.ok(!(name in page.headers), name);
  await front.miss('/rule/1');
  assert.match((await front.hit('/rule/1')).cache, /ttl=(600|59\d)/);
});

test('tags and paths are invalidated', async () => {
  for (const path of ['/books/2', '/books/3', '/rule/2']) await front.get(path);
  assert.equal((await invalidate({ tags: ['book-2'] })).text, 'done\n');
  await front.miss('/books/2');
  await front.hit('/books/3');
  await invalidate({ path: '/books/3' });
  await front.miss('/books/3');
  await front.hit('/books/2');
  await invalidate({ tags: 'möbel' });
  await front.miss('/books/2');
  await front.hit('/rule/2');
  await invalidate({ tags: ['rules'] });
  await front.miss('/rule/2');
});

test('a path in both spellings, and with any query', async () => {
  for (const path of ['/books/4', '/books/4/', '/books/4?a=1']) await front.miss(path);
  await invalidate({ path: '/books/4/' });
  for (const path of ['/books/4', '/books/4/', '/books/4?a=1']) await front.miss(path);
});

test('swr: the old page at once, the new one after it', async () => {
  const { text } = await front.miss('/short');
  const stale = await front.hit('/short');
  assert.equal(stale.text, text);
  assert.match(stale.cache, /refreshing/);
  await until('the new page', async () => (await front.hit('/short')).text !== text);
});

test('what is private is never stored', async () => {
  for (const path of ['/none', '/account']) for (let i = 0; i < 2; i++) await front.own(path);
  await front.miss('/shared');
  const signedIn = await front.own('/login');
  const cookies = signedIn.cookies;
  assert.ok(cookies['astro-session']);
  for (let i = 0; i < 2; i++) {
    const mine = await front.own('/shared', { cookies });
    assert.match(mine.text, /for ann/);
    assert.match(mine.headers['cache-control'], /private/);
  }
  assert.match((await front.hit('/shared')).text, /for nobody/);
  for (let i = 0; i < 2; i++) await front.own('/shared', { cookies: { 'astro-session': 'made-up' } });
});

test('what a page says of its query stays', async () => {
  await front.get('/shared');
  await front.hit('/shared?other=1');
  await front.miss('/shared?page=2');
});

test('a server island is each visitor\'s own, though a rule means it', async () => {
  const page = await front.miss('/island');
  await front.hit('/island');
  const url = /\/_server-islands\/[^'"\s]+/.exec(page.text)[0].replaceAll('&amp;', '&').replaceAll('\\u0026', '&');
  for (const name of ['ann', 'bob']) assert.match((await front.own(url, { cookies: { name } })).text, new RegExp(`hello ${name}`));
});

test('a redirect whose fields cannot be changed keeps its cookie', async () => {
  const away = await front.own('/away');
  assert.equal(away.status, 302);
  assert.equal(away.cookies.seen, '1');
});

test('a purge that fails fails the webhook', async () => {
  await app.halt();
  await app.start([join(app.root, 'dist/server/entry.mjs')], { FRESHET_TOKEN: 'wrong' });
  const refused = await invalidate({ tags: ['books'] });
  assert.equal(refused.status, 502);
  assert.match(refused.text, /401/);
});
