// What scenarios are made of: a freshet under test, raw clients, and an origin that records every byte it is sent.
// freshet.mjs is the command line on top of it, for varnishtest files.
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';
import tls from 'node:tls';
import { setTimeout as pause } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { alarm, lives } from '../process.mjs';

const token = 'token-of-the-tests';
// tls, h2: clients that ask at `front` are asked for through that (relay.mjs). Empty: they are freshet's own.
const relayed = process.env.FRESHET_FRONT;
const patience_ms = 30_000;

// "1500ms", "10s", "-2h", "1d" in milliseconds.
export function duration(text) {
  const m = /^(-?\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text);
  if (!m) throw new Error(`no duration: ${text}`);
  return Math.round(+m[1] * { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }[m[2]]);
}

// Looks again until `look` gives something true; there is no event to wait for in another process.
async function eventually(what, look, ms = patience_ms) {
  const end = Date.now() + ms;
  for (;;) {
    const r = await look();
    if (r) return r;
    if (Date.now() > end) throw new Error(`${typeof what === 'function' ? what() : what}: not within ${ms / 1000} s`);
    await pause(5);
  }
}

// The same for what happens in this process, where the event is somebody else's.
export function soon(look, ms = patience_ms) {
  return eventually(`soon: ${look}`, look, ms);
}

// A promise and its handle.
export function gate() {
  let open;
  const opened = new Promise((r) => (open = r));
  return { open, opened };
}

function exists(file) {
  return fs.existsSync(file);
}

// Removes what is there, with all that is in it; a file with `text` takes its place. In a folder that a freshet writes to, something new may come
// while the rest is removed: then again.
export function remove(name, text) {
  return soon(() => {
    try {
      fs.rmSync(name, { recursive: true, force: true });
      if (text !== undefined) fs.writeFileSync(name, text);
      return true;
    } catch (e) {
      if (!['ENOTEMPTY', 'EISDIR'].includes(e.code)) throw e;
    }
  });
}

// One freshet, living in a folder: front, admin and control sockets, log, state/, and what we note about it.
export class Freshet {
  constructor(folder = '.') {
    this.folder = folder;
    fs.mkdirSync(folder, { recursive: true });
  }

  at(name) {
    return path.join(this.folder, name);
  }

  note(name, text) {
    if (text !== undefined) fs.writeFileSync(this.at(name), text);
    return exists(this.at(name)) ? fs.readFileSync(this.at(name), 'utf8').trim() : undefined;
  }

  // Starts `freshet run` with the flags given over those that every scenario uses, and waits until it serves.
  async start(flags = []) {
    const has = (flag) => flags.some((f) => f === flag || f.startsWith(flag + '='));
    const config = [];
    const yaml = flags.indexOf('--yaml');
    if (yaml >= 0) {
      this.note('config.yaml', flags[yaml + 1] + '\n');
      flags = flags.toSpliced ? flags.toSpliced(yaml, 2) : [...flags.slice(0, yaml), ...flags.slice(yaml + 2)];
      config.push(this.at('config.yaml'));
    }
    const front = path.resolve(this.at('front'));
    const usual = { '--listen': `unix:${front}`, '--admin': `unix:${path.resolve(this.at('admin'))}`,
      '--control': this.at('control'), '--state': this.at('state'), '--token': token, '--workers': '1', '--disk': '16M',
      ...(process.env.FRESHET_IO ? { '--io': process.env.FRESHET_IO } : {}) };
    if (relayed) {
      const [cert, key] = ['cert', 'key'].map((end) => path.join(process.env.FRESHET_FRONT_PAIR, `pair.${end}`));
      Object.assign(usual, { '--listen': `unix:${front}-clear`, '--https': `unix:${front}-tls`, '--cert': cert, '--key': key });
    }
    // A scripted origin has one connection: on a slow machine it must not end between two requests, and with a turn of the clock it does.
    if (!/origin.idle.timeout/.test(flags.join() + (config.length ? this.note('config.yaml') : ''))) usual['--origin-idle-timeout'] = '30s';
    // A flag would count more than the file.
    const inFile = (flag) => config.length > 0 && new RegExp(`^${flag.slice(2)}:`, 'm').test(this.note('config.yaml'));
    const args = ['run', ...config, ...Object.entries(usual).filter(([f]) => !has(f) && !inFile(f)).flat(), ...flags];
    this.orphan = false;
    for (const old of ['pid', 'status', 'ended', 'files']) fs.rmSync(this.at(old), { force: true });
    // A shell stays beside it, to note how it ended.
    spawn('/bin/sh', ['-c', 'd=$1; shift; "$@" >>"$d/log" 2>&1 </dev/null & echo $! >"$d/pid.new"; mv "$d/pid.new" "$d/pid";' +
      ' wait $!; echo $? >"$d/status.new"; mv "$d/status.new" "$d/status"', 'sh', this.folder, process.env.FRESHET, ...args],
      { detached: true, stdio: 'ignore' }).unref();
    await eventually('freshet serves', async () => {
      if (this.note('status') !== undefined) throw new Error(`freshet ended at once, status ${this.note('status')}:\n${this.log()}`);
      if (!exists(this.at('pid')) || !exists(this.at('control'))) return false;
      return this.gauges().then(() => true, () => false);
    }, 30_000);
    if (relayed && args.includes(`unix:${front}-tls`)) await this.relay(front);
    this.note('files', String(await this.files()));
  }

