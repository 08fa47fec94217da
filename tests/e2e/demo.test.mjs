// The demo starts all three programs, ends them with itself however it ends, and says plainly what is in its way.
// freshet's place is taken by a program that only lives and dies, but for the pages that are there again after Ctrl-C; cache.test.mjs runs the same stack with the real one.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { after, afterEach, beforeEach, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { FRESHET, NODE, REPOSITORY, freePorts, temporaryFolder, until } from './lib/world.mjs';

const STUB = fileURLToPath(new URL('lib/stub-freshet.mjs', import.meta.url));
const folder = temporaryFolder();
let ports;
let demo;

beforeEach(async () => {
  const [site, https, admin, app, cms] = await freePorts(5);
  ports = { site, https, admin, app, cms };
});

afterEach(async () => {
  if (demo && !demo.ended) {
    demo.process.kill('SIGKILL');
    await demo.done;
  }
});

after(() => rmSync(folder, { recursive: true, force: true }));

function start({ program = STUB, env = {} } = {}) {
  const child = spawn(NODE, [join(REPOSITORY, 'examples/astro-bookshelf/demo.mjs'), program], {
    env: {
      ...process.env,
      FRESHET_PORT: String(ports.site),
      FRESHET_HTTPS_PORT: String(ports.https),
      FRESHET_ADMIN_PORT: String(ports.admin),
      APP_PORT: String(ports.app),
      CMS_PORT: String(ports.cms),
      DEMO_DATA: folder,
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  demo = { process: child, output: '', ended: null };
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (demo.output += chunk));
  demo.done = new Promise((resolve) =>
    child.on('close', (code, signal) => resolve((demo.ended = { code, signal }))),
  );
  return demo;
}

const ready = () =>
  until(
    'the demo to be ready',
    () => {
      assert.ok(!demo.ended, `it ended instead:\n${demo.output}`);
      return demo.output.includes('Ctrl-C ends all three');
    },
    60_000,
  );

const listens = (port) =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => resolve(socket.destroy() && true));
    socket.on('error', () => resolve(false));
  });

const listening = async () => (await Promise.all(Object.values(ports).map(listens))).filter(Boolean).length;

/** The demo's child whose command line contains `word`. */
function childOf(pid, word) {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(/\s+/);
  return children.map(Number).find((child) => readFileSync(`/proc/${child}/cmdline`, 'utf8').includes(word));
}

test('it says where everything is, with a tour, and all of it answers', async () => {
  start();
  await ready();
  for (const name of ['site', 'app', 'cms']) {
    const url = `http://127.0.0.1:${ports[name]}/`;
    assert.ok(demo.output.includes(url), `${url} is not in:\n${demo.output}`);
    assert.equal((await fetch(url)).status, 200);
  }
  assert.equal(demo.output.match(/^ {2}\d\. /gm).length, 5);
  assert.ok(demo.output.includes(`https://localhost:${ports.https}/`), demo.output);
  assert.equal(await listening(), 5);
});

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  test(`${signal} ends all three`, async () => {
    start();
    await ready();
    demo.process.kill(signal);
    assert.deepEqual(await demo.done, { code: 0, signal: null });
    assert.equal(await listening(), 0);
    assert.doesNotMatch(demo.output, /ended with|was ended by/);
  });
}

test('its pages are there again after Ctrl-C and another start', async () => {
  const how = async () => {
    const response = await fetch(`http://127.0.0.1:${ports.site}/`);
    return { status: response.headers.get('cache-status'), page: await response.text() };
  };
  start({ program: FRESHET });
  await ready();
  const { page } = await how();
  assert.match((await how()).status, /hit/);
  demo.process.kill('SIGINT');
  assert.deepEqual(await demo.done, { code: 0, signal: null });
  start({ program: FRESHET });
  await ready();
  const again = await how();
  assert.match(again.status, /hit/);
  assert.equal(again.page, page);
});

test('when the demo itself is killed, the system ends all three', async () => {
  start();
  await ready();
  demo.process.kill('SIGKILL');
  await demo.done;
  await until('the three to end', async () => (await listening()) === 0);
});

for (const [word, name] of [
  ['cms/server.mjs', 'cms'],
  ['entry.mjs', 'app'],
  ['stub-freshet', 'freshet'],
]) {
  test(`when ${name} dies, the demo says so and ends the others`, async () => {
    start();
    await ready();
    process.kill(childOf(demo.process.pid, word), 'SIGKILL');
    assert.deepEqual(await demo.done, { code: 1, signal: null });
    assert.match(demo.output, new RegExp(`demo: ${name} was ended by SIGKILL`));
    assert.equal(await listening(), 0);
  });
}

test('a port that is taken is named, with the variable that sets another', async () => {
  for (const [name, variable] of [
    ['site', 'FRESHET_PORT'],
    ['https', 'FRESHET_HTTPS_PORT'],
    ['admin', 'FRESHET_ADMIN_PORT'],
    ['app', 'APP_PORT'],
    ['cms', 'CMS_PORT'],
  ]) {
    const server = createServer();
    await new Promise((resolve) => server.listen(ports[name], '127.0.0.1', resolve));
    start();
    assert.deepEqual(await demo.done, { code: 1, signal: null });
    assert.match(demo.output, new RegExp(`Port ${ports[name]} is taken by another program: ${variable}=`));
    await new Promise((resolve) => server.close(resolve));
  }
});

test('a missing freshet, one that cannot start and a port that is none are said plainly', async () => {
  start({ program: '/nowhere/freshet' });
  assert.equal((await demo.done).code, 1);
  assert.match(demo.output, /^demo: \/nowhere\/freshet is missing: run make first\.$/m);

  start({ program: '/bin/false' });
  assert.equal((await demo.done).code, 1);
  assert.match(demo.output, /^demo: freshet ended with exit code 1\./m);
  assert.equal(await listening(), 0);

  start({ env: { CMS_PORT: '99999' } });
  assert.equal((await demo.done).code, 1);
  assert.match(demo.output, /^demo: CMS_PORT=99999 is no port number\.$/m);
});
