// No head within the limits may cost more than five times another of its size: for each field that freshet takes apart, the worst head
// that we could think of, in instructions (callgrind, user mode), against a plain head of as many bytes and lines, and where it is the
// path or the query that is long, against one that is as long. Requests against a plain hit, answers of an origin against a plain miss.
// What one of them is allowed beyond that stands below, with the reason: `name_cost`.
// All in one process; SIGUSR1 (which opens the log anew) ends a measurement, since callgrind writes its counts before each call of the
// function that does that. A busy machine adds a little (a head that comes in two pieces): what seems to cost too much is measured
// once more. Part of `make test` (smoke.mjs).
//
// Usage: node tests/bench/heads.mjs [WORD]...    those whose name has one of the words
//   --freshet P  another program than build/freshet
//   --keep       leave the folder with callgrind's files
// Last line: N passed, N failed, N skipped.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { mmdb } from '../scenario/mmdb.mjs';
import { Client } from './lib/client.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const most = 5; // times a plain one of its size
// A page pays for each name that it can be purged by: the name is taken out of the field, hashed, sorted and kept. Storing it means that,
// and no hit does; a plain answer has no name, so it is no measure. How many there may be is a setting (tags). So such an answer may
// take this for a name beside twice a plain one.
const name_cost = 800;
const few = 4; // requests of a measurement
const patience_ms = 240_000;

const argv = process.argv.slice(2);
const flag = (name) => argv.includes(name) && argv.splice(argv.indexOf(name), 1).length > 0;
const value = (name, otherwise) => (argv.includes(name) ? argv.splice(argv.indexOf(name), 2)[1] : otherwise);
const keep = flag('--keep');
const program = path.resolve(value('--freshet', path.join(here, '../../build/freshet')));

// ---- heads ----

const head_bytes = 16_000, line_bytes = 8_000, answer_bytes = 65_000;
const fill = (piece, bytes) => piece.repeat(Math.ceil(bytes / piece.length)).slice(0, bytes);
// n values, each other than all before, of `digits` characters.
const numbered = (n, digits, from = 0) => Array.from({ length: n }, (_, i) => (i + from).toString(36).padStart(digits, 'a'));
const lines = (n, make) => Array.from({ length: n }, (_, i) => make(i));
const letters = 'abcdefghijklmnopqrstuvwxyz';
const names64 = Array.from({ length: 64 }, (_, i) => letters[Math.floor(i / 26)] + letters[i % 26]);
const long64 = Array.from({ length: 60 }, (_, i) => `x-${'n'.repeat(12)}${names64[i]}`);
const proxies = Array.from({ length: 22 }, (_, i) => `10.${i}.0.0/16`);

// What the pages' answers say, by path.
const rules = {
  '/plain': '',
  '/cookie': `Netlify-Vary: cookie=${names64.join('|')}\r\n`,
  '/one-cookie': 'Netlify-Vary: cookie=theme\r\n',
  '/query': `Netlify-Vary: query=${names64.join('|')}\r\n`,
  '/language': `Netlify-Vary: language=${names64.slice(0, 60).join('|')}\r\n`,
  '/header': `Netlify-Vary: header=${long64.join('|')}\r\n`,
  '/vary': `Vary: ${long64.slice(0, 56).join(', ')}\r\n`,
  '/accept': 'Vary: Accept-Encoding, Accept-Language\r\n',
  '/all-cookies': 'Vary: Cookie\r\n',
  '/none': 'Netlify-Vary: header=x-plan\r\n',
};