  // What stands between clients and this freshet, until `stop`; of a scenario that fails the runner ends it.
  async relay(front) {
    if (exists(this.at('relay'))) return;
    const child = spawn(process.execPath, [new URL('relay.mjs', import.meta.url).pathname, relayed, front, `${front}-tls`],
      { detached: true, stdio: ['ignore', 'ignore', fs.openSync(this.at('relay.log'), 'a')] });
    child.unref();
    this.note('relay', String(child.pid));
    await eventually('the relay listens', () => exists(front));
  }

  log() {
    return exists(this.at('log')) ? fs.readFileSync(this.at('log'), 'utf8') : '';
  }

  saying(pattern, times = 1) {
    return eventually(`the log says ${pattern}`, () => (this.log().match(new RegExp(pattern, 'g')) ?? []).length >= times);
  }

  // Where it listens when it was started with `--listen 127.0.0.1:0`: the system chose a port that nobody else has.
  get tcp() {
    return { host: '127.0.0.1', port: +/listening on 127\.0\.0\.1:(\d+)/.exec(this.log())[1] };
  }

  // One line to the control socket, one line back.
  control(line) {
    return new Promise((resolve, reject) => {
      let answer = '';
      const s = net.connect(this.at('control'), () => s.write(line + '\n'));
      s.setTimeout(patience_ms, () => s.destroy(new Error(`no answer to ${line}`)));
      s.on('data', (d) => {
        answer += d;
        if (answer.endsWith('\n')) {
          s.destroy();
          resolve(answer.trim());
        }
      });
      s.on('error', reject);
      s.on('close', () => reject(new Error(`the control socket closed without an answer to ${line}`)));
    });
  }

  async turn(line) {
    const answer = await this.control(line);
    if (answer !== 'ok') throw new Error(`${line}: ${answer}`);
  }

  // Both clocks forward; timers fire.
  advance(text) {
    return this.turn(`advance ${duration(text)}`);
  }

  // Turns both clocks forward by so much again and again, until `look` finds what it waits for.
  meanwhile(text, look) {
    return eventually(`meanwhile: ${look}`, async () => {
      if (await look()) return true;
      await this.advance(text);
      return false;
    });
  }

  // What the sweep does. It works in slices, with pauses by the clock, and how much a slice does depends on the machine.
  swept(look) {
    return this.meanwhile('1s', look);
  }

  // The wall clock alone, either way.
  wall(text) {
    return this.turn(`wall ${duration(text)}`);
  }

  // The counters of src/tbl/counters.h by their names, and short ones for those that scenarios wait for. `requests` are those
  // that have looked for their page: who waits for the disk has not, and a purge that comes then is one that came before it.
  async gauges() {
    const g = JSON.parse(await this.control('gauges'));
    return { connections: g.client_connections_open, requests: g.requests_open - g.disk_reads_open, fetches: g.fetches_open,
      origin_connections: g.origin_connections_open, origin_requests: g.fetches_total, memory: g.memory_bytes, ...g };
  }

