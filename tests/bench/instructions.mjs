// How many instructions a hit costs in freshet itself (user mode, counted by callgrind): a figure without noise, so that a change
// of one per cent is seen on any machine, however busy. And how many a storing miss in a full cache, or a pass.
//
// Each case runs twice, with few and with many hits of one keep-alive client; the difference of the two, divided by
// the hits between them, is one hit. Start-up, the fetch and the end fall out of it. (Of a miss the counts are so high that the cache is full before.) Sockets are read and written by epoll:
// valgrind does not see what io_uring does, and waits for ever where freshet waits in it.
//
// Usage: node tests/bench/instructions.mjs [CASE]...
//   --check      compare with instructions.json: a case that grew by more than 5 % is a failure. Last line: N passed, ...
//   --update     write what was measured into instructions.json
//   --functions  for each case the functions that cost most, in instructions a hit
//   --bare       count the bare server (bare_tls.c) as well, in the cases with TLS
//   --json       print what was measured as JSON and nothing else
//   --freshet P  another program than build/freshet
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { certificate } from './lib/certificate.mjs';
import { Client } from './lib/client.mjs';
import { browser, request, vary } from './lib/heads.mjs';
import { startOrigin } from './lib/peers.mjs';
import { freePort } from './lib/port.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const stored = path.join(here, 'instructions.json');
const programs = path.join(here, '../../build-bench/tests/bench');
const few = 500, many = 2500;
const handshakes = [100, 400]; // few and many
const few_streams = 2000, many_streams = 12_000; // with HTTP/2, where many are answered in a turn
const tolerance = 0.05;
const patience_ms = 180_000; // for one run
const baseline = fs.existsSync(stored) ? JSON.parse(fs.readFileSync(stored, 'utf8')) : { build: '', hit: {} };

// Fifty rules of all kinds, of which one bypasses by a cookie whatever the path.
function fifty(file) {
  const kinds = [(i) => `path: ["/private${i}/**"]\n    bypass: true`, (i) => `path: "/list${i}/*"\n    tags: ["list-{1}"]`,
    (i) => `path: "/moved${i}"\n    redirect: /new${i}`, (i) => `path: "/products/*/${i}"\n    cdn_cache_control: max-age=60`,
    (i) => `path: "/h${i}/**"\n    set_header: "X-Part: ${i}"`];
  const rules = Array.from({ length: 49 }, (_, i) => `  - ${kinds[i % kinds.length](i)}\n`);
  fs.writeFileSync(file, `rules:\n${rules.join('')}  - cookie: "session_*"\n    bypass: true\n`);
  return file;
}

