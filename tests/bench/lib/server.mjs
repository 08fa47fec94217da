// One server under measurement: started as our child on the cores given, asked for its CPU time, stopped by its process group.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { cpuNs, family, rss, threads, waits } from './kernel.mjs';

const start_ms = 30_000, stop_ms = 10_000;
const running = new Set();

// Nothing that we started outlives us.
process.on('exit', () => running.forEach((s) => s.kill('SIGKILL')));
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(1));

export class Server {
  // `command` [program, ...arguments]; cores as taskset takes them ("0", "0,1"); resolves when `port` takes connections.
  static async start(name, command, { port, cores, folder, env = {}, ready = accepts }) {
    const s = new Server(name, port, path.join(folder, `${name}.log`));
    const log = fs.openSync(s.log, 'a');
    s.child = spawn('taskset', ['-c', cores, ...command], { detached: true, stdio: ['ignore', log, log], cwd: folder,
      env: { ...process.env, ...env } });
    fs.closeSync(log);
    s.ended = new Promise((done) => s.child.once('close', (code, signal) => done((s.how = code ?? signal))));
    s.child.once('error', (e) => (s.how = e.message));
    running.add(s);
    const end = Date.now() + start_ms;
    while (!(await ready(port, s))) {
      if (s.how !== undefined || Date.now() > end) {
        const why = s.how !== undefined ? `ended (${s.how})` : `not ready after ${start_ms / 1000} s`;
        await s.stop();
        throw new Error(`${name}: ${why}\n${command.join(' ')}\n${fs.readFileSync(s.log, 'utf8').slice(-3000)}`);
      }
      await pause(20);
    }
    s.pids = family(s.child.pid);
    return s;
  }

  constructor(name, port, log) {
    Object.assign(this, { name, port, log, pids: [], how: undefined });
  }

  // Looks again which processes there are: some servers take connections before all of their workers run.
  look() {
    this.pids = family(this.child.pid);
  }

  cpuNs() {
    return cpuNs(this.pids);
  }

  threadsNs() {
    return threads(this.pids);
  }

  waits() {
    return waits(this.pids);
  }

  rss() {
    return rss(this.pids);
  }

  kill(signal) {
    try {
      process.kill(-this.child.pid, signal);
    } catch (e) {
      if (e.code !== 'ESRCH') throw e;
    }
  }

  async stop(signal = 'SIGTERM') {
    this.kill(signal);
    const late = setTimeout(() => this.kill('SIGKILL'), stop_ms);
    await this.ended;
    clearTimeout(late);
    this.kill('SIGKILL'); // children that did not follow
    running.delete(this);
  }
}

async function accepts(port) {
  const socket = net.connect(port, '127.0.0.1');
  const ok = await new Promise((done) => socket.once('connect', () => done(true)).once('error', () => done(false)));
  socket.destroy();
  return ok;
}
