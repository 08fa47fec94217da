// The purge APIs of docs/PURGING.md with the clients themselves, from npm: cloudflare, fastly and @vercel/sdk purge freshet, believe its
// answers and report its errors. CACHING.md 5.3.

import assert from 'node:assert/strict';
import http from 'node:http';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import { Front } from '../e2e/lib/front.mjs';

const require = createRequire(new URL('purge/package.json', import.meta.url));
const Cloudflare = require('cloudflare').default;
const Fastly = require('fastly');
const { Vercel } = require('@vercel/sdk');
const pages = ['/a', '/b', '/blog/c'];
let front, origin, host;

before(async () => {
  origin = http.createServer((request, response) => {
    response.writeHead(200, { 'Cache-Control': 'max-age=600, stale-while-revalidate=600', 'Cache-Tag': request.url.slice(1) });
    response.end('x');
  });
  await new Promise((listening) => origin.listen(0, '127.0.0.1', listening));
  front = await Front.start(`http://127.0.0.1:${origin.address().port}`);
  host = `127.0.0.1:${front.port}`;
});
after(async () => {
  await front?.stop();
  origin.close();
  origin.closeAllConnections();
});

/** Which pages are gone, and which stale, after `purge`, which returns what the client returns. */
async function purged(purge, gone, stale = []) {
  for (const path of pages) await front.get(path);
  for (const path of pages) await front.hit(path);
  const answer = await purge();
  const state = { gone: [], stale: [] };
  for (const path of pages) {
    const { cache } = await front.get(path);
    if (!/; hit/.test(cache)) state.gone.push(path);
    else if (/ttl=-/.test(cache)) state.stale.push(path);
  }
  assert.deepEqual(state, { gone, stale });
  return answer;
}

test('cloudflare', async () => {
  const client = (options = {}) => new Cloudflare({ apiToken: front.token, baseURL: `${front.admin}/client/v4`, maxRetries: 0, ...options });
  const purge = (params) => () => client().cache.purge({ zone_id: 'default', ...params });
  assert.deepEqual(await purged(purge({ tags: ['a'] }), ['/a']), { id: 'default' });
  await purged(purge({ files: [`http://${host}/b`, { url: `http://${host}/a`, headers: { 'Accept-Language': 'de' } }] }), ['/a', '/b']);
  await purged(purge({ prefixes: [`${host}/blog`] }), ['/blog/c']);
  await purged(purge({ hosts: [host] }), pages);
  await purged(purge({ hosts: ['other.example'] }), []);
  await purged(purge({ purge_everything: true }), pages);
  await purged(() => client().cache.invalidate({ zone_id: 'default', tags: ['a'] }), [], ['/a']);
  await purged(() => client({ apiToken: null, apiEmail: 'a@b.example', apiKey: front.token }).cache.purge({ zone_id: 'default', tags: ['b'] }), ['/b']);
  await assert.rejects(purge({ tag: ['a'] }), (e) => e instanceof Cloudflare.BadRequestError && /unknown member "tag"/.test(e.errors[0].message));
  await assert.rejects(client({ apiToken: 'wrong' }).cache.purge({ zone_id: 'default', tags: ['a'] }), Cloudflare.AuthenticationError);
});

test('fastly', async () => {
  Fastly.ApiClient.instance.authenticate(front.token);
  const api = new Fastly.PurgeApi();
  // Its address is in its code.
  const call = api.apiClient.callApi.bind(api.apiClient);
  api.apiClient.callApi = (...args) => call(...args.slice(0, -1), front.admin);
  const purge = (verb, options) => () => api[verb](options);
  assert.equal((await purged(purge('purgeTag', { service_id: 'default', surrogate_key: 'blog/c' }), ['/blog/c'])).status, 'ok');
  assert.deepEqual(Object.keys(await purged(purge('bulkPurgeTag', { service_id: 'default', surrogate_key: 'a b' }), ['/a', '/b'])), ['a', 'b']);
  await purged(purge('bulkPurgeTag', { service_id: 'default', purge_response: { surrogate_keys: ['a'] }, fastly_soft_purge: 1 }), [], ['/a']);
  assert.equal((await purged(purge('purgeAll', { service_id: 'default' }), pages)).status, 'ok');
  await purged(purge('purgeSingleUrl', { cached_url: `${host}/blog/c` }), ['/blog/c']);
  await purged(purge('purgeSingleUrl', { cached_url: `${host}/b`, fastly_soft_purge: 1 }), [], ['/b']);
  Fastly.ApiClient.instance.authenticate('wrong');
  await assert.rejects(purge('purgeAll', { service_id: 'default' }), (e) => e.status === 401 && /not the admin token/.test(e.body.msg));
});

test('@vercel/sdk', async () => {
  const client = (bearerToken = front.token) => new Vercel({ bearerToken, serverURL: front.admin }).edgeCache;
  const ask = (tags) => ({ projectIdOrName: 'default', requestBody: { tags } });
  await purged(() => client().invalidateByTags(ask(['a'])), [], ['/a']);
  await purged(() => client().dangerouslyDeleteByTags(ask('a, b')), ['/a', '/b']);
  await assert.rejects(client().invalidateByTags(ask([])), (e) => e.statusCode === 400);
  await assert.rejects(client('wrong').invalidateByTags(ask(['a'])), (e) => e.statusCode === 401);
});
