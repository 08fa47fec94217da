// The package as npm would publish it, and its hook without SvelteKit. tests/sites/svelte.test.mjs has SvelteKit itself.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { install } from '../../tests/e2e/lib/package.mjs';
import { Receiver } from '../../tests/e2e/lib/receiver.mjs';

const folder = mkdtempSync(join(tmpdir(), 'freshet-sveltekit-'));
install(folder, 'client');
const { contents, folder: there } = install(folder, 'sveltekit');
const { addTags, freshet, pathTag } = await import(pathToFileURL(join(there, 'index.js')));
let receiver;

before(async () => {
  receiver = await new Receiver().listen();
  process.env.FRESHET_TOKEN = 't';
});
after(async () => {
  delete process.env.FRESHET_TOKEN;
  await receiver.close();
  rmSync(folder, { recursive: true });
});

/** What a hook says of one answer: the fields that freshet reads. */
async function said(options, { id = '/a', path = '/a', method = 'GET', cookie, isDataRequest = false, isRemoteRequest = false, load = () => {} } = {},
  response = new Response('x')) {
  const event = { route: { id }, url: new URL(`http://x${path}`), request: new Request(`http://x${path}`, { method, headers: cookie ? { cookie } : {} }), locals: {}, params: {},
    isDataRequest, isRemoteRequest, setHeaders() {} };
  const { headers } = await freshet({ admin: `127.0.0.1:${receiver.port}`, ...options })({ event, resolve: async (given) => (load(given), response) });
  return ['cdn-cache-control', 'cache-tag', 'netlify-vary', 'cache-control'].map((name) => headers.get(name));
}
const json = (text) => new Response(text, { headers: { 'Content-Type': 'application/json', 'Cache-Control': 'private, no-store' } });

test('the package holds the code and its types, nothing else', () => {
  assert.deepEqual(contents, ['README.md', 'index.d.ts', 'index.js', 'package.json']);
});

test('routes by id, the first that fits', async () => {
  const routes = { '/a/b': { ttl: 1 }, '/a/*': { ttl: 2 }, '*': { ttl: 3 } };
  for (const [id, ttl] of [['/a/b', 1], ['/a', 2], ['/a/c', 2], ['/ab', 3], ['/', 3]]) assert.equal((await said({ routes }, { id }))[0], `max-age=${ttl}`, id);
  assert.equal((await said({ routes }, { id: null }))[0], null);
  assert.equal((await said({ routes: { '/b': { ttl: 1 } } }, { id: '/a' }))[0], null);
});

test('tags of the path, of the route, of load functions', async () => {
  const routes = { '/a': { ttl: 5, swr: 6, tags: (event) => [`id-${event.url.pathname.slice(1)}`] } };
  const load = (event) => {
    addTags({ locals: event.locals }, 'one', ['two', 'ö']);
    addTags(event, 'three');
  };
  assert.deepEqual((await said({ routes }, { path: '/x/', load })).slice(0, 2), ['max-age=5, stale-while-revalidate=6', 'path:/x,id-x/,one,two,ö,three']);
  assert.equal(pathTag('/'), 'path:/');
  assert.equal(pathTag('/a,b//'), 'path:/a%2Cb');
  assert.throws(() => addTags({ locals: {} }, 5), TypeError);
});

test('data', async () => {
  const routes = { '*': { ttl: 5 } };
  const data = { isDataRequest: true };
  assert.equal((await said({ routes }, data, json('{"type":"data","nodes":[null]}')))[0], 'max-age=5');
  assert.equal((await said({ routes }, data, json('{"type":"data","nodes":[null,{"type":"error","error":{}}]}')))[0], null);
  assert.equal((await said({ routes }, data, new Response('{}', { headers: { 'Content-Type': 'text/sveltekit-data' } })))[0], null);
  const load = (event) => event.setHeaders({ 'cache-control': 'no-store' });
  assert.equal((await said({ routes }, { ...data, load }, json('{"type":"data"}')))[0], null);
});

test('personal cookies, on routes that are named and on those that are not', async () => {
  for (const routes of [{ '/a': { ttl: 5 } }, {}]) {
    const answer = () => new Response('x', { headers: { 'CDN-Cache-Control': 'max-age=9' } });
    const [life, , vary, browsers] = await said({ routes, personal: ['session'] }, { cookie: 'session=1' }, answer());
    assert.deepEqual([life, vary, browsers], [null, 'cookie=session', 'private, no-store']);
    assert.deepEqual((await said({ routes, personal: ['session'] }, { cookie: 'x=1' }, answer())).filter((_, i) => i !== 1), ['max-age=9', 'cookie=session', null]);
  }
});

test('fields that cannot be changed, and answers without a body', async () => {
  const redirect = Response.redirect('http://x/y', 307);
  assert.equal((await said({ routes: { '*': { ttl: 5 } } }, {}, redirect))[0], 'max-age=5');
  assert.equal((await said({ personal: ['s'] }, { cookie: 's=1' }, redirect))[3], 'private, no-store');
});

test('after an action, and only then', async () => {
  const routes = { '/a': { ttl: 5 } };
  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) await said({ routes }, { method, path: '/a/?/sign' });
  assert.deepEqual(receiver.received.splice(0).map(({ body }) => body), Array(4).fill({ cache_tags: ['path:/a'] }));
  await said({ routes });
  await said({ routes }, { method: 'POST', id: '/other' });
  await said({ routes }, { method: 'POST', isRemoteRequest: true });
  await said({ routes }, { method: 'POST' }, new Response('x', { status: 422 }));
  assert.equal(receiver.received.length, 0);
});

test('a purge that fails', async () => {
  receiver.answers = [{ status: 400, body: '{"message":"no"}' }];
  const routes = { '/a': { ttl: 5 } };
  await assert.rejects(said({ routes }, { method: 'POST' }), /400: no/);
  const heard = [];
  await said({ routes, onPurgeError: (error, event) => heard.push([error.answered, event.url.pathname]) }, { method: 'POST' });
  assert.deepEqual(heard, [[400, '/a']]);
});

test('options that are none', () => {
  for (const options of [{ route: {} }, { routes: { a: {} } }, { routes: { '/a': { maxAge: 1 } } }, { routes: { '/a': { ttl: -1 } } }, { routes: { '/a': { tags: [5] } } }, { routes: {'/a': {}}, personal: ['a|b'] }])
    assert.throws(() => freshet(options), TypeError, JSON.stringify(options));
});
