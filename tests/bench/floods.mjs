// Floods: a thousand connections that hold what they can, or ask for what costs most, beside a hundred honest clients, whose p50 and p99
// stand next to those without a flood; and how much memory freshet took against its bound. docs/FLOODS.md has a run.
//
// The honest ones: 80 connections that ask for a stored page, 20 that ask for pages that nobody has asked for, at a rate, by tests/bench/
// openloop.c: a latency counts from when the request was due, and a connection that is closed to one of them is an error. The flood comes
// from other addresses, `--addresses` of them. `make bench-programs` and `make` first.
//
// With --alone there are no honest ones: then it measures what a flood costs freshet beside what it costs its sender, in processor time
// and in bytes to and from the origin. No kind may cost more than a hundred times, but for a window that is read of an answer that is not stored.
//
// Usage: node tests/bench/floods.mjs [KIND]...        kinds: those of tests/bench/flood.c (default: all), and slowhttptest -H, -B, -R, -X as
//                     slow-heads slow-bodies slow-ranges slow-reads
//   --connections N   of the flood (1000)
//   --addresses N     where it comes from (200)
//   --seconds N       of each measurement (8)
//   --overhead SIZE   the setting (256M); --memory SIZE (64M)
//   --rate N          requests a second of all honest clients (500)
//   --freshet P       another program than build/freshet
// Last line: N passed, N failed, N skipped: memory within its bound, no error for an honest client.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
const argv = process.argv.slice(2);
const value = (name, otherwise) => (argv.includes(name) ? argv.splice(argv.indexOf(name), 2)[1] : otherwise);
const n = +value('--connections', 1000), addresses = +value('--addresses', 200), seconds = +value('--seconds', 8), rate = +value('--rate', 500);
const overhead = value('--overhead', '256M'), memory = value('--memory', '64M');
const freshet = path.resolve(value('--freshet', path.join(here, '../../build/freshet')));
const programs = path.resolve(value('--programs', path.join(here, '../../build-bench/tests/bench')));
const alone = argv.includes('--alone') && argv.splice(argv.indexOf('--alone'), 1).length > 0;
const all = ['heads', 'uploads', 'drips', 'readers', 'passing', 'idle', 'silent', 'ranges', 'pipelines', 'long', 'aborts', 'connects'];
const slow = { 'slow-heads': ['-H'], 'slow-bodies': ['-B', '-s', '100000'], 'slow-ranges': ['-R'], 'slow-reads': ['-X', '-k', '3', '-n', '2', '-w', '10', '-y', '20', '-z', '32'] };
const kinds = argv.length ? argv : all;
const bytes = (text) => parseInt(text) * { K: 1024, M: 1 << 20, G: 1 << 30 }[text.at(-1)];
// What is no memory that freshet takes for itself: the program, libraries, stacks, and what malloc keeps between pieces.
export const base_bytes = 48 << 20;
const bound = bytes(memory) + bytes(overhead) + base_bytes;

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'freshet-floods-'));
const running = new Set();
let stopping = false;
process.on('exit', () => {
  for (const c of running) c.kill('SIGKILL');
  fs.rmSync(folder, { recursive: true, force: true });
});
for (const s of ['SIGINT', 'SIGTERM']) process.on(s, () => process.exit(1));
const start = (command, ...args) => {
  const c = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  c.out = '';
  for (const s of [c.stdout, c.stderr]) s.setEncoding('utf8').on('data', (d) => (c.out += d));
  running.add(c);
  c.over = new Promise((done) => c.on('close', (status) => (running.delete(c), done(status))));
  return c;
};
const free = () => new Promise((done) => {
  const s = net.createServer().listen(0, '127.0.0.1', () => {
    const { port } = s.address();
    s.close(() => done(port));
  });
});

// ---- the parts ----

const [port, origin_port] = [await free(), await free()];
start(path.join(programs, 'origin'), String(origin_port));
const uploads = http.createServer((q, r) => q.resume().on('end', () => r.end('taken')).on('error', () => {}));
await new Promise((done) => uploads.listen(0, '127.0.0.1', done));
const config = path.join(folder, 'freshet.yaml');
fs.writeFileSync(config, `memory: ${memory}\noverhead: ${overhead}\nworkers: 2\nlisten: 127.0.0.1:${port}\nadmin: unix:${folder}/admin\nstate: ${folder}/state\n` +
  `disk: 0\ntoken: ${'x'.repeat(20)}\nsites:\n  all:\n    origin: http://127.0.0.1:${origin_port}\n  up:\n    hosts: [up.test]\n    origin: http://127.0.0.1:${uploads.address().port}\n`);
