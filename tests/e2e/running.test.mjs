// purge, status and explain find the freshet that runs wherever its state folder is and whatever its ports are; with several they
// say which there are; one that was killed is not among them.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { FRESHET, freePorts, temporaryFolder, until } from './lib/world.mjs';
import { end, run } from './lib/front.mjs';

const folder = temporaryFolder();
const runtime = join(folder, 'runtime');
// Nothing of this machine: neither its freshets nor this user's state folder.
const env = { ...process.env, HOME: folder, FRESHET_RUNTIME_DIR: runtime };
for (const name of ['FRESHET_ADMIN', 'FRESHET_TOKEN', 'XDG_STATE_HOME']) delete env[name];
const running = {};
let ports;

async function start(name) {
  const [port, admin] = [ports.shift(), ports.shift()];
  let said = '';
  const child = run(FRESHET, ['run', '--origin', 'http://127.0.0.1:1', '--listen', `127.0.0.1:${port}`, '--admin', `127.0.0.1:${admin}`,
    '--state', name], { env, cwd: folder }, (d) => (said += d));
  await until(() => `freshet ${name}: ${said}`, () => said.includes('site default'));
  return (running[name] = { child, admin: `127.0.0.1:${admin}` });
}

const verb = (...args) => spawnSync(FRESHET, args, { env, encoding: 'utf8' });

before(async () => {
  ports = await freePorts(6);
});

after(async () => {
  for (const { child } of Object.values(running)) if (child.exitCode === null && child.signalCode === null) await end(child);
  assert.deepEqual(readdirSync(runtime), []); // who ends takes his file with him
  rmSync(folder, { recursive: true, force: true });
});

test('one that runs is found, though its state and ports are its own', async () => {
  assert.match(verb('status').stderr, /no freshet was started/);
  await start('first');
  for (const args of [['status'], ['purge', '--tag', 'a'], ['explain', 'http://127.0.0.1/']]) {
    const { status, stdout, stderr } = verb(...args);
    assert.equal(status, 0, stderr);
    assert.ok(stdout);
  }
  assert.match(verb('status').stdout, new RegExp(`admin at ${running.first.admin}`));
});

test('of several one must be named, and both are told', async () => {
  await start('second');
  const { status, stderr } = verb('purge', '--all');
  assert.equal(status, 2);
  assert.match(stderr, /^freshet purge: 2 freshets run here; name one with --state or --admin:\n/);
  for (const name of ['first', 'second'])
    assert.ok(stderr.includes(`  --state ${join(folder, name)}   (admin ${running[name].admin}, process ${running[name].child.pid})\n`), stderr);
  // As it is told. The token comes with the folder, also when only the address is named.
  for (const name of ['first', 'second']) {
    assert.match(verb('purge', '--all', '--state', join(folder, name)).stdout, /^purged/);
    assert.match(verb('status', '--admin', running[name].admin).stdout, new RegExp(`admin at ${running[name].admin}`));
  }
});

test('one that is to have the state folder of another does not start', async () => {
  const { status, stderr } = spawnSync(FRESHET, ['run', '--origin', 'http://127.0.0.1:1', '--listen', `127.0.0.1:${ports.shift()}`, '--admin', '',
    '--state', 'second'], { env, cwd: folder, encoding: 'utf8', timeout: 60_000 });
  assert.equal(status, 1, stderr);
  assert.match(stderr, /another freshet uses the state folder "second"; stop it, or name another folder with --state FOLDER/);
  assert.equal(readdirSync(runtime).length, 2);
});

test('one that was killed is not among them', async () => {
  running.first.child.kill('SIGKILL');
  await running.first.child.done;
  assert.equal(readdirSync(runtime).length, 2);
  assert.match(verb('status').stdout, new RegExp(`admin at ${running.second.admin}`));
  assert.equal(readdirSync(runtime).length, 1);
});
