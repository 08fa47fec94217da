// The n-th call of each function of the system fails, for all n, over a short life: store, hit, miss, purge, reload, logs reopened, the end, and a
// second life on the same state folder. Right is: a right answer, an error that says so, or a closed connection; freshet serves again afterwards, ends when
// it is told to, and if it cannot start or go on it says why in words. A report of a sanitizer, a crash and another page are wrong.
// The n-th allocation fails as well (mem_alloc, mem_try and pages_map of test builds; malloc of builds without a sanitizer): memory without which nothing
// can go on ends the process, in words, and the next life finds all that was durable; all other memory is gone without (docs/decisions/077-no-memory.md).
// --upgrade: the same while a new process takes over from the old one, in either: one of them goes on serving, pages are right and what was purged is gone.
// scenarios U9, V4
// Usage: node tests/faults/faults.mjs [--upgrade] [--seconds N] [--call NAME[,NAME]] [--spread N] [FRESHET]
//   --seconds N   60; as many faults as fit, taken by dice. FAULTS_SEED=N throws the dice of a run before.
//   --spread N    no dice: of each kind of fault about N, spread over all of its calls
import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import tls from 'node:tls';
import { fileURLToPath } from 'node:url';
import { alarm, lives as runs } from '../process.mjs';

const here = path.dirname(fileURLToPath(import.meta.url)), args = process.argv.slice(2);
const option = (name, otherwise) => {
  const i = args.indexOf(name);
  return i < 0 ? otherwise : args.splice(i, 2)[1];
};
const upgrades = args.includes('--upgrade') && args.splice(args.indexOf('--upgrade'), 1).length > 0;
const spread = +option('--spread', 0), seconds = +option('--seconds', spread ? 3600 : 60), only = option('--call')?.split(',');
const program = path.resolve(args[0] ?? 'build-dev/src/freshet');
const token = 'token-of-the-tests', patience_ms = upgrades ? 60_000 : 20_000;
const base = fs.mkdtempSync(path.join(os.tmpdir(), 'freshet-faults-'));
const library = path.join(base, 'faults.so');
// The sanitizer's library must come before all others.
const asan = fs.readFileSync(program).includes('__asan_init') ? execFileSync('cc', ['-print-file-name=libasan.so'], { encoding: 'utf8' }).trim() : '';
execFileSync('cc', ['-shared', '-fPIC', '-O1', '-Wall', '-Werror', ...(asan ? [] : ['-DWITH_MALLOC']), '-o', library, path.join(here, 'faults.c'), '-ldl']);

// A certificate for the part by TLS.
execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost',
  '-keyout', path.join(base, 'key.pem'), '-out', path.join(base, 'cert.pem')], { stdio: 'ignore' });

let state = +(process.env.FAULTS_SEED ?? Date.now() & 0xffff);
if (!spread) console.log(`FAULTS_SEED=${state}`);
const below = (n) => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 4294967296) * n);
};

let passed = 0, failed = 0, in_words_n = 0;

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

// The same by TLS and HTTP/2.
function askByTls(socketPath, url) {
  return new Promise((resolve) => {
    const end = (r) => (clearTimeout(timer), session.destroy(), resolve(r));
    const timer = setTimeout(() => end({ status: -1 }), patience_ms);
    const session = http2.connect('https://localhost', { createConnection: () => tls.connect({ path: socketPath, servername: 'localhost', ALPNProtocols: ['h2'], rejectUnauthorized: false }) });
    session.on('error', () => end({ status: 0 })).on('close', () => end({ status: 0 }));
    const stream = session.request({ ':path': url, ':authority': 'localhost' });
    let status = 0, text = '';
    stream.setEncoding('latin1').on('response', (h) => (status = h[':status'])).on('data', (d) => (text += d)).on('end', () => end({ status, text, whole: !stream.aborted && stream.rstCode === 0 }));
    stream.on('error', () => end({ status: 0 })).on('close', () => end({ status: 0 }));
  });
}

// ---- a life ----

