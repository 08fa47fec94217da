// What the stress tests are made of: a freshet under test that must end as it began, clients and origins whose bytes and pauses
// are exact, and dice that can be thrown again (STRESS_SEED).
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import tls from 'node:tls';
import { setTimeout as pause } from 'node:timers/promises';
import { alarm, alarmed } from '../process.mjs';

export { pause };
export const token = 'token-of-the-tests';
export const patience_ms = +(process.env.STRESS_PATIENCE ?? 20) * 1000;

// Numbers of rounds and requests are cut by this where a slow build needs it.
const scale = +(process.env.STRESS_SCALE ?? 1);
export const scaled = (n, least = 1) => Math.max(least, Math.round(n * scale));

// Clients speak TLS; those who only ask speak HTTP/2 over it.
const by_http2 = process.env.STRESS_TLS === 'h2';
const by_tls = process.env.STRESS_TLS === '1' || by_http2;

// ---- dice ----

export const seed = +(process.env.STRESS_SEED ?? (Date.now() ^ (process.pid << 8)) >>> 0);
let state = seed >>> 0;
// Mulberry's mixing of a counter: 32 good bits a throw, the same for the same seed.
export function random() {
  state = (state + 0x6d2b79f5) >>> 0;
  let t = Math.imul(state ^ (state >>> 15), state | 1);
  t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
}
export const below = (n) => Math.floor(random() * n);
export const chance = (p) => random() < p;
export const pick = (list) => list[below(list.length)];

// ---- checks ----

let title_now = '';
const checks = new Map(); // what must hold: how often it was looked at, how often it did not hold

// One thing that must hold, looked at as often as it matters. The first complaints of each kind are shown.
export function check(ok, what, detail = '') {
  const key = `${title_now}: ${what}`;
  const c = checks.get(key) ?? { looked: 0, failed: 0 };
  checks.set(key, c);
  c.looked++;
  if (ok) return true;
  if (++c.failed <= 5) console.log(`FAILED: ${what}${detail === '' ? '' : `: ${typeof detail === 'function' ? detail() : detail}`}`);
  return false;
}
export const equal = (is, should, what) =>
  check(is === should, what, () => `${JSON.stringify(is)} instead of ${JSON.stringify(should)}`);

// Looks again until `look` gives something true: there is no event to wait for in another process.
export async function eventually(what, look, ms = patience_ms) {
  const end = Date.now() + ms;
  for (;;) {
    const r = await look();
    if (r) return r;
    if (Date.now() > end) throw new Error(`${typeof what === 'function' ? what() : what}: not within ${ms / 1000} s`);
    await pause(5);
  }
}

