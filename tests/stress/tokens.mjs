// Ten thousand mixed requests, each with a token of its own, over pooled connections on both sides: hits, misses, passes, uploads,
// HEAD, ranges, conditions, pipelined or not, while clients leave in the middle and the origin closes, cuts, stalls, says too much or
// talks out of turn. Every whole answer carries its own token, and every byte of it is right.
import crypto from 'node:crypto';
import { Client, below, chance, check, done, pause, pick, random, scaled, stress } from './lib.mjs';

const total = scaled(10_000, 1000);
const connections = 48;
const pages = 220;

// A page's bytes follow from its name, so that both ends know them.
const filler = crypto.createHash('sha512').update('filler').digest('latin1').repeat(7000);
const hash = (text) => crypto.createHash('md5').update(text).digest();
function page(path) {
  const h = hash(path);
  const size = h[0] < 40 ? h[1] % 3 : h[0] < 200 ? h.readUInt16LE(2) % 4000 : h.readUInt32LE(2) % 300_000;
  const head = `page ${path} `;
  return { body: (head + filler.slice(h[6], h[6] + size)).slice(0, head.length + size), etag: h[7] < 128 ? `"${h.toString('hex')}"` : null,
    framing: h[8] < 150 ? 'length' : h[8] < 230 ? 'chunked' : 'close', life: h[9] < 30 ? 's-maxage=0' : 's-maxage=5, stale-while-revalidate=5' };
}

let faults = true;
let calm_requests = 0;

// Writes bytes in random pieces with random pauses.
async function write_pieces(write, text, slow) {
  for (let at = 0; at < text.length; ) {
    const n = slow ? 1 + below(Math.min(20_000, text.length - at)) : text.length;
    await write(text.slice(at, at + n));
    at += n;
    if (slow && chance(0.3)) await pause(below(8));
  }
}

