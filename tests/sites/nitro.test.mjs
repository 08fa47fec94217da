// integrations/nuxt with Nitro 3 without Nuxt.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { App } from '../e2e/lib/app.mjs';
import { ask } from '../e2e/lib/front.mjs';

let app, front;

before(async () => {
  app = new App('nitro', { packages: ['client', 'nuxt'], link: false });
  await app.build([join(app.root, 'node_modules/nitro/dist/cli/index.mjs'), 'build']);
  front = await app.behindFreshet();
  await start();
}, { timeout: 300_000 });

after(() => app?.stop());

const start = (env) => app.start([join(app.root, '.output/server/index.mjs')], env);
const hook = (what) => ask(app.port, '/hook', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(what) });

test('isr, with tags of the page, purged by tag and by path', async () => {
  for (const what of [{ tags: ['post-1'] }, { paths: ['/page/1'] }]) {
    const { text } = await front.miss('/page/1');
    const page = await front.hit('/page/1');
    assert.equal(page.text, text);
    assert.match(page.cache, /ttl=(600|59\d)/);
    assert.equal(page.headers['cache-tag'], 'path:/page/1,post-1');
    await front.get('/page/2');
    assert.match((await hook(what)).text, /^site/);
    await front.hit('/page/2');
  }
  await front.miss('/page/1');
});

test('swr, without a second cache behind it', async () => {
  await front.miss('/swr');
  assert.match((await front.hit('/swr')).cache, /ttl=(60|59)/);
  const made = new Set();
  for (let i = 0; i < 3; i++) made.add((await ask(app.port, '/swr')).text);
  assert.equal(made.size, 3);
});

test('prerender: a file, until purged', async () => {
  await front.miss('/pre');
  assert.match((await front.hit('/pre')).cache, /ttl=3153\d{4}/);
  await hook({ paths: ['/pre'] });
  await front.miss('/pre');
});

test('what a cache rule varies on', async () => {
  const plan = (name) => ({ headers: { 'X-Plan': name } });
  const first = await front.miss('/varies', plan('a'));
  assert.notEqual((await front.miss('/varies', plan('b'))).text, first.text);
  assert.equal((await front.hit('/varies', plan('a'))).text, first.text);
});

test('never stored: a narrower rule, errors, somebody\'s own', async () => {
  for (const path of ['/page/off', '/throws', '/nowhere']) for (let i = 0; i < 2; i++) await front.own(path);
  await front.get('/page/3');
  for (const session of ['ann', 'bob']) assert.match((await front.own('/page/3', { cookies: { session } })).text, new RegExp(session));
  assert.match((await front.hit('/page/3')).text, /nobody/);
});

test('a purge that fails is an error', async () => {
  await app.halt();
  await start({ FRESHET_TOKEN: 'wrong' });
  assert.equal((await hook({ tags: ['x'] })).status, 500);
});