export function within(what, promise, ms = patience_ms) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${typeof what === 'function' ? what() : what}: not within ${ms / 1000} s`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

// A promise and its handle.
export function gate() {
  let open;
  const opened = new Promise((r) => (open = r));
  return { open, opened };
}

// ---- freshet ----

export class Freshet {
  constructor(flags) {
    this.folder = fs.mkdtempSync(path.join(os.tmpdir(), 'freshet-stress-'));
    this.errors = '';
    this.flags = flags;
  }

  async start() {
    const binary = process.env.FRESHET;
    if (!binary) throw new Error('FRESHET: which binary?');
    const usual = { '--listen': '127.0.0.1:0', '--admin': `unix:${this.folder}/admin`, '--control': `${this.folder}/control`,
      '--state': `${this.folder}/state`, '--token': token, '--workers': '2', '--disk': '16M', '--access-log': `${this.folder}/access`,
      ...(process.env.FRESHET_IO ? { '--io': process.env.FRESHET_IO } : {}) };
    if (by_tls) Object.assign(usual, { '--listen': `unix:${this.folder}/clear`, '--https': '127.0.0.1:0' }); // by its local authority
    const args = ['run', ...Object.entries(usual).filter(([f]) => !this.flags.includes(f)).flat(), ...this.flags];
    this.child = spawn(binary, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    this.child.stderr.setEncoding('utf8').on('data', (d) => (this.errors += d));
    this.over = new Promise((r) => this.child.on('close', (code, signal) => r((this.status = signal ?? code))));
    await eventually('freshet serves', async () => {
      if (this.status !== undefined) throw new Error(`freshet ended at once, status ${this.status}:\n${this.errors}`);
      const where = by_tls ? /listening on 127\.0\.0\.1:(\d+) with TLS/ : /listening on (?:127\.0\.0\.1:(\d+)|unix:(\S+))/;
      const m = where.exec(this.errors);
      if (!m) return false;
      this.at = m[1] ? { host: '127.0.0.1', port: +m[1], ...(by_tls ? { secure: true } : {}) } : { path: m[2] };
      return this.gauges().then(() => true, () => false);
    }, 30_000);
    this.before = await this.gauges();
    this.files = this.countFiles();
    return this;
  }

  // Descriptors but for those that a worker opens with its first record or connection and keeps: the access log, and
  // libuv's reserve. Files in the state folder come and go as things are written.
  countFiles() {
    const folder = `/proc/${this.child.pid}/fd`;
    return fs.readdirSync(folder).filter((n) => {
      try {
        const at = fs.readlinkSync(`${folder}/${n}`);
        return ![`${this.folder}/access`, '/dev/null'].includes(at) && !at.startsWith(`${this.folder}/state/`);
      } catch {
        return false; // closed meanwhile
      }
    }).length;
  }

  control(line) {
    return within(`the control socket's answer to ${line}`, new Promise((resolve, reject) => {
      let answer = '';
      const s = net.connect(`${this.folder}/control`, () => s.write(line + '\n'));
      s.on('data', (d) => {
        answer += d;
        if (!answer.endsWith('\n')) return;
        s.destroy();
        resolve(answer.trim());
      });
      s.on('error', reject).on('close', () => reject(new Error(`no answer to ${line}`)));
    }));
  }

  // Both clocks forward. One at a time.
  advance(ms) {
    this.turned = (this.turned ?? Promise.resolve()).then(async () => {
      const answer = await this.control(`advance ${ms}`);
      if (answer !== 'ok') throw new Error(`advance: ${answer}`);
    });
    return this.turned;
  }

  async gauges() {
    return JSON.parse(await this.control('gauges'));
  }

  // Waits until the gauges are so.
  async until(what, holds) {
    let now;
    await eventually(() => `${what} (now ${JSON.stringify(now)})`, async () => holds((now = await this.gauges())));
    return now;
  }

  settle() {
    return this.until('no request and no fetch in flight', (g) => g.requests_open === 0 && g.fetches_open === 0);
  }

  // POST to the purge API; resolves when it has answered: the purge is in force then.
  purge(what) {
    const body = JSON.stringify(what);
    return within('the answer to a purge', new Promise((resolve, reject) => {
      const r = http.request({ socketPath: `${this.folder}/admin`, method: 'POST', path: '/api/v1/purge',
        agent: this.agent ??= new http.Agent({ keepAlive: true, maxSockets: 8 }),
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) } },
      (res) => {
        let text = '';
        res.setEncoding('utf8').on('data', (d) => (text += d)).on('end', () =>
          res.statusCode === 202 ? resolve(JSON.parse(text)) : reject(new Error(`purge ${body}: ${res.statusCode} ${text}`)));
      });
      r.on('error', reject);
      r.end(body);
    }));
  }

  // Records of the access log.
  records() {
    return fs.readFileSync(`${this.folder}/access`, 'utf8').split('\n').filter(Boolean).map((l) => JSON.parse(l));
  }

  // Back where it began, and gone in good order: what the title of every test promises as well.
  async stop() {
    this.agent?.destroy();
    let g = await this.settle();
    // Idle connections run into their limits, windows pass, and the sweep gives back what is of no more use.
    await eventually(() => `everything given back (now ${JSON.stringify(g)})`, async () => {
      await this.advance(2 * 3_600_000);
      await pause(20);
      g = await this.gauges();
      return g.client_connections_open === 0 && g.origin_connections_open === 0 && g.objects === 0 && g.resources === 0;
    });
    equal(g.tunnels_open, 0, 'no tunnel is left');
    equal(g.passing_bytes, 0, 'no passing byte is left');
    // The index and the ghost of the eviction grow and do not shrink; what they hold is given back. So is what pages took; the books of
    // what was not stored (256 tables of marks) stay.
    const kept = g.memory_pages - this.before.memory_pages, all = g.memory_bytes - this.before.memory_bytes;
    check(kept >= 0 && kept <= (this.slack ?? 0), 'memory of pages is back at its baseline', `${kept} bytes more`);
    // What is known of the disk may be less than at the start.
    check(all - kept >= -(1 << 20) && all - kept <= (this.slack ?? 0) + (1 << 20), 'books are bounded', `${all - kept} bytes more`);
    await eventually(() => `descriptors back at ${this.files} (now ${this.countFiles()})`, () => this.countFiles() <= this.files);
    const asked = Date.now();
    this.child.kill('SIGTERM');
    const status = await within('the end after SIGTERM', this.over, 10_000);
    equal(status, 0, 'the exit status is 0');
    check(Date.now() - asked < 10_000, 'it ends soon');
    this.ended = true;
  }

  // Whatever happened: no process and no folder stay behind, and a report of a sanitizer is always told.
  async clean() {
    if (this.child && this.status === undefined) {
      if (!this.ended) this.child.kill('SIGABRT');
      await within('the end', this.over, 30_000).catch(() => this.child.kill('SIGKILL'));
    }
    check(!alarm.test(this.errors), 'no report of a sanitizer', () => alarmed(this.errors));
    if (!process.env.STRESS_KEEP) fs.rmSync(this.folder, { recursive: true, force: true });
    else console.log(`kept: ${this.folder}`);
  }
}