const cases = {
  plain: { target: '/plain', title: '1 KB' },
  large: { target: '/large', title: '10 KB' },
  browser: { target: '/plain', fields: browser, title: '1 KB, a browser\'s head' },
  vary: { target: `/vary${vary.query}`, fields: vary.fields, title: 'Netlify-Vary, four query names and a cookie' },
  coded: { target: '/words', fields: { 'Accept-Encoding': 'gzip, deflate, br, zstd' }, coding: 'br', title: '1 KB in br' },
  uncoded: { target: '/image', fields: { 'Accept-Encoding': 'gzip, deflate, br, zstd' }, title: '1 KB that has no codings, for the same request' },
  not_modified: { target: '/plain', fields: { 'If-None-Match': '"v1"' }, status: 304, title: '304' },
  rules: { target: '/plain', flags: (out) => [fifty(`${out}.yaml`)], title: '1 KB, a site with 50 rules' },
  log: { target: '/plain', flags: (out) => ['--access-log', `${out}.log`], title: '1 KB, JSON log on' },
  // What origin.c answers, which must be built (make bench-programs). The cache is full after the first of these: each miss takes the place of others.
  miss: { target: '/b1024/', fetches: /; fwd=uri-miss; .*stored/, memory: '4M', requests: [5000, 8000], title: 'a storing miss, 1 KB' },
  miss_large: { target: '/b10240/', fetches: /; fwd=uri-miss; .*stored/, memory: '4M', requests: [1500, 3500], title: 'a storing miss, 10 KB' },
  miss_https: { target: '/b10240/', fetches: /; fwd=uri-miss; .*stored/, memory: '4M', secure: true, requests: [1500, 3500], title: 'a storing miss from an https:// origin, 10 KB' },
  pass: { target: '/b10240,n/', fetches: /; fwd=/, memory: '4M', title: 'a pass, 10 KB' },
  // By lg (lg.c), which must be built (make bench-programs). OpenSSL's part is in it, as it is without AVX-512: valgrind has none.
  https: { target: '/plain', tls: { connections: 4 }, title: 'HTTPS/1.1, 1 KB' },
  https_large: { target: '/large', tls: { connections: 4 }, title: 'HTTPS/1.1, 10 KB' },
  h2: { target: '/plain', tls: { connections: 4, streams: 10 }, title: 'HTTP/2, 1 KB, 10 streams' },
  h2_many: { target: '/plain', tls: { connections: 1, streams: 100 }, title: 'HTTP/2, 1 KB, 100 streams' },
  h2_large: { target: '/large', tls: { connections: 4, streams: 10 }, title: 'HTTP/2, 10 KB, 10 streams' },
  h2_browser: { target: '/plain', fields: browser, tls: { connections: 4, streams: 10 }, title: 'HTTP/2, 1 KB, a browser\'s head, 10 streams' },
  // A connection with each hit, its handshake and its end.
  full: { target: '/plain', tls: { connections: 1, handshake: 'full' }, requests: handshakes, title: 'HTTPS/1.1, 1 KB, a full handshake' },
  resumed: { target: '/plain', tls: { connections: 1, handshake: 'resumed' }, requests: handshakes, title: 'HTTPS/1.1, 1 KB, a resumed handshake' },
};

// ---- what was asked for ----

const argv = process.argv.slice(2);
const flag = (name) => argv.includes(name) && argv.splice(argv.indexOf(name), 1).length > 0;
const value = (name, otherwise) => (argv.includes(name) ? argv.splice(argv.indexOf(name), 2)[1] : otherwise);
const check = flag('--check'), update = flag('--update'), functions = flag('--functions'), bare = flag('--bare'),
  json = flag('--json');
const program = path.resolve(value('--freshet', path.join(here, '../../build/freshet')));
const wanted = argv.length > 0 ? argv : Object.keys(cases);
const unknown = wanted.filter((c) => !cases[c]);
if (unknown.length > 0) {
  console.error(`no case ${unknown.join(', ')}; there are ${Object.keys(cases).join(', ')}`);
  process.exit(2);
}

// ---- one run ----

// Text that is about 1 KB in br.
function words() {
  let x = 1, text = '';
  while (text.length < 2600) text += `${((x = (x * 1103515245 + 12345) % 2 ** 31) >> 8).toString(16)} and `;
  return Buffer.from(text);
}

const asked = new Map(); // target: how often
let filler; // origin.c, for the cases that fetch
const origin = http.createServer((q, r) => {
  asked.set(q.url, (asked.get(q.url) ?? 0) + 1);
  const body = q.url.startsWith('/words') ? words() : Buffer.alloc(q.url.startsWith('/large') ? 10240 : 1024, 'x');
  r.writeHead(200, { 'Content-Type': q.url.startsWith('/words') ? 'text/html; charset=utf-8' : 'application/octet-stream', 'Content-Length': body.length, ETag: '"v1"',
    'Cache-Control': 'public, max-age=0, must-revalidate', 'CDN-Cache-Control': 'max-age=86400', 'Cache-Tag': 'bench, page-1',
    ...(q.url.startsWith('/vary') ? { 'Netlify-Vary': vary.rule } : {}) });
  r.end(body);
});

const valgrind = (out) => ['--tool=callgrind', '--separate-threads=yes', `--callgrind-out-file=${out}`];