const one = (name, piece, bytes = head_bytes - 200) => [[name, fill(piece, bytes)]];
// Requests. `path`: what it asks for; a hit unless `plain` says what it is compared with.
const requests = [
  ['Connection: a,a,… beside 90 fields', '/none', [...one('Connection', 'a,', 14_000), ...lines(90, (i) => [`f${i}`, 'v'])]],
  ['Connection of 60 names, 60 fields of the same length', '/none', [['Connection', long64.join(',')], ...long64.map((n) => [`${n.slice(0, -2)}zz`, ''])]],
  ['Connection: ,,,', '/none', one('Connection', ',')],
  ['X-Forwarded-For of untrusted and malformed ones', '/none', one('X-Forwarded-For', '1.2.3.4,a,')],
  ['X-Forwarded-For of trusted ones', '/none', one('X-Forwarded-For', '10.21.0.1,')],
  ['X-Forwarded-For: ,,,', '/none', one('X-Forwarded-For', ',')],
  ['X-Forwarded-Proto: a,a,…', '/none', one('X-Forwarded-Proto', 'a,')],
  ['Via', '/none', one('Via', 'freshet-')],
  ['CDN-Loop', '/none', one('CDN-Loop', 'f')],
  ['thousands of cookies under a rule with 64', '/cookie', one('Cookie', 'zz=;')],
  ['thousands of cookies of the rule', '/cookie', [['Cookie', fill(names64.map((n) => `${n}=;`).join(''), head_bytes - 200)]]],
  ['256 cookies of the rule', '/cookie', [['Cookie', fill(names64.map((n) => `${n}=;`).join(''), 1024)]]],
  ['256 short cookies', '/cookie', one('Cookie', 'q;', 511)],
  ['thousands of cookies under a rule with one', '/one-cookie', one('Cookie', 'a=;')],
  ['empty cookies', '/cookie', one('Cookie', ';')],
  ['cookies on many lines', '/cookie', lines(90, () => ['Cookie', fill('zz=;', 150)])],
  ['Vary: Cookie', '/all-cookies', one('Cookie', 'zz=;')],
  ['thousands of parameters', '/plain', [], fill('b&a&', line_bytes)],
  ['thousands of ignored parameters', '/plain', [], fill('utm_id&', line_bytes)],
  ['thousands of parameters under a rule with 64', '/query', [], fill('zz&', line_bytes)],
  ['thousands of parameters of the rule', '/query', [], fill(names64.toReversed().join('&') + '&', line_bytes)],
  ['128 parameters of the rule', '/query', [], names64.toReversed().join('&') + '&' + names64.toReversed().join('&')],
  ['128 parameters', '/plain', [], numbered(128, 2).reverse().join('&')],
  ['&&&', '/plain', [], fill('&', line_bytes)],
  ['one parameter with a long name', '/plain', [], 'x'.repeat(line_bytes)],
  ['one parameter with a long name under a rule', '/query', [], 'x'.repeat(line_bytes)],
  ['one parameter with a long name in encodings', '/query', [], fill('%61', line_bytes)],
  ['%41 in a query', '/query', [], fill('%41%42=%43&', line_bytes)],
  ['a path to be normalised', '/plain', [], undefined, '/a/..'.repeat(1500) + '/plain'],
  ['a path of encoded letters', '/plain', [], undefined, '/' + '%61'.repeat(2000) + '/../plain'],
  ['Accept-Encoding of thousands', '/accept', one('Accept-Encoding', 'a,')],
  ['Accept-Encoding of thousands that count', '/accept', one('Accept-Encoding', 'br;q=0.5,')],
  ['Accept-Encoding with parameters', '/accept', one('Accept-Encoding', 'br;;;;;;;;;,')],
  ['Accept-Encoding: ,,,', '/accept', one('Accept-Encoding', ',')],
  ['Accept-Language of thousands', '/accept', one('Accept-Language', 'a,')],
  ['Accept-Language of 64, best last', '/accept', [['Accept-Language', lines(64, (i) => `aa;q=0.${String(i + 100)}`).join(',')]]],
  ['Accept-Language of 32, best last', '/accept', [['Accept-Language', lines(32, (i) => `aa;q=0.${String(i + 100)}`).join(',')]]],
  ['Accept-Language under groups', '/language', [['Accept-Language', lines(32, (i) => `x${'-a'.repeat(28)};q=0.${i + 100}`).join(',') + ',' + lines(32, (i) => `zz-${i % 10};q=0`).join(',')]]],
  ['Accept-Language of thousands under groups', '/language', one('Accept-Language', 'zz,')],
  ['Cache-Control: a,a,…', '/none', one('Cache-Control', 'a,')],
  ['Pragma: a,a,…', '/none', one('Pragma', 'a,')],
  ['Range of thousands', '/plain', one('Range', 'bytes=0-0,1-1,')],
  ['Range: bytes=,,,', '/plain', [['Range', 'bytes=' + fill(',', head_bytes - 200)]]],
  ['Range with many digits', '/plain', [['Range', 'bytes=' + fill('0', 7000) + '-' + fill('9', 7000)]]],
  ['If-None-Match of thousands', '/plain', one('If-None-Match', '"",')],
  ['If-None-Match: ,,,', '/plain', one('If-None-Match', ',')],
  ['If-None-Match without tags', '/plain', one('If-None-Match', 'a,')],
  ['If-None-Match that seems to have it', '/plain', [['If-None-Match', '"x"v1"y",' + fill('"",', head_bytes - 300)]]],
  ['If-Modified-Since', '/plain', one('If-Modified-Since', ' Mon, ')],
  ['If-Range', '/plain', [['Range', 'bytes=0-1'], ...one('If-Range', '"')]],
  ['a hundred short fields', '/none', lines(96, (i) => [`f${i}`, ''])],
  ['a hundred fields under a rule of 60 of their length', '/header', long64.map((n) => [`${n.slice(0, -1)}-`, ''])],
  ['a hundred fields that the rule names', '/header', [...long64, ...long64.slice(0, 30)].map((n) => [n, ''])],
  ['a hundred fields under Vary', '/vary', long64.map((n) => [`${n.slice(0, -1)}-`, ''])],
  ['values to be squeezed under Vary', '/vary', lines(90, (i) => [long64[i % 56], fill(' ,', 150)])],
  ['fields that may be of a family', '/none', lines(96, (i) => [`x-${letters[i % 26]}`, ''])],
  ['Upgrade without Connection', '/none', one('Upgrade', 'a,')],
  ['TE', '/none', one('TE', 'a,')],
];