// ---- heads and bodies ----

// Takes the messages of one side of a connection apart as they come. `on`: head(message), data(message, bytes), end(message).
// message: {line, fields, text}. `bodyless(message)`: nothing follows its head.
class Parser {
  constructor(on, isRequest) {
    this.on = on;
    this.isRequest = isRequest;
    this.held = Buffer.alloc(0);
    this.message = null;
  }

  feed(data) {
    this.held = this.held.length ? Buffer.concat([this.held, data]) : data;
    while (this.step());
  }

  take(n) {
    const bytes = this.held.subarray(0, n);
    this.held = this.held.subarray(n);
    return bytes;
  }

  line() {
    const end = this.held.indexOf('\r\n');
    if (end < 0) return null;
    return this.take(end + 2).toString('latin1', 0, end);
  }

  step() {
    const m = this.message;
    if (this.held.length === 0 && !m?.ready) return false;
    if (!m) return this.head();
    if (m.ready || (m.left === 0 && !m.chunked)) {
      this.message = null;
      this.on.end(m);
      return true;
    }
    if (m.left > 0) {
      const bytes = this.take(Math.min(m.left, this.held.length));
      m.left -= bytes.length;
      if (m.left === 0 && !m.chunked) m.ready = true;
      this.on.data(m, bytes);
      return true;
    }
    if (m.chunked === 'tail') {
      if (this.held.length < 2) return false;
      if (this.take(2).toString('latin1') !== '\r\n') throw new Error('a chunk without its end');
      m.chunked = 'size';
      return true;
    }
    const line = this.line();
    if (line === null) return false;
    if (m.chunked === 'trailer') {
      if (line === '') m.ready = true;
      return true;
    }
    if (!/^[0-9a-f]+$/i.test(line)) throw new Error(`no chunk size: ${line}`);
    m.left = parseInt(line, 16);
    m.chunked = m.left ? 'tail' : 'trailer';
    return true;
  }

