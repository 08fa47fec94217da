// One upgrade after the other, under load: no request fails, on connections that stay open or are new; what was stored is a hit, whole and byte by byte;
// what was purged stays purged, whichever process was asked, and no purge has to be asked for twice. `make upgrades ROUNDS=100` is the long form.
// scenarios V12, V13
// STRESS_TLS=h2: those who stay have sessions of HTTP/2 over TLS, with many requests at a time.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import os from 'node:os';
import path from 'node:path';
import { alarm, alarmed, lives } from '../process.mjs';
import { below, check, chance, done, equal, eventually, pause, scaled, token } from './lib.mjs';

const rounds = +(process.env.UPGRADE_ROUNDS ?? scaled(10, 4)), keys = 200, keepers = 12, comers = 3, purgers = 2;
const version = new Map(), least = new Map();
// All of them are a small part of a segment: each process begins one, and when the disk comes round all of one that is mostly empty is carried over.
const bodyOf = (key, v) => `key ${key} version ${v} ` + String.fromCharCode(97 + (key + v) % 26).repeat(key % 40 === 3 ? 70_000 : [0, 300, 1500, 6000][key % 4]);

let fetched = 0;
const origin = http.createServer((q, r) => {
  const key = +q.url.slice(1), body = bodyOf(key, version.get(key) ?? 0);
  fetched++;
  r.writeHead(200, { 'Cache-Control': 's-maxage=86400', 'Cache-Tag': `k${key}`, 'Content-Length': body.length });
  r.end(body);
});
await new Promise((r) => origin.listen(0, '127.0.0.1', r));

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'freshet-upgrades-'));
let log = '';
const args = ['run', '--origin', `http://127.0.0.1:${origin.address().port}`, '--listen', '127.0.0.1:0', '--admin', `unix:${folder}/admin`,
  '--state', `${folder}/state`, '--token', token, '--workers', '2', '--disk', '128M', '--disk-rate', '0', '--drain-timeout', '20s',
  ...(process.env.STRESS_TLS === 'h2' ? ['--https', '127.0.0.2:0'] : []),
  ...(process.env.FRESHET_IO ? ['--io', process.env.FRESHET_IO] : [])];
const env = { ...process.env, FRESHET_RUNTIME_DIR: `${folder}/run` };
const child = spawn(process.env.FRESHET, args, { stdio: ['ignore', 'ignore', 'pipe'], env });
child.stderr.setEncoding('utf8').on('data', (d) => (log += d));
const pids = [child.pid];
let status;
child.on('exit', (code, signal) => (status = code ?? signal));
await eventually('freshet serves', () => /site default: /.test(log)); // the last line of a start
const port = +/listening on 127\.0\.0\.1:(\d+)/.exec(log)[1];

const stays = new http.Agent({ keepAlive: true, maxSockets: keepers });

// A session that another one follows when the server says its end (GOAWAY). A request that it has not taken, as it says itself, may be asked again
// (RFC 9113 §8.7); no other.
const secure = process.env.STRESS_TLS === 'h2' ? +/listening on 127\.0\.0\.2:(\d+) with TLS/.exec(log)[1] : 0;
class Session {
  static again = 0;
  static sessions = 0;

  get(key, tries = 0) {
    if (!this.session || this.session.closed || this.session.destroyed) {
      Session.sessions++;
      this.session = http2.connect(`https://127.0.0.2:${secure}`, { rejectUnauthorized: false }).on('error', (e) => (this.session.why = e.message));
      this.session.on('goaway', (c, l) => (this.session.goaways = [...(this.session.goaways ?? []), `${c} ${l}`]));
    }
    return new Promise((resolve, reject) => {
      const session = this.session, s = session.request({ ':path': `/${key}` });
      let text = '', head;
      s.setEncoding('latin1').on('response', (h) => (head = h)).on('data', (d) => (text += d));
      s.on('error', () => {});
      s.on('close', () => {
        if (s.rstCode === http2.constants.NGHTTP2_NO_ERROR && head) resolve({ status: head[':status'], text, how: head['cache-status'] ?? '' });
        else if (s.rstCode === http2.constants.NGHTTP2_REFUSED_STREAM && tries < 3) {
          Session.again++;
          session.close();
          resolve(this.get(key, tries + 1));
        } else reject(new Error(`HTTP/2: stream ${s.id} ended with ${s.rstCode}, ${head ? 'amid' : 'without'} its answer; its session: ${session.why ?? 'no error'}; GOAWAY ${session.goaways}`));
      });
    });
  }
}