class Life {
  constructor(folder, env) {
    this.said = '';
    this.is_well = !env.FAULT_CALL;
    this.folder = folder;
    this.child = spawn(program, ['run', '--origin', `http://localhost:${origin.address().port}`, '--listen', `unix:${folder}/front`, '--https', `unix:${folder}/tls`, '--cert', `${base}/cert.pem`, '--key', `${base}/key.pem`, '--admin', `unix:${folder}/admin`,
      '--state', `${folder}/state`, '--token', token, '--workers', '1', '--disk', '16M', '--memory', '8M', '--io', 'epoll', '--access-log', `${folder}/log`,
      '--sandbox', 'off', '--drain-timeout', '2s'], { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, FRESHET_RUNTIME_DIR: `${folder}/runtime`,
      ASAN_OPTIONS: 'detect_leaks=1:abort_on_error=1:verify_asan_link_order=0', LD_PRELOAD: [asan, library].filter(Boolean).join(':'), ...env } });
    this.child.stderr.setEncoding('utf8').on('data', (d) => (this.said += d));
    this.ended = new Promise((r) => this.child.on('close', (code, signal) => r((this.end = { code, signal }))));
  }

  async serves() {
    for (const late = Date.now() + patience_ms; !this.end && Date.now() < late; await pause(10)) if (/freshet: site \S+: http:/.test(this.said)) return true; // the last line of a start
    return false;
  }

  // What was wrong with it.
  async live() {
    const wrong = [], at = path.join(this.folder, 'front');
    const one = async (method, url, body) => {
      if (this.end) return { status: 0 };
      const r = method === 'TLS' ? await askByTls(path.join(this.folder, 'tls'), url) : await ask(at, method, url, body);
      if (this.is_well && r.status !== 200) wrong.push(`${method} ${url}: ${r.status} without a fault`);
      if (r.status === -1) wrong.push(`${method} ${url}: no answer`);
      if (r.status === 200 && r.whole && r.text !== content(url)) wrong.push(`${method} ${url}: ${r.text.length} bytes, not its own`);
      // 400: what the origin says of a request that was cut on its way.
      if (r.status > 0 && r.status < 500 && r.status !== 200 && !(r.status === 400 && method === 'POST')) wrong.push(`${method} ${url}: ${r.status}`);
      return r;
    };
    if (await this.serves()) {
      for (const [method, url, body] of [['GET', '/x'], ['GET', '/x'], ['GET', '/big'], ['GET', '/big'], ['POST', '/p', 'abc'], ['GET', '/y'], ['TLS', '/big'], ['TLS', '/v']]) await one(method, url, body);
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
    if (in_words) in_words_n++;
    if ((this.end.signal && !in_words && !wrong.includes('it does not end')) || (this.end.code !== 0 && !this.end.signal && !spoke))
      wrong.push(`it ended with ${this.end.signal ?? this.end.code}: ${this.said.trim().split('\n').slice(-2).join(' | ')}`);
    return wrong;
  }
}

// ---- an upgrade ----

// What is asked for while it goes on, by two visitors. One fault costs one of them two answers at most: a connection, and what was asked anew.
const LOST_MOST = 2;

class Upgrade extends Life {
  constructor(folder, env) {
    super(folder, { FAULT_AFTER: path.join(folder, 'begin'), ...env });
    this.is_well = !env.FAULT_CALL;
    this.closed = this.ended.then(() => (this.is_gone = true)); // what it says goes on with the new one, until both have ended
    this.ended = new Promise((r) => this.child.on('exit', (code, signal) => r((this.end = { code, signal }))));
  }

  api(method, target, body) {
    return ask(path.join(this.folder, 'admin'), method, target, body);
  }

  async visit(wrong, over) {
    let lost = 0;
    for (let i = 0; !over(); i++) {
      const url = ['/x', '/big', '/kept', `/new${i}`][i % 4], r = await ask(path.join(this.folder, 'front'), 'GET', url);
      if (r.status === 200 && r.whole && r.text === content(url)) continue;
      if (r.status === 200 && r.whole) wrong.push(`GET ${url}: ${r.text.length} bytes, not its own`);
      else if (r.status === -1) wrong.push(`GET ${url}: no answer`);
      else if (r.status > 0 && r.status < 500) wrong.push(`GET ${url}: ${r.status}`);
      lost++;
      await pause(20);
    }
    return lost;
  }

  // Who has the admin's socket now, or undefined.
  async who() {
    const r = await this.api('GET', '/api/v1/upgrade');
    return r.status === 200 && r.whole ? JSON.parse(r.text).pid : undefined;
  }