  head() {
    const end = this.held.indexOf('\r\n\r\n');
    if (end < 0) return false;
    const text = this.take(end + 4).toString('latin1');
    const [line, ...lines] = text.split('\r\n');
    const fields = {};
    for (const l of lines) {
      if (l === '') continue;
      const colon = l.indexOf(':');
      const name = l.slice(0, colon).toLowerCase();
      fields[name] = (name in fields ? fields[name] + ', ' : '') + l.slice(colon + 1).trim();
    }
    const m = { line, fields, text, left: 0, chunked: null, ready: false };
    const bodyless = this.on.head(m);
    if (this.raw) return false; // upgraded: what follows is nobody's message
    this.message = m;
    if (bodyless) m.ready = true;
    else if (/chunked/i.test(fields['transfer-encoding'] ?? '')) m.chunked = 'size';
    else if (fields['content-length'] !== undefined) m.left = +fields['content-length'];
    else if (!this.isRequest) m.left = Infinity; // until the connection ends
    if (m.left === 0 && !m.chunked) m.ready = true;
    return true;
  }
}

// ---- clients ----

// One connection to freshet. `ask` resolves with {status, fields, body, cut}; several may be under way (pipelined).
class Http1Client {
  constructor(at, options = {}) {
    this.waiting = [];
    this.ended = false;
    this.socket = at.secure ? tls.connect({ ...at, ...options, servername: 'localhost', rejectUnauthorized: false }) : net.connect({ ...at, ...options });
    this.socket.setNoDelay(true);
    this.parser = new Parser({ head: (m) => this.#head(m), data: (m, d) => this.#data(m, d), end: (m) => this.#end(m) }, false);
    this.socket.on('data', (d) => {
      this.received = (this.received ?? 0) + d.length;
      if (this.onRaw) this.onRaw(d);
      else this.#feed(d);
    });
    this.socket.on('error', () => {});
    this.socket.on('end', () => this.onRaw && this.onRawEnd?.());
    this.closed = new Promise((r) => this.socket.on('close', () => {
      this.#over();
      r();
    }));
  }

  #feed(d) {
    try {
      this.parser.feed(d);
    } catch (e) {
      check(false, 'answers are well-formed', e.message);
      this.socket.destroy();
    }
  }

  #head(m) {
    const a = this.waiting[0];
    const status = +m.line.split(' ')[1];
    if (!a) throw new Error(`an answer that nobody asked for: ${m.line}`);
    if (!/^HTTP\/1\.1 \d{3} /.test(m.line)) throw new Error(`no status line: ${m.line}`);
    if (status === 101) {
      a.answer = { status, fields: m.fields, body: Buffer.alloc(0), cut: false };
      this.waiting.shift();
      this.parser.raw = true;
      const rest = this.parser.held;
      this.parser.held = Buffer.alloc(0);
      this.onRaw = (d) => this.early.push(d);
      this.early = rest.length ? [rest] : [];
      a.resolve(a.answer);
      return true;
    }
    if (status >= 200) {
      a.answer = { status, fields: m.fields, chunks: [], bytes: 0, text: m.text };
      a.onHead?.(a.answer);
    }
    return status < 200 || status === 204 || status === 304 || a.method === 'HEAD';
  }