  // Waits until gauges are so: until('fetches', '==', 0, 'objects', '>=', 1).
  async until(...conditions) {
    const ops = { '==': (a, b) => a === b, '!=': (a, b) => a !== b, '<': (a, b) => a < b, '<=': (a, b) => a <= b,
      '>': (a, b) => a > b, '>=': (a, b) => a >= b };
    let now;
    await eventually(() => `${conditions.join(' ')} (now ${JSON.stringify(now)})`, async () => {
      now = await this.gauges();
      for (let i = 0; i < conditions.length; i += 3) {
        const [name, op, value] = conditions.slice(i, i + 3);
        if (!ops[op] || typeof now[name] !== 'number') throw new Error(`until: ${name} ${op}? ${JSON.stringify(now)}`);
        if (!ops[op](now[name], +value)) return false;
      }
      return true;
    });
  }

  // Ends it in peace and starts it again on the same state folder, until it has found all that is on disk.
  async restart(flags) {
    await this.settle();
    this.signal('TERM');
    equal(await this.status(), '0');
    await this.start(flags);
    await this.found();
  }

  // Waits until all that was on disk at the start is found: before, a page of it may be a miss.
  found() {
    return eventually('all on disk is found', async () => JSON.parse((await this.api('GET', '/api/v1/status')).text).disk.complete);
  }

  settle() {
    return this.until('requests_open', '==', 0, 'fetches', '==', 0);
  }

  // Descriptors that the process holds, without those of our own look-ups, whose end it sees a little later: the least of
  // a few counts. Each of libuv's loops keeps a /dev/null open from its first stream on.
  async files() {
    await this.until('connections', '==', 0);
    const folder = `/proc/${this.note('pid')}/fd`;
    const target = (fd) => {
      try {
        return fs.readlinkSync(`${folder}/${fd}`);
      } catch {
        return '/dev/null'; // closed meanwhile
      }
    };
    let least = Infinity;
    for (let i = 0; i < 4; i++) {
      await pause(5);
      // Files in the state folder come and go as things are written.
      least = Math.min(least, fs.readdirSync(folder).filter((fd) => !/^\/dev\/null$|\/pages\/[^/]*$|\/facts\.[^/]*$/.test(target(fd))).length);
    }
    return least;
  }

  signal(name) {
    if (['TERM', 'INT', 'QUIT', 'KILL', 'ABRT'].includes(name)) this.note('ended', name);
    process.kill(+this.note('pid'), `SIG${name}`);
  }

  // A new process takes its place; returns when that serves. Its end cannot be waited for as a child's: `status` sees that it is gone.
  async upgrade() {
    const before = this.log().length;
    this.signal('USR2');
    await this.replaced(before);
  }

  // The same without asking for it: somebody else does. `from`: bytes of the log that were there before.
  async replaced(from = 0) {
    const m = await eventually('a new freshet serves', () => /upgrade: process (\d+) serves/.exec(this.log().slice(from)));
    this.before = { pid: this.note('pid'), orphan: this.orphan };
    this.orphan = true;
    this.note('pid', m[1]);
  }

  // Waits until the one before has ended, which has to be well.
  async drained() {
    const { pid, orphan } = this.before;
    await eventually('the old freshet ended', () => (orphan ? !lives(pid) : this.note('status') !== undefined));
    if (orphan) return;
    const status = this.note('status');
    fs.rmSync(this.at('status'));
    if (status !== '0') throw new Error(`the old freshet ended with status ${status}:\n${this.log()}`);
  }

  // Does something while all of its threads are stopped, so that what comes meanwhile comes at the same time, in the order it was sent.
  async stopped(what) {
    const pid = +this.note('pid');
    const threads = `/proc/${pid}/task`;
    process.kill(pid, 'SIGSTOP');
    try {
      await eventually('all threads stopped', () =>
        fs.readdirSync(threads).every((t) => /^\d+ \(.*\) T/s.test(fs.readFileSync(`${threads}/${t}/stat`, 'utf8'))));
      await what();
    } finally {
      process.kill(pid, 'SIGCONT');
    }
  }