async function answer(request, c) {
  const path = request.target;
  const mine = path.startsWith('/page/');
  const token = request.fields['x-token'] ?? '';
  const p = mine ? page(path) : null;
  const fault = faults ? random() : 1;
  const write = (d) => (c.gone ? undefined : c.write(d));
  if (chance(0.1)) await pause(below(10));
  if (fault < 0.01) return void c.destroy(); // says nothing
  let fields = mine ? `X-Page: ${path}\r\nCache-Control: ${p.life}\r\n` : `X-Echo: ${token}\r\nCache-Control: no-store\r\n`;
  if (p?.etag) fields += `ETag: ${p.etag}\r\n`;
  if (p?.etag && request.fields['if-none-match'] === p.etag) {
    await write(`HTTP/1.1 304 Not Modified\r\n${fields}\r\n`);
    return;
  }
  const body = mine ? p.body : `${request.method} ${path} ${token} ${request.body.toString('latin1')}`;
  let framing = mine ? p.framing : pick(['length', 'length', 'chunked']);
  if (fault > 0.02 && fault < 0.03) framing = 'close';
  if (request.method === 'HEAD') framing = 'length';
  if (fault > 0.03 && fault < 0.05) fields += 'Connection: close\r\n';
  // Bytes behind the end that nobody asked for, together with it: the next request must not take them for its answer.
  const surplus = fault > 0.09 && fault < 0.1 && framing !== 'close' && body.length < 4000 && request.method !== 'HEAD'
    ? 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nmore' : '';
  fields += framing === 'length' ? `Content-Length: ${body.length}\r\n` : framing === 'chunked' ? 'Transfer-Encoding: chunked\r\n' : '';
  if (chance(0.02)) await write('HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n');
  if (surplus) {
    const end = framing === 'chunked' ? `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n` : body;
    await write(`HTTP/1.1 200 OK\r\n${fields}\r\n`);
    await pause(below(3));
    await write(end + surplus);
    return;
  }
  await write(`HTTP/1.1 200 OK\r\n${fields}\r\n`);
  if (request.method !== 'HEAD') {
    const cut = fault > 0.05 && fault < 0.07 && framing !== 'close' ? below(body.length) : -1;
    const text = cut >= 0 ? body.slice(0, cut) : body;
    const slow = chance(0.1);
    if (framing === 'chunked') {
      await write_pieces((d) => write(`${d.length.toString(16)}\r\n${d}\r\n`), text, slow);
      if (cut < 0) await write(chance(0.1) ? '0\r\nX-Trailer: a\r\n\r\n' : '0\r\n\r\n');
    } else {
      await write_pieces(write, text, slow);
    }
    if (cut >= 0) return void (chance(0.5) ? c.destroy() : c.end());
  }
  if (framing === 'close') return void c.end();
  if (fault > 0.07 && fault < 0.09) return void c.end(); // closes without having said so
  if (fault > 0.10 && fault < 0.13) { // closes while it is idle, with or without a last word
    const served = c.served;
    const word = chance(0.3);
    pause(below(30)).then(() => {
      if (c.gone || c.served !== served) return;
      if (word) c.end('HTTP/1.1 408 Request Timeout\r\nX-Idle: yes\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
      else c.destroy();
    });
  }
}

await stress(`${total} requests with tokens of their own`, { answer, slack: 1 << 20, ms: 150_000,
  flags: ['--memory', '1M', '--object-bytes', '150000', '--window-bytes', '16K'] }, async ({ freshet, at, origin }) => {
  let left = total;
  let whole = 0;
  let broken = 0;
  let n = 0;
  const kinds = new Map();

  function judge_page(path, r, options, what) {
    const p = page(path);
    const text = r.body.toString('latin1');
    if (options.method === 'HEAD') return check(r.fields['x-page'] === path, `${what}: HEAD of his page`, path);
    if (r.status === 304) return check(options.conditional && r.fields.etag === p.etag, `${what}: 304 of his page`, path);
    if (r.status === 206) {
      const m = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(r.fields['content-range']);
      return check(options.range && m && +m[3] === p.body.length && text === p.body.slice(+m[1], +m[2] + 1), `${what}: the part is of his page`, path);
    }
    return check(r.status === 200 && r.fields['x-page'] === path && text === p.body, `${what}: his page, byte for byte`,
      () => `${path} ${r.status}, ${r.fields['x-page']}, ${text.length} of ${p.body.length} bytes: ${text.slice(0, 80)}`);
  }

  // One request: what to send and how its answer is judged.
  function make() {
    const token = `token-${++n}-${below(1e9).toString(36)}`;
    const path = `/page/${Math.floor(pages * random() ** 2)}`;
    const kind = pick(['page', 'page', 'page', 'page', 'pass', 'pass', 'post', 'post', 'chunked', 'head', 'range', 'condition', 'head-pass', 'expect']);
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
    const echo = (method, target, body) => (r) => {
      const should = `${method} ${target} ${token} ${body}`;
      const text = r.body.toString('latin1');
      return check(r.status === 200 && r.fields['x-echo'] === token && (method === 'HEAD' ? text === '' : text === should), `${kind}: his own token`,
        () => `${token} ${r.status} ${r.fields['x-echo']} ${text.length} of ${should.length} bytes: ${text.slice(0, 100)}`);
    };
    const body = () => filler.slice(0, chance(0.3) ? 0 : chance(0.7) ? below(3000) : below(250_000));
    switch (kind) {
      case 'page': return { method: 'GET', target: path, fields: { 'X-Token': token }, judge: (r) => judge_page(path, r, {}, kind) };
      case 'head': return { method: 'HEAD', target: path, fields: {}, judge: (r) => judge_page(path, r, { method: 'HEAD' }, kind) };
      case 'range': {
        const size = page(path).body.length;
        const first = below(size);
        const range = pick([`bytes=${first}-${first + below(size)}`, `bytes=${first}-`, `bytes=-${1 + below(size)}`]);
        return { method: 'GET', target: path, fields: { Range: range }, judge: (r) => judge_page(path, r, { range }, kind) };
      }
      case 'condition': {
        const etag = page(path).etag ?? '"none"';
        return { method: 'GET', target: path, fields: { 'If-None-Match': etag }, judge: (r) => judge_page(path, r, { conditional: true }, kind) };
      }
      case 'pass': return { method: 'GET', target: `/pass/${token}`, fields: { 'X-Token': token }, judge: echo('GET', `/pass/${token}`, '') };
      case 'head-pass': return { method: 'HEAD', target: '/pass', fields: { 'X-Token': token }, judge: echo('HEAD', '/pass', '') };
      case 'chunked': {
        const text = body();
        let coded = '';
        for (let i = 0; i < text.length; ) {
          const size = 1 + below(Math.min(30_000, text.length - i));
          coded += `${size.toString(16)}${chance(0.1) ? ';a=b' : ''}\r\n${text.slice(i, i + size)}\r\n`;
          i += size;
        }
        coded += chance(0.1) ? '0\r\nX-Trailer: a\r\n\r\n' : '0\r\n\r\n';
        return { method: 'POST', target: '/post', fields: { 'X-Token': token, 'Transfer-Encoding': 'chunked' }, body: coded, judge: echo('POST', '/post', text) };
      }
      default: {
        const text = body();
        const fields = { 'X-Token': token, 'Content-Length': text.length };
        if (kind === 'expect') fields.Expect = '100-continue';
        return { method: 'POST', target: '/post', fields, body: text, judge: echo('POST', '/post', text) };
      }
    }
  }

  async function send(c, q) {
    const leaves = faults && chance(0.03);
    const head = `${q.method} ${q.target} HTTP/1.1\r\nHost: test\r\n` + Object.entries(q.fields).map(([k, v]) => `${k}: ${v}\r\n`).join('') + '\r\n';
    const bytes = Buffer.from(q.body ?? '', 'latin1');
    const stop = leaves ? below(3) : -1; // in the head, in the body, in the answer
    const options = { onData: stop === 2 ? () => c.close() : undefined };
    let r;
    if (stop === 0) {
      r = c.send(q.method, head.slice(0, below(head.length)));
      await pause(below(3));
      c.close();
    } else {
      const slow = bytes.length > 0 && chance(0.2);
      r = c.send(q.method, head, slow || stop === 1 ? options : { ...options, body: bytes });
      if (stop === 1) {
        c.socket.write(bytes.subarray(0, below(bytes.length + 1)));
        await pause(below(3));
        c.close();
      } else if (slow) {
        await write_pieces((d) => c.socket.write(d), bytes, true);
      }
    }
    r = await r;
    if (r.cut || leaves) return false;
    // The origin's faults are told as such; whatever else comes is whole and his.
    if (r.status === 502 || r.status === 503 || r.status === 504 || (r.status === 408 && r.fields['x-idle'])) {
      check(faults, 'no error without a fault', () => `${q.method} ${q.target}: ${r.status} ${r.fields['cache-status']}`);
      return false;
    }
    q.judge(r);
    return true;
  }

  async function visit() {
    let c = new Client(at);
    while (left > 0) {
      if (c.ended || chance(0.005)) {
        c.close();
        c = new Client(at);
      }
      const depth = chance(0.1) ? 2 + below(3) : 1;
      left -= depth;
      const results = await Promise.all(Array.from({ length: depth }, async () => {
        const q = make();
        // Behind an upload that is sent in pieces nothing can be pipelined.
        return depth > 1 && q.body ? send(await fresh(), q) : send(c, q);
      }));
      for (const ok of results) ok ? whole++ : broken++;
      if (chance(0.1)) await pause(below(10));
      if (chance(0.002)) await freshet.advance(2500);
    }
    c.close();
  }
  const extra = [];
  async function fresh() {
    const c = new Client(at);
    extra.push(c);
    if (extra.length > 40) extra.shift().close();
    return c;
  }

  let most = 0;
  const watch = setInterval(async () => (most = Math.max(most, (await freshet.gauges()).memory_bytes)), 50);
  await Promise.all(Array.from({ length: connections }, visit));
  clearInterval(watch);
  // On each worker a body may be copied into one block when it is whole: for a moment it is there twice.
  check(most > 900_000 && most <= (1 << 20) + 2 * 150_000, 'the memory is used and not exceeded', most);
  extra.forEach((c) => c.close());
  console.log(`${whole} whole, ${broken} left, cut or failed; ${[...kinds].map(([k, v]) => `${k} ${v}`).join(', ')}`);
  check(whole > total * 0.85, 'most are answered in spite of it all', `${whole} of ${total}`);
  const g = await freshet.gauges();
  check(g.hits_total > 0 && g.stored_total > 0 && g.passes_total > 0 && g.fetch_retries_total > 0, 'all of it happened', () => JSON.stringify(g));

  // Without faults there is no error.
  faults = false;
  await freshet.settle();
  left = scaled(600, 200);
  const before = broken;
  await pause(50); // the last of the idle connections that close by themselves
  await Promise.all(Array.from({ length: connections }, visit));
  extra.forEach((c) => c.close());
  check(broken === before, 'nothing fails when nobody misbehaves', `${broken - before} did`);
});
done();
