// The n-th call of each function of the system fails, for all n, over a short life: store, hit, miss, purge, reload, logs reopened, the end, and a
// second life on the same state folder. Right is: a right answer, an error that says so, or a closed connection; freshet serves again afterwards, ends when
// it is told to, and if it cannot start or go on it says why in words. A report of a sanitizer, a crash and another page are wrong.
// Usage: node tests/faults/run.mjs [--seconds N] [--call NAME] [FRESHET]     N: 60; as many faults as fit, taken by dice
// FAULTS_SEED=N throws the dice of a run before.
import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { alarm } from '../process.mjs';

const here = path.dirname(fileURLToPath(import.meta.url)), args = process.argv.slice(2);
const option = (name, otherwise) => {
  const i = args.indexOf(name);
  return i < 0 ? otherwise : args.splice(i, 2)[1];
};
const seconds = +option('--seconds', 60), only = option('--call');
const program = path.resolve(args[0] ?? 'build-dev/src/freshet');
const token = 'token-of-the-tests', patience_ms = 20_000;
const base = fs.mkdtempSync(path.join(os.tmpdir(), 'freshet-faults-'));
const library = path.join(base, 'faults.so');
execFileSync('cc', ['-shared', '-fPIC', '-O1', '-Wall', '-Werror', '-o', library, path.join(here, 'faults.c'), '-ldl']);
// The sanitizer's library must come before all others.
const asan = fs.readFileSync(program).includes('__asan_init') ? execFileSync('cc', ['-print-file-name=libasan.so'], { encoding: 'utf8' }).trim() : '';

let state = +(process.env.FAULTS_SEED ?? Date.now() & 0xffff);
console.log(`FAULTS_SEED=${state}`);
const below = (n) => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 4294967296) * n);
};

// ---- an origin, and one question ----

const content = (url) => url[1].repeat(url === '/big' ? 200_000 : 3000);
const origin = http.createServer((request, response) => request.resume().on('end', () => {
  response.writeHead(200, { 'Cache-Control': 's-maxage=600', 'Cache-Tag': 'all', 'Content-Length': content(request.url).length });
  response.end(content(request.url));
}));
await new Promise((r) => origin.listen(0, '127.0.0.1', r));

// status 0: the connection was closed; -1: nothing came.
function ask(socketPath, method, url, body = '') {
  return new Promise((resolve) => {
    const request = http.request({ socketPath, method, path: url, agent: false,
      headers: { Authorization: `Bearer ${token}`, ...(body ? { 'Content-Type': 'application/json', 'Content-Length': body.length } : {}) } }, (m) => {
      let text = '';
      m.setEncoding('latin1').on('data', (d) => (text += d)).on('end', () => resolve({ status: m.statusCode, text, whole: m.complete }));
      m.on('close', () => resolve({ status: 0 })).on('error', () => resolve({ status: 0 }));
    });
    request.setTimeout(patience_ms, () => (request.destroy(), resolve({ status: -1 }))).on('error', () => resolve({ status: 0 }));
    request.end(body);
  });
}

// ---- a life ----