  #data(m, d) {
    const a = this.waiting[0];
    a.answer.bytes += d.length;
    if (!a.drop) a.answer.chunks.push(d);
    a.onData?.(a.answer, d);
  }

  #end(m) {
    if (/^HTTP\/1\.1 1/.test(m.line)) {
      this.waiting[0].interims = (this.waiting[0].interims ?? 0) + 1;
      return;
    }
    this.#settle(this.waiting.shift(), m.left === Infinity);
  }

  #settle(a, cut) {
    const r = a.answer ?? { status: 0, fields: {}, chunks: [], bytes: 0 };
    r.body = Buffer.concat(r.chunks);
    delete r.chunks;
    r.cut = cut;
    r.interims = a.interims ?? 0;
    a.resolve(r);
  }

  #over() {
    this.ended = true;
    for (const a of this.waiting.splice(0)) this.#settle(a, !(a.answer && this.parser.message?.left === Infinity));
  }

  // `text`: the bytes of a whole request; `body`: more bytes.
  send(method, text, options = {}) {
    return new Promise((resolve) => {
      const a = { method, resolve, ...options };
      if (this.ended) {
        this.#settle(a, true);
        return;
      }
      this.waiting.push(a);
      this.socket.write(text);
      if (options.body?.length) this.socket.write(options.body);
    });
  }

  ask(target, fields = {}, options = {}) {
    const method = options.method ?? 'GET';
    const lines = Object.entries({ Host: 'test', ...fields }).map(([n, v]) => `${n}: ${v}\r\n`).join('');
    return this.send(method, `${method} ${target} HTTP/1.1\r\n${lines}\r\n`, options);
  }

  close() {
    this.socket.destroy();
  }
}

// The same with HTTP/2: each request is a stream.
class Http2Client {
  constructor(at, options = {}) {
    // Nobody is named, so that tests may ask for any host (RFC 9113 §9.1.2).
    const createConnection = () => tls.connect({ ...at, ...options, rejectUnauthorized: false, ALPNProtocols: ['h2'] });
    this.session = http2.connect('https://localhost', { createConnection }).on('error', () => {});
    this.session.on('close', () => (this.ended = true));
  }

  ask(target, fields = {}, options = {}) {
    const method = options.method ?? 'GET';
    const { Host: host = 'test', ...others } = fields;
    const has_body = options.body?.length > 0;
    return new Promise((resolve) => {
      const a = { status: 0, fields: {}, bytes: 0, cut: true, interims: 0 };
      const chunks = [];
      if (this.ended) return void resolve({ ...a, body: Buffer.alloc(0) });
      const s = this.session.request({ ':method': method, ':path': target, ':authority': host, ...others }, { endStream: !has_body });
      s.on('response', ({ ':status': status, ...of }) => {
        Object.assign(a, { status, fields: of });
        options.onHead?.(a);
      });
      s.on('headers', () => a.interims++);
      s.on('data', (d) => {
        a.bytes += d.length;
        if (!options.drop) chunks.push(d);
        options.onData?.(a, d);
      });
      s.on('end', () => (a.cut = s.rstCode !== http2.constants.NGHTTP2_NO_ERROR));
      s.on('error', () => {});
      s.on('close', () => resolve(Object.assign(a, { body: Buffer.concat(chunks) })));
      if (has_body) s.end(options.body);
    });
  }

  close() {
    this.session.destroy();
  }
}

export const Client = by_http2 ? Http2Client : Http1Client;

// One request on a connection of its own.
export async function once(at, target, fields = {}, options = {}) {
  const c = new Client(at);
  const r = await c.ask(target, { Connection: 'close', ...fields }, options);
  c.close();
  return r;
}

// ---- origins ----

// `answer(request, connection)` is called for each whole request: {method, target, fields, body, line}. It writes the answer's bytes
// itself and returns when the next request on the connection may be looked at.
export class Origin {
  constructor(answer) {
    this.answer = answer;
    this.sockets = new Set();
    this.requests = 0;
    this.most = 0; // connections with a request in flight at once
    this.busy = 0;
  }