  status() {
    if (this.orphan) return eventually('freshet ended', () => (lives(this.note('pid')) ? undefined : '0'));
    return eventually('freshet ended', () => this.note('status'));
  }

  // What must hold after every scenario. Throws the first thing that does not.
  async stop() {
    const relay = this.note('relay');
    try {
      await this.end();
    } finally {
      if (relay !== undefined && lives(relay)) process.kill(+relay, 'SIGKILL');
    }
  }

  async end() {
    if (this.note('pid') === undefined) throw new Error('no freshet was started');
    if (this.note('ended') === undefined) {
      if (this.note('status') !== undefined) throw new Error(`freshet ended by itself, status ${this.note('status')}:\n${this.log()}`);
      await this.settle();
      // Idle connections on both sides run into their time limits.
      await this.turn(`advance ${duration('1h')}`);
      await this.until('connections', '==', 0, 'origin_connections', '==', 0);
      let now;
      await eventually(() => `descriptors back at ${this.note('files')} (now ${now})`,
        async () => (now = await this.files()) <= +this.note('files'));
      this.signal('TERM');
    }
    if (this.note('ended') === 'KILL') return;
    const status = await this.status();
    if (alarm.test(this.log())) throw new Error(`the log has a report:\n${this.log()}`);
    if (status !== '0') throw new Error(`freshet ended with status ${status}:\n${this.log()}`);
  }

  // Asks the admin listener, with the token unless told otherwise.
  api(method, target, body, headers = {}) {
    return new Promise((resolve, reject) => {
      const r = http.request({ socketPath: this.at('admin'), method, path: target, agent: false, headers: {
        authorization: `Bearer ${token}`, ...(body === undefined ? {} : { 'content-type': 'application/json',
          'content-length': Buffer.byteLength(body) }), ...headers } }, (res) => {
        let text = '';
        res.setEncoding('utf8').on('data', (d) => (text += d)).on('end', () => resolve({ status: res.statusCode, text }));
        res.on('close', () => reject(new Error('the answer was cut'))); // after its end this does nothing
      });
      r.on('error', reject);
      r.end(body);
    });
  }

  // The same for a verb that asks the scripted origin, which lives in this process: a promise of {status, stdout, stderr}.
  verb(...args) {
    const child = spawn(process.env.FRESHET, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: 30_000,
      env: { ...process.env, FRESHET_TOKEN: token, FRESHET_ADMIN: `unix:${path.resolve(this.at('admin'))}` } });
    const said = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr']) child[name].setEncoding('utf8').on('data', (d) => (said[name] += d));
    return new Promise((resolve) => child.on('close', (status) => resolve({ status, ...said })));
  }

  // The program's other verbs.
  run(...args) {
    return spawnSync(process.env.FRESHET, args, { encoding: 'utf8', timeout: 30_000,
      env: { ...process.env, FRESHET_TOKEN: token, FRESHET_ADMIN: `unix:${path.resolve(this.at('admin'))}` } });
  }
}

// A connection that sends bytes as they are and keeps all that comes back.
export class Raw {
  // `where`: as for net's connect, or a socket that connects already.
  constructor(where) {
    this.text = ''; // latin1: a byte a character
    this.ended = false;
    this.socket = where instanceof net.Socket ? where : net.connect(where);
    this.socket.setNoDelay(true);
    this.socket.on('data', (d) => (this.text += d.toString('latin1')));
    for (const e of ['end', 'error', 'close']) {
      this.socket.on(e, () => (this.ended = true));
    }
    this.changed = () => new Promise((r) => {
      const done = () => {
        for (const e of ['data', 'end', 'error', 'close']) this.socket.off(e, done);
        r();
      };
      for (const e of ['data', 'end', 'error', 'close']) this.socket.on(e, done);
    });
  }

