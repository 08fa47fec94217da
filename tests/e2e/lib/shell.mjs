// The commands of a guide in a shell, as a newcomer pastes them: `freshet` is in the PATH, HOME and the runtime folder are of the
// test's own, and the ports of the guide are other ones.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { FRESHET, freePorts, temporaryFolder } from './world.mjs';

const isFree = (port) =>
  new Promise((resolve) => {
    const server = createServer().on('error', () => resolve(false)).listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });

export class Shell {
  /** `ports`: those that the guide names; 8080 and 8081 are always changed. */
  static async open(...ports) {
    const shell = new Shell();
    shell.folder = temporaryFolder();
    const names = [8080, 8081, ...ports];
    const free = await freePorts(names.length);
    shell.ports = Object.fromEntries(names.map((name, i) => [name, free[i]]));
    mkdirSync(join(shell.folder, 'build'));
    symlinkSync(FRESHET, join(shell.folder, 'build/freshet'));
    const env = { ...process.env, HOME: shell.folder, FRESHET_RUNTIME_DIR: join(shell.folder, 'runtime'), PATH: `${join(shell.folder, 'build')}:${process.env.PATH}` };
    for (const name of ['FRESHET', 'FRESHET_ADMIN', 'FRESHET_TOKEN', 'XDG_STATE_HOME', 'WEBHOOK_SECRET']) delete env[name];
    shell.env = env;
    return shell;
  }

  /** The guide's text with this shell's ports. */
  here(text) {
    const flags = `--listen 127.0.0.1:${this.ports[8080]} --admin 127.0.0.1:${this.ports[8081]}`;
    return Object.entries(this.ports).reduce((all, [from, to]) => all.replaceAll(`:${from}`, `:${to}`).replaceAll(`(${from},`, `(${to},`)
      .replaceAll(`PORT=${from}`, `PORT=${to}`), text).replaceAll(/freshet run(?= --origin)/g, `freshet run ${flags}`);
  }

  /** Runs `commands` to their end; resolves to what they print. The status must be 0. */
  async run(commands, { seconds = 60, status = 0, env = {} } = {}) {
    const child = spawn('bash', ['-c', this.here(commands)], { cwd: this.folder, env: { ...this.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    let out = '', error = '';
    child.stdout.on('data', (d) => (out += d));
    child.stderr.on('data', (d) => (error += d));
    const timer = setTimeout(() => process.kill(-child.pid, 'SIGKILL'), seconds * 1000);
    const code = await new Promise((resolve) => child.on('close', resolve));
    clearTimeout(timer);
    assert.equal(code, status, `${out}\n${error}`);
    return { out, error };
  }

  /** What was started is gone: all ports are free again. */
  async isQuiet() {
    for (const port of Object.values(this.ports)) if (!(await isFree(port))) return false;
    return true;
  }

  close() {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
