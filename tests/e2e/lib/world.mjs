// A world for one test file: the demo's own stack on free ports in a folder of its own, and ways to look at it.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Stack } from '../../../examples/astro-bookshelf/stack.mjs';
import { Baseline } from '../../baseline.mjs';

export const REPOSITORY = fileURLToPath(new URL('../../..', import.meta.url));
export const FRESHET = process.env.FRESHET ?? join(REPOSITORY, 'build', 'freshet');
export const NODE = process.env.NODE ?? process.execPath;
const SEED = JSON.parse(readFileSync(join(REPOSITORY, 'examples/astro-bookshelf/cms/seed.json'), 'utf8'));

/** Asks again until `look` gives something true, and returns it; fails, naming `what`, after `ms`. */
export async function until(what, look, ms = 15_000) {
  const deadline = Date.now() + ms;
  for (;;) {
    const found = await look();
    if (found) return found;
    assert.ok(Date.now() < deadline, `waited ${ms} ms in vain for ${typeof what === 'function' ? what() : what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

export async function freePorts(count) {
  const servers = Array.from({ length: count }, () => createServer());
  await Promise.all(
    servers.map((server) => new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))),
  );
  const ports = servers.map((server) => server.address().port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

export const temporaryFolder = () => mkdtempSync(join(tmpdir(), 'freshet-e2e-'));

/**
 * `freshet: false` leaves it out: then `site` is the app itself and `admin` the port at which a test may stand in for
 * freshet's. `env` goes to the CMS and the app.
 */
export async function startWorld({ freshet = true, env = {}, freshetArgs = [] } = {}) {
  const folder = temporaryFolder();
  const [site, https, admin, app, cms] = await freePorts(5);
  const lines = [];
  const stack = new Stack({
    freshet: freshet ? FRESHET : null,
    node: NODE,
    ports: { site, https, admin, app, cms },
    folder,
    freshetArgs,
    env: { WEBHOOK_RETRY_MS: '50', SLOW_MS: '400', SLOW_FRESH_S: '1', ...env },
    onLine: (name, line) => lines.push(`${name}: ${line}`),
    onDeath: (message) => lines.push(message),
  });
  try {
    await stack.start();
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
  const world = new World(stack, folder, lines);
  if (freshet) world.baseline = await Baseline.of(stack.children.get('freshet').process.pid, stack.admin);
  return world;
}

class World {
  constructor(stack, folder, lines) {
    Object.assign(this, {
      stack,
      folder,
      lines,
      site: stack.site,
      secure: stack.secure,
      app: stack.app,
      cms: stack.cms,
      admin: stack.admin,
    });
    this.tokenFile = stack.tokenFile;
  }

  /** Ends it all; freshet must be back where it began, and end well. VERBOSE=1 shows what the programs said. */
  async stop() {
    const trouble = (await this.baseline?.trouble()) ?? '';
    await this.stack.stop();
    rmSync(this.folder, { recursive: true, force: true });
    if (process.env.VERBOSE) console.log(this.lines.join('\n'));
    if (!this.baseline) return;
    assert.equal(trouble, '');
    const said = this.lines.filter((line) => line.startsWith('freshet: ')).join('\n');
    assert.equal(this.stack.children.get('freshet').ended, 'ended with exit code 0', said);
  }

  get token() {
    return readFileSync(this.tokenFile, 'utf8').trim();
  }

  /** One page as a visitor gets it, with what it says of its making. */
  async get(path, { headers = {}, base = this.site, method = 'GET', body } = {}) {
    const before = Date.now();
    const response = await fetch(base + path, { method, headers, body, redirect: 'manual' });
    const text = await response.text();
    const cacheStatus = response.headers.get('cache-status') ?? '';
    return {
      path,
      status: response.status,
      headers: response.headers,
      text,
      cacheStatus,
      isHit: /(^|,\s*)freshet;\s*hit\b/.test(cacheStatus),
      stored: /;\s*stored\b/.test(cacheStatus),
      title: /<h1[^>]*>([^<]*)</.exec(text)?.[1],
      /** Which render of the app this is: two answers with the same number are one render. */
      render: Number(/id="render"[^>]*>(\d+)</.exec(text)?.[1] ?? 0),
      renderedAt: /id="rendered" datetime="([^"]+)"/.exec(text)?.[1],
      theme: /data-theme="(\w+)"/.exec(text)?.[1] ?? null,
      tookMs: Date.now() - before,
    };
  }

  async getHit(path, options) {
    const page = await this.get(path, options);
    assert.ok(page.isHit, `${path} is not a hit but “${page.cacheStatus}”`);
    return page;
  }

  async getMiss(path, options) {
    const page = await this.get(path, options);
    assert.ok(!page.isHit, `${path} is a hit: “${page.cacheStatus}”`);
    assert.match(page.cacheStatus, /freshet;\s*fwd=/, `${path} says nothing of why it was forwarded`);
    return page;
  }

  /** How often the app rendered what, from the app itself. */
  async renders() {
    return (await fetch(`${this.app}/api/renders.json`)).json();
  }

  // ---- The CMS, as a person uses it

  /** Publishes `changes` to an entry of the seed, or a new one when `id` is null, and waits for the webhook. */
  async publish(type, id, changes) {
    const fields = { ...SEED.find((entry) => entry.id === id)?.fields, ...changes };
    return this.submit(id === null ? `/new/${type}` : `/edit/${type}/${id}`, fields);
  }

  async unpublish(type, id) {
    return this.submit(`/edit/${type}/${id}`, { action: 'delete' });
  }

  async submit(path, fields) {
    const known = new Set((await this.webhooks()).map(({ id }) => id));
    const response = await fetch(this.cms + path, {
      method: 'POST',
      body: new URLSearchParams(fields),
      redirect: 'manual',
    });
    assert.equal(response.status, 303, await response.text());
    const webhook = await until('the webhook to be settled', async () =>
      (await this.webhooks()).find(({ id, state }) => !known.has(id) && state !== 'pending'),
    );
    assert.equal(
      webhook.state,
      'delivered',
      `the webhook was ${webhook.state}: ${webhook.last}\n${this.lines.join('\n')}`,
    );
    return webhook;
  }

  async webhooks() {
    return (await fetch(`${this.cms}/webhooks.json`)).json();
  }

  async queries() {
    return (await fetch(`${this.cms}/queries.json`)).json();
  }

  /** Ends one of the three, as if it had crashed, and waits until it is gone. */
  async kill(name) {
    const child = this.stack.children.get(name);
    child.process.kill('SIGKILL');
    await child.done;
  }
}