const server = start(freshet, 'run', config);
const request = (target) => `GET ${target} HTTP/1.1\r\nHost: test\r\n\r\n`;
// What the flood asks for, by names that the C origin understands.
const pages = { '/page': '/b1024,u/page', '/big': '/b4000000,u/big', '/pass': '/b20000000,u,n/pass' };
const ask = (target) => new Promise((done, fail) => http.get({ host: '127.0.0.1', port, path: target, headers: { host: 'test' } }, (r) => r.resume().on('end', () => done(r.statusCode))).on('error', fail));
for (let i = 0; ; i++) {
  if (await ask(pages['/page']).catch(() => 0)) break;
  if (i > 200) throw new Error(`freshet does not serve\n${server.out}`);
  await pause(50);
}
await ask(pages['/big']);
server.over.then(() => stopping || console.log(`freshet ended:\n${server.out}`));
const status = () => new Promise((done, fail) => http.get({ socketPath: `${folder}/admin`, path: '/api/v1/status', headers: { authorization: `Bearer ${'x'.repeat(20)}` } }, (r) => {
  let text = '';
  r.setEncoding('utf8').on('data', (d) => (text += d)).on('end', () => done(JSON.parse(text)));
}).on('error', fail));
const rss = () => {
  if (server.exitCode !== null || server.signalCode) throw new Error(`freshet ended\n${server.out}`);
  return 1024 * +(/^VmRSS:\s+(\d+)/m.exec(fs.readFileSync(`/proc/${server.pid}/status`, 'latin1'))?.[1] ?? 0);
};

fs.writeFileSync(path.join(folder, 'hit'), request(pages['/page']));
fs.writeFileSync(path.join(folder, 'miss'), request('/b1024,u/miss-########'));
let asked = 0;
async function honest() {
  asked++;
  fs.writeFileSync(path.join(folder, 'miss'), request(`/b1024,u/miss-${asked}-########`));
  const load = (file, part, connections) => start(path.join(programs, 'openloop'), String(port), path.join(folder, file), String(rate * part), String(connections), String(seconds));
  const both = [load('hit', 0.8, 80), load('miss', 0.2, 20)];
  const results = [];
  for (const c of both) {
    await c.over;
    const last = c.out.trim().split('\n').at(-1);
    results.push(last.startsWith('{') ? JSON.parse(last) : { failed: c.out.trim() });
  }
  return results;
}

// ---- the table ----