  listen() {
    this.server = net.createServer({ noDelay: true, allowHalfOpen: true }, (s) => this.#serve(s));
    return new Promise((r) => this.server.listen(0, '127.0.0.1', 4096, () => {
      this.port = this.server.address().port;
      this.url = `http://127.0.0.1:${this.port}`;
      r(this);
    }));
  }

  #serve(socket) {
    this.sockets.add(socket);
    const c = { socket, write: (d) => this.write(socket, d), end: (d) => socket.end(d, 'latin1'), destroy: () => socket.destroy(),
      gone: false, served: 0 };
    let turn = Promise.resolve();
    let chunks = [];
    const parser = new Parser({
      head: (m) => {
        chunks = [];
        if (m.fields.upgrade) {
          parser.raw = true;
          c.early = parser.held;
          turn = turn.then(() => this.#one(m, c, Buffer.alloc(0)));
        }
        return false;
      },
      data: (m, d) => chunks.push(d),
      end: (m) => {
        const body = Buffer.concat(chunks);
        turn = turn.then(() => this.#one(m, c, body));
      },
    }, true);
    c.parser = parser;
    socket.on('error', () => {});
    socket.on('close', () => {
      c.gone = true;
      this.sockets.delete(socket);
    });
    socket.on('end', () => {
      if (!parser.raw) turn.then(() => socket.end());
    });
    socket.on('data', (d) => {
      if (c.onRaw) {
        c.onRaw(d);
        return;
      }
      try {
        parser.feed(d);
      } catch (e) {
        check(false, 'what the origin is sent is well-formed', e.message);
        socket.destroy();
      }
    });
  }

  async #one(m, c, body) {
    const [method, target] = m.line.split(' ');
    this.requests++;
    c.served++;
    this.most = Math.max(this.most, ++this.busy);
    try {
      await this.answer({ method, target, fields: m.fields, body, line: m.line, text: m.text }, c);
    } catch (e) {
      check(false, 'the origin is well', e.stack);
    }
    this.busy--;
  }

  // Resolves when there is room for more.
  write(socket, d) {
    if (socket.destroyed || socket.write(d, 'latin1')) return undefined;
    return new Promise((r) => {
      const done = () => {
        socket.off('drain', done);
        socket.off('close', done);
        r();
      };
      socket.on('drain', done).on('close', done);
    });
  }

  close() {
    for (const s of this.sockets) s.destroy();
    this.server.close();
  }
}

// An answer with a length.
export function reply(body, fields = {}, status = '200 OK') {
  const lines = Object.entries({ 'Content-Length': Buffer.byteLength(body, 'latin1'), ...fields }).map(([n, v]) => `${n}: ${v}\r\n`).join('');
  return `HTTP/1.1 ${status}\r\n${lines}\r\n${body}`;
}

// ---- one test ----

const began = Date.now();

// The last lines: how often was looked and how long it took; the sum of what held and what did not.
export function done() {
  const all = [...checks.values()];
  const failed = all.filter((c) => c.failed).length;
  const passed = all.length - failed;
  console.log(`${all.reduce((n, c) => n + c.looked, 0)} checks in ${((Date.now() - began) / 1000).toFixed(1)} s`);
  console.log(`${passed} passed, ${failed} failed, 0 skipped`);
  process.exit(failed === 0 && passed > 0 ? 0 : 1);
}

// A promise that nobody waited for yet when something else had failed.
process.on('unhandledRejection', (e) => check(false, 'it runs', e.stack));

// Starts an origin and a freshet in front of it, runs the body, and checks that all is as it was. `slack`: bytes by which the
// index and the eviction's memory of what it evicted may have grown.
export async function stress(title, { answer, flags = [], ms = 60_000, slack = 0 }, body) {
  title_now = title;
  console.log(`${title} (STRESS_SEED=${seed})`);
  const origin = await new Origin(answer).listen();
  const freshet = new Freshet(['--origin', origin.url, ...flags]);
  freshet.slack = slack;
  const watchdog = setTimeout(async () => {
    check(false, 'it ends in time', `${ms / 1000} s are over`);
    console.log(await freshet.gauges().then(JSON.stringify, String));
    await freshet.clean();
    done();
  }, ms);
  try {
    await freshet.start();
    await body({ freshet, origin, at: freshet.at });
    if (!freshet.ended) await freshet.stop();
  } catch (e) {
    check(false, 'it runs', e.stack);
    if (freshet.child) console.log(await freshet.gauges().then(JSON.stringify, String), freshet.errors.slice(-2000));
  }
  await freshet.clean();
  clearTimeout(watchdog);
  origin.close();
}