function get(key, agent) {
  return new Promise((resolve, reject) => {
    http.get({ host: '127.0.0.1', port, path: `/${key}`, agent }, (r) => {
      let text = '';
      r.setEncoding('latin1').on('data', (d) => (text += d)).on('end', () => resolve({ status: r.statusCode, text, how: r.headers['cache-status'] ?? '' }));
      r.on('error', reject).on('close', () => r.complete || reject(new Error('the answer was cut')));
    }).on('error', reject);
  });
}
function api(method, target, body) {
  return new Promise((resolve, reject) => {
    const q = http.request({ socketPath: `${folder}/admin`, method, path: target, agent: false, headers: { authorization: `Bearer ${token}`,
      ...(body ? { 'content-type': 'application/json', 'content-length': body.length } : {}) } }, (r) => {
      let text = '';
      r.setEncoding('utf8').on('data', (d) => (text += d)).on('end', () => resolve({ status: r.statusCode, text }));
    });
    q.on('error', reject);
    q.end(body);
  });
}

let over = false, asked = 0, hits = 0, purged = 0, refused = 0, passed = 0, longest = 0;
async function ask(key, agent) {
  const floor = least.get(key) ?? 0, from = Date.now();
  const r = await (agent instanceof Session ? agent.get(key) : get(key, agent)).catch((e) => e);
  longest = Math.max(longest, Date.now() - from);
  asked++;
  if (!check(!(r instanceof Error), 'no request fails', () => `${r.code} ${r.message}`)) return;
  if (!equal(r.status, 200, 'an answer is the page')) return;
  const m = /^key (\d+) version (\d+) /.exec(r.text);
  if (!check(m && +m[1] === key && r.text === bodyOf(key, +m[2]), 'its bytes are the origin\'s')) return;
  check(+m[2] >= floor, 'what was purged stays purged', () => `key ${key}: version ${m[2]}, and ${floor} was purged for (${r.how})`);
  if (/hit/.test(r.how)) hits++;
  if (/handed-over/.test(r.how)) passed++;
}
const loops = [];
const sessions = secure ? [1, 2, 3].map(() => new Session()) : [];
for (let i = 0; i < keepers; i++) loops.push((async () => { while (!over) { await ask(below(keys), secure ? sessions[i % 3] : stays); if (chance(0.3)) await pause(below(40)); } })());
for (let i = 0; i < comers; i++) loops.push((async () => { while (!over) { await ask(below(keys), false); await pause(below(10)); } })());
for (let i = 0; i < purgers; i++) loops.push((async () => {
  while (!over) {
    const key = below(keys), v = (version.get(key) ?? 0) + 1;
    version.set(key, v);
    const r = await api('POST', '/api/v1/purge', JSON.stringify({ cache_tags: [`k${key}`] })).catch((e) => e);
    if (check(!(r instanceof Error), 'no purge is without an answer', () => `${r.code} ${r.message}`)) {
      if (r.status === 503) refused++;
      else if (equal(r.status, 202, 'a purge is made')) {
        equal(JSON.parse(r.text).durable, true, 'and is durable');
        purged++;
        least.set(key, Math.max(least.get(key) ?? 0, v));
      }
    }
    await pause(20 + below(50));
  }
})());

let cold = 0;
try {
  for (let i = 0; i < keys; i++) await ask(i, stays);
  for (let i = 0; i < rounds; i++) {
    const from = log.length, before = { fetched, purged };
    process.kill(pids.at(-1), 'SIGUSR2');
    const m = await eventually(() => `upgrade ${i + 1}: ${log.slice(from)}`, () => /upgrade: process (\d+) serves/.exec(log.slice(from)), 30_000);
    pids.push(+m[1]);
    await eventually('the old one ends', () => !lives(pids.at(-2)), 30_000);
    cold = Math.max(cold, fetched - before.fetched - 2 * (purged - before.purged));
    await pause(below(200));
  }
} catch (e) {
  check(false, 'it runs', e.message);
}
over = true;
await Promise.all(loops);
equal(status, 0, 'the first one ended well');
sessions.forEach(({ session }) => session?.destroy());
if (secure) check(Session.sessions >= rounds, 'each process has had sessions', `${Session.sessions}`);
check(hits > asked / 2, 'most are hits', `${hits} of ${asked}`);
check(refused <= rounds / 10, 'purges are taken all the time', () => `${refused} were refused`);
check(cold < keys / 4, 'no moment is cold', `${cold} fetches more than purges ask for, of ${keys} pages`);
check(!alarm.test(log), 'no report of a sanitizer', () => alarmed(log));
process.kill(pids.at(-1), 'SIGTERM');
await eventually('the last one ends', () => !lives(pids.at(-1)), 30_000);
check(!/error /.test(log.replace(/^freshet: .*$/gm, '')), 'the log has no error', () => /.*error .*/.exec(log)?.[0]);
fs.rmSync(folder, { recursive: true, force: true });
origin.closeAllConnections?.();
console.log(`${rounds} upgrades, ${asked} requests (${hits} hits, ${passed} handed over to the origin, ${fetched} fetches; the longest took ${longest} ms), ` +
  `${purged} purges, ${refused} refused for a moment` +
  (secure ? `; ${Session.sessions} sessions of HTTP/2, ${Session.again} requests asked again` : ''));
done();
