// The package as npm would publish it, and its provider without Astro. tests/sites/astro-cache.test.mjs has Astro itself.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { install } from '../../tests/e2e/lib/package.mjs';
import { Receiver } from '../../tests/e2e/lib/receiver.mjs';

const folder = mkdtempSync(join(tmpdir(), 'freshet-astro-'));
install(folder, 'client');
const { contents, folder: there } = install(folder, 'astro');
const { default: freshet } = await import(pathToFileURL(join(there, 'index.js')));
const { default: provider } = await import(pathToFileURL(join(there, 'provider.js')));

after(() => rmSync(folder, { recursive: true }));

test('the package holds the code and its types, nothing else', () => {
  assert.deepEqual(contents, ['README.md', 'index.d.ts', 'index.js', 'package.json', 'provider.d.ts', 'provider.js']);
});

test('no token in the build, and no option that nobody reads', () => {
  assert.throws(() => freshet({ token: 'secret' }), /FRESHET_TOKEN/);
  assert.throws(() => freshet({ adress: 'x' }), /knows no "adress"/);
});

test('the session\'s cookie is personal, and another provider stays', () => {
  const setup = (config, options) => {
    const said = [];
    let update;
    freshet(options).hooks['astro:config:setup']({ config, updateConfig: (more) => (update = more), logger: { warn: (text) => said.push(text) } });
    return { said, config: update?.cache.provider.config };
  };
  assert.deepEqual(setup({ base: '/', session: { driver: 'x' } }).config, { personal: ['astro-session'], base: '/' });
  assert.deepEqual(setup({ base: '/b/', session: { cookie: 'sid' } }).config.personal, ['sid']);
  assert.deepEqual(setup({ base: '/', session: { cookie: { name: 'sid' } } }, { personal: ['other'] }).config.personal, ['other']);
  assert.deepEqual(setup({ base: '/', session: false }).config.personal, []);
  const kept = setup({ base: '/', cache: { provider: { entrypoint: 'x' } } });
  assert.equal(kept.config, undefined);
  assert.equal(kept.said.length, 1);
});

test('what is invalidated', async () => {
  const receiver = await new Receiver().listen();
  const { invalidate } = provider({ admin: `127.0.0.1:${receiver.port}`, site: 'shop' });
  process.env.FRESHET_TOKEN = 't';
  for (const what of [{ tags: 'a' }, { tags: ['a', 'b'], path: '/x' }, { path: '/x/?q=1' }, { path: '/' }, { tags: [] }, {}]) await invalidate(what);
  delete process.env.FRESHET_TOKEN;
  await receiver.close();
  assert.deepEqual(receiver.received.map(({ body }) => body), [
    { cache_tags: ['a'], site_id: 'shop' },
    { cache_tags: ['a', 'b'], urls: ['/x', '/x/'], site_id: 'shop' },
    { urls: ['/x?q=1', '/x/?q=1'], site_id: 'shop' },
    { urls: ['/'], site_id: 'shop' },
  ]);
});

test('a base path, and an island below it', async () => {
  const { onRequest, setHeaders } = provider({ base: '/shop/' });
  const answer = (path) => onRequest({ request: new Request(`http://x${path}`), url: new URL(`http://x${path}`) },
    () => new Response('x', { headers: setHeaders({ maxAge: 5, swr: 6, tags: ['ö', 'ł'] }) }));
  const page = await answer('/shop/a');
  assert.equal(page.headers.get('netlify-cdn-cache-control'), 'max-age=5, stale-while-revalidate=6');
  assert.equal(page.headers.get('netlify-cache-tag'), `ö,${Buffer.from('ł').toString('latin1')}`);
  for (const path of ['/shop/_server-islands/A', '/shop/_actions/a']) assert.equal((await answer(path)).headers.get('netlify-cdn-cache-control'), null);
});