  async live() {
    const wrong = [];
    if (!(await this.serves())) {
      this.child.kill('SIGKILL');
      return ['it does not start'];
    }
    const old = this.child.pid;
    for (const url of ['/x', '/big', '/kept']) await ask(path.join(this.folder, 'front'), 'GET', url);
    let over = false;
    const visitors = [0, 1].map(() => this.visit(wrong, () => over));
    fs.writeFileSync(path.join(this.folder, 'begin'), '');
    await this.api('POST', '/api/v1/upgrade');
    const decided = () => /this one ends when what it has begun is over|does not start, and this one goes on|cannot start/.test(this.said);
    for (const late = Date.now() + 2 * patience_ms; !decided() && !this.end && Date.now() < late; ) await pause(10);
    if (!decided() && !this.end) wrong.push('the upgrade does not end');
    const has_failed = /this one goes on|cannot start/.test(this.said);
    let pid, page;
    for (const late = Date.now() + patience_ms; Date.now() < late && !(pid && page?.status === 200); await pause(20)) {
      pid = await this.who();
      page = pid ? await ask(path.join(this.folder, 'front'), 'GET', '/kept') : undefined;
      if (this.is_gone || (this.end && !pid && !/this one ends when/.test(this.said))) break;
    }
    over = true;
    const lost = (await Promise.all(visitors)).reduce((a, b) => a + b);
    const words = /freshet: (out of memory|the system gives it no more threads)/.test(this.said);
    if (!pid && !words) wrong.push('nobody serves');
    if (pid && (pid === old) !== has_failed && !this.end) wrong.push(`${pid === old ? 'the old' : 'the new'} one serves, and it was said otherwise`);
    if (!words && lost > (this.is_well ? 0 : LOST_MOST)) wrong.push(`${lost} answers lost`);
    if (pid) {
      const r = await this.api('POST', '/api/v1/purge', '{"cache_tags":["all"]}');
      if (this.is_well && r.status !== 202) wrong.push(`a purge: ${r.status}`);
      if (runs(pid)) process.kill(pid, 'SIGTERM');
    }
    if (this.is_well && (!pid || pid === old)) wrong.push('it was not replaced without a fault');
    for (const late = Date.now() + patience_ms; (!this.end || (pid && runs(pid))) && Date.now() < late; ) await pause(10);
    if (!this.end || (pid && runs(pid))) {
      wrong.push('it does not end');
      for (const p of [old, pid]) if (p && runs(p)) process.kill(p, 'SIGKILL');
    }
    await Promise.race([this.closed, pause(patience_ms, undefined, { ref: false })]);
    if (words) in_words_n++;
    if (alarm.test(this.said)) wrong.push(this.said.split('\n').filter((l) => alarm.test(l))[0]);
    if (this.end.signal && !words) wrong.push(`the old one ended with ${this.end.signal}`);
    return wrong;
  }
}

// What it leaves is there for the next one.
async function takeover(env, in_new) {
  const folder = fs.mkdtempSync(path.join(base, 'life-'));
  const wrong = await new Upgrade(folder, { FAULT_NEW: in_new ? '1' : '0', ...env }).live();
  const next = new Life(folder, {});
  wrong.push(...(await next.live()).map((w) => `the next life: ${w}`));
  fs.rmSync(folder, { recursive: true, force: true });
  return wrong;
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
  send: ['EPIPE', 'ENOMEM'], sendmsg: ['EPIPE', 'ENOMEM'], recvmsg: ['ENOMEM'], socketpair: ['EMFILE'], writev: ['ECONNRESET'], connect: ['ECONNREFUSED', 'ENOMEM'], mmap: ['ENOMEM'], write: ['ENOSPC'],
  mem_alloc: ['ENOMEM'], mem_try: ['ENOMEM'], pages_map: ['ENOMEM'], malloc: ['ENOMEM'] };

// Which calls of n fail: all of them, or some from the first to the last, closer to each other towards the end: most of what is taken from the heap is taken
// at the start, of which there is one for a thousand requests.
const numbers = (n) => spread && n > spread ? [...new Set(Array.from({ length: spread }, (_, i) => n - Math.round((n - 1) * (i / Math.max(1, spread - 1)) ** 3)))]
  : Array.from({ length: n }, (_, i) => i + 1);

const faults = [];
for (const second of [false, true]) {
  const file = path.join(base, `counts-${second}`), wrong = await (upgrades ? takeover : lives)({ FAULT_COUNTS: file }, second);
  if (wrong.length) throw new Error(`without a fault: ${wrong}`);
  for (const line of fs.readFileSync(file, 'utf8').trim().split('\n')) {
    const [call, n] = line.split(' ');
    if (!only || only.includes(call))
      for (const name of errors[call] ?? ['EIO'])
        for (const k of numbers(+n)) faults.push({ call, k, name, second, order: spread ? 0 : below(1 << 30) });
  }
}
faults.sort((a, b) => a.order - b.order);
const all = faults.length, until = Date.now() + 1000 * seconds;
async function worker() {
  for (let f; Date.now() < until && (f = faults.pop());) {
    const wrong = await (upgrades ? takeover : lives)({ FAULT_CALL: f.call, FAULT_NTH: `${f.k}`, FAULT_ERRNO: `${errnos[f.name]}` }, f.second);
    if (wrong.length === 0) passed++;
    else failed++;
    for (const w of wrong) console.log(`FAILED: ${f.call} ${f.k}, ${f.name}${upgrades ? f.second ? ', in the new one' : ', in the old one' : ''}: ${w}`);
  }
}
await Promise.all([worker(), worker()]);
origin.close();
origin.closeAllConnections();
fs.rmSync(base, { recursive: true, force: true });
console.log(`${passed + failed} of ${all} faults; the process ended in words in ${in_words_n} of them`);
console.log(`${passed} passed, ${failed} failed, 0 skipped`);
process.exit(failed || !passed ? 1 : 0);