  send(bytes) {
    return new Promise((r) => this.socket.write(Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes, 'latin1'), () => r()));
  }

  // Waits until `ready()`, looking whenever something came.
  async when(what, ready, ms = patience_ms) {
    const end = pause(ms, 'late', { ref: false });
    while (!ready()) {
      if ((await Promise.race([this.changed(), end])) === 'late' && !ready()) {
        throw new Error(`${what}: not within ${ms / 1000} s; got ${JSON.stringify(this.text.slice(0, 300))}`);
      }
    }
    return this;
  }

  close() {
    this.socket.destroy();
  }

  // The responses so far: {status, head, fields, body}, bodies by Content-Length or chunked. `methods`: of the requests,
  // since answers to HEAD have no body.
  responses(methods = []) {
    return parse(this.text, methods);
  }

  // Waits until n final responses are whole; returns all.
  async answers(n = 1, methods = [], ms = patience_ms) {
    let need = 0; // bytes before which another look is of no use: a long body is not taken apart with each of its pieces
    const whole = () => {
      if (this.text.length < need) return false;
      const all = this.responses(methods);
      const last = all.at(-1);
      if (last?.cut && last.fields?.['content-length']) need = this.text.length + +last.fields['content-length'] - last.body.length;
      return all.filter((r) => !r.cut && r.status >= 200).length >= n;
    };
    await this.when(`${n} answers`, () => whole() || this.ended, ms);
    if (!whole()) throw new Error(`${n} answers: the connection ended after ${this.text.length} bytes; got ${JSON.stringify(this.text.slice(0, 300))}`);
    return this.responses(methods);
  }

  // Waits until the other side has ended the connection.
  closed(ms = patience_ms) {
    return this.when('the end of the connection', () => this.ended, ms);
  }
}

// Takes responses apart. A last one that is not whole has `cut: true`.
export function parse(text, methods = []) {
  const all = [];
  while (text !== '') {
    const end = text.indexOf('\r\n\r\n');
    const m = /^HTTP\/1\.[01] (\d{3})[^\r\n]*\r\n/.exec(text);
    if (end < 0 || !m) {
      all.push({ cut: true, text });
      break;
    }
    const head = text.slice(0, end + 2);
    const fields = {};
    for (const line of head.split('\r\n').slice(1).filter(Boolean)) {
      const colon = line.indexOf(':');
      const name = line.slice(0, colon).toLowerCase();
      fields[name] = (name in fields ? fields[name] + ', ' : '') + line.slice(colon + 1).trim();
    }
    text = text.slice(end + 4);
    const status = +m[1];
    const r = { status, head, fields, body: '' };
    all.push(r);
    if (status < 200 || status === 204 || status === 304 || methods[all.length - 1] === 'HEAD') continue;
    if (/chunked/i.test(fields['transfer-encoding'] ?? '')) {
      for (;;) {
        const size = /^([0-9a-f]+)[^\r\n]*\r\n/i.exec(text);
        const n = size ? parseInt(size[1], 16) : 0;
        if (!size || text.length < size[0].length + n + 2) {
          r.cut = true;
          text = '';
          break;
        }
        r.body += text.slice(size[0].length, size[0].length + n);
        text = text.slice(size[0].length + n + 2);
        if (n === 0) break;
      }
    } else {
      const n = +(fields['content-length'] ?? Infinity);
      r.body = text.slice(0, n);
      r.cut = text.length < n && n !== Infinity;
      text = text.slice(n);
    }
  }
  return all;
}

// An origin that records every byte. It answers each request head that ends in an empty line with `answer(request)`,
// raw bytes (an array: pieces; null: nothing; a promise of them, or of one piece), and hangs up when a piece is `hangup`.
export const hangup = Symbol('hangup');
// `secure`: it has TLS, by these options of node's tls.createServer.
export class Origin {
  constructor(answer, secure) {
    this.answer = answer;
    this.secure = secure;
    this.requests = []; // {line, head, fields, body, text}
    this.sockets = new Set();
  }

