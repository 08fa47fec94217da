// An app of a real framework in a folder of its own: its files from tests/sites, what it needs from a lock file there, packages of ours
// packed and unpacked; built, started, and freshet before it.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Front, ask, end, run } from './front.mjs';
import { install } from './package.mjs';
import { freePorts, temporaryFolder, until } from './world.mjs';

const SITES = fileURLToPath(new URL('../../sites', import.meta.url));

/** The Node that the frameworks want, which may be newer than the one that runs the tests. */
export const NEWEST = ['x64', 'arm64'].map((arch) => join(SITES, `astro/node_modules/node-linux-${arch}/bin/node`)).find(existsSync) ?? process.execPath;

export class App {
  /** `name`: a folder of tests/sites; `modules`: the one whose node_modules it uses; `packages`: those of integrations/. */
  constructor(name, { modules = name, packages = [], env = {}, link = true } = {}) {
    this.folder = temporaryFolder();
    this.root = join(this.folder, 'app');
    this.env = { ...process.env, ...env };
    for (const variable of ['FRESHET_ADMIN', 'FRESHET_TOKEN', 'FRESHET_TOKEN_FILE', 'FRESHET_SITE', 'ASTRO_KEY', 'NODE_ENV'])
      if (!(variable in env)) delete this.env[variable];
    const from = join(SITES, name);
    cpSync(from, this.root, { recursive: true, filter: (path) => !/\/(node_modules|\.next|\.nuxt|\.output|\.svelte-kit)(\/|$)/.test(path.slice(from.length)) });
    const there = join(SITES, modules, 'node_modules');
    assert.ok(existsSync(there), `${there} is missing: tools/deps.sh sites`);
    if (link) linkAll(there, join(this.root, 'node_modules'));
    else copyAll(there, join(this.root, 'node_modules'));
    for (const one of packages) install(this.root, one);
    this.said = '';
  }

  /** Runs a program of the framework to its end; resolves to what it says. */
  async build(args, env = {}) {
    let said = '';
    const child = run(NEWEST, args, { cwd: this.root, env: { ...this.env, ...env } }, (d) => (said += d));
    assert.equal(await child.done, 0, said);
    return said;
  }

  /** Starts freshet before a free port; the app that will listen there knows freshet's address and token. */
  async behindFreshet(options) {
    [this.port] = await freePorts(1);
    this.front = await Front.start(`http://127.0.0.1:${this.port}`, options);
    Object.assign(this.env, { FRESHET_ADMIN: this.front.admin, FRESHET_TOKEN: this.front.token });
    return this.front;
  }

  /** Starts the app and waits until it answers. */
  async start(args, env = {}) {
    this.child = run(NEWEST, args, { cwd: this.root, env: { ...this.env, PORT: `${this.port}`, HOST: '127.0.0.1', ...env } }, (d) => (this.said += d));
    await until(() => `the app: ${this.said}`, () => ask(this.port, '/').then(() => true, () => false), 60_000);
  }

  async halt() {
    if (this.child) await end(this.child);
    this.child = undefined;
  }

  async stop() {
    await this.halt();
    await this.front?.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** For programs that take no link out of their folder; hard links where the file system has them. */
function copyAll(from, to) {
  if (spawnSync('cp', ['-al', from, to]).status !== 0) cpSync(from, to, { recursive: true, verbatimSymlinks: true, force: true });
}

/** A folder of links, so that packages can be added to it. */
function linkAll(from, to) {
  mkdirSync(to, { recursive: true });
  for (const name of readdirSync(from)) {
    if (name.startsWith('.') && name !== '.bin') continue;
    if (name.startsWith('@')) linkAll(join(from, name), join(to, name));
    else symlinkSync(join(from, name), join(to, name));
  }
}
