// Load, from the cores given: wrk for as many requests as go through, and two programs of ours.
import { execFile, spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { programs } from './peers.mjs';

const lua = fileURLToPath(new URL('../lua', import.meta.url));

const units = { us: 1e-3, ms: 1, s: 1000, m: 60_000 };

function run(command, ms) {
  return new Promise((done, fail) => {
    execFile(command[0], command.slice(1), { timeout: ms, maxBuffer: 1 << 24 }, (e, out, err) =>
      (e ? fail(new Error(`${command.join(' ')}: ${e.message}\n${out}${err}`)) : done(out)));
  });
}

// { requests, seconds, rps, p50, p99 (ms), errors }. `fields` are sent with each request; `script` is a Lua file of ../lua, called with
// `scriptArgs`.
export async function wrk({ port, target, cores = '1', threads = 1, connections, seconds, fields = {}, script, scriptArgs = [] }) {
  const out = await run(['taskset', '-c', cores, 'wrk', `-t${threads}`, `-c${connections}`, `-d${seconds}s`, '--latency', '--timeout', '10s',
    ...Object.entries(fields).flatMap(([n, v]) => ['-H', `${n}: ${v}`]), ...(script ? ['-s', path.join(lua, script)] : []),
    `http://127.0.0.1:${port}${target}`, ...(scriptArgs.length > 0 ? ['--', ...scriptArgs] : [])], (seconds + 30) * 1000);
  const sum = /(\d+) requests in ([\d.]+)(us|ms|s|m)/.exec(out);
  if (!sum) throw new Error(`wrk said nothing of use:\n${out}`);
  const percentile = (p) => {
    const m = new RegExp(`^ +${p}% +([\\d.]+)(us|ms|s|m)`, 'm').exec(out);
    return m ? +m[1] * units[m[2]] : undefined;
  };
  const sockets = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(out);
  return {
    requests: +sum[1], seconds: (+sum[2] * units[sum[3]]) / 1000, rps: +/Requests\/sec: +([\d.]+)/.exec(out)[1],
    p50: percentile(50), p99: percentile(99),
    errors: (sockets?.slice(1).reduce((a, b) => a + +b, 0) ?? 0) + +(/Non-2xx or 3xx responses: (\d+)/.exec(out)?.[1] ?? 0),
  };
}

// Requests at a rate, latencies from when each was due: { sent, answered, errors, p50_us, p90_us, p99_us, p999_us, max_us }.
export async function openLoop({ port, request, folder, rate, connections, seconds, modulo, cores = '1' }) {
  const file = path.join(folder, `request.${port}`);
  fs.writeFileSync(file, request);
  return JSON.parse(await run(['taskset', '-c', cores, path.join(programs, 'openloop'), `${port}`, file, `${rate}`, `${connections}`, `${seconds}`,
    ...(modulo ? [`${modulo}`] : [])], (rate > 0 ? seconds + 30 : 900) * 1000));
}

// So many requests, as fast as they are answered; "########" in one becomes its number.
export async function flood({ port, request, folder, requests, connections = 64, cores = '1' }) {
  const r = await openLoop({ port, request, folder, rate: 0, connections, seconds: requests, cores });
  if (r.errors > 0 || r.answered !== requests) throw new Error(`not all were answered well: ${JSON.stringify(r)}`);
  return r;
}

// Unrelated work on those cores, half of one; see busy.c. The CPU time that it took, ms.
export async function busy({ seconds, cores = '0' }) {
  return +(await run(['taskset', '-c', cores, path.join(programs, 'busy'), `${seconds}`], (seconds + 30) * 1000));
}

// Many connections that stand before the first of them asks; see crowd.c.
export class Crowd {
  static async gather({ port, request, folder, connections, rate, cores = '1' }) {
    const c = new Crowd(), file = path.join(folder, `crowd.${port}`);
    fs.writeFileSync(file, request);
    c.child = spawn('taskset', ['-c', cores, path.join(programs, 'crowd'), `${port}`, file, `${connections}`, ...(rate ? [`${rate}`] : [])],
      { stdio: ['pipe', 'pipe', 'inherit'] });
    c.said = '';
    c.wake = () => {};
    c.child.stdout.on('data', (d) => (c.said += d, c.wake()));
    c.ended = new Promise((done) => c.child.once('close', (code) => done((c.code = code))));
    await Promise.race([c.ended, new Promise((done) => (c.wake = () => c.said.startsWith('ready') && done()))]);
    if (c.code !== undefined) throw new Error(`the crowd did not come together (${c.code})`);
    return c;
  }

  // All of them ask now. With a rate they read until `leave`.
  ask() {
    this.child.stdin.write('go\n');
  }

  // When all have read everything (a slow crowd: when it has left): what crowd.c prints.
  async over() {
    await this.ended;
    const line = this.said.split('\n')[1];
    if (!line) throw new Error(`the crowd said nothing (${this.code})`);
    return JSON.parse(line);
  }

  async leave() {
    this.child.stdin.end();
    await this.ended;
  }
}

function lgFlags({ port, target, bytes, streams, connections, fields = {}, clear }) {
  return [path.join(programs, 'lg'), `${port}`, target, ...(clear ? [] : ['-t']), ...(streams ? ['-2', `${streams}`] : []), '-c', `${connections}`,
    '-b', `${bytes}`, ...Object.entries(fields).flatMap(([n, v]) => ['-H', `${n}: ${v}`])];
}

// A new connection for each request, with a handshake of that kind ("full", "resumed"); see lg.c.
export async function handshakes({ kind, seconds, cores = '1', ...load }) {
  const r = JSON.parse(await run(['taskset', '-c', cores, ...lgFlags(load), '-f', kind, '-s', `${seconds}`], (seconds + 30) * 1000));
  const resumed = kind === 'resumed' ? r.requests : 0;
  if (r.resumed < resumed * 0.99 || r.resumed > resumed + load.connections) throw new Error(`${r.requests} handshakes, ${r.resumed} of them resumed`);
  return r;
}

// Connections that stand and have had one answer each; see lg.c.
export class Standing {
  static async gather({ cores = '1', seconds = 1, ...load }) {
    const s = new Standing();
    s.child = spawn('taskset', ['-c', cores, ...lgFlags(load), '-i', '-s', `${seconds}`], { stdio: ['pipe', 'pipe', 'pipe'] });
    s.said = s.errors = '';
    s.wake = () => {};
    s.child.stdout.on('data', (d) => (s.said += d, s.wake()));
    s.child.stderr.on('data', (d) => (s.errors += d));
    s.ended = new Promise((done) => s.child.once('close', (code) => (s.code = code, s.wake(), done())));
    await s.line(0);
    return s;
  }

  async line(n) {
    for (;;) {
      const lines = this.said.split('\n');
      if (lines.length > n + 1) return lines[n];
      if (this.code !== undefined) throw new Error(`lg ended with ${this.code}: ${this.errors}`);
      await new Promise((done) => (this.wake = done));
    }
  }

  // As many requests as go through: { requests, seconds, rps, p50_us, p99_us, errors, head_bytes }.
  async load() {
    this.child.stdin.write('go\n');
    return JSON.parse(await this.line(1));
  }

  async leave() {
    this.child.stdin.end();
    await this.ended;
  }
}