// Answers of the origin that may be stored, against a plain one that is; and how many names it brings.
const many = (name, piece, bytes = answer_bytes) => `${name}: ${fill(piece, bytes)}\r\n`;
const answers = [
  ['Connection: a,a,… beside 200 fields', many('Connection', 'a,', 62_000) + lines(200, (i) => `f${i}: v\r\n`).join('')],
  ['Connection of 60 names beside 200 fields', `Connection: ${long64.join(',')}\r\n` + lines(200, (i) => `${long64[i % 60].slice(0, -2)}zz: v\r\n`).join('')],
  ['Cache-Tag: ,,,', many('Cache-Tag', ',')],
  ['Cache-Tag of thousands', many('Cache-Tag', 'a,')],
  ['Cache-Tag of 60', `Cache-Tag: ${numbered(60, 3).join(',')}\r\n`, 60],
  ['Cache-Tag of 500', `Cache-Tag: ${numbered(500, 3).join(',')}\r\n`, 500],
  ['Cache-Tag of 500, long ones', `Cache-Tag: ${numbered(500, 100).join(',')}\r\n`, 500],
  ['Cache-Tag of 10,000', `Cache-Tag: ${numbered(10_000, 4).join(',')}\r\n`],
  ['Vary of thousands', many('Vary', 'a,')],
  ['Vary of 64', `Vary: ${long64.toReversed().join(',')}\r\n`],
  ['Vary: ,,,', many('Vary', ',')],
  ['Netlify-Vary of thousands', many('Netlify-Vary', 'query=a|b,')],
  ['Netlify-Vary: ,,,', many('Netlify-Vary', ',')],
  ['Netlify-Vary of 64', `Netlify-Vary: language=${names64.toReversed().join('+')}\r\n`],
  ['Cache-Control of thousands', many('Cache-Control', 'a,')],
  ['Cache-Control of thousands that count', many('Cache-Control', 'public,')],
  ['Cache-Control that does not parse', many('Cache-Control', 'a b,')],
  ['Cache-Control: ,,,', many('Cache-Control', ',')],
  ['CDN-Cache-Control of a thousand', `CDN-Cache-Control: max-age=60, ${numbered(1000, 3).map((n) => `a${n}`).join(',')}\r\n`],
  ['CDN-Cache-Control with parameters', `CDN-Cache-Control: max-age=60, ${lines(40, () => `a;${numbered(250, 2).map((n) => `b${n}`).join(';')}`).join(',')}\r\n`],
  ['CDN-Cache-Control that does not parse', many('CDN-Cache-Control', 'a b ')],
  ['Cache-Groups of thousands', many('Cache-Groups', '"a",')],
  ['Cache-Groups of 64', `Cache-Groups: ${names64.map((n) => `"${n}"`).join(',')}\r\n`, 64],
  ['ETag', many('ETag', '"')],
  ['Expires', many('Expires', 'Mon, ')],
  ['Age', many('Age', ',')],
  ['Transfer-Encoding of thousands', many('Transfer-Encoding', 'a,')],
  ['200 short fields', lines(200, (i) => `f${i}: \r\n`).join('')],
];