  listen(port = 0) {
    this.server = this.secure ? tls.createServer({ noDelay: true, ...this.secure }, (s) => this.#serve(s)) : net.createServer({ noDelay: true }, (s) => this.#serve(s));
    this.server.on('tlsClientError', () => {});
    return new Promise((r) => this.server.listen(port, '127.0.0.1', () => {
      this.port = this.server.address().port;
      this.url = `${this.secure ? 'https' : 'http'}://127.0.0.1:${this.port}`;
      r(this);
    }));
  }

  #serve(s) {
    this.sockets.add(s);
    s.on('error', () => {});
    s.on('close', () => this.sockets.delete(s));
    let text = '';
    let busy = Promise.resolve();
    s.on('data', (d) => {
      text += d.toString('latin1');
      for (let r; (r = take()); ) {
        this.requests.push(r);
        busy = busy.then(() => this.#reply(s, r));
      }
    });
    // What freshet sends is itself under test: framed by what is there, whole requests only.
    const take = () => {
      const end = text.indexOf('\r\n\r\n');
      if (end < 0) return null;
      const head = text.slice(0, end + 2);
      const [line, ...lines] = head.split('\r\n');
      const fields = {};
      for (const l of lines.filter(Boolean)) {
        const colon = l.indexOf(':');
        const name = l.slice(0, colon).toLowerCase();
        fields[name] = (name in fields ? fields[name] + ', ' : '') + l.slice(colon + 1).trim();
      }
      let body = '';
      let rest = text.slice(end + 4);
      if (fields['transfer-encoding'] !== undefined) {
        for (;;) {
          const size = /^([0-9a-f]+)\r\n/i.exec(rest);
          if (!size) return null;
          const n = parseInt(size[1], 16);
          if (rest.length < size[0].length + n + 2) return null;
          body += rest.slice(size[0].length, size[0].length + n);
          rest = rest.slice(size[0].length + n + 2);
          if (n === 0) break;
        }
      } else if (fields['content-length'] !== undefined) {
        const n = +fields['content-length'];
        if (rest.length < n) return null;
        body = rest.slice(0, n);
        rest = rest.slice(n);
      }
      text = rest;
      const [method, target] = line.split(' ');
      return { line, method, target, head, fields, body };
    };
  }

  async #reply(s, request) {
    const pieces = [await this.answer(request, this)].flat();
    for (const piece of pieces) {
      const p = await piece;
      if (p === hangup) s.end();
      else if (p !== null) s.write(Buffer.from(p, 'latin1'));
    }
  }

  // Nobody is there any more: connections are refused.
  close() {
    for (const s of this.sockets) s.destroy();
    return new Promise((r) => this.server.close(r));
  }
}

// A listener that never accepts and whose queue is full. On TCP the kernel drops what asks for one more connection, so that
// connecting takes for ever: it is accepted by a thread, and that thread sleeps. `at`: as for net's listen.
export async function deaf(at = { host: '127.0.0.1', port: 0 }) {
  const worker = new Worker(`
    const { parentPort, workerData } = require('node:worker_threads');
    const server = require('node:net').createServer();
    server.listen({ ...workerData, backlog: 1 }, () => {
      parentPort.postMessage(server.address());
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
    });`, { eval: true, workerData: at });
  const address = await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
  const where = address.port ? { host: address.address, port: address.port } : { path: address };
  const fill = async () => {
    const s = net.connect(where);
    await new Promise((resolve, reject) => s.once('connect', resolve).once('error', reject));
    return s.on('error', () => {});
  };
  const queued = [await fill(), await fill()]; // as many as a backlog of one takes
  return {
    ...where,
    // Nobody listens there any more.
    async close() {
      await worker.terminate();
      for (const s of queued) s.destroy();
    },
  };
}