async function finish() {
  stopping = true;
  server.kill('SIGTERM');
  check((await server.over) === 0, `freshet ended with an error\n${server.out}`);
  const lines = server.out.split('\n').filter((l) => /warning|error/.test(l));
  if (lines.length) console.log(`\n${lines.slice(0, 5).join('\n')}`);
  console.log(`\n${passed} passed, ${failed} failed, 0 skipped`);
  process.exit(failed ? 1 : 0);
}
let passed = 0, failed = 0;
const check = (ok, what) => {
  ok ? passed++ : failed++;
  if (!ok) console.log(`FAILED: ${what}`);
};
const ms = (us) => (us === undefined ? '-' : (us / 1000).toFixed(us < 10_000 ? 2 : 0));
const M = (b) => (b / (1 << 20)).toFixed(0);
const rest = () => {
  for (const f of fs.readdirSync(`/proc/${server.pid}/task`)) total += +fs.readFileSync(`/proc/${server.pid}/task/${f}/schedstat`, 'latin1').split(' ')[0];
};
let total = 0;
const cpu_us = () => (total = 0, rest(), total / 1000);
if (alone) {
  console.log(`${n} connections from ${addresses} addresses, ${seconds} s each\n`);
  console.log('| flood | sent KB | received KB | connections | sender CPU ms | freshet CPU ms | freshet / sender | origin KB | origin / sender bytes |');
  console.log('|---|--:|--:|--:|--:|--:|--:|--:|--:|');
  const rows = [];
  for (const kind of kinds) {
    const before = (await status()).counters, cpu = cpu_us();
    const flood = start(path.join(programs, 'flood'), String(port), kind, String(n), String(seconds), String(addresses));
    await flood.over;
    const f = JSON.parse(flood.out.trim().split('\n').at(-1)), after = (await status()).counters, took = cpu_us() - cpu;
    const origin = after.origin_body_bytes_total - before.origin_body_bytes_total + (after.fetches_total - before.fetches_total) * 500 + after.request_body_bytes_total - before.request_body_bytes_total;
    rows.push({ kind, f, took, origin, ratio: took / f.cpu_us, bytes: origin / (f.sent + f.received + f.made * 120) });
    for (let i = 0; i < 200 && (await status()).requests.open > 0; i++) await pause(100);
  }
  for (const r of rows.sort((a, b) => b.ratio - a.ratio)) {
    console.log(`| ${r.kind} | ${(r.f.sent / 1024).toFixed(0)} | ${(r.f.received / 1024).toFixed(0)} | ${r.f.made} | ${(r.f.cpu_us / 1000).toFixed(0)} | ${(r.took / 1000).toFixed(0)} | ${r.ratio.toFixed(1)} | ${(r.origin / 1024).toFixed(0)} | ${r.bytes.toFixed(1)} |`);
    check(r.ratio < 100, `${r.kind}: freshet's processor time is ${r.ratio.toFixed(0)} times the sender's`);
    // Whoever asks for a large answer that is not stored and does not take it has a window of it read (window_bytes, and what the kernel
    // receives meanwhile): a bound for each connection, not for each byte of the request.
    const each = r.origin / r.f.made;
    check(r.bytes < 100 || each < 384 << 10, `${r.kind}: the origin's bytes are ${r.bytes.toFixed(0)} times the sender's, ${each.toFixed(0)} a connection`);
  }
  await finish();
}
await honest(); // warms up
const quiet = await honest();
console.log(`${n} connections from ${addresses} addresses; overhead ${overhead}, memory ${memory}; the honest ask ${rate} times a second\n`);
console.log('| flood | hits: p50 ms | p99 ms | × quiet | misses: p50 ms | p99 ms | × quiet | RSS, most M | of | overhead, most M | cut off | idle closed | misses refused |');
console.log('|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|');
const row = (name, [hit, miss], most, s, before) => console.log(`| ${name} | ${ms(hit.p50_us)} | ${ms(hit.p99_us)} | ${(hit.p99_us / quiet[0].p99_us).toFixed(1)} | ${ms(miss.p50_us)} | ${ms(miss.p99_us)} | ` +
  `${(miss.p99_us / quiet[1].p99_us).toFixed(1)} | ${M(most)} | ${M(bound)} | ${M(s.overhead.highest_bytes)} | ${s.counters.overload_cuts_total - before.overload_cuts_total} | ` +
  `${s.counters.overload_idle_closed_total - before.overload_idle_closed_total} | ${s.counters.overload_refused_total - before.overload_refused_total} |`);
const first = await status();
row('none', quiet, rss(), first, first.counters);
for (const kind of kinds) {
  const before = (await status()).counters;
  const flood = slow[kind]
    ? start('slowhttptest', ...slow[kind], '-c', String(n), '-r', String(n), '-i', '1', '-l', String(seconds + 3), '-x', '10', '-p', '5', '-u', `http://127.0.0.1:${port}${pages[kind === 'slow-heads' ? '/page' : '/big']}`)
    : start(path.join(programs, 'flood'), String(port), kind, String(n), String(seconds + 3), String(addresses));
  let most = 0;
  const timer = setInterval(() => (most = Math.max(most, rss())), 20);
  await pause(2000); // the flood has all its connections
  const results = await honest();
  clearInterval(timer);
  await flood.over;
  const s = await status();
  row(kind, results, most, s, before);
  check(most <= bound, `${kind}: ${M(most)} M of memory, the bound is ${M(bound)}`);
  for (const [i, r] of results.entries()) check(r.errors === 0 && r.answered === r.sent, `${kind}: ${i ? 'misses' : 'hits'}: ${JSON.stringify(r)}`);
  for (let i = 0; i < 100 && (await status()).requests.open > 0; i++) await pause(100);
}
await finish();
