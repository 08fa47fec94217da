// The package as npm would publish it, and what it makes of rules and answers without Nuxt. tests/sites/nuxt.test.mjs and nitro.test.mjs have
// Nuxt and Nitro themselves.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { install } from '../../tests/e2e/lib/package.mjs';
import { Receiver } from '../../tests/e2e/lib/receiver.mjs';

const folder = mkdtempSync(join(tmpdir(), 'freshet-nuxt-'));
install(folder, 'client');
const { contents, folder: there } = install(folder, 'nuxt');
const load = (name) => import(pathToFileURL(join(there, name)));
const { convert, optionsOf } = await load('rules.js');
const { fieldsOf } = await load('runtime/say.js');
const { addTags, pathTag, purge } = await load('purge.js');
const YEAR = 31_536_000;

after(() => rmSync(folder, { recursive: true }));

test('the package holds the code and its types, nothing else', () => {
  assert.deepEqual(contents, ['README.md', 'index.d.ts', 'index.js', 'nitro.d.ts', 'nitro.js', 'package.json', 'purge.d.ts', 'purge.js', 'rules.js', 'runtime/nitro-plugin.js',
    'runtime/nuxt-plugin.js', 'runtime/say.js', 'tags.d.ts', 'tags.js']);
});

test('rules', () => {
  for (const [rule, policy] of [
    [{ isr: 60 }, { ttl: 60, swr: YEAR }],
    [{ isr: true }, { ttl: YEAR, swr: YEAR }],
    [{ isr: { expiration: 9 } }, { ttl: 9, swr: YEAR }],
    [{ isr: { expiration: false } }, { ttl: YEAR, swr: YEAR }],
    [{ swr: 60 }, { ttl: 60, swr: YEAR }],
    [{ swr: true }, { ttl: 1, swr: YEAR }],
    [{ cache: { swr: true, maxAge: 60 }, swr: 60 }, { ttl: 60, swr: YEAR }], // as Nitro has it later
    [{ cache: { maxAge: 60, staleMaxAge: 5 } }, { ttl: 60, swr: 5 }],
    [{ cache: { maxAge: 60, swr: false } }, { ttl: 60 }],
    [{ cache: { varies: ['Host', 'x-plan'] } }, { ttl: 1, swr: YEAR, varies: ['x-plan'] }],
    [{ isr: false }, false],
    [{ swr: false }, false],
    [{ cache: false }, false],
    [{ prerender: true }, { prerender: true, ttl: YEAR }],
    [{ headers: { a: 'b' } }, undefined],
    [{ prerender: false }, undefined],
  ]) {
    const rules = { '/a/**': { ...rule } };
    convert(rules);
    assert.deepEqual(rules['/a/**'].freshet, policy, JSON.stringify(rule));
    const once = structuredClone(rules);
    convert(rules);
    assert.deepEqual(rules, once);
    if (policy === undefined || policy.prerender) continue;
    assert.equal(rules['/a/**'].isr, policy !== false);
    assert.ok(!rules['/a/**'].swr && !rules['/a/**'].cache);
  }
});

test('the rule of a page is that of its data', () => {
  const rules = { '/': { isr: 5 }, '/a': { swr: 6 }, '/a/_payload.json': { headers: {} }, '/b/**': { isr: 7 } };
  convert(rules);
  assert.deepEqual(Object.entries(rules).map(([route, { freshet }]) => [route, freshet?.ttl]),
    [['/', 5], ['/a', 6], ['/a/_payload.json', 6], ['/b/**', 7], ['/_payload.json', 5]]);
});

test('answers', () => {
  const said = (policy, { cookie, personal = [], has = {}, status = 200, tags } = {}) => {
    const fields = fieldsOf(policy, { request: { method: 'GET', cookie }, response: { status, get: (name) => has[name] }, path: '/a/_payload.json', tags, personal });
    return Object.fromEntries(fields);
  };
  assert.deepEqual(said({ ttl: 5, swr: 6 }, { tags: ['x'] }), { 'cdn-cache-control': 'max-age=5, stale-while-revalidate=6', 'cache-tag': 'path:/a,x' });
  assert.equal(said({ ttl: 5, varies: ['a', 'b'] }, { has: { 'netlify-vary': 'query' } })['netlify-vary'], 'query, header=a|b');
  assert.deepEqual(said({ ttl: 5 }, { status: 404 }), {});
  assert.deepEqual(said(false), {});
  assert.deepEqual(said(undefined), {});
  assert.deepEqual(said({ prerender: true, ttl: 5 }), {});
  assert.ok('cdn-cache-control' in said({ prerender: true, ttl: 5 }, { has: { 'last-modified': 'x' } }));
  for (const policy of [{ ttl: 5 }, false, undefined]) assert.equal(said(policy, { personal: ['s'], cookie: 's=1' })['cache-control'], 'private, no-store');
});

test('tags and purges', async () => {
  const event = { context: {} };
  addTags(event, 'a', ['b', 'ö']);
  addTags(event, 'c');
  addTags(undefined, 'd');
  assert.deepEqual(event.context.freshetTags, ['a', 'b', 'ö', 'c']);
  assert.throws(() => addTags(event, 5), TypeError);
  for (const path of ['/x', '/x/', '/x/_payload.json']) assert.equal(pathTag(path), 'path:/x');
  assert.equal(pathTag('/_payload.json'), 'path:/');

  const receiver = await new Receiver().listen();
  Object.assign(process.env, { FRESHET_ADMIN: `127.0.0.1:${receiver.port}`, FRESHET_TOKEN: 't' });
  try {
    await purge({ tags: 'a', paths: ['/x'], soft: true });
    await purge({ all: true });
    for (const what of [{}, { tag: 'x' }, { tags: [] }]) await assert.rejects(purge(what), TypeError);
  } finally {
    for (const name of ['FRESHET_ADMIN', 'FRESHET_TOKEN']) delete process.env[name];
    await receiver.close();
  }
  assert.deepEqual(receiver.received.map(({ body }) => body), [{ cache_tags: ['a', 'path:/x'], soft: true }, {}]);
});

test('options that are none', () => {
  assert.deepEqual(optionsOf({}), { personal: [] });
  assert.throws(() => optionsOf({ token: 'x' }), /personal/);
});