// Runs freshet under callgrind for so many hits. Returns the name with which the files of counts begin, one a
// thread.
async function run(name, hits, folder) {
  const c = cases[name], out = path.join(folder, `${name}.${hits}`);
  const { cert, key } = c.tls ? certificate(folder) : {};
  const from = !c.fetches ? ['--origin', `http://127.0.0.1:${origin.address().port}`] : c.secure ? filler.flags : ['--origin', `http://127.0.0.1:${filler.port}`];
  const child = spawn('valgrind', [...valgrind(out), program, 'run',
    ...from, '--listen', '127.0.0.1:0', ...(c.tls ? ['--https', '127.0.0.1:0', '--cert', cert, '--key', key] : []),
    '--admin', '', '--workers', '1', '--memory', c.memory ?? '32M', '--io', 'epoll', '--sandbox', 'off', '--state', `${out}.state`,
    '--keepalive-requests', '1000000000', '--header-timeout', '2m', ...(c.flags?.(out) ?? [])], { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '', wake = () => {};
  child.stderr.on('data', (d) => (said += d, wake()));
  const ended = new Promise((done) => child.once('exit', done));
  const late = setTimeout(() => child.kill('SIGKILL'), patience_ms);
  try {
    const port = await new Promise((done, fail) => {
      wake = () => {
        const m = (c.tls ? /listening on \S+:(\d+) with TLS\n/ : /listening on \S+:(\d+)\n/).exec(said);
        if (m) done(+m[1]);
      };
      ended.then(() => fail(new Error('it ended before it served')));
    });
    if (c.tls) await hitOverTls(c, hits, port);
    else if (c.fetches) await fetch(c, hits, await Client.open(port));
    else await hit(c, hits, await Client.open(port));
  } catch (e) {
    throw new Error(`${name}: ${e.message}\n${said.slice(-2000)}`);
  } finally {
    child.kill('SIGTERM');
    await ended;
    clearTimeout(late);
  }
  return out;
}

// The same of the bare server, with an answer like freshet's.
async function runBare(name, hits, folder) {
  const c = cases[name], out = path.join(folder, `bare.${name}.${hits}`), response = `${out}.response`, port = await freePort();
  fs.writeFileSync(response, `HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nETag: "v1"\r\nCache-Control: public, max-age=0, must-revalidate\r\n` +
    `Date: Sun, 29 Nov 2026 18:00:00 GMT\r\nAge: 1\r\nCache-Status: freshet; hit; ttl=86399\r\nContent-Length: ${bodyBytes(c)}\r\n\r\n${'x'.repeat(bodyBytes(c))}`);
  const child = spawn('valgrind', [...valgrind(out), path.join(programs, 'bare_tls'), `${port}`, response, certificate(folder).pem], { stdio: 'ignore' });
  const ended = new Promise((done) => child.once('exit', done));
  try {
    (await Client.open(port)).close();
    await load(c, hits, port);
  } finally {
    child.kill('SIGTERM');
    await ended;
  }
  return `${out}-01`;
}

const bodyBytes = (c) => (c.target.startsWith('/large') ? 10240 : 1024);

async function load(c, hits, port) {
  const child = spawn(path.join(programs, 'lg'), [`${port}`, c.target, '-t', ...(c.tls.streams ? ['-2', `${c.tls.streams}`] : []), ...(c.tls.handshake ? ['-f', c.tls.handshake] : []), '-c', `${c.tls.connections}`,
    '-b', `${bodyBytes(c)}`, '-n', `${hits}`, ...Object.entries(c.fields ?? {}).filter(([n]) => n !== 'Connection').flatMap(([n, v]) => ['-H', `${n}: ${v}`])],
  { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (d) => (said += d));
  const code = await new Promise((done, fail) => child.once('close', done).once('error', fail));
  if (code !== 0) throw new Error(`lg ended with ${code}: ${said}`);
}

// One request fetches the page; from then on the origin is not asked.
async function hitOverTls(c, hits, port) {
  const target = `${c.target}${port}`; // others ask at the same time
  await load({ ...c, target, tls: { ...c.tls, connections: 1, streams: c.tls.streams && 1, handshake: undefined } }, 2, port);
  const before = asked.get(target);
  await load({ ...c, target }, hits, port);
  if (asked.get(target) !== before) throw new Error('not only hits: the origin was asked');
}

// The first request is the fetch, if it is one. Behind a rule the second may be one too: what cookies the page depends on was not known
// before. All the others must be hits.
async function hit(c, hits, client) {
  const bytes = request(c.target, c.fields);
  for (let i = 0; i < 2; i++) await client.ask(bytes);
  for (let r = {}; c.coding && !new RegExp(`^content-encoding: ${c.coding}`, 'im').test(r.head); r = await client.ask(bytes)) await new Promise((go) => setTimeout(go, 100));
  for (let i = 0; i < hits; i++) {
    const r = await client.ask(bytes);
    if (r.status !== (c.status ?? 200)) throw new Error(`status ${r.status} instead of ${c.status ?? 200}`);
    if (!/^cache-status: freshet; hit/im.test(r.head)) throw new Error(`no hit:\n${r.head}`);
  }
  client.close();
}

// Another page each time.
async function fetch(c, requests, client) {
  for (let i = 0; i < requests; i++) {
    const r = await client.ask(request(`${c.target}${100_000 + i}`));
    if (r.status !== 200) throw new Error(`status ${r.status}`);
    if (!c.fetches.test(/^cache-status: .*/im.exec(r.head)?.[0])) throw new Error(`not what was to be measured:\n${r.head}`);
  }
  client.close();
}

// The counts of the only worker: of the thread that ran a loop and is not main, the first, which sweeps by the clock.
function worker(out) {
  const threads = fs.readdirSync(path.dirname(out)).filter((f) => f.startsWith(`${path.basename(out)}-`) && !f.endsWith('-01'));
  const found = threads.map((f) => path.join(path.dirname(out), f)).find((f) => / uv_run$/m.test(fs.readFileSync(f, 'utf8')));
  if (!found) throw new Error(`no worker in ${threads.join(' ')}`);
  return found;
}

function total(file) {
  const m = /^(?:totals|summary): (\d+)/m.exec(fs.readFileSync(file, 'utf8'));
  if (!m) throw new Error(`${file}: no sum in it`);
  return +m[1];
}

// Instructions of each function itself, without those that it calls: name to number.
function selves(file) {
  const text = execFileSync('callgrind_annotate', ['--threshold=100', file], { encoding: 'utf8', maxBuffer: 1 << 28 });
  const found = new Map();
  for (const m of text.matchAll(/^ *([\d,]+) (?:\( *[\d.]+%\) +)?\S*?:(\S+?)(?:'\d+)?(?: \[(.*)\])?$/gm)) {
    const name = m[2].startsWith('0x') ? `${path.basename(m[3] ?? '?')} ${m[2].replace(/^0x0+/, '0x')}` : m[2];
    found.set(name, (found.get(name) ?? 0) + +m[1].replaceAll(',', ''));
  }
  return found;
}

// A very busy machine can add a per cent or two (a timer that fires, bytes that come in two pieces), never take any away: what
// seems to have grown too much is looked at once more.
async function measured(name, folder) {
  const one = await measure(name, folder), old = check && baseline.hit[name];
  if (!old || one.hit / old - 1 <= tolerance) return one;
  const two = await measure(name, folder);
  return two.hit < one.hit ? two : one;
}

async function measure(name, folder) {
  const { streams } = cases[name].tls ?? {};
  const [least, most] = cases[name].requests ?? (streams ? [few_streams, many_streams] : [few, many]);
  const freshet = difference(worker(await run(name, least, folder)), worker(await run(name, most, folder)), most - least);
  if (!bare || !cases[name].tls) return freshet;
  return { ...freshet, bare: difference(await runBare(name, least, folder), await runBare(name, most, folder), most - least) };
}

function difference(a, b, hits) {
  const hit = (total(b) - total(a)) / hits;
  if (!functions) return { hit };
  const before = selves(a);
  const top = [...selves(b)].map(([f, n]) => [f, (n - (before.get(f) ?? 0)) / hits])
    .filter(([, n]) => Math.abs(n) >= 1).sort((x, y) => y[1] - x[1]);
  return { hit, top };
}

// ---- all cases ----

function list(hit, top) {
  const rest = hit - (top?.slice(0, 50).reduce((sum, [, n]) => sum + n, 0) ?? 0);
  for (const [f, n] of top ? [...top.slice(0, 50), ['all others', rest]] : []) console.log(`      ${n.toFixed(1).padStart(9)}  ${f}`);
}

// The same program on another compiler or C library is another program: no comparison then.
function build() {
  const compiler = execFileSync('cc', ['--version'], { encoding: 'utf8' }).split('\n')[0];
  const libc = execFileSync('getconf', ['GNU_LIBC_VERSION'], { encoding: 'utf8' }).trim();
  return `${compiler}, ${libc}, ${os.arch()}`;
}

async function main() {
  if (spawnSync('valgrind', ['--version']).status !== 0) throw new Error('there is no valgrind (package valgrind)');
  if (!fs.existsSync(program)) throw new Error(`there is no ${program}: \`make\` builds it`);
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'freshet-instructions-'));
  origin.listen(0, '127.0.0.1');
  await new Promise((done) => origin.once('listening', done));
  const results = {};
  try {
    if (wanted.some((name) => cases[name].fetches)) filler = await startOrigin({ cores: `0-${os.cpus().length - 1}`, folder });
    const queue = [...wanted];
    const errors = [];
    await Promise.all([1, 2].map(async () => {
      for (let name; (name = queue.shift());) {
        await measured(name, folder).then((r) => (results[name] = r), (e) => errors.push(e));
      }
    }));
    if (errors.length > 0) throw errors[0];
  } finally {
    origin.closeAllConnections?.();
    origin.close();
    await filler?.stop();
    fs.rmSync(folder, { recursive: true, force: true });
  }

  if (json) {
    console.log(JSON.stringify(wanted.map((name) => ({ name, title: cases[name].title, hit: Math.round(results[name].hit) }))));
    return;
  }
  const comparable = baseline.build === build();
  const count = { passed: 0, failed: 0, skipped: 0 };
  console.log('case           a hit    baseline  change');
  for (const name of wanted) {
    const { hit, top } = results[name], old = baseline.hit[name];
    const change = old === undefined ? undefined : hit / old - 1;
    const percent = change === undefined ? '' : `${change < 0 ? '' : '+'}${(100 * change).toFixed(2)} %`;
    console.log(`${name.padEnd(13)} ${hit.toFixed(0).padStart(7)}  ${String(old ?? '-').padStart(8)}  ${percent.padStart(8)}   ${cases[name].title}`);
    if (old === undefined || !comparable) count.skipped++;
    else if (change > tolerance) {
      count.failed++;
      console.log(`FAILED: ${name} grew by more than ${100 * tolerance} %. What grew: node tests/bench/instructions.mjs --functions ${name}`);
    } else count.passed++;
    list(hit, top);
    if (!results[name].bare) continue;
    console.log(`  bare        ${results[name].bare.hit.toFixed(0).padStart(7)}  (${(hit / results[name].bare.hit).toFixed(2)} x)`);
    list(results[name].bare.hit, results[name].bare.top);
  }
  if (!comparable && baseline.build !== '') console.log(`not compared: the baseline is of ${baseline.build}; this is ${build()}`);
  if (update) {
    const hit = { ...baseline.hit };
    for (const name of wanted) hit[name] = Math.round(results[name].hit);
    fs.writeFileSync(stored, JSON.stringify({ about: 'instructions a hit, written by `node tests/bench/instructions.mjs --update`',
      build: build(), hit }, null, 2) + '\n');
    console.log(`written: ${path.relative(process.cwd(), stored)}`);
  }
  if (check) {
    console.log(`${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped`);
    process.exitCode = count.failed > 0 ? 1 : 0;
  }
}

main().catch((e) => {
  console.error(`instructions: ${e.message}`);
  if (check) console.log('0 passed, 1 failed, 0 skipped');
  process.exitCode = 1;
});
