// The package as npm would publish it, and its handlers without Next.js: what they keep, for how long, and what they ask of freshet.
// tests/sites/next-cache.test.mjs and next-use-cache.test.mjs have Next.js itself.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { install } from '../../tests/e2e/lib/package.mjs';
import { Receiver } from '../../tests/e2e/lib/receiver.mjs';

const folder = mkdtempSync(join(tmpdir(), 'freshet-next-'));
install(folder, 'client');
const { contents, folder: there } = install(folder, 'next');
const load = (name) => import(pathToFileURL(join(there, name)));
const { withFreshet } = await load('index.js');
const { Store, now, store } = await load('store.js');
const { default: Handler } = await load('cache-handler.js');
const { default: useCache } = await load('use-cache-handler.js');
const { purge } = await load('purge.js');
let receiver;

before(async () => {
  receiver = await new Receiver().listen();
  Object.assign(process.env, { FRESHET_ADMIN: `127.0.0.1:${receiver.port}`, FRESHET_TOKEN: 't' });
});

after(async () => {
  for (const name of ['FRESHET_ADMIN', 'FRESHET_TOKEN']) delete process.env[name];
  await receiver.close();
  rmSync(folder, { recursive: true });
});

const purged = () => receiver.received.splice(0).map(({ body }) => body);
const page = (tags, html = 'x') => ({ kind: 'APP_PAGE', html, headers: { 'x-next-cache-tags': tags } });

test('the package holds the code and its types, nothing else', () => {
  assert.deepEqual(contents, ['README.md', 'cache-handler.js', 'index.d.ts', 'index.js', 'package.json', 'purge.d.ts', 'purge.js', 'store.js', 'use-cache-handler.js']);
});

test('withFreshet() adds to a configuration, but not in next dev', async () => {
  const given = { basePath: '/b', headers: async () => [{ source: '/x', headers: [] }], cacheHandlers: { remote: '/r.js' } };
  const config = await withFreshet(() => given)('phase-production-build', {});
  assert.equal(config.basePath, '/b');
  assert.equal(config.cacheMaxMemorySize, 16 * 1024 * 1024);
  assert.equal(config.cacheHandlers.remote, '/r.js');
  for (const path of [config.cacheHandler, config.cacheHandlers.default]) await import(pathToFileURL(path));
  const [ours, theirs] = await config.headers();
  assert.match(ours.headers[0].value, /cookie=__prerender_bypass\|__next_preview_data, header=rsc/);
  assert.equal(theirs.source, '/x');
  assert.equal((await withFreshet({ cacheMaxMemorySize: 0 })('phase-production-server', {})).cacheMaxMemorySize, 0);
  assert.equal(await withFreshet(given)('phase-development-server', {}), given);
});

test('pages get their tags, and go with them', async () => {
  const handler = new Handler({});
  const value = page('_N_T_/a,product-1');
  assert.equal(await handler.get('/a', {}), null);
  await handler.set('/a', value, { cacheControl: { revalidate: 60 } });
  assert.equal(value.headers['cache-tag'], '_N_T_/a,product-1');
  const found = await new Handler({}).get('/a', {});
  assert.equal(found.value, value);
  assert.deepEqual(found.cacheControl, { revalidate: 60 });
  for (const [tags, durations, body] of [
    ['product-1', undefined, { cache_tags: ['product-1'] }],
    [['product-1', 'b'], { expire: 0 }, { cache_tags: ['product-1', 'b'] }],
    ['_N_T_/a', { expire: 31536000 }, { cache_tags: ['_N_T_/a'], soft: true }],
    ['_N_T_/a', { expire: undefined }, { cache_tags: ['_N_T_/a'], soft: true }],
  ]) {
    await handler.set('/a', page('_N_T_/a,product-1'), {});
    assert.ok(await handler.get('/a', {}));
    await handler.revalidateTag(tags, durations);
    assert.equal(await handler.get('/a', {}), null);
    assert.deepEqual(purged(), [body]);
  }
  await handler.revalidateTag([], undefined);
  assert.deepEqual(purged(), []);
});

test('what was revalidated while it was made is not good', async () => {
  const handler = new Handler({});
  await handler.get('/slow', {});
  await handler.revalidateTag('slow');
  await handler.set('/slow', page('slow'), {});
  assert.equal(await handler.get('/slow', {}), null);
  await handler.set('/slow', page('slow'), {});
  assert.ok(await handler.get('/slow', {}));
});

