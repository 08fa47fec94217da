// purge() against a freshet, and against a server that fails in all ways; what fieldsFor() says of a page; what `npm pack` puts in.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { Front } from '../../tests/e2e/lib/front.mjs';
import { install } from '../../tests/e2e/lib/package.mjs';
import { freePorts, until } from '../../tests/e2e/lib/world.mjs';

const folder = mkdtempSync(join(tmpdir(), 'freshet-client-'));
const { contents } = install(folder, 'client');
const { FreshetError, createClient, purge } = await import(pathToFileURL(join(folder, 'node_modules/@freshet/client/index.js')));
const { fieldsFor, hasCookie, lifetime, tagList } = await import(pathToFileURL(join(folder, 'node_modules/@freshet/client/fields.js')));
for (const name of Object.keys(process.env)) if (/^(FRESHET_(ADMIN|TOKEN|TOKEN_FILE|SITE)|XDG_STATE_HOME)$/.test(name)) delete process.env[name];
process.env.HOME = folder;

after(() => rmSync(folder, { recursive: true }));

test('the package holds the code and its types, nothing else', () => {
  assert.deepEqual(contents, ['README.md', 'fields.d.ts', 'fields.js', 'index.d.ts', 'index.js', 'package.json']);
});

describe('with freshet', () => {
  let site, front, renders;

  before(async () => {
    renders = 0;
    site = createServer((request, response) => {
      response.setHeader('CDN-Cache-Control', 'max-age=600, stale-while-revalidate=600');
      response.setHeader('Cache-Tag', `all, page-${request.url.slice(1)}`);
      response.end(`render ${++renders}`);
    }).listen(0, '127.0.0.1');
    await once(site, 'listening');
    front = await Front.start(`http://127.0.0.1:${site.address().port}`);
  });
  after(async () => {
    await front.stop();
    site.closeAllConnections();
    site.close();
  });

  const options = () => ({ admin: front.admin, token: front.token });

  test('tags, urls, everything', async () => {
    const client = createClient(options());
    for (const path of ['/a', '/b', '/c']) await front.miss(path);
    const first = await client.purge({ tags: 'page-a' });
    assert.match(first.purged, /tag page-a/);
    await front.miss('/a');
    await front.hit('/b');
    const second = await client.purge({ urls: [`http://127.0.0.1:${front.port}/b`], tags: new Set(['page-c']) });
    assert.ok(second.sequence > first.sequence);
    await front.miss('/b');
    await front.miss('/c');
    await front.hit('/a');
    await client.purge({ all: true });
    for (const path of ['/a', '/b', '/c']) await front.miss(path);
  });

  test('status names the latest purges', async () => {
    const client = createClient(options());
    await client.purge({ tags: ['for-status'] });
    const { version, purges } = await client.status();
    assert.match(version, /^\d/);
    assert.match(purges.latest[0].what, /tag for-status/);
    await assert.rejects(createClient({ ...options(), token: 'guess' }).status(), /refused to answer with 401/);
  });

  test('soft keeps the page until it is renewed', async () => {
    await front.miss('/soft');
    const { text } = await front.hit('/soft');
    await purge({ tags: ['page-soft'], soft: true }, options());
    const stale = await front.hit('/soft');
    assert.equal(stale.text, text);
    assert.match(stale.cache, /detail=refreshing/);
    await until('the renewed page', async () => (await front.hit('/soft')).text !== text);
  });

  test('address and token from the environment, by variable and by file', async () => {
    const file = join(folder, 'token');
    writeFileSync(file, `${front.token}\n`);
    for (const env of [{ FRESHET_ADMIN: front.admin, FRESHET_TOKEN: front.token }, { FRESHET_ADMIN: front.admin.slice(7), FRESHET_TOKEN_FILE: file, FRESHET_SITE: 'default' }]) {
      Object.assign(process.env, env);
      try {
        assert.match((await purge({ tags: ['x'] })).purged, /tag x/);
      } finally {
        for (const name of Object.keys(env)) delete process.env[name];
      }
    }
  });

  test('what freshet says is in the error, and is not asked again', async () => {
    const cases = [
      [{ tags: ['x'] }, { token: 'guess' }, 401, /refused to purge with 401.*came from the option token/],
      [{ tags: ['x'], site: 'nobody' }, {}, 404, /nobody/],
      [{ urls: ['/books/*'] }, {}, 400, /\*/],
    ];
    for (const [what, more, status, said] of cases) {
      const error = await purge(what, { ...options(), ...more }).then(assert.fail, (reason) => reason);
      assert.ok(error instanceof FreshetError, error);
      assert.equal(error.answered, status);
      assert.equal(error.status ?? error.statusCode, undefined);
      assert.equal(error.attempts, 1);
      assert.match(error.message, said);
      assert.ok(!error.message.includes(front.token));
    }
  });

  test('a freshet that starts meanwhile gets the purge', async () => {
    const [port] = await freePorts(1);
    const options = { admin: `127.0.0.1:${port}`, token: front.token, timeout: 60_000, retries: 20 };
    const purged = purge({ tags: ['x'] }, options);
    const late = await Front.start(`http://127.0.0.1:${site.address().port}`, { args: ['--admin', `127.0.0.1:${port}`] });
    try {
      assert.match((await purged).purged, /tag x/);
    } finally {
      await late.stop();
    }
  });
});

