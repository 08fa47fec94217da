// What stands in the way of a first start is said plainly, with status 1: a Node that is too old or none, no npm, no network, no apt.
// Each runs in a copy that has nothing installed, with a PATH of its own; the registry is a port where nobody listens.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { NODE, REPOSITORY, freePorts, temporaryFolder } from './lib/world.mjs';

const folder = temporaryFolder();
const EXAMPLE = 'examples/astro-bookshelf';
let registry;
let made = 0;

before(async () => {
  const [port] = await freePorts(1);
  registry = `http://127.0.0.1:${port}/`;
});

after(() => rmSync(folder, { recursive: true, force: true }));

/** A checkout without what npm installs. */
function checkout() {
  const root = join(folder, `checkout-${++made}`);
  mkdirSync(root);
  const wanted = (from) => !/\/(node_modules|dist|data)(\/|$)/.test(from.slice(REPOSITORY.length));
  for (const part of ['tools', 'integrations', EXAMPLE])
    cpSync(join(REPOSITORY, part), join(root, part), { recursive: true, filter: wanted });
  return root;
}

/** A folder for PATH: `programs` are shell scripts by name, or true for the system's own. */
function bin(programs) {
  const path = join(folder, `bin-${++made}`);
  mkdirSync(path);
  for (const [name, script] of Object.entries(programs)) {
    if (script === true) symlinkSync(which(name), join(path, name));
    else writeFileSync(join(path, name), `#!/bin/sh\n${script}\n`);
    if (script !== true) chmodSync(join(path, name), 0o755);
  }
  return path;
}

function which(name) {
  for (const part of process.env.PATH.split(delimiter)) if (existsSync(join(part, name))) return join(part, name);
  throw new Error(`${name} is not in PATH`);
}

/** A Node that calls itself `version` and does what the real one does. */
const posing = (version) => `
case $1 in
--version) echo v${version} ;;
-e) exec '${NODE}' -e "Object.defineProperty(process, 'versions', { value: { node: '${version}' } });$2" ;;
*) exec '${NODE}' "$@" ;;
esac`;

/** Resolves to the exit status and all that was said. */
function run(root, command, args, env = {}) {
  const inherited = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(NODE|FRESHET|.*_proxy|npm_.*)$/i.test(name)),
  );
  const child = spawn(command, args, {
    cwd: root,
    env: {
      ...inherited,
      HOME: root,
      npm_config_registry: registry,
      npm_config_cache: join(root, 'npm-cache'),
      npm_config_update_notifier: 'false',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (said += chunk));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status) => resolve({ status, said }));
  });
}

const findNode = (root, env) => run(root, join(root, EXAMPLE, 'find-node.sh'), [], env);
const demo = (root, env) => run(root, NODE, [join(root, EXAMPLE, 'demo.mjs'), '/bin/true'], env);
const deps = (root, env) => run(root, join(root, 'tools/deps.sh'), ['demo'], env);
const usual = { sh: true, dirname: true, uname: true, env: true };

describe('a first start', { concurrency: 4 }, () => {
  for (const [version, good] of [
    ['18.20.4', false],
    ['20.2.9', false],
    ['20.3.0', false],
    ['21.7.3', false],
    ['22.11.0', false],
    ['22.12.0', true],
    ['24.1.0', true],
  ]) {
    test(`Node ${version} is ${good ? 'taken' : 'refused'}`, async () => {
      const path = bin({ node: posing(version), ...usual });
      const { status, said } = await findNode(checkout(), { PATH: path });
      if (good) assert.deepEqual({ status, said }, { status: 0, said: `${path}/node\n` });
      else assert.equal(status, 1);
      if (!good)
        assert.match(said, new RegExp(`^find-node: Node >=22\\.12 is needed; ${path}/node is v${version}\\. Bringing one from npm`));
    });
  }

  test('no Node and no npm', async () => {
    const { status, said } = await findNode(checkout(), { PATH: bin(usual) });
    assert.equal(status, 1);
    assert.match(said, /^find-node: Node .* is needed; there is none here\. Bringing one/);
    assert.match(said, /^find-node: npm is missing too\. On Debian: apt-get install npm$/m);
  });

  test('an old Node, and no network to bring another', async () => {
    const old = posing('18.20.4');
    const path = `${bin({ node: old, nodejs: old })}${delimiter}${process.env.PATH}`;
    const { status, said } = await findNode(checkout(), { PATH: path });
    assert.equal(status, 1);
    assert.match(said, /\/node(js)? is v18\.20\.4\. Bringing one from npm/);
    assert.match(said, /^find-node: npm brought none for this machine \(.+\)\. Is its registry in reach\?/m);
  });

  test('a NODE that is too old: the demo ends', async () => {
    const NODE = join(bin({ node: posing('18.20.4') }), 'node');
    const { status, said } = await demo(checkout(), { NODE });
    assert.equal(status, 1);
    assert.equal(
      said,
      `find-node: NODE=${NODE} is no Node >=22.12\ndemo: There is no Node that can run the app; find-node.sh has said why.\n`,
    );
  });

  test('no network: the demo ends', async () => {
    const { status, said } = await demo(checkout(), { NODE });
    assert.equal(status, 1);
    assert.match(
      said,
      /^demo: npm cannot reach its registry \(ECONNREFUSED\)\. The first start needs the network; later ones do not\.$/m,
    );
    assert.doesNotMatch(said, /\n +at /, 'no stack');
  });

  test('no npm: the demo ends', async () => {
    const { status, said } = await demo(checkout(), { NODE, PATH: bin(usual) });
    assert.equal(status, 1);
    assert.match(said, /^demo: npm is not installed\. On Debian: apt-get install npm$/m);
  });

  test('no network: make deps ends', async () => {
    const { status, said } = await deps(checkout());
    assert.equal(status, 1);
    assert.match(said, /^Installing npm packages of examples\/astro-bookshelf \(npm ci\)$/m);
    assert.match(said, /^npm ci failed in examples\/astro-bookshelf\. Is there a network\?/m);
  });

  // Without curl, so that there is something to install.
  const poor = { ...usual, find: true, head: true, id: true, node: 'exit 0', npm: 'exit 0', sudo: 'exec "$@"' };

  test('no package source: make deps ends', async () => {
    const asked = 'echo "apt-get $*"; exit 100';
    const { status, said } = await deps(checkout(), { PATH: bin({ ...poor, 'apt-get': asked }) });
    assert.equal(status, 1);
    assert.match(said, /^apt-get update -q$/m);
    assert.match(said, /^Could not install: curl\nIs there a network, and do the package sources work\?/m);
  });

  test('no Debian: make deps names what is missing', async () => {
    const { status, said } = await deps(checkout(), { PATH: bin(poor) });
    assert.equal(status, 1);
    assert.match(said, /this is no Debian or Ubuntu .*\n {4}command curl \(Debian: curl\)\n/);
    assert.doesNotMatch(said, /Installing/);
  });
});