class Life {
  constructor(folder, env) {
    this.said = '';
    this.folder = folder;
    this.child = spawn(program, ['run', '--origin', `http://localhost:${origin.address().port}`, '--listen', `unix:${folder}/front`, '--admin', `unix:${folder}/admin`,
      '--state', `${folder}/state`, '--token', token, '--workers', '1', '--disk', '16M', '--memory', '8M', '--io', 'epoll', '--access-log', `${folder}/log`,
      '--sandbox', 'off', '--drain-timeout', '2s'], { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, FRESHET_RUNTIME_DIR: `${folder}/runtime`,
      ASAN_OPTIONS: 'detect_leaks=0:abort_on_error=1:verify_asan_link_order=0', LD_PRELOAD: [asan, library].filter(Boolean).join(':'), ...env } });
    this.child.stderr.setEncoding('utf8').on('data', (d) => (this.said += d));
    this.ended = new Promise((r) => this.child.on('close', (code, signal) => r((this.end = { code, signal }))));
  }

  async serves() {
    for (const late = Date.now() + patience_ms; !this.end && Date.now() < late; await pause(10)) if (/freshet: site /.test(this.said)) return true;
    return false;
  }

  // What was wrong with it.
  async live() {
    const wrong = [], at = path.join(this.folder, 'front');
    const one = async (method, url, body) => {
      if (this.end) return { status: 0 };
      const r = await ask(at, method, url, body);
      if (r.status === -1) wrong.push(`${method} ${url}: no answer`);
      if (r.status === 200 && r.whole && r.text !== content(url)) wrong.push(`${method} ${url}: ${r.text.length} bytes, not its own`);
      // 400: what the origin says of a request that was cut on its way.
      if (r.status > 0 && r.status < 500 && r.status !== 200 && !(r.status === 400 && method === 'POST')) wrong.push(`${method} ${url}: ${r.status}`);
      return r;
    };
    if (await this.serves()) {
      for (const [method, url, body] of [['GET', '/x'], ['GET', '/x'], ['GET', '/big'], ['GET', '/big'], ['POST', '/p', 'abc'], ['GET', '/y']]) await one(method, url, body);
      if (!this.end) await ask(path.join(this.folder, 'admin'), 'POST', '/api/v1/purge', '{"cache_tags":["all"]}');
      for (const signal of ['SIGHUP', 'SIGUSR1']) if (!this.end) this.child.kill(signal);
      await one('GET', '/x');
      await one('GET', '/x');
      let r;
      for (let i = 0; i < 30 && !this.end && r?.status !== 200; i++, await pause(50)) r = await one('GET', '/z');
      if (!this.end && r.status !== 200) wrong.push(`it does not serve again: ${r.status}`);
      this.child.kill('SIGTERM');
    }
    const late = setTimeout(() => (wrong.push('it does not end'), this.child.kill('SIGKILL')), patience_ms);
    await this.ended;
    clearTimeout(late);
    const spoke = /freshet: .{20}/.test(this.said);
    if (alarm.test(this.said)) wrong.push(this.said.split('\n').filter((l) => alarm.test(l))[0]);
    // No memory and no thread end the process on purpose, in words.
    const in_words = this.end.signal === 'SIGABRT' && /freshet: (out of memory|the system gives it no more threads)/.test(this.said);
    if ((this.end.signal && !in_words && !wrong.includes('it does not end')) || (this.end.code !== 0 && !this.end.signal && !spoke))
      wrong.push(`it ended with ${this.end.signal ?? this.end.code}: ${this.said.trim().split('\n').slice(-2).join(' | ')}`);
    return wrong;
  }
}

// The fault comes in the first life or in the second, which finds what the first one left.
async function lives(env, second) {
  const folder = fs.mkdtempSync(path.join(base, 'life-')), wrong = [];
  for (const is of [false, true]) {
    const it = new Life(folder, is === second ? env : {});
    wrong.push(...(await it.live()).map((w) => `${is ? 'second' : 'first'} life: ${w}`));
    if (is !== second && it.end.code !== 0) wrong.push(`the life without a fault ended with ${it.end.signal ?? it.end.code}: ${it.said.trim().split('\n').at(-1)}`);
  }
  fs.rmSync(folder, { recursive: true, force: true });
  return wrong;
}

// ---- all faults ----

const errnos = { EIO: 5, ENOMEM: 12, EMFILE: 24, ENOSPC: 28, EPIPE: 32, ECONNABORTED: 103, ECONNRESET: 104, ECONNREFUSED: 111 };
const errors = { open: ['EMFILE', 'ENOSPC'], pwrite: ['ENOSPC', 'EIO'], socket: ['EMFILE'], accept4: ['EMFILE', 'ECONNABORTED'], recv: ['ECONNRESET', 'ENOMEM'],
  send: ['EPIPE', 'ENOMEM'], sendmsg: ['EPIPE'], writev: ['ECONNRESET'], connect: ['ECONNREFUSED', 'ENOMEM'], mmap: ['ENOMEM'], write: ['ENOSPC'] };

const faults = [];
for (const second of [false, true]) {
  const file = path.join(base, `counts-${second}`), wrong = await lives({ FAULT_COUNTS: file }, second);
  if (wrong.length) throw new Error(`without a fault: ${wrong}`);
  for (const line of fs.readFileSync(file, 'utf8').trim().split('\n')) {
    const [call, n] = line.split(' ');
    if (!only || only === call)
      for (const name of errors[call] ?? ['EIO']) for (let k = 1; k <= +n; k++) faults.push({ call, k, name, second, order: below(1 << 30) });
  }
}
faults.sort((a, b) => a.order - b.order);
const all = faults.length, until = Date.now() + 1000 * seconds;
let passed = 0, failed = 0;
async function worker() {
  for (let f; Date.now() < until && (f = faults.pop());) {
    const wrong = await lives({ FAULT_CALL: f.call, FAULT_NTH: `${f.k}`, FAULT_ERRNO: `${errnos[f.name]}` }, f.second);
    if (wrong.length === 0) passed++;
    else failed++;
    for (const w of wrong) console.log(`FAILED: ${f.call} ${f.k}, ${f.name}: ${w}`);
  }
}
await Promise.all([worker(), worker()]);
origin.close();
origin.closeAllConnections();
fs.rmSync(base, { recursive: true, force: true });
console.log(`${passed + failed} of ${all} faults`);
console.log(`${passed} passed, ${failed} failed, 0 skipped`);
process.exit(failed || !passed ? 1 : 0);
