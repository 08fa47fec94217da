// The preload sends what is meant for Netlify's purge API to freshet, and nothing else.
// Each case runs a small program in a Node of its own with the preload, beside a server that stands in for freshet.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';

const preload = pathToFileURL(fileURLToPath(new URL('freshet-purge.mjs', import.meta.url))).href;
const home = mkdtempSync(join(tmpdir(), 'freshet-purge-'));
let server;
let address;
let seen;
let reply;

before(async () => {
  server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    seen.push({ method: request.method, url: request.url, headers: request.headers, body });
    response.writeHead(reply.status, { 'Content-Type': 'application/json' }).end(reply.body);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  address = `http://127.0.0.1:${server.address().port}`;
});

after(() => {
  server.close();
  server.closeAllConnections();
  rmSync(home, { recursive: true });
});

beforeEach(() => {
  seen = [];
  reply = { status: 202, body: '{"sequence":1,"durable":false}' };
});

/** Runs `program` with the preload; what it prints is JSON: `report(value)` or, when it throws, `{ error }`. */
async function run(program, env = {}) {
  const source = `
    const report = (value) => console.log(JSON.stringify(value));
    const purge = (body = {}, init = {}) => fetch('https://api.netlify.com/api/v1/purge', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json; charset=utf8', Authorization: 'Bearer ' + process.env.NETLIFY_PURGE_API_TOKEN },
      body: JSON.stringify(body), ...init });
    try { ${program} } catch (error) { report({ error: error.message }); }`;
  const child = spawn(process.execPath, ['--import', preload, '--input-type=module', '-e', source], {
    env: { PATH: process.env.PATH, HOME: home, FRESHET_ADMIN: address, FRESHET_TOKEN: 'right', ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  for await (const chunk of child.stdout) output += chunk;
  return JSON.parse(output);
}

test('a purge goes to freshet with its token, site and body', async () => {
  const said = await run(`
    const response = await purge({ site_id: process.env.SITE_ID, cache_tags: ['a'] });
    report({ status: response.status, body: await response.json() });`);
  assert.deepEqual(said, { status: 202, body: { sequence: 1, durable: false } });
  assert.equal(seen.length, 1);
  assert.equal(seen[0].method, 'POST');
  assert.equal(seen[0].url, '/api/v1/purge');
  assert.equal(seen[0].headers.authorization, 'Bearer right');
  assert.match(seen[0].headers['content-type'], /^application\/json/);
  assert.deepEqual(JSON.parse(seen[0].body), { site_id: 'default', cache_tags: ['a'] });
});

test('a Request object and a URL object are recognised too', async () => {
  await run(`
    const url = new URL('https://api.netlify.com/api/v1/purge');
    await fetch(url, { method: 'post', body: '{"n":1}' });
    await fetch(new Request(url, { method: 'POST', body: '{"n":2}' }));
    report({});`);
  assert.deepEqual(
    seen.map(({ body }) => JSON.parse(body).n),
    [1, 2],
  );
});

test('every other request is handed on as it came', async () => {
  const said = await run(`
    const untouched = [
      ['${address}/api/v1/purge', { method: 'POST', headers: { Authorization: 'Bearer theirs' } }],
      ['${address}/other', {}],
    ];
    for (const [url, init] of untouched) await fetch(url, init);
    const failures = [];
    // No name service is asked for these: the scheme, the host and the method each differ from the purge API's.
    for (const [url, init] of [['http://api.netlify.com.invalid/api/v1/purge', { method: 'POST' }], ['not a url', { method: 'POST' }]])
      await fetch(url, init).then(() => failures.push('answered'), (error) => failures.push(error.message));
    report(failures);`);
  assert.deepEqual(
    seen.map(({ url, headers }) => [url, headers.authorization]),
    [
      ['/api/v1/purge', 'Bearer theirs'],
      ['/other', undefined],
    ],
  );
  assert.equal(said.length, 2);
  for (const message of said) assert.doesNotMatch(message, /freshet|answered/);
});

test('variables that are set already are kept', async () => {
  const said = await run(`report([process.env.SITE_ID, process.env.NETLIFY_PURGE_API_TOKEN]);`, {
    SITE_ID: 'shop',
    NETLIFY_PURGE_API_TOKEN: 'real',
  });
  assert.deepEqual(said, ['shop', 'real']);
  assert.deepEqual(await run(`report(process.env.SITE_ID);`, { FRESHET_SITE: 'shelf' }), 'shelf');
});

test('a real Netlify token is not sent to freshet', async () => {
  await run(`await purge(); report({});`, { NETLIFY_PURGE_API_TOKEN: 'real' });
  assert.equal(seen[0].headers.authorization, 'Bearer right');
});

test('the token comes from a file, read at each purge, or from the state folder', async () => {
  const file = join(home, 'elsewhere');
  await run(
    `const { writeFileSync } = await import('node:fs');
     for (const token of ['first', 'second']) { writeFileSync(${JSON.stringify(file)}, token + '\\n'); await purge(); }
     report({});`,
    { FRESHET_TOKEN: '', FRESHET_TOKEN_FILE: file },
  );
  for (const [folder, env] of [
    ['.local/state', {}],
    ['xdg', { XDG_STATE_HOME: join(home, 'xdg') }],
  ]) {
    mkdirSync(join(home, folder, 'freshet'), { recursive: true });
    writeFileSync(join(home, folder, 'freshet', 'token'), `from-${folder}\n`);
    await run(`await purge(); report({});`, { FRESHET_TOKEN: '', ...env });
  }
  assert.deepEqual(
    seen.map(({ headers }) => headers.authorization),
    ['Bearer first', 'Bearer second', 'Bearer from-.local/state', 'Bearer from-xdg'],
  );
});

test('errors say what is wrong and what to do', async () => {
  const noToken = await run(`await purge();`, { FRESHET_TOKEN: '', FRESHET_TOKEN_FILE: '/nowhere/token' });
  assert.match(noToken.error, /\/nowhere\/token.*ENOENT.*FRESHET_TOKEN/);
  const nobody = await run(`await purge();`, { FRESHET_ADMIN: 'http://127.0.0.1:1' });
  assert.match(
    nobody.error,
    /does not answer at http:\/\/127\.0\.0\.1:1 \((ECONNREFUSED|bad port)\).*FRESHET_ADMIN/,
  );
  const garbled = await run(`await purge();`, { FRESHET_ADMIN: 'http://:::' });
  assert.match(garbled.error, /FRESHET_ADMIN is "http:\/\/:::"/);

  reply = { status: 401, body: '{"error":"wrong token"}' };
  assert.match((await run(`await purge();`)).error, /401.*wrong token.*came from FRESHET_TOKEN/);
  reply = { status: 404, body: '' };
  assert.match((await run(`await purge();`, { SITE_ID: 'shop' })).error, /404.*"shop"/);
});

test('the caller may still abort', async () => {
  const said = await run(`await purge({}, { signal: AbortSignal.abort(new Error('changed my mind')) });`);
  assert.equal(said.error, 'changed my mind');
  assert.equal(seen.length, 0);
});

test('loading it twice wraps once', async () => {
  await run(`await import(${JSON.stringify(preload)} + '?again'); await purge(); report({});`);
  assert.equal(seen.length, 1);
});