describe('with one that fails', () => {
  let server, admin, seen, answers;

  before(async () => {
    server = createServer(async (request, response) => {
      let body = '';
      for await (const part of request) body += part;
      seen.push({ url: request.url, headers: request.headers, body, at: Date.now() });
      const answer = answers.length > 1 ? answers.shift() : answers[0];
      if (answer === 'hang') return;
      if (answer === 'cut') return request.socket.destroy();
      if (answer === 'half') return response.writeHead(202, { 'Content-Length': 99 }).write('{"seq', () => request.socket.destroy());
      const [status, text = '{"sequence":7,"durable":false,"purged":"x"}', headers = {}] = answer;
      response.writeHead(status, headers).end(text);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    admin = `http://127.0.0.1:${server.address().port}`;
  });
  beforeEach(() => {
    seen = [];
    answers = [[202]];
  });
  after(() => {
    server.closeAllConnections();
    server.close();
  });

  const fails = (what, options) => purge(what, { admin, token: 't', ...options }).then(assert.fail, (error) => error);

  test('what may pass by itself is tried again', async () => {
    answers = [[503], 'cut', 'half', [429, '{}', { 'Retry-After': '0' }], [202]];
    assert.deepEqual(await purge({ tags: 'a' }, { admin, token: 't' }), { sequence: 7, durable: false, purged: 'x' });
    assert.equal(seen.length, 5);
    for (const { url, headers, body } of seen) {
      assert.equal(url, '/api/v1/purge');
      assert.equal(headers.authorization, 'Bearer t');
      assert.deepEqual(JSON.parse(body), { cache_tags: ['a'] });
    }
  });

  test('and not for ever', async () => {
    answers = [[503, '{"code":503,"message":"draining"}']];
    const error = await fails({ tags: 'a' }, { retries: 2 });
    assert.equal(seen.length, 3);
    assert.equal(error.attempts, 3);
    assert.match(error.message, /503: draining, asked 3 times/);
  });

  test('not before Retry-After, and not at all when that is beyond the time-out', async () => {
    answers = [[429, '{}', { 'Retry-After': '1' }], [202]];
    await purge({ tags: 'a' }, { admin, token: 't' });
    assert.ok(seen[1].at - seen[0].at >= 990, `${seen[1].at - seen[0].at} ms`);
    seen = [];
    answers = [[429, '{"message":"purge_rate"}', { 'Retry-After': '60' }]];
    const error = await fails({ tags: 'a' });
    assert.equal(seen.length, 1);
    assert.match(error.message, /429: purge_rate/);
  });

  test('a refusal is final', async () => {
    for (const status of [301, 400, 401, 404, 413]) {
      seen = [];
      answers = [[status, 'no']];
      assert.equal((await fails({ tags: 'a' })).answered, status);
      assert.equal(seen.length, 1);
    }
  });

  test('one that hangs costs the time-out', async () => {
    answers = ['hang'];
    const error = await fails({ tags: 'a' }, { timeout: 200 });
    assert.equal(error.code, 'ETIMEDOUT');
    assert.match(error.message, /no answer within 0.2 s/);
  });

  test('the caller may give up', async () => {
    answers = ['hang'];
    const given = new AbortController();
    const purged = purge({ tags: 'a', signal: given.signal }, { admin, token: 't' });
    await until('the request', () => seen.length > 0);
    given.abort(new Error('changed my mind'));
    await assert.rejects(purged, /changed my mind/);
    await assert.rejects(purge({ tags: 'a', signal: given.signal }, { admin, token: 't' }), /changed my mind/);
    assert.equal(seen.length, 1);
  });

  test('nobody there', async () => {
    const [port] = await freePorts(1);
    const error = await fails({ tags: 'a' }, { admin: `127.0.0.1:${port}`, retries: 1 });
    assert.equal(error.code, 'ECONNREFUSED');
    assert.match(error.message, /does not answer at http:\/\/127\.0\.0\.1:\d+ \(ECONNREFUSED, asked 2 times\).*FRESHET_ADMIN/);
  });

  test('a path before the API, and a socket in the file system', async () => {
    await purge({ tags: 'a' }, { admin: `${admin}/ops/`, token: 't' });
    assert.equal(seen[0].url, '/ops/api/v1/purge');
    const path = join(folder, 'admin.sock');
    const local = createServer((request, response) => response.end('{"sequence":9}')).listen(path);
    await once(local, 'listening');
    assert.deepEqual(await purge({ tags: 'a' }, { admin: `unix:${path}`, token: 't' }), { sequence: 9 });
    local.close();
  });

  test('an answer that is none', async () => {
    answers = [[202, 'x'.repeat(2_000_000)]];
    assert.match((await fails({ tags: 'a' }, { retries: 0 })).message, /too long an answer/);
    answers = [[200, '<html>']];
    assert.match((await fails({ tags: 'a' })).message, /is this freshet's admin address/i);
  });

  test('what can be no purge asks nobody', async () => {
    for (const what of [undefined, {}, { tags: undefined }, { tag: 'a' }, { tags: [''] }, { tags: [1] }, { all: true, tags: ['a'] }, { all: 'yes' }, { tags: 5 }])
      await assert.rejects(purge(what, { admin, token: 't' }), TypeError, JSON.stringify(what));
    for (const options of [{ address: 'x' }, { timeout: 0 }, { retries: 100 }]) assert.throws(() => createClient(options), TypeError);
    for (const address of ['ftp://x', 'http://u:p@x', '::', 'http://:::']) assert.match((await fails({ tags: 'a' }, { admin: address })).message, /no address/);
    assert.match((await fails({ tags: 'a' }, { token: undefined })).message, /ENOENT.*FRESHET_TOKEN/);
    assert.match((await fails({ tags: 'a' }, { token: 'a\nb' })).message, /holds no token/);
    assert.equal(seen.length, 0);
  });
});

describe('fields', () => {
  const response = (fields = {}, status = 200) => ({ status, get: (name) => fields[name] });
  const get = { method: 'GET' };
  const policy = { ttl: 60, swr: 600, tags: ['a', 'b'], personal: ['session'] };

  test('a page for all', () => {
    assert.deepEqual(fieldsFor(policy, get, response()),
      { 'netlify-vary': 'cookie=session', 'cdn-cache-control': 'max-age=60, stale-while-revalidate=600', 'cache-tag': 'a,b' });
    assert.deepEqual(fieldsFor(policy, { method: 'GET', cookie: 'theme=session; x' }, response({ 'netlify-vary': 'query=page', 'cache-tag': 'z' })),
      { 'netlify-vary': 'query=page, cookie=session', 'cdn-cache-control': 'max-age=60, stale-while-revalidate=600', 'cache-tag': 'z,a,b' });
  });

  test('somebody\'s own page, also with a cookie that is made up', () => {
    for (const cookie of ['session=1', 'a=b; session=', 'session'])
      assert.deepEqual(fieldsFor(policy, { method: 'GET', cookie }, response({ 'cdn-cache-control': 'max-age=9' })),
        { 'netlify-vary': 'cookie=session', 'cdn-cache-control': null, 'netlify-cdn-cache-control': null, 'cache-control': 'private, no-store' });
  });

  test('what the app said itself counts', () => {
    for (const said of ['private', 'max-age=0, PRIVATE', 'no-store', 'x,no-store'])
      assert.deepEqual(fieldsFor(policy, get, response({ 'cache-control': said })), { 'netlify-vary': 'cookie=session' });
    assert.deepEqual(fieldsFor({ ttl: 60, tags: 'a' }, get, response({ 'netlify-cdn-cache-control': 'max-age=9', 'netlify-cache-tag': 'z' })), { 'netlify-cache-tag': 'z,a' });
    assert.deepEqual(fieldsFor({ ttl: 60 }, get, response({ 'cache-control': 'public, max-age=0' })), { 'cdn-cache-control': 'max-age=60' });
  });

  test('errors, other methods, Authorization', () => {
    for (const status of [400, 401, 403, 404, 500, 503]) assert.deepEqual(fieldsFor({ ttl: 60 }, get, response({}, status)), {});
    for (const status of [204, 301, 304, 404, 410]) assert.deepEqual(fieldsFor({ ttl: 60, notFound: true }, get, response({}, status)), { 'cdn-cache-control': 'max-age=60' });
    assert.deepEqual(fieldsFor(policy, { method: 'POST' }, response()), {});
    assert.deepEqual(fieldsFor({ ttl: 60 }, { method: 'GET', authorization: 'Basic x' }, response()), {});
  });

  test('tags and lifetimes that are none', () => {
    assert.equal(tagList(['möbel', ' a ', '', 'łódź'], undefined, 'a'), `möbel,a,${Buffer.from('łódź').toString('latin1')}`);
    assert.equal(tagList([]), undefined);
    assert.equal(lifetime({ ttl: 0, swr: 1.5, sie: 2 ** 40 }), `max-age=0, stale-while-revalidate=1, stale-if-error=${2 ** 31}`);
    for (const tags of [['a\r\nX: y'], [5], [{}]]) assert.throws(() => tagList(tags), TypeError);
    for (const ttl of [-1, NaN, '60', Infinity]) assert.throws(() => lifetime({ ttl }), TypeError);
    assert.throws(() => fieldsFor({ personal: ['a|b'] }, get, response()), TypeError);
    assert.ok(!hasCookie(undefined, ['a']));
  });
});