test('data of fetch() goes with its own tags and with those of the page', async () => {
  const handler = new Handler({});
  const set = () => handler.set('hash', { kind: 'FETCH', data: { body: 'x' }, tags: ['own'] }, { fetchCache: true, tags: ['own'] });
  for (const [tag, context] of [['own', {}], ['asked', { tags: ['asked'] }], ['_N_T_/p', { softTags: ['_N_T_/p'] }]]) {
    await set();
    assert.ok(await handler.get('hash', context));
    await handler.revalidateTag(tag, { expire: 9 });
    assert.equal(await handler.get('hash', context), null);
  }
});

test('a purge that fails is heard', async () => {
  receiver.answers = [{ status: 400, body: '{"message":"no such thing"}' }];
  await assert.rejects(new Handler({}).revalidateTag('x'), /400: no such thing/);
  await assert.rejects(purge({ tags: 'x' }), /400: no such thing/);
  receiver.answers = [{ status: 202, body: '{"sequence":1}' }];
  purged();
});

test('purge() names tags as Next does', async () => {
  await purge({ tags: ['a', 'möbel'], paths: ['/', '/x/y/', '/ü'], soft: true });
  assert.deepEqual(purged(), [{ cache_tags: ['a', 'm%C3%B6bel', '_N_T_/', '_N_T_/index', '_N_T_/x/y', '_N_T_/%C3%BC'], soft: true }]);
  for (const what of [{}, { tags: [] }, { tag: 'x' }, { paths: 'x' }]) await assert.rejects(purge(what), TypeError);
});

test('the store keeps what was used last, within its bytes', () => {
  const small = new Store();
  small.limit = 100;
  for (const key of ['a', 'b', 'c']) small.set(key, key, { at: now(), size: 30 });
  assert.equal(small.get('a'), 'a');
  small.set('d', 'd', { at: now(), size: 40 });
  assert.deepEqual(['a', 'b', 'c', 'd'].map((key) => small.get(key)), ['a', undefined, 'c', 'd']);
  small.set('d', 'e', { at: now(), size: 101 });
  assert.equal(small.get('d'), undefined);
  small.set('f', 'f', { at: now(), size: 40 });
  assert.deepEqual(['a', 'c', 'f'].map((key) => small.get(key)), ['a', 'c', 'f']);
});

test('more tags than are remembered: nothing old is taken for good', () => {
  const full = new Store();
  full.set('a', 'a', { tags: ['t0'], at: now(), size: 1 });
  full.revalidate(['t0']);
  full.set('b', 'b', { tags: ['x'], at: now(), size: 1 });
  const begun = now();
  full.revalidate(Array.from({ length: 20_000 }, (_, i) => `u${i}`));
  assert.equal(full.get('a'), undefined);
  assert.equal(full.get('b'), undefined);
  full.set('d', 'd', { tags: ['t0'], at: begun, size: 1 });
  assert.equal(full.get('d'), undefined);
  full.set('c', 'c', { tags: ['x'], at: now() + 1000, size: 1 });
  assert.equal(full.get('c'), 'c');
});

test("'use cache': whole values only, while they are fresh", async () => {
  const entry = (more = {}, parts = ['one', 'two']) => ({ tags: ['t'], stale: 1, timestamp: now(), expire: 60, revalidate: 60, value: new ReadableStream({
    start(controller) {
      for (const part of parts) part instanceof Error ? controller.error(part) : controller.enqueue(Buffer.from(part));
      if (!parts.some((part) => part instanceof Error)) controller.close();
    } }), ...more });
  const read = async (key, soft = []) => {
    const found = await useCache.get(key, soft);
    return found && new Response(found.value).text();
  };
  const running = useCache.set('k', Promise.resolve(entry()));
  assert.equal(await read('k'), 'onetwo'); // waits for what is being kept
  await running;
  assert.equal(await read('k'), 'onetwo');
  assert.equal(await useCache.getExpiration(['t', 'other']), 0);
  await useCache.updateTags(['t']);
  assert.ok((await useCache.getExpiration(['t'])) > 0);
  assert.equal(await read('k'), undefined);
  await useCache.set('k', Promise.resolve(entry()));
  await useCache.updateTags(['soft']);
  assert.equal(await read('k', ['soft']), undefined);
  for (const bad of [entry({ timestamp: now() - 61_000 }), entry({ expire: 0 }), entry({}, ['one', new Error('broke off')])]) {
    await useCache.set('bad', Promise.resolve(bad));
    assert.equal(await read('bad'), undefined);
  }
  await useCache.set('bad', Promise.reject(new Error('never came')));
  assert.equal(await read('bad'), undefined);
  assert.deepEqual(purged(), []); // the other handler purges
});

test('a limit of no bytes keeps nothing', async () => {
  const handler = new Handler({ maxMemoryCacheSize: 0 });
  await handler.set('/none', page('x'), {});
  assert.equal(await handler.get('/none', {}), null);
  store.limit = 16 * 1024 * 1024;
});
