// freshet before a site of the test's own, in a folder of its own, and one visitor after the other.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';
import { FRESHET, freePorts, temporaryFolder, until } from './world.mjs';

const TOKEN = 'token-of-the-tests';

export class Front {
  /** `yaml`: a configuration that names the origin itself. */
  static async start(origin, { args = [], yaml } = {}) {
    const front = new Front();
    front.folder = temporaryFolder();
    front.token = TOKEN;
    [front.port, front.adminPort] = await freePorts(2);
    front.admin = `http://127.0.0.1:${front.adminPort}`;
    front.said = '';
    assert.ok(existsSync(FRESHET), `${FRESHET} is missing: run make first`);
    const config = join(front.folder, 'freshet.yaml');
    if (yaml !== undefined) writeFileSync(config, yaml);
    front.child = run(FRESHET, ['run', ...(yaml === undefined ? ['--origin', origin] : [config]), '--listen', `127.0.0.1:${front.port}`, '--admin',
      `127.0.0.1:${front.adminPort}`, '--state', join(front.folder, 'state'), '--token', TOKEN, ...args],
      { env: { ...process.env, FRESHET_RUNTIME_DIR: '' } }, (d) => (front.said += d));
    await until(() => `freshet to listen: ${front.said}`, () => front.said.includes('site default'), 60_000);
    return front;
  }

  /** One request over a connection of its own; `cookies` is an object. */
  get(path, { cookies = {}, headers = {}, method = 'GET', body } = {}) {
    return ask(this.port, path, { cookies, headers, method, body });
  }

  async miss(path, options) {
    const page = await this.get(path, options);
    assert.match(page.cache, /fwd=[^;]*; stored/, `${path}: ${page.cache}`);
    return page;
  }

  async hit(path, options) {
    const page = await this.get(path, options);
    assert.match(page.cache, /; hit/, `${path}: ${page.cache}`);
    return page;
  }

  /** Neither from the cache nor into it. */
  async own(path, options) {
    const page = await this.get(path, options);
    assert.doesNotMatch(page.cache, /hit|stored/, `${path}: ${page.cache}`);
    return page;
  }

  async stop() {
    await end(this.child);
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export function ask(port, path, { cookies = {}, headers = {}, method = 'GET', body } = {}) {
  const cookie = Object.entries(cookies).map(([name, value]) => `${name}=${value}`).join('; ');
  return new Promise((resolve, reject) => {
    const request = http.request({ host: '127.0.0.1', port, path, method, agent: false,
      headers: { ...(cookie && { Cookie: cookie }), ...(body && { 'Content-Type': 'application/x-www-form-urlencoded' }), ...headers } }, (response) => {
      let text = '';
      response.on('data', (d) => (text += d));
      response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, text,
        cache: response.headers['cache-status'] ?? '',
        cookies: Object.fromEntries((response.headers['set-cookie'] ?? []).map((c) => /^([^=]+)=([^;]*)/.exec(c).slice(1, 3))) }));
      response.on('error', reject);
    });
    request.on('error', reject);
    request.end(body);
  });
}

/** Starts a program; what it says goes to `hear`. */
export function run(program, args, options, hear) {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
  child.done = new Promise((resolve) => child.once('exit', resolve));
  for (const out of [child.stdout, child.stderr]) out?.on('data', hear);
  return child;
}

export async function end(child) {
  child.kill('SIGTERM');
  await child.done;
}
