// The three programs of the example, started together and ended together: the CMS, the app, and freshet in front of it. The demo runs it on fixed ports, the end-to-end tests on free ones.

import { spawn } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { HERE, Trouble } from './prepare.mjs';

const SETPRIV = '/usr/bin/setpriv';
const READY_MS = 30_000;
const STOP_MS = 5_000;
const KEPT_LINES = 20;

export class Stack {
  /**
   * `freshet` is the program's path, or null to leave it out (then `admin` is whatever stands in for it).
   * `ports` are { site, https, admin, app, cms }, of which https may be left out, `folder` holds what must last, `env` goes to the CMS and the app,
   * `onLine(name, line)` gets what they print, `onDeath(message)` is told when one ends by itself.
   */
  constructor({
    freshet,
    node,
    ports,
    folder,
    env = {},
    freshetArgs = [],
    onLine = () => {},
    onDeath = () => {},
  }) {
    Object.assign(this, { freshet, node, ports, folder, env, freshetArgs, onLine, onDeath });
    this.children = new Map();
    this.started = false;
    this.stopping = false;
    this.state = join(folder, 'freshet');
    this.app = `http://127.0.0.1:${ports.app}`;
    this.cms = `http://127.0.0.1:${ports.cms}`;
    this.admin = `http://127.0.0.1:${ports.admin}`;
    this.secure = freshet && ports.https ? `https://localhost:${ports.https}` : null;
    this.site = freshet ? `http://127.0.0.1:${ports.site}` : this.app;
    this.tokenFile = join(this.state, 'token');
  }

  /** Resolves when all answer; rejects with a Trouble, everything stopped, when one cannot. */
  async start() {
    if (this.freshet && !existsSync(this.freshet))
      throw new Trouble(`${this.freshet} is missing: run make first.`);
    await this.checkPorts();
    mkdirSync(this.folder, { recursive: true });
    try {
      this.startCms();
      this.startApp();
      if (this.freshet) this.startFreshet();
      const children = [...this.children.values()];
      const deaths = children.map((child) =>
        child.done.then(() => {
          throw new Trouble(describeDeath(child));
        }),
      );
      for (const death of deaths) death.catch(() => {});
      await Promise.race([Promise.all(children.map((child) => this.waitUntilReady(child))), ...deaths]);
      this.started = true;
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  async checkPorts() {
    const names = { cms: 'CMS_PORT', app: 'APP_PORT' };
    if (this.freshet) Object.assign(names, { site: 'FRESHET_PORT', admin: 'FRESHET_ADMIN_PORT' });
    if (this.secure) names.https = 'FRESHET_HTTPS_PORT';
    for (const [name, variable] of Object.entries(names)) {
      const port = this.ports[name];
      const code = await tryPort(port);
      if (code === 'EADDRINUSE')
        throw new Trouble(`Port ${port} is taken by another program: ${variable}=… sets another.`);
      if (code) throw new Trouble(`Port ${port} cannot be used (${code}): ${variable}=… sets another.`);
    }
  }

  startCms() {
    this.spawn('cms', `${this.cms}/healthz`, this.node, [join(HERE, 'cms', 'server.mjs')], {
      CMS_PORT: String(this.ports.cms),
      CMS_DATA: join(this.folder, 'cms.json'),
      // As in real life, the CMS knows the public address of the site only.
      WEBHOOK_URL: `${this.site}/api/webhook.json`,
    });
  }

  startApp() {
    const entry = join(HERE, 'dist', 'server', 'entry.mjs');
    this.spawn('app', `${this.app}/api/renders.json`, this.node, [entry], {
      HOST: '127.0.0.1',
      PORT: String(this.ports.app),
      CONTENTFUL_URL: this.cms,
      CMS_URL: this.cms,
      FRESHET_ADMIN: this.admin,
      FRESHET_TOKEN_FILE: this.tokenFile,
    });
  }

  startFreshet() {
    const { site, https, admin } = this.ports;
    const args = [
      'run',
      '--origin',
      this.app,
      '--listen',
      `127.0.0.1:${site}`,
      '--admin',
      `127.0.0.1:${admin}`,
      // Without a certificate: freshet signs one for localhost itself.
      ...(https ? ['--https', `127.0.0.1:${https}`] : []),
    ];
    this.spawn(
      'freshet',
      `${this.admin}/healthz`,
      this.freshet,
      [...args, '--state', this.state, ...this.freshetArgs],
      {},
    );
  }

  spawn(name, probe, command, args, env) {
    const secrets = {
      WEBHOOK_SECRET: 'bookshelf-webhook-secret',
      CONTENTFUL_DELIVERY_TOKEN: 'bookshelf-delivery-token',
    };
    // A group of its own, so that Ctrl-C reaches us alone and we end them in order; setpriv, so that the system ends them
    // even when we are killed outright.
    const guarded = existsSync(SETPRIV)
      ? [SETPRIV, '--pdeathsig', 'TERM', '--', command, ...args]
      : [command, ...args];
    const process_ = spawn(guarded[0], guarded.slice(1), {
      env: { ...process.env, ...secrets, ...this.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: existsSync(SETPRIV),
    });
    const child = { name, probe, process: process_, lines: [], ended: null };
    this.children.set(name, child);
    for (const stream of [process_.stdout, process_.stderr]) this.readLines(child, stream);
    child.done = new Promise((resolve) => {
      const end = (how) => {
        if (child.ended) return;
        child.ended = how;
        resolve();
        if (!this.stopping && this.started) this.onDeath(describeDeath(child));
      };
      process_.on('error', (error) => end(`could not be started (${error.code})`));
      process_.on('close', (code, signal) =>
        end(signal ? `was ended by ${signal}` : `ended with exit code ${code}`),
      );
    });
  }

  readLines(child, stream) {
    let rest = '';
    stream.setEncoding('utf8').on('data', (chunk) => {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop();
      for (const line of lines) {
        child.lines.push(line);
        if (child.lines.length > KEPT_LINES) child.lines.shift();
        this.onLine(child.name, line);
      }
    });
  }

  async waitUntilReady(child) {
    const deadline = Date.now() + READY_MS;
    while (!(await answers(child.probe)) && !this.stopping) {
      if (Date.now() > deadline)
        throw new Trouble(`${child.name} does not answer at ${child.probe}.\n${child.lines.join('\n')}`);
      await Promise.race([child.done, new Promise((resolve) => setTimeout(resolve, 50))]);
    }
    if (child.name === 'freshet' && !this.stopping && (await refuses(this.ports.site))) {
      throw new Trouble(`freshet does not listen at ${this.site}.`);
    }
  }

  /** Ends all three, the one in front first; kills what does not end in time. */
  async stop() {
    this.stopping = true;
    for (const child of [...this.children.values()].reverse()) {
      if (child.ended) continue;
      child.process.kill('SIGTERM');
      const timer = setTimeout(() => child.process.kill('SIGKILL'), STOP_MS);
      await child.done;
      clearTimeout(timer);
    }
  }
}

const describeDeath = ({ name, ended, lines }) =>
  `${name} ${ended}.${lines.length > 0 ? ` Its last words:\n${lines.map((line) => `  ${line}`).join('\n')}` : ''}`;

async function answers(url) {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(2000) });
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}

const refuses = (port) =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => resolve(socket.end() && false));
    socket.on('error', () => resolve(true));
  });

const tryPort = (port) =>
  new Promise((resolve) => {
    const server = createServer();
    server.on('error', (error) => resolve(error.code));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(null)));
  });