// Plays the one who supervises freshet (sd_notify) at a Unix socket, "@NAME" for an abstract one: `told` gets what is said there and when. Node knows no
// datagrams on Unix sockets, perl does.
export async function supervisor(at, told = []) {
  const script = `use Socket; $| = 1; socket(my $s, AF_UNIX, SOCK_DGRAM, 0) or die; bind($s, sockaddr_un($ARGV[0] =~ s/^@/\\0/r)) or die "$!";
    print "bound\\n"; while (defined recv($s, my $m, 4096, 0)) { $m =~ s/\\n/|/g; print "$m\\n"; }`;
  const child = spawn('perl', ['-e', script, at], { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '', bound = false;
  child.stdout.setEncoding('utf8').on('data', (d) => {
    text += d;
    for (let n; (n = text.indexOf('\n')) >= 0; text = text.slice(n + 1)) {
      if (bound) told.push({ text: text.slice(0, n), at: Date.now() });
      bound = true;
    }
  });
  await soon(() => bound);
  return { told, end: () => child.kill() };
}

// A plain answer of an origin.
export function reply(body, fields = {}, status = '200 OK') {
  const head = Object.entries({ 'Content-Length': Buffer.byteLength(body, 'latin1'), ...fields })
    .map(([n, v]) => `${n}: ${v}\r\n`).join('');
  return `HTTP/1.1 ${status}\r\n${head}\r\n${body}`;
}

// A request's bytes: fields are [name, value] pairs or an object; Host is there unless given or null.
export function request(target = '/', fields = {}, { method = 'GET', body = '' } = {}) {
  const pairs = Array.isArray(fields) ? fields : Object.entries(fields);
  const has = (name) => pairs.some(([n]) => n.toLowerCase() === name);
  const all = [...(has('host') ? [] : [['Host', 'test']]), ...pairs,
    ...(body !== '' && !has('content-length') && !has('transfer-encoding') ? [['Content-Length', body.length]] : [])];
  const lines = all.filter(([, v]) => v !== null).map(([n, v]) => `${n}: ${v}\r\n`);
  return `${method} ${target} HTTP/1.1\r\n${lines.join('')}\r\n${body}`;
}

// Fills a small memory with what is being fetched: asks for pages below `target` whose heads come and whose bodies wait, until
// no more fit. Returns the clients. How the origin sends such a head is the caller's.
export async function fill_memory(connect, target) {
  const clients = [];
  for (let last = ''; !/no-memory/.test(last) && clients.length < 200;) {
    const c = connect();
    await c.send(request(`${target}/${clients.length}`));
    await c.when('a head', () => c.text.includes('\r\n\r\n'));
    last = c.responses()[0].fields['cache-status'];
    clients.push(c);
  }
  return clients;
}

export function check(is, text) {
  if (!is) throw new Error(text);
}

export function equal(is, should, what = 'value') {
  if (is !== should) throw new Error(`${what} is ${JSON.stringify(is)}, not ${JSON.stringify(should)}`);
}

// The frame of a node scenario: an origin, a freshet in front of it, cases; at the end what holds after every scenario. `secure`: see Origin.
export async function scenario({ answer = () => reply('x'), flags = [], yaml, secure }, body) {
  const cases = new Cases();
  const origin = await new Origin(answer, secure).listen();
  const freshet = new Freshet('.');
  cases.alive = () => freshet.note('status') === undefined || freshet.note('ended') !== undefined;
  const world = { cases, origin, freshet, connect: () => new Raw('front') };
  // Waits until the origin has had n requests.
  world.arrived = (n) => soon(() => origin.requests.length >= n);
  // One request on a connection of its own; the answer, or throws.
  world.ask = async (target, fields, options = {}) => {
    const c = world.connect();
    try {
      await c.send(request(target, fields, options));
      return (await c.answers(1, [options.method], options.ms)).at(-1);
    } finally {
      c.close();
    }
  };
  try {
    await freshet.start(yaml ? ['--yaml', yaml(origin.url), ...flags] : ['--origin', origin.url, ...flags]);
    await body(world);
    await cases.check('what holds after every scenario', () => freshet.stop());
  } catch (e) {
    cases.failed++;
    console.log(`FAILED ${e.stack}`);
  }
  cases.end();
}

// The cases of a node scenario. Each is a name and a function that throws when the behaviour is not there.
export class Cases {
  constructor() {
    this.passed = 0;
    this.failed = 0;
    this.alive = () => true;
  }

  async check(name, f) {
    try {
      await f();
      this.passed++;
    } catch (e) {
      this.failed++;
      console.log(`FAILED ${name}: ${e.message}`);
      if (this.failed >= 20 || !this.alive()) this.end(); // more would only hide the first
    }
  }

  end() {
    console.log(`${this.passed} passed, ${this.failed} failed, 0 skipped`);
    process.exit(this.failed === 0 && this.passed > 0 ? 0 : 1);
  }
}