// ---- the world ----

// What the origin answers: by the page's rule, or for /a/N/... with the N-th of `answers`, /p/BYTES/... with a plain head of so many bytes.
const pages = 'CDN-Cache-Control: max-age=86400\r\nETag: "v1"\r\n';
function answer(target) {
  const [, kind, what, lines_n] = target.split('/');
  if (kind === 'a') return pages + answers[+what][1];
  if (kind === 'p') return pages + padding(+what, +lines_n).map(([n, v]) => `${n}: ${v}\r\n`).join('');
  return pages + (rules[target.split('?')[0]] ?? '');
}

const origin = net.createServer((s) => {
  let text = '';
  s.on('error', () => {});
  s.on('data', (d) => {
    text += d.toString('latin1');
    for (let end; (end = text.indexOf('\r\n\r\n')) >= 0; text = text.slice(end + 4)) {
      s.write(Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: 1\r\n${answer(text.split(' ')[1])}\r\nx`, 'latin1'));
    }
  });
});

// A freshet under callgrind.
class Counted {
  async start(folder, port) {
    this.folder = folder;
    fs.writeFileSync(path.join(folder, 'countries'), mmdb({ '10.9.0.0/16': { country: { iso_code: 'DE' } } }));
    fs.writeFileSync(path.join(folder, 'config.yaml'), `origin: http://127.0.0.1:${port}\nlisten: 127.0.0.1:0\nadmin: ""\nworkers: 1\nmemory: 64M\n` +
      `io: epoll\nsandbox: off\nrequest_line: 16K\ntrusted_proxies: [127.0.0.1, ${proxies.join(', ')}]\ncountry_database: ${folder}/countries\n` +
      'origin_idle_timeout: 1h\n');
    this.child = spawn('valgrind', ['--tool=callgrind', '--separate-threads=yes', '--dump-before=open_reopen*', `--callgrind-out-file=${path.join(folder, 'counts')}`,
      program, 'run', path.join(folder, 'config.yaml'), '--state', path.join(folder, 'state')], { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    this.ended = new Promise((done) => this.child.once('exit', done));
    this.late = setTimeout(() => this.child.kill('SIGKILL'), patience_ms);
    this.port = await new Promise((done, fail) => {
      this.child.stderr.on('data', (d) => {
        said += d;
        const m = /listening on \S+:(\d+)\n/.exec(said);
        if (m) done(+m[1]);
      });
      this.ended.then(() => fail(new Error(`it ended before it served:\n${said}`)));
    });
    this.dumps = 0;
  }

  // The worker's instructions since the last time. A thread that did nothing writes no file, and which number the worker has depends on
  // who began before it: it is the one that ran a loop and is not main, the first, which sweeps by the clock.
  async count() {
    const begin = `counts.${++this.dumps}-`;
    this.child.kill('SIGUSR1');
    for (const end = Date.now() + patience_ms; Date.now() < end; await pause(5)) {
      for (const file of fs.readdirSync(this.folder).filter((f) => f.startsWith(begin) && f !== `${begin}01`)) {
        const text = fs.readFileSync(path.join(this.folder, file), 'utf8'), m = /^(?:totals|summary): (\d+)/m.exec(text);
        if (m && / uv_run$/m.test(text)) return +m[1];
      }
    }
    throw new Error(`callgrind wrote no ${begin}NN of a worker in ${this.folder}: ${fs.readdirSync(this.folder).join(' ')}`);
  }

  async stop() {
    this.child.kill('SIGTERM');
    await this.ended;
    clearTimeout(this.late);
  }
}

// One request; a refused one ends its connection.
let client;
async function ask(freshet, text) {
  client = client && !client.over ? client : await Client.open(freshet.port);
  const r = await client.ask(text);
  if (/^connection: close/im.test(r.head)) {
    client.close();
    client = undefined;
  }
  return r;
}

// Instructions of one request of `few`, which `make(i)` writes.
async function measure(freshet, make) {
  await ask(freshet, make(few + 1));
  await ask(freshet, make(few));
  await freshet.count();
  let last;
  for (let i = 0; i < few; i++) last = await ask(freshet, make(i));
  return { each: await freshet.count() / few, ...last };
}

const request = (target, fields) => `GET ${target} HTTP/1.1\r\nHost: test\r\n${fields.map(([n, v]) => `${n}: ${v}\r\n`).join('')}\r\n`;
// A plain head of so many bytes and lines.
const padding = (bytes, n) => Array.from({ length: n }, (_, i) => [`Pad${i}`, 'x'.repeat(Math.max(0, Math.floor(bytes / n) - 9))]);
const padded = (target, bytes, n) => request(target, padding(bytes - request(target, []).length, n));

// The same where it is the path or the query that is long.
const long_target = (page, bytes, in_query) => {
  const more = in_query ? `${page}?q=` : `${page}/`;
  return request(more + 'x'.repeat(Math.max(0, bytes - request(more, []).length)), []);
};

// What a plain one of that size takes; the next smaller measured size will do.
const known = new Map();
async function plain(kind, bytes, n, run) {
  const size = Math.floor(bytes / 128) * 128, key = `${kind} ${size} ${n}`;
  if (!known.has(key)) known.set(key, (await run(size, Math.max(1, n))).each);
  return known.get(key);
}

let fresh = 0; // pages that nobody asked for yet
const count = { passed: 0, failed: 0 };
async function judge(name, bytes, names, run, run_plain) {
  let it = await run(), base = await run_plain();
  const allowed = () => Math.max(most * base, names ? 2 * base + name_cost * names : 0);
  if (it.each > allowed()) {
    const again = await run();
    it = again.each < it.each ? again : it;
  }
  const ok = it.each <= allowed() && it.status < 500;
  count[ok ? 'passed' : 'failed']++;
  const ratio = (it.each / base).toFixed(2).padStart(7);
  console.log(`${ok ? 'ok    ' : 'FAILED'} ${ratio} times ${Math.round(base)} for ${bytes} bytes, ${it.status}: ${name}`);
}

async function main() {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'freshet-heads-'));
  const freshet = new Counted();
  const wanted = (name) => argv.length === 0 || argv.some((w) => name.includes(w));
  try {
    await new Promise((done) => origin.listen(0, '127.0.0.1', done));
    await freshet.start(folder, origin.address().port);
    for (const p of Object.keys(rules)) await ask(freshet, request(p, []));
    for (const [name, page, fields, query, target] of requests) {
      if (!wanted(name)) continue;
      const text = request(target ?? (query === undefined ? page : `${page}?${query}`), fields);
      const one = await ask(freshet, text);
      const hit = /^cache-status: freshet; hit/im.test((await ask(freshet, text)).head) || one.status >= 400;
      const long = target !== undefined ? 'path' : query !== undefined ? 'query' : '';
      await judge(name, text.length, 0, () => measure(freshet, () => text),
        () => plain(`${hit ? 'hit' : 'pass'} ${long}`, text.length, fields.length, (bytes, n) => measure(freshet, (k) => {
          const to = hit ? '/plain' : `/p/0/1/${fresh++}${k}`;
          return long ? long_target(to, bytes, long === 'query') : padded(to, bytes, n);
        })));
    }
    for (const [i, [name, head, names]] of answers.entries()) {
      if (!wanted(name)) continue;
      await judge(name, head.length, names ?? 0, async () => {
        const it = await measure(freshet, () => request(`/a/${i}/${fresh++}`, []));
        return { ...it, status: it.status === 502 ? 299 : it.status };
      }, () => plain('miss', head.length, head.split('\n').length - 1, (bytes, n) => measure(freshet, () => request(`/p/${bytes}/${n}/${fresh++}`, []))));
    }
  } finally {
    client?.close();
    if (freshet.child) await freshet.stop();
    origin.close();
    if (!keep) fs.rmSync(folder, { recursive: true, force: true });
    else console.log(folder);
  }
}

await main().catch((e) => {
  console.log(`FAILED ${e.stack}`);
  count.failed++;
});
console.log(`${count.passed} passed, ${count.failed} failed, 0 skipped`);
process.exit(count.failed ? 1 : 0);
